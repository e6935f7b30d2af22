package chart

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/syncgate/syncgate/hooks/config"
)

// TestWebhooks: the Ingress opens one path, and only where the server takes
// what comes there.
func TestWebhooks(t *testing.T) {
	github := map[string]any{"secretFile": "/var/run/syncgate/secrets/github/webhook"}
	for _, tt := range []struct {
		name    string
		config  any
		ingress map[string]any
		err     string
	}{
		{name: "open", config: map[string]any{"github": github}, ingress: map[string]any{"enabled": true, "host": "gate.example", "className": "nginx", "tlsSecretName": "gate-tls",
			"annotations": map[string]any{"nginx.ingress.kubernetes.io/backend-protocol": "HTTPS"}}},
		{name: "no host", config: map[string]any{"github": github}, ingress: map[string]any{"enabled": true}, err: "webhooks.ingress.host: expected"},
		{name: "not taken", ingress: map[string]any{"enabled": true, "host": "gate.example"}, err: "config.webhooks.github: expected secretFile"},
		{name: "no name", config: map[string]any{"github": github}, ingress: map[string]any{"enabled": true, "host": "https://gate.example"}, err: "/webhooks/ingress/host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values, err := chartutil.ReadValuesFile("testdata/full.yaml")
			if err != nil {
				t.Fatal(err)
			}
			delete(values["config"].(map[string]any), "webhooks")
			if tt.config != nil {
				values["config"].(map[string]any)["webhooks"] = tt.config
			}
			values["webhooks"] = map[string]any{"ingress": tt.ingress}
			r, err := renderValues(values)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Decode([]byte(find[*corev1.ConfigMap](t, r, func(m *corev1.ConfigMap) bool { return m.Data["config.yaml"] != "" }).Data["config.yaml"]), "c.yaml")
			if err != nil || c.Webhooks.GitHub == nil {
				t.Fatalf("webhooks %+v, %v", c, err)
			}
			in := find[*networkingv1.Ingress](t, r, nil)
			service := find[*corev1.Service](t, r, nil)
			if len(in.Spec.Rules) != 1 || len(in.Spec.Rules[0].HTTP.Paths) != 1 {
				t.Fatalf("rules %+v", in.Spec.Rules)
			}
			path := in.Spec.Rules[0].HTTP.Paths[0]
			if path.Path != "/webhooks/github" || *path.PathType != networkingv1.PathTypeExact || path.Backend.Service.Name != service.Name ||
				path.Backend.Service.Port.Number != service.Spec.Ports[0].Port || in.Spec.TLS[0].SecretName != "gate-tls" || *in.Spec.IngressClassName != "nginx" {
				t.Errorf("ingress %+v", in.Spec)
			}
		})
	}
}

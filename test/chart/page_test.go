package chart

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/syncgate/syncgate/hooks/config"
)

// TestPages: off, on the pod's loopback, or behind a proxy that alone reaches
// them.
func TestPages(t *testing.T) {
	from := []any{map[string]any{"podSelector": map[string]any{"matchLabels": map[string]any{"app": "proxy"}}}}
	for _, tt := range []struct {
		name   string
		page   map[string]any
		policy bool
		listen string
		shown  bool
		err    string
	}{
		{name: "off", page: map[string]any{"enabled": false}, policy: true},
		{name: "loopback", page: map[string]any{"enabled": true}, policy: true, listen: "127.0.0.1:8081"},
		{name: "another port", page: map[string]any{"enabled": true, "port": 9000}, listen: "127.0.0.1:9000"},
		{name: "proxied", page: map[string]any{"enabled": true, "proxied": true, "from": from}, policy: true, listen: ":8081", shown: true},
		{name: "proxied for everybody", page: map[string]any{"enabled": true, "proxied": true}, policy: true, err: "only the proxy may reach them"},
		{name: "proxied without a policy", page: map[string]any{"enabled": true, "proxied": true, "from": from}, err: "only the proxy may reach them"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values, err := chartutil.ReadValuesFile("testdata/minimal.yaml")
			if err != nil {
				t.Fatal(err)
			}
			values["page"], values["networkPolicy"] = tt.page, map[string]any{"enabled": tt.policy}
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
			c, err := config.Decode([]byte(find[*corev1.ConfigMap](t, r, nil).Data["config.yaml"]), "c.yaml")
			if err != nil || c.Page.Listen != tt.listen {
				t.Fatalf("page.listen %q, %v; want %q", c.Page.Listen, err, tt.listen)
			}
			pod := find[*appsv1.StatefulSet](t, r, nil).Spec.Template.Spec.Containers[0]
			if got := len(pod.Ports) + len(find[*corev1.Service](t, r, nil).Spec.Ports); (got == 4) != tt.shown {
				t.Errorf("%d ports of pod and Service, shown: %t", got, tt.shown)
			}
			if tt.shown {
				in := find[*networkingv1.NetworkPolicy](t, r, nil).Spec.Ingress
				if len(in) != 2 || in[1].Ports[0].Port.StrVal != "page" || len(in[1].From) != 1 {
					t.Errorf("ingress %+v", in)
				}
			}
		})
	}
}

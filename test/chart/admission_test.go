package chart

import (
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/admission"
)

// webhook is the one webhook that a file of values makes.
func webhook(t *testing.T, r rendered) admissionv1.ValidatingWebhook {
	t.Helper()
	c := find[*admissionv1.ValidatingWebhookConfiguration](t, r, nil)
	if len(c.Webhooks) != 1 {
		t.Fatalf("expected one webhook, found %d", len(c.Webhooks))
	}
	return c.Webhooks[0]
}

func TestWebhook(t *testing.T) {
	for _, file := range []string{"full.yaml", "other-cluster.yaml"} {
		t.Run(file, func(t *testing.T) {
			w := webhook(t, render(t, file))
			if got := w.NamespaceSelector.MatchLabels; len(got) != 1 || got[admission.NamespaceLabel] != admission.LabelValue {
				t.Errorf("expected namespaces with the label alone, found %v", got)
			}
			if *w.SideEffects != admissionv1.SideEffectClassNoneOnDryRun || *w.MatchPolicy != admissionv1.Equivalent || *w.TimeoutSeconds > 10 || len(w.MatchConditions) != 1 {
				t.Errorf("found %+v", w)
			}
			for _, rule := range w.Rules {
				for _, op := range rule.Operations {
					if op != admissionv1.Create && op != admissionv1.Update {
						t.Errorf("%v: asked about %s, which must never be held up", rule.Resources, op)
					}
				}
				for _, res := range rule.Resources {
					if strings.ContainsAny(res, "/*") {
						t.Errorf("asked about %s: no subresource and no wildcard is", res)
					}
				}
			}
		})
	}
}

func TestWebhookOfThisRelease(t *testing.T) {
	r := render(t, "full.yaml")
	w := webhook(t, r)
	service := find[*corev1.Service](t, r, nil)
	to := w.ClientConfig.Service
	if to == nil || to.Name != service.Name || to.Namespace != service.Namespace || *to.Port != service.Spec.Ports[0].Port || *to.Path != hooks.PathAdmission+"/eu" {
		t.Errorf("expected the release's Service, found %+v", w.ClientConfig)
	}
	if *w.FailurePolicy != admissionv1.Fail {
		t.Errorf("expected to fail closed by default, found %s", *w.FailurePolicy)
	}
	own := w.NamespaceSelector.MatchExpressions
	if len(own) != 1 || own[0].Operator != "NotIn" || own[0].Values[0] != namespace {
		t.Errorf("expected the server's own namespace to be left out, found %v", own)
	}
	if !strings.HasPrefix(string(w.ClientConfig.CABundle), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("caBundle: found %q", w.ClientConfig.CABundle)
	}
	if !strings.Contains(r.Notes, admission.NamespaceLabel+"="+admission.LabelValue) {
		t.Error("NOTES.txt does not name the label")
	}
}

func TestWebhookOfAServerElsewhere(t *testing.T) {
	w := webhook(t, render(t, "other-cluster.yaml"))
	if want := "https://syncgate.example.com" + hooks.PathAdmission + "/us/0123456789abcdef0123456789abcdef"; w.ClientConfig.URL == nil || *w.ClientConfig.URL != want {
		t.Errorf("expected %s, found %+v", want, w.ClientConfig)
	}
	if *w.FailurePolicy != admissionv1.Ignore {
		t.Errorf("expected what the values say, found %s", *w.FailurePolicy)
	}
}

func TestWebhookThatCannotWorkIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		file   string
		change func(values map[string]any)
		want   string
	}{
		"no name":           {"full.yaml", func(v map[string]any) { v["admission"].(map[string]any)["cluster"] = "" }, "admission.cluster"},
		"a name of nowhere": {"full.yaml", func(v map[string]any) { v["admission"].(map[string]any)["cluster"] = "us" }, "config.admission.clusters"},
		"no TLS":            {"full.yaml", func(v map[string]any) { v["tls"] = map[string]any{} }, "tls.secretName"},
		"no URL":            {"other-cluster.yaml", func(v map[string]any) { v["admission"].(map[string]any)["url"] = "" }, "admission.url"},
	} {
		t.Run(name, func(t *testing.T) {
			values, err := chartutil.ReadValuesFile("testdata/" + tt.file)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(values)
			if _, err := renderValues(values); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("expected an error with %q, found %v", tt.want, err)
			}
		})
	}
}

package harness_test

import (
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/syncgate/syncgate/test/harness"
)

const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer}}}
---
# nothing here
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: one}
spec: {size: 3}
`

func TestControlPlaneAppliesANewKind(t *testing.T) {
	cp := harness.ForTest(t)
	ctx := t.Context()
	if err := cp.Namespace(ctx, "applies"); err != nil {
		t.Fatal(err)
	}
	if err := cp.ApplyYAML(ctx, []byte(crd), harness.ApplyOptions{Namespace: "applies"}); err != nil {
		t.Fatal(err)
	}
	wrong := []byte("apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: two}\nspec: {size: large}\n")
	if err := cp.ApplyYAML(ctx, wrong, harness.ApplyOptions{Namespace: "applies", DryRun: true}); err == nil {
		t.Error("a Widget against its schema was accepted")
	}
}

func TestControlPlaneAdmitsPods(t *testing.T) {
	cp := harness.ForTest(t)
	ctx := t.Context()
	if err := cp.Namespace(ctx, "pods"); err != nil {
		t.Fatal(err)
	}
	pod := []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: example.com/c:1}]}\n")
	if err := cp.ApplyYAML(ctx, pod, harness.ApplyOptions{Namespace: "pods"}); err != nil {
		t.Fatal(err)
	}
	got, err := cp.Kube.CoreV1().Pods("pods").Get(ctx, "p", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Spec.ServiceAccountName != "default" {
		t.Errorf("ServiceAccount of the pod: expected default from admission, found %q", got.Spec.ServiceAccountName)
	}
}

func TestTokenIsReviewedByAudience(t *testing.T) {
	cp := harness.ForTest(t)
	ctx := t.Context()
	if err := cp.Namespace(ctx, "tokens"); err != nil {
		t.Fatal(err)
	}
	token, err := cp.Token(ctx, "tokens", "default", "syncgate", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for audience, want := range map[string]bool{"syncgate": true, "other": false} {
		review := &authv1.TokenReview{Spec: authv1.TokenReviewSpec{Token: token, Audiences: []string{audience}}}
		got, err := cp.Kube.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Status.Authenticated != want {
			t.Errorf("audience %s: expected authenticated %t, found %+v", audience, want, got.Status)
		}
		if want && got.Status.User.Username != "system:serviceaccount:tokens:default" {
			t.Errorf("user: found %q", got.Status.User.Username)
		}
	}
}

func TestKubeconfigGivesTheSameAccess(t *testing.T) {
	cp := harness.ForTest(t)
	cfg, err := clientcmd.BuildConfigFromFlags("", cp.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Host != cp.Config.Host || cfg.BearerToken != cp.Config.BearerToken {
		t.Errorf("kubeconfig: expected host %s, found %s", cp.Config.Host, cfg.Host)
	}
}

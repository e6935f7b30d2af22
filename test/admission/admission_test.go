package admission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/test/harness"
)

// One object's life behind the webhook.
func TestGuardedObject(t *testing.T) {
	cp := harness.ForTest(t)
	w := newWorld(t, cp, "chat", "{name: eu, tokenFile: path-token, tokenInPath: true}")
	ctx := t.Context()
	w.open("true")
	first := w.commit("11.7.3")
	w.webhook("--set", "admission.pathToken="+pathToken)

	// Without the label, nobody asks.
	for _, ns := range []string{w.namespace, w.namespace + "-home"} {
		if _, err := w.objects(ns).Create(ctx, mattermost("mm", "11.7.2"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.patch(ns, `{"spec":{"version":"11.7.3"}}`)
	}
	w.label()
	refusal := []string{`admission webhook "guard.syncgate.dev" denied the request`, `update of Mattermost chat/mm on cluster eu`, `spec.version "11.7.3" → "11.7.4"`, "gate chat guards this", "Sync the Application in full"}
	if code := w.presync(first); code != 0 {
		t.Fatalf("preSync of the first revision: exit %d", code)
	}
	w.patch(w.namespace, `{"spec":{"version":"11.7.4"}}`, append(refusal, `has spec.image "mattermost/mattermost-enterprise-edition", spec.version "11.7.3"`)...)
	w.patch(w.namespace+"-home", `{"spec":{"version":"11.7.4"}}`)

	// What is no upgrade is never held up.
	w.patch(w.namespace, `{"metadata":{"labels":{"a":"b"}}}`)
	w.patch(w.namespace, `{"spec":{"replicas":3}}`)
	_, err := w.objects(w.namespace).Patch(ctx, "mm", types.MergePatchType, []byte(`{"status":{"version":"11.7.4","state":"stable"}}`), metav1.PatchOptions{}, "status")
	w.expect("status", err)

	// A run that does not pass changes nothing; one that passes lets its own
	// version through, and no other.
	second := w.commit("11.7.4")
	w.open("false")
	if code := w.presync(second); code == 0 {
		t.Error("preSync passed through a closed door")
	}
	w.patch(w.namespace, `{"spec":{"version":"11.7.4"}}`, append(refusal, "failed at", "door: Fail")...)
	w.open("true")
	third := w.commit("11.7.5")
	if code := w.presync(third); code != 0 {
		t.Fatalf("preSync: exit %d", code)
	}
	w.patch(w.namespace, `{"spec":{"version":"11.7.4"}}`, refusal...)
	w.patch(w.namespace, `{"spec":{"version":"11.7.5","image":"evil/server"}}`, `"evil/server"`)
	w.patch(w.namespace, `{"spec":{"version":"11.7.5"}}`)
	w.patch(w.namespace, `{"spec":{"version":"11.7.3"}}`, `"11.7.5" → "11.7.3"`)
	_, err = w.objects(w.namespace).Create(ctx, mattermost("other", "11.7.3"), metav1.CreateOptions{})
	w.expect("create", err, "create of Mattermost chat/other", `spec.version is "11.7.3"`)

	// A person's decision lets through what it is about until it ends.
	sixth := w.commit("11.7.6")
	w.patch(w.namespace, `{"spec":{"version":"11.7.6"}}`, `"11.7.5" → "11.7.6"`)
	w.override(sixth)
	w.patch(w.namespace, `{"spec":{"version":"11.7.6"}}`)

	w.serverIsDown()
	w.namespaceGoes()
}

// override has a person who may let the revision through.
func (w *world) override(revision string) {
	w.t.Helper()
	home := w.namespace + "-home"
	must(w.t, w.cp.ApplyYAML(w.t.Context(), fmt.Appendf(nil, `
apiVersion: v1
kind: ServiceAccount
metadata: {name: oncall, namespace: %[1]s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %[1]s-override}
rules: [{apiGroups: [syncgate.dev], resources: [gates], resourceNames: [chat], verbs: [override]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s-override}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s-override}
subjects: [{kind: ServiceAccount, name: oncall, namespace: %[1]s}]
`, home), harness.ApplyOptions{}))
	token, err := w.cp.Token(w.t.Context(), home, "oncall", hooks.TokenAudience, time.Hour)
	must(w.t, err)
	must(w.t, os.WriteFile(w.stage.Path("oncall"), []byte(token), 0o600))
	code, out := w.syncgate("override", "--token-file", w.stage.Path("oncall"), "--revision", revision, "--reason", "the backup store is down")
	if code != 0 {
		w.t.Fatalf("override: exit %d\n%s\n%s", code, out, w.log())
	}
}

// serverIsDown: nothing guarded changes, and what is no change of what the
// object asks for goes on. When it is up again it knows what it knew.
func (w *world) serverIsDown() {
	w.t.Helper()
	must(w.t, w.proc.Stop())
	w.patch(w.namespace, `{"spec":{"version":"11.7.7"}}`, `failed calling webhook "guard.syncgate.dev"`)
	w.patch(w.namespace, `{"metadata":{"annotations":{"a":"b"}}}`)
	_, err := w.objects(w.namespace).Patch(w.t.Context(), "mm", types.MergePatchType, []byte(`{"status":{"state":"reconciling"}}`), metav1.PatchOptions{}, "status")
	w.expect("status", err)
	w.patch(w.namespace+"-home", `{"spec":{"version":"11.7.9"}}`)
	must(w.t, w.startServer())
	w.patch(w.namespace, `{"spec":{"version":"11.7.7"}}`, `spec.version "11.7.6" → "11.7.7"`)
}

// namespaceGoes deletes the namespace while the server is down, and does what
// the namespace controller does.
func (w *world) namespaceGoes() {
	w.t.Helper()
	must(w.t, w.proc.Stop())
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	namespaces := w.cp.Kube.CoreV1().Namespaces()
	must(w.t, namespaces.Delete(ctx, w.namespace, metav1.DeleteOptions{}))
	must(w.t, w.objects(w.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	o, err := w.objects(w.namespace).Get(ctx, "mm", metav1.GetOptions{})
	must(w.t, err)
	if o.GetDeletionTimestamp() == nil {
		w.t.Fatal("expected the object to wait for its finalizer")
	}
	w.patch(w.namespace, `{"metadata":{"finalizers":null}}`)
	must(w.t, harness.Eventually(ctx, func(ctx context.Context) error {
		_, err := w.objects(w.namespace).Get(ctx, "mm", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("the object is still there"), err)
	}))
	ns, err := namespaces.Get(ctx, w.namespace, metav1.GetOptions{})
	must(w.t, err)
	ns.Spec.Finalizers = nil
	_, err = namespaces.Finalize(ctx, ns, metav1.UpdateOptions{})
	must(w.t, err)
	must(w.t, harness.Eventually(ctx, func(ctx context.Context) error {
		var gone *corev1.Namespace
		gone, err := namespaces.Get(ctx, w.namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("the namespace is still there: "+string(gone.Status.Phase)), err)
	}))
}

package render

import (
	"context"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// TestJobsAreAdmitted gives the hook Jobs, and a pod of each, to a real API
// server, in a namespace that enforces the restricted pod security standard.
func TestJobsAreAdmitted(t *testing.T) {
	cp := harness.ForTest(t)
	ctx := t.Context()
	const namespace = "restricted-hooks"
	if err := cp.Namespace(ctx, namespace); err != nil {
		t.Fatal(err)
	}
	if err := cp.ServiceAccount(ctx, namespace, inject.DefaultServiceAccount); err != nil {
		t.Fatal(err)
	}
	enforce := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
	if _, err := cp.Kube.CoreV1().Namespaces().Patch(ctx, namespace, types.MergePatchType, enforce, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	// That it enforces at all is seen by a pod that it refuses.
	root := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "root"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	if _, err := cp.Kube.CoreV1().Pods(namespace).Create(ctx, root, metav1.CreateOptions{}); err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
		t.Fatalf("a pod that is not restricted: got %v, want it refused", err)
	}
	for name, data := range jobs(t) {
		t.Run(name, func(t *testing.T) {
			var job batchv1.Job
			if err := yaml.UnmarshalStrict(data, &job); err != nil {
				t.Fatal(err)
			}
			strict := metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}
			if _, err := cp.Kube.BatchV1().Jobs(namespace).Create(ctx, &job, strict); err != nil {
				t.Errorf("create Job: %v", err)
			}
			pod := &corev1.Pod{ObjectMeta: job.Spec.Template.ObjectMeta, Spec: job.Spec.Template.Spec}
			pod.Name = job.Name
			if _, err := cp.Kube.CoreV1().Pods(namespace).Create(ctx, pod, strict); err != nil {
				t.Errorf("create its pod: %v", err)
			}
		})
	}
	listed(ctx, t, cp, namespace, 3)
}

// listed holds that the Jobs are found by the label that the docs name.
func listed(ctx context.Context, t *testing.T, cp *harness.ControlPlane, namespace string, want int) {
	t.Helper()
	list, err := cp.Kube.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=syncgate"})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != want {
		t.Errorf("%d Jobs by label, want %d", len(list.Items), want)
	}
}

// jobs are the hook Jobs of a Gate with everything configured, by name.
func jobs(t *testing.T) map[string][]byte {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	g := &gate.Gate{Metadata: gate.Metadata{Name: "mattermost"}, File: "syncgate.yaml"}
	g.Spec.PreSync.Checks = []gate.Check{{Name: "nodes"}}
	g.Spec.PostSync.Checks = []gate.Check{{Name: "pods"}}
	objects, err := inject.Jobs(g, inject.Change{
		Repository: "https://git.example.com/r.git", Revision: strings.Repeat("0123456789abcdef", 4), Cluster: "eu.example.com",
	}, inject.Config{
		Image: "registry.example.com/syncgate:v1", Server: server.URL, PullSecret: "pull",
		CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string][]byte{}
	for _, o := range objects {
		byName[o.Name] = o.Data
	}
	return byName
}

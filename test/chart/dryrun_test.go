package chart

import (
	"os"
	"os/exec"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/syncgate/syncgate/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// TestServerAccepts gives what helm itself renders to a real API server, which
// checks every object and keeps none.
func TestServerAccepts(t *testing.T) {
	cp := harness.ForTest(t)
	helm, err := harness.Tool(t.Context(), "helm", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{namespace, "argocd", "mattermost", "mattermost-operator"} {
		if err := cp.Namespace(t.Context(), ns); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range scenarios {
		t.Run(tt.file, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), helm, "template", release, chartDir, "--namespace", namespace, "--values", "testdata/"+tt.file)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("helm template: %v", err)
			}
			objects, err := harness.Objects(out)
			if err != nil {
				t.Fatal(err)
			}
			if len(objects) != len(tt.want) {
				t.Errorf("expected %d objects, found %d", len(tt.want), len(objects))
			}
			for _, o := range objects {
				opts := harness.ApplyOptions{Namespace: namespace, DryRun: true}
				if err := cp.Apply(t.Context(), []*unstructured.Unstructured{o}, opts); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestPodIsAdmittedWhereRestricted asks Kubernetes' own pod security admission,
// in a namespace that enforces "restricted".
func TestPodIsAdmittedWhereRestricted(t *testing.T) {
	cp := harness.ForTest(t)
	const ns = "restricted"
	if err := cp.Namespace(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	patch := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
	if _, err := cp.Kube.CoreV1().Namespaces().Patch(t.Context(), ns, "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	create := func(spec corev1.PodSpec) error {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "server"}, Spec: spec}
		_, err := cp.Kube.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	for _, file := range []string{"minimal.yaml", "full.yaml"} {
		t.Run(file, func(t *testing.T) {
			set := find[*appsv1.StatefulSet](t, render(t, file), nil)
			spec := set.Spec.Template.Spec
			for _, claim := range set.Spec.VolumeClaimTemplates { // as the controller does
				spec.Volumes = append(spec.Volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-server"},
				}})
			}
			if err := cp.ServiceAccount(t.Context(), ns, spec.ServiceAccountName); err != nil {
				t.Fatal(err)
			}
			if err := create(spec); err != nil {
				t.Error(err)
			}
			spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = new(true)
			if err := create(spec); !apierrors.IsForbidden(err) {
				t.Errorf("a pod that may escalate: expected it to be forbidden, found %v", err)
			}
		})
	}
}

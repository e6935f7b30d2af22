// Package checks_test asks the checks, the stores of backups and the clusters
// on real servers: a kube-apiserver, whose objects' status the tests write as
// controllers and kubelets would, and MinIO.
package checks_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/checks"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var (
	// install is done once in the control plane that all tests share.
	install sync.Once
	// starts tells the namespaces of tests that are run more than once apart.
	starts atomic.Int32
)

// cluster is the shared control plane and a namespace of the test's own.
type cluster struct {
	*harness.ControlPlane
	ns string
	// reader may do what testdata/role.yaml says.
	reader *rest.Config
}

func start(t *testing.T) cluster {
	t.Helper()
	cp := harness.ForTest(t)
	install.Do(func() {
		noError(t, cp.Namespace(t.Context(), "checks-system"))
		noError(t, cp.ServiceAccount(t.Context(), "checks-system", "reader"))
		for _, file := range []string{"testdata/crds.yaml", "testdata/role.yaml"} {
			data, err := os.ReadFile(file)
			noError(t, err)
			noError(t, cp.ApplyYAML(t.Context(), data, harness.ApplyOptions{}))
		}
		awaitRight(t, cp, "checks-system", "reader", authorizationv1.ResourceAttributes{Verb: "list", Resource: "nodes"})
	})
	ns := fmt.Sprintf("%s-%d", strings.ToLower(t.Name()), starts.Add(1))
	noError(t, cp.Namespace(t.Context(), ns))
	token, err := cp.Token(t.Context(), "checks-system", "reader", "", 0)
	noError(t, err)
	return cluster{ControlPlane: cp, ns: ns, reader: as(cp.Config, token)}
}

// awaitRight waits until a ServiceAccount may do what a role lets it do: the
// API server hears of roles in its own time.
func awaitRight(t *testing.T, cp *harness.ControlPlane, namespace, account string, right authorizationv1.ResourceAttributes) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	user := "system:serviceaccount:" + namespace + ":" + account
	noError(t, harness.Eventually(ctx, func(ctx context.Context) error {
		review, err := cp.Kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &right},
		}, metav1.CreateOptions{})
		if err == nil && !review.Status.Allowed {
			err = fmt.Errorf("%s may not %s %s yet", user, right.Verb, right.Resource)
		}
		return err
	}))
}

// as is access to the same API server by another token.
func as(config *rest.Config, token string) *rest.Config {
	c := rest.AnonymousClientConfig(config)
	c.BearerToken = token
	c.QPS = -1
	return c
}

// target speaks to the cluster with no more rights than the server has.
func (c cluster) target(t *testing.T) check.Target { return c.targetAs(t, c.reader) }

func (c cluster) targetAs(t *testing.T, config *rest.Config) check.Target {
	t.Helper()
	kube, err := kubernetes.NewForConfig(config)
	noError(t, err)
	dyn, err := dynamic.NewForConfig(config)
	noError(t, err)
	return check.Target{
		Change: hooks.Change{
			Repository: "https://git.example.com/ops", Gate: "mattermost", Cluster: "eu",
			Revision: strings.Repeat("a", 40), Phase: hooks.PreSync, Attempt: "1",
		},
		Namespace: c.ns, Kube: kube, Dynamic: dyn,
		Values: map[string]any{"mattermostCR": map[string]any{"spec": map[string]any{"image": "mattermost/mattermost-enterprise-edition", "version": "11.6.1"}}},
	}
}

func made(t *testing.T, spec gate.Check) check.Check { return madeAt(t, spec, time.Now) }

func madeAt(t *testing.T, spec gate.Check, now func() time.Time) check.Check {
	t.Helper()
	spec.Name = "check"
	c, err := checks.New(checks.Options{Now: now})(spec)
	noError(t, err)
	return c
}

// later is a clock that is ahead.
func later(d time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(d) }
}

// ask holds an answer against a status and what its reason must hold.
func ask(t *testing.T, c check.Check, in check.Target, status hooks.Status, reason ...string) check.Answer {
	t.Helper()
	a, err := c.Evaluate(t.Context(), in)
	if err != nil {
		a.Status, a.Reason = hooks.Unknown, err.Error()
	}
	if a.Status != status {
		t.Fatalf("expected %s, found %s: %s\n%v", status, a.Status, a.Reason, a.Evidence)
	}
	for _, part := range reason {
		if !strings.Contains(a.Reason, part) {
			t.Errorf("expected %q in the reason, found %q", part, a.Reason)
		}
	}
	return a
}

// apply applies objects to the test's namespace.
func (c cluster) apply(t *testing.T, text string) {
	t.Helper()
	noError(t, c.ApplyYAML(t.Context(), []byte(text), harness.ApplyOptions{Namespace: c.ns}))
}

// status writes an object's status.
func (c cluster) status(t *testing.T, gvr schema.GroupVersionResource, namespace, name string, status map[string]any) *unstructured.Unstructured {
	t.Helper()
	client := dynamic.ResourceInterface(c.Dynamic.Resource(gvr))
	if namespace != "" {
		client = c.Dynamic.Resource(gvr).Namespace(namespace)
	}
	o, err := client.Get(t.Context(), name, metav1.GetOptions{})
	noError(t, err)
	o.Object["status"] = status
	o, err = client.UpdateStatus(t.Context(), o, metav1.UpdateOptions{})
	noError(t, err)
	return o
}

// pod makes a pod and writes its status as its kubelet would.
func (c cluster) pod(t *testing.T, name string, change ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	since := metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "mattermost"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "mattermost", Image: image}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, StartTime: &since,
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: since},
				{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: since},
				{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: since},
			},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "mattermost", Ready: true, Image: "docker.io/" + image, ImageID: "docker.io/" + repository + "@" + digest,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: since}},
			}},
		},
	}
	for _, f := range change {
		f(p)
	}
	created, err := c.Kube.CoreV1().Pods(c.ns).Create(t.Context(), p, metav1.CreateOptions{})
	noError(t, err)
	created.Status = p.Status
	created, err = c.Kube.CoreV1().Pods(c.ns).UpdateStatus(t.Context(), created, metav1.UpdateOptions{})
	noError(t, err)
	// No kubelet will end it, so deleting must not wait for one.
	t.Cleanup(func() {
		now := int64(0)
		_ = c.Kube.CoreV1().Pods(c.ns).Delete(context.Background(), name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	})
	return created
}

const (
	repository = "mattermost/mattermost-enterprise-edition"
	image      = repository + ":11.6.1"
	digest     = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

func waiting(reason, message string, lastEnded time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions[2].Status = corev1.ConditionFalse
		s := &p.Status.ContainerStatuses[0]
		s.Ready, s.RestartCount = false, 5
		s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
		if lastEnded > 0 {
			s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
				ExitCode: 1, Reason: "Error", Message: "password=hunter2", FinishedAt: metav1.NewTime(time.Now().Add(-lastEnded)),
			}
		}
	}
}

// load makes the checks of a Gate that is written as people write it.
func load(t *testing.T, list string) []gate.Check {
	t.Helper()
	text := fmt.Sprintf(`apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: mattermost}
spec:
  packs: [mattermost]
  clusters: [{name: eu}]
  preSync:
    checks:
%s`, list)
	g, err := gate.Load(gateFS(text), "syncgate.yaml")
	noError(t, err)
	return g.Spec.PreSync.Checks
}

package explain_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/explain"
)

const ns = "chat"

func change() hooks.Change {
	return hooks.Change{Repository: "https://git.example/fleet", Gate: "chat", Cluster: "eu",
		Revision: strings.Repeat("a", 40), Phase: hooks.PreSync, Attempt: "pod-uid"}
}

func waiter() explain.Waiter {
	return explain.Waiter{Change: change(), Namespace: ns, Pod: "hook-x", UID: "pod-uid"}
}

// job is a hook Job as the plugin makes it.
func job() *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ns, Name: "hook", UID: "job-uid", ResourceVersion: "1",
			Labels:      map[string]string{"app.kubernetes.io/managed-by": "syncgate", "syncgate.dev/gate": "chat", "syncgate.dev/phase": "presync"},
			Annotations: map[string]string{"syncgate.dev/cluster": "eu", "syncgate.dev/revision": change().Revision},
		},
		Spec:   batchv1.JobSpec{BackoffLimit: new(int32)},
		Status: batchv1.JobStatus{Active: 1, Conditions: []batchv1.JobCondition{{Type: batchv1.JobSuspended, Status: corev1.ConditionFalse, Reason: "JobResumed"}}},
	}
}

// pod is the Job's, running.
func pod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ns, Name: "hook-x", UID: "pod-uid", Labels: map[string]string{"batch.kubernetes.io/controller-uid": "job-uid"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "hook", UID: "job-uid", Controller: new(true)}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
}

// cluster is a fake one with an Explainer at work.
type cluster struct {
	kube *fake.Clientset
	e    *explain.Explainer
	stop func()

	mu   sync.Mutex
	logs bytes.Buffer
}

func (c *cluster) Clients(string) (kubernetes.Interface, dynamic.Interface, error) {
	return c.kube, nil, nil
}

func (c *cluster) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logs.Write(p)
}

func (c *cluster) log() string { c.mu.Lock(); defer c.mu.Unlock(); return c.logs.String() }

func start(t *testing.T, opts explain.Options, objects ...runtime.Object) *cluster {
	c := &cluster{kube: fake.NewClientset(objects...)}
	opts.Clusters, opts.Log = c, slog.New(slog.NewTextHandler(c, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.e = explain.New(opts)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.e.Run(ctx) }()
	c.stop = func() {
		cancel()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Error("Run does not end with its context")
		}
	}
	t.Cleanup(c.stop)
	return c
}

func says(message string) explain.Why {
	return func(context.Context) (explain.Words, error) {
		return explain.Words{Reason: "SyncgateFailed", Message: message}, nil
	}
}

// ends has the pod come to an end once it is watched.
func (c *cluster) ends(t *testing.T, phase corev1.PodPhase) {
	t.Helper()
	c.await(t, "watch pods")
	p, err := c.kube.CoreV1().Pods(ns).Get(t.Context(), "hook-x", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.Status.Phase = phase
	if _, err := c.kube.CoreV1().Pods(ns).UpdateStatus(t.Context(), p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) asked(what string) (n int) {
	for _, a := range c.kube.Actions() {
		if a.GetVerb()+" "+a.GetResource().Resource == what {
			n++
		}
	}
	return n
}

func (c *cluster) await(t *testing.T, what string) {
	t.Helper()
	eventually(t, func() bool { return c.asked(what) > 0 }, "the cluster was never asked to "+what)
}

func (c *cluster) awaitLog(t *testing.T, text string) {
	t.Helper()
	eventually(t, func() bool { return strings.Contains(c.log(), text) }, "the log never says "+text)
}

func eventually(t *testing.T, ok func() bool, what string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// told is what the Job's condition FailureTarget says, "" without one.
func (c *cluster) told(t *testing.T) string {
	t.Helper()
	j, err := c.kube.BatchV1().Jobs(ns).Get(t.Context(), "hook", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, cond := range j.Status.Conditions {
		if cond.Type == batchv1.JobFailureTarget {
			return string(cond.Status) + " " + cond.Reason + ": " + cond.Message
		}
	}
	return ""
}

// The Job is told after its pod has failed and not before: while the pod runs,
// the condition would cost its log.
func TestToldAfterThePod(t *testing.T) {
	t.Parallel()
	c := start(t, explain.Options{}, pod(), job())
	c.e.Explain(waiter(), says("first"))
	c.await(t, "watch pods")
	c.e.Explain(waiter(), says("no backup\n\x1b[2Jis fresh; run 7")) // the newest counts
	time.Sleep(300 * time.Millisecond)
	if n := c.asked("patch jobs"); n != 0 {
		t.Fatal("the Job was told while its pod ran")
	}
	c.ends(t, corev1.PodFailed)
	c.awaitLog(t, "hook Job told why it fails")
	if diff := cmp.Diff("True SyncgateFailed: no backup ?[2Jis fresh; run 7", c.told(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	j, err := c.kube.BatchV1().Jobs(ns).Get(t.Context(), "hook", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(j.Status.Conditions) != 2 || j.Status.Active != 1 {
		t.Errorf("the rest of the status: expected it as it was, found %+v", j.Status)
	}
}

func TestMessageIsBounded(t *testing.T) {
	t.Parallel()
	p := pod()
	p.Status.Phase = corev1.PodFailed
	c := start(t, explain.Options{}, p, job())
	c.e.Explain(waiter(), says(strings.Repeat("ä", 2000)))
	c.awaitLog(t, "hook Job told why it fails")
	got := strings.TrimPrefix(c.told(t), "True SyncgateFailed: ")
	if len(got) > 1024 || len(got) < 1000 || !strings.HasSuffix(got, "…") || !utf8.ValidString(got) {
		t.Errorf("got %d bytes: %q", len(got), got)
	}
}

// A Job that must not be told, or need not, stays as it is.
func TestLeftAlone(t *testing.T) {
	t.Parallel()
	with := func(kind batchv1.JobConditionType) func(*batchv1.Job) {
		return func(j *batchv1.Job) {
			j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Message: "before"})
		}
	}
	for _, tt := range []struct {
		name string
		job  func(*batchv1.Job)
		pod  func(*corev1.Pod)
		why  explain.Why
		log  string
	}{
		{name: "the pod succeeded", pod: func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }, log: "its pod did not"},
		{name: "another pod of that name", pod: func(p *corev1.Pod) { p.UID = "other" }, log: "its pod did not"},
		{name: "the pod is being deleted", pod: func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.Now()); p.Finalizers = []string{"x/y"} }, log: "its pod did not"},
		{name: "a pod of no Job", pod: func(p *corev1.Pod) { p.OwnerReferences = nil }, log: "belongs to none"},
		{name: "a Job made anew", job: func(j *batchv1.Job) { j.UID = "other" }, log: "UID: expected"},
		{name: "no Job of ours", job: func(j *batchv1.Job) { j.Labels = nil }, log: "label app.kubernetes.io/managed-by: expected"},
		{name: "another gate", job: func(j *batchv1.Job) { j.Labels["syncgate.dev/gate"] = "shop" }, log: "label syncgate.dev/gate: expected"},
		{name: "another phase", job: func(j *batchv1.Job) { j.Labels["syncgate.dev/phase"] = "postsync" }, log: "label syncgate.dev/phase: expected"},
		{name: "another cluster", job: func(j *batchv1.Job) { j.Annotations["syncgate.dev/cluster"] = "us" }, log: "annotation syncgate.dev/cluster: expected"},
		{name: "another revision", job: func(j *batchv1.Job) { j.Annotations["syncgate.dev/revision"] = "b" }, log: "annotation syncgate.dev/revision: expected"},
		{name: "a pod that only says it is the Job's", pod: func(p *corev1.Pod) { p.Labels = nil }, log: "controller-uid: expected"},
		{name: "a Job that tries again", job: func(j *batchv1.Job) { j.Spec.BackoffLimit = new(int32(1)) }, log: "backoffLimit 0"},
		{name: "a Job of several pods", job: func(j *batchv1.Job) { j.Spec.Parallelism = new(int32(2)) }, log: "expected one pod"},
		{name: "failed before", job: with(batchv1.JobFailed), log: "it had failed before"},
		{name: "failing before", job: with(batchv1.JobFailureTarget), log: "it had failed before"},
		{name: "complete before", job: with(batchv1.JobComplete), log: "it had failed before"},
		{name: "nothing to say", why: func(context.Context) (explain.Words, error) { return explain.Words{}, nil }, log: "its pod did not"},
		{name: "no reason found", why: func(context.Context) (explain.Words, error) { return explain.Words{}, errors.New("disk") }, log: "find the reason: disk"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, j := pod(), job()
			p.Status.Phase = corev1.PodFailed
			if tt.pod != nil {
				tt.pod(p)
			}
			if tt.job != nil {
				tt.job(j)
			}
			if tt.why == nil {
				tt.why = says("no")
			}
			c := start(t, explain.Options{}, p, j)
			c.e.Explain(waiter(), tt.why)
			c.awaitLog(t, tt.log)
			if n := c.asked("patch jobs"); n != 0 {
				t.Errorf("the Job was changed:\n%s", c.log())
			}
		})
	}
}

// reacts has the cluster answer the first n times with an error.
func (c *cluster) reacts(verb, resource string, n int, err error) {
	c.kube.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		n--
		return n >= 0, nil, err
	})
}

func failed() *corev1.Pod {
	p := pod()
	p.Status.Phase = corev1.PodFailed
	return p
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	conflict := apierrors.NewConflict(schema.GroupResource{Group: "batch", Resource: "jobs"}, "hook", errors.New("changed"))
	for _, tt := range []struct {
		name      string
		conflicts int
		log       string
	}{
		{"twice", 2, "hook Job told why it fails"},
		{"always", 1000, "patch status of Job chat/hook"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := start(t, explain.Options{}, failed(), job())
			c.reacts("patch", "jobs", tt.conflicts, conflict)
			c.e.Explain(waiter(), says("no"))
			c.awaitLog(t, tt.log)
			if n := c.asked("patch jobs"); n != min(tt.conflicts, 4)+1 {
				t.Errorf("patched %d times", n)
			}
		})
	}
}

// Without the right nothing is asked again for a while, and one line says how
// to give it.
func TestForbidden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ verb, resource string }{{"list", "pods"}, {"watch", "pods"}, {"get", "jobs"}, {"patch", "jobs"}} {
		t.Run(tt.verb+" "+tt.resource, func(t *testing.T) {
			t.Parallel()
			p := failed()
			if tt.verb == "watch" {
				p = pod()
			}
			c := start(t, explain.Options{Forbidden: 300 * time.Millisecond}, p, job())
			no := apierrors.NewForbidden(schema.GroupResource{Resource: tt.resource}, "x", errors.New("rbac"))
			if tt.verb == "watch" {
				c.kube.PrependWatchReactor("pods", clienttesting.DefaultWatchReactor(nil, no))
			} else {
				c.reacts(tt.verb, tt.resource, 1000, no)
			}
			again := func() { c.e.Explain(waiter(), says("no")) }
			again()
			c.awaitLog(t, "rbac.explain.enabled=true")
			asked := len(c.kube.Actions())
			again()
			time.Sleep(50 * time.Millisecond)
			if n := len(c.kube.Actions()); n != asked {
				t.Errorf("asked again at once: %d requests, before %d", n, asked)
			}
			eventually(t, func() bool { again(); return len(c.kube.Actions()) > asked }, "never asked again")
			if n := strings.Count(c.log(), "rbac.explain.enabled=true"); n != 1 {
				t.Errorf("said %d times:\n%s", n, c.log())
			}
		})
	}
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	c := start(t, explain.Options{}, pod(), job())
	watches := 0
	c.kube.PrependWatchReactor("pods", func(clienttesting.Action) (bool, watch.Interface, error) {
		watches++
		if watches > 3 {
			return false, nil, nil
		}
		w := watch.NewFake()
		w.Stop()
		return true, w, nil
	})
	c.e.Explain(waiter(), says("no"))
	eventually(t, func() bool { return c.asked("watch pods") > 3 }, "the pod is not watched again")
	c.ends(t, corev1.PodFailed)
	c.awaitLog(t, "hook Job told why it fails")
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	c := start(t, explain.Options{AtOnce: 1}, pod(), job())
	c.e.Explain(waiter(), says("no"))
	other := waiter()
	other.Pod, other.UID = "other", "other"
	c.e.Explain(other, says("no"))
	c.awaitLog(t, "too many at once")
	c.ends(t, corev1.PodFailed)
	c.awaitLog(t, "hook Job told why it fails")
	eventually(t, func() bool { c.e.Explain(other, says("no")); return strings.Contains(c.log(), "its pod did not") }, "the place is never free again")
}

func TestEndOfPatience(t *testing.T) {
	t.Parallel()
	c := start(t, explain.Options{Patience: 50 * time.Millisecond}, pod(), job())
	c.e.Explain(waiter(), says("no"))
	c.awaitLog(t, "its pod did not")
	c.stop()
	c.e.Explain(waiter(), says("no")) // after the end: nothing, and nobody is held
}

package checks_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/policies/gate"
)

// pod is one that has run without trouble for an hour.
func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "mm", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": "mm"}, CreationTimestamp: at(time.Hour)},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "app", Image: "mattermost/mattermost-enterprise-edition:11.6.1"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning,
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: at(time.Hour)},
				{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: at(time.Hour)},
				{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: at(time.Hour)},
			},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "app", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(time.Hour)}},
			}},
		},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func condition(p *corev1.Pod, kind corev1.PodConditionType, status corev1.ConditionStatus, since time.Duration) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if c := &p.Status.Conditions[i]; c.Type == kind {
			c.Status, c.LastTransitionTime = status, at(since)
			return c
		}
	}
	panic(kind)
}

func unready(p *corev1.Pod) {
	condition(p, corev1.PodReady, corev1.ConditionFalse, time.Minute)
	p.Status.ContainerStatuses[0].Ready = false
}

func phase(phase corev1.PodPhase) func(*corev1.Pod) {
	return func(p *corev1.Pod) { unready(p); p.Status.Phase = phase }
}

// young is a pod that was made so long ago.
func young(age time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.CreationTimestamp = at(age)
		for i := range p.Status.Conditions {
			p.Status.Conditions[i].LastTransitionTime = at(age)
		}
	}
}

func waiting(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		unready(p)
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
}

func ended(code int32, reason string, before time.Duration) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: "password=hunter2", FinishedAt: at(before)}
}

func lastEnded(code int32, before time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].LastTerminationState.Terminated = ended(code, "Error", before)
		p.Status.ContainerStatuses[0].RestartCount = 7
	}
}

func running(since time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(since)}}
	}
}

func deleted(due time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		d := at(due)
		p.DeletionTimestamp, p.Finalizers = &d, []string{"example.com/x"}
	}
}

func ownedBy(kind, name string) func(*corev1.Pod) {
	yes := true
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: kind, Name: name, Controller: &yes}}
	}
}

func initContainer(state corev1.ContainerState, sidecar bool) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		c := corev1.Container{Name: "init"}
		if sidecar {
			always := corev1.ContainerRestartPolicyAlways
			c.RestartPolicy = &always
		}
		p.Spec.InitContainers = []corev1.Container{c}
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "init", Ready: sidecar && state.Running != nil, State: state}}
	}
}

func job(name string, kind batchv1.JobConditionType, since time.Duration) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "mm", Name: name}}
	if kind != "" {
		j.Status.Conditions = []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: at(since)}}
	}
	return j
}

const minute = time.Minute

func TestPods(t *testing.T) {
	t.Parallel()
	crash := func(back, since time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			waiting("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container=app pod=x", back))(p)
			lastEnded(1, since)(p)
		}
	}
	hook := func(p *corev1.Pod) { p.Labels["app.kubernetes.io/name"] = "syncgate-hook" }
	for name, c := range map[string]struct {
		spec    gate.PodsCheck
		objects []runtime.Object
		want    want
	}{
		"all run":               {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("b")}, expect(hooks.Pass, "all 2")},
		"none":                  {gate.PodsCheck{}, nil, expect(hooks.Wait, "at least 1", "found 0")},
		"too few":               {gate.PodsCheck{Min: 3}, []runtime.Object{pod("a"), pod("b")}, expect(hooks.Wait, "at least 3", "found 2")},
		"none of the selector":  {gate.PodsCheck{Selector: "app=other"}, []runtime.Object{pod("a")}, expect(hooks.Wait, "app=other")},
		"another namespace":     {gate.PodsCheck{Namespace: "db"}, []runtime.Object{pod("a")}, expect(hooks.Wait, "namespace db")},
		"not ready":             {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("b", unready)}, expect(hooks.Wait, "pod b is not Ready", "app not ready")},
		"creating":              {gate.PodsCheck{}, []runtime.Object{pod("a", phase(corev1.PodPending), waiting("ContainerCreating", ""))}, expect(hooks.Wait, "Pending", "ContainerCreating")},
		"creating for long":     {gate.PodsCheck{}, []runtime.Object{pod("a", phase(corev1.PodPending), waiting("ContainerCreating", ""), young(time.Hour))}, expect(hooks.Wait, "ContainerCreating")},
		"no status yet":         {gate.PodsCheck{}, []runtime.Object{pod("a", func(p *corev1.Pod) { p.Status = corev1.PodStatus{} })}, expect(hooks.Wait, "Pending")},
		"in a phase unheard of": {gate.PodsCheck{}, []runtime.Object{pod("a", phase(corev1.PodUnknown))}, expect(hooks.Wait, "Unknown")},
		"unschedulable": {gate.PodsCheck{}, []runtime.Object{pod("a", phase(corev1.PodPending), func(p *corev1.Pod) {
			c := condition(p, corev1.PodScheduled, corev1.ConditionFalse, time.Hour)
			c.Reason, c.Message = "Unschedulable", "0/3 nodes are available: 3 Insufficient memory."
		})}, expect(hooks.Wait, "Unschedulable", "3 Insufficient memory")},
		"image pull, within grace": {gate.PodsCheck{}, []runtime.Object{pod("a", phase(corev1.PodPending), waiting("ImagePullBackOff", "not found"), young(minute))}, expect(hooks.Wait, "ImagePullBackOff", "for 1m0s (grace 2m)")},
		"image pull, beyond grace": {gate.PodsCheck{}, []runtime.Object{pod("a", phase(corev1.PodPending), waiting("ImagePullBackOff", "not found"), young(3*minute))}, expect(hooks.Fail, "ImagePullBackOff", "for 3m (grace 2m)")},
		"own grace":                {gate.PodsCheck{ErrorGrace: gate.Duration(10 * time.Second)}, []runtime.Object{pod("a", phase(corev1.PodPending), waiting("ErrImagePull", ""), young(11*time.Second))}, expect(hooks.Fail, "ErrImagePull")},
		"an error unheard of":      {gate.PodsCheck{}, []runtime.Object{pod("a", phase(corev1.PodPending), waiting("SomethingNew", ""), young(3*minute))}, expect(hooks.Fail, "SomethingNew")},
		"config error":             {gate.PodsCheck{}, []runtime.Object{pod("a", phase(corev1.PodPending), waiting("CreateContainerConfigError", `secret "x" not found`), young(3*minute))}, expect(hooks.Fail, `secret "x" not found`, "kubectl describe pod")},
		"image pull after long init": {gate.PodsCheck{}, []runtime.Object{pod("a", phase(corev1.PodPending), waiting("ErrImagePull", ""), func(p *corev1.Pod) {
			condition(p, corev1.PodInitialized, corev1.ConditionTrue, minute)
		})}, expect(hooks.Wait, "for 1m0s")},
		"first crash":             {gate.PodsCheck{}, []runtime.Object{pod("a", crash(10*time.Second, 5*time.Second))}, expect(hooks.Wait, "for 5s", "exit code 1")},
		"fourth crash":            {gate.PodsCheck{}, []runtime.Object{pod("a", crash(80*time.Second, 30*time.Second))}, expect(hooks.Wait, "for 1m40s")},
		"fifth crash":             {gate.PodsCheck{}, []runtime.Object{pod("a", crash(160*time.Second, time.Second))}, expect(hooks.Fail, "for 2m", "kubectl logs -n mm a -c app --previous")},
		"crash without a message": {gate.PodsCheck{}, []runtime.Object{pod("a", waiting("CrashLoopBackOff", ""), lastEnded(137, 3*minute))}, expect(hooks.Fail, "exit code 137")},
		"crash of unknown start":  {gate.PodsCheck{}, []runtime.Object{pod("a", waiting("CrashLoopBackOff", ""), young(3*minute))}, expect(hooks.Fail, "CrashLoopBackOff")},
		"ended just now": {gate.PodsCheck{}, []runtime.Object{pod("a", unready, func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: ended(1, "OOMKilled", time.Second)}
		})}, expect(hooks.Wait, "OOMKilled")},
		"between two crashes":         {gate.PodsCheck{}, []runtime.Object{pod("a", running(30*time.Second), lastEnded(1, minute))}, expect(hooks.Wait, "runs for 30s", "exit code 1")},
		"recovered":                   {gate.PodsCheck{}, []runtime.Object{pod("a", running(3*minute), lastEnded(1, 4*minute))}, expect(hooks.Pass)},
		"two of three wrong":          {gate.PodsCheck{}, []runtime.Object{pod("a", crash(5*minute, minute)), pod("b"), pod("c", crash(5*minute, minute))}, expect(hooks.Fail, "pod a", "also c")},
		"wrong counts before waiting": {gate.PodsCheck{}, []runtime.Object{pod("a", unready), pod("b", crash(5*minute, minute))}, expect(hooks.Fail, "pod b")},
		"init runs":                   {gate.PodsCheck{}, []runtime.Object{pod("a", phase(corev1.PodPending), waiting("PodInitializing", ""), initContainer(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, false))}, expect(hooks.Wait, "init container init runs")},
		"init crashes": {gate.PodsCheck{}, []runtime.Object{pod("a", phase(corev1.PodPending), waiting("PodInitializing", ""),
			initContainer(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}, false))}, expect(hooks.Fail, "container init in error")},
		"init ended":                 {gate.PodsCheck{}, []runtime.Object{pod("a", initContainer(corev1.ContainerState{Terminated: ended(0, "Completed", time.Hour)}, false))}, expect(hooks.Pass)},
		"sidecar runs":               {gate.PodsCheck{}, []runtime.Object{pod("a", initContainer(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(time.Hour)}}, true))}, expect(hooks.Pass)},
		"a Job that succeeded":       {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("j", phase(corev1.PodSucceeded), ownedBy("Job", "j"))}, expect(hooks.Pass, "all 1")},
		"a Job alone is no server":   {gate.PodsCheck{}, []runtime.Object{pod("j", phase(corev1.PodSucceeded), ownedBy("Job", "j"))}, expect(hooks.Wait, "found 0")},
		"a Job at work is no server": {gate.PodsCheck{}, []runtime.Object{pod("j", ownedBy("Job", "j"))}, expect(hooks.Wait, "found 0")},
		"a Job that failed":          {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("j", phase(corev1.PodFailed), ownedBy("Job", "j")), job("j", batchv1.JobFailed, time.Hour)}, expect(hooks.Fail, "pod j is Failed", "kubectl delete job -n mm j")},
		"a Job that tries again":     {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("j", phase(corev1.PodFailed), ownedBy("Job", "j")), job("j", "", 0)}, expect(hooks.Wait, "tries again")},
		"a Job whose second pod won": {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("j", phase(corev1.PodFailed), ownedBy("Job", "j")), job("j", batchv1.JobComplete, time.Hour)}, expect(hooks.Pass)},
		"a Job that is gone":         {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("j", phase(corev1.PodFailed), ownedBy("Job", "j"))}, expect(hooks.Pass)},
		"evicted": {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("e", phase(corev1.PodFailed), func(p *corev1.Pod) { p.Status.Reason, p.Status.Message = "Evicted", "low on memory" })},
			expect(hooks.Fail, "Evicted low on memory", "kubectl delete pod -n mm e")},
		"our own hook that failed":  {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("h", phase(corev1.PodFailed), ownedBy("Job", "h"), hook), job("h", batchv1.JobFailed, time.Hour)}, expect(hooks.Pass, "all 1")},
		"a hook by its label alone": {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("h", phase(corev1.PodFailed), hook)}, expect(hooks.Fail, "pod h")},
		"on its way out":            {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("d", unready, deleted(minute))}, expect(hooks.Pass, "all 1")},
		"stuck on its way out":      {gate.PodsCheck{}, []runtime.Object{pod("a"), pod("d", deleted(time.Hour))}, expect(hooks.Wait, "should have been gone 1h0m ago", "node-1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := asked(t, made(t, gate.Check{Pods: &c.spec}), target(c.objects...), c.want)
			if text := fmt.Sprint(a); strings.Contains(text, "hunter2") {
				t.Errorf("the answer holds a termination message: %s", text)
			}
		})
	}
}

// The status alone says for how long: a new process gives the same answer.
func TestPodsRememberNothing(t *testing.T) {
	t.Parallel()
	in := target(pod("a", phase(corev1.PodPending), waiting("ImagePullBackOff", ""), young(3*minute)))
	for range 2 {
		asked(t, made(t, gate.Check{Pods: &gate.PodsCheck{}}), in, expect(hooks.Fail))
	}
}

func TestPodsEvidence(t *testing.T) {
	t.Parallel()
	event := func(name, kind, message string, before time.Duration) *corev1.Event {
		return &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "mm", Name: name}, Type: kind, Reason: "BackOff", Message: message,
			Count: 4, LastTimestamp: at(before), InvolvedObject: corev1.ObjectReference{UID: "uid-a"},
		}
	}
	in := target(pod("a", waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container=app"), lastEnded(2, minute)),
		event("old", "Warning", "oldest", 4*minute), event("1", "Warning", "third", 3*minute), event("2", "Warning", "second\nline", 2*minute),
		event("3", "Warning", strings.Repeat("long ", 1000), minute), event("n", "Normal", "pulled", 0))
	a := asked(t, made(t, gate.Check{Pods: &gate.PodsCheck{}}), in, expect(hooks.Fail))
	if len(a.Evidence) != 1 || a.Evidence[0].Object != "pod mm/a" {
		t.Fatalf("expected evidence of pod mm/a, found %+v", a.Evidence)
	}
	fact := a.Evidence[0].Fact
	for _, part := range []string{"container app: exit code 2 at 2026-06-01T11:59:00Z, 7 restarts", "event BackOff (4 times): third", "second line", "long long"} {
		if !strings.Contains(fact, part) {
			t.Errorf("expected %q in %q", part, fact)
		}
	}
	for _, part := range []string{"oldest", "pulled"} {
		if strings.Contains(fact, part) {
			t.Errorf("expected no %q in %q", part, fact)
		}
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	t.Parallel()
	var objects []runtime.Object
	for i := range 100 {
		objects = append(objects, pod(fmt.Sprintf("p%02d", i), waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container "+strings.Repeat("x", 5000)), lastEnded(1, minute)))
	}
	a := asked(t, made(t, gate.Check{Pods: &gate.PodsCheck{}}), target(objects...), expect(hooks.Fail, "94 more"))
	size := len(a.Reason)
	for _, e := range a.Evidence {
		size += len(e.Object) + len(e.Fact)
	}
	if len(a.Evidence) > 12 || size > 20<<10 {
		t.Fatalf("found %d pieces of evidence, %d bytes", len(a.Evidence), size)
	}
}

package checks

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/policies/gate"
)

// defaultErrorGrace is how long a container may be in error.
const defaultErrorGrace = 2 * time.Minute

// pods asks whether the pods of a namespace run without errors.
type pods struct {
	spec  gate.PodsCheck
	grace time.Duration
	min   int
	now   func() time.Time
}

func newPods(now func() time.Time) func(gate.PodsCheck) (check.Check, error) {
	return func(spec gate.PodsCheck) (check.Check, error) {
		if spec.Min < 0 {
			return nil, fmt.Errorf("min: expected 0 or more, found %d", spec.Min)
		}
		if err := validSelector(spec.Selector); err != nil {
			return nil, err
		}
		if err := texts("namespace", spec.Namespace); err != nil {
			return nil, err
		}
		return pods{spec: spec, grace: spec.ErrorGrace.Or(defaultErrorGrace), min: max(spec.Min, 1), now: now}, nil
	}
}

// Evaluate implements check.Check.
func (p pods) Evaluate(ctx context.Context, t check.Target) (check.Answer, error) {
	ns, err := inNamespace(ctx, t, p.spec.Namespace)
	if err != nil {
		return check.Answer{}, err
	}
	selector, err := fill(ctx, t, "selector", p.spec.Selector)
	if err != nil {
		return check.Answer{}, err
	}
	all, err := listPods(ctx, t, ns, selector)
	if err != nil {
		return check.Answer{}, err
	}
	view := podView{now: p.now(), grace: p.grace, jobs: map[string]*batchv1.Job{}}
	var wrong, waiting []podTrouble
	healthy := 0
	for i := range all {
		state, trouble, err := view.look(ctx, t, &all[i])
		switch {
		case err != nil:
			return check.Answer{}, err
		case trouble != nil && trouble.lasting:
			wrong = append(wrong, *trouble)
		case trouble != nil:
			waiting = append(waiting, *trouble)
		case state == serving:
			healthy++
		}
	}
	where := fmt.Sprintf("pods in namespace %s of cluster %s", ns, t.Change.Cluster)
	if selector != "" {
		where += " with " + selector
	}
	evidence := evidenceOf(ctx, t, append(wrong, waiting...))
	switch {
	case len(wrong) > 0:
		return answer(hooks.Fail, evidence, "%s: expected none in error, found %s; %s%s", where, wrong[0], wrong[0].fix, andMore(wrong)), nil
	case len(waiting) > 0:
		return answer(hooks.Wait, evidence, "%s: expected all Ready and without errors, found %s; %s%s", where, waiting[0], waiting[0].fix, andMore(waiting)), nil
	case len(all) == 0:
		return answer(hooks.Wait, nil, "%s: expected at least %d running, found 0: correct the selector or the replicas; "+
			"for a first installation, see syncgate override --help", where, p.min), nil
	case healthy < p.min:
		return answer(hooks.Wait, nil, "%s: expected at least %d running, found %d: correct the selector or the replicas", where, p.min, healthy), nil
	}
	return answer(hooks.Pass, nil, "%s: all %d run and are Ready, none is in error", where, healthy), nil
}

func andMore(troubles []podTrouble) string {
	if len(troubles) < 2 {
		return ""
	}
	others := make([]string, 0, len(troubles)-1)
	for _, o := range troubles[1:] {
		others = append(others, o.pod.Name)
	}
	return "; also " + list(others)
}

// podTrouble is why a pod is not as it should be.
type podTrouble struct {
	pod *corev1.Pod
	// lasting is true when it is an error for longer than the grace.
	lasting bool
	what    string
	fix     string
}

func (t podTrouble) String() string { return "pod " + t.pod.Name + " " + t.what }

// podState is what a pod without trouble is doing.
type podState int

const (
	gone    podState = iota // finished as it should, or on its way there
	serving                 // Running and Ready
)

// podView looks at pods at one time.
type podView struct {
	now   time.Time
	grace time.Duration
	// jobs are those asked for already; nil for one that is gone.
	jobs map[string]*batchv1.Job
}

func (v podView) look(ctx context.Context, t check.Target, p *corev1.Pod) (podState, *podTrouble, error) {
	switch {
	case p.DeletionTimestamp != nil:
		return gone, v.terminating(p), nil
	case p.Status.Phase == corev1.PodSucceeded:
		return gone, nil, nil
	case p.Status.Phase == corev1.PodFailed:
		trouble, err := v.failed(ctx, t, p)
		return gone, trouble, err
	}
	if jobOf(p) != "" {
		return gone, v.running(p), nil // it does its work and goes
	}
	return serving, v.running(p), nil
}

// terminating is trouble only when it takes much longer than it was given.
// (A pod's deletionTimestamp is when it should be gone, its grace included.)
func (v podView) terminating(p *corev1.Pod) *podTrouble {
	late := v.now.Sub(p.DeletionTimestamp.Time)
	if late <= v.grace {
		return nil
	}
	return &podTrouble{
		pod: p, what: fmt.Sprintf("should have been gone %s ago", ago(late)),
		fix: fmt.Sprintf("look at its finalizers and at node %s", p.Spec.NodeName),
	}
}

// failed looks at a pod in phase Failed. One of a Job whose later pod succeeded
// is none.
func (v podView) failed(ctx context.Context, t check.Target, p *corev1.Pod) (*podTrouble, error) {
	trouble := &podTrouble{pod: p, what: "is Failed" + because(p)}
	since := finishedAt(p)
	trouble.fix = fmt.Sprintf("read its logs, then kubectl delete pod -n %s %s", p.Namespace, p.Name)
	if name := jobOf(p); name != "" {
		job, err := v.job(ctx, t, p.Namespace, name)
		if err != nil {
			return nil, err
		}
		trouble.what += " (Job " + name + ")"
		switch failed := jobCondition(job, batchv1.JobFailed); {
		case job == nil, jobCondition(job, batchv1.JobComplete) != nil:
			return nil, nil
		case failed == nil:
			trouble.what += " and its Job tries again"
			trouble.fix = "wait for the Job, or read the pod's logs"
			return trouble, nil
		default:
			since = failed.LastTransitionTime.Time
			trouble.fix = fmt.Sprintf("read the pod's logs, then kubectl delete job -n %s %s", p.Namespace, name)
		}
	}
	trouble.lasting = v.now.Sub(since) > v.grace
	return trouble, nil
}

// job is the Job of a name, nil if it is gone: then its pods go as well.
func (v podView) job(ctx context.Context, t check.Target, namespace, name string) (*batchv1.Job, error) {
	if job, ok := v.jobs[name]; ok {
		return job, nil
	}
	job, err := t.Kube.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		job = nil
	case err != nil:
		return nil, request{verb: "get", resource: "jobs.batch", namespace: namespace, name: name}.failed(t, err)
	}
	v.jobs[name] = job
	return job, nil
}

func jobCondition(j *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	if j == nil {
		return nil
	}
	for i := range j.Status.Conditions {
		if c := &j.Status.Conditions[i]; c.Type == kind && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}

// because is the reason a pod gives for its phase.
func because(p *corev1.Pod) string {
	if p.Status.Reason != "" {
		return fmt.Sprintf(": %s %s", p.Status.Reason, line(p.Status.Message, 200))
	}
	for _, c := range statuses(p) {
		if s := c.State.Terminated; s != nil && s.ExitCode != 0 {
			return fmt.Sprintf(": container %s ended with %s", c.Name, exit(s))
		}
	}
	return ""
}

// finishedAt is when the last container of p ended; when no container says so,
// when the pod was made.
func finishedAt(p *corev1.Pod) time.Time {
	at := p.CreationTimestamp.Time
	for _, c := range statuses(p) {
		if s := c.State.Terminated; s != nil && s.FinishedAt.After(at) {
			at = s.FinishedAt.Time
		}
	}
	return at
}

// evidenceOf is what is known of the pods in trouble.
func evidenceOf(ctx context.Context, t check.Target, troubles []podTrouble) []hooks.Evidence {
	var evidence []hooks.Evidence
	for i, trouble := range troubles {
		fact := trouble.what
		if history := terminations(trouble.pod); history != "" {
			fact += "\n" + history
		}
		// Events cost a request each.
		if i < maxNamed {
			if events := warnings(ctx, t, trouble.pod); events != "" {
				fact += "\n" + events
			}
		}
		evidence = append(evidence, hooks.Evidence{Object: "pod " + trouble.pod.Namespace + "/" + trouble.pod.Name, Fact: fact})
	}
	return evidence
}

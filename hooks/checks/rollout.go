package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/policies/gate"
)

// rollout asks whether the newest revision of a workload is rolled out whole,
// by what its controller says.
type rollout struct {
	spec gate.RolloutCheck
	kind string
}

func newRollout(spec gate.RolloutCheck) (check.Check, error) {
	if strings.TrimSpace(spec.Name) == "" {
		return nil, errors.New("name: expected the workload's name, found nothing")
	}
	if err := texts("namespace", spec.Namespace, "name", spec.Name); err != nil {
		return nil, err
	}
	kind := spec.Kind
	if kind == "" {
		kind = "Deployment"
	}
	switch kind {
	case "Deployment", "StatefulSet", "DaemonSet":
		return rollout{spec, kind}, nil
	}
	return nil, fmt.Errorf("kind: expected Deployment, StatefulSet or DaemonSet, found %.80q", spec.Kind)
}

// progress is how far a rollout is.
type progress struct {
	status hooks.Status
	// what was found, and what to do unless the status is Pass.
	what, fix string
	facts     []string
}

func wait(fix, format string, args ...any) progress {
	return progress{status: hooks.Wait, what: fmt.Sprintf(format, args...), fix: fix}
}

// Evaluate implements check.Check.
func (r rollout) Evaluate(ctx context.Context, t check.Target) (check.Answer, error) {
	ns, err := inNamespace(ctx, t, r.spec.Namespace)
	if err != nil {
		return check.Answer{}, err
	}
	name, err := fill(ctx, t, "name", r.spec.Name)
	if err != nil {
		return check.Answer{}, err
	}
	object := strings.ToLower(r.kind) + " " + ns + "/" + name
	p, err := r.look(ctx, t, ns, name)
	switch {
	case apierrors.IsNotFound(err):
		return answer(hooks.Wait, nil, "%s in cluster %s: expected a finished rollout, found no such object: correct the name or wait for its operator", object, t.Change.Cluster), nil
	case err != nil:
		return check.Answer{}, request{verb: "get", resource: strings.ToLower(r.kind) + "s.apps", namespace: ns, name: name}.failed(t, err)
	}
	evidence := []hooks.Evidence{{Object: object, Fact: strings.Join(append(p.facts, p.what), "\n")}}
	if p.status == hooks.Pass {
		return answer(p.status, evidence, "%s in cluster %s: %s", object, t.Change.Cluster, p.what), nil
	}
	return answer(p.status, evidence, "%s in cluster %s: expected a finished rollout, found %s; %s", object, t.Change.Cluster, p.what, p.fix), nil
}

func (r rollout) look(ctx context.Context, t check.Target, ns, name string) (progress, error) {
	apps := t.Kube.AppsV1()
	switch r.kind {
	case "StatefulSet":
		o, err := apps.StatefulSets(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return progress{}, err
		}
		return statefulSet(o), nil
	case "DaemonSet":
		o, err := apps.DaemonSets(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return progress{}, err
		}
		return daemonSet(o), nil
	default:
		o, err := apps.Deployments(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return progress{}, err
		}
		return deployment(o), nil
	}
}

// unobserved is what is the same for all kinds: whether the status speaks of
// this spec at all.
func unobserved(m *metav1.ObjectMeta, observed int64) (progress, bool) {
	switch {
	case m.DeletionTimestamp != nil:
		return wait("wait until it is gone and made anew", "it is being deleted"), true
	case observed < m.Generation:
		return wait("wait for its controller, or see whether that runs", "generation %d, of which the controller has seen %d", m.Generation, observed), true
	}
	return progress{}, false
}

const noReplicas = "scale it up, or ask by a resource check where none are wanted"

func deployment(d *appsv1.Deployment) progress {
	want, s := int32(1), d.Status
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	if p, ok := unobserved(&d.ObjectMeta, s.ObservedGeneration); ok {
		return p
	}
	facts := []string{fmt.Sprintf("replicas: %d wanted, %d there, %d updated, %d ready, %d available", want, s.Replicas, s.UpdatedReplicas, s.ReadyReplicas, s.AvailableReplicas)}
	var stuck *appsv1.DeploymentCondition
	for i, c := range s.Conditions {
		facts = append(facts, fmt.Sprintf("condition %s %s %s: %s", c.Type, c.Status, c.Reason, line(c.Message, 300)))
		if c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded" {
			stuck = &s.Conditions[i]
		}
	}
	p := deploymentProgress(d, want, stuck)
	p.facts = facts
	return p
}

func deploymentProgress(d *appsv1.Deployment, want int32, stuck *appsv1.DeploymentCondition) progress {
	s := d.Status
	switch {
	case stuck != nil:
		return progress{status: hooks.Fail, what: "ProgressDeadlineExceeded: " + line(stuck.Message, 300),
			fix: fmt.Sprintf("look at its newest pods (kubectl get pods -n %s) and revert or repair", d.Namespace)}
	case d.Spec.Paused:
		return wait(fmt.Sprintf("kubectl rollout resume -n %s deployment/%s", d.Namespace, d.Name), "it is paused, with %d of %d replicas updated", s.UpdatedReplicas, want)
	case want == 0:
		return wait(noReplicas, "no replicas are wanted")
	case s.UpdatedReplicas < want:
		return wait("wait for its pods", "%d of %d replicas updated", s.UpdatedReplicas, want)
	case s.Replicas > s.UpdatedReplicas:
		return wait("wait for the old pods to end", "%d old replicas still there", s.Replicas-s.UpdatedReplicas)
	case s.AvailableReplicas < want, s.ReadyReplicas < want:
		return wait("wait, or look at its pods", "%d of %d replicas ready and %d available", s.ReadyReplicas, want, s.AvailableReplicas)
	}
	return progress{status: hooks.Pass, what: fmt.Sprintf("generation %d is rolled out, all %d replicas are updated and available", d.Generation, want)}
}

func statefulSet(o *appsv1.StatefulSet) progress {
	want, s := int32(1), o.Status
	if o.Spec.Replicas != nil {
		want = *o.Spec.Replicas
	}
	if p, ok := unobserved(&o.ObjectMeta, s.ObservedGeneration); ok {
		return p
	}
	p := statefulSetProgress(o, want)
	p.facts = []string{
		fmt.Sprintf("replicas: %d wanted, %d there, %d updated, %d ready, %d available", want, s.Replicas, s.UpdatedReplicas, s.ReadyReplicas, s.AvailableReplicas),
		fmt.Sprintf("revisions: current %s, update %s", s.CurrentRevision, s.UpdateRevision),
	}
	return p
}

func statefulSetProgress(o *appsv1.StatefulSet, want int32) progress {
	s := o.Status
	onDelete := o.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType
	partition := int32(0)
	if u := o.Spec.UpdateStrategy.RollingUpdate; u != nil && u.Partition != nil {
		partition = *u.Partition
	}
	switch {
	case want == 0:
		return wait(noReplicas, "no replicas are wanted")
	case s.UpdateRevision == "":
		return wait("wait for its controller", "no update revision in its status")
	// With OnDelete the controller never moves the current revision on.
	case s.UpdatedReplicas < want && onDelete:
		return wait("delete its pods one by one: its update strategy is OnDelete", "%d of %d replicas updated", s.UpdatedReplicas, want)
	case partition > 0 && s.CurrentRevision != s.UpdateRevision:
		return wait("set the partition to 0 once the updated pods are good",
			"partition %d holds the pods below it back, %d of %d replicas updated", partition, s.UpdatedReplicas, want)
	case s.CurrentRevision != s.UpdateRevision && !onDelete:
		return wait("wait for its pods, or look at the one that is not ready", "%d of %d replicas updated, revision %s not current yet", s.UpdatedReplicas, want, s.UpdateRevision)
	case s.Replicas != want:
		return wait("wait for its pods", "%d replicas there, %d wanted", s.Replicas, want)
	case s.ReadyReplicas < want, s.AvailableReplicas < want:
		return wait("wait, or look at its pods", "%d of %d replicas ready and %d available", s.ReadyReplicas, want, s.AvailableReplicas)
	}
	return progress{status: hooks.Pass, what: fmt.Sprintf("revision %s is rolled out, all %d replicas are updated and available", s.UpdateRevision, want)}
}

func daemonSet(o *appsv1.DaemonSet) progress {
	s := o.Status
	if p, ok := unobserved(&o.ObjectMeta, s.ObservedGeneration); ok {
		return p
	}
	want := s.DesiredNumberScheduled
	facts := []string{fmt.Sprintf("nodes: %d wanted, %d scheduled, %d updated, %d ready, %d available, %d misscheduled",
		want, s.CurrentNumberScheduled, s.UpdatedNumberScheduled, s.NumberReady, s.NumberAvailable, s.NumberMisscheduled)}
	var p progress
	switch {
	case want == 0:
		p = wait("correct its node selector and tolerations", "no node wants its pod")
	case s.UpdatedNumberScheduled < want && o.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType:
		p = wait("delete its pods one by one: its update strategy is OnDelete", "%d of %d pods updated", s.UpdatedNumberScheduled, want)
	case s.UpdatedNumberScheduled < want:
		p = wait("wait for its pods", "%d of %d pods updated", s.UpdatedNumberScheduled, want)
	case s.NumberReady < want, s.NumberAvailable < want:
		p = wait("wait, or look at its pods", "%d of %d pods ready and %d available", s.NumberReady, want, s.NumberAvailable)
	default:
		p = progress{status: hooks.Pass, what: fmt.Sprintf("generation %d is rolled out, all %d pods are updated and available", o.Generation, want)}
	}
	p.facts = facts
	return p
}

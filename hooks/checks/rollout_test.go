package checks_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/policies/gate"
)

func meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "mm", Name: "app", Generation: 4}
}

func ptr[T any](v T) *T { return &v }

// deployment is one that is rolled out.
func deployment(change ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: meta(), Spec: appsv1.DeploymentSpec{Replicas: ptr[int32](3)}, Status: appsv1.DeploymentStatus{
		ObservedGeneration: 4, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3,
		Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"}},
	}}
	for _, c := range change {
		c(d)
	}
	return d
}

func statefulSet(change ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	s := &appsv1.StatefulSet{ObjectMeta: meta(), Spec: appsv1.StatefulSetSpec{Replicas: ptr[int32](3)}, Status: appsv1.StatefulSetStatus{
		ObservedGeneration: 4, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3, CurrentRevision: "app-2", UpdateRevision: "app-2",
	}}
	for _, c := range change {
		c(s)
	}
	return s
}

func daemonSet(change ...func(*appsv1.DaemonSet)) *appsv1.DaemonSet {
	d := &appsv1.DaemonSet{ObjectMeta: meta(), Status: appsv1.DaemonSetStatus{
		ObservedGeneration: 4, DesiredNumberScheduled: 3, CurrentNumberScheduled: 3, UpdatedNumberScheduled: 3, NumberReady: 3, NumberAvailable: 3,
	}}
	for _, c := range change {
		c(d)
	}
	return d
}

func TestRollout(t *testing.T) {
	t.Parallel()
	stuck := func(d *appsv1.Deployment) {
		d.Status.UpdatedReplicas, d.Status.AvailableReplicas = 1, 2
		d.Status.Conditions[0] = appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", Message: `ReplicaSet "app-7c9f" has timed out progressing.`}
	}
	unobserved := func(d *appsv1.Deployment) { stuck(d); d.Status.ObservedGeneration = 3 }
	rolling := func(s *appsv1.StatefulSet) { s.Status.CurrentRevision, s.Status.UpdatedReplicas = "app-1", 1 }
	onDelete := func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType }
	for name, c := range map[string]struct {
		kind   string
		object runtime.Object
		want   want
	}{
		"deployment":                    {"", deployment(), expect(hooks.Pass, "deployment mm/app", "all 3 replicas")},
		"deployment, none":              {"", statefulSet(), expect(hooks.Wait, "found no such object")},
		"deployment, unobserved":        {"", deployment(unobserved), expect(hooks.Wait, "generation 4", "seen 3")},
		"deployment, stuck":             {"", deployment(stuck), expect(hooks.Fail, "ProgressDeadlineExceeded", "app-7c9f")},
		"deployment, paused":            {"", deployment(func(d *appsv1.Deployment) { d.Spec.Paused = true }), expect(hooks.Wait, "paused", "kubectl rollout resume -n mm deployment/app")},
		"deployment, half updated":      {"", deployment(func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }), expect(hooks.Wait, "1 of 3 replicas updated")},
		"deployment, old ones left":     {"", deployment(func(d *appsv1.Deployment) { d.Status.Replicas = 4 }), expect(hooks.Wait, "1 old replicas")},
		"deployment, not available":     {"", deployment(func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 2 }), expect(hooks.Wait, "2 available")},
		"deployment, not ready":         {"", deployment(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 2 }), expect(hooks.Wait, "2 of 3 replicas ready")},
		"deployment, scaled to none":    {"", deployment(func(d *appsv1.Deployment) { d.Spec.Replicas = ptr[int32](0) }), expect(hooks.Wait, "no replicas are wanted")},
		"deployment, of one by default": {"", deployment(func(d *appsv1.Deployment) { d.Spec.Replicas = nil }), expect(hooks.Pass, "all 1 replicas")},
		"deployment, deleted":           {"", deployment(func(d *appsv1.Deployment) { gone := at(0); d.DeletionTimestamp, d.Finalizers = &gone, []string{"a/b"} }), expect(hooks.Wait, "being deleted")},
		"statefulset":                   {"StatefulSet", statefulSet(), expect(hooks.Pass, "revision app-2")},
		"statefulset, unobserved":       {"StatefulSet", statefulSet(func(s *appsv1.StatefulSet) { s.Status.ObservedGeneration = 3 }), expect(hooks.Wait, "seen 3")},
		"statefulset, rolling":          {"StatefulSet", statefulSet(rolling), expect(hooks.Wait, "1 of 3 replicas updated", "app-2 not current")},
		"statefulset, all but current":  {"StatefulSet", statefulSet(func(s *appsv1.StatefulSet) { s.Status.CurrentRevision = "app-1" }), expect(hooks.Wait, "not current")},
		"statefulset, partition": {"StatefulSet", statefulSet(rolling, func(s *appsv1.StatefulSet) {
			s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: ptr[int32](2)}
		}), expect(hooks.Wait, "partition 2", "set the partition to 0")},
		"statefulset, partition done": {"StatefulSet", statefulSet(func(s *appsv1.StatefulSet) {
			s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: ptr[int32](2)}
		}), expect(hooks.Pass)},
		"statefulset, on delete":       {"StatefulSet", statefulSet(rolling, onDelete), expect(hooks.Wait, "OnDelete")},
		"statefulset, on delete, done": {"StatefulSet", statefulSet(onDelete, func(s *appsv1.StatefulSet) { s.Status.CurrentRevision = "app-1" }), expect(hooks.Pass)},
		"statefulset, not ready":       {"StatefulSet", statefulSet(func(s *appsv1.StatefulSet) { s.Status.ReadyReplicas = 2 }), expect(hooks.Wait, "2 of 3 replicas ready")},
		"statefulset, not available":   {"StatefulSet", statefulSet(func(s *appsv1.StatefulSet) { s.Status.AvailableReplicas = 2 }), expect(hooks.Wait, "2 available")},
		"statefulset, too few":         {"StatefulSet", statefulSet(func(s *appsv1.StatefulSet) { s.Status.Replicas = 2 }), expect(hooks.Wait, "2 replicas there")},
		"statefulset, no status":       {"StatefulSet", statefulSet(func(s *appsv1.StatefulSet) { s.Status = appsv1.StatefulSetStatus{ObservedGeneration: 4} }), expect(hooks.Wait, "no update revision")},
		"statefulset, scaled to none":  {"StatefulSet", statefulSet(func(s *appsv1.StatefulSet) { s.Spec.Replicas = ptr[int32](0) }), expect(hooks.Wait, "no replicas are wanted")},
		"daemonset":                    {"DaemonSet", daemonSet(), expect(hooks.Pass, "all 3 pods")},
		"daemonset, unobserved":        {"DaemonSet", daemonSet(func(d *appsv1.DaemonSet) { d.Status.ObservedGeneration = 3 }), expect(hooks.Wait, "seen 3")},
		"daemonset, half updated":      {"DaemonSet", daemonSet(func(d *appsv1.DaemonSet) { d.Status.UpdatedNumberScheduled = 1 }), expect(hooks.Wait, "1 of 3 pods updated")},
		"daemonset, on delete": {"DaemonSet", daemonSet(func(d *appsv1.DaemonSet) {
			d.Status.UpdatedNumberScheduled = 1
			d.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType
		}), expect(hooks.Wait, "OnDelete")},
		"daemonset, not available":  {"DaemonSet", daemonSet(func(d *appsv1.DaemonSet) { d.Status.NumberAvailable = 1 }), expect(hooks.Wait, "1 available")},
		"daemonset, wanted nowhere": {"DaemonSet", daemonSet(func(d *appsv1.DaemonSet) { d.Status = appsv1.DaemonSetStatus{ObservedGeneration: 4} }), expect(hooks.Wait, "no node wants")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := gate.RolloutCheck{Kind: c.kind, Name: "${'app'}"}
			asked(t, made(t, gate.Check{Rollout: &spec}), target(c.object), c.want)
		})
	}
}

package world

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/syncgate/syncgate/test/harness"
)

// operator plays the Mattermost Operator on a cluster, in all its namespaces: it
// makes a Deployment of a Mattermost resource, runs its update job before the
// Deployment gets another image, and says in status how far it is. It leaves the
// job of an upgrade that was taken back where it is, as the operator does.
type operator struct {
	cp     *harness.ControlPlane
	cancel context.CancelFunc
	done   chan struct{}
}

// updateJob is the fixed name of the operator's job.
const updateJob = "mattermost-update-check"

// lookEvery is how often the operator looks at everything.
const lookEvery = 500 * time.Millisecond

func mattermosts() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "installation.mattermost.com", Version: "v1beta1", Resource: "mattermosts"}
}

func startOperator(ctx context.Context, cp *harness.ControlPlane) *operator {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	o := &operator{cp: cp, cancel: cancel, done: make(chan struct{})}
	go o.run(life)
	return o
}

func (o *operator) stop() {
	o.cancel()
	<-o.done
}

func (o *operator) run(ctx context.Context) {
	defer close(o.done)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		list, err := o.cp.Dynamic.Resource(mattermosts()).List(ctx, metav1.ListOptions{})
		if err != nil {
			continue // the next look may have more luck
		}
		for i := range list.Items {
			// What cannot be written now is written with the next look.
			_ = o.reconcile(ctx, &list.Items[i])
		}
	}
}

// reconcile brings one installation a step on.
func (o *operator) reconcile(ctx context.Context, mm *unstructured.Unstructured) error {
	image, _, _ := unstructured.NestedString(mm.Object, "spec", "image")
	version, _, _ := unstructured.NestedString(mm.Object, "spec", "version")
	replicas, _, _ := unstructured.NestedInt64(mm.Object, "spec", "replicas")
	want := deployment(mm.GetName(), image+":"+version, int32(replicas))
	deployments := o.cp.Kube.AppsV1().Deployments(mm.GetNamespace())
	now, err := deployments.Get(ctx, mm.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = deployments.Create(ctx, want, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	if now.Spec.Template.Spec.Containers[0].Image != want.Spec.Template.Spec.Containers[0].Image {
		migrated, err := o.migrate(ctx, mm, want)
		if err != nil || !migrated {
			return o.report(ctx, mm, now, false)
		}
	}
	if now.Spec.Template.Spec.Containers[0].Image != want.Spec.Template.Spec.Containers[0].Image || *now.Spec.Replicas != *want.Spec.Replicas {
		now.Spec.Template, now.Spec.Replicas = want.Spec.Template, want.Spec.Replicas
		if now, err = deployments.Update(ctx, now, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return o.report(ctx, mm, now, true)
}

// migrate runs the update job and reports whether it is through.
func (o *operator) migrate(ctx context.Context, mm *unstructured.Unstructured, want *appsv1.Deployment) (bool, error) {
	jobs := o.cp.Kube.BatchV1().Jobs(mm.GetNamespace())
	background := metav1.DeletePropagationBackground
	job, err := jobs.Get(ctx, updateJob, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		limit, grace := int32(10), int64(1)
		spec := *want.Spec.Template.Spec.DeepCopy()
		spec.RestartPolicy, spec.TerminationGracePeriodSeconds = corev1.RestartPolicyNever, &grace
		spec.Containers[0].Args = []string{"db", "migrate"}
		_, err = jobs.Create(ctx, &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: updateJob},
			Spec:       batchv1.JobSpec{BackoffLimit: &limit, Template: corev1.PodTemplateSpec{Spec: spec}},
		}, metav1.CreateOptions{})
		return false, err
	}
	if err != nil {
		return false, err
	}
	if job.Spec.Template.Spec.Containers[0].Image != want.Spec.Template.Spec.Containers[0].Image {
		return false, jobs.Delete(ctx, updateJob, metav1.DeleteOptions{PropagationPolicy: &background})
	}
	for _, c := range job.Status.Conditions {
		if c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue {
			return true, jobs.Delete(ctx, updateJob, metav1.DeleteOptions{PropagationPolicy: &background})
		}
	}
	return false, nil
}

// report writes status where it is another than before.
func (o *operator) report(ctx context.Context, mm *unstructured.Unstructured, d *appsv1.Deployment, current bool) error {
	s := d.Status
	stable := current && s.ObservedGeneration == d.Generation && s.Replicas == *d.Spec.Replicas &&
		s.UpdatedReplicas == *d.Spec.Replicas && s.AvailableReplicas == *d.Spec.Replicas
	image, _, _ := unstructured.NestedString(mm.Object, "spec", "image")
	version, _, _ := unstructured.NestedString(mm.Object, "spec", "version")
	status := map[string]any{
		"state": "reconciling", "observedGeneration": mm.GetGeneration(), "endpoint": mm.GetName(),
		"replicas": int64(*d.Spec.Replicas), "updatedReplicas": int64(s.UpdatedReplicas),
	}
	if stable {
		status["state"], status["image"], status["version"] = "stable", image, version
	}
	old, _, _ := unstructured.NestedMap(mm.Object, "status")
	if fmt.Sprint(old) == fmt.Sprint(status) {
		return nil
	}
	mm.Object["status"] = status
	_, err := o.cp.Dynamic.Resource(mattermosts()).Namespace(mm.GetNamespace()).UpdateStatus(ctx, mm, metav1.UpdateOptions{})
	return err
}

// deployment is what the operator makes of an installation.
func deployment(name, image string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{
		"app": "mattermost",
		"installation.mattermost.com/installation": name,
		"installation.mattermost.com/resource":     name,
	}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "mattermost", Image: image}}},
			},
		},
	}
}

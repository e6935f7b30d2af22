package story

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/syncgate/syncgate/test/harness"
)

// This file plays the two things that no API server does by itself: the
// Mattermost Operator, which makes a Deployment of a Mattermost resource and
// says in its status how far it is, and the kubelet, which says how the pods
// are. Both only write status here; nothing runs.

// mattermosts is the resource that the operator watches.
func mattermosts() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "installation.mattermost.com", Version: "v1beta1", Resource: "mattermosts"}
}

// nodes are those of every cluster.
func nodeNames() []string { return []string{"node-1", "node-2"} }

// standIn plays operator and kubelet on one cluster.
type standIn struct {
	*harness.ControlPlane
	namespace string
	access    string // kubeconfig with Syncgate's own permissions
}

// nodesReady registers nodes and reports them Ready, as kubelets do.
func (k *standIn) nodesReady(ctx context.Context) error {
	nodes := k.Kube.CoreV1().Nodes()
	for _, name := range nodeNames() {
		node, err := nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("register node %s: %w", name, err)
		}
		room := corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("16Gi"), corev1.ResourcePods: resource.MustParse("110"),
		}
		node.Status.Capacity, node.Status.Allocatable = room, room
		node.Status.Conditions = []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status",
			LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
		}}
		if node, err = nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("report node %s ready: %w", name, err)
		}
		// Admission marks a new node as not ready; a controller takes the
		// mark away.
		node.Spec.Taints = nil
		if _, err := nodes.Update(ctx, node, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("take the taint off node %s: %w", name, err)
		}
	}
	return nil
}

// installation is what the operator reads of a Mattermost resource.
type installation struct {
	*unstructured.Unstructured
	image    string
	replicas int32
}

func (k *standIn) installation(ctx context.Context) (installation, error) {
	list, err := k.Dynamic.Resource(mattermosts()).Namespace(k.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return installation{}, fmt.Errorf("list mattermosts in %s: %w", k.namespace, err)
	}
	if len(list.Items) != 1 {
		return installation{}, fmt.Errorf("list mattermosts in %s: expected one, found %d", k.namespace, len(list.Items))
	}
	mm := &list.Items[0]
	image, _, _ := unstructured.NestedString(mm.Object, "spec", "image")
	version, _, _ := unstructured.NestedString(mm.Object, "spec", "version")
	replicas, found, _ := unstructured.NestedInt64(mm.Object, "spec", "replicas")
	if !found {
		replicas = 1
	}
	return installation{mm, image + ":" + version, int32(replicas)}, nil
}

// rollOut brings every pod to the image that the resource asks for, and says
// that all is well.
func (k *standIn) rollOut(ctx context.Context) error {
	mm, err := k.installation(ctx)
	if err != nil {
		return err
	}
	if err := k.deployment(ctx, mm, mm.replicas, mm.replicas); err != nil {
		return err
	}
	pods := k.Kube.CoreV1().Pods(k.namespace)
	if err := pods.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("remove old pods: %w", err)
	}
	for i := range mm.replicas {
		if err := k.pod(ctx, mm, fmt.Sprintf("%s-%s-%d", mm.GetName(), hash(mm.image), i), running()); err != nil {
			return err
		}
	}
	return k.status(ctx, mm, "stable", mm.replicas)
}

// getStuck does what happens with an image that cannot be pulled: the old pods
// go on, one new pod never starts, and the operator keeps reconciling.
func (k *standIn) getStuck(ctx context.Context) error {
	mm, err := k.installation(ctx)
	if err != nil {
		return err
	}
	if err := k.deployment(ctx, mm, 1, mm.replicas); err != nil {
		return err
	}
	if err := k.pod(ctx, mm, fmt.Sprintf("%s-%s-0", mm.GetName(), hash(mm.image)), pullFails(mm.image)); err != nil {
		return err
	}
	return k.status(ctx, mm, "reconciling", 1)
}

// status writes what the operator writes.
func (k *standIn) status(ctx context.Context, mm installation, state string, updated int32) error {
	current, err := k.Dynamic.Resource(mattermosts()).Namespace(k.namespace).Get(ctx, mm.GetName(), metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("get mattermost %s: %w", mm.GetName(), err)
	}
	status := map[string]any{
		"state": state, "observedGeneration": current.GetGeneration(),
		"replicas": int64(mm.replicas), "updatedReplicas": int64(updated), "endpoint": mm.GetName(),
	}
	if state == "stable" {
		image, _, _ := unstructured.NestedString(mm.Object, "spec", "image")
		version, _, _ := unstructured.NestedString(mm.Object, "spec", "version")
		status["image"], status["version"] = image, version
	}
	current.Object["status"] = status
	if _, err := k.Dynamic.Resource(mattermosts()).Namespace(k.namespace).UpdateStatus(ctx, current, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write status of mattermost %s: %w", mm.GetName(), err)
	}
	return nil
}

// labels are what the operator puts on all that it makes for an installation.
func labels(name string) map[string]string {
	return map[string]string{
		"app": "mattermost",
		"installation.mattermost.com/installation": name,
		"installation.mattermost.com/resource":     name,
		"v1alpha1.mattermost.com/installation":     name,
		"v1alpha1.mattermost.com/resource":         name,
	}
}

// deployment makes or updates the Deployment, and writes how far its rollout
// is: updated of its pods have the new template.
func (k *standIn) deployment(ctx context.Context, mm installation, updated, ready int32) error {
	deployments := k.Kube.AppsV1().Deployments(k.namespace)
	want := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: mm.GetName(), Labels: labels(mm.GetName())},
		Spec: appsv1.DeploymentSpec{
			Replicas: &mm.replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels(mm.GetName())},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels(mm.GetName())},
				Spec:       podSpec(mm.image, ""),
			},
		},
	}
	current, err := deployments.Get(ctx, mm.GetName(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		current, err = deployments.Create(ctx, want, metav1.CreateOptions{})
	case err == nil:
		current.Spec.Template, current.Spec.Replicas = want.Spec.Template, want.Spec.Replicas
		current, err = deployments.Update(ctx, current, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("make deployment %s: %w", mm.GetName(), err)
	}
	total := mm.replicas
	if updated < mm.replicas {
		total++ // the one above the number that a rolling update may have
	}
	current.Status = appsv1.DeploymentStatus{
		ObservedGeneration: current.Generation,
		Replicas:           total, UpdatedReplicas: updated, ReadyReplicas: ready, AvailableReplicas: ready, UnavailableReplicas: total - ready,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable", LastTransitionTime: metav1.Now(), LastUpdateTime: metav1.Now()},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "ReplicaSetUpdated", LastTransitionTime: metav1.Now(), LastUpdateTime: metav1.Now()},
		},
	}
	if _, err := deployments.UpdateStatus(ctx, current, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write status of deployment %s: %w", mm.GetName(), err)
	}
	return nil
}

func podSpec(image, node string) corev1.PodSpec {
	return corev1.PodSpec{
		NodeName:   node,
		Containers: []corev1.Container{{Name: "mattermost", Image: image}},
	}
}

// pod makes a pod and writes the status that its kubelet would.
func (k *standIn) pod(ctx context.Context, mm installation, name string, status func(*corev1.Pod)) error {
	pods := k.Kube.CoreV1().Pods(k.namespace)
	pod, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels(mm.GetName())},
		Spec:       podSpec(mm.image, nodeNames()[0]),
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("make pod %s: %w", name, err)
	}
	started := metav1.Now()
	pod.Status.StartTime = &started
	status(pod)
	if _, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write status of pod %s: %w", name, err)
	}
	return nil
}

func running() func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodRunning
		p.Status.Conditions = conditions(corev1.ConditionTrue, "")
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "mattermost", Image: p.Spec.Containers[0].Image, ImageID: "docker.io/" + p.Spec.Containers[0].Image,
			Ready: true, Started: new(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		}}
	}
}

func pullFails(image string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodPending
		p.Status.Conditions = conditions(corev1.ConditionFalse, "ContainersNotReady")
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "mattermost", Image: image, Started: new(false),
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
				Reason:  "ImagePullBackOff",
				Message: fmt.Sprintf("Back-off pulling image %q: not found", image),
			}},
		}}
	}
}

func conditions(ready corev1.ConditionStatus, reason string) []corev1.PodCondition {
	at := metav1.NewTime(time.Now())
	return []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: at},
		{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: at},
		{Type: corev1.ContainersReady, Status: ready, Reason: reason, LastTransitionTime: at},
		{Type: corev1.PodReady, Status: ready, Reason: reason, LastTransitionTime: at},
	}
}

// hash is a short name for an image, as a ReplicaSet's name has one.
func hash(image string) string {
	sum := uint32(2166136261)
	for _, b := range []byte(image) {
		sum = (sum ^ uint32(b)) * 16777619
	}
	return fmt.Sprintf("%08x", sum)
}

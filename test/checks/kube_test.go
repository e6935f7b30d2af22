package checks_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/policies/gate"
)

func gateFS(text string) fs.FS {
	return fstest.MapFS{"syncgate.yaml": {Data: []byte(text)}}
}

func TestNodes(t *testing.T) {
	c := start(t)
	selector := "test=" + c.ns
	asker := made(t, gate.Check{Nodes: &gate.NodesCheck{Selector: selector}})
	in := c.target(t)
	ask(t, asker, in, hooks.Wait, "no such node", selector)
	ready := func(name string, ok corev1.ConditionStatus) {
		t.Helper()
		n, err := c.Kube.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		noError(t, err)
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ok, Reason: "KubeletReady", LastTransitionTime: metav1.Now()}}
		_, err = c.Kube.CoreV1().Nodes().UpdateStatus(t.Context(), n, metav1.UpdateOptions{})
		noError(t, err)
	}
	a, b := c.ns+"-a", c.ns+"-b"
	for _, name := range []string{a, b} {
		c.apply(t, fmt.Sprintf("apiVersion: v1\nkind: Node\nmetadata: {name: %s, labels: {test: %s}}\n", name, c.ns))
	}
	ask(t, asker, in, hooks.Wait, "found 0 of 2", a+", "+b)
	ready(a, corev1.ConditionTrue)
	ready(b, corev1.ConditionUnknown)
	ask(t, asker, in, hooks.Wait, "found 1 of 2", "look at "+b)
	ready(b, corev1.ConditionTrue)
	ask(t, asker, in, hooks.Pass, "all 2 are Ready")
	c.apply(t, fmt.Sprintf("apiVersion: v1\nkind: Node\nmetadata: {name: %s, labels: {test: %s}}\nspec: {unschedulable: true}\n", b, c.ns))
	answer := ask(t, asker, in, hooks.Wait, "look at "+b)
	if len(answer.Evidence) != 1 || !strings.Contains(answer.Evidence[0].Fact, "kubectl uncordon "+b) {
		t.Errorf("expected evidence that %s is cordoned, found %v", b, answer.Evidence)
	}
	ask(t, made(t, gate.Check{Nodes: &gate.NodesCheck{Selector: selector, MinReady: 1}}), in, hooks.Pass, "not: "+b)
}

func TestPods(t *testing.T) {
	c := start(t)
	asker := made(t, gate.Check{Pods: &gate.PodsCheck{Min: 2}})
	in := c.target(t)
	ask(t, asker, in, hooks.Wait, "at least 2", "found 0")
	c.pod(t, "a")
	c.pod(t, "b")
	ask(t, asker, in, hooks.Pass, "all 2 run")

	// A crash loop: not long enough, then long enough, by the clock alone.
	bad := c.pod(t, "c", waiting("CrashLoopBackOff", "back-off 40s restarting failed container=mattermost pod=c", 10*time.Second))
	ask(t, asker, in, hooks.Wait, "pod c", "CrashLoopBackOff")
	c.event(t, bad, "Warning", "Back-off restarting failed container")
	c.event(t, bad, "Normal", "Pulled")
	a := ask(t, madeAt(t, gate.Check{Pods: &gate.PodsCheck{}}, later(2*time.Minute)), in, hooks.Fail, "pod c", "exit code 1", "kubectl logs")
	text := fmt.Sprint(a.Evidence)
	if !strings.Contains(text, "event BackOff: Back-off restarting failed container") || strings.Contains(text, "Pulled") || strings.Contains(text, "hunter2") {
		t.Errorf("expected the Warning event alone as evidence, found %s", text)
	}
	ask(t, made(t, gate.Check{Pods: &gate.PodsCheck{Selector: "app!=mattermost"}}), in, hooks.Wait, "found 0")
}

func (c cluster) event(t *testing.T, p *corev1.Pod, kind, message string) {
	t.Helper()
	_, err := c.Kube.CoreV1().Events(c.ns).Create(t.Context(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: p.Name + "-"},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		Type:           kind, Reason: map[string]string{"Warning": "BackOff", "Normal": "Pulled"}[kind], Message: message,
		FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(), Count: 1,
	}, metav1.CreateOptions{})
	noError(t, err)
}

func TestPodsOfJobsAndOnTheirWayOut(t *testing.T) {
	c := start(t)
	asker := made(t, gate.Check{Pods: &gate.PodsCheck{}})
	in := c.target(t)
	c.pod(t, "server")
	job, err := c.Kube.BatchV1().Jobs(c.ns).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "migrate"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "c", Image: "c:1"}},
		}}},
	}, metav1.CreateOptions{})
	noError(t, err)
	c.pod(t, "migrate-1", func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))}
		p.Status.Phase, p.Status.ContainerStatuses[0].Ready = corev1.PodFailed, false
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, FinishedAt: metav1.Now()}}
	})
	ask(t, asker, in, hooks.Wait, "migrate-1", "exit code 3", "tries again")
	ended := metav1.NewTime(time.Now().Add(-time.Hour))
	job.Status = batchv1.JobStatus{Failed: 1, StartTime: &ended, Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, LastTransitionTime: ended},
		{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, LastTransitionTime: ended},
	}}
	_, err = c.Kube.BatchV1().Jobs(c.ns).UpdateStatus(t.Context(), job, metav1.UpdateOptions{})
	noError(t, err)
	ask(t, asker, in, hooks.Fail, "migrate-1", "kubectl delete job")

	// Being deleted: it is held by a finalizer, as by a kubelet at work.
	now := int64(0)
	noError(t, c.Kube.CoreV1().Pods(c.ns).Delete(t.Context(), "migrate-1", metav1.DeleteOptions{GracePeriodSeconds: &now}))
	c.pod(t, "old", waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container", time.Minute), func(p *corev1.Pod) { p.Finalizers = []string{"example.com/hold"} })
	ask(t, asker, in, hooks.Fail, "pod old")
	noError(t, c.Kube.CoreV1().Pods(c.ns).Delete(t.Context(), "old", metav1.DeleteOptions{GracePeriodSeconds: &now}))
	ask(t, asker, in, hooks.Pass, "all 1")
	ask(t, madeAt(t, gate.Check{Pods: &gate.PodsCheck{}}, later(10*time.Minute)), in, hooks.Wait, "pod old should have been gone")
	old, err := c.Kube.CoreV1().Pods(c.ns).Get(t.Context(), "old", metav1.GetOptions{})
	noError(t, err)
	old.Finalizers = nil
	_, err = c.Kube.CoreV1().Pods(c.ns).Update(t.Context(), old, metav1.UpdateOptions{})
	noError(t, err)
}

// More pods than one page holds: the last one counts as well.
func TestPodsOfSeveralPages(t *testing.T) {
	c := start(t)
	for i := range 501 {
		change := func(*corev1.Pod) {}
		if i == 500 {
			change = func(p *corev1.Pod) { p.Status.Conditions[2].Status = corev1.ConditionFalse }
		}
		c.pod(t, fmt.Sprintf("p-%03d", i), change)
	}
	ask(t, made(t, gate.Check{Pods: &gate.PodsCheck{}}), c.target(t), hooks.Wait, "pod p-500 is not Ready")
	ask(t, made(t, gate.Check{Images: &gate.ImagesCheck{Selector: "app=mattermost", Image: image, Min: 501}}), c.target(t), hooks.Pass, "all 501")
}

func TestImages(t *testing.T) {
	c := start(t)
	asker := made(t, gate.Check{Images: &gate.ImagesCheck{
		Selector: "app=mattermost", Min: 2, Image: "${values.mattermostCR.spec.image + ':' + values.mattermostCR.spec.version}",
	}})
	in := c.target(t)
	c.pod(t, "a")
	old := c.pod(t, "b", func(p *corev1.Pod) {
		p.Spec.Containers[0].Image = repository + ":11.5.0"
		p.Status.ContainerStatuses[0].Image = "docker.io/" + repository + ":11.5.0"
	})
	ask(t, asker, in, hooks.Wait, "not so in b", "11.5.0")
	// The spec is changed in place; the kubelet has not restarted it yet.
	old.Spec.Containers[0].Image = image
	old, err := c.Kube.CoreV1().Pods(c.ns).Update(t.Context(), old, metav1.UpdateOptions{})
	noError(t, err)
	old.Status.ContainerStatuses[0].ImageID = "docker.io/" + repository + "@sha256:" + strings.Repeat("b", 64)
	old, err = c.Kube.CoreV1().Pods(c.ns).UpdateStatus(t.Context(), old, metav1.UpdateOptions{})
	noError(t, err)
	ask(t, asker, in, hooks.Wait, "not so in b", "its kubelet reports")
	old.Status.ContainerStatuses[0].Image = "docker.io/" + image
	old.Status.ContainerStatuses[0].ImageID = "docker.io/" + repository + "@" + digest
	_, err = c.Kube.CoreV1().Pods(c.ns).UpdateStatus(t.Context(), old, metav1.UpdateOptions{})
	noError(t, err)
	ask(t, asker, in, hooks.Pass, "all 2 run docker.io/"+image)
}

func apps(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: resource}
}

const workload = `
apiVersion: apps/v1
kind: %s
metadata: {name: mattermost}
spec:
  %s
  selector: {matchLabels: {app: mattermost}}
  template:
    metadata: {labels: {app: mattermost}}
    spec: {containers: [{name: mattermost, image: %s}]}
`

func TestRolloutOfADeployment(t *testing.T) {
	c := start(t)
	asker := made(t, gate.Check{Rollout: &gate.RolloutCheck{Name: "mattermost"}})
	in := c.target(t)
	ask(t, asker, in, hooks.Wait, "found no such object")
	c.apply(t, fmt.Sprintf(workload, "Deployment", "replicas: 2", image))
	ask(t, asker, in, hooks.Wait, "generation 1, of which the controller has seen 0")
	done := map[string]any{"observedGeneration": int64(1), "replicas": int64(2), "updatedReplicas": int64(2), "readyReplicas": int64(2), "availableReplicas": int64(2)}
	c.status(t, apps("deployments"), c.ns, "mattermost", done)
	ask(t, asker, in, hooks.Pass, "generation 1 is rolled out")
	c.apply(t, fmt.Sprintf(workload, "Deployment", "replicas: 2", repository+":11.7.0"))
	ask(t, asker, in, hooks.Wait, "generation 2, of which the controller has seen 1")
	c.status(t, apps("deployments"), c.ns, "mattermost", map[string]any{
		"observedGeneration": int64(2), "replicas": int64(3), "updatedReplicas": int64(1), "readyReplicas": int64(2), "availableReplicas": int64(2),
		"conditions": []any{map[string]any{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out progressing"}},
	})
	ask(t, asker, in, hooks.Fail, "ProgressDeadlineExceeded")
}

func TestRolloutOfAStatefulSet(t *testing.T) {
	c := start(t)
	asker := made(t, gate.Check{Rollout: &gate.RolloutCheck{Kind: "StatefulSet", Name: "mattermost"}})
	in := c.target(t)
	c.apply(t, fmt.Sprintf(workload, "StatefulSet", "replicas: 2\n  serviceName: x\n  updateStrategy: {rollingUpdate: {partition: 1}}", image))
	status := func(current string, updated int64) {
		c.status(t, apps("statefulsets"), c.ns, "mattermost", map[string]any{
			"observedGeneration": int64(1), "replicas": int64(2), "updatedReplicas": updated, "readyReplicas": int64(2), "availableReplicas": int64(2),
			"currentRevision": current, "updateRevision": "mattermost-2",
		})
	}
	status("mattermost-1", 1)
	ask(t, asker, in, hooks.Wait, "partition 1 holds")
	status("mattermost-2", 2)
	ask(t, asker, in, hooks.Pass, "revision mattermost-2")
}

func TestRolloutOfADaemonSet(t *testing.T) {
	c := start(t)
	asker := made(t, gate.Check{Rollout: &gate.RolloutCheck{Kind: "DaemonSet", Name: "mattermost"}})
	c.apply(t, fmt.Sprintf(workload, "DaemonSet", "minReadySeconds: 0", image))
	in := c.target(t)
	status := func(updated int64) {
		c.status(t, apps("daemonsets"), c.ns, "mattermost", map[string]any{
			"observedGeneration": int64(1), "desiredNumberScheduled": int64(3), "currentNumberScheduled": int64(3), "numberMisscheduled": int64(0),
			"updatedNumberScheduled": updated, "numberReady": int64(3), "numberAvailable": int64(3),
		})
	}
	status(2)
	ask(t, asker, in, hooks.Wait, "2 of 3 pods updated")
	status(3)
	ask(t, asker, in, hooks.Pass, "all 3 pods")
}

var mattermosts = schema.GroupVersionResource{Group: "installation.mattermost.com", Version: "v1beta1", Resource: "mattermosts"}

// The pack's own preset, as a Gate uses it, over the states that the operator
// goes through.
func TestMattermostSettled(t *testing.T) {
	c := start(t)
	asker := made(t, load(t, "    - {name: settled, use: mattermost/settled}\n")[0])
	in := c.target(t)
	ask(t, asker, in, hooks.Wait, "expected the object, found none")
	object := func(version string) {
		c.apply(t, fmt.Sprintf("apiVersion: installation.mattermost.com/v1beta1\nkind: Mattermost\nmetadata: {name: mattermost}\nspec: {version: %q}\n", version))
	}
	state := func(state string, observed int64) {
		c.status(t, mattermosts, c.ns, "mattermost", map[string]any{"state": state, "observedGeneration": observed})
	}
	object("11.6.1")
	ask(t, asker, in, hooks.Wait)
	state("reconciling", 1)
	ask(t, asker, in, hooks.Wait, "reconciling")
	state("ready", 1)
	ask(t, asker, in, hooks.Wait)
	state("stable", 1)
	ask(t, asker, in, hooks.Pass)
	object("11.7.0")
	ask(t, asker, in, hooks.Wait, "generation 2")
	state("reconciling", 2)
	ask(t, asker, in, hooks.Wait)
	state("stable", 2)
	ask(t, asker, in, hooks.Pass)
}

func TestResourceOfAKindThatIsNotThere(t *testing.T) {
	c := start(t)
	group := c.ns + ".example.com"
	asker := made(t, gate.Check{Resource: &gate.ResourceCheck{APIVersion: group + "/v1", Kind: "Gadget", Name: "one", Pass: "true", Absent: "Pass"}})
	in := c.target(t)
	ask(t, asker, in, hooks.Unknown, "serves no "+group+"/v1")
	c.apply(t, strings.ReplaceAll(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.GROUP}
spec:
  group: GROUP
  scope: Cluster
  names: {kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`, "GROUP", group))
	admin := c.targetAs(t, c.Config)
	ask(t, asker, admin, hooks.Pass, "there is none")
	ask(t, asker, in, hooks.Unknown, `resource "gadgets.`+group+`"`, "ClusterRole")
}

// A server without rights says for each check what to grant.
func TestForbiddenSaysWhatToGrant(t *testing.T) {
	c := start(t)
	noError(t, c.ServiceAccount(t.Context(), c.ns, "nobody"))
	token, err := c.Token(t.Context(), c.ns, "nobody", "", 0)
	noError(t, err)
	in := c.targetAs(t, as(c.Config, token))
	claims := &gate.SnapshotBackup{Claims: []string{"data"}}
	for name, test := range map[string]struct {
		spec gate.Check
		want []string
	}{
		"nodes":    {gate.Check{Nodes: &gate.NodesCheck{}}, []string{`verb "list" on resource "nodes" by a ClusterRole`}},
		"pods":     {gate.Check{Pods: &gate.PodsCheck{}}, []string{`verb "list" on resource "pods" by a Role in namespace ` + c.ns}},
		"images":   {gate.Check{Images: &gate.ImagesCheck{Selector: "a=b", Image: "a:1"}}, []string{`verb "list" on resource "pods"`}},
		"rollout":  {gate.Check{Rollout: &gate.RolloutCheck{Name: "mm"}}, []string{`verb "get" on resource "deployments.apps"`}},
		"resource": {gate.Check{Resource: &gate.ResourceCheck{APIVersion: "installation.mattermost.com/v1beta1", Kind: "Mattermost", Name: "mm", Pass: "true"}}, []string{`verb "get" on resource "mattermosts.installation.mattermost.com"`}},
		"claims":   {gate.Check{Backup: &gate.BackupCheck{MaxAge: 1, Snapshots: claims}}, []string{`verb "get" on resource "persistentvolumeclaims"`}},
	} {
		t.Run(name, func(t *testing.T) {
			ask(t, made(t, test.spec), in, hooks.Unknown, test.want...)
		})
	}
}

// An API server that cannot be reached is no answer, whatever is asked.
func TestUnreachableIsUnknown(t *testing.T) {
	c := start(t)
	away := *c.Config
	away.Host = "https://127.0.0.1:1"
	in := c.targetAs(t, &away)
	for name, spec := range map[string]gate.Check{
		"nodes":    {Nodes: &gate.NodesCheck{}},
		"pods":     {Pods: &gate.PodsCheck{}},
		"resource": {Resource: &gate.ResourceCheck{APIVersion: "v1", Kind: "ConfigMap", Name: "x", Pass: "true", Absent: "Pass"}},
		"rollout":  {Rollout: &gate.RolloutCheck{Name: "x"}},
		"backup":   {Backup: &gate.BackupCheck{MaxAge: 1, Snapshots: &gate.SnapshotBackup{Claims: []string{"x"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			asker := made(t, spec)
			ask(t, asker, in, hooks.Unknown, "connection refused")
		})
	}
}

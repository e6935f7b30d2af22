package chart

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/syncgate/syncgate/gitops/argocd"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/checks"
	"github.com/syncgate/syncgate/hooks/clusters"
	"github.com/syncgate/syncgate/hooks/explain"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/test/harness"
)

// permission is one thing a role allows, "list pods" or "get jobs.batch".
func permission(verb, group, resource string) string {
	if group != "" {
		resource += "." + group
	}
	return verb + " " + resource
}

// TestPermissionsAreThoseUsed asks every check of a cluster that records what
// it is asked, and holds the chart's rules to exactly that.
func TestPermissionsAreThoseUsed(t *testing.T) {
	used := map[string]bool{}
	for _, c := range questions() {
		for _, phase := range []hooks.Phase{hooks.PreSync, hooks.PostSync} {
			kube, dyn := cluster()
			ask(t, c, check.Target{
				Change: hooks.Change{
					Repository: "https://git.example.com/ops", Gate: "mattermost", Cluster: "eu",
					Revision: strings.Repeat("a", 40), Phase: phase, Attempt: "1",
				},
				Namespace: "mm", Values: map[string]any{}, Kube: kube, Dynamic: dyn,
			})
			record(used, kube.Actions())
			record(used, dyn.Actions())
		}
	}
	kube, _ := cluster()
	// The answers do not matter here, only what is asked.
	_, _ = (&clusters.Cluster{Name: "eu", Kube: kube}).Authenticate(t.Context(), "token")
	_, _, _ = (&clusters.Cluster{Name: "eu", Kube: kube}).MayOverride(t.Context(), authenticationv1.UserInfo{Username: "jane"}, "mattermost")
	_, _ = argocd.Clusters(t.Context(), kube, "argocd")
	record(used, kube.Actions())
	record(used, explained(t))

	allowed := map[string]bool{}
	for _, o := range render(t, "full.yaml").Objects {
		if strings.HasSuffix(name(t, o), "-override") {
			continue // rights of people, not of the server
		}
		if strings.HasSuffix(name(t, o), "-applications") {
			continue // what an informer asks for; TestPermissions holds it
		}
		for _, r := range rulesOf(o) {
			for _, group := range r.APIGroups {
				for _, resource := range r.Resources {
					for _, verb := range r.Verbs {
						allowed[permission(verb, group, resource)] = true
					}
				}
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(used)) {
		if !allowed[p] {
			t.Errorf("the server needs to %s, and the chart does not let it", p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(allowed)) {
		if !used[p] {
			t.Errorf("the chart lets the server %s, which nothing does", p)
		}
	}
}

func rulesOf(o runtime.Object) []rbacv1.PolicyRule {
	switch o := o.(type) {
	case *rbacv1.ClusterRole:
		return o.Rules
	case *rbacv1.Role:
		return o.Rules
	}
	return nil
}

func ask(t *testing.T, spec gate.Check, target check.Target) {
	t.Helper()
	spec.Name = "check"
	c, err := checks.New(checks.Options{})(spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Evaluate(context.Background(), target); err != nil {
		t.Logf("%+v: %v", spec, err)
	}
}

// record keeps what was asked, but for what every account may ask: which kinds
// there are.
func record(used map[string]bool, actions []clienttesting.Action) {
	for _, a := range actions {
		r := a.GetResource()
		if r.Resource == "resource" || r.Resource == "group" || r.Resource == "version" {
			continue
		}
		resource := r.Resource
		if sub := a.GetSubresource(); sub != "" {
			resource += "/" + sub
		}
		used[permission(a.GetVerb(), r.Group, resource)] = true
	}
}

// explained is what is asked of a cluster to have a hook Job say why it fails.
func explained(t *testing.T) []clienttesting.Action {
	t.Helper()
	uid := types.UID("1")
	change := hooks.Change{Gate: "mattermost", Cluster: "eu", Revision: strings.Repeat("a", 40), Phase: hooks.PreSync}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "mm", Name: "hook", UID: uid, Labels: map[string]string{"batch.kubernetes.io/controller-uid": "1"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "job", UID: uid, Controller: new(true)}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "mm", Name: "job", UID: uid,
			Labels:      map[string]string{"app.kubernetes.io/managed-by": "syncgate", "syncgate.dev/gate": change.Gate, "syncgate.dev/phase": "presync"},
			Annotations: map[string]string{"syncgate.dev/cluster": change.Cluster, "syncgate.dev/revision": change.Revision},
		},
		Spec: batchv1.JobSpec{BackoffLimit: new(int32)},
	}
	kube := fake.NewClientset(pod, job)
	changes := watch.NewFakeWithChanSize(1, false)
	kube.PrependWatchReactor("pods", func(clienttesting.Action) (bool, watch.Interface, error) { return true, changes, nil })
	e := explain.New(explain.Options{Clusters: only{kube}, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	e.Explain(explain.Waiter{Change: change, Namespace: "mm", Pod: "hook", UID: string(uid)},
		func(context.Context) (explain.Words, error) {
			return explain.Words{Reason: "SyncgateFailed", Message: "no"}, nil
		})
	pod = pod.DeepCopy()
	pod.Status.Phase = corev1.PodFailed
	changes.Modify(pod)
	err := harness.Eventually(ctx, func(ctx context.Context) error {
		now, err := kube.BatchV1().Jobs("mm").Get(ctx, "job", metav1.GetOptions{})
		if err == nil && len(now.Status.Conditions) == 0 {
			err = errors.New("the Job is not told")
		}
		return err
	})
	stop()
	<-done
	if err != nil {
		t.Error(err)
	}
	return kube.Actions()
}

// only is the one cluster there is.
type only struct{ kube *fake.Clientset }

func (o only) Clients(string) (kubernetes.Interface, dynamic.Interface, error) {
	return o.kube, nil, nil
}

// questions are all the kinds of checks that ask a cluster.
func questions() []gate.Check {
	hour := gate.Duration(3600e9)
	all := []gate.Check{
		{Nodes: &gate.NodesCheck{}},
		{Pods: &gate.PodsCheck{}},
		{Images: &gate.ImagesCheck{Selector: "app=mm", Image: "mm:1"}},
		{Resource: &gate.ResourceCheck{APIVersion: "installation.mattermost.com/v1beta1", Kind: "Mattermost", Name: "mm", Pass: "true"}},
		{Backup: &gate.BackupCheck{MaxAge: hour, Snapshots: &gate.SnapshotBackup{Claims: []string{"data"}}}},
		{Backup: &gate.BackupCheck{MaxAge: hour, Snapshots: &gate.SnapshotBackup{Claims: []string{"data"}, Take: &gate.TakeSnapshot{Class: "csi"}}}},
	}
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		all = append(all, gate.Check{Rollout: &gate.RolloutCheck{Kind: kind, Name: "mm"}})
	}
	return all
}

// cluster is one in which everything is there, and one pod of a Job has failed
// and another cannot pull its image.
func cluster() (*fake.Clientset, *dynamicfake.FakeDynamicClient) {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "mm", Name: name, UID: "1", Labels: map[string]string{"app": "mm"}}
	}
	failed := meta("failed")
	failed.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "job", Controller: new(true)}}
	kube := fake.NewClientset(
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a"}},
		&corev1.Pod{ObjectMeta: failed, Status: corev1.PodStatus{Phase: corev1.PodFailed}},
		&corev1.Pod{ObjectMeta: meta("waiting"), Status: corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{
			{Name: "mm", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}},
		}}},
		&batchv1.Job{ObjectMeta: meta("job")},
		&appsv1.Deployment{ObjectMeta: meta("mm")},
		&appsv1.StatefulSet{ObjectMeta: meta("mm")},
		&appsv1.DaemonSet{ObjectMeta: meta("mm")},
		&corev1.PersistentVolumeClaim{ObjectMeta: meta("data"), Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound}},
	)
	kube.Resources = []*metav1.APIResourceList{{
		GroupVersion: "installation.mattermost.com/v1beta1",
		APIResources: []metav1.APIResource{{Name: "mattermosts", Kind: "Mattermost", Namespaced: true}},
	}}
	snapshots := schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshots"}
	dyn := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{snapshots: "VolumeSnapshotList"},
		object("snapshot.storage.k8s.io/v1", "VolumeSnapshot", "nightly", map[string]any{
			"spec": map[string]any{"source": map[string]any{"persistentVolumeClaimName": "data"}},
			"status": map[string]any{
				"readyToUse": true, "boundVolumeSnapshotContentName": "content",
				"creationTime": metav1.Now().UTC().Format("2006-01-02T15:04:05Z"),
			},
		}),
		object("installation.mattermost.com/v1beta1", "Mattermost", "mm", nil),
	)
	return kube, dyn
}

func object(apiVersion, kind, name string, rest map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	maps.Copy(o.Object, rest)
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetNamespace("mm")
	o.SetName(name)
	return o
}

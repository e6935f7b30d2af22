package checks_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/checks"
	"github.com/syncgate/syncgate/policies/gate"
)

// now is when all tests of this package take place.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func at(before time.Duration) metav1.Time { return metav1.NewTime(now.Add(-before)) }

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// target is cluster eu with these objects in it.
func target(objects ...runtime.Object) check.Target {
	return check.Target{
		Change: hooks.Change{
			Repository: "https://git.example.com/ops", Gate: "mattermost", Cluster: "eu",
			Revision: strings.Repeat("a", 40), Phase: hooks.PreSync, Attempt: "1",
		},
		Namespace: "mm",
		Values:    map[string]any{"image": map[string]any{"repository": "mattermost/mattermost-enterprise-edition", "tag": "11.6.1"}},
		Kube:      fake.NewClientset(objects...),
		Dynamic:   dynamicfake.NewSimpleDynamicClient(runtime.NewScheme()),
	}
}

func made(t *testing.T, spec gate.Check) check.Check {
	t.Helper()
	spec.Name = "check"
	c, err := checks.New(checks.Options{Now: func() time.Time { return now }})(spec)
	noError(t, err)
	return c
}

// want is what an answer must be: its status, and what its reason must hold.
type want struct {
	status hooks.Status
	reason []string
}

func expect(status hooks.Status, reason ...string) want { return want{status, reason} }

// asked holds the answer of a check against w. Unknown may be an error.
func asked(t *testing.T, c check.Check, in check.Target, w want) check.Answer {
	t.Helper()
	a, err := c.Evaluate(t.Context(), in)
	if err != nil {
		a.Status, a.Reason = hooks.Unknown, err.Error()
	}
	if a.Status != w.status {
		t.Fatalf("expected %s, found %s: %s", w.status, a.Status, a.Reason)
	}
	for _, part := range w.reason {
		if !strings.Contains(a.Reason, part) {
			t.Errorf("expected %q in the reason, found %q", part, a.Reason)
		}
	}
	if a.Reason == "" || (err == nil && strings.ContainsAny(a.Reason, "\n\r")) {
		t.Errorf("expected a reason of one line, found %q", a.Reason)
	}
	if a.Backup != nil && a.Status != hooks.Pass {
		t.Errorf("a backup is proved by the answer %s", a.Status)
	}
	return a
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec gate.Check
		want string
	}{
		"no kind":                {gate.Check{}, "exactly one of nodes, pods, resource, images, rollout, http, backup"},
		"two kinds":              {gate.Check{Nodes: &gate.NodesCheck{}, Pods: &gate.PodsCheck{}}, "found 2 nodes, pods"},
		"nodes: minReady":        {gate.Check{Nodes: &gate.NodesCheck{MinReady: -1}}, "nodes: minReady"},
		"nodes: selector":        {gate.Check{Nodes: &gate.NodesCheck{Selector: "a b"}}, "nodes: selector"},
		"pods: min":              {gate.Check{Pods: &gate.PodsCheck{Min: -1}}, "pods: min"},
		"pods: selector":         {gate.Check{Pods: &gate.PodsCheck{Selector: "=("}}, "pods: selector"},
		"pods: namespace":        {gate.Check{Pods: &gate.PodsCheck{Namespace: "${nonsense}"}}, "pods: namespace"},
		"resource: no name":      {gate.Check{Resource: &gate.ResourceCheck{APIVersion: "v1", Kind: "Pod", Pass: "true"}}, "resource: name"},
		"resource: pass":         {gate.Check{Resource: &gate.ResourceCheck{APIVersion: "v1", Kind: "Pod", Name: "p", Pass: "object."}}, "resource: pass"},
		"resource: not a bool":   {gate.Check{Resource: &gate.ResourceCheck{APIVersion: "v1", Kind: "Pod", Name: "p", Pass: "'yes'"}}, "resource: pass"},
		"resource: fail":         {gate.Check{Resource: &gate.ResourceCheck{APIVersion: "v1", Kind: "Pod", Name: "p", Pass: "true", Fail: "unheard"}}, "resource: fail"},
		"resource: show":         {gate.Check{Resource: &gate.ResourceCheck{APIVersion: "v1", Kind: "Pod", Name: "p", Pass: "true", Show: "("}}, "resource: show"},
		"resource: absent":       {gate.Check{Resource: &gate.ResourceCheck{APIVersion: "v1", Kind: "Pod", Name: "p", Pass: "true", Absent: "Unknown"}}, "resource: absent"},
		"images: no selector":    {gate.Check{Images: &gate.ImagesCheck{Image: "a:1"}}, "images: selector"},
		"images: no image":       {gate.Check{Images: &gate.ImagesCheck{Selector: "a=b"}}, "images: image"},
		"images: bad image":      {gate.Check{Images: &gate.ImagesCheck{Selector: "a=b", Image: "A B"}}, "images: image"},
		"images: bad text":       {gate.Check{Images: &gate.ImagesCheck{Selector: "a=b", Image: "${values.}"}}, "images: image"},
		"rollout: no name":       {gate.Check{Rollout: &gate.RolloutCheck{}}, "rollout: name"},
		"rollout: kind":          {gate.Check{Rollout: &gate.RolloutCheck{Kind: "ReplicaSet", Name: "a"}}, "rollout: kind"},
		"http: no URL":           {gate.Check{HTTP: &gate.HTTPCheck{}}, "http: url"},
		"http: a file":           {gate.Check{HTTP: &gate.HTTPCheck{URL: "file:///etc/passwd"}}, "http: url"},
		"http: a password":       {gate.Check{HTTP: &gate.HTTPCheck{URL: "https://a:hunter2@b.example.com"}}, "http: url"},
		"http: POST":             {gate.Check{HTTP: &gate.HTTPCheck{URL: "https://a", Method: "POST"}}, "http: method"},
		"http: timeout":          {gate.Check{HTTP: &gate.HTTPCheck{URL: "https://a", Timeout: gate.Duration(time.Hour)}}, "http: timeout"},
		"http: header":           {gate.Check{HTTP: &gate.HTTPCheck{URL: "https://a", Headers: map[string]string{"a b": "c"}}}, "http: headers"},
		"http: assert":           {gate.Check{HTTP: &gate.HTTPCheck{URL: "https://a", Assert: "stat == 200"}}, "http: assert"},
		"backup: neither":        {gate.Check{Backup: &gate.BackupCheck{MaxAge: 1}}, "exactly one of objects and snapshots"},
		"backup: no age":         {gate.Check{Backup: &gate.BackupCheck{Objects: &gate.ObjectBackup{Store: "s"}}}, "backup: maxAge"},
		"backup: proof":          {gate.Check{Backup: &gate.BackupCheck{MaxAge: 1, Proof: gate.ProofRestored, Objects: &gate.ObjectBackup{Store: "s"}}}, "backup: proof"},
		"backup: no store":       {gate.Check{Backup: &gate.BackupCheck{MaxAge: 1, Objects: &gate.ObjectBackup{}}}, "backup: objects.store"},
		"backup: size":           {gate.Check{Backup: &gate.BackupCheck{MaxAge: 1, Objects: &gate.ObjectBackup{Store: "s", MinSize: "big"}}}, "backup: objects.minSize"},
		"backup: no size":        {gate.Check{Backup: &gate.BackupCheck{MaxAge: 1, Objects: &gate.ObjectBackup{Store: "s", MinSize: "0"}}}, "backup: objects.minSize"},
		"backup: no claims":      {gate.Check{Backup: &gate.BackupCheck{MaxAge: 1, Snapshots: &gate.SnapshotBackup{}}}, "backup: snapshots.claims"},
		"backup: no class":       {gate.Check{Backup: &gate.BackupCheck{MaxAge: 1, Snapshots: &gate.SnapshotBackup{Claims: []string{"a"}, Take: &gate.TakeSnapshot{}}}}, "backup: snapshots.take.class"},
		"backup: an empty claim": {gate.Check{Backup: &gate.BackupCheck{MaxAge: 1, Snapshots: &gate.SnapshotBackup{Claims: []string{" "}}}}, "backup: snapshots.claims"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.spec.Name = "mine"
			_, err := checks.New(checks.Options{})(c.spec)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "mine") || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("expected an error that names the check and has %q, found %v", c.want, err)
			}
		})
	}
}

// Whatever goes wrong at the API server is Unknown, for every check that asks
// it; what is forbidden says what to grant.
func TestFaultsAreUnknown(t *testing.T) {
	t.Parallel()
	kinds := map[string]struct {
		spec    gate.Check
		verb    string
		allowed string
	}{
		"nodes":       {gate.Check{Nodes: &gate.NodesCheck{}}, "list", "nodes"},
		"pods":        {gate.Check{Pods: &gate.PodsCheck{}}, "list", "pods"},
		"images":      {gate.Check{Images: &gate.ImagesCheck{Selector: "app=mm", Image: "a:1"}}, "list", "pods"},
		"deployment":  {gate.Check{Rollout: &gate.RolloutCheck{Name: "mm"}}, "get", "deployments"},
		"statefulset": {gate.Check{Rollout: &gate.RolloutCheck{Kind: "StatefulSet", Name: "mm"}}, "get", "statefulsets"},
		"daemonset":   {gate.Check{Rollout: &gate.RolloutCheck{Kind: "DaemonSet", Name: "mm"}}, "get", "daemonsets"},
		"claims":      {gate.Check{Backup: &gate.BackupCheck{MaxAge: 1, Snapshots: &gate.SnapshotBackup{Claims: []string{"c"}}}}, "get", "persistentvolumeclaims"},
	}
	faults := map[string]error{
		"timeout":   apierrors.NewTimeoutError("slow", 1),
		"too many":  apierrors.NewTooManyRequests("later", 1),
		"internal":  apierrors.NewInternalError(errors.New("etcd")),
		"gone":      errors.New("connection refused"),
		"forbidden": apierrors.NewForbidden(schema.GroupResource{Resource: "x"}, "x", errors.New("no")),
	}
	for kind, k := range kinds {
		for fault, err := range faults {
			t.Run(kind+" "+fault, func(t *testing.T) {
				t.Parallel()
				in := target()
				kube, _ := in.Kube.(*fake.Clientset)
				kube.PrependReactor(k.verb, k.allowed, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, err })
				w := expect(hooks.Unknown, "eu")
				if fault == "forbidden" {
					w.reason = append(w.reason, `verb "`+k.verb+`"`, `resource "`+k.allowed)
				}
				asked(t, made(t, k.spec), in, w)
			})
		}
	}
}

func node(name string, change ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pool": "apps"}},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
	}
	for _, c := range change {
		c(n)
	}
	return n
}

func notReady(status corev1.ConditionStatus) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Conditions[0] = corev1.NodeCondition{Type: corev1.NodeReady, Status: status, Reason: "KubeletStopped", Message: "no heartbeat"}
	}
}

func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }

func TestNodes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec  gate.NodesCheck
		nodes []runtime.Object
		want  want
	}{
		"all ready":                {gate.NodesCheck{}, []runtime.Object{node("a"), node("b")}, expect(hooks.Pass, "all 2 are Ready")},
		"none":                     {gate.NodesCheck{}, nil, expect(hooks.Wait, "no such node")},
		"none of the selector":     {gate.NodesCheck{Selector: "pool=db"}, []runtime.Object{node("a")}, expect(hooks.Wait, "pool=db")},
		"one is not":               {gate.NodesCheck{}, []runtime.Object{node("a"), node("b", notReady(corev1.ConditionFalse))}, expect(hooks.Wait, "1 of 2", "b")},
		"one is not heard of":      {gate.NodesCheck{}, []runtime.Object{node("a", notReady(corev1.ConditionUnknown))}, expect(hooks.Wait, "a")},
		"one says nothing":         {gate.NodesCheck{}, []runtime.Object{node("a", func(n *corev1.Node) { n.Status.Conditions = nil })}, expect(hooks.Wait, "a")},
		"one is cordoned":          {gate.NodesCheck{}, []runtime.Object{node("a"), node("b", cordoned)}, expect(hooks.Wait, "b")},
		"enough":                   {gate.NodesCheck{MinReady: 1}, []runtime.Object{node("a"), node("b", cordoned)}, expect(hooks.Pass, "1 of 2", "not: b")},
		"too few, all ready":       {gate.NodesCheck{MinReady: 3}, []runtime.Object{node("a"), node("b")}, expect(hooks.Wait, "at least 3")},
		"too few":                  {gate.NodesCheck{MinReady: 2}, []runtime.Object{node("a"), node("b", cordoned)}, expect(hooks.Wait, "expected 2")},
		"selector from the values": {gate.NodesCheck{Selector: "pool=${gate}"}, []runtime.Object{node("a")}, expect(hooks.Wait, "pool=mattermost")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked(t, made(t, gate.Check{Nodes: &c.spec}), target(c.nodes...), c.want)
		})
	}
}

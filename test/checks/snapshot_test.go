package checks_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/policies/gate"
)

var (
	claimsGVR    = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	snapshotsGVR = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshots"}
	contentsGVR  = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshotcontents"}
)

// claim makes a claim and binds it.
func (c cluster) claim(t *testing.T, name string) {
	t.Helper()
	c.apply(t, fmt.Sprintf("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: %s}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n", name))
	c.status(t, claimsGVR, c.ns, name, map[string]any{"phase": "Bound"})
}

func (c cluster) snapshot(t *testing.T, name, claim string) *unstructured.Unstructured {
	t.Helper()
	c.apply(t, fmt.Sprintf("apiVersion: snapshot.storage.k8s.io/v1\nkind: VolumeSnapshot\nmetadata: {name: %s}\nspec: {source: {persistentVolumeClaimName: %s}}\n", name, claim))
	return c.get(t, name)
}

func (c cluster) get(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	o, err := c.Dynamic.Resource(snapshotsGVR).Namespace(c.ns).Get(t.Context(), name, metav1.GetOptions{})
	noError(t, err)
	return o
}

// content makes a snapshot's content, which names a snapshot back.
func (c cluster) content(t *testing.T, name string, ref map[string]any, ready bool) {
	t.Helper()
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"volumeSnapshotRef": ref}}}
	o.SetAPIVersion("snapshot.storage.k8s.io/v1")
	o.SetKind("VolumeSnapshotContent")
	o.SetName(name)
	_, err := c.Dynamic.Resource(contentsGVR).Create(t.Context(), o, metav1.CreateOptions{})
	noError(t, err)
	c.status(t, contentsGVR, "", name, map[string]any{"readyToUse": ready})
}

func refTo(o *unstructured.Unstructured) map[string]any {
	return map[string]any{"namespace": o.GetNamespace(), "name": o.GetName(), "uid": string(o.GetUID())}
}

// finish does what the snapshot controller does.
func (c cluster) finish(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	content := "content-" + string(o.GetUID())
	c.content(t, content, refTo(o), true)
	c.ready(t, o.GetName(), content)
}

func (c cluster) ready(t *testing.T, name, content string) {
	t.Helper()
	c.status(t, snapshotsGVR, c.ns, name, map[string]any{
		"readyToUse": true, "boundVolumeSnapshotContentName": content, "restoreSize": "1Gi",
		"creationTime": time.Now().UTC().Format(time.RFC3339),
	})
}

func backupOf(take string, claims ...string) gate.Check {
	s := &gate.SnapshotBackup{Claims: claims}
	if take != "" {
		s.Take = &gate.TakeSnapshot{Class: take}
	}
	return gate.Check{Backup: &gate.BackupCheck{MaxAge: gate.Duration(24 * time.Hour), Snapshots: s}}
}

func TestSnapshotsThatAreLookedAt(t *testing.T) {
	c := start(t)
	asker, in := made(t, backupOf("", "data")), c.target(t)
	ask(t, asker, in, hooks.Fail, "found none: correct snapshots.claims")
	c.apply(t, "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n")
	ask(t, asker, in, hooks.Wait, "expected it Bound")
	c.claim(t, "data")
	ask(t, asker, in, hooks.Wait, "found none: take one")
	c.finish(t, c.snapshot(t, "of-another", "other"))
	ask(t, asker, in, hooks.Wait, "found none: take one")

	one := c.snapshot(t, "one", "data")
	ask(t, asker, in, hooks.Wait, "snapshot "+c.ns+"/one", "not yet")
	c.status(t, snapshotsGVR, c.ns, "one", map[string]any{"readyToUse": false, "error": map[string]any{"message": "out of quota"}})
	ask(t, asker, in, hooks.Wait, "out of quota")
	ask(t, madeAt(t, backupOf("", "data"), later(3*time.Minute)), in, hooks.Fail, "out of quota")
	c.finish(t, one)
	a := ask(t, asker, in, hooks.Pass, "bound both ways", "proof complete")
	if a.Backup == nil || a.Backup.Proof != "complete" || a.Backup.Location != "volumesnapshot "+c.ns+"/one" || time.Since(a.Backup.Taken) > time.Hour {
		t.Errorf("expected the backup, found %+v", a.Backup)
	}
	ask(t, madeAt(t, backupOf("", "data"), later(25*time.Hour)), in, hooks.Wait, "at most 24h0m old")

	// A newer one that is not ready does not spoil the one that is.
	c.snapshot(t, "two", "data")
	ask(t, asker, in, hooks.Pass)
	// Two claims need two snapshots.
	c.claim(t, "files")
	ask(t, made(t, backupOf("", "data", "files")), in, hooks.Wait, "claim "+c.ns+"/files")
	c.finish(t, c.snapshot(t, "three", "files"))
	ask(t, made(t, backupOf("", "data", "files")), in, hooks.Pass, "2 claims")
	// One that is being deleted is none.
	held := c.get(t, "three")
	held.SetFinalizers([]string{"example.com/hold"})
	_, err := c.Dynamic.Resource(snapshotsGVR).Namespace(c.ns).Update(t.Context(), held, metav1.UpdateOptions{})
	noError(t, err)
	noError(t, c.Dynamic.Resource(snapshotsGVR).Namespace(c.ns).Delete(t.Context(), "three", metav1.DeleteOptions{}))
	ask(t, made(t, backupOf("", "data", "files")), in, hooks.Wait, "files: expected a VolumeSnapshot of it, found none")
}

// A snapshot is good only when it and its content name each other.
func TestSnapshotsBoundOneWayOnly(t *testing.T) {
	c := start(t)
	c.claim(t, "data")
	asker, in := made(t, backupOf("", "data")), c.target(t)
	mine := c.snapshot(t, "mine", "data")
	with := func(key, value string) map[string]any {
		ref := refTo(mine)
		ref[key] = value
		return ref
	}
	c.ready(t, "mine", "")
	ask(t, asker, in, hooks.Wait, "bound to no VolumeSnapshotContent yet")
	c.ready(t, "mine", c.ns+"-nowhere")
	ask(t, asker, in, hooks.Fail, "is not there")
	for name, test := range map[string]struct {
		ref    map[string]any
		ready  bool
		status hooks.Status
		reason string
	}{
		"another-name":      {with("name", "other"), true, hooks.Fail, "names another snapshot"},
		"another-namespace": {with("namespace", "other"), true, hooks.Fail, "names another snapshot"},
		"an-earlier-one":    {with("uid", "00000000-0000-0000-0000-000000000000"), true, hooks.Fail, "names another snapshot"},
		"no-uid-yet":        {with("uid", ""), true, hooks.Wait, "does not name its UID yet"},
		"not-ready":         {refTo(mine), false, hooks.Wait, "is not readyToUse"},
		"both-ways":         {refTo(mine), true, hooks.Pass, "bound both ways"},
	} {
		t.Run(name, func(t *testing.T) {
			content := c.ns + "-" + name
			c.content(t, content, test.ref, test.ready)
			c.ready(t, "mine", content)
			ask(t, asker, in, test.status, test.reason)
		})
	}
}

func (c cluster) snapshots(t *testing.T) []unstructured.Unstructured {
	t.Helper()
	list, err := c.Dynamic.Resource(snapshotsGVR).Namespace(c.ns).List(t.Context(), metav1.ListOptions{})
	noError(t, err)
	return list.Items
}

func TestSnapshotsThatAreTaken(t *testing.T) {
	c := start(t)
	in := c.target(t)
	c.claim(t, "data")
	// One of two claims is not there: nothing is taken of the other.
	ask(t, made(t, backupOf("csi", "data", "files")), in, hooks.Fail, "claim "+c.ns+"/files")
	if n := len(c.snapshots(t)); n != 0 {
		t.Fatalf("expected no snapshot, found %d", n)
	}
	c.claim(t, "files")

	// Many servers, each new, ask at the same time: one snapshot of each.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			asker := made(t, backupOf("csi", "data", "files"))
			for range 3 {
				if a, err := asker.Evaluate(t.Context(), in); err != nil || a.Status != hooks.Wait {
					t.Errorf("expected Wait, found %v, %v", a, err)
				}
			}
		})
	}
	wg.Wait()
	taken := c.snapshots(t)
	if len(taken) != 2 {
		t.Fatalf("expected 2 snapshots, found %d", len(taken))
	}
	for i := range taken {
		o := &taken[i]
		class, _, _ := unstructured.NestedString(o.Object, "spec", "volumeSnapshotClassName")
		if class != "csi" || o.GetLabels()["syncgate.dev/gate"] != "mattermost" || o.GetLabels()["syncgate.dev/revision"] != in.Change.Revision {
			t.Errorf("expected class and labels of its own, found %s %v", class, o.GetLabels())
		}
		c.finish(t, o)
	}
	ask(t, made(t, backupOf("csi", "data", "files")), in, hooks.Pass, "2 claims")

	// Once per revision: another revision takes its own, this one none anew.
	other := in
	other.Change.Revision = strings.Repeat("b", 40)
	ask(t, made(t, backupOf("csi", "data")), other, hooks.Wait)
	ask(t, made(t, backupOf("csi", "data")), in, hooks.Pass)
	if n := len(c.snapshots(t)); n != 3 {
		t.Fatalf("expected 3 snapshots, found %d", n)
	}
	// A fresh one of another revision does not stand in for its own.
	ask(t, made(t, backupOf("csi", "data")), other, hooks.Wait, "not yet")
	// It will not become younger.
	ask(t, madeAt(t, backupOf("csi", "data"), later(25*time.Hour)), in, hooks.Fail, "delete volumesnapshot")
	// After the sync nothing is taken.
	after := other
	after.Change.Phase, after.Change.Revision = hooks.PostSync, strings.Repeat("c", 40)
	ask(t, made(t, backupOf("csi", "data")), after, hooks.Pass)
	if n := len(c.snapshots(t)); n != 3 {
		t.Fatalf("expected still 3 snapshots, found %d", n)
	}
}

// A snapshot of the name that this program did not take is not adopted.
func TestSnapshotsOfOthersAreNotAdopted(t *testing.T) {
	c := start(t)
	in := c.target(t)
	c.claim(t, "data")
	asker := made(t, backupOf("csi", "data"))
	ask(t, asker, in, hooks.Wait)
	taken := c.snapshots(t)[0]
	c.finish(t, &taken)
	ask(t, asker, in, hooks.Pass)
	for name, change := range map[string]func(labels map[string]string){
		"without its label":   func(l map[string]string) { delete(l, "app.kubernetes.io/managed-by") },
		"of another gate":     func(l map[string]string) { l["syncgate.dev/gate"] = "other" },
		"of another revision": func(l map[string]string) { l["syncgate.dev/revision"] = strings.Repeat("d", 40) },
	} {
		t.Run(name, func(t *testing.T) {
			o := c.get(t, taken.GetName())
			labels := o.GetLabels()
			change(labels)
			o.SetLabels(labels)
			_, err := c.Dynamic.Resource(snapshotsGVR).Namespace(c.ns).Update(t.Context(), o, metav1.UpdateOptions{})
			noError(t, err)
			ask(t, asker, in, hooks.Fail, taken.GetName(), "delete or rename it")
			o = c.get(t, taken.GetName())
			o.SetLabels(taken.GetLabels())
			_, err = c.Dynamic.Resource(snapshotsGVR).Namespace(c.ns).Update(t.Context(), o, metav1.UpdateOptions{})
			noError(t, err)
			ask(t, asker, in, hooks.Pass)
		})
	}
}

// A server that may not take snapshots, and a cluster without their kinds.
func TestSnapshotsThatCannotBeTaken(t *testing.T) {
	c := start(t)
	c.claim(t, "data")
	noError(t, c.ServiceAccount(t.Context(), c.ns, "looker"))
	c.apply(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: looker}
rules:
- {apiGroups: [""], resources: [persistentvolumeclaims], verbs: [get]}
- {apiGroups: [snapshot.storage.k8s.io], resources: [volumesnapshots], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: looker}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: looker}
subjects: [{kind: ServiceAccount, name: looker, namespace: `+c.ns+`}]
`)
	token, err := c.Token(t.Context(), c.ns, "looker", "", 0)
	noError(t, err)
	in := c.targetAs(t, as(c.Config, token))
	awaitRight(t, c.ControlPlane, c.ns, "looker", authorizationv1.ResourceAttributes{Namespace: c.ns, Verb: "get", Resource: "persistentvolumeclaims"})
	ask(t, made(t, backupOf("csi", "data")), in, hooks.Unknown, `"get, create"`, "volumesnapshots.snapshot.storage.k8s.io", "namespace "+c.ns)
	if n := len(c.snapshots(t)); n != 0 {
		t.Fatalf("expected no snapshot, found %d", n)
	}
	o := c.snapshot(t, "one", "data")
	c.finish(t, o)
	ask(t, made(t, backupOf("", "data")), in, hooks.Unknown, `verb "get" on resource "volumesnapshotcontents.snapshot.storage.k8s.io" by a ClusterRole`)
}

package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// The kinds of the external snapshotter, snapshot.storage.k8s.io/v1.
const (
	snapshotGroup     = "snapshot.storage.k8s.io"
	SnapshotsResource = "volumesnapshots." + snapshotGroup
	ContentsResource  = "volumesnapshotcontents." + snapshotGroup
)

func snapshotGVR(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: snapshotGroup, Version: "v1", Resource: resource}
}

// The labels of a snapshot that this program took, by which it knows it again.
const (
	labelManaged  = "app.kubernetes.io/managed-by"
	labelGate     = "syncgate.dev/gate"
	labelRevision = "syncgate.dev/revision"
	managedBy     = "syncgate"
	// maxLabel is the longest value of a label; a SHA-256 revision is longer.
	maxLabel = 63
)

// maxSnapshots is how many snapshots of one namespace are looked at.
const maxSnapshots = 10_000

// Snapshot is a VolumeSnapshot at one time.
type Snapshot struct {
	Namespace string
	Name      string
	UID       string
	// Claim is the PersistentVolumeClaim it was made from.
	Claim string
	// Taken is when the storage took it; until that is known, when it was
	// asked for.
	Taken time.Time
	// Ready is the snapshot's readyToUse.
	Ready bool
	// Problem is status.error's message.
	Problem string
	// Content is the name of the content it is bound to, "" while it is not.
	Content string
	// RestoreSize as the storage reports it, "" if it does not.
	RestoreSize string
	// labels as they stand.
	labels map[string]string
}

// Snapshots looks at the VolumeSnapshots of one namespace of a cluster.
type Snapshots struct {
	client    dynamic.Interface
	namespace string
}

// NewSnapshots is for the snapshots of a namespace.
func NewSnapshots(client dynamic.Interface, namespace string) Snapshots {
	return Snapshots{client: client, namespace: namespace}
}

// List is the snapshots of a claim that are not being deleted, the newest
// first. The errors of the API server are wrapped.
func (s Snapshots) List(ctx context.Context, claim string) ([]Snapshot, error) {
	var found []Snapshot
	seen := 0
	opts := metav1.ListOptions{Limit: 500}
	for {
		page, err := s.client.Resource(snapshotGVR("volumesnapshots")).Namespace(s.namespace).List(ctx, opts)
		if err != nil {
			return nil, fmt.Errorf("list snapshots: %w", err)
		}
		if seen += len(page.Items); seen > maxSnapshots {
			return nil, fmt.Errorf("list %s in namespace %s: more than %d (limit maxSnapshots)", SnapshotsResource, s.namespace, maxSnapshots)
		}
		for i := range page.Items {
			if snap := readSnapshot(&page.Items[i]); snap.Claim == claim && page.Items[i].GetDeletionTimestamp() == nil {
				found = append(found, snap)
			}
		}
		if page.GetContinue() == "" {
			break
		}
		opts.Continue = page.GetContinue()
	}
	sort.Slice(found, func(i, j int) bool {
		if !found[i].Taken.Equal(found[j].Taken) {
			return found[i].Taken.After(found[j].Taken)
		}
		return found[i].Name > found[j].Name
	})
	return found, nil
}

func readSnapshot(o *unstructured.Unstructured) Snapshot {
	snap := Snapshot{Namespace: o.GetNamespace(), Name: o.GetName(), UID: string(o.GetUID()), labels: o.GetLabels(), Taken: o.GetCreationTimestamp().Time}
	snap.Claim, _, _ = unstructured.NestedString(o.Object, "spec", "source", "persistentVolumeClaimName")
	snap.Ready, _, _ = unstructured.NestedBool(o.Object, "status", "readyToUse")
	snap.Content, _, _ = unstructured.NestedString(o.Object, "status", "boundVolumeSnapshotContentName")
	snap.RestoreSize, _, _ = unstructured.NestedString(o.Object, "status", "restoreSize")
	snap.Problem = problem(o)
	if text, ok, _ := unstructured.NestedString(o.Object, "status", "creationTime"); ok {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			snap.Taken = at
		}
	}
	return snap
}

func problem(o *unstructured.Unstructured) string {
	e, ok, err := unstructured.NestedMap(o.Object, "status", "error")
	if !ok || err != nil {
		return ""
	}
	if message, ok, _ := unstructured.NestedString(e, "message"); ok && message != "" {
		return message
	}
	return "an error without a message"
}

// Binding is whether a snapshot and its content name each other.
type Binding struct {
	// Bound is true when both name each other and the content is ready.
	Bound bool
	// Why says what is missing; empty when Bound.
	Why string
	// Broken is true when what was found cannot become right by waiting.
	Broken bool
}

// Bound looks whether a ready snapshot's content is there, is ready, and names
// the snapshot back, by namespace, name and UID. A snapshot that names another
// one's content proves nothing.
func (s Snapshots) Bound(ctx context.Context, snap Snapshot) (Binding, error) {
	if snap.Content == "" {
		return Binding{Why: "it is bound to no VolumeSnapshotContent yet"}, nil
	}
	content, err := s.client.Resource(snapshotGVR("volumesnapshotcontents")).Get(ctx, snap.Content, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return Binding{Why: fmt.Sprintf("its VolumeSnapshotContent %s is not there", snap.Content), Broken: true}, nil
	case err != nil:
		return Binding{}, fmt.Errorf("get content %s: %w", snap.Content, err)
	}
	var ref struct{ Namespace, Name, UID string }
	for field, into := range map[string]*string{"namespace": &ref.Namespace, "name": &ref.Name, "uid": &ref.UID} {
		*into, _, _ = unstructured.NestedString(content.Object, "spec", "volumeSnapshotRef", field)
	}
	ready, _, _ := unstructured.NestedBool(content.Object, "status", "readyToUse")
	switch {
	case ref.Namespace != snap.Namespace || ref.Name != snap.Name || (ref.UID != "" && ref.UID != snap.UID):
		return Binding{Broken: true, Why: fmt.Sprintf("its VolumeSnapshotContent %s names another snapshot, %s/%s with UID %q", snap.Content, ref.Namespace, ref.Name, ref.UID)}, nil
	case ref.UID == "":
		return Binding{Why: fmt.Sprintf("its VolumeSnapshotContent %s does not name its UID yet", snap.Content)}, nil
	case content.GetDeletionTimestamp() != nil:
		return Binding{Broken: true, Why: fmt.Sprintf("its VolumeSnapshotContent %s is being deleted", snap.Content)}, nil
	case problem(content) != "":
		return Binding{Broken: true, Why: fmt.Sprintf("its VolumeSnapshotContent %s has an error: %s", snap.Content, problem(content))}, nil
	case !ready:
		return Binding{Why: fmt.Sprintf("its VolumeSnapshotContent %s is not readyToUse", snap.Content)}, nil
	}
	return Binding{Bound: true}, nil
}

// Taking is a snapshot that is to be taken once.
type Taking struct {
	Gate     string
	Cluster  string
	Revision string
	Claim    string
	Class    string
}

// Name is the same for the same Gate, cluster, revision and claim: a snapshot
// of it is taken once, whoever asks and however often.
func (t Taking) Name() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{t.Gate, t.Cluster, t.Revision, t.Claim}, "\x00")))
	readable := strings.Trim(fmt.Sprintf("%.40s", t.Gate+"-"+t.Claim), "-.")
	return fmt.Sprintf("syncgate-%s-%x", strings.ReplaceAll(readable, ".", "-"), sum[:6])
}

func (t Taking) revisionLabel() string { return fmt.Sprintf("%.*s", maxLabel, t.Revision) }

// ErrForeign says that the name of a snapshot to take is in use by one that is
// not this program's.
var ErrForeign = errors.New("the name is taken by a snapshot that Syncgate did not take for this gate, revision and claim")

// Take is the one snapshot of t: the one that is there, or else a new one.
// ErrForeign when an object of its name is not it.
func (s Snapshots) Take(ctx context.Context, t Taking) (Snapshot, error) {
	client := s.client.Resource(snapshotGVR("volumesnapshots")).Namespace(s.namespace)
	o, err := client.Get(ctx, t.Name(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		o, err = client.Create(ctx, t.object(s.namespace), metav1.CreateOptions{FieldManager: managedBy})
		if apierrors.IsAlreadyExists(err) {
			// Another server was faster: its snapshot is ours as well.
			o, err = client.Get(ctx, t.Name(), metav1.GetOptions{})
		}
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("take snapshot %s: %w", t.Name(), err)
	}
	snap := readSnapshot(o)
	if snap.labels[labelManaged] != managedBy || snap.labels[labelGate] != t.Gate || snap.labels[labelRevision] != t.revisionLabel() || snap.Claim != t.Claim {
		return Snapshot{}, fmt.Errorf("take snapshot %s/%s: %w", s.namespace, t.Name(), ErrForeign)
	}
	if o.GetDeletionTimestamp() != nil {
		return Snapshot{}, fmt.Errorf("take snapshot %s/%s: it is being deleted: wait until it is gone", s.namespace, t.Name())
	}
	return snap, nil
}

func (t Taking) object(namespace string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{
			"volumeSnapshotClassName": t.Class,
			"source":                  map[string]any{"persistentVolumeClaimName": t.Claim},
		},
	}}
	o.SetGroupVersionKind(schema.GroupVersionKind{Group: snapshotGroup, Version: "v1", Kind: "VolumeSnapshot"})
	o.SetNamespace(namespace)
	o.SetName(t.Name())
	o.SetLabels(map[string]string{labelManaged: managedBy, labelGate: t.Gate, labelRevision: t.revisionLabel()})
	o.SetAnnotations(map[string]string{"syncgate.dev/cluster": t.Cluster, labelRevision: t.Revision})
	return o
}

package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/policies/gate"
)

// snapshotErrorFor is how long a snapshot's error may stand: its controller
// tries again and takes the error back.
const snapshotErrorFor = 2 * time.Minute

// maxCandidates is how many snapshots of a claim are held against their
// contents.
const maxCandidates = 10

// snapshotBackup asks for a VolumeSnapshot of each claim. The proof complete
// means here that the storage says it can be used and that snapshot and content
// name each other: there is no checksum.
type snapshotBackup struct {
	backupLimits
	spec gate.SnapshotBackup
}

func newSnapshotBackup(spec gate.SnapshotBackup, limits backupLimits) (check.Check, error) {
	if n := len(spec.Claims); n == 0 || n > maxClaims {
		return nil, fmt.Errorf("snapshots.claims: expected 1 to %d PersistentVolumeClaims, found %d", maxClaims, n)
	}
	for _, claim := range spec.Claims {
		if strings.TrimSpace(claim) == "" {
			return nil, errors.New("snapshots.claims: expected the names of PersistentVolumeClaims, found an empty one")
		}
		if err := texts("snapshots.claims", claim); err != nil {
			return nil, err
		}
	}
	if err := texts("snapshots.namespace", spec.Namespace); err != nil {
		return nil, err
	}
	if spec.Take != nil && strings.TrimSpace(spec.Take.Class) == "" {
		return nil, errors.New("snapshots.take.class: expected a VolumeSnapshotClass, found nothing")
	}
	return &snapshotBackup{backupLimits: limits, spec: spec}, nil
}

// claimAnswer is what was found out about one claim.
type claimAnswer struct {
	status   hooks.Status
	snapshot backup.Snapshot
	reason   string
}

// Evaluate implements check.Check.
func (c *snapshotBackup) Evaluate(ctx context.Context, t check.Target) (check.Answer, error) {
	ns, err := inNamespace(ctx, t, c.spec.Namespace)
	if err != nil {
		return check.Answer{}, err
	}
	claims, missing, err := c.claims(ctx, t, ns)
	if err != nil || missing.Status != "" {
		return missing, err
	}
	class := ""
	if c.spec.Take != nil {
		if class, err = fill(ctx, t, "snapshots.take.class", c.spec.Take.Class); err != nil {
			return check.Answer{}, err
		}
	}
	var worst *claimAnswer
	var evidence []hooks.Evidence
	found := &hooks.Backup{Proof: string(c.proof)}
	for i := range claims {
		a, err := c.claim(ctx, t, backup.NewSnapshots(t.Dynamic, ns), &claims[i], class)
		if err != nil {
			return check.Answer{Evidence: bounded(evidence)}, err
		}
		object := "claim " + ns + "/" + claims[i].Name
		if a.snapshot.Name != "" {
			object = "volumesnapshot " + ns + "/" + a.snapshot.Name
			found.Location = strings.TrimPrefix(found.Location+", "+object, ", ")
			if found.Taken.IsZero() || a.snapshot.Taken.Before(found.Taken) {
				found.Taken = a.snapshot.Taken.UTC()
			}
		}
		evidence = append(evidence, hooks.Evidence{Object: object, Fact: a.reason})
		if a.status != hooks.Pass && (worst == nil || (a.status == hooks.Fail && worst.status != hooks.Fail)) {
			worst = &a
		}
	}
	if worst != nil {
		return answer(worst.status, evidence, "%s in cluster %s", worst.reason, t.Change.Cluster), nil
	}
	return passed(evidence, found, "snapshots of %d claims in namespace %s of cluster %s: all readyToUse, bound both ways, the oldest %s old (proof %s)",
		len(claims), ns, t.Change.Cluster, ago(max(c.now().Sub(found.Taken), 0)), c.proof), nil
}

// claims are the PersistentVolumeClaims; a missing one is the answer: nothing
// is taken before all are there.
func (c *snapshotBackup) claims(ctx context.Context, t check.Target, ns string) ([]corev1.PersistentVolumeClaim, check.Answer, error) {
	var claims []corev1.PersistentVolumeClaim
	seen := map[string]bool{}
	for _, field := range c.spec.Claims {
		name, err := fill(ctx, t, "snapshots.claims", field)
		if err != nil {
			return nil, check.Answer{}, err
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		claim, err := t.Kube.CoreV1().PersistentVolumeClaims(ns).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil, answer(hooks.Fail, nil, "claim %s/%s in cluster %s: expected a PersistentVolumeClaim, found none: correct snapshots.claims", ns, name, t.Change.Cluster), nil
		case err != nil:
			return nil, check.Answer{}, request{verb: "get", resource: "persistentvolumeclaims", namespace: ns, name: name}.failed(t, err)
		case claim.Status.Phase != corev1.ClaimBound:
			return nil, answer(hooks.Wait, nil, "claim %s/%s in cluster %s: expected it Bound to a volume, found %q: wait, or look at kubectl describe pvc", ns, name, t.Change.Cluster, claim.Status.Phase), nil
		}
		claims = append(claims, *claim)
	}
	return claims, check.Answer{}, nil
}

// claim finds the snapshot that counts for a claim, and takes it if it is to.
func (c *snapshotBackup) claim(ctx context.Context, t check.Target, snapshots backup.Snapshots, claim *corev1.PersistentVolumeClaim, class string) (claimAnswer, error) {
	// Snapshots are taken before a sync; after it they could hold what broke.
	if class != "" && t.Change.Phase == hooks.PreSync {
		return c.take(ctx, t, snapshots, claim, class)
	}
	all, err := snapshots.List(ctx, claim.Name)
	if err != nil {
		return claimAnswer{}, snapshotRequest(t, "list", backup.SnapshotsResource, claim.Namespace, err)
	}
	best := claimAnswer{status: hooks.Wait, reason: fmt.Sprintf("claim %s/%s: expected a VolumeSnapshot of it, found none: take one", claim.Namespace, claim.Name)}
	for i, snap := range all {
		if i == maxCandidates {
			break
		}
		a, err := c.look(ctx, t, snapshots, snap, claim)
		if err != nil {
			return claimAnswer{}, err
		}
		if a.status == hooks.Pass {
			return a, nil
		}
		if i == 0 {
			best = a
		}
	}
	return best, nil
}

func (c *snapshotBackup) take(ctx context.Context, t check.Target, snapshots backup.Snapshots, claim *corev1.PersistentVolumeClaim, class string) (claimAnswer, error) {
	taking := backup.Taking{Gate: t.Change.Gate, Cluster: t.Change.Cluster, Revision: t.Change.Revision, Claim: claim.Name, Class: class}
	snap, err := snapshots.Take(ctx, taking)
	switch {
	case errors.Is(err, backup.ErrForeign):
		return claimAnswer{status: hooks.Fail, reason: fmt.Sprintf("volumesnapshot %s/%s: %v: delete or rename it", claim.Namespace, taking.Name(), backup.ErrForeign)}, nil
	case err != nil:
		return claimAnswer{}, snapshotRequest(t, "get, create", backup.SnapshotsResource, claim.Namespace, err)
	}
	a, err := c.look(ctx, t, snapshots, snap, claim)
	if err != nil || a.status == hooks.Pass {
		return a, err
	}
	if c.tooOld(snap) {
		// It is taken once per revision: it will not become younger.
		a.status = hooks.Fail
		a.reason += fmt.Sprintf(": delete volumesnapshot %s/%s, and a new one is taken", snap.Namespace, snap.Name)
	}
	return a, nil
}

func (c *snapshotBackup) tooOld(snap backup.Snapshot) bool {
	return c.proof != gate.ProofExists && c.now().Sub(snap.Taken) > c.maxAge
}

// look says how well one snapshot is known to be good.
func (c *snapshotBackup) look(ctx context.Context, t check.Target, snapshots backup.Snapshots, snap backup.Snapshot, claim *corev1.PersistentVolumeClaim) (claimAnswer, error) {
	label := fmt.Sprintf("volumesnapshot %s/%s of claim %s", snap.Namespace, snap.Name, claim.Name)
	say := func(status hooks.Status, format string, args ...any) (claimAnswer, error) {
		return claimAnswer{status: status, snapshot: snap, reason: label + ": " + fmt.Sprintf(format, args...)}, nil
	}
	age := c.now().Sub(snap.Taken)
	late := hooks.Wait
	if age > snapshotErrorFor {
		late = hooks.Fail
	}
	switch {
	case age < -clockSkew:
		return say(hooks.Wait, "expected a time in the past, found %s in the future: set the clocks right", ago(-age))
	case c.tooOld(snap):
		return say(hooks.Wait, "expected one at most %s old, the newest is %s old: take a new one", ago(c.maxAge), ago(age))
	case snap.Taken.Before(claim.CreationTimestamp.Add(-clockSkew)):
		return say(hooks.Wait, "it is older than the claim, so it is of an earlier volume: take a new one")
	case snap.Problem != "":
		return say(late, "expected readyToUse, found an error: %s: look at the snapshot controller and the class", line(snap.Problem, 300))
	case !snap.Ready:
		return say(hooks.Wait, "expected readyToUse, it is not yet: wait, or look at the snapshot controller")
	}
	binding, err := snapshots.Bound(ctx, snap)
	switch {
	case err != nil:
		return claimAnswer{}, snapshotRequest(t, "get", backup.ContentsResource, "", err)
	case binding.Broken:
		return say(hooks.Fail, "expected that it and its content name each other, but %s: take a new one", line(binding.Why, 300))
	case !binding.Bound:
		return say(hooks.Wait, "expected that it and its content name each other, but %s: wait, or look at the snapshot controller", line(binding.Why, 300))
	}
	size := ""
	if snap.RestoreSize != "" {
		size = ", restores to " + snap.RestoreSize
	}
	return say(hooks.Pass, "readyToUse, bound both ways to %s, taken %s%s", snap.Content, snap.Taken.UTC().Format(time.RFC3339), size)
}

// snapshotRequest says what could not be asked. A cluster without the kinds of
// the external snapshotter answers that there is no such resource.
func snapshotRequest(t check.Target, verb, resource, namespace string, err error) error {
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%s %s at cluster %s: it serves no snapshot.storage.k8s.io/v1: install the CRDs and the controller of the external snapshotter: %w", verb, resource, t.Change.Cluster, err)
	}
	return request{verb: verb, resource: resource, namespace: namespace}.failed(t, err)
}

package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	quantity "k8s.io/apimachinery/pkg/api/resource"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/policies/gate"
)

const (
	// clockSkew is how far in the future a backup's time may lie and still be
	// taken for now: clocks differ.
	clockSkew = time.Minute
	// settling is how long after its last change a backup may still lack its
	// end or its checksum: until then what is missing is Wait, after it Fail.
	settling = 2 * time.Minute
	// growing is how long a file must be untouched to be taken for written to
	// its end where no checksum says so.
	growing = 15 * time.Second
	// patience is how long one question waits for an object to be read.
	patience = 2 * time.Second
	// maxClaims is how many claims one check looks at.
	maxClaims = 50
)

func newBackup(stores *backup.Stores, now func() time.Time) func(gate.BackupCheck) (check.Check, error) {
	return func(spec gate.BackupCheck) (check.Check, error) {
		if spec.Proof == "" {
			spec.Proof = gate.ProofComplete
		}
		switch spec.Proof {
		case gate.ProofExists:
		case gate.ProofFresh, gate.ProofComplete:
			if spec.MaxAge <= 0 {
				return nil, fmt.Errorf("maxAge: expected how old the backup may be, such as \"24h\", found nothing (proof %s)", spec.Proof)
			}
		default:
			return nil, fmt.Errorf("proof: expected exists, fresh or complete, found %.40q", spec.Proof)
		}
		if (spec.Objects == nil) == (spec.Snapshots == nil) {
			return nil, errors.New("expected exactly one of objects and snapshots")
		}
		limits := backupLimits{proof: spec.Proof, maxAge: time.Duration(spec.MaxAge), now: now}
		if spec.Objects != nil {
			return newObjectBackup(*spec.Objects, limits, stores)
		}
		return newSnapshotBackup(*spec.Snapshots, limits)
	}
}

// backupLimits are what is asked of a backup of either kind.
type backupLimits struct {
	proof  gate.Proof
	maxAge time.Duration
	now    func() time.Time
}

// objectBackup asks for a backup that is kept as an object in a store.
type objectBackup struct {
	backupLimits
	spec    gate.ObjectBackup
	minSize int64
	stores  *backup.Stores
}

func newObjectBackup(spec gate.ObjectBackup, limits backupLimits, stores *backup.Stores) (check.Check, error) {
	c := &objectBackup{backupLimits: limits, spec: spec, minSize: 1, stores: stores}
	if strings.TrimSpace(spec.Store) == "" {
		return nil, errors.New("objects.store: expected the name of a store in the server's configuration, found nothing")
	}
	if err := texts("objects.prefix", spec.Prefix, "objects.suffix", spec.Suffix); err != nil {
		return nil, err
	}
	if spec.MinSize != "" {
		q, err := quantity.ParseQuantity(spec.MinSize)
		if err != nil || q.Sign() <= 0 {
			return nil, fmt.Errorf("objects.minSize: expected a size such as \"10Mi\", found %.80q", spec.MinSize)
		}
		c.minSize = q.Value()
	}
	return c, nil
}

// Evaluate implements check.Check.
func (c *objectBackup) Evaluate(ctx context.Context, t check.Target) (check.Answer, error) {
	if c.stores == nil {
		return check.Answer{}, fmt.Errorf("get store %.80q: the server has no stores; add it to the server's configuration", c.spec.Store)
	}
	store, err := c.stores.Get(c.spec.Store)
	if err != nil {
		return check.Answer{}, err
	}
	prefix, err := fill(ctx, t, "objects.prefix", c.spec.Prefix)
	if err != nil {
		return check.Answer{}, err
	}
	suffix, err := fill(ctx, t, "objects.suffix", c.spec.Suffix)
	if err != nil {
		return check.Answer{}, err
	}
	o, err := store.Newest(ctx, prefix, suffix)
	switch {
	case errors.Is(err, backup.ErrNone):
		return answer(hooks.Wait, nil, "backup: expected one, found none: %v: take a backup, or correct prefix and suffix", err), nil
	case err != nil:
		return check.Answer{}, err
	}
	return c.judge(ctx, o)
}

// judge takes the levels of proof one by one, weakest first.
func (c *objectBackup) judge(ctx context.Context, o backup.Object) (check.Answer, error) {
	age := c.now().Sub(o.Modified)
	evidence := []hooks.Evidence{{Object: o.Location, Fact: fmt.Sprintf("%d bytes, modified %s", o.Size, o.Modified.UTC().Format(time.RFC3339))}}
	found := &hooks.Backup{Location: o.Location, Taken: o.Modified.UTC(), Size: o.Size, Proof: string(gate.ProofExists)}
	// lacking is the answer while something may still come.
	lacking := hooks.Fail
	if age < settling {
		lacking = hooks.Wait
	}
	switch {
	case age < -clockSkew:
		return answer(hooks.Wait, evidence, "backup %s: expected a time in the past, found %s in the future: set the clocks right, or take a new backup", o.Location, ago(-age)), nil
	case c.proof != gate.ProofExists && age > c.maxAge:
		return answer(hooks.Wait, evidence, "backup %s: expected one at most %s old, the newest is %s old: take a new backup", o.Location, ago(c.maxAge), ago(age)), nil
	case o.Size < c.minSize:
		return answer(lacking, evidence, "backup %s: expected at least %d bytes, found %d: take the backup again, or lower minSize", o.Location, c.minSize, o.Size), nil
	}
	if c.proof != gate.ProofComplete {
		if o.MayGrow && age < growing {
			return answer(hooks.Wait, evidence, "backup %s: changed %s ago, expected it to be untouched for %s: wait until it is written", o.Location, ago(max(age, 0)), ago(growing)), nil
		}
		found.Proof = string(c.proof)
		return passed(evidence, found, "backup %s: %d bytes, %s old (proof %s)", o.Location, o.Size, ago(max(age, 0)), c.proof), nil
	}
	return c.complete(ctx, o, found, evidence, lacking)
}

func (c *objectBackup) complete(ctx context.Context, o backup.Object, found *hooks.Backup, evidence []hooks.Evidence, lacking hooks.Status) (check.Answer, error) {
	proven, err := c.stores.Prove(ctx, o, patience)
	switch {
	case errors.Is(err, backup.ErrChanged):
		return answer(hooks.Wait, evidence, "backup %s: changed while it was looked at: wait until it is written", o.Location), nil
	case err != nil:
		return check.Answer{Evidence: evidence}, err
	}
	evidence[0].Fact += "\n" + proven.Why
	switch {
	case proven.Reading:
		return answer(hooks.Wait, evidence, "backup %s: expected its checksum to hold, which is being looked at: %s", o.Location, proven.Why), nil
	case !proven.Whole:
		return answer(lacking, evidence, "backup %s: expected it whole, but %s: %s", o.Location, proven.Why, proven.Fix), nil
	}
	found.Proof = string(gate.ProofComplete)
	age := c.now().Sub(o.Modified)
	return passed(evidence, found, "backup %s: %s old, %s (proof complete)", o.Location, ago(max(age, 0)), proven.Why), nil
}

func passed(evidence []hooks.Evidence, found *hooks.Backup, format string, args ...any) check.Answer {
	a := answer(hooks.Pass, evidence, format, args...)
	a.Backup = found
	return a
}

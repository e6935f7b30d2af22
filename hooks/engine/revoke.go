package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// maxOverridden bounds Overridden; who needs more looks into the audit log.
const maxOverridden = 100

// Overridden are the overridden Runs of a gate on a cluster, the newest first, at
// most the newest 100: those that hold, or with all also those that have ended.
func (e *Engine) Overridden(ctx context.Context, cluster, gate string, all bool) ([]hooks.Run, error) {
	runs, err := e.Runs(ctx, store.Filter{Cluster: cluster, Gate: gate, Verdict: hooks.Overridden, Limit: maxOverridden})
	if err != nil || all {
		return runs, err
	}
	holding := make([]hooks.Run, 0, len(runs))
	for _, r := range runs {
		if r.Overrides(e.now()) {
			holding = append(holding, r)
		}
	}
	return holding, nil
}

// Revoke ends an override before its time: what has gone on by it stays, and
// nothing goes on by it any more. by is who decided so; whether that person may
// is the caller's to find out. An override that is revoked stays so, and asking
// again does no harm.
func (e *Engine) Revoke(ctx context.Context, id string, req hooks.RevokeRequest, by string) (hooks.Run, error) {
	if err := req.Validate(); err != nil {
		return hooks.Run{}, refuse(hooks.CodeInvalidChange, "correct the arguments of `syncgate override revoke`", "%v", err)
	}
	now := e.now().UTC().Truncate(time.Microsecond)
	var r store.Stored
	ended := false
	err := e.store.InTx(ctx, func(tx *store.Tx) (err error) {
		if r, err = tx.Run(ctx, id); errors.Is(err, store.ErrNotFound) || err == nil && r.Change.Cluster != req.Cluster {
			return refuse(hooks.CodeUnknownRun, "take the id from `syncgate override list`", "cluster %q has no run %.80q", req.Cluster, id)
		}
		if err != nil {
			return err
		}
		if r.Verdict != hooks.Overridden || r.Override == nil {
			return refuse(hooks.CodeInvalidChange, "take the id from `syncgate override list`", "run %s: expected one that was overridden, found %s", id, verdictOf(r))
		}
		if r.Override.Revoked != nil {
			return nil
		}
		if !r.Overrides(now) {
			return refuse(hooks.CodeInvalidChange, "nothing: it lets nothing go any more", "run %s: its override has ended at %s", id, r.Override.Until.Format(time.RFC3339))
		}
		ended = true
		return revoke(ctx, tx, r, hooks.Revocation{By: by, Reason: req.Reason, At: now})
	})
	if err != nil {
		return hooks.Run{}, err
	}
	if ended {
		e.log.WarnContext(ctx, "override revoked", "run", r.ID, "gate", r.Change.Gate, "cluster", r.Change.Cluster, "revision", r.Change.Revision,
			"phase", string(r.Change.Phase), "by", by, "reason", req.Reason)
	}
	e.changed(ctx, r.Key())
	return e.Run(ctx, r.ID)
}

func verdictOf(r store.Stored) string {
	if !r.Done() {
		return "one that goes on"
	}
	return string(r.Verdict)
}

func revoke(ctx context.Context, tx *store.Tx, r store.Stored, why hooks.Revocation) error {
	o := *r.Override
	o.Revoked = &why
	if err := tx.SaveOverride(ctx, r.ID, o); err != nil {
		return err
	}
	return tx.Audit(ctx, store.AuditEntry{At: why.At, Action: "override", Subject: why.By, Cluster: r.Change.Cluster, Run: r.ID,
		Detail: fmt.Sprintf("revoked %s of gate %s at %s, which held until %s: %s",
			r.Change.Phase, r.Change.Gate, r.Change.Revision, o.Until.Format(time.RFC3339), why.Reason)})
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// answers reports whether a finished Run lets a new attempt go on: it passed
// and is fresh, or somebody overrode it and that has not ended.
func answers(r store.Stored, now time.Time, freshFor time.Duration) bool {
	switch r.Verdict {
	case hooks.Passed:
		return now.Before(r.Ended.Add(freshFor))
	case hooks.Overridden:
		return r.Overrides(now)
	default:
		return false
	}
}

// Override lets a Change go on because a person decided so, and answers with
// the Run that holds the decision: the unfinished one, whose waiters get it at
// once, or a new one. by is the person's user name; whether that person may is
// the caller's to find out. What is required by the server's configuration is
// overridden too: that is what breaking the glass is for, and the audit log has
// it. Only the form of the values is not looked at: a Gate that can be read, a
// cluster of it and a revision of the synced branch must be there.
func (e *Engine) Override(ctx context.Context, req hooks.OverrideRequest, by string) (hooks.Run, error) {
	if err := req.Validate(); err != nil {
		return hooks.Run{}, refuse(hooks.CodeInvalidChange, "correct the arguments of `syncgate override`", "%v", err)
	}
	if most := e.opts.Limits.MaxOverride; time.Duration(req.For) > most {
		return hooks.Run{}, refuse(hooks.CodeInvalidChange, "ask for less, and again when it has ended",
			"override: for: expected at most %s (limit maxOverride), found %s", most, time.Duration(req.For))
	}
	repo, err := e.repository(req.Repository)
	if err != nil {
		return hooks.Run{}, err
	}
	s, err := e.gates.load(ctx, repo, req.Revision, req.Gate)
	if err != nil {
		return hooks.Run{}, err
	}
	if err := onBranch(ctx, repo, req.Revision); err != nil {
		return hooks.Run{}, err
	}
	if _, err := s.gate.Cluster(req.Cluster); err != nil {
		return hooks.Run{}, refuse(hooks.CodeInvalidChange, "name a cluster of "+s.gate.File, "%v", err)
	}
	now := e.now().UTC().Truncate(time.Microsecond)
	o := hooks.Override{By: by, Reason: req.Reason, Until: now.Add(time.Duration(req.For)).Truncate(time.Second)}
	var r store.Stored
	err = e.store.InTx(ctx, func(tx *store.Tx) error {
		if r, err = e.overridable(ctx, tx, repo, req, now); err != nil {
			return err
		}
		return e.decideOverridden(ctx, tx, r, o, now)
	})
	if err != nil {
		return hooks.Run{}, err
	}
	e.log.WarnContext(ctx, "run overridden", "run", r.ID, "gate", req.Gate, "cluster", req.Cluster, "revision", req.Revision,
		"phase", string(req.Phase), "by", by, "until", o.Until, "reason", o.Reason)
	e.changed(ctx, r.Key())
	e.hub.signal(r.ID)
	return e.Run(ctx, r.ID)
}

// overridable is the key's unfinished Run, or a new one.
func (e *Engine) overridable(ctx context.Context, tx *store.Tx, repo *Repository, req hooks.OverrideRequest, now time.Time) (store.Stored, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return store.Stored{}, fmt.Errorf("make run: %w", err)
	}
	c := req.Change("override-" + id.String())
	c.Repository = repo.URLs[0]
	newest, err := tx.Newest(ctx, store.KeyOf(repo.Name, c))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return newest, err
	}
	if err == nil && !newest.Done() {
		return newest, nil
	}
	r := store.Stored{Repository: repo.Name, Run: hooks.Run{ID: id.String(), Change: c, Number: newest.Number + 1, Started: now, Deadline: now}}
	if err := tx.InsertRun(ctx, r); err != nil {
		return r, err
	}
	return r, tx.Join(ctx, r.Key(), c.Attempt, r.ID, now)
}

// decideOverridden gives the Run its verdict. What was overridden after the
// sync is not a revision to go back to, since nothing said that it is good; but
// it is not undone either, so the pull request that would is closed.
func (e *Engine) decideOverridden(ctx context.Context, tx *store.Tx, r store.Stored, o hooks.Override, now time.Time) error {
	reason := fmt.Sprintf("overridden by %s until %s: %s", o.By, o.Until.Format(time.RFC3339), o.Reason)
	if _, err := tx.Finish(ctx, r.ID, hooks.Overridden, reason, now); err != nil {
		return err
	}
	if err := tx.SaveOverride(ctx, r.ID, o); err != nil {
		return err
	}
	if err := tx.Audit(ctx, store.AuditEntry{At: now, Action: "override", Subject: o.By, Cluster: r.Change.Cluster, Run: r.ID,
		Detail: fmt.Sprintf("%s of gate %s at %s until %s: %s", r.Change.Phase, r.Change.Gate, r.Change.Revision, o.Until.Format(time.RFC3339), o.Reason)}); err != nil {
		return err
	}
	return e.write(ctx, tx, r, decision{hooks.Overridden, reason}, followUp{settle: r.Change.Phase == hooks.PostSync})
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// lastGrace is how long the last round may take beyond the deadline.
const lastGrace = 30 * time.Second

// runWorker works on Runs, one round a job; between two rounds the job sleeps
// in the database.
type runWorker struct {
	river.WorkerDefaults[runArgs]
	e *Engine
}

// Timeout is the fence behind the round's own limits.
func (w *runWorker) Timeout(*river.Job[runArgs]) time.Duration { return w.e.runTimeout() }

// NextRetry is for rounds that broke down, not for those that wait.
func (w *runWorker) NextRetry(job *river.Job[runArgs]) time.Time {
	return time.Now().Add(min(retryWait(job.Attempt), 30*time.Second))
}

// Work asks the Run's checks once. The verdict, its events, the follow-up jobs
// and this job's completion are one transaction.
func (w *runWorker) Work(ctx context.Context, job *river.Job[runArgs]) error {
	e := w.e
	r, err := e.store.Run(ctx, job.Args.RunID)
	if errors.Is(err, store.ErrNotFound) {
		return river.JobCancel(fmt.Errorf("work on run %s: %w", job.Args.RunID, err))
	}
	if err != nil {
		return err
	}
	if r.Done() {
		return nil
	}
	if r.Change.Phase == hooks.SyncFail {
		return e.recordSyncFail(ctx, r, job)
	}
	// A Run that wakes at its deadline, or after it because no process was
	// there, asks once more: what it knows may be old.
	left := max(0, r.Deadline.Sub(e.now()))
	asking, cancel := context.WithTimeoutCause(ctx, left+min(lastGrace, e.opts.Limits.CheckTimeout), errDeadline)
	defer cancel()
	d, interval, err := e.round(asking, &r)
	left = r.Deadline.Sub(e.now())
	switch {
	case ctx.Err() != nil:
		// The process ends or the fence was hit: the next one asks again.
		return river.JobSnooze(0)
	case err != nil:
		return err
	case d.verdict != "":
		return e.finish(ctx, r, d, job)
	case left <= 0:
		return e.finish(ctx, r, expired(r), job)
	}
	return river.JobSnooze(min(max(interval, e.opts.Limits.MinInterval), left))
}

// round asks once and puts what was found out into r.
func (e *Engine) round(ctx context.Context, r *store.Stored) (decision, time.Duration, error) {
	save := func(ctx context.Context, position int, res hooks.Result) error { return e.keep(ctx, r, position, res) }
	rd, interval, err := e.newRound(ctx, *r)
	if err != nil {
		if interrupted(ctx) {
			return decision{}, interval, context.Cause(ctx)
		}
		// Nothing can be asked; what cannot be found out blocks.
		res := hooks.Result{Check: gateCheck, Status: hooks.Unknown, Reason: err.Error(),
			At: e.now().UTC().Truncate(time.Microsecond), Asked: asked(*r, gateCheck) + 1}
		bound(&res)
		return decision{}, interval, save(ctx, -1, res)
	}
	if was, ok := result(*r, gateCheck); ok && was.Status != hooks.Pass {
		res := hooks.Result{Check: gateCheck, Status: hooks.Pass, Reason: "the checks can be asked again",
			At: e.now().UTC().Truncate(time.Microsecond), Asked: was.Asked + 1}
		if err := save(ctx, -1, res); err != nil {
			return decision{}, interval, err
		}
	}
	d, err := rd.decide(ctx, save)
	return d, interval, err
}

// maxEvents is how many events a Run may have before it says no more than its
// verdict; its Results go on.
const maxEvents = 2000

// says reports whether a Result says something new to those who wait: another
// status, or, at most some 200 times in a Run, another reason.
func says(r store.Stored, was, is hooks.Result) bool {
	if was.Status != is.Status {
		return true
	}
	window := max(30*time.Second, r.Deadline.Sub(r.Started)/200)
	return was.Reason != is.Reason && !was.At.Truncate(window).Equal(is.At.Truncate(window))
}

// keep writes a Result, with an event when it says something new.
func (e *Engine) keep(ctx context.Context, r *store.Stored, position int, res hooks.Result) error {
	was, ok := result(*r, res.Check)
	news := says(*r, was, res)
	err := e.store.InTx(ctx, func(tx *store.Tx) error {
		now, err := tx.Run(ctx, r.ID)
		if err != nil || now.Done() {
			return err // decided meanwhile: nothing is added to it
		}
		if err := tx.SaveResult(ctx, r.ID, position, res); err != nil {
			return err
		}
		if !news || now.Events > maxEvents {
			return nil
		}
		event := hooks.Event{At: res.At, Result: &res}
		if now.Events == maxEvents {
			event = hooks.Event{At: res.At, Note: fmt.Sprintf("over the limit of %d events: only the verdict follows", maxEvents)}
		}
		_, err = tx.Append(ctx, r.ID, event)
		return err
	})
	if err != nil {
		return err
	}
	if !ok {
		r.Results = append(r.Results, res)
	}
	for i := range r.Results {
		if r.Results[i].Check == res.Check {
			r.Results[i] = res
		}
	}
	if news {
		e.hub.signal(r.ID)
	}
	return nil
}

func result(r store.Stored, name string) (hooks.Result, bool) {
	for _, res := range r.Results {
		if res.Check == name {
			return res, true
		}
	}
	return hooks.Result{}, false
}

func asked(r store.Stored, name string) int {
	res, _ := result(r, name)
	return res.Asked
}

// expired is the decision when the deadline has come.
func expired(r store.Stored) decision {
	var open []hooks.Result
	for _, res := range r.Results {
		if res.Status != hooks.Pass {
			open = append(open, res)
		}
	}
	reason := fmt.Sprintf("the deadline of %s came", r.Deadline.Sub(r.Started).Round(time.Second))
	if len(open) == 0 {
		return decision{hooks.Expired, reason + " before every check was asked at one time"}
	}
	return decision{hooks.Expired, reason + "; held by " + oneLine(open)}
}

// finish gives the Run its verdict and starts what follows from it.
func (e *Engine) finish(ctx context.Context, r store.Stored, d decision, job *river.Job[runArgs]) error {
	now := e.now().UTC().Truncate(time.Microsecond)
	f := e.follow(ctx, r, d)
	first := false
	err := e.store.InTx(ctx, func(tx *store.Tx) error {
		var err error
		if first, err = e.conclude(ctx, tx, r, d, f, now); err != nil {
			return err
		}
		if _, err = river.JobCompleteTx[*riversqlite.Driver](ctx, tx.SQL(), job); err != nil {
			return fmt.Errorf("complete job: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.finished(ctx, r, d, first)
	return nil
}

// end gives a Run its verdict from outside of its job, which finds it there
// when it wakes. A Run that has one keeps it.
func (e *Engine) end(ctx context.Context, r store.Stored, d decision) error {
	first := false
	err := e.store.InTx(ctx, func(tx *store.Tx) (err error) {
		first, err = e.conclude(ctx, tx, r, d, followUp{}, e.now().UTC().Truncate(time.Microsecond))
		return err
	})
	if err == nil {
		e.finished(ctx, r, d, first)
	}
	return err
}

// conclude writes the verdict and what goes with it. It reports false when the
// Run had one.
func (e *Engine) conclude(ctx context.Context, tx *store.Tx, r store.Stored, d decision, f followUp, now time.Time) (bool, error) {
	first, err := tx.Finish(ctx, r.ID, d.verdict, d.reason, now)
	if err == nil && first {
		err = e.write(ctx, tx, r, d, f)
	}
	return first, err
}

// finished tells of a verdict that is written.
func (e *Engine) finished(ctx context.Context, r store.Stored, d decision, first bool) {
	if first {
		e.changed(ctx, r.Key())
		e.log.InfoContext(ctx, "run finished", "run", r.ID, "gate", r.Change.Gate, "cluster", r.Change.Cluster,
			"revision", r.Change.Revision, "phase", string(r.Change.Phase), "verdict", string(d.verdict), "reason", d.reason)
	}
	e.hub.signal(r.ID)
}

// write is what goes into the verdict's transaction beside the verdict.
func (e *Engine) write(ctx context.Context, tx *store.Tx, r store.Stored, d decision, f followUp) error {
	now := e.now().UTC().Truncate(time.Microsecond)
	if r.Change.Phase == hooks.PreSync && d.verdict.LetsGo() {
		if err := e.overtake(ctx, tx, r.Key()); err != nil {
			return err
		}
	}
	if b := firstBackup(r); b != nil && d.verdict == hooks.Passed {
		if err := tx.SaveBackup(ctx, r.ID, *b); err != nil {
			return err
		}
	}
	for _, note := range f.notes {
		if _, err := tx.Append(ctx, r.ID, hooks.Event{At: now, Note: note}); err != nil {
			return err
		}
	}
	if f.outcome != nil {
		if err := tx.SaveRevert(ctx, r.ID, *f.outcome); err != nil {
			return err
		}
		if _, err := tx.Append(ctx, r.ID, hooks.Event{At: now, Revert: f.outcome}); err != nil {
			return err
		}
	}
	notice := &hooks.VerdictNotice{Verdict: d.verdict, Reason: d.reason, RevertFollows: f.revert}
	if _, err := tx.Append(ctx, r.ID, hooks.Event{At: now, Verdict: notice}); err != nil {
		return err
	}
	if f.baseline {
		if err := tx.AddBaseline(ctx, r, now); err != nil {
			return err
		}
	}
	if f.settle {
		if _, err := e.river.InsertTx(ctx, tx.SQL(), settleArgs{RunID: r.ID}, e.tries()); err != nil {
			return fmt.Errorf("queue settle: %w", err)
		}
	}
	if f.revert {
		if _, err := e.river.InsertTx(ctx, tx.SQL(), revertArgs{RunID: r.ID}, e.tries()); err != nil {
			return fmt.Errorf("queue revert: %w", err)
		}
	}
	return tx.Audit(ctx, store.AuditEntry{At: now, Action: "verdict", Subject: "syncgate", Cluster: r.Change.Cluster, Run: r.ID,
		Detail: fmt.Sprintf("%s of gate %s at %s: %s: %s", r.Change.Phase, r.Change.Gate, r.Change.Revision, d.verdict, d.reason)})
}

func (e *Engine) tries() *river.InsertOpts {
	return &river.InsertOpts{MaxAttempts: e.opts.Limits.RevertTries}
}

func firstBackup(r store.Stored) *hooks.Backup {
	for _, res := range r.Results {
		if res.Status == hooks.Pass && res.Backup != nil {
			return res.Backup
		}
	}
	return nil
}

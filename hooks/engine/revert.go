package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// maxBaselines is among how many of the newest passed revisions the one to go
// back to is looked for.
const maxBaselines = 50

// revertWorker undoes the change of a Run that did not pass. It may be killed
// anywhere: a Reverter adopts what it finds.
type revertWorker struct{ forgeWorker[revertArgs] }

// Work calls the Reverter and keeps what came of it.
func (w *revertWorker) Work(ctx context.Context, job *river.Job[revertArgs]) error {
	e := w.e
	r, err := e.store.Run(ctx, job.Args.RunID)
	if err != nil {
		return err
	}
	if r.Revert != nil {
		return nil
	}
	out, err := e.revert(ctx, r)
	if ctx.Err() != nil {
		return river.JobSnooze(0) // the process ends: that was no try
	}
	if err != nil {
		e.log.WarnContext(ctx, "revert failed", "run", r.ID, "try", job.Attempt, "error", err)
		if job.Attempt < job.MaxAttempts {
			return e.noteTrouble(ctx, r, job.Attempt, err)
		}
		out = gitops.Outcome{Action: gitops.None, Reason: fmt.Sprintf(
			"given up after %d tries; undo the change yourself; the last try: %v", job.Attempt, err)}
	}
	o := hooks.RevertOutcome{Action: string(out.Action), URL: out.URL, Reason: cut(out.Reason, maxReason)}
	if err := e.keepRevert(ctx, r, o, job); err != nil {
		return err
	}
	e.log.InfoContext(ctx, "revert done", "run", r.ID, "action", o.Action, "url", o.URL, "reason", o.Reason)
	e.hub.signal(r.ID)
	return nil
}

// noteTrouble tells the waiters of the first failed try, and returns err for
// the queue.
func (e *Engine) noteTrouble(ctx context.Context, r store.Stored, try int, err error) error {
	if try > 1 {
		return err
	}
	note := cut(fmt.Sprintf("the revert could not be done yet and is tried again: %v", err), maxReason)
	noted := e.store.InTx(ctx, func(tx *store.Tx) error {
		_, err := tx.Append(ctx, r.ID, hooks.Event{At: e.now().UTC(), Note: note})
		return err
	})
	if noted != nil {
		return fmt.Errorf("%w; and its note: %w", err, noted)
	}
	e.hub.signal(r.ID)
	return err
}

func (e *Engine) keepRevert(ctx context.Context, r store.Stored, o hooks.RevertOutcome, job *river.Job[revertArgs]) error {
	return e.store.InTx(ctx, func(tx *store.Tx) error {
		now := e.now().UTC().Truncate(time.Microsecond)
		if err := tx.SaveRevert(ctx, r.ID, o); err != nil {
			return err
		}
		if _, err := tx.Append(ctx, r.ID, hooks.Event{At: now, Revert: &o}); err != nil {
			return err
		}
		newest, err := tx.Newest(ctx, r.Key())
		if err != nil {
			return err
		}
		if newest.Number > r.Number && newest.Verdict.LetsGo() {
			// It passed, or somebody overrode it, while the pull request was
			// being opened, and its own settling may have found nothing to close.
			if _, err := e.river.InsertTx(ctx, tx.SQL(), settleArgs{RunID: newest.ID}, e.tries()); err != nil {
				return fmt.Errorf("queue settle: %w", err)
			}
		}
		if err := tx.Audit(ctx, store.AuditEntry{At: now, Action: "revert", Subject: "syncgate", Cluster: r.Change.Cluster, Run: r.ID,
			Detail: strings.TrimSpace(fmt.Sprintf("gate %s at %s: %s %s", r.Change.Gate, r.Change.Revision, o.Action, o.URL))}); err != nil {
			return err
		}
		if _, err := river.JobCompleteTx[*riversqlite.Driver](ctx, tx.SQL(), job); err != nil {
			return fmt.Errorf("complete job: %w", err)
		}
		return nil
	})
}

// revert undoes the Run's change, or says why there is nothing to undo.
func (e *Engine) revert(ctx context.Context, r store.Stored) (gitops.Outcome, error) {
	none := func(format string, args ...any) (gitops.Outcome, error) {
		return gitops.Outcome{Action: gitops.None, Reason: fmt.Sprintf(format, args...)}, nil
	}
	newest, err := e.store.Newest(ctx, r.Key())
	if err != nil {
		return gitops.Outcome{}, err
	}
	if newest.Number > r.Number && newest.Verdict.LetsGo() {
		return none("a later attempt of the same revision, run %s, is %s: %s", newest.ID, newest.Verdict, newest.Reason)
	}
	repo, ok := e.repos[r.Repository]
	if !ok {
		return gitops.Outcome{}, fmt.Errorf("revert: the server no longer has a repository named %q; put it back into its configuration", r.Repository)
	}
	s, err := e.gates.load(ctx, repo, r.Change.Revision, r.Change.Gate)
	if err != nil {
		return gitops.Outcome{}, err
	}
	if s.gate.Spec.Revert.Disabled {
		return none("spec.revert.disabled is set in %s: undo the change yourself if it must be undone", s.gate.File)
	}
	good, passedHere, err := e.lastGood(ctx, repo, r)
	if err != nil {
		return gitops.Outcome{}, err
	}
	if passedHere {
		return none("this very revision passed on cluster %s before: what fails now is not what it changed; find out what else did, and sync again", r.Change.Cluster)
	}
	guarded, err := s.gate.Guarded()
	if err != nil {
		return gitops.Outcome{}, fmt.Errorf("list guarded files: %w", err)
	}
	backup, err := e.backupLine(ctx, r)
	if err != nil {
		return gitops.Outcome{}, err
	}
	base := s.gate.Spec.Revert.Branch
	if base == "" {
		base = repo.Branch
	}
	return repo.Reverter.Revert(ctx, gitops.RevertRequest{
		Gate: r.Change.Gate, Cluster: r.Change.Cluster, Failing: r.Change.Revision, LastGood: good, Base: base,
		Guarded: guarded, Labels: s.gate.Spec.Revert.Labels, Failures: failures(r), Backup: backup, RunURL: e.runURL(r.ID),
	})
}

// lastGood is the newest ancestor of the Run's revision, by history and not by
// time, that passed on its cluster; "" when none is known. passedHere is true
// when the revision itself did.
func (e *Engine) lastGood(ctx context.Context, repo *Repository, r store.Stored) (good string, passedHere bool, err error) {
	passed, err := e.store.Baselines(ctx, r.Key(), maxBaselines)
	if err != nil {
		return "", false, err
	}
	for _, b := range passed {
		if b.Revision == r.Change.Revision {
			return "", true, nil
		}
	}
	for _, b := range passed {
		before, err := repo.Git.IsAncestor(ctx, b.Revision, r.Change.Revision)
		if err != nil {
			return "", false, fmt.Errorf("find last good revision: %w", err)
		}
		if !before {
			continue
		}
		nearer := good == ""
		if !nearer {
			if nearer, err = repo.Git.IsAncestor(ctx, good, b.Revision); err != nil {
				return "", false, fmt.Errorf("find last good revision: %w", err)
			}
		}
		if nearer {
			good = b.Revision
		}
	}
	return good, false, nil
}

// backupLine says in one line where to restore from: what the revision's last
// passed PreSync proved, and whether somebody let the change go on without.
func (e *Engine) backupLine(ctx context.Context, r store.Stored) (string, error) {
	k := r.Key()
	k.Phase = hooks.PreSync
	proved, err := e.store.ProvedBackups(ctx, k)
	if err != nil {
		return "", err
	}
	lines := make([]string, 0, len(proved))
	for _, b := range proved {
		line := fmt.Sprintf("%s, taken %s, proof: %s", b.Location, b.Taken.UTC().Format(time.RFC3339), b.Proof)
		if b.Size > 0 {
			line += fmt.Sprintf(", %d bytes", b.Size)
		}
		lines = append(lines, line)
	}
	newest, err := e.store.Newest(ctx, k)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	if newest.Verdict == hooks.Overridden {
		lines = append(lines, "this change's preSync was "+newest.Reason)
	}
	return strings.Join(lines, "; "), nil
}

func failures(r store.Stored) []gitops.Failure {
	var out []gitops.Failure
	for _, res := range r.Results {
		if res.Status == hooks.Pass {
			continue
		}
		f := gitops.Failure{Name: res.Check, Status: string(res.Status), Reason: res.Reason}
		for _, ev := range res.Evidence {
			f.Evidence = append(f.Evidence, ev.Object+": "+ev.Fact)
		}
		out = append(out, f)
	}
	return out
}

func (e *Engine) runURL(id string) string {
	if e.opts.PublicURL == "" {
		return ""
	}
	return strings.TrimRight(e.opts.PublicURL, "/") + hooks.PathPageRuns + "/" + id
}

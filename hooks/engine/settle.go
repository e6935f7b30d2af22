package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// settleWorker closes the revert pull request of a revision that passed after
// all.
type settleWorker struct{ forgeWorker[settleArgs] }

// Work closes the pull request, unless the revision is still failing on
// another cluster: one pull request serves them all.
func (w *settleWorker) Work(ctx context.Context, job *river.Job[settleArgs]) error {
	e := w.e
	r, err := e.store.Run(ctx, job.Args.RunID)
	if err != nil {
		return err
	}
	repo, ok := e.repos[r.Repository]
	if !ok {
		return fmt.Errorf("settle: the server no longer has a repository named %q", r.Repository)
	}
	bad, err := e.failingElsewhere(ctx, r)
	if err != nil {
		return err
	}
	if bad != "" {
		e.log.InfoContext(ctx, "revert pull request kept, if there is one", "run", r.ID, "failing_on", bad)
		return nil
	}
	why := fmt.Sprintf("A later attempt of %s passed on cluster %s at %s (run %s), so there is nothing to undo.",
		r.Change.Revision, r.Change.Cluster, r.Ended.UTC().Format(time.RFC3339), r.ID)
	if r.Verdict == hooks.Overridden {
		why = fmt.Sprintf("Somebody decided that %s stays on cluster %s (run %s: %s).",
			r.Change.Revision, r.Change.Cluster, r.ID, r.Reason)
	}
	if err := repo.Reverter.Settle(ctx, r.Change.Gate, r.Change.Revision, why); err != nil {
		if ctx.Err() != nil {
			return river.JobSnooze(0)
		}
		return fmt.Errorf("settle revert of %.12s: %w", r.Change.Revision, err)
	}
	return nil
}

// failingElsewhere is a cluster whose newest postSync Run of the same gate and
// revision has not passed, "" when there is none.
func (e *Engine) failingElsewhere(ctx context.Context, r store.Stored) (string, error) {
	newest, err := e.store.NewestPerCluster(ctx, r.Key())
	if err != nil {
		return "", err
	}
	for _, o := range newest {
		// A first Run that goes on has opened nothing.
		if !o.Verdict.LetsGo() && (o.Done() || o.Number > 1) {
			return o.Change.Cluster, nil
		}
	}
	return "", nil
}

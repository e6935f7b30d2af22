package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"github.com/syncgate/syncgate/hooks/store"
)

// The queues. Reverts have their own, so that they never wait behind Runs.
const (
	runQueue    = "runs"
	revertQueue = "reverts"
)

const (
	revertWorkers = 2
	// forgeTimeout bounds one try of what speaks to a forge.
	forgeTimeout = 10 * time.Minute
	// runTries only bounds how often a process may die under one Run; a round
	// that waits is no try, and the deadline ends the Run anyway.
	runTries = 10_000
)

// runArgs ask for the next round of a Run.
type runArgs struct {
	RunID string `json:"run_id" river:"unique"`
}

func (runArgs) Kind() string { return "run" }

func (runArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: runQueue, MaxAttempts: runTries, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// revertArgs ask to undo the change of a Run that did not pass.
type revertArgs struct {
	RunID string `json:"run_id" river:"unique"`
}

func (revertArgs) Kind() string { return "revert" }

func (revertArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: revertQueue, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// settleArgs ask to close the revert pull request of a Run's revision.
type settleArgs struct {
	RunID string `json:"run_id" river:"unique"`
}

func (settleArgs) Kind() string { return "settle" }

func (settleArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: revertQueue}
}

// pruneArgs ask to remove what is older than the retention.
type pruneArgs struct{}

func (pruneArgs) Kind() string { return "prune" }

func (pruneArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: revertQueue} }

// forgeWorker is what the workers that speak to a forge have in common.
type forgeWorker[T river.JobArgs] struct {
	river.WorkerDefaults[T]
	e *Engine
}

// Timeout of one try.
func (*forgeWorker[T]) Timeout(*river.Job[T]) time.Duration { return forgeTimeout }

// NextRetry grows from seconds to minutes.
func (*forgeWorker[T]) NextRetry(job *river.Job[T]) time.Time {
	return time.Now().Add(retryWait(job.Attempt))
}

// queue configures River with the engine's workers.
func (e *Engine) queue() *river.Config {
	w := river.NewWorkers()
	river.AddWorker(w, &runWorker{e: e})
	river.AddWorker(w, &revertWorker{forgeWorker[revertArgs]{e: e}})
	river.AddWorker(w, &settleWorker{forgeWorker[settleArgs]{e: e}})
	river.AddWorker(w, &pruneWorker{e: e})
	river.AddWorker(w, &reviewWorker{forgeWorker[reviewArgs]{e: e}})
	longest := max(e.runTimeout(), forgeTimeout)
	return &river.Config{
		Queues: map[string]river.QueueConfig{
			runQueue:    {MaxWorkers: e.opts.Limits.Runs},
			revertQueue: {MaxWorkers: revertWorkers},
			reviewQueue: {MaxWorkers: reviewWorkers},
		},
		Workers: w,
		// A round that sleeps wakes by this poll.
		FetchPollInterval:    200 * time.Millisecond,
		Logger:               e.opts.Log.With("component", "queue"),
		JobTimeout:           longest,
		RescueStuckJobsAfter: longest + time.Minute,
		PeriodicJobs: []*river.PeriodicJob{river.NewPeriodicJob(
			river.PeriodicInterval(24*time.Hour),
			func() (river.JobArgs, *river.InsertOpts) { return pruneArgs{}, nil },
			&river.PeriodicJobOpts{RunOnStart: true},
		)},
	}
}

// runTimeout is how long one round may take: the checks in as many turns as the
// limit of questions at one moment makes of them are bounded by the round's own
// context; this is the fence behind it.
func (e *Engine) runTimeout() time.Duration { return 10*e.opts.Limits.CheckTimeout + time.Minute }

// retryWait is the time before try number attempt+1, from two seconds up to
// ten minutes.
func retryWait(attempt int) time.Duration {
	const longest = 10 * time.Minute
	if attempt > 8 {
		return longest
	}
	return min(longest, time.Second<<attempt)
}

// rescue makes the jobs available that a process left running when it ended.
// The queue itself only does so after a long time, since elsewhere another
// process may be at them; here the database's lock says that there is none.
func (e *Engine) rescue(ctx context.Context) error {
	exec := riversqlite.New(e.store.DB()).GetExecutor()
	now := time.Now().UTC()
	note, err := json.Marshal(rivertype.AttemptError{At: now, Error: "the process ended"})
	if err != nil {
		return fmt.Errorf("rescue jobs: %w", err)
	}
	// The last process was the leader of the queue's upkeep; nobody need wait
	// until its term is over.
	later := now.Add(time.Hour)
	if _, err := exec.LeaderDeleteExpired(ctx, &riverdriver.LeaderDeleteExpiredParams{Now: &later}); err != nil {
		return fmt.Errorf("rescue jobs: %w", err)
	}
	const batch = 1000
	horizon := now.Add(time.Minute)
	for after := int64(0); ; {
		jobs, err := exec.JobGetStuck(ctx, &riverdriver.JobGetStuckParams{AfterID: after, Max: batch, StuckHorizon: horizon})
		if err != nil {
			return fmt.Errorf("find jobs to rescue: %w", err)
		}
		if len(jobs) == 0 {
			return nil
		}
		p := riverdriver.JobRescueManyParams{StuckHorizon: horizon}
		for _, j := range jobs {
			after = max(after, j.ID)
			p.ID = append(p.ID, j.ID)
			p.Error = append(p.Error, note)
			p.FinalizedAt = append(p.FinalizedAt, nil)
			p.ScheduledAt = append(p.ScheduledAt, now)
			p.State = append(p.State, string(rivertype.JobStateAvailable))
		}
		if _, err := exec.JobRescueMany(ctx, &p); err != nil {
			return fmt.Errorf("rescue jobs: %w", err)
		}
		e.log.InfoContext(ctx, "took up the work of the last process", "jobs", len(jobs))
	}
}

// maxUnfinished is how many Runs are looked at when the engine starts.
const maxUnfinished = 10_000

// requeue makes sure that every unfinished Run has a job. A job that is there
// is left alone: jobs are unique by Run.
func (e *Engine) requeue(ctx context.Context) error {
	ids, err := e.store.Unfinished(ctx, maxUnfinished)
	if err != nil {
		return err
	}
	for _, id := range ids {
		r, err := e.river.Insert(ctx, runArgs{RunID: id}, nil)
		if err != nil {
			return fmt.Errorf("queue run %s: %w", id, err)
		}
		if !r.UniqueSkippedAsDuplicate {
			e.log.WarnContext(ctx, "an unfinished run had no job", "run", id)
		}
	}
	return nil
}

type pruneWorker struct {
	river.WorkerDefaults[pruneArgs]
	e *Engine
}

// Work removes what is older than the retention.
func (w *pruneWorker) Work(ctx context.Context, _ *river.Job[pruneArgs]) error {
	before := w.e.now().Add(-w.e.opts.Limits.Retention)
	return w.e.store.InTx(ctx, func(tx *store.Tx) error {
		n, err := tx.Prune(ctx, before)
		if n > 0 {
			w.e.log.InfoContext(ctx, "old runs removed", "runs", n, "before", before)
		}
		return err
	})
}

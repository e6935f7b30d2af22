package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/riverqueue/river"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// followUp is what follows from a verdict.
type followUp struct {
	notes    []string
	baseline bool
	settle   bool
	revert   bool
	// outcome is set where it is known at once that nothing is undone.
	outcome *hooks.RevertOutcome
}

// follow says what follows from the decision. Only a change that was applied,
// and of which something was found out that is not good, is undone.
func (e *Engine) follow(ctx context.Context, r store.Stored, d decision) followUp {
	if r.Change.Phase != hooks.PostSync {
		return followUp{}
	}
	if d.verdict == hooks.Passed {
		return followUp{baseline: true, settle: true}
	}
	if d.verdict == hooks.Expired && !waited(r) {
		return nothing("no check said no and none waited: it could not be found out whether the change is good, and that is no reason to undo it; look at what held the checks and sync again")
	}
	repo, ok := e.repos[r.Repository]
	if !ok {
		return followUp{revert: true} // its configuration may come back
	}
	s, err := e.gates.load(ctx, repo, r.Change.Revision, r.Change.Gate)
	if err == nil && s.gate.Spec.Revert.Disabled {
		return nothing(fmt.Sprintf("spec.revert.disabled is set in %s: undo the change yourself if it must be undone", s.gate.File))
	}
	return followUp{revert: true}
}

func nothing(reason string) followUp {
	return followUp{outcome: &hooks.RevertOutcome{Action: "None", Reason: reason}}
}

// waited reports whether a check's last answer was "not yet".
func waited(r store.Stored) bool {
	for _, res := range r.Results {
		if res.Status == hooks.Wait || res.Status == hooks.Fail {
			return true
		}
	}
	return false
}

// recordSyncFail tells what is known of the sync that failed. It asks nothing
// and always passes: there is nothing left to hold.
func (e *Engine) recordSyncFail(ctx context.Context, r store.Stored, job *river.Job[runArgs]) error {
	var notes []string
	culprit := ""
	for _, phase := range []hooks.Phase{hooks.PreSync, hooks.PostSync} {
		k := r.Key()
		k.Phase = phase
		run, err := e.store.Newest(ctx, k)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return err
		case !run.Done():
			notes = append(notes, fmt.Sprintf("%s, run %s, goes on", phase, run.ID))
		default:
			notes = append(notes, fmt.Sprintf("%s, run %s: %s: %s", phase, run.ID, run.Verdict, run.Reason))
		}
		if run.Done() && !run.Verdict.LetsGo() {
			culprit = notes[len(notes)-1]
		}
	}
	if len(notes) == 0 {
		notes = append(notes, "no run of this revision is known: the sync failed for another reason, which the sync operation's message tells")
	}
	reason := "recorded: the sync failed, and not by a check of the gate"
	if culprit != "" {
		reason = "recorded: the sync failed by " + culprit
	}
	return e.finishNoted(ctx, r, notes, cut(reason, maxReason), job)
}

func (e *Engine) finishNoted(ctx context.Context, r store.Stored, notes []string, reason string, job *river.Job[runArgs]) error {
	err := e.store.InTx(ctx, func(tx *store.Tx) error {
		now, err := tx.Run(ctx, r.ID)
		if err != nil || now.Done() {
			return err
		}
		for _, n := range notes {
			if _, err := tx.Append(ctx, r.ID, hooks.Event{At: e.now().UTC(), Note: n}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.finish(ctx, r, decision{hooks.Passed, reason}, job)
}

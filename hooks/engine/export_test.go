package engine

import (
	"context"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/syncgate/syncgate/gitops/forge/webhook"
)

// WorkReview makes one of a review's tries, which are hours apart in the queue.
func WorkReview(ctx context.Context, e *Engine, ev webhook.Event, attempt, of int) error {
	return (&reviewWorker{forgeWorker[reviewArgs]{e: e}}).Work(ctx, &river.Job[reviewArgs]{
		JobRow: &rivertype.JobRow{Attempt: attempt, MaxAttempts: of}, Args: reviewArgs{Repository: "fleet", Event: ev},
	})
}

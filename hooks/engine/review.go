package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/forge/webhook"
	"github.com/syncgate/syncgate/hooks/store"
)

// Reviewer judges what is proposed to a repository, or was pushed to its
// branch, and tells the forge.
type Reviewer interface {
	// Review does what an event of a repository, by the server's own name for
	// it, asks for; Ignored events and repositories that the server does not
	// know never get here. What the event says is a hint: a Reviewer reads from
	// Git what is there, and does nothing for a head that is not the newest any
	// more. It may be called any number of times for one event, by several
	// goroutines, and for events out of order.
	//
	// An error means that it could not be done: it is tried again from seconds
	// up to ten minutes later, after a *forge.LimitedError not before its
	// Until, and given up after some hours. That a Gate does not hold is no
	// error. When ctx ends, the process does, and the next one calls again.
	Review(ctx context.Context, repository string, ev webhook.Event) error
	// GiveUp tells the forge that there will be no verdict and why: a check that
	// is in progress would hold up whoever waits for it without a word. It is
	// called once, after the last try.
	GiveUp(ctx context.Context, repository string, ev webhook.Event, cause error) error
}

// Reception is what came of a delivery.
type Reception struct {
	// Accepted is true when there is work now, which is durable.
	Accepted bool
	// Seen is true when this delivery was accepted before.
	Seen bool
	// Reason says why nothing is done.
	Reason string
}

const (
	reviewQueue   = "reviews"
	reviewWorkers = 2
	// reviewTries is how often a review is tried, from seconds up to ten
	// minutes apart: about four hours.
	reviewTries = 30
	// giveUpTimeout bounds what is said after the last of them.
	giveUpTimeout = time.Minute
)

// reviewArgs ask for an event to be reviewed.
type reviewArgs struct {
	Repository string        `json:"repository"`
	Event      webhook.Event `json:"event"`
}

func (reviewArgs) Kind() string { return "review" }

func (reviewArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: reviewQueue, MaxAttempts: reviewTries}
}

// Receive takes an authentic event. When it returns, the work is in the
// database, once for each delivery; nothing of it has been done. An error means
// that the delivery was not taken.
func (e *Engine) Receive(ctx context.Context, ev webhook.Event) (Reception, error) {
	repo, why := e.toReview(ev)
	if why != "" {
		return Reception{Reason: why}, nil
	}
	out := Reception{Accepted: true}
	err := e.store.InTx(ctx, func(tx *store.Tx) error {
		fresh, err := tx.SeeDelivery(ctx, ev.Delivery, e.now())
		if err != nil {
			return err
		}
		if !fresh {
			out = Reception{Seen: true, Reason: "this delivery was accepted before"}
			return nil
		}
		if _, err := e.river.InsertTx(ctx, tx.SQL(), reviewArgs{Repository: repo.Name, Event: ev}, nil); err != nil {
			return fmt.Errorf("queue review: %w", err)
		}
		return nil
	})
	if err != nil {
		return Reception{}, fmt.Errorf("receive delivery %s: %w", ev.Delivery, err)
	}
	return out, nil
}

// Reviews reports whether there is a Reviewer.
func (e *Engine) Reviews() bool { return e.opts.Reviewer != nil }

// toReview finds the repository of an event, or says why nothing is done.
func (e *Engine) toReview(ev webhook.Event) (*Repository, string) {
	if ev.Kind == webhook.Ignored {
		return nil, ev.Reason
	}
	if e.opts.Reviewer == nil {
		return nil, "the server reviews nothing"
	}
	repo := e.repositoryFold(ev.CloneURL)
	if repo == nil {
		return nil, fmt.Sprintf("the server reads no repository %s; add it to the server's configuration, or its URL to the repository's aliases", canonicalURL(ev.CloneURL))
	}
	if ev.Kind == webhook.Push && ev.Head.Ref != "refs/heads/"+repo.Branch {
		return nil, fmt.Sprintf("the server follows branch %s of this repository", repo.Branch)
	}
	return repo, ""
}

// repositoryFold finds a repository by its URL as a forge spells it: forges
// that send webhooks do not tell names apart by case.
func (e *Engine) repositoryFold(rawURL string) *Repository {
	u := canonicalURL(rawURL)
	if r, ok := e.urls[u]; ok {
		return r
	}
	for known, r := range e.urls {
		if strings.EqualFold(known, u) {
			return r
		}
	}
	return nil
}

// reviewWorker has events reviewed.
type reviewWorker struct{ forgeWorker[reviewArgs] }

// Work calls the Reviewer.
func (w *reviewWorker) Work(ctx context.Context, job *river.Job[reviewArgs]) error {
	e, ev := w.e, job.Args.Event
	log := e.log.With("repository", job.Args.Repository, "event", ev.Name, "delivery", ev.Delivery, "head", ev.Head.SHA)
	if e.opts.Reviewer == nil || e.repos[job.Args.Repository] == nil {
		log.WarnContext(ctx, "review dropped: the configuration has neither reviews nor the repository any more")
		return nil
	}
	err := e.opts.Reviewer.Review(ctx, job.Args.Repository, ev)
	var limited *forge.LimitedError
	switch {
	case err == nil:
		log.InfoContext(ctx, "reviewed", "try", job.Attempt)
		return nil
	case errors.Is(context.Cause(ctx), context.Canceled):
		return river.JobSnooze(0) // the process ends: that was no try
	case errors.As(err, &limited):
		wait := max(time.Until(limited.Until), time.Second)
		log.InfoContext(ctx, "review waits: the forge limits calls", "wait", wait.String())
		return river.JobSnooze(wait)
	}
	log.WarnContext(ctx, "review failed", "try", job.Attempt, "of", job.MaxAttempts, "error", err)
	if job.Attempt < job.MaxAttempts {
		return err
	}
	// The try may have used up its time.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUpTimeout)
	defer cancel()
	if told := e.opts.Reviewer.GiveUp(last, job.Args.Repository, ev, err); told != nil {
		log.ErrorContext(ctx, "the forge was not told that a review was given up; ask for it again there", "error", told)
	}
	return errors.Join(err, e.Audit(last, store.AuditEntry{Action: "review", Subject: "syncgate",
		Detail: cut(fmt.Sprintf("%s %s of %s: given up after %d tries: %v", ev.Name, ev.Head.SHA, job.Args.Repository, job.Attempt, err), maxReason)}))
}

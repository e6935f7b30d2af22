package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/forge/webhook"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
)

// reviewer answers each call with the next of its errors, and tells of it.
type reviewer struct {
	mu     sync.Mutex
	errs   []error
	asked  chan webhook.Event
	gaveUp chan error
	block  chan struct{} // when set, a call waits until ctx ends
	blocks sync.Once
}

func newReviewer(errs ...error) *reviewer {
	return &reviewer{errs: errs, asked: make(chan webhook.Event, 100), gaveUp: make(chan error, 100)}
}

func (r *reviewer) Review(ctx context.Context, _ string, ev webhook.Event) error {
	r.asked <- ev
	waits := false
	if r.block != nil {
		r.blocks.Do(func() { waits = true })
	}
	if waits {
		close(r.block)
		<-ctx.Done()
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) == 0 {
		return nil
	}
	err := r.errs[0]
	r.errs = r.errs[1:]
	return err
}

func (r *reviewer) GiveUp(_ context.Context, _ string, ev webhook.Event, cause error) error {
	r.gaveUp <- fmt.Errorf("%s: %w", ev.Head.SHA, cause)
	return nil
}

func pullEvent(delivery string) webhook.Event {
	return webhook.Event{
		Kind: webhook.PullRequest, Delivery: delivery, Name: "pull_request", Action: "opened", Repository: "acme/fleet", CloneURL: enginetest.URL, Number: 5,
		Head: webhook.Ref{SHA: enginetest.Rev("b"), Ref: "refs/heads/x"}, Base: webhook.Ref{SHA: enginetest.Rev("a"), Ref: "refs/heads/main"}, Fork: true,
	}
}

func receive(t *testing.T, e *engine.Engine, ev webhook.Event) engine.Reception {
	t.Helper()
	got, err := e.Receive(t.Context(), ev)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// A review that fails, or is told to wait, is done again, with all that the
// event says.
func TestReviewIsTriedAgain(t *testing.T) {
	w := enginetest.NewWorld(t)
	r := newReviewer(errors.New("Git is away"), &forge.LimitedError{Until: time.Now(), Err: errors.New("slow down")})
	w.Reviewer = r
	e, _ := w.Start(t)
	if got := receive(t, e, pullEvent("d")); !got.Accepted {
		t.Fatalf("got %+v", got)
	}
	for range 3 {
		if d := cmp.Diff(pullEvent("d"), <-r.asked); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// The last try that fails is told to the forge and to the audit log; those before
// it are not.
func TestReviewIsGivenUp(t *testing.T) {
	w := enginetest.NewWorld(t)
	away := errors.New("Git is away")
	r := newReviewer(away, away)
	w.Reviewer = r
	e, _ := w.Start(t)
	for attempt, last := range []bool{false, true} {
		if err := engine.WorkReview(t.Context(), e, pullEvent("d"), attempt+1, 2); !errors.Is(err, away) {
			t.Errorf("try %d: %v", attempt+1, err)
		}
		if got := len(r.gaveUp) == 1; got != last {
			t.Errorf("given up after try %d of 2: %v", attempt+1, got)
		}
	}
	if err := <-r.gaveUp; !errors.Is(err, away) || !strings.Contains(err.Error(), enginetest.Rev("b")) {
		t.Errorf("gave up for %v", err)
	}
	audited, err := e.AuditLog(t.Context(), 10)
	if err != nil || len(audited) != 1 || !strings.Contains(audited[0].Detail, "given up after 2 tries: Git is away") {
		t.Errorf("audited %+v, %v", audited, err)
	}
}

// A process that ends in the middle of a review leaves it to the next one,
// which also knows that the delivery was taken.
func TestReviewGoesOnAfterTheProcess(t *testing.T) {
	w := enginetest.NewWorld(t)
	r := newReviewer()
	r.block = make(chan struct{})
	w.Reviewer = r
	e, stop := w.Start(t)
	receive(t, e, pullEvent("d"))
	<-r.block
	stop()
	<-r.asked
	e, _ = w.Start(t)
	if d := cmp.Diff(pullEvent("d"), <-r.asked); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := receive(t, e, pullEvent("d")); !got.Seen || got.Accepted {
		t.Errorf("the delivery again: %+v", got)
	}
}

// Without a Reviewer nothing is taken, and nothing is remembered.
func TestNothingIsReceivedWithoutReviewer(t *testing.T) {
	w := enginetest.NewWorld(t)
	e, stop := w.Start(t)
	if got := receive(t, e, pullEvent("d")); got.Accepted || !strings.Contains(got.Reason, "reviews nothing") {
		t.Errorf("got %+v", got)
	}
	stop()
	w.Reviewer = newReviewer()
	e, _ = w.Start(t)
	if got := receive(t, e, pullEvent("d")); !got.Accepted {
		t.Errorf("once there is one: %+v", got)
	}
}

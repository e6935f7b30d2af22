package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"
)

// maxTries is how often a call is made that fails by a fault of the server or
// the network.
const maxTries = 4

// operation is one kind of call, for messages.
type operation struct {
	verb string // "open pull request"
	// needs is the permission of a fine-grained token or an App.
	needs string
	// once: the call must not be made again blindly, since a failed one may
	// have done its work.
	once bool
}

// APIError is an answer of GitHub that is not what was asked for.
type APIError struct {
	Repository string
	Operation  string
	Status     int
	Message    string
	Remedy     string
	kind       error // ErrRefused, ErrExists or nil
	cause      error
}

// Error names repository, call, status and remedy.
func (e *APIError) Error() string {
	s := fmt.Sprintf("%s in %s: GitHub answered %d %s", e.Operation, e.Repository, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Remedy != "" {
		s += ": " + e.Remedy
	}
	return s
}

// Unwrap gives ErrRefused or ErrExists where it is one, and go-github's error.
func (e *APIError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.cause}
	}
	return []error{e.kind, e.cause}
}

// call makes a call, again where that may help. A limit of GitHub's is waited
// for if the wait is short, for then the call was not carried out.
func (g *GitHub) call(ctx context.Context, op operation, do func(ctx context.Context) error) error {
	pause, waited := g.opts.Backoff, time.Duration(0)
	for try := 1; ; try++ {
		err := do(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s in %s: %w", op.verb, g.name, context.Cause(ctx))
		}
		if until, limited := limitedUntil(err); limited {
			wait := max(time.Until(until), time.Second/10)
			if waited += wait; waited > g.opts.MaxWait {
				return &LimitedError{Until: until, Err: g.explain(op, err)}
			}
			g.log.InfoContext(ctx, "forge limits calls", "call", op.verb, "wait", wait)
			if err := sleep(ctx, wait); err != nil {
				return fmt.Errorf("%s in %s: %w", op.verb, g.name, err)
			}
			continue
		}
		if op.once || try >= maxTries || !transient(err) {
			return g.explain(op, err)
		}
		g.log.InfoContext(ctx, "forge call failed and is made again", "call", op.verb, "try", try, "error", err)
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("%s in %s: %w", op.verb, g.name, err)
		}
		pause *= 2
	}
}

// again repeats work that looks for what it wants before it makes it, so that
// a call that failed after doing its work is not made twice.
func (g *GitHub) again(ctx context.Context, work func() error) error {
	pause := g.opts.Backoff
	for try := 1; ; try++ {
		err := work()
		if err == nil || try >= maxTries || ctx.Err() != nil || !transient(err) {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause *= 2
	}
}

// listed tells an empty list from an answer that holds nothing at all, which a
// proxy may give: that is not "there are none".
func listed[T any](list []T, err error) error {
	if err == nil && list == nil {
		return errors.New("expected a list, found an empty answer")
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// transient tells a fault of the server or the network from an answer.
func transient(err error) bool {
	var limited *LimitedError
	var token *tokenError
	if errors.As(err, &limited) || errors.As(err, &token) {
		return false
	}
	if status, ok := statusOf(err); ok {
		return status >= 500
	}
	return true
}

func statusOf(err error) (int, bool) {
	var api *APIError
	if errors.As(err, &api) {
		return api.Status, true
	}
	var resp *github.ErrorResponse
	if errors.As(err, &resp) && resp.Response != nil {
		return resp.Response.StatusCode, true
	}
	return 0, false
}

// limitedUntil finds out whether GitHub wants fewer calls, and until when:
// a rate limit names its reset, a secondary limit a Retry-After or nothing, and
// then GitHub asks for a minute.
func limitedUntil(err error) (time.Time, bool) {
	var rate *github.RateLimitError
	if errors.As(err, &rate) {
		return rate.Rate.Reset.Time, true
	}
	var abuse *github.AbuseRateLimitError
	if errors.As(err, &abuse) {
		if abuse.RetryAfter != nil {
			return time.Now().Add(*abuse.RetryAfter), true
		}
		return time.Now().Add(time.Minute), true
	}
	var resp *github.ErrorResponse
	if !errors.As(err, &resp) || resp.Response == nil {
		return time.Time{}, false
	}
	header := resp.Response.Header
	if s, convErr := strconv.Atoi(header.Get("Retry-After")); convErr == nil && s >= 0 &&
		(resp.Response.StatusCode == http.StatusTooManyRequests || resp.Response.StatusCode == http.StatusForbidden) {
		return time.Now().Add(time.Duration(s) * time.Second), true
	}
	if resp.Response.StatusCode != http.StatusTooManyRequests {
		return time.Time{}, false
	}
	if s, convErr := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64); convErr == nil && header.Get("X-RateLimit-Remaining") == "0" {
		return time.Unix(s, 0), true
	}
	return time.Now().Add(time.Minute), true
}

// explain makes an APIError of an answer, and names repository and call in
// anything else.
func (g *GitHub) explain(op operation, err error) error {
	var resp *github.ErrorResponse
	if !errors.As(err, &resp) || resp.Response == nil {
		return fmt.Errorf("%s in %s: %w", op.verb, g.name, err)
	}
	e := &APIError{Repository: g.name, Operation: op.verb, Status: resp.Response.StatusCode, Message: messageOf(resp), cause: err}
	needs := op.needs
	if h := resp.Response.Header.Get("X-Accepted-GitHub-Permissions"); h != "" {
		needs = fmt.Sprintf("%.100s", h)
	}
	switch e.Status {
	case http.StatusUnauthorized:
		e.kind, e.Remedy = ErrRefused, "the token is not valid (any more): replace it in its file"
	case http.StatusForbidden:
		e.kind, e.Remedy = ErrRefused, "give the token or App the permission "+needs
	case http.StatusNotFound:
		e.kind, e.Remedy = ErrRefused, "check that the repository exists and that the token may see it; it needs the permission "+needs
	case http.StatusGone:
		e.kind, e.Remedy = ErrRefused, "the feature is turned off in the repository's settings: turn it on"
	case http.StatusUnprocessableEntity:
		e.kind = ErrRefused
		if strings.Contains(e.Message, "already exists") {
			e.kind = ErrExists
		}
	case http.StatusConflict:
		e.kind, e.Remedy = ErrRefused, "the repository is empty or being changed: call again"
	}
	return e
}

func messageOf(resp *github.ErrorResponse) string {
	parts := []string{resp.Message}
	for _, e := range resp.Errors {
		if e.Message != "" {
			parts = append(parts, e.Message)
		}
	}
	return fmt.Sprintf("%.500s", strings.Join(parts, ": "))
}

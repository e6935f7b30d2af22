package engine

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
)

type hangs struct{}

func (hangs) Evaluate(ctx context.Context, _ check.Target) (check.Answer, error) {
	<-ctx.Done()
	return check.Answer{}, ctx.Err()
}

// A question that the deadline cuts off leaves the check's last answer, and one
// that the end of the process cuts off leaves nothing at all.
func TestCutOff(t *testing.T) {
	for _, tt := range []struct {
		name string
		was  []hooks.Result
		end  error
		want hooks.Status
		errs bool
	}{
		{"deadline, answered before", []hooks.Result{{Check: "c", Status: hooks.Wait}}, errDeadline, hooks.Wait, false},
		{"deadline, never answered", nil, errDeadline, hooks.Unknown, false},
		{"the process ends", []hooks.Result{{Check: "c", Status: hooks.Wait}}, context.Canceled, hooks.Wait, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &Engine{now: time.Now, log: slog.New(slog.DiscardHandler)}
			e.opts.Limits.defaults()
			rd := &round{e: e, newest: map[string]hooks.Result{}}
			for _, r := range tt.was {
				rd.newest[r.Check] = r
			}
			rd.add("c", hangs{})
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(tt.end)
			saved := 0
			d, err := rd.decide(ctx, func(context.Context, int, hooks.Result) error { saved++; return nil })
			if (err != nil) != tt.errs || d.verdict != "" {
				t.Errorf("decide = %+v, %v", d, err)
			}
			if got := rd.newest["c"].Status; got != tt.want {
				t.Errorf("status %q, want %q", got, tt.want)
			}
			if want := map[bool]int{true: 1, false: 0}[tt.want == hooks.Unknown]; saved != want {
				t.Errorf("saved %d results, want %d", saved, want)
			}
		})
	}
}

func TestCanonicalURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://github.com/acme/fleet.git":        "github.com/acme/fleet",
		"git@github.com:acme/fleet.git":            "github.com/acme/fleet",
		"ssh://git@github.com:22/acme/fleet":       "github.com/acme/fleet",
		"https://u:p@GitHub.com:443/acme/fleet/":   "github.com/acme/fleet",
		"http://127.0.0.1:8080/fleet.git":          "127.0.0.1:8080/fleet",
		"file:///srv/git/fleet.git":                "/srv/git/fleet",
		"/srv/git/fleet.git":                       "/srv/git/fleet",
		"https://u:p%zz@github.com/acme/fleet.git": "/github.com/acme/fleet",
		"strange": "/strange",
	} {
		if got := canonicalURL(in); got != want {
			t.Errorf("canonicalURL(%q) = %q, want %q", in, got, want)
		}
	}
}

package engine

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/store"
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

func TestSays(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := store.Stored{Run: hooks.Run{Started: at, Deadline: at.Add(30 * time.Minute)}}
	long := store.Stored{Run: hooks.Run{Started: at, Deadline: at.Add(24 * time.Hour)}}
	is := func(s hooks.Status, reason string, after time.Duration) hooks.Result {
		return hooks.Result{Status: s, Reason: reason, At: at.Add(after)}
	}
	for _, tt := range []struct {
		name    string
		r       store.Stored
		was, is hooks.Result
		want    bool
	}{
		{"first", r, hooks.Result{}, is(hooks.Wait, "a", 0), true},
		{"the same", r, is(hooks.Wait, "a", 0), is(hooks.Wait, "a", time.Hour), false},
		{"status", r, is(hooks.Wait, "a", 0), is(hooks.Pass, "a", time.Millisecond), true},
		{"reason, soon after", r, is(hooks.Wait, "1s old", 0), is(hooks.Wait, "2s old", time.Second), false},
		{"reason, later", r, is(hooks.Wait, "1s old", 0), is(hooks.Wait, "31s old", 30*time.Second), true},
		{"reason, later in a long run", long, is(hooks.Wait, "1s old", 0), is(hooks.Wait, "31s old", 30*time.Second), false},
	} {
		if got := says(tt.r, tt.was, tt.is); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A check whose answer changes all the time does not fill the database.
func TestEventsAreBounded(t *testing.T) {
	ctx := t.Context()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "gate.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r := store.Stored{Repository: "fleet", Run: hooks.Run{ID: "r", Number: 1, Started: time.Now(), Deadline: time.Now().Add(time.Hour)}}
	if err := s.InTx(ctx, func(tx *store.Tx) error {
		err := tx.InsertRun(ctx, r)
		for range maxEvents - 3 {
			if err == nil {
				_, err = tx.Append(ctx, r.ID, hooks.Event{Note: "x"})
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	e := &Engine{store: s, hub: newHub(), log: slog.New(slog.DiscardHandler)}
	for i := range 20 {
		res := hooks.Result{Check: "c", Status: []hooks.Status{hooks.Wait, hooks.Unknown}[i%2], At: time.Now(), Asked: i + 1}
		if err := e.keep(ctx, &r, 0, res); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Run(ctx, "r")
	if err != nil || got.Events != maxEvents+1 || got.Results[0].Asked != 20 {
		t.Errorf("%v: %d events, want %d; %+v", err, got.Events, maxEvents+1, got.Results)
	}
	last, err := s.Events(ctx, "r", maxEvents, 10)
	if err != nil || len(last) != 1 || !strings.Contains(last[0].Note, "over the limit of 2000 events") {
		t.Errorf("%v: %+v", err, last)
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

package engine_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/policies/gate"
)

func overrideRequest(phase hooks.Phase, rev string) hooks.OverrideRequest {
	return hooks.OverrideRequest{Repository: enginetest.URL, Gate: "chat", Cluster: "eu", Revision: enginetest.Rev(rev),
		Phase: phase, Reason: "the store is down", For: gate.Duration(time.Hour)}
}

func override(t *testing.T, e *engine.Engine, req hooks.OverrideRequest) hooks.Run {
	t.Helper()
	r, err := e.Override(t.Context(), req, "jane")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A Run that waits is decided at once, every waiter hears who decided it, and a
// later attempt goes on until the override's end and is evaluated anew after.
func TestOverrideEndsTheWait(t *testing.T) {
	w := world(t, "30m")
	w.Checks.Set("one", enginetest.Always(hooks.Wait, "no backup"))
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var clock atomic.Pointer[time.Time]
	set := func(at time.Time) { clock.Store(&at) }
	set(now)
	w.Now = func() time.Time { return *clock.Load() }
	e, _ := w.Start(t)
	waiting := submit(t, e, enginetest.Change(hooks.PreSync, "a", "x"))
	enginetest.Until(t, e, waiting.ID, func(r hooks.Run) bool { return len(r.Results) > 0 })

	got := override(t, e, overrideRequest(hooks.PreSync, "a"))
	want := &hooks.Override{By: "jane", Reason: "the store is down", Until: now.Add(time.Hour)}
	if d := cmp.Diff(want, got.Override); got.ID != waiting.ID || got.Verdict != hooks.Overridden || d != "" {
		t.Fatalf("run %s %s: %s", got.ID, got.Verdict, d)
	}
	events, err := e.Events(t.Context(), got.ID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1].Verdict
	if last == nil || last.Verdict != hooks.Overridden || !strings.Contains(last.Reason, "overridden by jane until 2026-03-01T13:00:00Z: the store is down") {
		t.Errorf("the last event is %+v", events[len(events)-1])
	}

	set(now.Add(59 * time.Minute))
	if again := submit(t, e, enginetest.Change(hooks.PreSync, "a", "y")); again.ID != got.ID {
		t.Errorf("an attempt within the hour got run %s, want %s", again.ID, got.ID)
	}
	set(now.Add(time.Hour))
	after := submit(t, e, enginetest.Change(hooks.PreSync, "a", "z"))
	if after.ID == got.ID || after.Done() || after.Number != 2 {
		t.Errorf("an attempt after the hour got %+v, want a new run that is evaluated", after)
	}
}

// What is bound to one gate, cluster, revision and phase lets nothing else go.
func TestOverrideIsBound(t *testing.T) {
	w := world(t, "30m")
	for _, check := range []string{"one", "after"} {
		w.Checks.Set(check, enginetest.Always(hooks.Fail, "no"))
	}
	e, _ := w.Start(t)
	override(t, e, overrideRequest(hooks.PreSync, "a"))
	us := enginetest.Change(hooks.PreSync, "a", "us")
	us.Cluster = "us"
	for name, c := range map[string]hooks.Change{
		"another revision": enginetest.Change(hooks.PreSync, "b", "x"),
		"another phase":    enginetest.Change(hooks.PostSync, "a", "x"),
		"another cluster":  us,
	} {
		if r := evaluate(t, e, c); r.Verdict != hooks.Failed {
			t.Errorf("%s: %s, want %s", name, r.Verdict, hooks.Failed)
		}
	}
	if r := submit(t, e, enginetest.Change(hooks.PreSync, "a", "x")); r.Verdict != hooks.Overridden {
		t.Errorf("the very change: %s, want %s", r.Verdict, hooks.Overridden)
	}
}

// An override after a Run that failed is a Run of its own; after the sync it
// closes the revert's pull request and is no revision to go back to.
func TestOverrideAfterTheSync(t *testing.T) {
	w := world(t, "30m")
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "broken"))
	e, _ := w.Start(t)
	failed := evaluate(t, e, enginetest.Change(hooks.PostSync, "a", "x"))
	got := override(t, e, overrideRequest(hooks.PostSync, "a"))
	if got.Number != failed.Number+1 || got.Verdict != hooks.Overridden {
		t.Errorf("run number %d is %s", got.Number, got.Verdict)
	}
	settled := func() bool { return len(w.Reverter.Settles()) > 0 }
	for limit := time.Now().Add(4 * time.Minute); !settled(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the revert of the overridden revision was not settled")
		}
	}
	// b fails too: had a become a revision to go back to, it would be named.
	evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "x"))
	reqs := w.Reverter.Calls()
	if last := reqs[len(reqs)-1]; last.Failing != enginetest.Rev("b") || last.LastGood != "" {
		t.Errorf("revert of %.4s goes back to %q, want to nothing", last.Failing, last.LastGood)
	}
	log, err := e.AuditLog(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range log {
		if entry.Action == "override" && entry.Subject == "jane" && entry.Run == got.ID && strings.Contains(entry.Detail, "the store is down") {
			return
		}
	}
	t.Errorf("no override in the audit log: %+v", log)
}

func TestOverrideRefused(t *testing.T) {
	w := world(t, "30m")
	w.Git.Stray("f", enginetest.Tree(gateSpec("30m")))
	w.Limits.MaxOverride = 2 * time.Hour
	e, _ := w.Start(t)
	for _, tt := range []struct {
		name string
		edit func(*hooks.OverrideRequest)
		want string
	}{
		{"no reason", func(r *hooks.OverrideRequest) { r.Reason = " " }, "reason: expected one line"},
		{"two lines", func(r *hooks.OverrideRequest) { r.Reason = "a\nb" }, "printable text"},
		{"right to left", func(r *hooks.OverrideRequest) { r.Reason = "a\u202eb" }, "printable text"},
		{"long reason", func(r *hooks.OverrideRequest) { r.Reason = strings.Repeat("a", 513) }, "at most 512 bytes"},
		{"no time", func(r *hooks.OverrideRequest) { r.For = 0 }, "at least 1m0s"},
		{"over the limit", func(r *hooks.OverrideRequest) { r.For = gate.Duration(3 * time.Hour) }, "limit maxOverride"},
		{"a phase that holds nothing", func(r *hooks.OverrideRequest) { r.Phase = hooks.SyncFail }, "expected preSync or postSync"},
		{"a branch", func(r *hooks.OverrideRequest) { r.Revision = "main" }, "full commit SHA"},
		{"no such revision", func(r *hooks.OverrideRequest) { r.Revision = enginetest.Rev("9") }, "no revision"},
		{"a fork's revision", func(r *hooks.OverrideRequest) { r.Revision = enginetest.Rev("f") }, "expected a commit of branch main"},
		{"no such gate", func(r *hooks.OverrideRequest) { r.Gate = "shop" }, "there are: chat"},
		{"no such cluster", func(r *hooks.OverrideRequest) { r.Cluster = "mars" }, "mars"},
		{"no such repository", func(r *hooks.OverrideRequest) { r.Repository = "https://x.example/y" }, "reads no repository"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := overrideRequest(hooks.PreSync, "a")
			tt.edit(&req)
			r, err := e.Override(t.Context(), req, "jane")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, %v; want %q", r, err, tt.want)
			}
		})
	}
}

package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
)

// Argo CD shows no more than that a hook Job failed; the Notice says why, and
// where to read on.
func TestObserveOutcome(t *testing.T) {
	for _, tt := range []struct {
		name    string
		checks  map[string]string // that fail, and why
		applied bool
		started time.Duration // before now
		reason  string        // "" for nothing to say
		want    []string
	}{
		{"held before the sync", map[string]string{"one": "the newest backup is 26 h old"}, false, 30 * time.Minute, "GateHeld",
			[]string{"preSync of revision bbbbbbbbbbbb of gate chat on cluster eu: Failed: ", "the newest backup is 26 h old", "https://gate.example/runs/"}},
		{"bad after the sync", map[string]string{"after": "pods crash"}, false, 30 * time.Minute, "GateFailed",
			[]string{"postSync of revision bbbbbbbbbbbb", "pods crash", "https://gate.example/runs/"}},
		{"a long reason", map[string]string{"one": strings.Repeat("long ", 400)}, false, 30 * time.Minute, "GateHeld", []string{"long… (2011 bytes, over the limit of 560); https://gate.example/runs/"}},
		{"stopped by something else", nil, false, 30 * time.Minute, "", nil},
		{"long ago", map[string]string{"one": "no"}, false, 30 * time.Minute, "", nil},
		{"of an earlier operation", map[string]string{"one": "no"}, false, -time.Minute, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := world(t, "30m")
			for name, why := range tt.checks {
				w.Checks.Set(name, enginetest.Always(hooks.Fail, why))
			}
			e := watching(t, w)
			r := evaluate(t, e, enginetest.Change(hooks.PreSync, "b", "job"))
			if r.Verdict == hooks.Passed {
				evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "job"))
			}
			n := observe(t, e, operation("b", func(op *gitops.Operation) {
				op.Applied, op.Started = tt.applied, time.Now().Add(-tt.started)
				if tt.name == "long ago" {
					op.Finished = time.Now().Add(-time.Hour)
				}
			}))
			if (n == nil) != (tt.reason == "") {
				t.Fatalf("got %+v, want %q", n, tt.reason)
			}
			if n == nil {
				return
			}
			if n.Reason != tt.reason || !n.Warning || len(n.Message) > 1024 {
				t.Errorf("got %+v, want a warning %s of at most 1,024 bytes", n, tt.reason)
			}
			for _, want := range tt.want {
				if !strings.Contains(n.Message, want) {
					t.Errorf("got %q, want %q in it", n.Message, want)
				}
			}
		})
	}
}

// What a person let go did not pass.
func TestObserveOverridden(t *testing.T) {
	w := world(t, "30m")
	w.Checks.Set("one", enginetest.Always(hooks.Wait, "no backup"))
	e := watching(t, w)
	waiting(t, e, enginetest.Change(hooks.PreSync, "b", "job"))
	override(t, e, overrideRequest(hooks.PreSync, "b"))
	evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "job"))
	n := observe(t, e, operation("b", nil))
	if n == nil || !n.Warning || n.Reason != "GateOverridden" || !strings.Contains(n.Message, "preSync Overridden by jane (the store is down), postSync Passed") {
		t.Errorf("got %+v", n)
	}
}

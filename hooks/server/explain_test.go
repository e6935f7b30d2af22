package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/hooks/explain"
	"github.com/syncgate/syncgate/hooks/server"
)

// explained is one call of an Explainer, with the words as they are then.
type explained struct {
	Waiter explain.Waiter
	Words  explain.Words
}

// explainer keeps what it is asked for.
type explainer struct{ calls chan explained }

func (e explainer) Explain(w explain.Waiter, why explain.Why) {
	words, err := why(context.Background())
	if err != nil {
		words.Message = err.Error()
	}
	e.calls <- explained{w, words}
}

// none expects no more calls for a moment.
func (e explainer) none(t *testing.T) {
	t.Helper()
	select {
	case c := <-e.calls:
		t.Errorf("explained without a reason to: %+v", c)
	case <-time.After(100 * time.Millisecond):
	}
}

// TestExplain: whoever waits in a pod for a verdict that does not let the sync
// go on has its Job told, once a stream, and nobody else has.
func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		name, token string
		change      hooks.Change
		answer      enginetest.Ask
		reason      string // "" for nothing to explain
		words       []string
	}{
		{"failed before the sync", "pod-eu", enginetest.Change(hooks.PreSync, "a", "x"), enginetest.Always(hooks.Fail, "node n1 is not ready"),
			"SyncgateFailed", []string{"syncgate: preSync of revision aaaaaaaaaaaa of gate chat on cluster eu: Failed: one: ", "node n1 is not ready", "https://gate.example/runs/", "; nothing was applied"}},
		{"failed after the sync", "pod-eu", enginetest.Change(hooks.PostSync, "a", "x"), enginetest.Always(hooks.Fail, "pods crash"),
			"SyncgateFailed", []string{"syncgate: postSync of revision aaaaaaaaaaaa", "pods crash", "; the change is applied"}},
		{"passed", "pod-eu", enginetest.Change(hooks.PreSync, "a", "x"), enginetest.Always(hooks.Pass, "fine"), "", nil},
		{"reported a failed sync", "pod-eu", enginetest.Change(hooks.SyncFail, "a", "x"), enginetest.Always(hooks.Pass, "fine"), "", nil},
		{"not in a pod", "good-eu", enginetest.Change(hooks.PreSync, "a", "x"), enginetest.Always(hooks.Fail, "no"), "", nil},
		{"refused", "pod-eu", withGate(enginetest.Change(hooks.PreSync, "a", "x"), "shop"), nil,
			"SyncgateRefused", []string{"syncgate: ", "shop", "there are: chat"}},
		{"refused, not in a pod", "good-eu", withGate(enginetest.Change(hooks.PreSync, "a", "x"), "shop"), nil, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := explainer{calls: make(chan explained, 10)}
			w := start(t, server.Limits{}, func(s *server.Server) { s.EnableExplaining(e) })
			if tt.answer != nil {
				w.Checks.Set("one", tt.answer)
			}
			status, run := w.post(t, tt.change, tt.token)
			if status < 300 {
				res, _ := w.do(t, http.MethodGet, hooks.PathRuns+"/"+run.ID+"/events", tt.token, "")
				if res.StatusCode != http.StatusOK {
					t.Fatalf("events: %d", res.StatusCode)
				}
			}
			if tt.reason != "" {
				got := <-e.calls
				want := explain.Waiter{Change: tt.change, Namespace: "chat", Pod: "hook-x", UID: "uid-x"}
				if diff := cmp.Diff(want, got.Waiter); diff != "" {
					t.Errorf("waiter (-want +got):\n%s", diff)
				}
				if got.Words.Reason != tt.reason {
					t.Errorf("reason: got %q, want %q", got.Words.Reason, tt.reason)
				}
				for _, word := range tt.words {
					if !strings.Contains(got.Words.Message, word) {
						t.Errorf("message: got %q, want %q in it", got.Words.Message, word)
					}
				}
			}
			e.none(t)
		})
	}
}

func withGate(c hooks.Change, name string) hooks.Change {
	c.Gate = name
	return c
}

package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/policies/gate"
)

func overriddenIDs(t *testing.T, e *engine.Engine, all bool) (ids []string) {
	t.Helper()
	runs, err := e.Overridden(t.Context(), "eu", "chat", all)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		ids = append(ids, r.ID)
	}
	return ids
}

// What is revoked lets nothing go any more: the next attempt is evaluated anew,
// and the webhook refuses the change.
func TestRevoke(t *testing.T) {
	w, c := guardedWorld(t)
	w.Checks.Set("one", enginetest.Always(hooks.Wait, "no backup yet"))
	e, stop := w.Start(t)
	ch := enginetest.Change(hooks.PreSync, "b", "1")
	req := hooks.OverrideRequest{Repository: ch.Repository, Gate: ch.Gate, Cluster: ch.Cluster, Revision: ch.Revision,
		Phase: hooks.PreSync, Reason: "the site is down", For: gate.Duration(time.Hour)}
	run := override(t, e, req)
	may(t, e, "1", "2", "")
	if ids := overriddenIDs(t, e, false); !slices.Equal(ids, []string{run.ID}) {
		t.Errorf("overridden: expected %s, found %q", run.ID, ids)
	}
	c.move(time.Minute)
	got, err := e.Revoke(t.Context(), run.ID, hooks.RevokeRequest{Cluster: "eu", Reason: "it is up"}, "joe")
	if err != nil {
		t.Fatal(err)
	}
	want := *run.Override
	want.Revoked = &hooks.Revocation{By: "joe", Reason: "it is up", At: got.Override.Ends()}
	if d := cmp.Diff(&want, got.Override); d != "" || got.Verdict != hooks.Overridden || !got.Override.Ends().Before(want.Until) {
		t.Errorf("run %s %s: %s", got.ID, got.Verdict, d)
	}
	may(t, e, "1", "2", "no passed, fresh run")
	if ids := overriddenIDs(t, e, false); len(ids) != 0 {
		t.Errorf("overridden: expected none, found %q", ids)
	}
	if ids := overriddenIDs(t, e, true); !slices.Equal(ids, []string{run.ID}) {
		t.Errorf("all that was overridden: expected %s, found %q", run.ID, ids)
	}
	again, err := e.Revoke(t.Context(), run.ID, hooks.RevokeRequest{Cluster: "eu", Reason: "it is up, I say"}, "jim")
	if err != nil || again.Override.Revoked.By != "joe" {
		t.Errorf("revoked again: %+v, %v; want it to stay as it is", again.Override, err)
	}
	stop()
	e, _ = w.Start(t)
	may(t, e, "1", "2", "no passed, fresh run")
	if next := submit(t, e, ch); next.Number != 2 || next.Done() {
		t.Errorf("the next attempt got %+v, want a new run that is evaluated", next)
	}
	log, err := e.AuditLog(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, entry := range log {
		if entry.Action == "override" && entry.Subject == "joe" && entry.Run == run.ID && strings.HasSuffix(entry.Detail, ": it is up") && strings.HasPrefix(entry.Detail, "revoked ") {
			lines++
		}
	}
	if lines != 1 {
		t.Errorf("audit log: expected the revocation once, found %d: %+v", lines, log)
	}
}

func TestRevokeRefused(t *testing.T) {
	w, c := guardedWorld(t)
	w.Checks.Set("one", enginetest.Always(hooks.Wait, "no backup yet"))
	e, _ := w.Start(t)
	run := override(t, e, overrideRequest(hooks.PreSync, "b"))
	waiting := submit(t, e, enginetest.Change(hooks.PreSync, "a", "1"))
	for _, tt := range []struct {
		name, id, cluster, reason, want string
	}{
		{"no such run", "01900000-0000-7000-8000-000000000000", "eu", "why", `cluster "eu" has no run`},
		{"another cluster's", run.ID, "us", "why", `cluster "us" has no run`},
		{"one that goes on", waiting.ID, "eu", "why", "expected one that was overridden, found one that goes on"},
		{"no reason", run.ID, "eu", " ", "expected one line that says why"},
		{"two lines", run.ID, "eu", "a\nb", "printable text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := e.Revoke(t.Context(), tt.id, hooks.RevokeRequest{Cluster: tt.cluster, Reason: tt.reason}, "joe")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, %v; want %q", r, err, tt.want)
			}
		})
	}
	c.move(time.Hour)
	if r, err := e.Revoke(t.Context(), run.ID, hooks.RevokeRequest{Cluster: "eu", Reason: "late"}, "joe"); err == nil || !strings.Contains(err.Error(), "has ended at") {
		t.Errorf("after its time: %+v, %v", r, err)
	}
}

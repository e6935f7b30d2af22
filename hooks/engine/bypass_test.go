package engine_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/hooks/store"
)

// operation is a full sync of a revision on eu by ada that was applied, from
// half an hour ago until now.
func operation(rev string, edit func(*gitops.Operation)) gitops.Operation {
	now := time.Now()
	op := gitops.Operation{
		ID: "u-1@" + rev, Application: "argocd/chat-eu", ApplicationID: "u-1", By: "ada", Applied: true,
		Started: now.Add(-30 * time.Minute), Finished: now,
		Sources: []gitops.OperationSource{{URL: enginetest.URL, Path: ".", Revision: enginetest.Rev(rev), Plugin: true, Cluster: "eu"}},
	}
	if edit != nil {
		edit(&op)
	}
	return op
}

func observe(t *testing.T, e *engine.Engine, op gitops.Operation) *gitops.Notice {
	t.Helper()
	n, err := e.Observe(t.Context(), op)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// watching starts an engine that has watched since before the test.
func watching(t *testing.T, w *enginetest.World) *engine.Engine {
	t.Helper()
	s, err := store.Open(t.Context(), w.Path)
	if err != nil {
		t.Fatal(err)
	}
	err = s.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.WatchingSince(t.Context(), time.Now().Add(-time.Hour))
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	e, _ := w.Start(t)
	return e
}

func TestObserve(t *testing.T) {
	skip := func(why string) func(*gitops.Operation) {
		return func(op *gitops.Operation) { op.Skipped = why }
	}
	source := func(edit func(*gitops.OperationSource)) func(*gitops.Operation) {
		return func(op *gitops.Operation) { edit(&op.Sources[0]) }
	}
	both := []hooks.Phase{hooks.PreSync, hooks.PostSync}
	for _, tt := range []struct {
		name   string
		hooks  []hooks.Phase // whose Jobs asked
		edit   func(*gitops.Operation)
		reason string // "" for nothing to say
		want   string
	}{
		{"both hooks asked", both, nil, "GatePassed", "revision bbbbbbbbbbbb of gate chat on cluster eu: preSync Passed, postSync Passed; https://gate.example/runs/"},
		{"no hook asked", nil, nil, "GateBypassed", "a sync by ada to bbbbbbbbbbbb on cluster eu went past gate chat: no preSync hook asked for it: the hook Job was not there"},
		{"some resources alone", nil, skip("it synced 2 resources alone"), "GateBypassed", "it synced 2 resources alone; sync in full"},
		{"some resources alone, right after a full sync", both[:1], skip("it synced 2 resources alone"), "GateBypassed", "it synced 2 resources alone; sync in full"},
		{"PostSync was taken out", both[:1], nil, "GateBypassed", "no postSync hook asked"},
		{"automated", nil, func(op *gitops.Operation) { op.By, op.Automated = "", true }, "GateBypassed", "a sync by Argo CD itself"},
		{"failed before its hook ran", nil, func(op *gitops.Operation) { op.Applied = false }, "", ""},
		{"failed, and had no hooks", nil, func(op *gitops.Operation) { op.Applied, op.Skipped = false, "its strategy was apply" }, "GateBypassed", "its strategy was apply"},
		{"the plugin was taken out", both, source(func(s *gitops.OperationSource) { s.Plugin = false }), "GateBypassed", "renders without Syncgate's plugin"},
		{"another cluster's parameter", nil, source(func(s *gitops.OperationSource) { s.Cluster = "mars" }), "GateBypassed", "which gate it belongs to cannot be told"},
		{"a gate that is not there", nil, source(func(s *gitops.OperationSource) { s.Gate = "shop" }), "GateBypassed", "no such gate"},
		{"a revision that is not there", nil, source(func(s *gitops.OperationSource) { s.Revision = enginetest.Rev("9") }), "GateBypassed", "no such revision"},
		{"another repository", nil, source(func(s *gitops.OperationSource) { s.URL = "https://x.example/y" }), "", ""},
		{"manifests of somebody's machine", nil, func(op *gitops.Operation) {
			op.Unversioned, op.Skipped, op.Sources[0].Revision = true, "its manifests came from somebody's machine (--local)", ""
		},
			"GateBypassed", "somebody's machine"},
		{"a chart", nil, source(func(s *gitops.OperationSource) { s.Revision, s.Plugin = "1.2.3", false }), "", ""},
		{"a plugin's source in no known commit", nil, source(func(s *gitops.OperationSource) { s.Revision = "main" }), "GateBypassed", "no preSync hook asked"},
		{"from before it was watched", nil, func(op *gitops.Operation) { op.Started = time.Now().Add(-2 * time.Hour) }, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := world(t, "30m")
			tree := enginetest.Tree(gateSpec("30m") + "  source: {plain: {path: manifests}}\n")
			tree["manifests/a.yaml"] = &fstest.MapFile{Data: []byte("a: 1\n")}
			w.Git.Commit("b", "a", tree)
			e := watching(t, w)
			for _, phase := range tt.hooks {
				evaluate(t, e, enginetest.Change(phase, "b", "job"))
			}
			n := observe(t, e, operation("b", tt.edit))
			switch {
			case n == nil && tt.reason != "", n != nil && (n.Reason != tt.reason || n.Warning != (tt.reason == "GateBypassed") || !strings.Contains(n.Message, tt.want)):
				t.Fatalf("got %+v, want %s: %s", n, tt.reason, tt.want)
			}
			log, err := e.AuditLog(t.Context(), 50)
			if err != nil {
				t.Fatal(err)
			}
			found := 0
			for _, a := range log {
				if a.Action == "bypass" {
					found++
				}
			}
			if want := map[bool]int{true: 1}[tt.reason == "GateBypassed"]; found != want {
				t.Errorf("%d bypasses in the audit log, want %d", found, want)
			}
		})
	}
}

// A Job that is not heeded lets nothing go, whatever the tool says.
func TestObserveUnheededVerdict(t *testing.T) {
	w := world(t, "30m")
	w.Checks.Set("one", enginetest.Always(hooks.Fail, "no backup"))
	e := watching(t, w)
	r := evaluate(t, e, enginetest.Change(hooks.PreSync, "b", "job"))
	n := observe(t, e, operation("b", nil))
	if n == nil || !strings.Contains(n.Message, "its preSync run "+r.ID+" did not let it go (Failed)") {
		t.Errorf("got %+v", n)
	}
}

// One that fails after it has applied what PreSync did not let go is told too.
func TestObserveUnheededAndFailed(t *testing.T) {
	w := world(t, "30m")
	w.Checks.Set("one", enginetest.Always(hooks.Wait, "no backup"))
	e := watching(t, w)
	waiting(t, e, enginetest.Change(hooks.PreSync, "b", "job"))
	failed := operation("b", func(op *gitops.Operation) { op.Applied = false })
	if n := observe(t, e, failed); n != nil {
		t.Errorf("it applied nothing: got %+v", n)
	}
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "job"))
	if n := observe(t, e, failed); n == nil || n.Reason != "GateBypassed" || !strings.Contains(n.Message, "was not heeded") {
		t.Errorf("got %+v", n)
	}
}

// What its own PostSync came to does not make up for a PreSync that was not
// heeded.
func TestObserveUnheededAndGood(t *testing.T) {
	w := world(t, "30m")
	w.Checks.Set("one", enginetest.Always(hooks.Wait, "no backup"))
	e := watching(t, w)
	waiting(t, e, enginetest.Change(hooks.PreSync, "b", "job"))
	evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "job"))
	if n := observe(t, e, operation("b", nil)); n == nil || n.Reason != "GateBypassed" || !n.Warning {
		t.Errorf("got %+v", n)
	}
}

// What had passed there before is no change: it is told, without a warning.
func TestObserveWhatPassedBefore(t *testing.T) {
	w := world(t, "30m")
	e := watching(t, w)
	evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "job"))
	op := operation("b", func(op *gitops.Operation) {
		op.Skipped, op.Started = "self-heal synced 1 resources alone", time.Now().Add(time.Minute)
	})
	if n := observe(t, e, op); n == nil || n.Warning || n.Reason != "HooksSkipped" {
		t.Errorf("got %+v", n)
	}
}

// What somebody sent along is not the revision that it was sent for, whether
// that had passed or not and whether the Gate has checks or not; and nothing in
// Git is undone for it.
func TestObserveUnversioned(t *testing.T) {
	for name, spec := range map[string]string{
		"a revision that had passed":  gateSpec("30m"),
		"a Gate that asks no checks":  "",
		"a Gate that wants it judged": gateSpec("30m") + "  bypass: {validate: true}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t, "30m")
			tree := enginetest.Tree(spec + "  source: {plain: {path: manifests}}\n")
			tree["manifests/a.yaml"] = &fstest.MapFile{Data: []byte("a: 1\n")}
			w.Git.Commit("b", "a", tree)
			e := watching(t, w)
			evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "job"))
			n := observe(t, e, operation("b", func(op *gitops.Operation) {
				op.Skipped, op.Unversioned, op.Started = "its manifests came from somebody's machine (--local)", true, time.Now().Add(time.Minute)
			}))
			if n == nil || !n.Warning || n.Reason != "GateBypassed" || !strings.Contains(n.Message, "in no commit") || strings.Contains(n.Message, "validated") {
				t.Errorf("got %+v", n)
			}
		})
	}
}

// It is audited once, and told again only while it is news.
func TestObserveOnce(t *testing.T) {
	w := world(t, "30m")
	e := watching(t, w)
	op := operation("b", nil)
	for range 3 {
		if n := observe(t, e, op); n == nil {
			t.Error("a fresh operation is not told again")
		}
	}
	op.Finished = time.Now().Add(-time.Hour)
	if n := observe(t, e, op); n != nil {
		t.Errorf("an old one is told again: %+v", n)
	}
	w.Git.Break(errors.New("git is away"))
	if _, err := e.Observe(t.Context(), operation("c", nil)); err == nil {
		t.Error("what could not be found out is no answer")
	}
}

// Where the Gate asks for it, the change is validated and undone.
func TestObserveValidates(t *testing.T) {
	w := world(t, "30m")
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "broken"))
	w.Git.Commit("b", "a", enginetest.Tree(gateSpec("30m")+"  bypass: {validate: true}\n"))
	e := watching(t, w)
	if n := observe(t, e, operation("b", nil)); n == nil || !strings.Contains(n.Message, "it is validated now") {
		t.Fatalf("got %+v", n)
	}
	runs, err := e.Runs(t.Context(), store.Filter{Cluster: "eu", Phase: hooks.PostSync, Limit: 10})
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	if r := enginetest.Wait(t, e, runs[0].ID); r.Verdict != hooks.Failed || r.Revert == nil {
		t.Errorf("got %+v", r)
	}
}

package engine_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
)

// line has revisions a and, on it, one for each way to go on: b changes a
// values file, c a file beside, d the Gate; e is beside a, after a rewrite.
func line(t *testing.T) *enginetest.World {
	w := enginetest.NewWorld(t)
	tree := func(change func(fstest.MapFS)) fstest.MapFS {
		f := enginetest.Tree(gateSpec("30m"))
		f["README.md"] = &fstest.MapFile{Data: []byte("hello")}
		change(f)
		return f
	}
	w.Git.Commit("a", "", tree(func(fstest.MapFS) {}))
	w.Git.Commit("b", "a", tree(func(f fstest.MapFS) {
		f["eu.yaml"] = &fstest.MapFile{Data: []byte("image: {tag: \"2\"}\n")}
		f["us.yaml"] = f["eu.yaml"]
	}))
	w.Git.Commit("c", "a", tree(func(f fstest.MapFS) { f["README.md"] = &fstest.MapFile{Data: []byte("bye")} }))
	w.Git.Commit("d", "a", tree(func(f fstest.MapFS) {
		f["syncgate.yaml"] = &fstest.MapFile{Data: append([]byte("# softer\n"), f["syncgate.yaml"].Data...)}
	}))
	w.Git.Commit("e", "", tree(func(fstest.MapFS) {}))
	for _, name := range []string{"one", "two", "after"} {
		w.Checks.Set(name, enginetest.Always(hooks.Pass, "fine"))
	}
	return w
}

func following(phase hooks.Phase, rev, attempt, target string) hooks.Change {
	c := enginetest.Change(phase, rev, attempt)
	c.TargetRevision = target
	return c
}

// waiting submits and returns once a check has said that it waits.
func waiting(t *testing.T, e *engine.Engine, c hooks.Change) hooks.Run {
	t.Helper()
	return enginetest.Until(t, e, submit(t, e, c).ID, func(r hooks.Run) bool {
		for _, res := range r.Results {
			if res.Status == hooks.Wait {
				return true
			}
		}
		return r.Done()
	})
}

func TestNewerRevisionEndsTheWait(t *testing.T) {
	for _, tt := range []struct {
		name, target, head string
		want               string // in the reason; "" goes on
	}{
		{"changes values", "release", "b", "revision bbbbbbbbbbbb of branch release takes its place: it changes eu.yaml and 1 more files"},
		{"written as a ref", "refs/heads/release", "b", "of branch release takes its place"},
		{"follows HEAD", "HEAD", "b", "of branch HEAD takes its place"},
		{"changes the gate", "release", "d", "changes syncgate.yaml"},
		{"was rewritten", "release", "e", "the branch was rewritten"},
		{"changes something else", "release", "c", ""},
		{"stays", "release", "a", ""},
		{"follows a tag", "v1", "b", ""},
		{"follows a range", ">=1.0 <2", "b", ""},
		{"follows a commit", enginetest.Rev("a"), "b", ""},
		{"is not known", "", "b", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := line(t)
			w.Checks.Set("one", enginetest.Always(hooks.Wait, "backup running"))
			branch := map[bool]string{true: "HEAD", false: "release"}[tt.target == "HEAD"]
			w.Git.Move(branch, "a")
			e, _ := w.Start(t)
			r := waiting(t, e, following(hooks.PreSync, "a", "x", tt.target))
			w.Git.Move(branch, tt.head)
			if tt.want == "" {
				// It goes on to its own end, many looks later.
				asked := w.Checks.Count("one")
				until(t, func() bool { return w.Checks.Count("one") > asked+10 })
				w.Checks.Set("one", enginetest.Always(hooks.Pass, "fine"))
				if r = enginetest.Wait(t, e, r.ID); r.Verdict != hooks.Passed {
					t.Errorf("%s: %s", r.Verdict, r.Reason)
				}
				return
			}
			r = enginetest.Wait(t, e, r.ID)
			if r.Verdict != hooks.Superseded || !strings.Contains(r.Reason, tt.want) || r.Verdict.LetsGo() || r.Revert != nil {
				t.Errorf("%s: %s", r.Verdict, r.Reason)
			}
			if tt.head == "e" {
				return
			}
			// Argo CD's retries get the same answer, and no check is asked.
			asked := w.Checks.Count("two")
			for _, attempt := range []string{"y", "z"} {
				if again := submit(t, e, following(hooks.PreSync, "a", attempt, tt.target)); again.ID != r.ID {
					t.Errorf("attempt %s got run %d: %s", attempt, again.Number, again.Verdict)
				}
			}
			if n := w.Checks.Count("two"); n != asked {
				t.Errorf("%d more questions", n-asked)
			}
			// Back where it was, the revision is wanted again.
			w.Git.Move(branch, "a")
			w.Checks.Set("one", enginetest.Always(hooks.Pass, "fine"))
			if r = evaluate(t, e, following(hooks.PreSync, "a", "back", tt.target)); r.Verdict != hooks.Passed || r.Number != 2 {
				t.Errorf("run %d: %s: %s", r.Number, r.Verdict, r.Reason)
			}
			if n := len(w.Reverter.Calls()); n != 0 {
				t.Errorf("%d reverts", n)
			}
		})
	}
}

// A Job that comes late, or Argo CD's retry, finds its revision superseded.
func TestSupersededBeforeItBegins(t *testing.T) {
	w := line(t)
	w.Git.Move("release", "b")
	e, _ := w.Start(t)
	r := submit(t, e, following(hooks.PreSync, "a", "x", "release"))
	if r.Verdict != hooks.Superseded || !r.Done() {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
	if n := w.Checks.Count("one"); n != 0 {
		t.Errorf("%d questions for what is not synced", n)
	}
	checkEvents(t, e, r)
	// What is applied already is judged, whatever came after.
	if r := evaluate(t, e, following(hooks.PostSync, "a", "x", "release")); r.Verdict != hooks.Passed {
		t.Errorf("postSync %s: %s", r.Verdict, r.Reason)
	}
}

func TestWaitGoesOnWhileGitIsDown(t *testing.T) {
	w := line(t)
	w.Checks.Set("one", enginetest.Always(hooks.Wait, "backup running"))
	w.Git.Move("release", "a")
	e, _ := w.Start(t)
	r := waiting(t, e, following(hooks.PreSync, "a", "x", "release"))
	w.Git.Break(errors.New("connection refused"))
	w.Git.Move("release", "b")
	asked := w.Checks.Count("one")
	until(t, func() bool { return w.Checks.Count("one") > asked+10 })
	if r, _ = e.Run(t.Context(), r.ID); r.Done() {
		t.Fatalf("%s: %s", r.Verdict, r.Reason)
	}
	w.Git.Break(nil)
	if r = enginetest.Wait(t, e, r.ID); r.Verdict != hooks.Superseded {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
}

// Two revisions of one gate on one cluster: one operation at a time means that
// the one that is posted last is what is being synced.
func TestOverlappingRevisions(t *testing.T) {
	w := line(t)
	w.Checks.Set("one", enginetest.Always(hooks.Wait, "backup running"))
	w.Checks.Set("after", enginetest.Always(hooks.Wait, "rolling out"))
	e, _ := w.Start(t)
	post := waiting(t, e, enginetest.Change(hooks.PostSync, "a", "1"))
	pre := waiting(t, e, enginetest.Change(hooks.PreSync, "a", "1"))
	other := enginetest.Change(hooks.PreSync, "a", "1")
	other.Cluster = "us"
	us := waiting(t, e, other)
	// b waits too: a's wait has lost its object, but a is still what is applied.
	newer := waiting(t, e, enginetest.Change(hooks.PreSync, "b", "1"))
	if r := enginetest.Wait(t, e, pre.ID); r.Verdict != hooks.Superseded || !strings.Contains(r.Reason, "bbbbbbbbbbbb") {
		t.Errorf("older wait %s: %s", r.Verdict, r.Reason)
	}
	if r, _ := e.Run(t.Context(), post.ID); r.Done() {
		t.Errorf("postSync of what is applied ended: %s: %s", r.Verdict, r.Reason)
	}
	// An older revision is somebody's wish, and ends nothing.
	back := waiting(t, e, enginetest.Change(hooks.PreSync, "a", "2"))
	if r, _ := e.Run(t.Context(), newer.ID); r.Done() {
		t.Errorf("a newer wait was ended by an older one: %s: %s", r.Verdict, r.Reason)
	}
	// b is let go: what is seen from here on is about b.
	w.Checks.Set("one", enginetest.Always(hooks.Pass, "fine"))
	if r := enginetest.Wait(t, e, newer.ID); r.Verdict != hooks.Passed {
		t.Fatalf("%s: %s", r.Verdict, r.Reason)
	}
	r := enginetest.Wait(t, e, post.ID)
	if r.Verdict != hooks.Superseded || r.Revert != nil || !strings.Contains(r.Reason, "not about aaaaaaaaaaaa any more") {
		t.Errorf("postSync %s: %s, revert %+v", r.Verdict, r.Reason, r.Revert)
	}
	checkEvents(t, e, r)
	if n := len(w.Reverter.Calls()); n != 0 {
		t.Errorf("%d reverts of a revision that nobody judged", n)
	}
	enginetest.Wait(t, e, back.ID)
	if r := enginetest.Wait(t, e, us.ID); r.Verdict != hooks.Passed {
		t.Errorf("another cluster: %s: %s", r.Verdict, r.Reason)
	}
}

// A backup that was proved before another revision went in proves nothing
// about the data after it.
func TestPassedPreSyncIsNotReusedAcrossAnotherRevision(t *testing.T) {
	w := line(t)
	e, _ := w.Start(t)
	first := evaluate(t, e, enginetest.Change(hooks.PreSync, "a", "1"))
	if again := submit(t, e, enginetest.Change(hooks.PreSync, "a", "2")); again.ID != first.ID {
		t.Error("a fresh run was not reused")
	}
	evaluate(t, e, enginetest.Change(hooks.PreSync, "b", "1"))
	if again := submit(t, e, enginetest.Change(hooks.PreSync, "a", "3")); again.ID == first.ID {
		t.Error("a run from before another revision was reused")
	}
}

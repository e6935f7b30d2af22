package engine_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/policies/gate"
)

// files is a tree with this tag and these files beside, or in place of its own.
func files(spec, tag string, more map[string]string) fstest.MapFS {
	f := enginetest.Tree(spec)
	for _, name := range []string{"eu.yaml", "us.yaml"} {
		f[name] = &fstest.MapFile{Data: []byte("image: {tag: \"" + tag + "\"}\n")}
	}
	for name, text := range more {
		f[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return f
}

// recovering has a, which passed on eu, and b on it, which failed there; from
// then on check one cannot hold.
func recovering(t *testing.T, w *enginetest.World, spec string) *engine.Engine {
	t.Helper()
	w.Git.Commit("a", "", files(spec, "1", nil))
	w.Git.Commit("b", "a", files(spec, "2", nil))
	for _, name := range []string{"one", "two", "after"} {
		w.Checks.Set(name, enginetest.Always(hooks.Pass, "fine"))
	}
	e, _ := w.Start(t)
	for _, phase := range []hooks.Phase{hooks.PreSync, hooks.PostSync} {
		evaluate(t, e, enginetest.Change(phase, "a", "1"))
	}
	evaluate(t, e, enginetest.Change(hooks.PreSync, "b", "1"))
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "1"))
	w.Checks.Set("one", enginetest.Always(hooks.Fail, "the database cannot be backed up"))
	return e
}

func TestRevertIsLetThrough(t *testing.T) {
	spec := gateSpec("30m")
	for _, tt := range []struct {
		name string
		tree fs.FS // of c, on b
		spec string
		min  engine.Minimums
		want hooks.Verdict
		text string // in the notes
	}{
		{name: "what was good", tree: files(spec, "1", nil), want: hooks.Passed, text: "a proved revert of bbbbbbbbbbbb: not asked: one, two"},
		{name: "with something else beside", tree: files(spec, "1", map[string]string{"README.md": "x"}), want: hooks.Passed},
		{name: "with a later edit of a guarded file", tree: files(spec, "1", map[string]string{"us.yaml": "image: {tag: \"1\"}\n# edited\n"}),
			want: hooks.Failed, text: "is not what aaaaaaaaaaaa was, which passed here: us.yaml"},
		{name: "another version", tree: files(spec, "3", nil), want: hooks.Failed, text: "eu.yaml, us.yaml"},
		{name: "half of it", tree: files(spec, "2", nil), want: hooks.Failed},
		{name: "a Gate that renders something else", tree: files(spec+"  namespace: other\n", "1", nil), want: hooks.Failed, text: "syncgate.yaml"},
		{name: "a Gate that asks less", tree: files(strings.Replace(spec, "name: two", "name: three", 1), "1", nil), want: hooks.Passed},
		{name: "the Gate needs the check", tree: files(spec+"  revert: {gate: [one]}\n", "1", nil), spec: spec + "  revert: {gate: [one]}\n", want: hooks.Failed, text: "not asked: two"},
		{name: "the server needs the check", tree: files(spec, "1", nil), min: engine.Minimums{PreSync: []gate.Check{{Name: "one", Nodes: &gate.NodesCheck{}}}},
			want: hooks.Failed, text: "not asked: one, two"},
		{name: "the server lets reverts off", tree: files(spec, "1", nil), min: engine.Minimums{PreSync: []gate.Check{{Name: "one", Nodes: &gate.NodesCheck{}}}, Revert: []string{}},
			want: hooks.Passed, text: "not asked: required/one, one, two"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := enginetest.NewWorld(t)
			w.Minimums = tt.min
			if tt.spec == "" {
				tt.spec = spec
			}
			w.Checks.Set("three", enginetest.Always(hooks.Fail, "no"))
			e := recovering(t, w, tt.spec)
			w.Git.Commit("c", "b", tt.tree)
			r := evaluate(t, e, enginetest.Change(hooks.PreSync, "c", "1"))
			events, err := e.Events(t.Context(), r.ID, 0, 100)
			if r.Verdict != tt.want || err != nil || !strings.Contains(fmt.Sprint(notes(events)), tt.text) {
				t.Errorf("%s: %s, %v, notes %q", r.Verdict, r.Reason, err, notes(events))
			}
			shown := false
			for _, res := range r.Results {
				shown = shown || res.Check == "revert"
			}
			if proved := strings.Contains(fmt.Sprint(notes(events)), "a proved revert"); shown != proved {
				t.Errorf("proof shown: %v, proved: %v", shown, proved)
			}
			checkEvents(t, e, r)
		})
	}
}

// Where a guarded file is a link, what it leads to counts too.
func TestRevertThroughALink(t *testing.T) {
	spec := gateSpec("30m")
	linked := func(tag string) fstest.MapFS {
		f := files(spec, "", map[string]string{"shared.yaml": "image: {tag: \"" + tag + "\"}\n"})
		for _, name := range []string{"eu.yaml", "us.yaml"} {
			f[name] = &fstest.MapFile{Data: []byte("shared.yaml"), Mode: fs.ModeSymlink}
		}
		return f
	}
	w := enginetest.NewWorld(t)
	e := recovering(t, w, spec)
	w.Git.Commit("c", "b", linked("1"))
	w.Checks.Set("one", enginetest.Always(hooks.Pass, "fine"))
	w.Checks.Set("after", enginetest.Always(hooks.Pass, "fine"))
	evaluate(t, e, enginetest.Change(hooks.PreSync, "c", "1"))
	evaluate(t, e, enginetest.Change(hooks.PostSync, "c", "1"))
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	w.Git.Commit("d", "c", linked("2"))
	evaluate(t, e, enginetest.Change(hooks.PreSync, "d", "1"))
	evaluate(t, e, enginetest.Change(hooks.PostSync, "d", "1"))
	w.Checks.Set("one", enginetest.Always(hooks.Fail, "no backup"))
	w.Git.Commit("e", "d", linked("3"))
	if r := evaluate(t, e, enginetest.Change(hooks.PreSync, "e", "1")); r.Verdict != hooks.Failed {
		t.Errorf("another version behind the link: %s: %s", r.Verdict, r.Reason)
	}
	w.Git.Commit("f", "e", linked("1"))
	if r := evaluate(t, e, enginetest.Change(hooks.PreSync, "f", "1")); r.Verdict != hooks.Passed {
		t.Errorf("what was good: %s: %s", r.Verdict, r.Reason)
	}
}

// Going back is a change like any other unless what is applied has failed.
func TestGoingBackNeedsAFailure(t *testing.T) {
	spec := gateSpec("30m")
	pre := func(t *testing.T, e *engine.Engine, attempt string) hooks.Run {
		return evaluate(t, e, enginetest.Change(hooks.PreSync, "c", attempt))
	}
	start := func(t *testing.T) (*enginetest.World, *engine.Engine) {
		w := enginetest.NewWorld(t)
		e := recovering(t, w, spec)
		w.Git.Commit("c", "b", files(spec, "1", nil))
		return w, e
	}
	t.Run("it passed after all", func(t *testing.T) {
		w, e := start(t)
		w.Checks.Set("after", enginetest.Always(hooks.Pass, "fine"))
		evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "2"))
		if r := pre(t, e, "1"); r.Verdict != hooks.Failed {
			t.Errorf("%s: %s", r.Verdict, r.Reason)
		}
	})
	t.Run("it is being judged", func(t *testing.T) {
		w, e := start(t)
		w.Checks.Set("after", enginetest.Always(hooks.Wait, "rolling out"))
		waiting(t, e, enginetest.Change(hooks.PostSync, "b", "2"))
		if r := pre(t, e, "1"); r.Verdict != hooks.Failed {
			t.Errorf("%s: %s", r.Verdict, r.Reason)
		}
	})
	t.Run("another one went in since", func(t *testing.T) {
		w, e := start(t)
		w.Git.Commit("d", "b", files(spec, "4", nil))
		w.Checks.Set("one", enginetest.Always(hooks.Pass, "fine"))
		evaluate(t, e, enginetest.Change(hooks.PreSync, "d", "1"))
		w.Checks.Set("one", enginetest.Always(hooks.Fail, "no"))
		if r := pre(t, e, "1"); r.Verdict != hooks.Failed {
			t.Errorf("%s: %s", r.Verdict, r.Reason)
		}
		evaluate(t, e, enginetest.Change(hooks.PostSync, "d", "1")) // fails too
		if r := pre(t, e, "2"); r.Verdict != hooks.Passed {
			t.Errorf("%s: %s", r.Verdict, r.Reason)
		}
	})
	t.Run("on another cluster", func(t *testing.T) {
		_, e := start(t)
		c := enginetest.Change(hooks.PreSync, "c", "1")
		c.Cluster = "us"
		if r := evaluate(t, e, c); r.Verdict != hooks.Failed {
			t.Errorf("%s: %s", r.Verdict, r.Reason)
		}
	})
	t.Run("and again, until it has passed", func(t *testing.T) {
		w, e := start(t)
		if r := pre(t, e, "1"); r.Verdict != hooks.Passed {
			t.Fatalf("%s: %s", r.Verdict, r.Reason)
		}
		evaluate(t, e, enginetest.Change(hooks.PostSync, "c", "1")) // not good yet
		w.Checks.Set("after", enginetest.Always(hooks.Pass, "fine"))
		if r := evaluate(t, e, enginetest.Change(hooks.PostSync, "c", "2")); r.Verdict != hooks.Passed {
			t.Fatalf("%s: %s", r.Verdict, r.Reason)
		}
	})
}

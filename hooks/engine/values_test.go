package engine_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
)

// chat is a tree whose clusters run those versions of a server, with more
// fields of the Gate.
func chat(eu, us, more string) fstest.MapFS {
	tree := enginetest.Tree(gateSpec("1m") + "  packs: [mattermost]\n  skew: [{path: image.tag}]\n" + more)
	values := func(v string) *fstest.MapFile { return &fstest.MapFile{Data: []byte("image: {tag: " + v + "}\n")} }
	tree["eu.yaml"], tree["us.yaml"] = values(eu), values(us)
	return tree
}

// TestChangesAreHeldAgainstWhatPassed shows that rules over a change are asked
// with the values that passed last on the Change's cluster, and what is said
// while nothing has.
func TestChangesAreHeldAgainstWhatPassed(t *testing.T) {
	w := enginetest.NewWorld(t)
	for _, name := range []string{"one", "two", "after"} {
		w.Checks.Set(name, enginetest.Always(hooks.Pass, "fine"))
	}
	w.Git.Commit("a", "", chat("11.7.4", "11.7.4", ""))
	w.Git.Commit("b", "a", chat("11.6.1", "11.7.4", ""))
	w.Git.Commit("c", "b", chat("11.6.1", "11.7.4", "  waivers: [{rule: mattermost/no-server-downgrade, path: image.tag, reason: restored, until: \"2026-11-30\"}]\n"))
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC).Unix())
	w.Now = func() time.Time { return time.Unix(now.Load(), 0).UTC() }
	e, _ := w.Start(t)
	presync := func(cluster, rev, attempt string) (hooks.Run, string) {
		c := enginetest.Change(hooks.PreSync, rev, attempt)
		c.Cluster = cluster
		r := evaluate(t, e, c)
		return r, fmt.Sprint(r.Results[0])
	}

	r, said := presync("eu", "a", "1")
	if r.Verdict != hooks.Passed || !strings.Contains(said, "not asked: no revision of gate chat has passed after its sync on cluster eu yet") {
		t.Fatalf("the first change: %s, %s", r.Verdict, said)
	}
	evaluate(t, e, enginetest.Change(hooks.PostSync, "a", "1"))

	r, said = presync("eu", "b", "1")
	if r.Verdict != hooks.Failed || !strings.Contains(said, "mattermost/no-server-downgrade") || !strings.Contains(said, "expected 11.7.4 or later") {
		t.Fatalf("a downgrade: %s, %s", r.Verdict, said)
	}
	// On the other cluster nothing has passed, and eu's change is not its own.
	r, said = presync("us", "b", "1")
	if r.Verdict != hooks.Passed || !strings.Contains(said, "on cluster us yet") || strings.Contains(said, "expected 11.7.4") {
		t.Fatalf("another cluster: %s, %s", r.Verdict, said)
	}

	r, said = presync("eu", "c", "1")
	if r.Verdict != hooks.Passed || !strings.Contains(said, "waived until 2026-11-30 (restored)") {
		t.Fatalf("a waiver: %s, %s", r.Verdict, said)
	}
	now.Store(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC).Unix())
	r, said = presync("eu", "c", "2")
	if r.Verdict != hooks.Failed || !strings.Contains(said, "no-server-downgrade") || !strings.Contains(said, "whose last day is over") {
		t.Fatalf("a waiver that is over: %s, %s", r.Verdict, said)
	}
}

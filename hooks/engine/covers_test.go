package engine_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/admission"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/policies/gate"
)

const guards = `
  namespace: chat
  preSync: {deadline: 1m, interval: 1ms, freshFor: 10m, checks: [{name: one, nodes: {}}]}
  postSync: {deadline: 1m, interval: 1ms, checks: [{name: after, nodes: {}}]}
  guards:
    - apiVersion: apps/v1
      kind: Deployment
      fields: [{path: spec.tag, value: "${values.image.tag}"}]
`

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

func tagged(spec, tag string) fstest.MapFS {
	t := enginetest.Tree(spec)
	for _, f := range []string{"eu.yaml", "us.yaml"} {
		t[f] = &fstest.MapFile{Data: []byte("image: {tag: \"" + tag + "\"}\n")}
	}
	return t
}

func guardedWorld(t *testing.T) (*enginetest.World, *clock) {
	w := enginetest.NewWorld(t)
	w.Admission = true
	c := &clock{now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
	w.Now = c.Now
	w.Git.Commit("a", "", tagged(guards, "1"))
	w.Git.Commit("b", "a", tagged(guards, "2"))
	for _, name := range []string{"one", "after"} {
		w.Checks.Set(name, enginetest.Always(hooks.Pass, "fine"))
	}
	return w, c
}

func pass(t *testing.T, e *engine.Engine, phase hooks.Phase, rev, attempt string) hooks.Run {
	t.Helper()
	r := enginetest.Wait(t, e, submit(t, e, enginetest.Change(phase, rev, attempt)).ID)
	if r.Verdict != hooks.Passed {
		t.Fatalf("%s of %s: %s: %s", phase, rev, r.Verdict, r.Reason)
	}
	return r
}

// may asks whether a Deployment may come from one tag to another; from "" it is
// new. want is a part of the refusal, "" when it may.
func may(t *testing.T, e *engine.Engine, from, to, want string) {
	t.Helper()
	r := &admission.Request{Operation: admission.Update, Kind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, Namespace: "chat", Name: "web",
		Object: fmt.Sprintf(`{"spec":{"tag":%q}}`, to), Old: fmt.Sprintf(`{"spec":{"tag":%q}}`, from)}
	if from == "" {
		r.Operation, r.Old = admission.Create, ""
	}
	d := e.Admission().Review("eu", r)
	if d.Allowed != (want == "") || !strings.Contains(d.Message, want) {
		t.Errorf("from %q to %q: want %q, found %+v", from, to, want, d)
	}
}

func TestPassedRunCovers(t *testing.T) {
	w, c := guardedWorld(t)
	e, stop := w.Start(t)
	may(t, e, "1", "2", "knows no run")
	pass(t, e, hooks.PreSync, "a", "1")
	may(t, e, "0", "1", "")
	may(t, e, "1", "2", `passed, and has spec.tag "1"`)
	may(t, e, "", "1", "")
	pass(t, e, hooks.PostSync, "a", "2")

	c.move(time.Minute)
	pass(t, e, hooks.PreSync, "b", "3")
	may(t, e, "1", "2", "")
	may(t, e, "2", "1", `"2" → "1"`) // a's Run is fresh, and another took its place
	may(t, e, "", "1", "")           // the baseline
	may(t, e, "", "0", `spec.tag is "0"`)

	c.move(9 * time.Minute)
	may(t, e, "1", "2", "")
	// A sync that begins at the last moment has its time too.
	submit(t, e, enginetest.Change(hooks.PreSync, "b", "4"))
	c.move(9 * time.Minute)
	may(t, e, "1", "2", "")
	stop()

	e, _ = w.Start(t) // all of it is known again
	may(t, e, "1", "2", "")
	may(t, e, "2", "1", `"2" → "1"`)
	may(t, e, "", "1", "")
	c.move(time.Minute)
	may(t, e, "1", "2", "was fresh until 2026-11-26T12:20:00Z")
	pass(t, e, hooks.PreSync, "b", "5")
	may(t, e, "1", "2", "")
}

func TestFreshForIsBoundByTheServer(t *testing.T) {
	w, c := guardedWorld(t)
	w.Limits.MaxFreshFor = time.Minute
	e, _ := w.Start(t)
	pass(t, e, hooks.PreSync, "b", "1")
	may(t, e, "1", "2", "")
	c.move(time.Minute)
	may(t, e, "1", "2", "was fresh until 2026-11-26T12:01:00Z")
	if r := submit(t, e, enginetest.Change(hooks.PreSync, "b", "2")); r.Number != 2 {
		t.Errorf("expected a new run, found number %d", r.Number)
	}
}

func TestRunThatDoesNotPassCoversNothing(t *testing.T) {
	w, _ := guardedWorld(t)
	w.Checks.Set("one", enginetest.Always(hooks.Fail, "no backup"))
	e, _ := w.Start(t)
	enginetest.Wait(t, e, submit(t, e, enginetest.Change(hooks.PreSync, "b", "1")).ID)
	may(t, e, "1", "2", "failed at 2026-11-26T12:00:00Z: one: Fail: no backup")
}

// A commit that takes the guard away does not take it away by being merged,
// but by passing.
func TestGuardGoesWhenARevisionWithoutItPasses(t *testing.T) {
	w, _ := guardedWorld(t)
	e, stop := w.Start(t)
	pass(t, e, hooks.PreSync, "a", "1")
	without, _, _ := strings.Cut(guards, "  guards:")
	w.Git.Commit("c", "b", tagged(without, "3"))
	e.LookForGuards(t.Context())
	may(t, e, "1", "3", "gate chat guards this")
	stop()
	e, _ = w.Start(t)
	may(t, e, "1", "3", "gate chat guards this")
	pass(t, e, hooks.PreSync, "c", "2")
	may(t, e, "1", "3", "knows no guard there")
}

func TestGateThatIsDeletedOrRenamed(t *testing.T) {
	w, _ := guardedWorld(t)
	e, _ := w.Start(t)
	pass(t, e, hooks.PreSync, "a", "1")
	renamed := tagged(guards, "3")
	renamed[gate.FileName] = &fstest.MapFile{Data: []byte(strings.Replace(enginetest.Gate(guards), "name: chat", "name: talk", 1))}
	w.Git.Commit("c", "b", renamed)
	e.LookForGuards(t.Context())
	may(t, e, "1", "3", "gate chat guards this")
	c := enginetest.Change(hooks.PreSync, "c", "2")
	c.Gate = "talk"
	if r := enginetest.Wait(t, e, submit(t, e, c).ID); r.Verdict != hooks.Passed {
		t.Fatalf("%+v", r)
	}
	may(t, e, "1", "3", "")
	may(t, e, "1", "2", "gate talk guards this")
}

func TestRequiredGuardStays(t *testing.T) {
	w, _ := guardedWorld(t)
	w.Minimums.Guards = []engine.RequiredGuard{{Repository: "fleet", Gate: "chat", Namespace: "chat", Guard: gate.Guard{
		APIVersion: "apps/v1", Kind: "Deployment", Fields: []gate.GuardField{{Path: "spec.tag", Value: "${values.image.tag}"}},
	}}}
	e, _ := w.Start(t)
	without, _, _ := strings.Cut(guards, "  guards:")
	w.Git.Commit("c", "b", tagged(without, "3"))
	e.LookForGuards(t.Context())
	may(t, e, "1", "3", "gate chat guards this")
	pass(t, e, hooks.PreSync, "c", "1")
	may(t, e, "1", "3", "")
	may(t, e, "3", "4", "gate chat guards this")
}

func TestRequiredGuardOfNoRepository(t *testing.T) {
	_, err := engine.New(engine.Options{Log: slog.New(slog.DiscardHandler), Admission: []string{"eu"}, Minimums: engine.Minimums{Guards: []engine.RequiredGuard{{Repository: "nope", Namespace: "chat", Guard: gate.Guard{APIVersion: "v1", Kind: "Pod"}}}}})
	if err == nil || !strings.Contains(err.Error(), `no repository named "nope"`) {
		t.Errorf("found %v", err)
	}
}

func TestMergedGuardHoldsAtOnce(t *testing.T) {
	w, _ := guardedWorld(t)
	e, _ := w.Start(t)
	pass(t, e, hooks.PreSync, "a", "1")
	w.Git.Commit("c", "b", tagged(guards+"    - {apiVersion: apps/v1, kind: Deployment, fields: [{path: spec.replicas, value: \"3\"}]}\n", "1"))
	may(t, e, "0", "1", "")
	e.LookForGuards(t.Context())
	may(t, e, "", "1", `spec.replicas is ""`)
	broken := tagged(guards, "1")
	broken[gate.FileName] = &fstest.MapFile{Data: []byte("kind: [")}
	w.Git.Commit("d", "c", broken)
	e.LookForGuards(t.Context())
	may(t, e, "", "1", `spec.replicas is ""`) // as it was, while it cannot be read
	w.Git.Commit("e", "d", tagged(guards, "1"))
	e.LookForGuards(t.Context())
	may(t, e, "", "1", "")
}

func TestOverrideCovers(t *testing.T) {
	w, c := guardedWorld(t)
	w.Checks.Set("one", enginetest.Always(hooks.Wait, "no backup yet"))
	e, stop := w.Start(t)
	ch := enginetest.Change(hooks.PreSync, "b", "1")
	_, err := e.Override(t.Context(), hooks.OverrideRequest{Repository: ch.Repository, Gate: ch.Gate, Cluster: ch.Cluster, Revision: ch.Revision,
		Phase: hooks.PreSync, Reason: "the site is down", For: gate.Duration(time.Hour)}, "jane")
	if err != nil {
		t.Fatal(err)
	}
	may(t, e, "1", "2", "")
	may(t, e, "1", "3", `overridden, and has spec.tag "2"`)
	stop()
	e, _ = w.Start(t)
	may(t, e, "1", "2", "")
	c.move(time.Hour)
	may(t, e, "1", "2", "no passed, fresh run")
}

// While Git is away nothing is known of a guard; when it is back, everything is.
func TestGuardsOfARepositoryThatIsAway(t *testing.T) {
	w, _ := guardedWorld(t)
	e, stop := w.Start(t)
	pass(t, e, hooks.PreSync, "b", "1")
	stop()
	w.Git.Break(errors.New("no route to host"))
	e, _ = w.Start(t)
	may(t, e, "1", "2", "not every guard of the cluster is known: gate chat: read revision")
	may(t, e, "2", "2", "")
	w.Git.Break(nil)
	e.LookForGuards(t.Context())
	may(t, e, "1", "2", "")
	w.Git.Break(errors.New("no route to host"))
	e.LookForGuards(t.Context())
	may(t, e, "1", "2", "") // what is known holds
}

// A revision that can never be read again leaves its Gate's guards in doubt, as
// long as the Gate is there.
func TestGuardsOfARevisionThatIsLost(t *testing.T) {
	w, _ := guardedWorld(t)
	e, stop := w.Start(t)
	pass(t, e, hooks.PreSync, "a", "1")
	stop()
	w.Git.Lose("a")
	e, stop = w.Start(t)
	may(t, e, "1", "2", "has no revision aaaa")
	pass(t, e, hooks.PreSync, "b", "2")
	may(t, e, "1", "2", "")
	stop()

	empty := tagged("", "1")
	delete(empty, gate.FileName)
	w.Git.Commit("c", "b", empty)
	w.Git.Lose("b")
	e, _ = w.Start(t)
	may(t, e, "1", "2", "knows no guard there")
}

func TestGuardWithoutValueIsRefusedAtTheDoor(t *testing.T) {
	w, _ := guardedWorld(t)
	w.Git.Commit("c", "b", tagged(strings.Replace(guards, "values.image.tag", "values.image.tga", 1), "3"))
	e, _ := w.Start(t)
	_, _, err := e.Submit(t.Context(), enginetest.Change(hooks.PreSync, "c", "1"), "ns/hook")
	var refused *engine.RefusedError
	if !errors.As(err, &refused) || refused.Code != hooks.CodeInvalidChange || !strings.Contains(err.Error(), "spec.guards[0].fields[0].value, for spec.tag") {
		t.Errorf("found %v", err)
	}
}

func TestNoAdmission(t *testing.T) {
	w, _ := guardedWorld(t)
	w.Admission = false
	e, _ := w.Start(t)
	pass(t, e, hooks.PreSync, "a", "1")
	e.LookForGuards(t.Context())
	if e.Admission() != nil {
		t.Error("expected no index")
	}
}

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/policies/gate"
)

// spec is a Gate with two checks before and one after the sync. %s is the
// deadline.
const spec = `
  preSync:
    deadline: %s
    interval: 1ms
    checks:
      - name: one
        nodes: {}
      - name: two
        nodes: {}
  postSync:
    deadline: %s
    interval: 1ms
    checks:
      - name: after
        nodes: {}
`

func gateSpec(deadline string) string { return fmt.Sprintf(spec, deadline, deadline) }

// world has revisions a, b (on a) and c (on b), and checks that pass.
func world(t *testing.T, deadline string) *enginetest.World {
	w := enginetest.NewWorld(t)
	tree := enginetest.Tree(gateSpec(deadline))
	w.Git.Commit("a", "", tree)
	w.Git.Commit("b", "a", tree)
	w.Git.Commit("c", "b", tree)
	for _, name := range []string{"one", "two", "after"} {
		w.Checks.Set(name, enginetest.Always(hooks.Pass, "fine"))
	}
	return w
}

func submit(t *testing.T, e *engine.Engine, c hooks.Change) hooks.Run {
	t.Helper()
	r, _, err := e.Submit(t.Context(), c, "ns/hook")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// evaluate submits and waits for the end.
func evaluate(t *testing.T, e *engine.Engine, c hooks.Change) hooks.Run {
	t.Helper()
	return enginetest.Wait(t, e, submit(t, e, c).ID)
}

func TestVerdicts(t *testing.T) {
	fail, wait, unknown := enginetest.Always(hooks.Fail, "broken"), enginetest.Always(hooks.Wait, "not yet"), enginetest.Always(hooks.Unknown, "no idea")
	for _, tt := range []struct {
		name     string
		deadline string // "over": the clock jumps past it once all were asked
		set      map[string]enginetest.Ask
		want     hooks.Verdict
		reason   string
		statuses string // of values, one, two
	}{
		{"all pass", "1m", nil, hooks.Passed, "all of 3 checks passed", "Pass Pass Pass"},
		{"waits until it passes", "1m", map[string]enginetest.Ask{"two": enginetest.Then(3, enginetest.Always(hooks.Pass, "fine"))}, hooks.Passed, "all of 3", "Pass Pass Pass"},
		{"one fails, all were asked", "1m", map[string]enginetest.Ask{"one": fail, "two": wait}, hooks.Failed, "one: Fail: broken", "Pass Fail Wait"},
		{"fails after waiting", "1m", map[string]enginetest.Ask{"one": enginetest.Then(2, fail)}, hooks.Failed, "one: Fail: broken", "Pass Fail Pass"},
		{"both fail", "1m", map[string]enginetest.Ask{"one": fail, "two": fail}, hooks.Failed, "one: Fail: broken; also two (Fail)", "Pass Fail Fail"},
		{"deadline", "over", map[string]enginetest.Ask{"two": wait}, hooks.Expired, "held by two: Wait: not yet", "Pass Pass Wait"},
		{"unknown never passes", "over", map[string]enginetest.Ask{"one": unknown}, hooks.Expired, "held by one: Unknown: no idea", "Pass Unknown Pass"},
		{"an error is unknown", "over", map[string]enginetest.Ask{"one": func(context.Context, int) (check.Answer, error) {
			return check.Answer{Status: hooks.Pass}, errors.New("connection refused")
		}}, hooks.Expired, "held by one: Unknown: connection refused", "Pass Unknown Pass"},
		{"a panic is unknown and harms nobody", "1m", map[string]enginetest.Ask{"one": func(_ context.Context, n int) (check.Answer, error) {
			if n < 3 {
				panic("boom")
			}
			return check.Answer{Status: hooks.Pass}, nil
		}}, hooks.Passed, "all of 3", "Pass Pass Pass"},
		{"no status is unknown", "over", map[string]enginetest.Ask{"one": enginetest.Always("Sure", "x")}, hooks.Expired, "no status", "Pass Unknown Pass"},
		{"a check that hangs is given up", "over", map[string]enginetest.Ask{"one": func(ctx context.Context, _ int) (check.Answer, error) {
			<-ctx.Done()
			return check.Answer{}, ctx.Err()
		}}, hooks.Expired, "held by one: Unknown: no answer within the limit of 3s", "Pass Unknown Pass"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := world(t, "30m")
			for name, ask := range tt.set {
				w.Checks.Set(name, ask)
			}
			if tt.deadline == "over" {
				w.Limits.CheckTimeout = 3 * time.Second
				w.Now = jump(w, "one", "two")
			}
			e, _ := w.Start(t)
			r := evaluate(t, e, enginetest.Change(hooks.PreSync, "a", "x"))
			if r.Verdict != tt.want || !strings.Contains(r.Reason, tt.reason) {
				t.Errorf("%s: %s; want %s: %s", r.Verdict, r.Reason, tt.want, tt.reason)
			}
			var statuses []string
			for _, res := range r.Results {
				statuses = append(statuses, string(res.Status))
			}
			if got := strings.Join(statuses, " "); got != tt.statuses {
				t.Errorf("statuses %q, want %q", got, tt.statuses)
			}
			checkEvents(t, e, r)
			if n := len(w.Reverter.Calls()); n != 0 {
				t.Errorf("%d reverts of a change that was not applied", n)
			}
		})
	}
}

// jump is a clock that goes on by an hour once the checks were asked.
func jump(w *enginetest.World, names ...string) func() time.Time {
	return func() time.Time {
		for _, n := range names {
			if w.Checks.Count(n) == 0 {
				return time.Now()
			}
		}
		return time.Now().Add(time.Hour)
	}
}

// checkEvents holds the events against the Run: no gap, the last Result of each
// check, the verdict once.
func checkEvents(t *testing.T, e *engine.Engine, r hooks.Run) {
	t.Helper()
	events, err := e.Events(t.Context(), r.ID, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	last, verdicts := map[string]hooks.Result{}, 0
	for i, ev := range events {
		if ev.Seq != int64(i+1) {
			t.Errorf("event %d has number %d", i, ev.Seq)
		}
		if ev.Result != nil {
			was := last[ev.Result.Check]
			if was.Status == ev.Result.Status && was.Reason == ev.Result.Reason {
				t.Errorf("event %d says nothing new of %s", ev.Seq, ev.Result.Check)
			}
			last[ev.Result.Check] = *ev.Result
		}
		if ev.Verdict != nil {
			if verdicts++; ev.Verdict.Verdict != r.Verdict || ev.Verdict.Reason != r.Reason {
				t.Errorf("event %d: %+v, want %s", ev.Seq, ev.Verdict, r.Verdict)
			}
		}
	}
	if verdicts != 1 {
		t.Errorf("%d verdict events, want 1", verdicts)
	}
	for _, res := range r.Results {
		if d := cmp.Diff(res, last[res.Check], cmpopts.IgnoreFields(hooks.Result{}, "Asked", "At")); d != "" {
			t.Errorf("last event of %s (-run +event):\n%s", res.Check, d)
		}
	}
}

func TestValuesMustAgreeBeforeTheSync(t *testing.T) {
	w := world(t, "1m")
	tree := enginetest.Tree(gateSpec("1m"))
	tree["us.yaml"].Data = []byte("image: {tag: \"2\"}\n")
	w.Git.Commit("d", "a", tree)
	e, _ := w.Start(t)
	r := evaluate(t, e, enginetest.Change(hooks.PreSync, "d", "x"))
	if r.Verdict != hooks.Failed || !strings.HasPrefix(r.Reason, "values: Fail:") {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
	if res := r.Results[0]; res.Check != "values" || !strings.Contains(fmt.Sprint(res.Evidence), "us.yaml") {
		t.Errorf("evidence does not name the file: %+v", res)
	}
}

func TestAttempts(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	advance := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	w := world(t, "30m")
	w.Now = clock
	hold := make(chan struct{})
	w.Checks.Set("one", func(ctx context.Context, _ int) (check.Answer, error) {
		select {
		case <-hold:
			return check.Answer{Status: hooks.Pass}, nil
		case <-ctx.Done():
			return check.Answer{}, ctx.Err()
		}
	})
	e, _ := w.Start(t)
	pre := func(attempt string) hooks.Change { return enginetest.Change(hooks.PreSync, "a", attempt) }
	first := submit(t, e, pre("x"))
	if again := submit(t, e, pre("x")); again.ID != first.ID {
		t.Error("the same attempt got another run")
	}
	if joined := submit(t, e, pre("y")); joined.ID != first.ID {
		t.Error("a new attempt did not join the unfinished run")
	}
	other := pre("x")
	other.Cluster = "us"
	if r := submit(t, e, other); r.ID == first.ID {
		t.Error("another cluster joined the run")
	}
	close(hold)
	if r := enginetest.Wait(t, e, first.ID); r.Verdict != hooks.Passed {
		t.Fatal(r.Verdict)
	}
	if r := submit(t, e, pre("z")); r.ID != first.ID {
		t.Error("a passed run that is fresh was not reused")
	}
	advance(15*time.Minute + time.Second)
	second := submit(t, e, pre("late"))
	if second.ID == first.ID || second.Number != 2 {
		t.Errorf("a passed run that is not fresh was reused: number %d", second.Number)
	}
	if r := submit(t, e, pre("x")); r.ID != first.ID {
		t.Error("an attempt lost its own run")
	}
	enginetest.Wait(t, e, second.ID)
	post1 := evaluate(t, e, enginetest.Change(hooks.PostSync, "a", "x"))
	post2 := evaluate(t, e, enginetest.Change(hooks.PostSync, "a", "y"))
	if post1.ID == post2.ID || post2.Number != 2 {
		t.Error("a passed postSync was reused for a new attempt")
	}
	w.Checks.Set("one", enginetest.Always(hooks.Fail, "broken"))
	failed := evaluate(t, e, enginetest.Change(hooks.PreSync, "b", "x"))
	again := submit(t, e, enginetest.Change(hooks.PreSync, "b", "y"))
	if failed.Verdict != hooks.Failed || again.ID == failed.ID {
		t.Error("a failed run was reused for a new attempt")
	}
}

func TestMinimumsAreAlwaysAsked(t *testing.T) {
	w := world(t, "1m")
	w.Git.Commit("d", "a", enginetest.Tree("")) // a Gate that asks nothing
	w.Minimums.PreSync = []gate.Check{{Name: "one", Nodes: &gate.NodesCheck{}}}
	w.Checks.Set("one", enginetest.Always(hooks.Fail, "the organization says no"))
	e, _ := w.Start(t)
	r := evaluate(t, e, enginetest.Change(hooks.PreSync, "d", "x"))
	if r.Verdict != hooks.Failed || !strings.Contains(r.Reason, "required/one") {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
	if r := evaluate(t, e, enginetest.Change(hooks.PostSync, "d", "x")); r.Verdict != hooks.Passed || !strings.Contains(r.Reason, "asks no checks") {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
}

func TestRefusals(t *testing.T) {
	w := world(t, "1m")
	broken := enginetest.Tree("  preSync: {checks: [{name: one, nodes: {}}, {name: strange, nodes: {}}]}\n")
	w.Git.Commit("d", "a", broken)
	twice := enginetest.Tree("")
	twice["sub/syncgate.yaml"] = twice["syncgate.yaml"]
	w.Git.Commit("e", "a", twice)
	bad := enginetest.Tree("  nonsense: 1\n")
	w.Git.Commit("f", "a", bad)
	unmerged := enginetest.Tree(gateSpec("1m"))
	delete(unmerged, "eu.yaml")
	w.Git.Commit("1", "a", unmerged)
	w.Git.Stray("2", enginetest.Tree(""))
	e, _ := w.Start(t)
	for _, tt := range []struct {
		name string
		edit func(*hooks.Change)
		code string
		text string
	}{
		{"form", func(c *hooks.Change) { c.Revision = "HEAD" }, hooks.CodeInvalidChange, "full commit SHA"},
		{"repository", func(c *hooks.Change) { c.Repository = "https://user:pw@git.example/other" }, hooks.CodeUnknownRepo, "git.example/acme/fleet"},
		{"revision", func(c *hooks.Change) { c.Revision = enginetest.Rev("9") }, hooks.CodeUnknownRevision, enginetest.Rev("9")},
		{"gate", func(c *hooks.Change) { c.Gate = "shop" }, hooks.CodeUnknownGate, "there are: chat"},
		{"cluster", func(c *hooks.Change) { c.Cluster = "mars" }, hooks.CodeInvalidChange, "eu"},
		{"check that cannot be made", func(c *hooks.Change) { c.Revision = enginetest.Rev("d") }, hooks.CodeInvalidChange, "strange"},
		{"two gates of a name", func(c *hooks.Change) { c.Revision = enginetest.Rev("e") }, hooks.CodeInvalidChange, "sub/syncgate.yaml"},
		{"values that are not there", func(c *hooks.Change) { c.Revision = enginetest.Rev("1") }, hooks.CodeInvalidChange, "eu.yaml"},
		{"revision of a fork", func(c *hooks.Change) { c.Revision = enginetest.Rev("2") }, hooks.CodeInvalidChange, "expected a commit of branch main"},
		{"gate that cannot be read", func(c *hooks.Change) { c.Revision = enginetest.Rev("f") }, hooks.CodeInvalidChange, "nonsense"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := enginetest.Change(hooks.PreSync, "a", "x")
			tt.edit(&c)
			_, _, err := e.Submit(t.Context(), c, "ns/hook")
			var r *engine.RefusedError
			if !errors.As(err, &r) || r.Code != tt.code || !strings.Contains(r.Message, tt.text) || r.Remedy == "" {
				t.Fatalf("Submit: %v; want code %s and %q", err, tt.code, tt.text)
			}
			if strings.Contains(r.Message, "pw") {
				t.Error("a password is shown")
			}
		})
	}
	w.Git.Break(errors.New("connection refused"))
	_, _, err := e.Submit(t.Context(), enginetest.Change(hooks.PreSync, "b", "x"), "ns/hook")
	var r *engine.RefusedError
	if err == nil || errors.As(err, &r) {
		t.Errorf("Git that cannot be reached is a refusal: %v", err)
	}
}

func TestSpellingsOfTheRepository(t *testing.T) {
	w := world(t, "1m")
	e, _ := w.Start(t)
	for _, u := range []string{
		"https://git.example/acme/fleet", "https://git.example/acme/fleet.git/", "http://GIT.example:80/acme/fleet.git",
		"git@git.example:acme/fleet.git", "ssh://git@git.example:22/acme/fleet.git", "https://user:pw@git.example/acme/fleet",
	} {
		c := enginetest.Change(hooks.PreSync, "a", "x")
		c.Repository = u
		r := submit(t, e, c)
		if r.Change.Repository != enginetest.URL {
			t.Errorf("%s is kept as %s", u, r.Change.Repository)
		}
	}
}

func TestTroubleWithGitOrClusterBlocks(t *testing.T) {
	w := world(t, "30m")
	w.Clusters.Break(errors.New("cluster eu: certificate expired"))
	var over atomic.Bool
	w.Now = func() time.Time {
		if over.Load() {
			return time.Now().Add(time.Hour)
		}
		return time.Now()
	}
	e, _ := w.Start(t)
	held := submit(t, e, enginetest.Change(hooks.PostSync, "a", "x")).ID
	enginetest.Until(t, e, held, func(r hooks.Run) bool { return len(r.Results) == 1 })
	over.Store(true)
	r := enginetest.Wait(t, e, held)
	if r.Verdict != hooks.Expired || !strings.Contains(r.Reason, "certificate expired") {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
	if r.Revert == nil || r.Revert.Action != "None" || len(w.Reverter.Calls()) != 0 {
		t.Errorf("what could not be found out was undone: %+v", r.Revert)
	}
	w2 := world(t, "1m")
	w2.Clusters.Break(errors.New("cluster eu: certificate expired"))
	e2, _ := w2.Start(t)
	id := submit(t, e2, enginetest.Change(hooks.PreSync, "a", "x")).ID
	enginetest.Until(t, e2, id, func(r hooks.Run) bool { return len(r.Results) == 1 })
	w2.Clusters.Break(nil)
	if r := enginetest.Wait(t, e2, id); r.Verdict != hooks.Passed {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
}

func TestProvedBackupIsAskedAgainOnlyInTheEnd(t *testing.T) {
	w := world(t, "1m")
	taken := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	backup := hooks.Backup{Location: "s3://b/dump.sql.gz", Taken: taken, Size: 5, Proof: "complete"}
	w.Checks.Set("one", func(context.Context, int) (check.Answer, error) {
		return check.Answer{Status: hooks.Pass, Reason: "proved", Backup: &backup}, nil
	})
	w.Checks.Set("two", enginetest.Then(5, enginetest.Always(hooks.Pass, "fine")))
	e, _ := w.Start(t)
	r := evaluate(t, e, enginetest.Change(hooks.PreSync, "b", "x"))
	if r.Verdict != hooks.Passed || r.Backup == nil || *r.Backup != backup {
		t.Fatalf("%s, backup %+v", r.Verdict, r.Backup)
	}
	if n := w.Checks.Count("one"); n != 2 {
		t.Errorf("the backup was proved %d times, want 2: first, and when all else held", n)
	}
	if n := w.Checks.Count("two"); n != 6 {
		t.Errorf("two was asked %d times, want 6", n)
	}
	// A backup that is gone in the end blocks.
	w.Checks.Set("two", enginetest.Then(8, enginetest.Always(hooks.Pass, "fine")))
	w.Checks.Set("one", func(_ context.Context, n int) (check.Answer, error) {
		if n == 3 {
			return check.Answer{Status: hooks.Pass, Backup: &backup}, nil
		}
		return check.Answer{Status: hooks.Fail, Reason: "the backup is gone"}, nil
	})
	if r := evaluate(t, e, enginetest.Change(hooks.PreSync, "c", "x")); r.Verdict != hooks.Failed || r.Backup != nil {
		t.Errorf("%s, backup %+v", r.Verdict, r.Backup)
	}
	// The revert names the backup of the same revision.
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "x"))
	calls := w.Reverter.Calls()
	if len(calls) != 1 || !strings.Contains(calls[0].Backup, "s3://b/dump.sql.gz, taken 2026-03-01T00:00:00Z, proof: complete, 5 bytes") {
		t.Errorf("reverts: %+v", calls)
	}
}

func TestRevert(t *testing.T) {
	w := world(t, "1m")
	e, _ := w.Start(t)
	post := func(rev, attempt string) hooks.Run {
		return evaluate(t, e, enginetest.Change(hooks.PostSync, rev, attempt))
	}
	if r := post("a", "1"); r.Verdict != hooks.Passed {
		t.Fatal(r.Verdict)
	}
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	r := post("b", "1")
	if r.Verdict != hooks.Failed || r.Revert == nil || r.Revert.Action != "PullRequest" || r.Revert.URL == "" {
		t.Fatalf("%s, revert %+v", r.Verdict, r.Revert)
	}
	checkEvents(t, e, r)
	calls := w.Reverter.Calls()
	if len(calls) != 1 {
		t.Fatalf("%d reverts, want 1", len(calls))
	}
	if !calls[0].Guarded("eu.yaml") || calls[0].Guarded("README.md") {
		t.Error("wrong files are guarded")
	}
	calls[0].Guarded = nil
	want := gitops.RevertRequest{
		Gate: "chat", Cluster: "eu", Failing: enginetest.Rev("b"), LastGood: enginetest.Rev("a"), Base: "main",
		Failures: []gitops.Failure{{Name: "after", Status: "Fail", Reason: "pods crash", Evidence: []string{"node/a: pods crash"}}},
		RunURL:   "https://gate.example/runs/" + r.ID,
	}
	if d := cmp.Diff(want, calls[0]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// The same attempt asks again and again: nothing is done twice.
	for range 3 {
		post("b", "1")
	}
	if n := len(w.Reverter.Calls()); n != 1 {
		t.Errorf("%d reverts, want 1", n)
	}
	// It passes after all: the pull request is closed.
	w.Checks.Set("after", enginetest.Always(hooks.Pass, "fine"))
	post("b", "2")
	until(t, func() bool { return strings.Contains(fmt.Sprint(w.Reverter.Settles()), "chat@"+enginetest.Rev("b")) })
	// c fails: the last good one is b now, not a. b fails again: it passed
	// here before, so the change is not to blame.
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	post("c", "1")
	if calls := w.Reverter.Calls(); len(calls) != 2 || calls[1].LastGood != enginetest.Rev("b") {
		t.Errorf("reverts: %+v", calls)
	}
	if r := post("b", "3"); r.Revert.Action != "None" || !strings.Contains(r.Revert.Reason, "passed on cluster eu before") {
		t.Errorf("revert %+v", r.Revert)
	}
}

func TestRevertGoesToTheNearestGoodAncestor(t *testing.T) {
	w := world(t, "1m")
	w.Git.Commit("d", "a", enginetest.Tree(gateSpec("1m"))) // beside b
	e, _ := w.Start(t)
	for i, rev := range []string{"b", "d", "a"} { // a was gone back to: it passed last
		evaluate(t, e, enginetest.Change(hooks.PostSync, rev, fmt.Sprint(i)))
	}
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	evaluate(t, e, enginetest.Change(hooks.PostSync, "c", "x"))
	if calls := w.Reverter.Calls(); len(calls) != 1 || calls[0].LastGood != enginetest.Rev("b") {
		t.Errorf("reverts: %+v", calls)
	}
}

func TestNoBaseline(t *testing.T) {
	w := world(t, "1m")
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	e, _ := w.Start(t)
	r := evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "x"))
	if calls := w.Reverter.Calls(); len(calls) != 1 || calls[0].LastGood != "" || r.Revert.Action != "Issue" {
		t.Errorf("reverts %+v, outcome %+v", calls, r.Revert)
	}
}

func TestExpiredPostSync(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ask    enginetest.Ask
		action string
	}{
		{"held by a check that waits: undone", enginetest.Always(hooks.Wait, "1 of 3"), "PullRequest"},
		{"held by one that could not find out: not undone", enginetest.Always(hooks.Unknown, "no route"), "None"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := world(t, "30m")
			w.Checks.Set("later", tt.ask)
			w.Git.Commit("b", "a", enginetest.Tree(strings.ReplaceAll(gateSpec("30m"), "after", "later")))
			w.Now = jump(w, "later")
			e, _ := w.Start(t)
			evaluate(t, e, enginetest.Change(hooks.PostSync, "a", "x"))
			r := evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "x"))
			if r.Verdict != hooks.Expired || r.Revert == nil || r.Revert.Action != tt.action {
				t.Errorf("%s: %s, revert %+v", r.Verdict, r.Reason, r.Revert)
			}
			checkEvents(t, e, r)
		})
	}
}

func TestRevertTurnedOff(t *testing.T) {
	w := world(t, "1m")
	w.Git.Commit("d", "a", enginetest.Tree(gateSpec("1m")+"  revert: {disabled: true}\n"))
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	e, _ := w.Start(t)
	r := evaluate(t, e, enginetest.Change(hooks.PostSync, "d", "x"))
	if r.Revert == nil || r.Revert.Action != "None" || !strings.Contains(r.Revert.Reason, "spec.revert.disabled") || len(w.Reverter.Calls()) != 0 {
		t.Errorf("revert %+v", r.Revert)
	}
}

func TestRevertIsTriedAgain(t *testing.T) {
	w := world(t, "1m")
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	w.Limits.RevertTries = 2
	w.Reverter.Before = func(_ context.Context, call int) error {
		return fmt.Errorf("the forge answered 502, call %d", call)
	}
	e, _ := w.Start(t)
	r := evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "x"))
	if r.Revert.Action != "None" || !strings.Contains(r.Revert.Reason, "given up after 2 tries") || !strings.Contains(r.Revert.Reason, "call 2") {
		t.Errorf("revert %+v", r.Revert)
	}
	events, err := e.Events(t.Context(), r.ID, 0, 100)
	if err != nil || !strings.Contains(fmt.Sprint(notes(events)), "tried again: the forge answered 502, call 1") {
		t.Errorf("%v: notes %q", err, notes(events))
	}
}

func TestPassesWhileTheRevertIsUnderWay(t *testing.T) {
	w := world(t, "1m")
	e, _ := w.Start(t)
	evaluate(t, e, enginetest.Change(hooks.PostSync, "a", "1"))
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	w.Reverter.Before = func(context.Context, int) error {
		w.Checks.Set("after", enginetest.Always(hooks.Pass, "fine"))
		evaluate(t, e, enginetest.Change(hooks.PostSync, "b", "2"))
		// Its own settling has found nothing yet.
		until(t, func() bool { return len(settlesOf(w, "b")) == 1 })
		return nil
	}
	r := submit(t, e, enginetest.Change(hooks.PostSync, "b", "1"))
	enginetest.Wait(t, e, r.ID)
	until(t, func() bool { return len(settlesOf(w, "b")) == 2 })
}

func settlesOf(w *enginetest.World, rev string) (out []string) {
	for _, s := range w.Reverter.Settles() {
		if s == "chat@"+enginetest.Rev(rev) {
			out = append(out, s)
		}
	}
	return out
}

func TestOneClusterPassingKeepsTheOthersRevert(t *testing.T) {
	w := world(t, "1m")
	e, _ := w.Start(t)
	on := func(cluster, rev, attempt string) hooks.Run {
		c := enginetest.Change(hooks.PostSync, rev, attempt)
		c.Cluster = cluster
		return evaluate(t, e, c)
	}
	on("eu", "a", "1")
	until(t, func() bool { return len(settlesOf(w, "a")) == 1 })
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	on("eu", "b", "1")
	w.Checks.Set("after", enginetest.Always(hooks.Pass, "fine"))
	on("us", "b", "1") // us is well, eu is not
	on("eu", "b", "2") // now both are
	until(t, func() bool { return len(settlesOf(w, "b")) >= 1 })
	on("us", "c", "1")
	until(t, func() bool { return len(settlesOf(w, "c")) == 1 })
	if n := len(settlesOf(w, "b")); n != 1 {
		t.Errorf("settled %d times, want 1: by the last cluster to pass", n)
	}
}

func TestSyncFail(t *testing.T) {
	w := world(t, "1m")
	w.Checks.Set("one", enginetest.Always(hooks.Fail, "node down"))
	e, _ := w.Start(t)
	pre := evaluate(t, e, enginetest.Change(hooks.PreSync, "a", "x"))
	r := evaluate(t, e, enginetest.Change(hooks.SyncFail, "a", "x"))
	events, err := e.Events(t.Context(), r.ID, 0, 100)
	if r.Verdict != hooks.Passed || err != nil || !strings.Contains(fmt.Sprint(notes(events)), pre.ID+": Failed: one: Fail: node down") {
		t.Errorf("%s, notes %q, %v", r.Verdict, notes(events), err)
	}
	if want := "recorded: the sync failed by preSync, run " + pre.ID + ": Failed: one: Fail: node down"; r.Reason != want {
		t.Errorf("reason %q, want %q", r.Reason, want)
	}
	if log, err := e.AuditLog(t.Context(), 1); err != nil || len(log) != 1 || !strings.Contains(log[0].Detail, pre.ID) {
		t.Errorf("audit: %v %+v", err, log)
	}
	r = evaluate(t, e, enginetest.Change(hooks.SyncFail, "b", "x"))
	events, _ = e.Events(t.Context(), r.ID, 0, 100)
	if !strings.Contains(fmt.Sprint(notes(events)), "no run of this revision is known") {
		t.Errorf("notes %q", notes(events))
	}
}

func notes(events []hooks.Event) (out []string) {
	for _, e := range events {
		if e.Note != "" {
			out = append(out, e.Note)
		}
	}
	return out
}

// A Run goes on in the next process, whether it sleeps or is being asked.
func TestRunOutlivesTheProcess(t *testing.T) {
	w := world(t, "1m")
	asked := make(chan struct{}, 100)
	w.Checks.Set("one", func(ctx context.Context, n int) (check.Answer, error) {
		asked <- struct{}{}
		if n == 2 { // in flight when the process ends
			<-ctx.Done()
			return check.Answer{}, ctx.Err()
		}
		if n < 4 {
			return check.Answer{Status: hooks.Wait, Reason: "not yet"}, nil
		}
		return check.Answer{Status: hooks.Pass, Reason: "fine"}, nil
	})
	e, stop := w.Start(t)
	r := submit(t, e, enginetest.Change(hooks.PreSync, "a", "x"))
	<-asked
	<-asked
	stop()
	e, _ = w.Start(t)
	again := submit(t, e, enginetest.Change(hooks.PreSync, "a", "x"))
	if again.ID != r.ID {
		t.Fatal("the attempt lost its run")
	}
	got := enginetest.Wait(t, e, r.ID)
	if got.Verdict != hooks.Passed {
		t.Errorf("%s: %s", got.Verdict, got.Reason)
	}
	checkEvents(t, e, got)
	for _, res := range got.Results {
		if res.Check == "one" && res.Asked != 3 {
			t.Errorf("one was asked %d times by the run's count, want 3: the answer that was broken off is none", res.Asked)
		}
	}
}

func TestRevertOutlivesTheProcess(t *testing.T) {
	w := world(t, "1m")
	w.Checks.Set("after", enginetest.Always(hooks.Fail, "pods crash"))
	calling := make(chan struct{})
	w.Reverter.Before = func(ctx context.Context, call int) error {
		if call == 1 {
			close(calling)
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	e, stop := w.Start(t)
	r := submit(t, e, enginetest.Change(hooks.PostSync, "b", "x"))
	<-calling
	stop()
	e, _ = w.Start(t)
	if got := enginetest.Wait(t, e, r.ID); got.Revert.Action != "Issue" {
		t.Errorf("revert %+v", got.Revert)
	}
	if n := len(w.Reverter.Calls()); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	w := world(t, "1m")
	w.Checks.Set("one", func(context.Context, int) (check.Answer, error) {
		a := check.Answer{Status: hooks.Fail, Reason: strings.Repeat("ä", 10_000)}
		for range 1000 {
			a.Evidence = append(a.Evidence, hooks.Evidence{Object: strings.Repeat("o", 10_000), Fact: strings.Repeat("f", 100_000)})
		}
		return a, nil
	})
	e, _ := w.Start(t)
	r := evaluate(t, e, enginetest.Change(hooks.PreSync, "a", "x"))
	for _, res := range r.Results {
		if len(res.Reason) > 3<<10 || len(res.Evidence) > 51 {
			t.Errorf("reason of %d bytes, %d items", len(res.Reason), len(res.Evidence))
		}
		for _, ev := range res.Evidence {
			if len(ev.Fact) > 5<<10 || len(ev.Object) > 1<<10 {
				t.Errorf("evidence of %d and %d bytes", len(ev.Object), len(ev.Fact))
			}
		}
	}
	if !strings.Contains(fmt.Sprint(r.Results), "950 more items, over the limit of 50") {
		t.Error("it is not said that evidence was left out")
	}
}

// until polls what has no signal of its own.
func until(t *testing.T, cond func() bool) {
	t.Helper()
	for limit := time.Now().Add(4 * time.Minute); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("it did not come about")
		}
	}
}

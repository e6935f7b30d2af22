package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func newRun(id string, number int) store.Stored {
	return store.Stored{
		Repository: "fleet",
		Run: hooks.Run{
			ID: id, Number: number, Started: start, Deadline: start.Add(time.Hour),
			Change: hooks.Change{
				Repository: "https://git.example/fleet", Gate: "chat", Cluster: "eu",
				Revision: strings.Repeat("a", 40), Phase: hooks.PreSync, Attempt: "one",
			},
		},
	}
}

func write(t *testing.T, s *store.Store, fn func(context.Context, *store.Tx) error) {
	t.Helper()
	if err := s.InTx(t.Context(), func(tx *store.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

func TestRunIsReadAsItWasWritten(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "deep", "gate.db"))
	want := newRun("r1", 1)
	backup := hooks.Backup{Location: "s3://b/k", Taken: start, Size: 7, Proof: "complete"}
	result := hooks.Result{Check: "nodes", Status: hooks.Wait, Reason: "2 of 3", At: start, Asked: 1,
		Evidence: []hooks.Evidence{{Object: "node/a", Fact: "NotReady"}}}
	later := result
	later.Status, later.Asked, later.Backup = hooks.Pass, 2, &backup
	write(t, s, func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(
			tx.InsertRun(ctx, want),
			tx.Join(ctx, want.Key(), "one", "r1", start),
			tx.SaveResult(ctx, "r1", 1, hooks.Result{Check: "second", Status: hooks.Pass, At: start}),
			tx.SaveResult(ctx, "r1", 0, result),
			tx.SaveResult(ctx, "r1", 0, later),
			tx.SaveBackup(ctx, "r1", backup),
			tx.SaveRevert(ctx, "r1", hooks.RevertOutcome{Action: "None", Reason: "why"}),
		)
	})
	write(t, s, func(ctx context.Context, tx *store.Tx) error {
		first, err := tx.Finish(ctx, "r1", hooks.Passed, "all of 2 checks passed", start.Add(time.Minute))
		if err != nil || !first {
			t.Errorf("Finish = %v, %v; want true", first, err)
		}
		second, err := tx.Finish(ctx, "r1", hooks.Failed, "no", start.Add(time.Hour))
		if err != nil || second {
			t.Errorf("second Finish = %v, %v; want false: a verdict never changes", second, err)
		}
		return nil
	})
	want.Verdict, want.Reason, want.Ended = hooks.Passed, "all of 2 checks passed", start.Add(time.Minute)
	want.Results = []hooks.Result{later, {Check: "second", Status: hooks.Pass, At: start}}
	want.Backup = &backup
	want.Revert = &hooks.RevertOutcome{Action: "None", Reason: "why"}
	if ids, err := s.Unfinished(t.Context(), 10); len(ids) != 0 || err != nil {
		t.Errorf("unfinished %v, %v", ids, err)
	}
	for name, read := range map[string]func() (store.Stored, error){
		"by id":      func() (store.Stored, error) { return s.Run(t.Context(), "r1") },
		"by attempt": func() (store.Stored, error) { return s.ByAttempt(t.Context(), want.Key(), "one") },
		"newest":     func() (store.Stored, error) { return s.Newest(t.Context(), want.Key()) },
		"list": func() (store.Stored, error) {
			rs, err := s.Runs(t.Context(), store.Filter{Cluster: "eu", Gate: "chat", Phase: hooks.PreSync, Limit: 5})
			if len(rs) != 1 {
				return store.Stored{}, fmt.Errorf("%d runs: %w", len(rs), err)
			}
			return rs[0], err
		},
	} {
		got, err := read()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	got, err := s.ProvedBackups(t.Context(), want.Key())
	if d := cmp.Diff([]hooks.Backup{backup}, got); d != "" || err != nil {
		t.Errorf("ProvedBackup: %v %s", err, d)
	}
}

func TestNothingFound(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "gate.db"))
	k := newRun("r1", 1).Key()
	if _, err := s.Run(t.Context(), "r1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Run: %v", err)
	}
	if _, err := s.Newest(t.Context(), k); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Newest: %v", err)
	}
	if _, err := s.ByAttempt(t.Context(), k, "one"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("ByAttempt: %v", err)
	}
	if b, err := s.ProvedBackups(t.Context(), k); b != nil || err != nil {
		t.Errorf("ProvedBackups: %v, %v", b, err)
	}
}

func TestOneUnfinishedRunOfAKey(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "gate.db"))
	insert := func(id string, n int) error {
		return s.InTx(t.Context(), func(tx *store.Tx) error { return tx.InsertRun(t.Context(), newRun(id, n)) })
	}
	if err := insert("r1", 1); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.Unfinished(t.Context(), 10); len(ids) != 1 || ids[0] != "r1" || err != nil {
		t.Errorf("unfinished %v, %v", ids, err)
	}
	if err := insert("r2", 2); err == nil {
		t.Error("a second unfinished run of one key was kept")
	}
	write(t, s, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Finish(ctx, "r1", hooks.Failed, "no", start)
		return err
	})
	if err := insert("r3", 1); err == nil {
		t.Error("a second run of one number was kept")
	}
	if err := insert("r2", 2); err != nil {
		t.Errorf("insert after the first has finished: %v", err)
	}
}

func TestEventsHaveNoGap(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "gate.db"))
	write(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.InsertRun(ctx, newRun("r1", 1)) })
	broken := errors.New("broken")
	for i := range 20 {
		err := s.InTx(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.Append(t.Context(), "r1", hooks.Event{At: start, Note: fmt.Sprint(i)}); err != nil {
				return err
			}
			if i%3 == 0 {
				return broken // what is rolled back leaves no hole
			}
			return nil
		})
		if err != nil && !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	got, err := s.Events(t.Context(), "r1", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range got {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has number %d", i, e.Seq)
		}
	}
	if len(got) != 13 {
		t.Errorf("%d events, want 13", len(got))
	}
	tail, err := s.Events(t.Context(), "r1", 10, 2)
	if err != nil || len(tail) != 2 || tail[0].Seq != 11 {
		t.Errorf("events after 10, at most 2: %v, %v", tail, err)
	}
	if _, err := s.Run(t.Context(), "r1"); err != nil {
		t.Error(err)
	}
}

func TestBaselines(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "gate.db"))
	r := newRun("r1", 1)
	add := func(rev string, at time.Time) {
		r.Change.Revision = strings.Repeat(rev, 40)
		write(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.AddBaseline(ctx, r, at) })
	}
	add("a", start)
	add("b", start.Add(time.Minute))
	add("a", start.Add(2*time.Minute)) // passed again
	add("c", start.Add(3*time.Minute))
	want := []store.Baseline{
		{Revision: strings.Repeat("c", 40), Passed: start.Add(3 * time.Minute)},
		{Revision: strings.Repeat("a", 40), Passed: start.Add(2 * time.Minute)},
	}
	got, err := s.Baselines(t.Context(), r.Key(), 2)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	other := r.Key()
	other.Cluster = "us"
	if got, err := s.Baselines(t.Context(), other, 9); len(got) != 0 || err != nil {
		t.Errorf("another cluster's: %v, %v", got, err)
	}
}

func TestAuditAndPrune(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "gate.db"))
	write(t, s, func(ctx context.Context, tx *store.Tx) error {
		old, unfinished := newRun("old", 1), newRun("open", 2)
		if err := tx.InsertRun(ctx, old); err != nil {
			return err
		}
		if err := tx.Join(ctx, old.Key(), "one", "old", start); err != nil {
			return err
		}
		if _, err := tx.Append(ctx, "old", hooks.Event{Note: "x"}); err != nil {
			return err
		}
		if _, err := tx.Finish(ctx, "old", hooks.Passed, "", start); err != nil {
			return err
		}
		return errors.Join(
			tx.InsertRun(ctx, unfinished),
			tx.Audit(ctx, store.AuditEntry{At: start, Action: "authenticate", Detail: "refused"}),
			tx.Audit(ctx, store.AuditEntry{At: start.Add(2 * time.Hour), Action: "change", Subject: "s", Cluster: "eu", Run: "open"}),
		)
	})
	write(t, s, func(ctx context.Context, tx *store.Tx) error {
		n, err := tx.Prune(ctx, start.Add(time.Hour))
		if n != 1 {
			t.Errorf("pruned %d runs, want 1", n)
		}
		return err
	})
	if _, err := s.Run(t.Context(), "old"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the old run is still there: %v", err)
	}
	if _, err := s.Run(t.Context(), "open"); err != nil {
		t.Errorf("the unfinished run went: %v", err)
	}
	log, err := s.AuditLog(t.Context(), 10)
	want := []store.AuditEntry{{At: start.Add(2 * time.Hour), Action: "change", Subject: "s", Cluster: "eu", Run: "open"}}
	if d := cmp.Diff(want, log); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func TestOpenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a file with ? and % and #.db")
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("a second server on the same file: %v", err)
	}
	write(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.InsertRun(ctx, newRun("r1", 1)) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if _, err := s.Run(t.Context(), "r1"); err != nil {
		t.Errorf("after opening again: %v", err)
	}
}

func TestPanicInATransactionFreesTheConnection(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "gate.db"))
	func() {
		defer func() { _ = recover() }()
		_ = s.InTx(t.Context(), func(tx *store.Tx) error {
			_ = tx.InsertRun(t.Context(), newRun("r1", 1))
			panic("boom")
		})
	}()
	write(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.InsertRun(ctx, newRun("r1", 1)) })
}

// A delivery is new once, until it is pruned.
func TestDeliveries(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "gate.db"))
	see := func(id string, at time.Time) (fresh bool) {
		t.Helper()
		if err := s.InTx(t.Context(), func(tx *store.Tx) (err error) {
			fresh, err = tx.SeeDelivery(t.Context(), id, at)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return fresh
	}
	got := []bool{see("a", start), see("a", start.Add(time.Hour)), see("b", start.Add(time.Hour))}
	if err := s.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Prune(t.Context(), start.Add(time.Minute))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	got = append(got, see("a", start), see("b", start))
	if d := cmp.Diff([]bool{true, false, true, true, false}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Which gate judged an Application is known for longer than its Runs are kept.
func TestJudgedOutlivesRuns(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gate.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	judged := func(operation, gate string, at time.Time) (before string) {
		t.Helper()
		if err := s.InTx(t.Context(), func(tx *store.Tx) (err error) {
			if before, err = tx.SeeJudged(t.Context(), store.Judged{Application: "a", Operation: operation, Gate: gate}, at); err != nil {
				return err
			}
			_, err = tx.Prune(t.Context(), at.AddDate(1, 0, 0)) // what is older is no longer kept
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return before
	}
	judged("1", "strict", start)
	if got := judged("2", "lax", start.AddDate(2, 0, 0)); got != "strict" {
		t.Errorf("judged before by %q, expected strict", got)
	}
}

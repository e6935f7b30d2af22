// Package pagetest holds Runs for tests of the pages: one of every kind, in a
// real store.
package pagetest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// Now is when the pages are looked at.
func Now() time.Time { return time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC) }

// ID is the id of the Run numbered n.
func ID(n int) string { return fmt.Sprintf("0195c000-0000-7000-8000-%012d", n) }

// The Runs that Open has.
const (
	Waiting    = 1
	FailedRun  = 2
	PassedRun  = 3
	Overridden = 4
	Reverting  = 5
	Hostile    = 6
	Earlier    = 7 // of the same key as Waiting
)

// Evil is text that must stay text.
const Evil = `<script>alert(1)</script><img src=x onerror=alert(2)>`

// Revision is the one that Waiting and most others are about.
func Revision() string { return strings.Repeat("4f2a", 10) }

// Runs are one of every kind.
func Runs() []hooks.Run {
	backup := &hooks.Backup{Location: "s3://acme-backups/mattermost/eu/2026-03-01T02-10.dump", Taken: Now().Add(-50 * time.Minute), Size: 3_412_000_000, Proof: "complete"}
	at := Now().Add(-20 * time.Second)
	nodes := hooks.Result{Check: "nodes", Status: hooks.Pass, Reason: "3 of 3 nodes are ready", At: at, Asked: 1,
		Evidence: []hooks.Evidence{{Object: "node/worker-1", Fact: "Ready"}, {Object: "node/worker-2", Fact: "Ready"}}}
	images := hooks.Result{Check: "images", Status: hooks.Unknown, Reason: "registry.example.com did not answer within 10s; look whether the registry is up", At: at, Asked: 14}
	proved := hooks.Result{Check: "backup", Status: hooks.Pass, Reason: "the newest backup is 50m old and complete", At: at, Asked: 2, Backup: backup}
	stale := hooks.Result{Check: "backup", Status: hooks.Wait, Reason: "the newest backup in store offsite is 26h old, older than maxAge 24h; take one, or wait for the next at 04:00", At: at, Asked: 31,
		Evidence: []hooks.Evidence{{Object: "s3://acme-backups/mattermost/eu/2026-02-28T01-00.dump", Fact: "3.2 GiB, taken 2026-02-28 01:00 UTC\nSHA-256 matches its sidecar"}}}
	site := hooks.Result{Check: "site", Status: hooks.Fail, Reason: "GET https://chat.example.com/api/v4/system/ping: expected status 200, found 503; look at the pods of deployment mattermost/mm", At: at, Asked: 9,
		Evidence: []hooks.Evidence{{Object: "pod mattermost/mm-7c9f5d-x2x9q", Fact: "CrashLoopBackOff\npanic: migration 000128 failed: column \"lastrootpostat\" already exists"}}}
	evil := hooks.Result{Check: Evil, Status: hooks.Fail, Reason: Evil, At: at, Asked: 1, Evidence: []hooks.Evidence{{Object: Evil, Fact: Evil}}}
	return []hooks.Run{
		run(Earlier, hooks.PreSync, -3*time.Hour, hooks.Expired, "the deadline of 30m came while backup waited", nodes, stale),
		run(Waiting, hooks.PreSync, -7*time.Minute, "", "", nodes, images, stale),
		with(run(PassedRun, hooks.PreSync, -90*time.Minute, hooks.Passed, "all of 2 checks passed", nodes, proved), func(r *hooks.Run) { r.Change.Cluster, r.Backup = "us", backup }),
		with(run(FailedRun, hooks.PostSync, -80*time.Minute, hooks.Failed, "site: expected status 200, found 503", nodes, site), func(r *hooks.Run) {
			r.Change.Cluster, r.Revert = "us", &hooks.RevertOutcome{Action: "PullRequest", URL: "https://github.com/acme/gitops/pull/42", Reason: "undoes 4f2a4f2a in apps/mattermost/us.yaml"}
		}),
		with(run(Overridden, hooks.PreSync, -40*time.Minute, hooks.Overridden, "overridden by jane@acme.example until 2026-03-01T03:20:00Z: the store is down, and the fix must go out", stale), func(r *hooks.Run) {
			r.Change.Cluster = "ap"
			r.Override = &hooks.Override{By: "jane@acme.example", Reason: "the store is down, and the fix must go out", Until: Now().Add(20 * time.Minute)}
		}),
		with(run(Reverting, hooks.PostSync, -30*time.Minute, hooks.Failed, "site: expected status 200, found 503", site), func(r *hooks.Run) { r.Change.Gate = "shop" }),
		with(run(Hostile, hooks.PostSync, -5*time.Hour, hooks.Failed, Evil, evil), func(r *hooks.Run) {
			r.Change.Gate, r.Change.Repository = "evil", "javascript:alert(3)"
			r.Revert = &hooks.RevertOutcome{Action: Evil, URL: "javascript:alert(4)", Reason: Evil}
		}),
	}
}

func run(n int, phase hooks.Phase, started time.Duration, verdict hooks.Verdict, reason string, results ...hooks.Result) hooks.Run {
	r := hooks.Run{
		ID: ID(n), Number: 1, Verdict: verdict, Reason: reason, Results: results,
		Started: Now().Add(started), Deadline: Now().Add(started + 30*time.Minute),
		Change: hooks.Change{Repository: "https://github.com/acme/gitops", Gate: "mattermost", Cluster: "eu", Revision: Revision(), Phase: phase, Attempt: ID(n)},
	}
	if verdict != "" {
		r.Ended = r.Started.Add(12 * time.Minute)
	}
	if n == Waiting {
		r.Number = 2
	}
	return r
}

func with(r hooks.Run, edit func(*hooks.Run)) hooks.Run {
	edit(&r)
	return r
}

// Store answers what pages ask.
type Store struct{ store *store.Store }

// Open has the Runs given.
func Open(t testing.TB, runs []hooks.Run) *Store {
	t.Helper()
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "gate.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	err = s.InTx(context.Background(), func(tx *store.Tx) error {
		for _, r := range runs {
			if err := write(context.Background(), tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Store{s}
}

func write(ctx context.Context, tx *store.Tx, r hooks.Run) error {
	errs := []error{tx.InsertRun(ctx, store.Stored{Run: r, Repository: "fleet"})}
	for i, res := range r.Results {
		errs = append(errs, tx.SaveResult(ctx, r.ID, i, res))
	}
	if r.Backup != nil {
		errs = append(errs, tx.SaveBackup(ctx, r.ID, *r.Backup))
	}
	if r.Revert != nil {
		errs = append(errs, tx.SaveRevert(ctx, r.ID, *r.Revert))
	}
	if r.Done() {
		_, err := tx.Finish(ctx, r.ID, r.Verdict, r.Reason, r.Ended)
		errs = append(errs, err)
	}
	if r.Override != nil {
		errs = append(errs, tx.SaveOverride(ctx, r.ID, *r.Override))
	}
	return errors.Join(errs...)
}

// Run implements page.Runs.
func (s *Store) Run(ctx context.Context, id string) (hooks.Run, error) {
	r, err := s.store.Run(ctx, id)
	return r.Run, err
}

// Runs implements page.Runs.
func (s *Store) Runs(ctx context.Context, f store.Filter) ([]hooks.Run, error) {
	stored, err := s.store.Runs(ctx, f)
	var out []hooks.Run
	for _, r := range stored {
		out = append(out, r.Run)
	}
	return out, err
}

// Gates implements page.Runs.
func (s *Store) Gates(ctx context.Context) ([]store.Key, error) { return s.store.Gates(ctx) }

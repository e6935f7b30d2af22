package syncs

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/test/argocd/world"
	"github.com/syncgate/syncgate/test/harness"
)

// scenarios are what happens to a change on its way through Argo CD, each on a
// site of its own.
var scenarios = []struct {
	name string
	run  func(ctx context.Context, t *testing.T, w *world.World, site *world.Site)
}{
	{"second-cluster", secondCluster},
	{"drift", drift},
	{"backup", waitsForABackup},
	{"presync-fails", preSyncFails},
	{"postsync-fails", postSyncFails},
	{"retries", retries},
	{"helm-hooks", helmHooks},
	{"hotfix", hotfix},
	{"bucket", inABucket},
	{"server-stays-away", serverStaysAway},
	{"overridden", overridden},
	{"bypass-seen", seen},
	{"bypass-blocked", blocked},
	{"bypass-weakened", weakened},
	{"bypass-retried", retried},
	{"bypass-healed", healed},
	{"bypass-overlapped", overlapped},
	{"bypass-regated", regated},
}

// faults are what happens to the gate server meanwhile. They come one after
// the other: the server is everybody's.
var faults = []struct {
	name string
	run  func(ctx context.Context, t *testing.T, w *world.World, site *world.Site)
}{
	{"server-is-down", serverIsDown},
	{"server-restarts", serverRestarts},
}

// TestSync takes changes through the whole of Argo CD, both majors: its API
// server and command-line tool, its controller, the plugin, and the hook Jobs
// that ask the gate server.
func TestSync(t *testing.T) {
	harness.Real(t)
	for _, major := range []int{2, 3} {
		t.Run(fmt.Sprintf("Argo CD %d", major), func(t *testing.T) {
			var sites []string
			for _, s := range scenarios {
				sites = append(sites, s.name)
			}
			for _, f := range faults {
				sites = append(sites, f.name)
			}
			w := world.ForTest(t, world.Options{Major: major, Sites: sites})
			t.Run("scenarios", func(t *testing.T) {
				for _, s := range scenarios {
					t.Run(s.name, func(t *testing.T) {
						t.Parallel()
						ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
						defer cancel()
						s.run(ctx, t, w, w.Site(s.name))
					})
				}
			})
			for _, f := range faults {
				t.Run(f.name, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
					defer cancel()
					f.run(ctx, t, w, w.Site(f.name))
				})
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// begin runs a sync beside the test; its end is sent.
func begin(ctx context.Context, app *world.App) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := app.Sync(ctx)
		done <- err
	}()
	return done
}

// version expects that a version is asked for on the Application's cluster.
func version(ctx context.Context, t *testing.T, app *world.App, want string) {
	t.Helper()
	if v, err := app.Version(ctx); err != nil || v != want {
		t.Errorf("version on %s: expected %s, found %q, %v", app.Cluster, want, v, err)
	}
}

// passed expects that a hook Job has said so.
func passed(ctx context.Context, t *testing.T, app *world.App, sha string, phases ...string) {
	t.Helper()
	for _, phase := range phases {
		log, err := app.JobLog(ctx, phase, sha)
		must(t, err)
		contains(t, phase+" log", log, "Passed")
	}
}

// says finds all words in a log.
func says(words ...string) func(string) bool {
	return func(log string) bool {
		for _, w := range words {
			if !strings.Contains(log, w) {
				return false
			}
		}
		return true
	}
}

package syncs

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/syncgate/syncgate/test/argocd/world"
	"github.com/syncgate/syncgate/test/harness"
)

// scenarios are what happens to a change on its way through Argo CD, each on a
// site of its own.
var scenarios = []struct {
	name string
	run  func(t *testing.T, ctx context.Context, w *world.World, site *world.Site)
}{
	{"passes", passes},
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
			w := world.ForTest(t, world.Options{Major: major, Sites: sites})
			t.Run("scenarios", func(t *testing.T) {
				for _, s := range scenarios {
					t.Run(s.name, func(t *testing.T) {
						t.Parallel()
						ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
						defer cancel()
						begin := time.Now()
						s.run(t, ctx, w, w.Site(s.name))
						t.Logf("%.0f s", time.Since(begin).Seconds())
					})
				}
			})
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// passes installs on both clusters, the second one known by its Secret, and
// upgrades one.
func passes(t *testing.T, ctx context.Context, _ *world.World, site *world.Site) {
	must(t, site.Install(ctx))
	sha, err := site.Upgrade(ctx, "11.7.5")
	must(t, err)
	app := site.App("us")
	out, err := app.Sync(ctx)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	op, err := app.AwaitOperation(ctx, sha, "Succeeded")
	must(t, err)
	for _, phase := range []string{"presync", "postsync"} {
		log, err := app.JobLog(ctx, phase, sha)
		must(t, err)
		contains(t, phase+" log", log, "Passed")
	}
	t.Logf("%+v", op)
	if v, err := app.Version(ctx); err != nil || v != "11.7.5" {
		t.Errorf("version on %s: expected 11.7.5, found %q, %v", app.Cluster, v, err)
	}
}

package syncs

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/syncgate/syncgate/test/argocd/world"
)

// line is how a Job's log says what a check has answered.
func line(check, status string) string { return fmt.Sprintf("  %-24s %-8s ", check, status) }

// secondCluster is the only scenario that has the gate server ask the second
// cluster, which it cuts off.
func secondCluster(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	t.Run("passes", func(t *testing.T) { passes(ctx, t, w, site) })
	t.Run("its API is out of reach", func(t *testing.T) { unreachable(ctx, t, w, site) })
}

// unreachable cuts the gate server off the cluster's API, first before the Job
// has said who it is, then while it waits. Neither lets the sync go on, and both
// end by themselves.
func unreachable(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	const to = "11.7.6"
	app := site.App("us")
	must(t, site.AgeBackups("us", 72*time.Hour))
	sha, err := site.Upgrade(ctx, to)
	must(t, err)
	w.US.Way.Cut()
	t.Cleanup(w.US.Way.Mend)
	done := begin(ctx, app)
	_, err = app.AwaitJobLog(ctx, "presync", sha, says("retry", "could not find out whose token it is on cluster \"us\""))
	must(t, err)
	w.US.Way.Mend()
	_, err = app.AwaitJobLog(ctx, "presync", sha, says(line("nodes", "Pass"), line("database-backup", "Wait")))
	must(t, err)

	w.US.Way.Cut()
	log, err := app.AwaitJobLog(ctx, "presync", sha, says(line("nodes", "Unknown")+"list nodes at cluster us: ", line("pods", "Unknown")+"list pods in namespace "+site.Name+" at cluster us: "))
	must(t, err)
	t.Log(log)
	_, err = site.Backup("us")
	must(t, err)
	_, err = app.AwaitJobLog(ctx, "presync", sha, says(line("database-backup", "Pass")))
	must(t, err)
	version(ctx, t, app, next)

	w.US.Way.Mend()
	must(t, <-done)
	passed(ctx, t, app, sha, "presync", "postsync")
	version(ctx, t, app, to)
	n, err := w.Server.Count(ctx, `SELECT count(*) FROM runs WHERE revision = ? AND phase = 'preSync'`, sha)
	if err != nil || n != 1 {
		t.Errorf("PreSync Runs: expected that one went through it all, found %d, %v", n, err)
	}
}

// serverStaysAway has no gate server for as long as the Job waits: it fails, and
// says what it tried and for how long. When the server is there again, the report
// of the failed sync comes through, and so does the next sync.
func serverStaysAway(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	_, err := site.Change(ctx, "Wait less", world.Edit{File: "syncgate.yaml", Old: "  preSync:\n    deadline: 8m\n", New: "  preSync:\n    deadline: 20s\n"})
	must(t, err)
	sha, err := site.Upgrade(ctx, next)
	must(t, err)
	must(t, app.Patch(ctx, `{"spec": {"source": {"plugin": {"name": "`+world.PluginAway+`"}}}}`))
	await(ctx, t, app, sha)
	w.Away.Cut()
	t.Cleanup(w.Away.Mend)
	started := time.Now()
	done := begin(ctx, app)
	// The deadline, and two minutes for what comes before the server counts.
	log, err := app.AwaitJobLog(ctx, "presync", sha, says("no verdict within 2m20s; the last try: "))
	must(t, err)
	t.Logf("after %.0f s:\n%s", time.Since(started).Seconds(), log)
	contains(t, "PreSync log", log, "retry", "still trying to reach the server: ", "post change at https://"+w.Away.Address, "/v1/changes")
	_, err = app.AwaitJobLog(ctx, "syncfail", sha, says("retry"))
	must(t, err)
	version(ctx, t, app, world.FirstVersion)

	w.Away.Mend()
	if err := <-done; err == nil {
		t.Error("a sync that nobody let go succeeded")
	}
	_, err = app.AwaitOperation(ctx, sha, "Failed")
	must(t, err)
	_, err = app.AwaitJobLog(ctx, "syncfail", sha, says("verdict"))
	must(t, err)
	n, err := w.Server.Count(ctx, `SELECT count(*) FROM runs WHERE revision = ? AND phase = 'preSync'`, sha)
	if err != nil || n != 0 {
		t.Errorf("PreSync Runs: expected none, since nobody was asked; found %d, %v", n, err)
	}
	version(ctx, t, app, world.FirstVersion)
	if out, err := app.Sync(ctx); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	passed(ctx, t, app, sha, "presync", "postsync")
	version(ctx, t, app, next)
}

// inABucket has the backups in S3: an empty bucket holds the sync, and what is
// uploaded with its checksum lets it go.
func inABucket(ctx context.Context, t *testing.T, _ *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	_, err := site.Change(ctx, "Keep backups in a bucket", world.Edit{File: "syncgate.yaml", Old: "store: mattermost\n", New: "store: " + world.Bucket + "\n"})
	must(t, err)
	sha, err := site.Upgrade(ctx, next)
	must(t, err)
	done := begin(ctx, app)
	_, err = app.AwaitJobLog(ctx, "presync", sha, says(line("database-backup", "Wait"), "bucket "+world.Bucket))
	must(t, err)
	version(ctx, t, app, world.FirstVersion)
	key, err := site.Upload(ctx, "eu")
	must(t, err)
	must(t, <-done)
	log, err := app.JobLog(ctx, "presync", sha)
	must(t, err)
	contains(t, "PreSync log", log, line("database-backup", "Pass"), "s3://"+world.Bucket+"/"+key)
	passed(ctx, t, app, sha, "presync", "postsync")
	version(ctx, t, app, next)
}

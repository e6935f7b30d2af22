package syncs

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/test/argocd/world"
)

// overridden has a sync that waits for a backup go on because a person on call
// says so, and nobody else: also where the webhook guards what it changes.
func overridden(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	must(t, site.Guard(ctx))
	must(t, site.AgeBackups("eu", 72*time.Hour))
	override := func(t *testing.T, account, sha, reason string) world.Ran {
		t.Helper()
		ran, err := site.Syncgate(ctx, account, "override", "--repository", site.URL, "--gate", world.GateName, "--cluster", "eu", "--revision", sha, "--reason", reason)
		must(t, err)
		return ran
	}
	var sha string
	t.Run("a sync that waits", func(t *testing.T) {
		var err error
		sha, err = site.Upgrade(ctx, "11.8.0")
		must(t, err)
		await(ctx, t, app, sha)
		done := begin(ctx, app)
		_, err = app.AwaitJobLog(ctx, "presync", sha, says(line("database-backup", "Wait")))
		must(t, err)
		ran := override(t, "visitor", sha, "I am in a hurry")
		if ran.Code != 1 {
			t.Errorf("override by somebody: expected exit code 1, found %+v", ran)
		}
		contains(t, "refusal", ran.Stderr, site.Name+"/visitor may not override gate mattermost", "kubectl auth can-i override gates.syncgate.dev/mattermost")
		version(ctx, t, app, world.FirstVersion)

		const why = "the store is down, a snapshot was taken by hand"
		if ran = override(t, world.OnCall, sha, why); ran.Code != 0 {
			t.Fatalf("override by a person on call: expected exit code 0, found %+v", ran)
		}
		contains(t, "what the person sees", ran.Stdout, "is overridden until", site.Name+"/"+world.OnCall, why)
		must(t, <-done)
		log, err := app.JobLog(ctx, "presync", sha)
		must(t, err)
		contains(t, "PreSync log", log, line("verdict", "Overridden")+"overridden by "+site.Name+"/"+world.OnCall, why)
		passed(ctx, t, app, sha, "postsync")
		version(ctx, t, app, "11.8.0")
		message, err := app.AwaitEvent(ctx, "GateOverridden", sha[:12], "preSync Overridden by "+site.Name+"/"+world.OnCall+" ("+why+")", "postSync Passed")
		must(t, err)
		t.Log(message)
		for who, detail := range map[string]string{world.OnCall: sha + " until %: " + why, "visitor": "may not override gate mattermost at " + sha} {
			n, err := w.Server.Count(ctx, `SELECT count(*) FROM audit WHERE action = 'override' AND subject = ? AND detail LIKE ?`, site.Name+"/"+who, "%"+detail)
			if err != nil || n != 1 {
				t.Errorf("audit log: expected once what %s asked for, found %d, %v", who, n, err)
			}
		}
	})
	t.Run("the same revision again", func(t *testing.T) {
		if out, err := app.Sync(ctx); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
	t.Run("another revision, revoked", func(t *testing.T) {
		other, err := site.Upgrade(ctx, "11.8.1")
		must(t, err)
		await(ctx, t, app, other)
		refused := func(t *testing.T) {
			t.Helper()
			_, _ = app.Sync(ctx, "--resource", resource)
			op, err := app.AwaitOperation(ctx, other, "Failed", "Error")
			must(t, err)
			contains(t, "operation", fmt.Sprint(*op), "syncgate refuses")
			version(ctx, t, app, "11.8.0")
		}
		refused(t) // what is overridden is the revision before
		if ran := override(t, world.OnCall, other, "once more"); ran.Code != 0 {
			t.Fatalf("override: expected exit code 0, found %+v", ran)
		}
		list := overrides(ctx, t, site)
		if len(list) != 2 || list[0].Change.Revision != other || list[1].Change.Revision != sha {
			t.Fatalf("what is overridden: expected %s and %s, found %+v", other, sha, list)
		}
		for account, code := range map[string]int{"visitor": 1, world.OnCall: 0} {
			ran, err := site.Syncgate(ctx, account, "override", "revoke", list[0].ID, "--cluster", "eu", "--reason", "not now")
			must(t, err)
			if ran.Code != code {
				t.Errorf("revoke by %s: expected exit code %d, found %+v", account, code, ran)
			}
		}
		if list := overrides(ctx, t, site); len(list) != 1 || list[0].Change.Revision != sha {
			t.Errorf("what is overridden: expected %s alone, found %+v", sha, list)
		}
		refused(t)
		done := begin(ctx, app)
		_, err = app.AwaitJobLog(ctx, "presync", other, says(line("database-backup", "Wait"), "number 2"))
		must(t, err)
		_, err = site.Backup("eu")
		must(t, err)
		must(t, <-done)
		version(ctx, t, app, "11.8.1")
	})
}

// overrides are those that hold on EU, as the person on call lists them.
func overrides(ctx context.Context, t *testing.T, site *world.Site) (list []hooks.Run) {
	t.Helper()
	ran, err := site.Syncgate(ctx, world.OnCall, "override", "list", "--gate", world.GateName, "--cluster", "eu", "-o", "json")
	must(t, err)
	if ran.Code != 0 {
		t.Fatalf("list overrides: expected exit code 0, found %+v", ran)
	}
	must(t, json.Unmarshal([]byte(ran.Stdout), &list))
	return list
}

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

// regated has the Application name another Gate of the repository, with the same
// values and no checks of its own.
func regated(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	first, err := site.Head(ctx)
	must(t, err)
	_, err = app.AwaitEvent(ctx, "GatePassed", first[:12])
	must(t, err)
	text, err := harness.Git(ctx, site.Bare, "show", "refs/heads/main:"+world.Folder+"/syncgate.yaml")
	must(t, err)
	lax, _, _ := strings.Cut(text, "  preSync:\n")
	for _, e := range []struct{ old, new string }{{"  name: mattermost\nspec:", "  name: lax\nspec:"}, {"chart: chart", "chart: ../chart"}, {"[clusters/", "[../clusters/"}} {
		if !strings.Contains(lax, e.old) {
			t.Fatalf("the example's Gate has changed: expected %q in\n%s", e.old, lax)
		}
		lax = strings.ReplaceAll(lax, e.old, e.new)
	}
	_, err = site.Add(ctx, "Ask less elsewhere", map[string]string{"lax/syncgate.yaml": lax})
	must(t, err)
	must(t, site.AgeBackups("eu", 72*time.Hour)) // which the other Gate would wait for
	const parameters = `{"spec": {"source": {"plugin": {"parameters": [{"name": "cluster", "string": "eu"}, {"name": "gate", "string": "lax"}]}}}}`
	t.Run("seen", func(t *testing.T) {
		sha, err := site.Upgrade(ctx, "11.8.0")
		must(t, err)
		must(t, app.Patch(ctx, parameters))
		await(ctx, t, app, sha)
		if out, err := app.Sync(ctx); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		message, err := app.AwaitEvent(ctx, "GateChanged", sha[:12], "judged by gate lax on cluster eu", "by gate mattermost on cluster eu")
		must(t, err)
		t.Log(message)
		audited(ctx, t, w, sha)
		version(ctx, t, app, "11.8.0")
	})
	t.Run("guarded", func(t *testing.T) {
		must(t, site.Guard(ctx))
		sha, err := site.Upgrade(ctx, "11.8.1")
		must(t, err)
		await(ctx, t, app, sha)
		if out, err := app.Sync(ctx); err == nil {
			t.Errorf("a version that the Gate has not let go went through:\n%s", out)
		}
		op, err := app.AwaitOperation(ctx, sha, "Failed", "Error")
		must(t, err)
		contains(t, "operation", fmt.Sprint(*op), "syncgate refuses")
		version(ctx, t, app, "11.8.0")
		must(t, app.Create(ctx)) // with its own Gate
		_, err = site.Backup("eu")
		must(t, err)
		await(ctx, t, app, sha)
		if out, err := app.Sync(ctx); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		passed(ctx, t, app, sha, "presync", "postsync")
		version(ctx, t, app, "11.8.1")
	})
}

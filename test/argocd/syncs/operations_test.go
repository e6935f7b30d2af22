package syncs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/test/argocd/world"
	"github.com/syncgate/syncgate/test/harness"
)

// retriedFlags are those of a sync that is tried again, soon.
func retriedFlags(limit string) []string {
	return []string{"--retry-limit", limit, "--retry-backoff-duration", "1s", "--retry-backoff-max-duration", "2s"}
}

// retried has Argo CD try operations again: each attempt of a full sync runs its
// hooks and asks anew, and one of a part stays one of a part.
func retried(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	must(t, site.Guard(ctx))
	t.Run("a full sync", func(t *testing.T) {
		const image = "registry.example.com/shop:1"
		w.EU.Kubelet.Refuse(image, "CrashLoopBackOff", "back-off 10s restarting failed container")
		must(t, w.EU.ApplyYAML(ctx, []byte(strings.ReplaceAll(world.Neighbour, "mail", "shop")), harness.ApplyOptions{Namespace: site.Name}))
		sha, err := site.Upgrade(ctx, "11.8.0")
		must(t, err)
		await(ctx, t, app, sha)
		done := make(chan error, 1)
		go func() {
			_, err := app.Sync(ctx, retriedFlags("30")...)
			done <- err
		}()
		_, err = app.Await(ctx, func(s *world.Status) error {
			if o := s.OperationState; o == nil || o.RetryCount < 2 {
				return fmt.Errorf("expected that it is tried again, found %+v", o)
			}
			return nil
		})
		must(t, err)
		version(ctx, t, app, world.FirstVersion)
		must(t, w.EU.Kube.AppsV1().Deployments(site.Name).Delete(ctx, "shop", metav1.DeleteOptions{}))
		must(t, <-done)
		passed(ctx, t, app, sha, "presync", "postsync")
		version(ctx, t, app, "11.8.0")
		n, err := w.Server.Count(ctx, `SELECT count(*) FROM runs WHERE revision = ? AND phase = 'preSync'`, sha)
		if err != nil || n < 2 {
			t.Errorf("PreSync Runs: expected that a later attempt asked anew, found %d, %v", n, err)
		}
	})
	t.Run("a part of it", func(t *testing.T) {
		sha, err := site.Upgrade(ctx, "11.8.1")
		must(t, err)
		await(ctx, t, app, sha)
		_, _ = app.Sync(ctx, append(retriedFlags("2"), "--resource", resource)...)
		op, err := app.AwaitOperation(ctx, sha, "Failed", "Error")
		must(t, err)
		if op.RetryCount != 2 {
			t.Errorf("retries: expected 2, found %+v", *op)
		}
		contains(t, "operation", fmt.Sprint(*op), "syncgate refuses")
		n, err := w.Server.Count(ctx, `SELECT count(*) FROM runs WHERE revision = ?`, sha)
		if err != nil || n != 0 {
			t.Errorf("Runs: expected none of a part, found %d, %v", n, err)
		}
		version(ctx, t, app, "11.8.0")
	})
}

// healed turns self-heal on where the webhook guards the version.
func healed(ctx context.Context, t *testing.T, _ *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	must(t, site.Guard(ctx))
	const automated = `{"spec": {"syncPolicy": {"automated": {"selfHeal": true}, "retry": {"limit": 0}}}}`
	t.Run("what was edited", func(t *testing.T) {
		good, err := site.Head(ctx)
		must(t, err)
		must(t, app.Patch(ctx, automated))
		if err := app.Edit(ctx, `{"spec": {"version": "11.8.9"}}`); err == nil {
			t.Error("an edit of the version went through, which self-heal would have to put back")
		} else {
			contains(t, "refusal", err.Error(), "syncgate refuses")
		}
		must(t, app.Edit(ctx, `{"spec": {"replicas": 7}}`))
		_, err = app.AwaitEvent(ctx, "HooksSkipped", good[:12], "self-heal synced", "had passed there before")
		must(t, err)
		must(t, harness.Eventually(ctx, func(ctx context.Context) error {
			n, err := app.Replicas(ctx)
			if err == nil && n == 7 {
				err = errors.New("replicas: expected that self-heal puts them back, found 7")
			}
			return err
		}))
		version(ctx, t, app, world.FirstVersion)
	})
	// Argo CD heals to the revision that it synced last, and takes the sync of
	// one object for that.
	t.Run("a revision that has not passed", func(t *testing.T) {
		must(t, app.Patch(ctx, `{"spec": {"syncPolicy": null}}`))
		must(t, site.AgeBackups("eu", 72*time.Hour))
		sha, err := site.Upgrade(ctx, "11.8.0")
		must(t, err)
		await(ctx, t, app, sha)
		if out, err := app.Sync(ctx, "--resource", ":ConfigMap:mattermost-files"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		must(t, app.Patch(ctx, automated))
		must(t, app.Refresh(ctx, false))
		op, err := app.AwaitOperation(ctx, sha, "Failed", "Error")
		must(t, err)
		contains(t, "operation", fmt.Sprint(*op), "syncgate refuses")
		must(t, app.Patch(ctx, `{"spec": {"syncPolicy": null}}`))
		version(ctx, t, app, world.FirstVersion)
	})
}

// overlapped writes an operation into the Application while another one waits in
// its PreSync hook.
func overlapped(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	partial := func(sha string) map[string]any {
		return map[string]any{"revision": sha, "resources": []any{
			map[string]any{"group": "installation.mattermost.com", "kind": "Mattermost", "name": "mattermost"},
		}}
	}
	// waits begins a sync to a version, and returns when its hook waits.
	waits := func(t *testing.T, to string) (sha string, done <-chan error) {
		t.Helper()
		must(t, site.AgeBackups("eu", 72*time.Hour))
		sha, err := site.Upgrade(ctx, to)
		must(t, err)
		await(ctx, t, app, sha)
		done = begin(ctx, app)
		_, err = app.AwaitJobLog(ctx, "presync", sha, says(line("database-backup", "Wait")))
		must(t, err)
		return sha, done
	}
	t.Run("beside it", func(t *testing.T) {
		sha, done := waits(t, "11.8.0")
		must(t, app.Overwrite(ctx, partial(sha), false))
		time.Sleep(5 * time.Second) // what is not to happen has no sign
		version(ctx, t, app, world.FirstVersion)
		_, err := site.Backup("eu")
		must(t, err)
		must(t, <-done)
		passed(ctx, t, app, sha, "presync", "postsync")
		version(ctx, t, app, "11.8.0")
		// The last operation is the one that ran its hooks: the other never began.
		_, err = app.AwaitEvent(ctx, "GatePassed", sha[:12])
		must(t, err)
		s, err := app.Status(ctx)
		must(t, err)
		hookOf(t, s.OperationState, app.JobName("presync", sha))
	})
	// replaced puts the operation in the place of the one that runs. Argo CD may
	// be writing the other's state just then: it is done again until it counts.
	replaced := func(t *testing.T, sha string, ok func(*world.Operation) error) {
		t.Helper()
		var tried time.Time
		_, err := app.Await(ctx, func(s *world.Status) error {
			if s.OperationState != nil {
				if err := ok(s.OperationState); err == nil {
					return nil
				}
			}
			if time.Since(tried) > 5*time.Second {
				tried = time.Now()
				if err := app.Overwrite(ctx, partial(sha), true); err != nil {
					return err
				}
			}
			return fmt.Errorf("expected another operation's end, found %+v", s.OperationState)
		})
		must(t, err)
	}
	t.Run("in its place", func(t *testing.T) {
		sha, done := waits(t, "11.8.1")
		replaced(t, sha, func(o *world.Operation) error {
			if o.Phase != "Succeeded" || o.SyncResult.Revision != sha {
				return errors.New("not yet")
			}
			return nil
		})
		message, err := app.AwaitEvent(ctx, "GateBypassed", sha[:12], "it synced 1 resources alone")
		must(t, err)
		t.Log(message)
		audited(ctx, t, w, sha)
		version(ctx, t, app, "11.8.1")
		<-done // however it ends
	})
	t.Run("in its place, guarded", func(t *testing.T) {
		must(t, site.Guard(ctx))
		sha, done := waits(t, "11.8.2")
		replaced(t, sha, func(o *world.Operation) error {
			if o.Phase == "Running" || !strings.Contains(fmt.Sprint(*o), "syncgate refuses") {
				return errors.New("not yet")
			}
			return nil
		})
		version(ctx, t, app, "11.8.1")
		<-done
	})
}

package syncs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/test/argocd/world"
	"github.com/syncgate/syncgate/test/harness"
)

// resource names the guarded object, as `argocd app sync --resource` has it.
const resource = "installation.mattermost.com:Mattermost:mattermost"

// way is one way by which a change can reach a cluster: a row of docs/bypass.md.
type way struct {
	name string
	// leaves is true when it leaves the Application other than it was.
	leaves bool
	// take goes it, to a version that main has at sha.
	take func(ctx context.Context, t *testing.T, app *world.App, sha, version string)
}

// partly are the ways that run no hooks.
func partly() []way {
	return []way{
		{"--resource", false, func(ctx context.Context, _ *testing.T, app *world.App, _, _ string) {
			_, _ = app.Sync(ctx, "--resource", resource)
		}},
		{"partial sync in the UI", false, func(ctx context.Context, t *testing.T, app *world.App, sha, _ string) {
			must(t, app.Operate(ctx, map[string]any{"revision": sha, "resources": []any{
				map[string]any{"group": "installation.mattermost.com", "kind": "Mattermost", "name": "mattermost"},
			}}))
		}},
		{"--strategy apply", false, func(ctx context.Context, _ *testing.T, app *world.App, _, _ string) {
			_, _ = app.Sync(ctx, "--strategy", "apply")
		}},
		{"--local", true, func(ctx context.Context, t *testing.T, app *world.App, sha, version string) {
			// The command itself renders no source of a plugin; what it sends is this.
			must(t, app.Operate(ctx, map[string]any{"revision": sha, "syncStrategy": map[string]any{"hook": map[string]any{}}, "manifests": []any{fmt.Sprintf(
				`{"apiVersion": "installation.mattermost.com/v1beta1", "kind": "Mattermost", "metadata": {"name": "mattermost"}, "spec": {"version": %q, "image": %q, "replicas": 2}}`,
				version, world.Image)}}))
		}},
		{"the plugin taken out", true, func(ctx context.Context, t *testing.T, app *world.App, sha, _ string) {
			must(t, app.Patch(ctx, `{"spec": {"source": {"path": "`+world.Folder+`/`+plainFolder+`", "plugin": null}}}`))
			must(t, app.Refresh(ctx, true))
			await(ctx, t, app, sha)
			_, _ = app.Sync(ctx)
		}},
	}
}

// plainFolder holds the guarded object as it is, for Argo CD to apply without
// the plugin.
const plainFolder = "plain"

// addPlain commits it, in the version that the last of the ways goes to.
func addPlain(ctx context.Context, t *testing.T, site *world.Site) {
	t.Helper()
	_, err := site.Add(ctx, "Write it down", map[string]string{plainFolder + "/mattermost.yaml": fmt.Sprintf(
		"apiVersion: installation.mattermost.com/v1beta1\nkind: Mattermost\nmetadata: {name: mattermost}\nspec: {version: 11.8.%d, image: %s, replicas: 2}\n",
		len(partly())-1, world.Image)})
	must(t, err)
}

// putBack has the plugin render the Application again, and Argo CD compare it
// with Git: it goes on comparing with the manifests that an operation brought
// along until there is another one.
func putBack(ctx context.Context, t *testing.T, app *world.App) {
	t.Helper()
	must(t, app.Create(ctx))
	_, _ = app.Sync(ctx, "--dry-run")
}

// seen goes past the hooks of a site that no webhook guards: each way is told
// of on the Application and in the audit log.
func seen(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	first, err := site.Head(ctx)
	must(t, err)
	addPlain(ctx, t, site)
	_, err = app.AwaitEvent(ctx, "GatePassed", first[:12], "preSync Passed", "postSync Passed")
	must(t, err)
	words := map[string]string{
		"--resource": "it synced 1 resources alone", "partial sync in the UI": "it synced 1 resources alone",
		"--strategy apply": "its strategy was apply", "--local": "somebody's machine", "the plugin taken out": "which gate it belongs to cannot be told",
	}
	for i, way := range partly() {
		t.Run(way.name, func(t *testing.T) {
			to := fmt.Sprintf("11.8.%d", i)
			sha, err := site.Upgrade(ctx, to)
			must(t, err)
			await(ctx, t, app, sha)
			begin := time.Now()
			way.take(ctx, t, app, sha, to)
			ended := time.Now()
			message, err := app.AwaitEvent(ctx, "GateBypassed", sha[:12], words[way.name])
			must(t, err)
			t.Logf("noticed %.1f s after the command, which took %.1f s: %s", time.Since(ended).Seconds(), ended.Sub(begin).Seconds(), message)
			audited(ctx, t, w, sha)
			version(ctx, t, app, to)
			if way.leaves {
				putBack(ctx, t, app)
			}
		})
	}
	t.Run("rollback", func(t *testing.T) {
		_, err := app.Sync(ctx) // so that all of main is applied
		must(t, err)
		out, err := w.Argo.CLI(ctx, "app", "rollback", app.Name, "0", "--timeout", "120")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		message, err := app.AwaitEvent(ctx, "HooksSkipped", first[:12], "as that of a rollback is", "had passed there before")
		must(t, err)
		t.Log(message)
		version(ctx, t, app, world.FirstVersion)
	})
	t.Run("self-heal", func(t *testing.T) {
		head, err := site.Head(ctx)
		must(t, err)
		_, err = app.Sync(ctx)
		must(t, err)
		must(t, app.Patch(ctx, `{"spec": {"syncPolicy": {"automated": {"selfHeal": true}}}}`))
		must(t, app.Edit(ctx, `{"spec": {"version": "0"}}`))
		_, err = app.AwaitEvent(ctx, "HooksSkipped", head[:12], "self-heal synced", "had passed there before")
		must(t, err)
		must(t, app.Patch(ctx, `{"spec": {"syncPolicy": null}}`))
	})
}

// blocked tries the same where the API server asks the gate server: nothing of
// it is applied.
func blocked(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	must(t, site.Guard(ctx))
	addPlain(ctx, t, site)
	for i, way := range partly() {
		t.Run(way.name, func(t *testing.T) {
			to := fmt.Sprintf("11.8.%d", i)
			sha, err := site.Upgrade(ctx, to)
			must(t, err)
			await(ctx, t, app, sha)
			way.take(ctx, t, app, sha, to)
			op, err := app.Await(ctx, func(s *world.Status) error {
				if o := s.OperationState; o == nil || o.Phase == "Running" || !strings.Contains(fmt.Sprint(*o), "syncgate refuses") {
					return fmt.Errorf("expected an operation that syncgate refuses, found %+v", o)
				}
				return nil
			})
			must(t, err)
			t.Logf("%s: %s", op.OperationState.Phase, op.OperationState.Message)
			version(ctx, t, app, world.FirstVersion)
			if way.leaves {
				putBack(ctx, t, app)
			}
		})
	}
	t.Run("kubectl edit", func(t *testing.T) {
		err := app.Edit(ctx, `{"spec": {"version": "11.8.9"}}`)
		if err == nil {
			t.Fatal("an edit of the version went through")
		}
		contains(t, "refusal", err.Error(), "syncgate refuses", "mattermost")
		must(t, app.Edit(ctx, `{"metadata": {"annotations": {"by": "hand"}}}`))
		version(ctx, t, app, world.FirstVersion)
	})
	t.Run("a hook Job that is not heeded", func(t *testing.T) {
		sha := replaceHook(ctx, t, w, site, "11.8.10")
		op, err := app.AwaitOperation(ctx, sha, "Failed", "Error")
		must(t, err)
		contains(t, "operation", fmt.Sprint(*op), "syncgate refuses")
		version(ctx, t, app, world.FirstVersion)
	})
	t.Run("full sync, --force, --replace", func(t *testing.T) {
		_, err := site.Backup("eu")
		must(t, err)
		for i, flags := range [][]string{nil, {"--force"}, {"--replace"}} {
			to := fmt.Sprintf("11.9.%d", i)
			sha, err := site.Upgrade(ctx, to)
			must(t, err)
			if out, err := app.Sync(ctx, flags...); err != nil {
				t.Fatalf("%q: %v\n%s", flags, err, out)
			}
			passed(ctx, t, app, sha, "presync", "postsync")
			version(ctx, t, app, to)
		}
	})
	t.Run("rollback", func(t *testing.T) {
		_, _ = w.Argo.CLI(ctx, "app", "rollback", app.Name, "0", "--timeout", "120")
		_, err := app.Await(ctx, func(s *world.Status) error {
			if o := s.OperationState; o == nil || o.Phase == "Running" || !strings.Contains(fmt.Sprint(*o), "syncgate refuses") {
				return fmt.Errorf("expected a rollback that syncgate refuses, found %+v", o)
			}
			return nil
		})
		must(t, err)
		version(ctx, t, app, "11.9.2")
	})
}

// weakened changes what asks: the Gate, the Application, the hook Job.
func weakened(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	t.Run("two operations at once", func(t *testing.T) {
		must(t, site.AgeBackups("eu", 72*time.Hour))
		sha, err := site.Upgrade(ctx, "11.8.0")
		must(t, err)
		await(ctx, t, app, sha)
		done := begin(ctx, app)
		_, err = app.AwaitJobLog(ctx, "presync", sha, says("database-backup", "Wait"))
		must(t, err)
		if out, err := w.Argo.CLI(ctx, "app", "sync", app.Name, "--resource", resource, "--timeout", "60"); err == nil {
			t.Errorf("a second operation ran beside the first:\n%s", out)
		} else {
			contains(t, "second operation", err.Error()+out, "in progress")
		}
		version(ctx, t, app, world.FirstVersion)
		_, err = site.Backup("eu")
		must(t, err)
		must(t, <-done)
		version(ctx, t, app, "11.8.0")
	})
	t.Run("another cluster's parameter", func(t *testing.T) {
		sha, err := site.Upgrade(ctx, "11.8.1")
		must(t, err)
		must(t, app.Patch(ctx, `{"spec": {"source": {"plugin": {"parameters": [{"name": "cluster", "string": "us"}]}}}}`))
		await(ctx, t, app, sha)
		if _, err := app.Sync(ctx); err == nil {
			t.Error("a sync of another cluster's values succeeded")
		}
		other := site.App("us") // by whose name the Job goes
		pod, err := w.EU.Kube.CoreV1().Pods(site.Name).List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + other.JobName("presync", sha)})
		must(t, err)
		if len(pod.Items) != 1 {
			t.Fatalf("pods of the PreSync Job: expected one, found %d", len(pod.Items))
		}
		log, err := w.EU.Log(ctx, site.Name, pod.Items[0].Name)
		must(t, err)
		contains(t, "PreSync log", log, "unauthenticated")
		version(ctx, t, app, "11.8.0")
		must(t, app.Create(ctx))
	})
	t.Run("a hook Job that is not heeded", func(t *testing.T) {
		sha := replaceHook(ctx, t, w, site, "11.8.2")
		message, err := app.AwaitEvent(ctx, "GateBypassed", sha[:12], "was not heeded")
		must(t, err)
		t.Log(message)
		audited(ctx, t, w, sha)
		_, err = site.Backup("eu")
		must(t, err)
	})
	t.Run("checks taken out of the Gate", func(t *testing.T) {
		text, err := harness.Git(ctx, site.Bare, "show", "refs/heads/main:"+world.Folder+"/syncgate.yaml")
		must(t, err)
		before, rest, ok := strings.Cut(text, "  preSync:\n")
		_, after, found := strings.Cut(rest, "  # With the admission webhook")
		if !ok || !found {
			t.Fatalf("the example's Gate has changed:\n%s", text)
		}
		_, err = site.Add(ctx, "Ask nothing", map[string]string{"syncgate.yaml": before + "  # With the admission webhook" + after + "\n"})
		must(t, err)
		sha, err := site.Upgrade(ctx, "11.8.3")
		must(t, err)
		if out, err := app.Sync(ctx); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		log, err := app.JobLog(ctx, "presync", sha)
		must(t, err)
		contains(t, "PreSync log", log, "required/nodes", "Passed")
	})
	t.Run("the Gate file removed", func(t *testing.T) {
		sha, err := site.Remove(ctx, "Ask nobody", "syncgate.yaml")
		must(t, err)
		must(t, app.Refresh(ctx, true))
		_, err = app.Await(ctx, func(s *world.Status) error {
			// With discovery on, Argo CD's words; with it off, the plugin's.
			if c := s.Condition("ComparisonError"); !strings.Contains(c, "find cmp-server plugin") && !strings.Contains(c, "syncgate.yaml") {
				return fmt.Errorf("expected a ComparisonError at %s, found %+v", sha, s.Conditions)
			}
			return nil
		})
		must(t, err)
		if _, err := app.Sync(ctx); err == nil {
			t.Error("a sync without a Gate succeeded")
		}
		version(ctx, t, app, "11.8.3")
	})
}

// await has Argo CD look, and waits until it has compared a revision. It looks
// again and again: an operation with manifests of its own leaves a comparison
// behind that names no commit.
func await(ctx context.Context, t *testing.T, app *world.App, sha string) {
	t.Helper()
	var asked time.Time
	_, err := app.Await(ctx, func(s *world.Status) error {
		if s.Sync.Revision == sha {
			return nil
		}
		if time.Since(asked) > 5*time.Second {
			asked = time.Now()
			if err := app.Refresh(ctx, true); err != nil {
				return err
			}
		}
		return fmt.Errorf("expected that %s is compared, found %s %+v", sha, s.Sync.Revision, s.Conditions)
	})
	must(t, err)
}

// audited expects a bypass of a revision in the server's audit log.
func audited(ctx context.Context, t *testing.T, w *world.World, sha string) {
	t.Helper()
	n, err := w.Server.Count(ctx, `SELECT count(*) FROM audit WHERE action = 'bypass' AND detail LIKE ?`, "%"+sha[:12]+"%")
	if err != nil || n == 0 {
		t.Errorf("audit log: expected the bypass of %.12s, found %d, %v", sha, n, err)
	}
}

// replaceHook begins a sync of a version whose PreSync waits for a backup, and
// puts a Job that does nothing in the hook Job's place.
func replaceHook(ctx context.Context, t *testing.T, w *world.World, site *world.Site, to string) string {
	t.Helper()
	app := site.App("eu")
	must(t, site.AgeBackups("eu", 72*time.Hour))
	sha, err := site.Upgrade(ctx, to)
	must(t, err)
	await(ctx, t, app, sha)
	done := begin(ctx, app)
	_, err = app.AwaitJobLog(ctx, "presync", sha, says("database-backup", "Wait"))
	must(t, err)
	jobs := w.EU.Kube.BatchV1().Jobs(site.Name)
	old, err := jobs.Get(ctx, app.JobName("presync", sha), metav1.GetOptions{})
	must(t, err)
	idle := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: old.Name, Annotations: maps.Clone(old.Annotations), Labels: maps.Clone(old.Labels)},
		Spec:       *old.Spec.DeepCopy(),
	}
	idle.Spec.Selector, idle.Spec.Template.Labels, idle.Spec.ManualSelector = nil, nil, nil
	for key := range idle.Labels {
		if strings.Contains(key, "controller-uid") || strings.Contains(key, "job-name") {
			delete(idle.Labels, key)
		}
	}
	main := &idle.Spec.Template.Spec.Containers[0]
	main.Image, main.Command, main.Args, main.Env, main.VolumeMounts = world.ShellImage, []string{"true"}, nil, nil, nil
	idle.Spec.Template.Spec.Volumes = nil
	unheld, err := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": nil}})
	must(t, err)
	must(t, harness.Eventually(ctx, func(ctx context.Context) error {
		background := metav1.DeletePropagationBackground
		_ = jobs.Delete(ctx, old.Name, metav1.DeleteOptions{PropagationPolicy: &background})
		_, _ = jobs.Patch(ctx, old.Name, "application/merge-patch+json", unheld, metav1.PatchOptions{})
		_, err := jobs.Create(ctx, idle, metav1.CreateOptions{})
		return err
	}))
	<-done // however it ends
	return sha
}

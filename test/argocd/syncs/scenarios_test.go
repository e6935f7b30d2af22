package syncs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/test/argocd/world"
	"github.com/syncgate/syncgate/test/harness"
)

const next = "11.7.5"

// passes installs on both clusters, the second one known by its Secret, and
// upgrades that one.
func passes(ctx context.Context, t *testing.T, _ *world.World, site *world.Site) {
	must(t, site.Install(ctx))
	sha, err := site.Upgrade(ctx, next)
	must(t, err)
	app := site.App("us")
	if _, err := app.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	_, err = app.AwaitOperation(ctx, sha, "Succeeded")
	must(t, err)
	passed(ctx, t, app, sha, "presync", "postsync")
	version(ctx, t, app, next)
	version(ctx, t, site.App("eu"), world.FirstVersion)
}

// drift raises the version on one cluster only: nobody can sync that, by hand or
// by itself, and the correction goes through at once.
func drift(ctx context.Context, t *testing.T, _ *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	good, err := site.Head(ctx)
	must(t, err)
	app := site.App("eu")
	_, err = site.Upgrade(ctx, next, "eu")
	must(t, err)
	const line = "syncgate: 1 finding in gate mattermost: mattermostCR.spec.version differs"
	refused := func(s *world.Status) error {
		if !strings.Contains(s.Condition("ComparisonError"), line) {
			return fmt.Errorf("expected a ComparisonError with %q, found %+v", line, s.Conditions)
		}
		return nil
	}
	must(t, app.Refresh(ctx, false))
	_, err = app.Await(ctx, refused)
	must(t, err)
	if _, err := app.Sync(ctx); err == nil {
		t.Error("a manual sync of values that drift succeeded")
	} else {
		contains(t, "manual sync", err.Error(), line)
	}
	must(t, app.Automate(ctx, 1))
	must(t, app.Refresh(ctx, true))
	_, err = app.Await(ctx, func(s *world.Status) error {
		if s.OperationState != nil && s.OperationState.Phase == "Running" {
			return errors.New("a sync runs")
		}
		return refused(s)
	})
	must(t, err)
	version(ctx, t, app, world.FirstVersion)

	sha, err := site.Upgrade(ctx, next, "us")
	must(t, err)
	must(t, app.Refresh(ctx, true))
	_, err = app.AwaitOperation(ctx, sha, "Succeeded")
	must(t, err)
	status, err := app.Await(ctx, func(s *world.Status) error {
		if len(s.History) < 2 {
			return fmt.Errorf("expected two syncs in the history, found %+v", s.History)
		}
		return nil
	})
	must(t, err)
	if len(status.History) != 2 || status.History[0].Revision != good || status.History[1].Revision != sha {
		t.Errorf("history: expected %s and %s, found %+v", good, sha, status.History)
	}
	version(ctx, t, app, next)
}

// waitsForABackup holds a sync until there is a fresh backup.
func waitsForABackup(ctx context.Context, t *testing.T, _ *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	must(t, site.AgeBackups("eu", 72*time.Hour))
	sha, err := site.Upgrade(ctx, next)
	must(t, err)
	app := site.App("eu")
	done := begin(ctx, app)
	_, err = app.AwaitJobLog(ctx, "presync", sha, says("database-backup", "Wait"))
	must(t, err)
	version(ctx, t, app, world.FirstVersion)
	_, err = site.Backup("eu")
	must(t, err)
	must(t, <-done)
	passed(ctx, t, app, sha, "presync", "postsync")
	version(ctx, t, app, next)
}

// preSyncFails has a pod that crashes before the sync: nothing is applied.
func preSyncFails(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	w.EU.Kubelet.Refuse("registry.example.com/worker:1", "CrashLoopBackOff", "back-off 10s restarting failed container")
	must(t, w.EU.ApplyYAML(ctx, []byte(strings.ReplaceAll(world.Neighbour, "mail", "worker")), harness.ApplyOptions{Namespace: site.Name}))
	sha, err := site.Upgrade(ctx, next)
	must(t, err)
	out, err := app.Sync(ctx)
	if err == nil {
		t.Error("a sync whose PreSync fails succeeded")
	}
	printed := fmt.Sprint(out, err)
	op, err := app.AwaitOperation(ctx, sha, "Failed")
	must(t, err)
	if explained(ctx, t, w, app, op, "presync", "CrashLoopBackOff", "nothing was applied") {
		contains(t, "argocd app sync", printed, "syncgate: preSync of revision "+sha[:12], "CrashLoopBackOff")
	}
	ended, err := app.JobMessage(ctx, "presync", sha)
	must(t, err)
	contains(t, "what the pod's status says", ended, "CrashLoopBackOff", "Failed")
	log, err := app.JobLog(ctx, "presync", sha)
	must(t, err)
	contains(t, "PreSync log", log, "CrashLoopBackOff", "worker", "Failed")
	_, err = app.AwaitJobLog(ctx, "syncfail", sha, says("verdict"))
	must(t, err)
	version(ctx, t, app, world.FirstVersion)
	if list, err := site.PullRequests(ctx); err != nil || len(list) != 0 {
		t.Errorf("pull requests: expected none, since nothing was applied; found %d, %v", len(list), err)
	}
}

// postSyncFails upgrades to a version that crashes: a pull request takes it
// back.
func postSyncFails(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	const broken = "11.7.6"
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	w.EU.Kubelet.Refuse(world.Image+":"+broken, "CrashLoopBackOff", "back-off 10s restarting failed container")
	sha, err := site.Upgrade(ctx, broken)
	must(t, err)
	if _, err := app.Sync(ctx); err == nil {
		t.Error("a sync whose PostSync fails succeeded")
	}
	op, err := app.AwaitOperation(ctx, sha, "Failed")
	must(t, err)
	explained(ctx, t, w, app, op, "postsync", "CrashLoopBackOff", "the change is applied", "/pull/")
	passed(ctx, t, app, sha, "presync")
	version(ctx, t, app, broken)
	log, err := app.JobLog(ctx, "postsync", sha)
	must(t, err)
	contains(t, "PostSync log", log, "CrashLoopBackOff", "Failed")
	_, err = app.AwaitJobLog(ctx, "syncfail", sha, says("verdict"))
	must(t, err)
	pr, err := site.AwaitPullRequest(ctx)
	must(t, err)
	contains(t, "pull request", pr.GetBody(), "CrashLoopBackOff", sha[:12])
	// A database that cannot be backed up any more does not stand in the way of
	// the repair.
	must(t, site.AgeBackups("eu", 72*time.Hour))
	back, err := site.Merge(ctx, pr.GetNumber())
	must(t, err)
	must(t, app.Refresh(ctx, false))
	_, err = app.Await(ctx, func(s *world.Status) error {
		if s.Sync.Revision != back {
			return fmt.Errorf("expected that %s is to be synced, found %s", back, s.Sync.Revision)
		}
		return nil
	})
	must(t, err)
	must(t, <-begin(ctx, app))
	_, err = app.AwaitOperation(ctx, back, "Succeeded")
	must(t, err)
	passed(ctx, t, app, back, "presync", "postsync")
	version(ctx, t, app, world.FirstVersion)
}

// retries lets an automated sync fail as often as it may: the gate answers for
// one Run of PreSync, and opens one pull request.
func retries(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	const broken, limit = "11.7.7", 5
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	w.EU.Kubelet.Refuse(world.Image+":"+broken, "CrashLoopBackOff", "back-off 10s restarting failed container")
	good, err := site.Head(ctx)
	must(t, err)
	must(t, app.Automate(ctx, limit))
	sha, err := site.Upgrade(ctx, broken)
	must(t, err)
	must(t, app.Refresh(ctx, false))
	op, err := app.AwaitOperation(ctx, sha, "Failed")
	must(t, err)
	if op.RetryCount != limit {
		t.Errorf("retries: expected %d, found %d: %s", limit, op.RetryCount, op.Message)
	}
	_, err = site.AwaitPullRequest(ctx)
	must(t, err)
	n, err := w.Server.Count(ctx, `SELECT count(*) FROM runs WHERE revision = ? AND phase = 'preSync'`, sha)
	if err != nil || n != 1 {
		t.Errorf("PreSync Runs: expected the first to be used again, found %d, %v", n, err)
	}
	// Whether an attempt has Jobs of its own differs: Argo CD 2.14 ends a retry by
	// what the attempt before it came to when it sees that first.
	n, err = w.Server.Count(ctx, `SELECT count(*) FROM attempts JOIN runs ON runs.id = attempts.run_id WHERE runs.revision = ? AND runs.phase = 'preSync'`, sha)
	if err != nil || n < 2 && w.Major > 2 {
		t.Errorf("PreSync Jobs: expected that later attempts ask again, found %d, %v", n, err)
	}
	t.Logf("%d of %d attempts asked PreSync", n, limit+1)
	passed(ctx, t, app, good, "presync", "postsync")
}

// hotfix pushes a correction while PreSync waits for a backup that will not
// come: the wait ends by itself, and the correction goes through.
func hotfix(ctx context.Context, t *testing.T, _ *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	must(t, site.AgeBackups("eu", 72*time.Hour))
	stale, err := site.Upgrade(ctx, "11.7.6")
	must(t, err)
	done := begin(ctx, app)
	_, err = app.AwaitJobLog(ctx, "presync", stale, says("database-backup", "Wait"))
	must(t, err)
	sha, err := site.Upgrade(ctx, next)
	must(t, err)
	if err := <-done; err == nil {
		t.Error("the sync of a revision that was superseded succeeded")
	}
	log, err := app.AwaitJobLog(ctx, "presync", stale, says("Superseded"))
	must(t, err)
	contains(t, "log of the stale PreSync", log, sha[:12])
	version(ctx, t, app, world.FirstVersion)
	_, err = site.Backup("eu")
	must(t, err)
	must(t, app.Refresh(ctx, false))
	_, err = app.Await(ctx, func(s *world.Status) error {
		if s.Sync.Revision != sha {
			return fmt.Errorf("expected that %s is to be synced, found %s", sha, s.Sync.Revision)
		}
		return nil
	})
	must(t, err)
	must(t, <-begin(ctx, app))
	_, err = app.AwaitOperation(ctx, sha, "Succeeded")
	must(t, err)
	passed(ctx, t, app, sha, "presync", "postsync")
	version(ctx, t, app, next)
}

const helmHook = `
apiVersion: batch/v1
kind: Job
metadata:
  name: %[1]s
  namespace: {{ .Release.Namespace }}
  annotations:
    helm.sh/hook: %[2]s
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: ` + world.ShellImage + `
        command: [sh, -c, "echo %[1]s has run"]
`

// helmHooks has hooks of Helm's in the chart: they run as they would without
// the gate, and after it.
func helmHooks(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	_, err := site.Add(ctx, "Run hooks of Helm", map[string]string{
		"chart/templates/before.yaml": fmt.Sprintf(helmHook, "before", "pre-install,pre-upgrade"),
		"chart/templates/after.yaml":  fmt.Sprintf(helmHook, "after", "post-install,post-upgrade"),
	})
	must(t, err)
	sha, err := site.Upgrade(ctx, next)
	must(t, err)
	if _, err := app.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	op, err := app.AwaitOperation(ctx, sha, "Succeeded")
	must(t, err)
	var order []string
	for _, r := range op.SyncResult.Resources {
		if r.HookType != "" {
			order = append(order, r.HookType+" "+r.Name+" "+r.HookPhase)
		}
	}
	done := map[string]*batchv1.Job{}
	for hook, name := range map[string]string{"before": "before", "after": "after", "presync": app.JobName("presync", sha), "postsync": app.JobName("postsync", sha)} {
		job, err := w.EU.Kube.BatchV1().Jobs(site.Name).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatalf("%v; hooks: %q", err, order)
		}
		if job.Status.Succeeded != 1 {
			t.Errorf("Job %s: expected that it succeeded, found %+v; hooks: %q", name, job.Status, order)
		}
		done[hook] = job
	}
	if !t.Failed() && (done["before"].Status.StartTime.Before(done["presync"].Status.CompletionTime) ||
		done["postsync"].Status.StartTime.Before(done["after"].Status.CompletionTime)) {
		t.Errorf("order: expected the gate, before, after, the gate; found %+v", done)
	}
	pods, err := w.EU.Kube.CoreV1().Pods(site.Name).List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=after"})
	must(t, err)
	data, err := w.EU.Kube.CoreV1().Pods(site.Name).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	must(t, err)
	contains(t, "log of Helm's hook", string(data), "after has run")
}

// serverIsDown has no gate server when the sync begins: the Job says so and
// waits for it.
func serverIsDown(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	sha, err := site.Upgrade(ctx, next)
	must(t, err)
	must(t, w.Server.Stop())
	done := begin(ctx, app)
	_, err = app.AwaitJobLog(ctx, "presync", sha, says("retry", "connection refused"))
	must(t, err)
	version(ctx, t, app, world.FirstVersion)
	must(t, w.Server.Start(ctx))
	must(t, <-done)
	passed(ctx, t, app, sha, "presync", "postsync")
	version(ctx, t, app, next)
}

// serverRestarts kills the gate server while a Job waits, and starts it again.
func serverRestarts(ctx context.Context, t *testing.T, w *world.World, site *world.Site) {
	must(t, site.Install(ctx, "eu"))
	app := site.App("eu")
	must(t, site.AgeBackups("eu", 72*time.Hour))
	sha, err := site.Upgrade(ctx, next)
	must(t, err)
	done := begin(ctx, app)
	_, err = app.AwaitJobLog(ctx, "presync", sha, says("database-backup", "Wait"))
	must(t, err)
	must(t, w.Server.Kill())
	must(t, w.Server.Start(ctx))
	_, err = site.Backup("eu")
	must(t, err)
	must(t, <-done)
	passed(ctx, t, app, sha, "presync", "postsync")
	version(ctx, t, app, next)
	n, err := w.Server.Count(ctx, `SELECT count(*) FROM runs WHERE revision = ? AND phase = 'preSync'`, sha)
	if err != nil || n != 1 {
		t.Errorf("PreSync Runs: expected one, from before and after the restart, found %d, %v", n, err)
	}
}

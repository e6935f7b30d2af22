package syncs

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/test/argocd/world"
)

// explained expects that a sync ended with the words of the gate, as the message
// that Argo CD shows of the hook Job. The Job controller can be faster, which
// the gate server knows and says: then, and only then, the message may be the
// controller's own, and explained is false.
func explained(ctx context.Context, t *testing.T, w *world.World, app *world.App, op *world.Operation, phase string, words ...string) bool {
	t.Helper()
	hook := hookOf(t, op, app.JobName(phase, op.SyncResult.Revision))
	if hook.HookPhase != "Failed" {
		t.Errorf("%s Job: expected that it failed, found %+v", phase, hook)
	}
	// Its log is read by the tests; here it is the pod that must have stayed.
	pod, err := app.JobPod(ctx, phase, op.SyncResult.Revision)
	must(t, err)
	if pod.DeletionTimestamp != nil {
		t.Errorf("pod %s of the %s Job: expected that it stays, found that it is being deleted", pod.Name, phase)
	}
	if late(t, w, pod.Name) {
		t.Logf("%s Job: the Job controller was first: %s", phase, hook.Message)
		contains(t, "message of the "+phase+" Job", hook.Message, "backoff limit")
		return false
	}
	contains(t, "message of the "+phase+" Job", hook.Message, append(words, "syncgate: ", op.SyncResult.Revision[:12], "; run ")...)
	t.Logf("%s Job: %s", phase, hook.Message)
	return true
}

// late reports whether the server said that it was too late for a pod's Job.
func late(t *testing.T, w *world.World, pod string) bool {
	t.Helper()
	log, err := os.ReadFile(w.Server.Log)
	must(t, err)
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "it had failed before") && strings.Contains(line, `"`+pod+`"`) {
			return true
		}
	}
	return false
}

func hookOf(t *testing.T, op *world.Operation, job string) world.ResourceResult {
	t.Helper()
	for _, r := range op.SyncResult.Resources {
		if r.Kind == "Job" && r.Name == job {
			return r
		}
	}
	t.Fatalf("operation: expected the Job %s in it, found %+v", job, op.SyncResult.Resources)
	return world.ResourceResult{}
}

package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	typedbatchv1 "k8s.io/client-go/kubernetes/typed/batch/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/syncgate/syncgate/hooks"
)

const (
	// maxMessage is how long a Job's message is at most, in bytes.
	maxMessage = 1 << 10
	// maxTries is how often a Job that changes meanwhile is read again.
	maxTries = 5
	// watchAgain is the wait before a watch that ended is begun again.
	watchAgain = 100 * time.Millisecond
)

var (
	// errLate says that the Job had failed without our words.
	errLate = errors.New("the Job has failed already")
	// errForeign says that it is not the hook Job that the verdict is about.
	errForeign = errors.New("not a hook Job as the plugin makes it")
)

// ended waits until the pod has come to an end, and is nil when it is gone or
// being deleted. It asks for list and watch alone.
func ended(ctx context.Context, pods typedcorev1.PodInterface, w Waiter) (*corev1.Pod, error) {
	one := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", w.Pod).String()}
	for {
		list, err := pods.List(ctx, one)
		if err != nil {
			return nil, fmt.Errorf("look for pod %s/%s: %w", w.Namespace, w.Pod, err)
		}
		i := slices.IndexFunc(list.Items, func(p corev1.Pod) bool { return string(p.UID) == w.UID })
		if i < 0 || list.Items[i].DeletionTimestamp != nil {
			return nil, nil //nolint:nilnil // there is nothing to explain
		}
		if over(&list.Items[i]) {
			return &list.Items[i], nil
		}
		from := one
		from.ResourceVersion = list.ResourceVersion
		if pod, err := follow(ctx, pods, from, w); pod != nil || err != nil {
			return pod, err
		}
		select {
		case <-time.After(watchAgain):
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the end of pod %s/%s: %w", w.Namespace, w.Pod, ctx.Err())
		}
	}
}

// follow watches the pod until it has ended; nil when the watch ends before.
func follow(ctx context.Context, pods typedcorev1.PodInterface, from metav1.ListOptions, w Waiter) (*corev1.Pod, error) {
	changes, err := pods.Watch(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("watch pod %s/%s: %w", w.Namespace, w.Pod, err)
	}
	defer changes.Stop()
	for {
		select {
		case change := <-changes.ResultChan(): // with no object once it is closed
			pod, ok := change.Object.(*corev1.Pod)
			if !ok || change.Type == watch.Deleted || string(pod.UID) != w.UID || pod.DeletionTimestamp != nil {
				return nil, nil //nolint:nilnil // to be looked at anew
			}
			if over(pod) {
				return pod, nil
			}
		case <-ctx.Done():
			return nil, nil //nolint:nilnil // as above
		}
	}
}

func over(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded
}

// asked is what a Job must be about, and what it is to say.
type asked struct {
	change hooks.Change
	words  Words
}

// tell has the pod's Job say the words, and returns its name. A Job that is
// not the hook Job of the Change is left alone, with an error.
func tell(ctx context.Context, jobs typedbatchv1.JobInterface, pod *corev1.Pod, a asked) (string, error) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "Job" || !strings.HasPrefix(owner.APIVersion, "batch/") {
		return "", fmt.Errorf("find the Job of pod %s/%s: it belongs to none: %w", pod.Namespace, pod.Name, errForeign)
	}
	for try := 1; ; try++ {
		job, err := jobs.Get(ctx, owner.Name, metav1.GetOptions{})
		if err != nil {
			return owner.Name, fmt.Errorf("get Job %s/%s: %w", pod.Namespace, owner.Name, err)
		}
		if err := ours(job, pod, owner.UID, a.change); err != nil {
			return owner.Name, fmt.Errorf("look at Job %s/%s: %w: %w", pod.Namespace, owner.Name, err, errForeign)
		}
		if concluded(job) {
			return owner.Name, errLate
		}
		patch, err := condition(job, a.words)
		if err != nil {
			return owner.Name, err
		}
		_, err = jobs.Patch(ctx, owner.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: "syncgate"}, "status")
		if err == nil {
			return owner.Name, nil
		}
		if !apierrors.IsConflict(err) || try == maxTries {
			return owner.Name, fmt.Errorf("patch status of Job %s/%s: %w", pod.Namespace, owner.Name, err)
		}
	}
}

// ours says why a Job is not the hook Job of the Change, with that one pod. A
// pod says itself whose it is, so its word is held against the Job's.
func ours(job *batchv1.Job, pod *corev1.Pod, uid types.UID, c hooks.Change) error {
	for _, f := range []struct{ name, want, found string }{
		{"UID", string(uid), string(job.UID)},
		{"label app.kubernetes.io/managed-by", "syncgate", job.Labels["app.kubernetes.io/managed-by"]},
		{"label syncgate.dev/gate", c.Gate, job.Labels["syncgate.dev/gate"]},
		{"label syncgate.dev/phase", strings.ToLower(string(c.Phase)), job.Labels["syncgate.dev/phase"]},
		{"annotation syncgate.dev/cluster", c.Cluster, job.Annotations["syncgate.dev/cluster"]},
		{"annotation syncgate.dev/revision", c.Revision, job.Annotations["syncgate.dev/revision"]},
		{"its pod's label batch.kubernetes.io/controller-uid", string(job.UID), pod.Labels["batch.kubernetes.io/controller-uid"]},
	} {
		if f.want != f.found {
			return fmt.Errorf("%s: expected %q, found %.80q", f.name, f.want, f.found)
		}
	}
	if limit := job.Spec.BackoffLimit; limit == nil || *limit != 0 || (job.Spec.Parallelism != nil && *job.Spec.Parallelism != 1) {
		return errors.New("expected one pod and backoffLimit 0")
	}
	return nil
}

// concluded reports whether it is decided what the Job comes to.
func concluded(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		switch c.Type {
		case batchv1.JobFailed, batchv1.JobComplete, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet:
			return c.Status == corev1.ConditionTrue
		default:
			return false
		}
	})
}

// condition is a patch that adds FailureTarget to the conditions of the Job as
// it was read: conditions are merged by their type, and with the resource
// version one that has changed meanwhile refuses.
func condition(job *batchv1.Job, w Words) ([]byte, error) {
	now := metav1.Now()
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": job.UID, "resourceVersion": job.ResourceVersion},
		"status": map[string]any{"conditions": []batchv1.JobCondition{{
			Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: w.Reason, Message: line(w.Message),
			LastProbeTime: now, LastTransitionTime: now,
		}}},
	})
	if err != nil {
		return nil, fmt.Errorf("write condition of Job %s: %w", job.Name, err)
	}
	return patch, nil
}

// line is one line of at most maxMessage bytes, without what could play with a
// reader's terminal.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case unicode.IsControl(r), r == unicode.ReplacementChar, unicode.Is(unicode.Cf, r), unicode.In(r, unicode.Zl, unicode.Zp):
			return '?'
		}
		return r
	}, s)
	const dots = "…"
	if len(s) <= maxMessage {
		return s
	}
	n := maxMessage - len(dots)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + dots
}

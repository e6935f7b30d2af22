// Package explain writes onto a hook Job why it fails. Argo CD shows of a Job
// that failed what its condition Failed says, and the Job controller alone would
// say that the Job has reached its backoff limit. It takes over the reason and
// the message of the condition FailureTarget where that is there before it has
// come to a conclusion of its own, which it does a second after the pod's end.
//
// FailureTarget has the controller delete pods that still run, and their logs
// with them. So it is set after the pod has failed, in that second. Nothing
// rests on it: where it comes too late, or must not be set, the Job fails all
// the same, and says no more than it did.
package explain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/syncgate/syncgate/hooks"
)

// Clusters are the clusters' clients by the name that Gates use.
type Clusters interface {
	Clients(name string) (kubernetes.Interface, dynamic.Interface, error)
}

// Waiter is a hook Job's pod that waits for a verdict, as its token names it.
type Waiter struct {
	Change    hooks.Change
	Namespace string
	Pod       string
	UID       string
}

// Words are what a Job is to say.
type Words struct {
	// Reason is one word in CamelCase.
	Reason string
	// Message is one line, of which maxMessage bytes are used.
	Message string
}

// Why finds the words once the pod has ended. No message means that there is
// nothing to say.
type Why func(context.Context) (Words, error)

// Options are what an Explainer works with. A field that is 0 takes its default.
type Options struct {
	Clusters Clusters
	// AtOnce is how many pods are waited for at one moment; of more no word is
	// said. Default 64.
	AtOnce int
	// Patience is how long a pod's end is waited for. Default 1m: after the
	// verdict the hook client stays up to 30s, for the outcome of a revert.
	Patience time.Duration
	// Forbidden is how long a namespace where it is not allowed is left alone.
	// Default 10m.
	Forbidden time.Duration
	Log       *slog.Logger
}

// Explainer writes on Jobs while Run runs.
type Explainer struct {
	opts  Options
	tasks chan *task

	mu sync.Mutex
	// open are the pods that are waited for, by UID.
	open map[string]*task
	// forbidden is until when a namespace is left alone, by cluster/namespace.
	forbidden map[string]time.Time
}

// task is one pod; why is guarded by Explainer.mu.
type task struct {
	waiter Waiter
	why    Why
}

// New makes an Explainer that does nothing yet.
func New(opts Options) *Explainer {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&opts.Patience, time.Minute}, {&opts.Forbidden, 10 * time.Minute}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if opts.AtOnce <= 0 {
		opts.AtOnce = 64
	}
	return &Explainer{opts: opts, tasks: make(chan *task, opts.AtOnce), open: map[string]*task{}, forbidden: map[string]time.Time{}}
}

// Run does the work until ctx ends.
func (e *Explainer) Run(ctx context.Context) {
	var group errgroup.Group
	group.SetLimit(e.opts.AtOnce)
	defer func() { _ = group.Wait() }() // they return no errors
	for {
		select {
		case t := <-e.tasks:
			group.Go(func() error { e.do(ctx, t); return nil })
		case <-ctx.Done():
			return
		}
	}
}

// Explain has the Job of a pod say why it fails, if it does. It returns at once.
// Said again of the same pod, the newest why counts.
func (e *Explainer) Explain(w Waiter, why Why) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t, ok := e.open[w.UID]; ok {
		t.why = why
		return
	}
	if time.Now().Before(e.forbidden[place(w)]) {
		return
	}
	t := &task{waiter: w, why: why}
	if len(e.open) < e.opts.AtOnce { // so that the channel has room
		e.open[w.UID] = t
		e.tasks <- t
		return
	}
	e.opts.Log.Info("hook Job not told why it fails: too many at once", "limit", e.opts.AtOnce, "namespace", w.Namespace, "pod", w.Pod)
}

func place(w Waiter) string { return w.Change.Cluster + "/" + w.Namespace }

func (e *Explainer) do(ctx context.Context, t *task) {
	ctx, cancel := context.WithTimeout(ctx, e.opts.Patience)
	defer cancel()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.open, t.waiter.UID)
	}()
	w := t.waiter
	log := e.opts.Log.With("cluster", w.Change.Cluster, "namespace", w.Namespace, "pod", w.Pod)
	job, err := e.explain(ctx, t)
	switch {
	case err == nil && job != "":
		log.InfoContext(ctx, "hook Job told why it fails", "job", job)
	case err == nil || ctx.Err() != nil:
		log.DebugContext(ctx, "hook Job not told why it fails: its pod did not", "error", err)
	case apierrors.IsForbidden(err):
		e.leave(ctx, log, w, err)
	case errors.Is(err, errLate):
		log.InfoContext(ctx, "hook Job not told why it fails: it had failed before", "job", job)
	case errors.Is(err, errForeign):
		log.InfoContext(ctx, "hook Job not told why it fails: the pod is of another kind", "error", err)
	default:
		log.WarnContext(ctx, "hook Job not told why it fails", "error", err)
	}
}

// leave remembers that a namespace is closed, and tells how it is opened.
func (e *Explainer) leave(ctx context.Context, log *slog.Logger, w Waiter, err error) {
	e.mu.Lock()
	_, told := e.forbidden[place(w)]
	e.forbidden[place(w)] = time.Now().Add(e.opts.Forbidden)
	e.mu.Unlock()
	if !told {
		log.InfoContext(ctx, "hook Jobs are not told why they fail, so Argo CD shows no more than that they did; "+
			"the chart's rbac.explain.enabled=true with the namespace in hooks.namespaces allows it", "error", err)
	}
}

// explain waits for the pod's end and tells its Job, whose name it returns; ""
// when there was nothing to tell.
func (e *Explainer) explain(ctx context.Context, t *task) (string, error) {
	kube, _, err := e.opts.Clusters.Clients(t.waiter.Change.Cluster)
	if err != nil {
		return "", err
	}
	pod, err := ended(ctx, kube.CoreV1().Pods(t.waiter.Namespace), t.waiter)
	if err != nil || pod == nil || pod.Status.Phase != corev1.PodFailed {
		return "", err
	}
	e.mu.Lock()
	why := t.why
	e.mu.Unlock()
	words, err := why(ctx)
	if err != nil {
		return "", fmt.Errorf("find the reason: %w", err)
	}
	if words.Message == "" {
		return "", nil
	}
	return tell(ctx, kube.BatchV1().Jobs(t.waiter.Namespace), pod, asked{t.waiter.Change, words})
}

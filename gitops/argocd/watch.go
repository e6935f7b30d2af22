package argocd

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/syncgate/syncgate/gitops"
)

// How often a question that failed is asked again, and how often every
// Application is looked at again.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
	lookAgain  = 10 * time.Minute
)

// maxMessage bounds an Event's text; the API server's own bound is 1,024 bytes.
const maxMessage = 1000

// WatchOptions say whose Applications are watched, and who hears of them.
type WatchOptions struct {
	// Kube and Dynamic speak to the cluster where Argo CD runs.
	Kube    kubernetes.Interface
	Dynamic dynamic.Interface
	// Namespace holds the Applications.
	Namespace string
	// Plugin is the name of Syncgate's plugin in Applications.
	Plugin string
	// Seen hears of every finished operation at least once, and again after a
	// restart. An error has it told again later. A Notice becomes an Event of
	// the Application.
	Seen func(ctx context.Context, op gitops.Operation) (*gitops.Notice, error)
	Log  *slog.Logger
}

// Watch tells of the finished operations of Applications until ctx ends. What
// happened while nobody watched is told when it begins, as far as Argo CD
// remembers it: the last operation of each Application.
func Watch(ctx context.Context, opts WatchOptions) error {
	w := &watcher{WatchOptions: opts, queue: workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, lastRetry))}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(opts.Dynamic, lookAgain, opts.Namespace, nil)
	informer := factory.ForResource(v1alpha1.SchemeGroupVersion.WithResource("applications")).Informer()
	if err := informer.SetTransform(slim); err != nil {
		return fmt.Errorf("watch Applications in namespace %s: %w", opts.Namespace, err)
	}
	if err := informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		opts.Log.WarnContext(ctx, "Applications not watched; it is tried again", "namespace", opts.Namespace, "error", err)
	}); err != nil {
		return fmt.Errorf("watch Applications in namespace %s: %w", opts.Namespace, err)
	}
	add := func(o any) {
		if key, err := cache.MetaNamespaceKeyFunc(o); err == nil {
			w.queue.Add(key)
		}
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: add, UpdateFunc: func(_, o any) { add(o) },
	}); err != nil {
		return fmt.Errorf("watch Applications in namespace %s: %w", opts.Namespace, err)
	}
	w.store = informer.GetStore()
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	stop := context.AfterFunc(ctx, w.queue.ShutDown)
	defer stop()
	for w.next(ctx) {
	}
	return nil
}

// slim forgets what is not looked at: the state of every resource can be large.
func slim(o any) (any, error) {
	if app, ok := o.(*unstructured.Unstructured); ok {
		app.SetManagedFields(nil)
		for _, field := range [][]string{{"status", "resources"}, {"status", "history"}, {"status", "summary"}, {"status", "operationState", "syncResult", "resources"}} {
			unstructured.RemoveNestedField(app.Object, field...)
		}
	}
	return o, nil
}

type watcher struct {
	WatchOptions
	queue workqueue.TypedRateLimitingInterface[string]
	store cache.Store
}

// next looks at one Application; false once the queue has shut down.
func (w *watcher) next(ctx context.Context) bool {
	key, shut := w.queue.Get()
	if shut {
		return false
	}
	defer w.queue.Done(key)
	if err := w.look(ctx, key); err != nil && ctx.Err() == nil {
		w.Log.WarnContext(ctx, "operation not looked at; it is tried again", "application", key, "error", err)
		w.queue.AddRateLimited(key)
		return true
	}
	w.queue.Forget(key)
	return true
}

func (w *watcher) look(ctx context.Context, key string) error {
	o, ok, err := w.store.GetByKey(key)
	if err != nil || !ok {
		return err
	}
	object, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	app, err := decode(object)
	if err != nil {
		return err
	}
	op, ok := w.operation(app)
	if !ok {
		return nil
	}
	notice, err := w.Seen(ctx, op)
	if err != nil || notice == nil {
		return err
	}
	return w.tell(ctx, app, op, *notice)
}

// decode reads an Application of any version of Argo CD: fields that are not
// known here are left out.
func decode(object *unstructured.Unstructured) (*v1alpha1.Application, error) {
	var app v1alpha1.Application
	// By way of JSON: the types have fields that apimachinery's own converter
	// cannot set.
	text, err := object.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(text, &app)
	}
	if err != nil {
		return nil, fmt.Errorf("read Application %s/%s: %w", object.GetNamespace(), object.GetName(), err)
	}
	return &app, nil
}

// operation is the Application's last operation, once it has finished.
func (w *watcher) operation(app *v1alpha1.Application) (gitops.Operation, bool) {
	s := app.Status.OperationState
	if s == nil || !s.Phase.Completed() || s.FinishedAt == nil || s.Operation.Sync == nil || s.Operation.Sync.DryRun || s.SyncResult == nil {
		return gitops.Operation{}, false
	}
	op := gitops.Operation{
		ID:          string(app.UID) + "@" + s.StartedAt.UTC().Format(time.RFC3339Nano),
		Application: app.Namespace + "/" + app.Name, ApplicationID: string(app.UID),
		By: s.Operation.InitiatedBy.Username, Automated: s.Operation.InitiatedBy.Automated,
		Applied: s.Phase.Successful(), Started: s.StartedAt.UTC(), Finished: s.FinishedAt.UTC(),
		Skipped: skipped(s.Operation.Sync), Unversioned: len(s.Operation.Sync.Manifests) > 0,
	}
	sources, revisions := s.SyncResult.Sources, s.SyncResult.Revisions
	if len(sources) == 0 {
		// Argo CD 2 writes no revision of a sync whose manifests were sent along.
		revision := cmp.Or(s.SyncResult.Revision, s.Operation.Sync.Revision)
		sources, revisions = v1alpha1.ApplicationSources{s.SyncResult.Source}, []string{revision}
	}
	for i := range sources {
		revision := "" // which is told of too, as no commit
		if i < len(revisions) {
			revision = revisions[i]
		}
		op.Sources = append(op.Sources, w.source(&sources[i], revision))
	}
	return op, true
}

// source reads what the Application tells the plugin, in the plugin's own
// order: a parameter, then a variable. A plugin without a name is the one that
// claims the folder, and Syncgate claims those that have a Gate.
func (w *watcher) source(s *v1alpha1.ApplicationSource, revision string) gitops.OperationSource {
	out := gitops.OperationSource{URL: s.RepoURL, Path: s.Path, Revision: revision}
	p := s.Plugin
	if p == nil || p.Name != "" && p.Name != w.Plugin {
		return out
	}
	out.Plugin = true
	for _, e := range p.Env {
		if e == nil {
			continue
		}
		switch e.Name {
		case "GATE":
			out.Gate = e.Value
		case "CLUSTER":
			out.Cluster = e.Value
		}
	}
	for _, q := range p.Parameters {
		if q.String_ == nil || *q.String_ == "" {
			continue
		}
		switch q.Name {
		case "gate":
			out.Gate = *q.String_
		case "cluster":
			out.Cluster = *q.String_
		}
	}
	return out
}

// skipped is why Argo CD runs no hooks in a sync of this kind.
func skipped(s *v1alpha1.SyncOperation) string {
	switch {
	case len(s.Manifests) > 0:
		return "its manifests came from somebody's machine (--local)"
	case len(s.Resources) > 0 && s.SelfHealAttemptsCount > 0:
		return fmt.Sprintf("self-heal synced %d resources alone", len(s.Resources))
	case len(s.Resources) > 0:
		return fmt.Sprintf("it synced %d resources alone", len(s.Resources))
	case s.IsApplyStrategy():
		return "its strategy was apply, as that of a rollback is"
	}
	return ""
}

// tell makes an Event of a notice. Its name follows from the operation, so that
// it is made once.
func (w *watcher) tell(ctx context.Context, app *v1alpha1.Application, op gitops.Operation, n gitops.Notice) error {
	sum := sha256.Sum256([]byte(op.ID + "\x00" + n.Reason))
	now := metav1.Now()
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: app.Name + "." + hex.EncodeToString(sum[:8]), Namespace: app.Namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "Application",
			Namespace: app.Namespace, Name: app.Name, UID: app.UID, ResourceVersion: app.ResourceVersion,
		},
		Type: corev1.EventTypeNormal, Reason: n.Reason, Message: n.Message,
		Source: corev1.EventSource{Component: "syncgate"}, FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}
	if n.Warning {
		event.Type = corev1.EventTypeWarning
	}
	if len(event.Message) > maxMessage {
		event.Message = event.Message[:maxMessage] + "…"
	}
	_, err := w.Kube.CoreV1().Events(app.Namespace).Create(ctx, event, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create Event of Application %s: %w", op.Application, err)
	}
	return nil
}

package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/test/harness"
)

// GateName is the name of every site's Gate.
const GateName = "mattermost"

// Application is where Argo CD's Applications are found.
func Application() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "applications"}
}

// App is a site's Application for a cluster.
type App struct {
	Name    string
	Cluster string
	Site    *Site
	w       *World
}

// App is the site's Application for a cluster, which Create makes.
func (s *Site) App(cluster string) *App {
	return &App{Name: s.Name + "-" + cluster, Cluster: cluster, Site: s, w: s.w}
}

// Create makes the Application, without automated sync. It may be called again.
func (a *App) Create(ctx context.Context) error {
	destination := map[string]any{"server": "https://kubernetes.default.svc", "namespace": a.Site.Name}
	if a.Cluster == a.w.US.Name {
		destination = map[string]any{"name": a.w.US.Name, "namespace": a.Site.Name}
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
		"metadata": map[string]any{"name": a.Name},
		"spec": map[string]any{
			"project": "default", "destination": destination,
			"source": map[string]any{
				"repoURL": a.Site.URL, "path": Folder, "targetRevision": "main",
				"plugin": map[string]any{"name": "syncgate", "parameters": []any{map[string]any{"name": "cluster", "string": a.Cluster}}},
			},
		},
	})
	if err != nil {
		return err
	}
	return a.w.EU.ApplyYAML(ctx, text, harness.ApplyOptions{Namespace: harness.ArgoNamespace})
}

// Patch merges a patch into the Application: for other settings, or what a
// person would do with kubectl.
func (a *App) Patch(ctx context.Context, patch string) error {
	_, err := a.w.EU.Dynamic.Resource(Application()).Namespace(harness.ArgoNamespace).
		Patch(ctx, a.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("patch Application %s: %w", a.Name, err)
	}
	return nil
}

// Automate turns automated sync on, with so many retries a second apart.
func (a *App) Automate(ctx context.Context, retries int) error {
	return a.Patch(ctx, fmt.Sprintf(
		`{"spec": {"syncPolicy": {"automated": {}, "retry": {"limit": %d, "backoff": {"duration": "1s", "maxDuration": "2s"}}}}}`, retries))
}

// Refresh has Argo CD look at the repository and the cluster again; hard
// forgets what it rendered.
func (a *App) Refresh(ctx context.Context, hard bool) error {
	kind := "normal"
	if hard {
		kind = "hard"
	}
	return a.Patch(ctx, fmt.Sprintf(`{"metadata": {"annotations": {"argocd.argoproj.io/refresh": %q}}}`, kind))
}

// Sync syncs main as `argocd app sync` does, waits for its end, and returns
// what the tool printed. A sync that does not succeed is an error. More flags
// may be given.
func (a *App) Sync(ctx context.Context, flags ...string) (string, error) {
	return a.w.Argo.CLI(ctx, append([]string{"app", "sync", a.Name, "--timeout", "600"}, flags...)...)
}

// Status is what the tests read of an Application.
type Status struct {
	Sync struct {
		Status   string `json:"status"`
		Revision string `json:"revision"`
	} `json:"sync"`
	Conditions []struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"conditions"`
	History []struct {
		Revision string `json:"revision"`
	} `json:"history"`
	OperationState *Operation `json:"operationState"`
}

// Operation is a sync that runs or ran.
type Operation struct {
	Phase      string `json:"phase"`
	Message    string `json:"message"`
	RetryCount int    `json:"retryCount"`
	StartedAt  string `json:"startedAt"`
	SyncResult struct {
		Revision  string           `json:"revision"`
		Resources []ResourceResult `json:"resources"`
	} `json:"syncResult"`
}

// ResourceResult is what came of one object of a sync.
type ResourceResult struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Status    string `json:"status"`
	Message   string `json:"message"`
	HookType  string `json:"hookType"`
	HookPhase string `json:"hookPhase"`
}

// Condition is the message of a condition, "" when it is not there.
func (s *Status) Condition(kind string) string {
	for _, c := range s.Conditions {
		if c.Type == kind {
			return c.Message
		}
	}
	return ""
}

// Status reads the Application's status.
func (a *App) Status(ctx context.Context) (*Status, error) {
	got, err := a.w.EU.Dynamic.Resource(Application()).Namespace(harness.ArgoNamespace).Get(ctx, a.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get Application %s: %w", a.Name, err)
	}
	text, err := got.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var app struct {
		Status Status `json:"status"`
	}
	if err := json.Unmarshal(text, &app); err != nil {
		return nil, fmt.Errorf("read Application %s: %w", a.Name, err)
	}
	return &app.Status, nil
}

// Await waits until the status is as asked for: ok answers nil.
func (a *App) Await(ctx context.Context, ok func(*Status) error) (status *Status, err error) {
	err = harness.Eventually(ctx, func(ctx context.Context) error {
		if status, err = a.Status(ctx); err != nil {
			return err
		}
		return ok(status)
	})
	if err != nil {
		err = fmt.Errorf("wait for Application %s: %w", a.Name, err)
	}
	return status, err
}

// AwaitOperation waits until a sync of a revision has ended, for good, in one
// of the phases.
func (a *App) AwaitOperation(ctx context.Context, revision string, phases ...string) (*Operation, error) {
	status, err := a.Await(ctx, func(s *Status) error {
		o := s.OperationState
		if o == nil {
			return errors.New("no operation yet")
		}
		for _, phase := range phases {
			if o.Phase == phase && o.SyncResult.Revision == revision {
				return nil
			}
		}
		return fmt.Errorf("expected %v of %s, found %+v", phases, revision, *o)
	})
	if err != nil {
		return nil, err
	}
	return status.OperationState, nil
}

// JobName is the name of a hook Job, phase being presync, postsync or syncfail.
func (a *App) JobName(phase, revision string) string {
	return inject.Name(phase, GateName, a.Cluster, revision)
}

// JobLog is the log of a hook Job's newest pod, by the way of `kubectl logs`.
func (a *App) JobLog(ctx context.Context, phase, revision string) (string, error) {
	pod, err := a.JobPod(ctx, phase, revision)
	if err != nil {
		return "", err
	}
	data, err := a.w.Cluster(a.Cluster).Kube.CoreV1().Pods(a.Site.Name).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	return string(data), err
}

// JobMessage is the message with which a hook Job's newest pod ended, "" while
// it has not.
func (a *App) JobMessage(ctx context.Context, phase, revision string) (string, error) {
	pod, err := a.JobPod(ctx, phase, revision)
	if err != nil {
		return "", err
	}
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Terminated != nil {
			return s.State.Terminated.Message, nil
		}
	}
	return "", nil
}

// JobPod is a hook Job's newest pod.
func (a *App) JobPod(ctx context.Context, phase, revision string) (*corev1.Pod, error) {
	pods := a.w.Cluster(a.Cluster).Kube.CoreV1().Pods(a.Site.Name)
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + a.JobName(phase, revision)})
	if err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, fmt.Errorf("find pod of Job %s: there is none", a.JobName(phase, revision))
	}
	newest := list.Items[0]
	for _, pod := range list.Items[1:] {
		if newest.CreationTimestamp.Before(&pod.CreationTimestamp) {
			newest = pod
		}
	}
	return &newest, nil
}

// AwaitJobLog waits until a hook Job has said something, and returns its log.
func (a *App) AwaitJobLog(ctx context.Context, phase, revision string, says func(log string) bool) (log string, err error) {
	err = harness.Eventually(ctx, func(ctx context.Context) error {
		if log, err = a.JobLog(ctx, phase, revision); err != nil {
			return err
		}
		if !says(log) {
			return fmt.Errorf("the log of %s does not say it yet:\n%s", a.JobName(phase, revision), log)
		}
		return nil
	})
	return log, err
}

// Version is the version that the Mattermost resource on the cluster asks for,
// "" when there is none.
func (a *App) Version(ctx context.Context) (string, error) {
	spec, err := a.mattermost(ctx)
	version, _ := spec["version"].(string)
	return version, err
}

// Replicas is how many it asks for.
func (a *App) Replicas(ctx context.Context) (int64, error) {
	spec, err := a.mattermost(ctx)
	replicas, _ := spec["replicas"].(int64)
	return replicas, err
}

// mattermost is what the Mattermost resource on the cluster asks for, nil when
// there is none.
func (a *App) mattermost(ctx context.Context) (spec map[string]any, err error) {
	list, err := a.w.Cluster(a.Cluster).Dynamic.Resource(mattermosts()).Namespace(a.Site.Name).List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		return nil, err
	}
	spec, _ = list.Items[0].Object["spec"].(map[string]any)
	return spec, nil
}

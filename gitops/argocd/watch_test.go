package argocd

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/gitops"
)

const sha = "0123456789abcdef0123456789abcdef01234567"

// application is one whose last operation is what state says.
func application(t *testing.T, name, state string) *unstructured.Unstructured {
	t.Helper()
	text := `
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: ` + name + `, namespace: argocd, uid: u-1}
spec: {project: default, destination: {name: eu, namespace: chat}}
status:
  operationState:
    startedAt: "2026-03-01T12:00:00Z"
` + state
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: o}
}

const done = `    finishedAt: "2026-03-01T12:00:09Z"
    phase: Succeeded
    syncResult: {revision: "` + sha + `", source: {repoURL: "https://git.example/fleet", path: chat, plugin: {name: syncgate, parameters: [{name: cluster, string: eu}]}}}
`

// watchOne runs the watcher on one Application.
func watchOne(t *testing.T, app *unstructured.Unstructured, seen func(context.Context, gitops.Operation) (*gitops.Notice, error)) (*fake.Clientset, func()) {
	t.Helper()
	scheme := runtime.NewScheme()
	dyn := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(scheme, map[schema.GroupVersionResource]string{
		{Group: "argoproj.io", Version: "v1alpha1", Resource: "applications"}: "ApplicationList",
	}, app)
	kube := fake.NewClientset()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Watch(ctx, WatchOptions{Kube: kube, Dynamic: dyn, Namespace: "argocd", Plugin: "syncgate", Seen: seen, Log: slog.New(slog.DiscardHandler)})
	}()
	return kube, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// Each kind of operation, as Argo CD 2.14 and 3 write them.
func TestOperations(t *testing.T) {
	source := gitops.OperationSource{URL: "https://git.example/fleet", Path: "chat", Revision: sha, Plugin: true, Cluster: "eu"}
	base := gitops.Operation{
		ID: "u-1@2026-03-01T12:00:00Z", Application: "argocd/chat", ApplicationID: "u-1", Sources: []gitops.OperationSource{source}, Applied: true,
		Started: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Finished: time.Date(2026, 3, 1, 12, 0, 9, 0, time.UTC),
	}
	with := func(edit func(*gitops.Operation)) gitops.Operation {
		op := base
		edit(&op)
		return op
	}
	for _, tt := range []struct {
		name, state string
		want        gitops.Operation
	}{
		{"full sync by a person", done + `    operation: {sync: {revision: main, syncStrategy: {hook: {}}}, initiatedBy: {username: ada}}` + "\n",
			with(func(op *gitops.Operation) { op.By = "ada" })},
		{"automated", done + `    operation: {sync: {revision: main}, initiatedBy: {automated: true}}` + "\n",
			with(func(op *gitops.Operation) { op.Automated = true })},
		{"some resources", done + `    operation: {sync: {resources: [{kind: ConfigMap, name: a}, {kind: ConfigMap, name: b}]}}` + "\n",
			with(func(op *gitops.Operation) { op.Skipped = "it synced 2 resources alone" })},
		{"self-heal", done + `    operation: {sync: {resources: [{kind: ConfigMap, name: a}], autoHealAttemptsCount: 1}, initiatedBy: {automated: true}}` + "\n",
			with(func(op *gitops.Operation) { op.Automated, op.Skipped = true, "self-heal synced 1 resources alone" })},
		{"strategy apply", done + `    operation: {sync: {syncStrategy: {apply: {}}}}` + "\n",
			with(func(op *gitops.Operation) { op.Skipped = "its strategy was apply, as that of a rollback is" })},
		{"rollback", done + `    operation: {sync: {revision: "` + sha + `", syncStrategy: {apply: {}}, source: {repoURL: "https://git.example/fleet", path: chat}}}` + "\n",
			with(func(op *gitops.Operation) { op.Skipped = "its strategy was apply, as that of a rollback is" })},
		{"local", done + `    operation: {sync: {manifests: ["{}"]}}` + "\n",
			with(func(op *gitops.Operation) {
				op.Skipped, op.Unversioned = "its manifests came from somebody's machine (--local)", true
			})},
		{"local, as Argo CD 2 writes it", `    finishedAt: "2026-03-01T12:00:09Z"
    phase: Succeeded
    operation: {sync: {manifests: ["{}"]}}
    syncResult: {revision: "", source: {repoURL: "https://git.example/fleet", path: chat, plugin: {name: syncgate, parameters: [{name: cluster, string: eu}]}}}
`, with(func(op *gitops.Operation) {
			op.Skipped, op.Unversioned, op.Sources = "its manifests came from somebody's machine (--local)", true, slices.Clone(base.Sources)
			op.Sources[0].Revision = ""
		})},
		{"sources without their revisions", `    finishedAt: "2026-03-01T12:00:09Z"
    phase: Succeeded
    operation: {sync: {}}
    syncResult:
      revision: ""
      sources:
        - {repoURL: "https://git.example/fleet", path: chat, plugin: {env: [{name: CLUSTER, value: eu}]}}
`, with(func(op *gitops.Operation) {
			op.Sources = slices.Clone(base.Sources)
			op.Sources[0].Revision = ""
		})},
		{"several sources", `    finishedAt: "2026-03-01T12:00:09Z"
    phase: Failed
    operation: {sync: {}}
    syncResult:
      revision: ""
      revisions: ["` + sha + `", "1.2.3"]
      sources:
        - {repoURL: "https://git.example/fleet", path: chat, plugin: {env: [{name: CLUSTER, value: us}, {name: GATE, value: chat}]}}
        - {repoURL: "https://charts.example", chart: redis}
`, with(func(op *gitops.Operation) {
			us := source
			us.Cluster, us.Gate = "us", "chat"
			op.Applied, op.Sources = false, []gitops.OperationSource{us, {URL: "https://charts.example", Revision: "1.2.3"}}
		})},
		{"another plugin", `    finishedAt: "2026-03-01T12:00:09Z"
    phase: Succeeded
    operation: {sync: {}}
    syncResult: {revision: "` + sha + `", source: {repoURL: "https://git.example/fleet", path: chat, plugin: {name: other}}}
`, with(func(op *gitops.Operation) {
			op.Sources = []gitops.OperationSource{{URL: "https://git.example/fleet", Path: "chat", Revision: sha}}
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan gitops.Operation, 1)
			_, stop := watchOne(t, application(t, "chat", tt.state), func(_ context.Context, op gitops.Operation) (*gitops.Notice, error) {
				select {
				case got <- op:
				default:
				}
				return nil, nil
			})
			defer stop()
			select {
			case op := <-got:
				if d := cmp.Diff(tt.want, op); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			case <-time.After(time.Minute):
				t.Fatal("nothing was seen")
			}
		})
	}
}

// What has not finished, or was a dry run, is nothing to tell of; the queue
// goes on to what is.
func TestNotYet(t *testing.T) {
	w := &watcher{WatchOptions: WatchOptions{Plugin: "syncgate"}}
	for name, state := range map[string]string{
		"running":   "    phase: Running\n    operation: {sync: {}}\n    syncResult: {revision: \"" + sha + "\"}\n",
		"dry run":   done + "    operation: {sync: {dryRun: true}}\n",
		"no sync":   done + "    operation: {}\n",
		"no result": "    phase: Error\n    finishedAt: \"2026-03-01T12:00:09Z\"\n    operation: {sync: {}}\n",
	} {
		o := application(t, "chat", state)
		app, err := decode(o)
		if err != nil {
			t.Fatal(err)
		}
		if op, ok := w.operation(app); ok {
			t.Errorf("%s: found %+v", name, op)
		}
	}
}

// A notice becomes one Event, also when it is given twice, and what fails is
// asked again.
func TestEvents(t *testing.T) {
	var mu sync.Mutex
	calls := 0
	seen := func(_ context.Context, _ gitops.Operation) (*gitops.Notice, error) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		if calls == 1 {
			return nil, errors.New("git is away")
		}
		return &gitops.Notice{Warning: true, Reason: "GateBypassed", Message: "it went past"}, nil
	}
	app := application(t, "chat", done+"    operation: {sync: {}}\n")
	kube, stop := watchOne(t, app, seen)
	defer stop()
	var events *corev1.EventList
	for limit := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var err error
		if events, err = kube.CoreV1().Events("argocd").List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
		if len(events.Items) > 0 {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("no Event")
		}
	}
	e := events.Items[0]
	if e.Type != "Warning" || e.Reason != "GateBypassed" || e.InvolvedObject.Name != "chat" || e.InvolvedObject.UID != "u-1" || e.Message != "it went past" {
		t.Errorf("got %+v", e)
	}
	w := &watcher{WatchOptions: WatchOptions{Kube: kube, Plugin: "syncgate"}}
	decoded, err := decode(app)
	if err != nil {
		t.Fatal(err)
	}
	op, _ := w.operation(decoded)
	if err := w.tell(t.Context(), decoded, op, gitops.Notice{Reason: "GateBypassed"}); err != nil {
		t.Error(err)
	}
	if again, _ := kube.CoreV1().Events("argocd").List(t.Context(), metav1.ListOptions{}); len(again.Items) != 1 {
		t.Errorf("%d Events, want 1", len(again.Items))
	}
}

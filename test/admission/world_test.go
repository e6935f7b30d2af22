package admission

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/syncgate/syncgate/hooks/admission"
	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

// patience bounds everything that is waited for.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { os.Exit(product.Main(m)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pathToken is what the API server shows, at the end of the path.
var pathToken = strings.Repeat("t", 40)

// world is one gate server and a namespace that it guards.
type world struct {
	t         *testing.T
	cp        *harness.ControlPlane
	stage     *harness.Stage
	namespace string
	address   string
	repo      string
	ca        string // of the server's certificate, a file
	config    string
	token     string
	proc      *harness.Process
}

// newWorld starts a server whose Gate guards the Mattermosts of a namespace.
// access is the entry of admission.clusters.
func newWorld(t *testing.T, cp *harness.ControlPlane, name, access string) *world {
	t.Helper()
	stage, err := harness.NewStage("")
	must(t, err)
	t.Cleanup(func() { must(t, stage.Stop()) })
	w := &world{t: t, cp: cp, stage: stage, namespace: name, repo: stage.Path("git", "fleet.git"),
		config: stage.Path("config.yaml"), token: stage.Path("token")}
	crd, err := os.ReadFile(filepath.FromSlash("../demo/story/mattermost-crd.yaml"))
	must(t, err)
	must(t, cp.ApplyYAML(t.Context(), crd, harness.ApplyOptions{}))
	for _, ns := range []string{name, name + "-home"} {
		must(t, cp.Namespace(t.Context(), ns))
	}
	must(t, cp.ServiceAccount(t.Context(), name+"-home", "syncgate-hook"))
	token, err := cp.Token(t.Context(), name+"-home", "syncgate-hook", "syncgate", time.Hour)
	must(t, err)
	must(t, os.WriteFile(w.token, []byte(token), 0o600))
	must(t, os.WriteFile(stage.Path("path-token"), []byte(pathToken), 0o600))
	must(t, harness.InitBare(t.Context(), w.repo))
	var cert, key string
	cert, key, w.ca, err = harness.ServingCertificate(stage.Path("tls"))
	must(t, err)
	must(t, harness.WithPorts(1, func(ports []int) error {
		w.address = net.JoinHostPort("127.0.0.1", fmt.Sprint(ports[0]))
		must(t, os.WriteFile(w.config, fmt.Appendf(nil, `listen: %s
tls: {certFile: %s, keyFile: %s}
database: {path: gate.db}
cacheDir: cache
repositories:
  - name: fleet
    url: %s
    forge: {plain: {dir: pulls}}
clusters:
  - name: eu
    kubeconfig: {path: %s}
    hookSubjects: [%s-home/syncgate-hook]
admission:
  clusters:
    - %s
`, w.address, cert, key, w.repo, cp.Kubeconfig, name, access), 0o600))
		return w.startServer()
	}))
	return w
}

func (w *world) startServer() error {
	client, err := product.Trusting(w.ca)
	if err != nil {
		return err
	}
	w.proc, err = w.stage.Start(context.WithoutCancel(w.t.Context()), harness.Command{
		Name: "server", Path: filepath.Join(product.Programs(w.t), "syncgate-server"), Args: []string{"--config", w.config},
		Ready: product.Ready(client, "https://"+w.address+"/readyz"),
	})
	return err
}

// webhook installs the chart's webhook, as helm renders it for a server that is
// elsewhere, and waits until the API server asks.
func (w *world) webhook(more ...string) {
	w.t.Helper()
	helm, err := harness.Tool(w.t.Context(), "helm", os.Stderr)
	must(w.t, err)
	args := append([]string{"template", "gate", "../../charts/syncgate", "--namespace", w.namespace + "-home", "--show-only", "templates/admission.yaml",
		"--set", "server.enabled=false", "--set", "admission.enabled=true", "--set", "admission.cluster=eu", "--set", "admission.timeoutSeconds=20",
		"--set", "admission.url=https://" + w.address, "--set-file", "admission.ca=" + w.ca}, more...)
	cmd := exec.CommandContext(w.t.Context(), helm, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	must(w.t, err)
	must(w.t, w.cp.ApplyYAML(w.t.Context(), out, harness.ApplyOptions{}))
	w.t.Cleanup(func() {
		hooks := w.cp.Kube.AdmissionregistrationV1().ValidatingWebhookConfigurations()
		err := hooks.Delete(context.WithoutCancel(w.t.Context()), w.namespace+"-home-gate-syncgate", metav1.DeleteOptions{})
		if !apierrors.IsNotFound(err) {
			must(w.t, err)
		}
	})
}

// label has the namespace guarded, and waits until the API server asks.
func (w *world) label() {
	w.t.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, admission.NamespaceLabel, admission.LabelValue)
	_, err := w.cp.Kube.CoreV1().Namespaces().Patch(w.t.Context(), w.namespace, types.MergePatchType, patch, metav1.PatchOptions{})
	must(w.t, err)
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	must(w.t, harness.Eventually(ctx, func(ctx context.Context) error {
		probe := mattermost("probe", "0")
		_, err := w.objects(w.namespace).Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return errors.New("the API server does not ask yet")
		}
		if !strings.Contains(err.Error(), "syncgate refuses") {
			return err
		}
		return nil
	}))
}

func (w *world) objects(namespace string) dynamic.ResourceInterface {
	return w.cp.Dynamic.Resource(schema.GroupVersionResource{Group: "installation.mattermost.com", Version: "v1beta1", Resource: "mattermosts"}).Namespace(namespace)
}

func mattermost(name, version string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "installation.mattermost.com/v1beta1", "kind": "Mattermost",
		"metadata": map[string]any{"name": name, "finalizers": []any{"example.com/hold"}},
		"spec":     map[string]any{"version": version, "replicas": int64(2)},
	}}
}

// commit puts the Gate and a version on main.
func (w *world) commit(version string) string {
	w.t.Helper()
	values := fmt.Sprintf("mattermostCR: {spec: {version: %q}}\n", version)
	sha, err := harness.CommitTo(w.t.Context(), w.repo, harness.Commit{Branch: "main", Message: "Use " + version, Files: map[string]string{
		"eu.yaml": values, "syncgate.yaml": fmt.Sprintf(`apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: chat}
spec:
  namespace: %[1]s
  clusters: [{name: eu, values: [eu.yaml]}]
  guards: [{use: mattermost/server}]
  preSync:
    interval: 1s
    deadline: 5m
    freshFor: 1h
    checks:
      - name: door
        resource: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s-home, name: door, pass: object.data.open == "true", fail: object.data.open == "false"}
`, w.namespace)}})
	must(w.t, err)
	return sha
}

// open says what the Gate's check finds.
func (w *world) open(ok string) {
	w.t.Helper()
	must(w.t, w.cp.Apply(w.t.Context(), []*unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "door", "namespace": w.namespace + "-home"},
		"data": map[string]any{"open": ok},
	}}}, harness.ApplyOptions{}))
}

// presync runs the PreSync hook as a Job would, and returns its exit code.
func (w *world) presync(revision string) int {
	w.t.Helper()
	code, _ := w.syncgate("hook", "presync", "--token-file", w.token, "--revision", revision, "--attempt", "a-"+revision[:8])
	return code
}

// syncgate runs a command about the Gate, and returns its exit code and what it
// printed.
func (w *world) syncgate(args ...string) (int, string) {
	w.t.Helper()
	var out strings.Builder
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	code, err := w.stage.Run(ctx, harness.Command{
		Name: "syncgate", Path: filepath.Join(product.Programs(w.t), "syncgate"), Stdout: &out, Stderr: &out,
		Args: append(args, "--server", "https://"+w.address, "--ca-file", w.ca, "--repository", w.repo, "--gate", "chat", "--cluster", "eu"),
	})
	if err != nil {
		w.t.Fatalf("%v\n%s\n%s", err, out.String(), w.log())
	}
	return code, out.String()
}

func (w *world) log() string {
	b, err := os.ReadFile(w.stage.Path("log", "server.log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-10_000):])
}

// patch changes the object as `kubectl edit` does. want are parts of the
// refusal, none when it goes through.
func (w *world) patch(namespace, patch string, want ...string) {
	w.t.Helper()
	_, err := w.objects(namespace).Patch(w.t.Context(), "mm", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	w.expect("patch "+patch, err, want...)
}

func (w *world) expect(what string, err error, want ...string) {
	w.t.Helper()
	if (err == nil) != (len(want) == 0) {
		w.t.Errorf("%s: expected a refusal with %q, found %v\n%s", what, want, err, w.log())
		return
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			w.t.Errorf("%s: expected %q in: %v", what, part, err)
		}
	}
}

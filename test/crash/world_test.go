package crash

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	_ "modernc.org/sqlite"

	"github.com/syncgate/syncgate/test/githubd"
	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

// patience bounds everything that is waited for.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { os.Exit(product.Main(m)) }

// world is one gate server and everything around it.
type world struct {
	t         *testing.T
	cp        *harness.ControlPlane
	stage     *harness.Stage
	namespace string
	syncgate  string
	server    string
	address   string
	config    string
	token     string
	database  string
	repo      string // bare repository
	repoURL   string
	github    *githubd.Server

	// before and after run around every request that passes, on its way from
	// the server to the API server or to GitHub.
	mu            sync.Mutex
	before, after func(r *http.Request)
	asked         map[string]int // of the checked application, by path

	procMu  sync.Mutex
	proc    *harness.Process
	strikes int
}

func newWorld(t *testing.T, cp *harness.ControlPlane, name string) *world {
	t.Helper()
	stage, err := harness.NewStage("")
	must(t, err)
	t.Cleanup(func() { must(t, stage.Stop()) })
	w := &world{t: t, cp: cp, stage: stage, namespace: "crash-" + name, asked: map[string]int{},
		config: stage.Path("config.yaml"), token: stage.Path("token"), database: stage.Path("data", "gate.db"),
		repo: stage.Path("git", "acme", "fleet.git")}
	programs := product.Programs(t)
	w.syncgate, w.server = filepath.Join(programs, "syncgate"), filepath.Join(programs, "syncgate-server")
	w.cluster()

	w.github = githubd.New(githubd.Options{Root: stage.Path("git")})
	must(t, os.MkdirAll(filepath.Dir(w.repo), 0o755))
	must(t, harness.InitBare(t.Context(), w.repo))
	github := httptest.NewServer(w.around(w.github))
	t.Cleanup(github.Close)
	w.repoURL = github.URL + "/acme/fleet.git"
	app := httptest.NewServer(http.HandlerFunc(w.application))
	t.Cleanup(app.Close)
	must(t, os.WriteFile(stage.Path("gate.yaml"), []byte(w.gate(app.URL)), 0o600))
	must(t, os.WriteFile(w.token, []byte(w.mustToken()), 0o600))
	must(t, os.WriteFile(stage.Path("github-token"), []byte("token"), 0o600))
	must(t, harness.WithPorts(1, func(ports []int) error {
		w.address = net.JoinHostPort("127.0.0.1", fmt.Sprint(ports[0]))
		must(t, os.WriteFile(w.config, []byte(w.configuration(github.URL, app.URL)), 0o600))
		return w.start()
	}))
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) mustToken() string {
	token, err := w.cp.Token(w.t.Context(), w.namespace, "syncgate-hook", "syncgate", time.Hour)
	must(w.t, err)
	return token
}

// cluster prepares the namespace, and plays the snapshot controller in it.
func (w *world) cluster() {
	ctx := w.t.Context()
	must(w.t, w.cp.Namespace(ctx, w.namespace))
	must(w.t, w.cp.ServiceAccount(ctx, w.namespace, "syncgate-hook"))
	claims := w.cp.Kube.CoreV1().PersistentVolumeClaims(w.namespace)
	claim, err := claims.Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}, metav1.CreateOptions{})
	must(w.t, err)
	claim.Status.Phase = corev1.ClaimBound
	_, err = claims.UpdateStatus(ctx, claim, metav1.UpdateOptions{})
	must(w.t, err)
	w.setApp("true")
	w.playSnapshotController()
}

// setApp says whether the application is well.
func (w *world) setApp(ok string) {
	must(w.t, w.cp.Apply(w.t.Context(), []*unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "app", "namespace": w.namespace},
		"data":     map[string]any{"ok": ok},
	}}}, harness.ApplyOptions{}))
}

func snapshots(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: resource}
}

// taken counts the snapshots that were ever made in the namespace, deleted ones
// too.
func (w *world) taken() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked["snapshots"]
}

func (w *world) playSnapshotController() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	client := w.cp.Dynamic.Resource(snapshots("volumesnapshots")).Namespace(w.namespace)
	watch, err := client.Watch(ctx, metav1.ListOptions{})
	must(w.t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range watch.ResultChan() {
			o, ok := e.Object.(*unstructured.Unstructured)
			if !ok || e.Type != "ADDED" {
				continue
			}
			w.mu.Lock()
			w.asked["snapshots"]++
			w.mu.Unlock()
			if err := w.makeReady(ctx, o); err != nil && ctx.Err() == nil {
				w.t.Errorf("play snapshot controller: %v", err)
			}
		}
	}()
	w.t.Cleanup(func() { cancel(); watch.Stop(); <-done })
}

func (w *world) makeReady(ctx context.Context, o *unstructured.Unstructured) error {
	content := "content-" + string(o.GetUID())
	contents := w.cp.Dynamic.Resource(snapshots("volumesnapshotcontents"))
	c := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
		"metadata": map[string]any{"name": content},
		"spec": map[string]any{"volumeSnapshotRef": map[string]any{
			"namespace": o.GetNamespace(), "name": o.GetName(), "uid": string(o.GetUID())}},
	}}
	c, err := contents.Create(ctx, c, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	c.Object["status"] = map[string]any{"readyToUse": true}
	if _, err := contents.UpdateStatus(ctx, c, metav1.UpdateOptions{}); err != nil {
		return err
	}
	o = o.DeepCopy()
	o.Object["status"] = map[string]any{"readyToUse": true, "boundVolumeSnapshotContentName": content, "creationTime": time.Now().UTC().Format(time.RFC3339)}
	_, err = w.cp.Dynamic.Resource(snapshots("volumesnapshots")).Namespace(w.namespace).UpdateStatus(ctx, o, metav1.UpdateOptions{})
	return err
}

// application answers the http checks: not yet at first, then well.
func (w *world) application(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked[r.URL.Path]++
	n, before, after := w.asked[r.URL.Path], w.before, w.after
	w.mu.Unlock()
	r.Header.Set("X-Asked", fmt.Sprint(n))
	if before != nil {
		before(r)
	}
	if n == 1 {
		rw.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(rw, "hello")
	_ = http.NewResponseController(rw).Flush()
	if after != nil {
		after(r)
	}
}

// around hands requests on, with what a test does before and after each. The
// answer is held back until after has returned.
func (w *world) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		before, after := w.before, w.after
		w.mu.Unlock()
		if before != nil {
			before(r)
		}
		if strings.Contains(r.URL.Path, "git-upload-pack") || strings.Contains(r.URL.RawQuery, "watch=") || after == nil {
			next.ServeHTTP(rw, r)
			return
		}
		answer := httptest.NewRecorder()
		// The one who asked may be gone; it was asked all the same.
		next.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
		after(r)
		for k, v := range answer.Header() {
			rw.Header()[k] = v
		}
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes())
	})
}

// apiServer is a way to the API server that requests can be counted and held
// on. It carries the administrator's rights.
func (w *world) apiServer() string {
	target, err := url.Parse(w.cp.Config.Host)
	must(w.t, err)
	transport, err := rest.TransportFor(w.cp.Config)
	must(w.t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:    transport,
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) },
	}
	s := httptest.NewServer(w.around(proxy))
	w.t.Cleanup(s.Close)
	return s.URL
}

func (w *world) gate(app string) string {
	return fmt.Sprintf(`apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: chat}
spec:
  namespace: %s
  clusters:
    - {name: eu, values: [eu.yaml]}
    - {name: us, values: [us.yaml]}
  preSync:
    interval: 1s
    deadline: 5m
    checks:
      - name: snapshot
        backup: {maxAge: 1h, snapshots: {claims: [data], take: {class: fast}}}
      - name: door
        http: {url: "%s/pre-${revision}"}
  postSync:
    interval: 1s
    deadline: 5m
    checks:
      - name: door
        http: {url: "%s/post-${revision}"}
      - name: app
        resource:
          apiVersion: v1
          kind: ConfigMap
          name: app
          pass: object.data.ok == "true"
          fail: object.data.ok == "false"
`, w.namespace, app, app)
}

func (w *world) configuration(github, app string) string {
	kubeconfig := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: eu,
  clusters: [{name: eu, cluster: {server: %q}}], users: [{name: eu, user: {}}], contexts: [{name: eu, context: {cluster: eu, user: eu}}]}`, w.apiServer())
	must(w.t, os.WriteFile(w.stage.Path("kubeconfig"), []byte(kubeconfig), 0o600))
	host, err := url.Parse(app)
	must(w.t, err)
	return fmt.Sprintf(`listen: %s
insecure: true
database: {path: data/gate.db}
cacheDir: cache
repositories:
  - name: fleet
    url: %s
    tokenFile: github-token
    forge: {github: {apiURL: %s/api/v3/}}
clusters:
  - name: eu
    kubeconfig: {path: kubeconfig}
    hookSubjects: [%s/syncgate-hook]
checks: {httpAllowHosts: [%q]}
`, w.address, w.repoURL, github, w.namespace, host.Host)
}

// start starts the server and waits until it is ready.
func (w *world) start() error {
	p, err := w.stage.Start(context.WithoutCancel(w.t.Context()), harness.Command{
		Name: "server", Path: w.server, Args: []string{"--config", w.config},
		Ready: func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address+"/readyz", nil)
			if err != nil {
				return err
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				return errors.New(res.Status)
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	w.proc = p
	return nil
}

// strike kills the server with SIGKILL, and starts it again beside the caller.
func (w *world) strike() {
	w.procMu.Lock()
	if err := w.proc.Kill(); err != nil {
		w.t.Errorf("kill: %v", err)
	}
	w.strikes++
	go func() {
		defer w.procMu.Unlock()
		if err := w.start(); err != nil {
			w.t.Errorf("start again: %v", err)
		}
	}()
}

// struck is how often the server was killed. It waits until it runs again.
func (w *world) struck() int {
	w.procMu.Lock()
	defer w.procMu.Unlock()
	return w.strikes
}

// query asks the server's database, beside the server.
func (w *world) query(text string, args ...any) (n int, err error) {
	db, err := sql.Open("sqlite", "file:"+w.database+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(w.t.Context(), text, args...).Scan(&n)
	return n, err
}

// await waits until the query counts something.
func (w *world) await(text string, args ...any) {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	err := harness.Eventually(ctx, func(context.Context) error {
		n, err := w.query(text, args...)
		if err == nil && n == 0 {
			err = errors.New("nothing yet")
		}
		return err
	})
	if err != nil {
		w.t.Errorf("%s: %v", text, err)
	}
}

// hook runs the hook client as a Job would, and returns its exit code and what
// it printed.
func (w *world) hook(phase, revision, attempt string) (int, string) {
	w.t.Helper()
	var out strings.Builder
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	code, err := w.stage.Run(ctx, harness.Command{
		Name: "hook-" + phase, Path: w.syncgate, Stdout: &out, Stderr: &out,
		Args: []string{"hook", phase, "--server", "http://" + w.address, "--repository", w.repoURL, "--gate", "chat",
			"--cluster", "eu", "--revision", revision, "--token-file", w.token, "--attempt", attempt},
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
	return string(b[max(0, len(b)-20_000):])
}

// commit puts a values change on main.
func (w *world) commit(tag string) string {
	w.t.Helper()
	gate, err := os.ReadFile(w.stage.Path("gate.yaml"))
	must(w.t, err)
	values := fmt.Sprintf("image:\n  tag: %q\n", tag)
	sha, err := harness.CommitTo(w.t.Context(), w.repo, harness.Commit{Branch: "main", Message: "Use " + tag, Files: map[string]string{
		"syncgate.yaml": string(gate), "eu.yaml": values, "us.yaml": values,
	}})
	must(w.t, err)
	return sha
}

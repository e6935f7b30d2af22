// Package world is everything around a sync, for the end-to-end tests: two
// clusters with controllers and kubelets, the whole of Argo CD of one major in
// the first, GitHub with its repositories, a folder and a bucket of backups, the
// Mattermost Operator, the gate server and the plugin. All runs as processes and
// goroutines of this machine and is gone with Stop.
//
// What tests need is told apart by Site: a repository of its own, a namespace
// of its own on both clusters, its own Applications. Sites of one world do not
// meet, so their tests can run side by side:
//
//	w := world.ForTest(t, world.Options{Major: 3, Sites: []string{"waits", "fails"}})
//	site := w.Site("waits")
//	site.Install(ctx)                       // the first version has passed
//	sha, err := site.Upgrade(ctx, "11.7.5") // a commit on main
//	err = site.App("eu").Sync(ctx)          // as `argocd app sync` does
package world

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/test/githubd"
	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
	"github.com/syncgate/syncgate/test/tools"
)

// Names that all worlds share.
const (
	// HookImage is the image of hook Jobs; the kubelets run its programs.
	HookImage = "registry.example.com/syncgate:v1"
	// ShellImage is one whose pods run with the programs of this machine.
	ShellImage = "registry.example.com/shell:1"
	// Owner is who has the repositories on GitHub.
	Owner = "acme"
	// Person is somebody who may merge, and her password.
	Person, password = "ada", "correct-horse"
)

// Options say what a World has.
type Options struct {
	// Major is Argo CD's.
	Major int
	// Sites are the names of the sites, as DNS labels.
	Sites []string
	// Configure changes the gate server's configuration before it starts; may
	// be nil.
	Configure func(*config.Config)
}

// World is all that runs.
type World struct {
	Major int
	// EU is Argo CD's home; US was added to it by a cluster Secret.
	EU, US *Cluster
	Argo   *harness.ArgoCD
	Server *Server
	// Away is how hook Jobs of PluginAway reach it.
	Away *harness.Relay
	// GitHub plays github.com; it can be told to fail.
	GitHub *githubd.Server
	// GitHubURL is where it is served.
	GitHubURL string

	root     string
	programs string
	stage    *harness.Stage
	sites    map[string]*Site
	token    string // Syncgate's on GitHub

	s3        *harness.MinIO
	pathToken string // of EU's API server
	app       string // where Mattermost's own API is played
	hooks     hookConfig
	stops     []func() error
}

// ForTest starts a world that ends with the test. It skips the test with
// -short.
func ForTest(t testing.TB, opts Options) *World {
	t.Helper()
	harness.Real(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	begin := time.Now()
	w, err := Start(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the gate server's log:\n%s", w.Server.Tail())
		}
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("Argo CD %d and two clusters: up after %.0f s, logs in %s", opts.Major, time.Since(begin).Seconds(), w.stage.Dir)
	return w
}

// Start starts a world. Its own context bounds the start only.
func Start(ctx context.Context, opts Options) (*World, error) {
	root, err := tools.Root()
	if err != nil {
		return nil, err
	}
	stage, err := harness.NewStage("")
	if err != nil {
		return nil, err
	}
	w := &World{Major: opts.Major, root: root, stage: stage, programs: stage.Path("programs"), sites: map[string]*Site{}, token: rand.Text()}
	for _, part := range []struct {
		name  string
		start func(context.Context, Options) error
	}{
		{"build the programs", w.build},
		{"serve GitHub", w.serveGitHub},
		{"start the clusters", w.startClusters},
		{"make the sites", w.makeSites},
		{"start the gate server", w.startServer},
		{"install the webhook", w.installWebhook},
		{"start Argo CD", w.startArgo},
	} {
		if err := part.start(ctx, opts); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", part.name, err), w.Stop())
		}
	}
	return w, nil
}

// Stop stops everything, the newest first. It may be called again.
func (w *World) Stop() error {
	var errs []error
	for _, stop := range slices.Backward(w.stops) {
		errs = append(errs, stop())
	}
	w.stops = nil
	return errors.Join(append(errs, w.stage.Stop())...)
}

// Site is one of the sites by its name.
func (w *World) Site(name string) *Site { return w.sites[name] }

func (w *World) build(ctx context.Context, _ Options) error {
	return product.Build(ctx, w.programs)
}

// serve serves a handler until the world stops.
func (w *World) serve(ctx context.Context, handler http.Handler) (url string, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	w.stops = append(w.stops, server.Close)
	return "http://" + l.Addr().String(), nil
}

func (w *World) serveGitHub(ctx context.Context, _ Options) (err error) {
	w.GitHub = githubd.New(githubd.Options{Root: w.stage.Path("github"), Tokens: map[string]string{w.token: "syncgate", password: Person}})
	if w.GitHubURL, err = w.serve(ctx, w.GitHub); err != nil {
		return err
	}
	w.app, err = w.serve(ctx, http.HandlerFunc(w.mattermost))
	return err
}

// mattermost answers for Mattermost's own API, at /<site>/<cluster>/api.
func (w *World) mattermost(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write([]byte(`{"status": "OK", "database_status": "OK", "filestore_status": "OK"}`))
}

// startClusters starts both side by side, the bucket beside them, after their
// programs are there: they would both tell of building them.
func (w *World) startClusters(ctx context.Context, opts Options) error {
	for _, tool := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "minio", fmt.Sprintf("argocd%d", opts.Major)} {
		if _, err := harness.Tool(ctx, tool, os.Stderr); err != nil {
			return err
		}
	}
	w.EU, w.US = &Cluster{Name: "eu"}, &Cluster{Name: "us"}
	var group errgroup.Group
	for _, c := range w.Clusters() {
		group.Go(func() error { return w.startCluster(ctx, c, opts) })
	}
	group.Go(func() error { return w.startBucket(ctx) })
	err := group.Wait()
	for _, c := range w.Clusters() {
		w.stops = append(w.stops, c.stop)
	}
	if w.s3 != nil {
		w.stops = append(w.stops, w.s3.Stop)
	}
	return err
}

// Clusters are both.
func (w *World) Clusters() []*Cluster { return []*Cluster{w.EU, w.US} }

// Cluster is one of them by its name in the Gates.
func (w *World) Cluster(name string) *Cluster {
	if name == w.US.Name {
		return w.US
	}
	return w.EU
}

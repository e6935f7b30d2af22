package argocd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/reposerver/apiclient"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/syncgate/syncgate/test/harness"
)

// repository is what the Applications of these tests are made of: the example
// for Mattermost, whose values drift on the branch "drift".
type repository struct {
	url, good, drift string
}

func serveRepository(t *testing.T) repository {
	t.Helper()
	files, err := harness.ReadFolder(filepath.Join("..", "..", "examples", "mattermost-operator"))
	if err != nil {
		t.Fatal(err)
	}
	tree := map[string]string{"other/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n"}
	for name, text := range files {
		tree["mattermost/"+name] = text
	}
	root := t.TempDir()
	dir := filepath.Join(root, "gitops.git")
	if err := harness.InitBare(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	server, err := harness.StartGit(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, server.Stop()) })
	r := repository{url: server.URL + "/gitops.git"}
	if r.good, err = harness.CommitTo(t.Context(), dir, harness.Commit{Branch: "main", Message: "Install", Files: tree}); err != nil {
		t.Fatal(err)
	}
	file := "mattermost/clusters/eu/values.yaml"
	changed := strings.Replace(tree[file], "replicas: 3", "replicas: 5", 1)
	if changed == tree[file] {
		t.Fatalf("no replicas in %s", file)
	}
	if r.drift, err = harness.CommitTo(t.Context(), dir, harness.Commit{Branch: "drift", From: r.good, Message: "Drift", Files: map[string]string{file: changed}}); err != nil {
		t.Fatal(err)
	}
	return r
}

// build builds the programs of a test, as make build does.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "github.com/syncgate/syncgate/cmd/syncgate", "github.com/syncgate/syncgate/cmd/syncgate-cmp-server")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

func hookEnvironment() []string {
	return append(os.Environ(), "SYNCGATE_HOOK_IMAGE=registry.example.com/syncgate:v1", "SYNCGATE_SERVER_URL=https://syncgate.example.com")
}

// startNative starts `syncgate cmp serve` on the repo-server's plugins folder.
func startNative(t *testing.T, programs, plugins string) {
	t.Helper()
	socket := filepath.Join(plugins, "syncgate.sock")
	stage, err := harness.NewStage("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, stage.Stop()) })
	_, err = stage.Start(t.Context(), harness.Command{
		Name: "plugin", Path: filepath.Join(programs, "syncgate"), Args: []string{"cmp", "serve", "--plugins-dir", plugins, "--log-level", "debug"},
		Env:   hookEnvironment(),
		Ready: func(context.Context) error { _, err := os.Stat(socket); return err },
	})
	if err != nil {
		t.Fatal(err)
	}
}

// startStock starts Argo CD's own plugin server with our plugin.yaml.
func startStock(t *testing.T, programs, plugins, tool string) {
	t.Helper()
	stage, err := harness.NewStage("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, stage.Stop()) })
	config, err := os.ReadFile(filepath.Join("..", "..", "plugin", "plugin.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{stage.Path("config"), stage.Path("work")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(stage.Path("config", "plugin.yaml"), config, 0o644); err != nil {
		t.Fatal(err)
	}
	path, err := harness.Tool(t.Context(), tool, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(plugins, "syncgate.sock")
	_, err = stage.Start(t.Context(), harness.Command{
		Name: "cmp-server", Path: path, Args: []string{"--config-dir-path", stage.Path("config")},
		Env: append(hookEnvironment(), "ARGOCD_BINARY_NAME=argocd-cmp-server", "ARGOCD_PLUGINSOCKFILEPATH="+plugins,
			"ARGOCD_CMP_WORKDIR="+stage.Path("work"), "PATH="+programs+":"+os.Getenv("PATH")),
		Ready: func(context.Context) error { _, err := os.Stat(socket); return err },
		Grace: time.Second, // it does not end at the first SIGTERM once it has served
	})
	if err != nil {
		t.Fatal(err)
	}
}

// generate asks a repo-server for an Application's objects.
func generate(t *testing.T, c apiclient.RepoServerServiceClient, repo repository, revision, cluster string) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	plugin := &v1alpha1.ApplicationSourcePlugin{Name: "syncgate"}
	if cluster != "" {
		plugin.Parameters = v1alpha1.ApplicationSourcePluginParameters{{Name: "cluster", String_: &cluster}}
	}
	source := v1alpha1.ApplicationSource{RepoURL: repo.url, Path: "mattermost", TargetRevision: revision, Plugin: plugin}
	out, err := c.GenerateManifest(ctx, &apiclient.ManifestRequest{
		Repo: &v1alpha1.Repository{Repo: repo.url}, Revision: revision, NoCache: true,
		AppName: "mattermost-" + cluster, Namespace: "mattermost", ApplicationSource: &source, KubeVersion: "1.34.4",
		ProjectName: "default", ProjectSourceRepos: []string{"*"},
	})
	return out.GetManifests(), err
}

func client(t *testing.T, address string) apiclient.RepoServerServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, conn.Close()) })
	return apiclient.NewRepoServerServiceClient(conn)
}

// TestPluginInRealRepoServer has unmodified repo-servers of both majors render
// through the native plugin server, and through the stock one with plugin.yaml:
// the objects must be the same, and a drift must be refused by both.
func TestPluginInRealRepoServer(t *testing.T) {
	harness.Real(t)
	programs := build(t)
	repo := serveRepository(t)
	for _, major := range []int{2, 3} {
		t.Run(fmt.Sprintf("Argo CD %d", major), func(t *testing.T) {
			outputs := map[string][]string{}
			for _, mode := range []string{"native", "stock"} {
				t.Run(mode, func(t *testing.T) {
					server, err := harness.StartRepoServer(t.Context(), major, harness.Options{})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { noError(t, server.Stop()) })
					if mode == "native" {
						startNative(t, programs, server.Plugins)
					} else {
						startStock(t, programs, server.Plugins, fmt.Sprintf("argocd%d", major))
					}
					c := client(t, server.Address)
					for _, cluster := range []string{"eu", "us"} {
						got, err := generate(t, c, repo, repo.good, cluster)
						if err != nil {
							t.Fatalf("%s: %v\n%s", cluster, err, server.Process.Tail())
						}
						holdsHooks(t, got)
						outputs[mode] = append(outputs[mode], got...)
					}
					_, err = generate(t, c, repo, repo.drift, "eu")
					refuses(t, err, "syncgate: 1 finding in gate mattermost: mattermostCR.spec.replicas differs: us=3 eu=5")
					_, err = generate(t, c, repo, repo.good, "")
					refuses(t, err, "eu, us")
					if _, err := generate(t, c, repo, repo.good, "eu"); err != nil {
						t.Errorf("after refusals: %v", err)
					}
				})
			}
			if d := cmp.Diff(outputs["stock"], outputs["native"]); d != "" {
				t.Errorf("the native server and the stock one differ (-stock +native):\n%s", d)
			}
		})
	}
}

// holdsHooks expects the application's object and one Job a phase.
func holdsHooks(t *testing.T, manifests []string) {
	t.Helper()
	var kinds []string
	for _, m := range manifests {
		var o unstructured.Unstructured
		if err := o.UnmarshalJSON([]byte(m)); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, o.GetKind()+" "+o.GetAnnotations()["argocd.argoproj.io/hook"])
	}
	for _, want := range []string{"Mattermost ", "Job PreSync", "Job PostSync", "Job SyncFail"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("expected a %q among %q", want, kinds)
		}
	}
}

func refuses(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("expected a refusal with %q, found %v", want, err)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}

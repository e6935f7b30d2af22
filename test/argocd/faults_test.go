package argocd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cmpclient "github.com/argoproj/argo-cd/v2/cmpserver/apiclient"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/reposerver/apiclient"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

// TestFaultsInRealRepoServer lets things go wrong around the native server, and
// expects each to be told for what it is, and the next request to be answered.
func TestFaultsInRealRepoServer(t *testing.T) {
	harness.Real(t)
	programs := product.Programs(t)
	repo := serveRepository(t)
	for _, major := range []int{2, 3} {
		t.Run(fmt.Sprintf("Argo CD %d", major), func(t *testing.T) {
			server, err := harness.StartRepoServer(t.Context(), major, harness.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { noError(t, server.Stop()) })
			w := world{repo: repo, programs: programs, plugins: server.Plugins, client: client(t, server.Address)}
			w.plugin = startNative(t, programs, server.Plugins)
			t.Run("repository gone", w.repositoryGone)
			t.Run("refused in the middle of the archive", w.refusedEarly)
			t.Run("caller gone", w.callerGone)
			t.Run("second server", w.secondServer)
			t.Run("killed in the middle of a stream", w.killed)
		})
	}
}

type world struct {
	repo              repository
	programs, plugins string
	client            apiclient.RepoServerServiceClient
	plugin            *harness.Process
}

// works expects the next request to be answered.
func (w *world) works(t *testing.T) {
	t.Helper()
	a := application{path: "hooks", parameters: map[string]string{"cluster": "eu"}, want: []string{"ConfigMap app"}}
	got, err := a.ask(t, w.client, w.repo)
	a.check(t, got, err)
}

func (w *world) repositoryGone(t *testing.T) {
	gone := w.repo
	gone.url = strings.Replace(gone.url, "gitops.git", "gone.git", 1)
	a := application{path: "hooks", parameters: map[string]string{"cluster": "eu"}, err: "gone.git"}
	got, err := a.ask(t, w.client, gone)
	a.check(t, got, err)
	w.works(t)
}

// refusedEarly sends a path that is over a limit as the first of many files. A
// repo-server that could not send the rest would show "EOF" and not the limit.
func (w *world) refusedEarly(t *testing.T) {
	long := strings.Repeat("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/", 17) + "x"
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte((i * i) >> 7)
	}
	dir := filepath.Join(w.repo.server.Root, "gitops.git")
	revision, err := harness.CommitTo(t.Context(), dir, harness.Commit{
		Branch: "long-" + t.Name()[len("TestFaultsInRealRepoServer/Argo_CD_"):][:1], From: w.repo.good, Message: "Long",
		Files: map[string]string{"aaa/" + long: "x", "zzz/noise": string(noise)},
	})
	if err != nil {
		t.Fatal(err)
	}
	changed := w.repo
	changed.good = revision
	a := application{path: "hooks", parameters: map[string]string{"cluster": "eu", "gate": "hooks"}, err: "limit hit: pathLength=1024"}
	got, err := a.ask(t, w.client, changed)
	a.check(t, got, err)
	w.works(t)
}

func (w *world) callerGone(t *testing.T) {
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		source := v1alpha1.ApplicationSource{RepoURL: w.repo.url, Path: "hooks", TargetRevision: w.repo.good, Plugin: &v1alpha1.ApplicationSourcePlugin{Name: "syncgate"}}
		_, _ = w.client.GenerateManifest(ctx, &apiclient.ManifestRequest{
			Repo: &v1alpha1.Repository{Repo: w.repo.url}, Revision: w.repo.good, NoCache: true, AppName: "app", ApplicationSource: &source,
			ProjectName: "default", ProjectSourceRepos: []string{"*"},
		})
		cancel()
	}
	w.works(t)
}

// secondServer expects a second server to leave the socket to the first.
func (w *world) secondServer(t *testing.T) {
	stage, err := harness.NewStage("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, stage.Stop()) })
	code, err := stage.Run(t.Context(), harness.Command{
		Name: "second", Path: filepath.Join(w.programs, "syncgate"), Args: []string{"cmp", "serve", "--plugins-dir", w.plugins}, Env: hookEnvironment(),
	})
	if err != nil || code != 2 {
		t.Errorf("the second server: exit code %d, %v; want 2", code, err)
	}
	w.works(t)
}

// killed ends the server while a repository is being sent, and starts another.
func (w *world) killed(t *testing.T) {
	socket := filepath.Join(w.plugins, "syncgate.sock")
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	stream, err := cmpclient.NewConfigManagementPluginServiceClient(conn).GenerateManifest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	meta := &cmpclient.AppStreamRequest{Request: &cmpclient.AppStreamRequest_Metadata{Metadata: &cmpclient.ManifestRequestMetadata{AppName: "app"}}}
	piece := &cmpclient.AppStreamRequest{Request: &cmpclient.AppStreamRequest_File{File: &cmpclient.File{Chunk: []byte{0x1f, 0x8b}}}}
	for _, m := range []*cmpclient.AppStreamRequest{meta, piece} {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.plugin.Kill(); err != nil {
		t.Fatal(err)
	}
	<-w.plugin.Done()
	if _, err := stream.CloseAndRecv(); err == nil {
		t.Error("an answer of a server that was killed")
	}
	if _, err := os.Stat(socket); err != nil {
		t.Fatalf("expected the socket that it left behind: %v", err)
	}
	a := application{path: "hooks", parameters: map[string]string{"cluster": "eu"}}
	if _, err := a.ask(t, w.client, w.repo); err == nil {
		t.Error("an answer while no plugin runs")
	}
	w.plugin = startNative(t, w.programs, w.plugins)
	w.works(t)
}

// TestParametersInRealRepoServer asks repo-servers for what the UI offers.
func TestParametersInRealRepoServer(t *testing.T) {
	harness.Real(t)
	programs := product.Programs(t)
	repo := serveRepository(t)
	for _, mode := range []string{"stock", "native"} {
		t.Run(mode, func(t *testing.T) {
			server, err := harness.StartRepoServer(t.Context(), 3, harness.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { noError(t, server.Stop()) })
			if mode == "native" {
				startNative(t, programs, server.Plugins)
			} else {
				startStock(t, programs, server.Plugins, "argocd3")
			}
			eu := "eu"
			source := v1alpha1.ApplicationSource{RepoURL: repo.url, Path: "hooks", TargetRevision: repo.good, Plugin: &v1alpha1.ApplicationSourcePlugin{
				Name: "syncgate", Parameters: v1alpha1.ApplicationSourcePluginParameters{{Name: "cluster", String_: &eu}},
			}}
			out, err := client(t, server.Address).GetAppDetails(t.Context(), &apiclient.RepoServerAppDetailsQuery{
				Repo: &v1alpha1.Repository{Repo: repo.url}, Source: &source, AppName: "app", NoCache: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range out.GetPlugin().GetParametersAnnouncement() {
				got = append(got, fmt.Sprintf("%s %s %s=%s", p.GetName(), p.GetItemType(), p.GetCollectionType(), p.GetString_()))
			}
			want := []string{"cluster string string=eu", "gate string string=", "values.size number string=2"}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("announced (-want +got):\n%s", d)
			}
		})
	}
}

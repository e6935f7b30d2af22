package cmpserver

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/cmpserver/apiclient"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/plugin"
	"github.com/syncgate/syncgate/plugin/archive"
	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/plugin/render"
)

const sha = "0123456789abcdef0123456789abcdef01234567"

func hooks() inject.Config {
	return inject.Config{Image: "registry.example.com/syncgate:v1", Server: "https://syncgate.example.com"}
}

// serve starts the service on a socket and gives a client of it.
func serve(t *testing.T, limits archive.Limits) apiclient.ConfigManagementPluginServiceClient {
	t.Helper()
	s, err := New(Options{Hooks: hooks(), Limits: limits, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), SocketName("syncgate", "v1"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, socket, s) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return apiclient.NewConfigManagementPluginServiceClient(conn)
}

// shop is the plugin's example repository, as files and as an archive.
func shop(t *testing.T, name string) (fs.FS, []byte) {
	t.Helper()
	parsed, err := txtar.ParseFile(filepath.Join("..", "testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	return packed(t, parsed)
}

// packed is a repository as files and as an archive.
func packed(t *testing.T, parsed *txtar.Archive) (fs.FS, []byte) {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, f := range parsed.Files {
		if err := w.WriteHeader(&tar.Header{Name: f.Name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f.Data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	tree, err := txtar.FS(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return tree, out.Bytes()
}

// sender is the client's side of the streaming calls.
type sender interface {
	Send(*apiclient.AppStreamRequest) error
}

func send(s sender, data []byte, checksum string, env map[string]string) error {
	meta := &apiclient.ManifestRequestMetadata{AppName: "shop", AppRelPath: "apps/shop", Checksum: checksum, Size_: int64(len(data))}
	for k, v := range env {
		meta.Env = append(meta.Env, &apiclient.EnvEntry{Name: k, Value: v})
	}
	err := s.Send(&apiclient.AppStreamRequest{Request: &apiclient.AppStreamRequest_Metadata{Metadata: meta}})
	for len(data) > 0 && err == nil {
		n := min(len(data), 700)
		err = s.Send(&apiclient.AppStreamRequest{Request: &apiclient.AppStreamRequest_File{File: &apiclient.File{Chunk: data[:n]}}})
		data = data[n:]
	}
	if errors.Is(err, io.EOF) {
		return nil // the answer says why the stream ended
	}
	return err
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func environment(cluster string) map[string]string {
	return map[string]string{
		"ARGOCD_APP_NAME": "shop", "ARGOCD_APP_NAMESPACE": "default", "ARGOCD_APP_REVISION": sha,
		"ARGOCD_APP_SOURCE_REPO_URL": "https://git.example.com/r.git", "ARGOCD_APP_SOURCE_PATH": "apps/shop", "ARGOCD_APP_SOURCE_TARGET_REVISION": "main",
		"ARGOCD_APP_PARAMETERS": `[{"name":"cluster","string":"` + cluster + `"}]`,
	}
}

func generate(ctx context.Context, c apiclient.ConfigManagementPluginServiceClient, data []byte, checksum, cluster string) ([]string, error) {
	stream, err := c.GenerateManifest(ctx)
	if err != nil {
		return nil, err
	}
	if err := send(stream, data, checksum, environment(cluster)); err != nil {
		return nil, err
	}
	out, err := stream.CloseAndRecv()
	return out.GetManifests(), err
}

// TestGenerateEqualsTheCommand compares what is served with what the command
// for the stock server prints, object by object as the stock server reads it.
func TestGenerateEqualsTheCommand(t *testing.T) {
	tree, data := shop(t, "shop")
	c := serve(t, archive.Limits{})
	for _, cluster := range []string{"eu", "us"} {
		config := hooks()
		var text bytes.Buffer
		err := plugin.Generate(t.Context(), tree, plugin.Request{
			Dir: "apps/shop", Cluster: cluster, App: "shop", Namespace: "default",
			Repository: "https://git.example.com/r.git", Revision: sha, TargetRevision: "main", Hooks: &config,
		}, &text)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for doc := range strings.SplitSeq(text.String(), "---\n") {
			if strings.TrimSpace(doc) == "" {
				continue
			}
			asJSON, err := yaml.YAMLToJSON([]byte(doc))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, string(asJSON))
		}
		got, err := generate(t.Context(), c, data, sum(data), cluster)
		if err != nil {
			t.Fatal(err)
		}
		if len(want) < 4 {
			t.Fatalf("want an object and three hook Jobs, got %d", len(want))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	_, good := shop(t, "shop")
	_, drift := shop(t, "drift")
	tests := []struct {
		name, checksum, cluster, want string
		data                          []byte
		limits                        archive.Limits
	}{
		{name: "drift", data: drift, checksum: sum(drift), cluster: "eu", want: "syncgate: 1 finding in gate shop: replicas differs"},
		{name: "no such cluster", data: good, checksum: sum(good), cluster: "asia", want: "eu, us"},
		{name: "damaged", data: good, checksum: sum(drift), cluster: "eu", want: "damaged on its way"},
		{name: "cut", data: good[:len(good)/2], checksum: sum(good), cluster: "eu", want: "unexpected EOF"},
		{name: "no archive", data: []byte("hello"), checksum: "", cluster: "eu", want: "gzipped tar"},
		{name: "too many files", data: good, checksum: sum(good), cluster: "eu", limits: archive.Limits{Entries: 2}, want: "entries=2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := serve(t, tt.limits)
			got, err := generate(t.Context(), c, tt.data, tt.checksum, tt.cluster)
			if err == nil || !strings.Contains(status.Convert(err).Message(), tt.want) {
				t.Fatalf("want an error with %q, got %v, %v", tt.want, got, err)
			}
			if !strings.Contains(err.Error(), "hard refresh") {
				t.Errorf("want what to do in %v", err)
			}
			if _, err := generate(t.Context(), c, good, sum(good), "eu"); tt.limits.Entries == 0 && err != nil {
				t.Errorf("the next request: %v", err)
			}
		})
	}
}

func TestAnswersManyAtOnce(t *testing.T) {
	_, data := shop(t, "shop")
	c := serve(t, archive.Limits{})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if got, err := generate(t.Context(), c, data, sum(data), "eu"); err != nil || len(got) != 4 {
				t.Errorf("want four objects, got %d, %v", len(got), err)
			}
		})
	}
	wg.Wait()
}

func TestCancelledStreamLeavesNothing(t *testing.T) {
	_, data := shop(t, "shop")
	c := serve(t, archive.Limits{})
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := c.GenerateManifest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := send(stream, data[:len(data)/2], sum(data), environment("eu")); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := generate(ctx, c, data, sum(data), "eu"); err != nil {
		t.Fatal(err)
	}
}

func TestDiscoverAndParameters(t *testing.T) {
	_, data := shop(t, "shop")
	c := serve(t, archive.Limits{})
	check, err := c.CheckPluginConfiguration(t.Context(), &emptypb.Empty{})
	if err != nil || !check.GetIsDiscoveryConfigured() {
		t.Fatalf("want discovery, got %v, %v", check, err)
	}
	match, err := c.MatchRepository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := send(match, data, sum(data), environment("")); err != nil {
		t.Fatal(err)
	}
	if found, err := match.CloseAndRecv(); err != nil || !found.GetIsSupported() {
		t.Errorf("want support, got %v, %v", found, err)
	}
	params, err := c.GetParametersAnnouncement(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := send(params, data, sum(data), environment("")); err != nil {
		t.Fatal(err)
	}
	list, err := params.CloseAndRecv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range list.GetParameterAnnouncements() {
		names = append(names, p.GetName())
	}
	if d := cmp.Diff([]string{"cluster", "gate"}, names); d != "" {
		t.Error(d)
	}
}

func TestWithoutDiscovery(t *testing.T) {
	_, data := shop(t, "shop")
	s := serveWith(t, Options{NoDiscovery: true})
	check, err := s.client.CheckPluginConfiguration(t.Context(), &emptypb.Empty{})
	if err != nil || check.GetIsDiscoveryConfigured() {
		t.Fatalf("want no discovery, got %v, %v", check, err)
	}
	match, err := s.client.MatchRepository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := send(match, data, sum(data), environment("")); err != nil {
		t.Fatal(err)
	}
	if found, err := match.CloseAndRecv(); err != nil || found.GetIsSupported() || found.GetIsDiscoveryEnabled() {
		t.Errorf("want no claim, got %v, %v", found, err)
	}
	s.works(t)
}

func TestNewRefusesToServeWithoutHooks(t *testing.T) {
	if _, err := New(Options{Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "SYNCGATE_HOOK_IMAGE") {
		t.Errorf("want the variable's name, got %v", err)
	}
}

func TestListen(t *testing.T) {
	for _, tt := range []struct {
		name  string
		there func(t *testing.T, socket string)
		err   string
	}{
		{"nothing", func(*testing.T, string) {}, ""},
		{"a server that answers", func(t *testing.T, socket string) {
			first, err := listen(t.Context(), socket)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = first.Close() })
		}, "another server answers there; stop it"},
		{"the socket of a server that was killed", func(t *testing.T, socket string) {
			first, err := listen(t.Context(), socket)
			if err != nil {
				t.Fatal(err)
			}
			first.(*net.UnixListener).SetUnlinkOnClose(false)
			_ = first.Close()
		}, ""},
		{"a file", func(t *testing.T, socket string) {
			if err := os.WriteFile(socket, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "expected no file or a socket"},
		{"a link to a file", func(t *testing.T, socket string) {
			if err := os.Symlink("/etc/hostname", socket); err != nil {
				t.Fatal(err)
			}
		}, "expected no file or a socket"},
		{"a folder", func(t *testing.T, socket string) {
			if err := os.Mkdir(socket, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "expected no file or a socket"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s.sock")
			tt.there(t, socket)
			before, _ := os.Lstat(socket)
			l, err := listen(t.Context(), socket)
			if tt.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				_ = l.Close()
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			if after, err := os.Lstat(socket); err != nil || after.Mode() != before.Mode() {
				t.Errorf("what was there is not any more: %v, %v", after, err)
			}
		})
	}
}

// TestRefusedArchiveAndDiscovery holds that an Application which is plainly
// meant for this plugin is claimed with an archive that cannot be taken, so that
// the reason is told, and any other is not.
func TestRefusedArchiveAndDiscovery(t *testing.T) {
	s := serveWith(t, Options{Limits: archive.Limits{Entries: 2}})
	_, data := shop(t, "shop")
	for cluster, want := range map[string]bool{"eu": true, "": false} {
		match, err := s.client.MatchRepository(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := send(match, data, sum(data), environment(cluster)); err != nil {
			t.Fatal(err)
		}
		found, err := match.CloseAndRecv()
		if found.GetIsSupported() != want || (err == nil) != want {
			t.Errorf("cluster %q: got %v, %v; want a claim: %t", cluster, found, err, want)
		}
	}
}

func TestAnswerIsBounded(t *testing.T) {
	large := strings.Repeat("x", maxAnswer/2)
	if err := fits([]string{large, large}); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if err := fits([]string{large, large, "x"}); err == nil || !strings.Contains(err.Error(), "limit answerBytes=") {
		t.Errorf("over the limit: got %v", err)
	}
}

func TestConverterIsBounded(t *testing.T) {
	c := newConverter(100 << 10)
	for i := range 40 {
		doc := render.Object{Data: []byte("a: " + strings.Repeat(string(rune('a'+i%26)), 8<<10+i))}
		first, err := c.convert(doc)
		if err != nil {
			t.Fatal(err)
		}
		doc.Sum = sha256.Sum256(doc.Data)
		again, err := c.convert(doc)
		if err != nil || again != first {
			t.Fatalf("want the same again, got %v", err)
		}
		if n := c.known.Bytes(); n > 100<<10 {
			t.Fatalf("keeps %d bytes", n)
		}
	}
}

package cmpserver

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/cmpserver/apiclient"
	"golang.org/x/tools/txtar"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/syncgate/syncgate/plugin/archive"
	"github.com/syncgate/syncgate/plugin/render"
)

// served is a running service with what a test looks at.
type served struct {
	client  apiclient.ConfigManagementPluginServiceClient
	service *Service
	socket  string
	stop    func()
}

// serveWith starts a service on a socket. stop ends it, and may be left to the
// end of the test.
func serveWith(t *testing.T, opts Options) served {
	t.Helper()
	opts.Hooks, opts.Log = hooks(), slog.New(slog.DiscardHandler)
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	out := served{service: s, socket: filepath.Join(t.TempDir(), SocketName("syncgate", ""))}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, out.socket, s) }()
	conn, err := grpc.NewClient("unix:"+out.socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	out.client = apiclient.NewConfigManagementPluginServiceClient(conn)
	out.stop = sync.OnceFunc(func() {
		_ = conn.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(out.stop)
	return out
}

// works expects the next request to be answered, and no turn to be lost.
func (s served) works(t *testing.T) {
	t.Helper()
	_, good := shop(t, "shop")
	if got, err := generate(t.Context(), s.client, good, sum(good), "eu"); err != nil || len(got) != 4 {
		t.Errorf("the next request: got %d objects, %v", len(got), err)
	}
	eventually(t, func() string {
		if n := len(s.service.slots); n > 0 {
			return fmt.Sprintf("%d turns are still taken", n)
		}
		return ""
	})
}

// eventually waits until ask has nothing to say.
func eventually(t *testing.T, ask func() string) {
	t.Helper()
	var said string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if said = ask(); said == "" {
			return
		}
	}
	t.Error(said)
}

// sendAll sends an archive as the repo-server does, for which an archive that
// cannot be sent to its end is an error of its own.
func sendAll(ctx context.Context, c apiclient.ConfigManagementPluginServiceClient, r io.Reader, checksum string) error {
	stream, err := c.GenerateManifest(ctx)
	if err != nil {
		return err
	}
	if err := send(stream, nil, checksum, environment("eu")); err != nil {
		return err
	}
	chunk := make([]byte, 1<<20)
	for {
		n, err := r.Read(chunk)
		if n > 0 {
			piece := &apiclient.AppStreamRequest{Request: &apiclient.AppStreamRequest_File{File: &apiclient.File{Chunk: bytes.Clone(chunk[:n])}}}
			if err := stream.Send(piece); err != nil {
				return fmt.Errorf("the archive was not taken to its end: %w", err)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	_, err = stream.CloseAndRecv()
	return err
}

// entry is one entry of an archive; its content is size bytes of noise, or of
// zeros.
type entry struct {
	tar.Header
	zeros bool
}

// errUnfinished ends an archive before its time.
var errUnfinished = errors.New("unfinished")

// written gives what write makes of an archive, as it makes it.
func written(level int, write func(w *tar.Writer) error) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		zip, err := gzip.NewWriterLevel(w, level)
		if err != nil {
			w.CloseWithError(err)
			return
		}
		t := tar.NewWriter(zip)
		err = write(t)
		switch {
		case errors.Is(err, errUnfinished):
			err = nil
		case err == nil:
			err = t.Close()
		}
		w.CloseWithError(errors.Join(err, zip.Close()))
	}()
	return r
}

func entries(list ...entry) io.ReadCloser {
	return written(gzip.BestSpeed, func(w *tar.Writer) error {
		for _, e := range list {
			if err := add(w, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func add(w *tar.Writer, e entry) error {
	if e.Typeflag == 0 {
		e.Typeflag = tar.TypeReg
	}
	e.Mode = 0o644
	if err := w.WriteHeader(&e.Header); err != nil {
		return err
	}
	if e.Typeflag != tar.TypeReg {
		return nil
	}
	var from io.Reader = noise{rand.NewPCG(1, 2)}
	if e.zeros {
		from = zeros{}
	}
	_, err := io.CopyN(w, from, e.Size)
	return err
}

// noise is bytes that cannot be compressed.
type noise struct{ src *rand.PCG }

func (n noise) Read(p []byte) (int, error) {
	for i := 0; i < len(p); i += 8 {
		v := n.src.Uint64()
		for j := i; j < min(i+8, len(p)); j++ {
			p[j] = byte(v)
			v >>= 8
		}
	}
	return len(p), nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestBadArchives sends what no repository may be. Each is taken to its end, so
// that the answer is seen, says what is wrong, and the next request works.
func TestBadArchives(t *testing.T) {
	s := serveWith(t, Options{Limits: archive.Limits{Bytes: 64 << 20, Entries: 5000, Compressed: 32 << 20}})
	s.works(t)
	tests := []struct {
		name, want string
		body       func() io.Reader
	}{
		{"nothing", "gzipped tar", func() io.Reader { return strings.NewReader("") }},
		{"no archive", "gzipped tar", func() io.Reader { return strings.NewReader(strings.Repeat("hello ", 1<<20)) }},
		{"no tar in the gzip", "read archive: archive/tar: invalid tar header", func() io.Reader {
			var out bytes.Buffer
			zip := gzip.NewWriter(&out)
			_, _ = zip.Write(bytes.Repeat([]byte("not a tar "), 1000))
			_ = zip.Close()
			return &out
		}},
		{"damaged in the middle", "read archive: ", func() io.Reader {
			data, _ := io.ReadAll(entries(entry{Header: tar.Header{Name: "a", Size: 4 << 20}}))
			copy(data[len(data)/2:], bytes.Repeat([]byte{0xff}, 4096))
			return bytes.NewReader(data)
		}},
		{"another sum", "damaged on its way", func() io.Reader {
			return entries(entry{Header: tar.Header{Name: "a", Size: 1 << 20}})
		}},
		{"one file of 2 GB, promised", "limit hit: bytes=67108864", func() io.Reader {
			return written(gzip.NoCompression, func(w *tar.Writer) error {
				if err := w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 2 << 30}); err != nil {
					return err
				}
				return errUnfinished
			})
		}},
		{"100,000 entries", "limit hit: entries=5000", func() io.Reader {
			return written(gzip.BestSpeed, func(w *tar.Writer) error {
				for i := range 100_000 {
					if err := add(w, entry{Header: tar.Header{Name: fmt.Sprintf("f%d", i)}}); err != nil {
						return err
					}
				}
				return nil
			})
		}},
		{"zip bomb", "limit hit: ratio=200", func() io.Reader {
			return written(gzip.BestCompression, func(w *tar.Writer) error {
				return add(w, entry{Header: tar.Header{Name: "a", Size: 60 << 20}, zeros: true})
			})
		}},
		{"path that leaves the root", "the path leaves the root", func() io.Reader {
			return entries(entry{Header: tar.Header{Name: "a/../../etc/passwd", Size: 3}})
		}},
		{"link that leaves the root", "leads out of the root", func() io.Reader {
			return entries(entry{Header: tar.Header{Name: "a/b", Typeflag: tar.TypeSymlink, Linkname: "../../etc"}})
		}},
		{"hard link", "expected a file, a folder or a symbolic link", func() io.Reader {
			return entries(entry{Header: tar.Header{Name: "a", Size: 1}}, entry{Header: tar.Header{Name: "b", Typeflag: tar.TypeLink, Linkname: "a"}})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := sendAll(t.Context(), s.client, tt.body(), "")
			if status.Code(err) != codes.FailedPrecondition || !strings.Contains(status.Convert(err).Message(), tt.want) {
				t.Fatalf("want a refusal with %q, got %v", tt.want, err)
			}
			if !strings.Contains(err.Error(), "syncgate: ") || !strings.Contains(err.Error(), "hard refresh") {
				t.Errorf("want a first line and what to do in %v", err)
			}
			s.works(t)
		})
	}
}

// TestLargeArchiveTakesLittle sends 2 GB, of which a few MB are agreed, and
// looks at the heap meanwhile.
func TestLargeArchiveTakesLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 2 GB: left out by -short")
	}
	const agreed = 8 << 20
	s := serveWith(t, Options{Limits: archive.Limits{Bytes: agreed}})
	s.works(t)
	runtime.GC()
	before := heap()
	var most uint64
	seen := 0
	body := written(gzip.NoCompression, func(w *tar.Writer) error {
		for i := range 2048 {
			if i%64 == 0 {
				most, seen = max(most, heap()), seen+1
			}
			if err := add(w, entry{Header: tar.Header{Name: fmt.Sprintf("f%d", i), Size: 1 << 20}, zeros: true}); err != nil {
				return err
			}
		}
		return nil
	})
	err := sendAll(t.Context(), s.client, body, "")
	if err == nil || !strings.Contains(err.Error(), "limit hit: bytes=8388608") {
		t.Fatalf("want the limit, got %v", err)
	}
	// What was agreed, and garbage of the transport on both sides.
	if seen < 32 || most > before+16*agreed {
		t.Errorf("the heap grew from %d to %d MiB in %d looks", before>>20, most>>20, seen)
	}
	s.works(t)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestBrokenStreams sends what no repo-server does.
func TestBrokenStreams(t *testing.T) {
	s := serveWith(t, Options{})
	meta := func(env int) *apiclient.AppStreamRequest {
		m := &apiclient.ManifestRequestMetadata{AppName: "shop", AppRelPath: "apps/shop"}
		for i := range env {
			m.Env = append(m.Env, &apiclient.EnvEntry{Name: fmt.Sprintf("V%d", i)})
		}
		return &apiclient.AppStreamRequest{Request: &apiclient.AppStreamRequest_Metadata{Metadata: m}}
	}
	piece := &apiclient.AppStreamRequest{Request: &apiclient.AppStreamRequest_File{File: &apiclient.File{Chunk: []byte("x")}}}
	tests := []struct {
		name, want string
		send       []*apiclient.AppStreamRequest
	}{
		{"nothing", "receive repository: EOF", nil},
		{"no metadata", "expected its metadata first", []*apiclient.AppStreamRequest{piece, piece}},
		{"metadata alone", "gzipped tar", []*apiclient.AppStreamRequest{meta(0)}},
		{"metadata twice", "found metadata once more", []*apiclient.AppStreamRequest{meta(0), meta(0)}},
		{"too many variables", "limit variables=4096", []*apiclient.AppStreamRequest{meta(maxVariables + 1)}},
		{"an empty message", "expected its metadata first", []*apiclient.AppStreamRequest{{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stream, err := s.client.GenerateManifest(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range tt.send {
				if err := stream.Send(m); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := stream.CloseAndRecv(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want an error with %q, got %v", tt.want, err)
			}
			s.works(t)
		})
	}
}

// TestNothingLeaks cancels requests at every stage and expects the process to
// be as it was before.
func TestNothingLeaks(t *testing.T) {
	_, data := shop(t, "shop")
	s := serveWith(t, Options{})
	s.works(t)
	before := runtime.NumGoroutine()
	for i := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := s.client.GenerateManifest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := send(stream, data[:len(data)*(i%11)/10], sum(data), environment("eu")); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			_ = stream.CloseSend()
		}
		cancel()
	}
	s.works(t)
	eventually(t, func() string {
		if n := runtime.NumGoroutine(); n > before+4 {
			return fmt.Sprintf("%d goroutines before, %d after", before, n)
		}
		return ""
	})
}

// slow is a repository whose chart renders for a long time.
func slow(t *testing.T) []byte {
	t.Helper()
	_, data := packed(t, txtar.Parse([]byte(`
-- apps/shop/syncgate.yaml --
apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: shop}
spec:
  source: {helm: {chart: chart}}
  clusters: [{name: eu}]
-- apps/shop/chart/Chart.yaml --
{apiVersion: v2, name: slow, version: 1.0.0}
-- apps/shop/chart/templates/a.yaml --
{{ range until 200 }}{{ range until 1000 }}{{ range until 1000 }}{{ end }}{{ end }}{{ end }}
`)))
	return data
}

// TestAbandonedRendersAreBounded lets a render run into its deadline. It cannot
// be stopped, so that others have to wait, and their message says for what;
// nothing piles up meanwhile.
func TestAbandonedRendersAreBounded(t *testing.T) {
	data := slow(t)
	s := serveWith(t, Options{Render: render.Limits{AtOnce: 1}, Concurrency: 4})
	ask := func(within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_, err := generate(ctx, s.client, data, sum(data), "eu")
		return err
	}
	// On a busy machine a deadline may come before the render begins.
	const hit = "limit rendersAtOnce=1 was hit all the while"
	within, found := 500*time.Millisecond, false
	for ; !found && within < 2*time.Minute; within *= 2 {
		err := ask(within)
		if err == nil {
			t.Fatal("the render came to its end")
		}
		found = strings.Contains(err.Error(), hit)
	}
	if !found {
		t.Fatalf("no answer says %q", hit)
	}
	before := runtime.NumGoroutine()
	for range 20 {
		if err := ask(200 * time.Millisecond); err == nil {
			t.Error("want no answer while the only place is taken")
		}
	}
	eventually(t, func() string {
		if n := runtime.NumGoroutine(); n > before+4 {
			return fmt.Sprintf("%d goroutines before, %d after: abandoned renders pile up", before, n)
		}
		if n := len(s.service.slots); n > 0 {
			return fmt.Sprintf("%d turns are still taken", n)
		}
		return ""
	})
}

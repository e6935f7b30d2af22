package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/cmpserver/apiclient" //nolint:depguard // a test part
	argocmp "github.com/argoproj/argo-cd/v2/util/cmp"    //nolint:depguard // a test part
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

// The bounds of the native plugin server, over the stock one that runs `helm
// template`, in the same run.
const (
	serveRateBound  = 5.0  // generates a second, at 8 and at 64 at once
	serveAloneBound = 0.25 // the median of one at a time
	serveCPUBound   = 0.1  // processor time of the server and its children
	serveClusters   = 64
)

// BenchmarkServe is `syncgate cmp serve` against the stock plugin server with
// `helm template --include-crds`, neither of them root: same repository of 64
// clusters, same client, which packs the repository as a repo-server does.
// Times include the packing, processor time does not. Servers live long, so both
// have served every cluster once before anything is counted: that is the case of
// a commit that changes one cluster, for which Argo CD asks for all of them. The
// case of values that are new everywhere is measured apart.
func BenchmarkServe(b *testing.B) {
	for _, shape := range serveShapes() {
		b.Run(shape.name, func(b *testing.B) {
			repository := serveRepository(b, shape, serveClusters)
			w := newServers(b, repository)
			objects := shape.templates + shape.crds/(59<<10)
			w.stock.expect(b, objects)
			w.native.expect(b, objects+3) // the hook Jobs
			w.stock.warm(b)
			w.native.warm(b)
			for b.Loop() {
				b.ReportMetric(0, "ns/op")
				w.measureAlone(b, 15)
				w.measureRate(b, 8, 24, 3)
				w.measureRate(b, 64, 64, 3)
				w.reportCPU(b) // of values that were seen before
				w.measureNew(b, 15)
			}
		})
	}
}

// servers are the two that are compared.
type servers struct{ stock, native *served }

// measureAlone is one generate at a time, of either server in turn.
func (w servers) measureAlone(b *testing.B, pairs int) {
	b.Helper()
	var stock, native []time.Duration
	for range pairs {
		stock = append(stock, w.stock.timed(b, 1, 1))
		native = append(native, w.native.timed(b, 1, 1))
	}
	ratio := float64(cmpMedian(native)) / float64(cmpMedian(stock))
	b.ReportMetric(float64(cmpMedian(stock).Microseconds())/1000, "stock-p50-ms")
	b.ReportMetric(float64(cmpMedian(native).Microseconds())/1000, "native-p50-ms")
	b.ReportMetric(ratio, "p50-ratio")
	b.Logf("alone, median: stock %v, native %v, ratio %.3f (at most %v)", cmpMedian(stock), cmpMedian(native), ratio, serveAloneBound)
	if ratio > serveAloneBound {
		b.Errorf("alone, the median is %.2f of stock's, expected at most %.2f", ratio, serveAloneBound)
	}
}

// measureNew is measureAlone for values that neither server has ever seen, of
// every cluster. It is told, and has no bound.
func (w servers) measureNew(b *testing.B, pairs int) {
	b.Helper()
	file := filepath.Join(w.stock.repository, "apps", "shop", "values", "common.yaml")
	was, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	var stock, native []time.Duration
	for i := range pairs {
		text := fmt.Appendf(was[:len(was):len(was)], "\nfresh: %q\n", fmt.Sprint(b.N, i, time.Now()))
		if err := os.WriteFile(file, text, 0o644); err != nil {
			b.Fatal(err)
		}
		stock = append(stock, w.stock.timed(b, 1, 1))
		native = append(native, w.native.timed(b, 1, 1))
	}
	if err := os.WriteFile(file, was, 0o644); err != nil {
		b.Fatal(err)
	}
	ratio := float64(cmpMedian(native)) / float64(cmpMedian(stock))
	b.ReportMetric(ratio, "new-p50-ratio")
	b.Logf("alone, values never seen, median: stock %v, native %v, ratio %.3f", cmpMedian(stock), cmpMedian(native), ratio)
}

// measureRate is so many generates at once, of either server in turn.
func (w servers) measureRate(b *testing.B, atOnce, requests, pairs int) {
	b.Helper()
	var stock, native []time.Duration
	for range pairs {
		stock = append(stock, w.stock.timed(b, atOnce, requests))
		native = append(native, w.native.timed(b, atOnce, requests))
	}
	ratio := float64(cmpMedian(stock)) / float64(cmpMedian(native))
	b.ReportMetric(float64(requests)/cmpMedian(stock).Seconds(), fmt.Sprintf("stock-at-%d/s", atOnce))
	b.ReportMetric(float64(requests)/cmpMedian(native).Seconds(), fmt.Sprintf("native-at-%d/s", atOnce))
	b.ReportMetric(ratio, fmt.Sprintf("rate-ratio-at-%d", atOnce))
	b.Logf("at %d at once, a second: stock %.1f, native %.1f, ratio %.2f (at least %v)", atOnce,
		float64(requests)/cmpMedian(stock).Seconds(), float64(requests)/cmpMedian(native).Seconds(), ratio, serveRateBound)
	if ratio < serveRateBound {
		b.Errorf("at %d at once the rate is %.2f times stock's, expected at least %.2f", atOnce, ratio, serveRateBound)
	}
}

func (w servers) reportCPU(b *testing.B) {
	b.Helper()
	stock, native := w.stock.cpuEach(b), w.native.cpuEach(b)
	ratio := float64(native) / float64(stock)
	b.ReportMetric(float64(stock.Microseconds())/1000, "stock-cpu-ms")
	b.ReportMetric(float64(native.Microseconds())/1000, "native-cpu-ms")
	b.ReportMetric(ratio, "cpu-ratio")
	b.Logf("processor time each: stock %v, native %v, ratio %.3f (at most %v)", stock, native, ratio, serveCPUBound)
	if ratio > serveCPUBound {
		b.Errorf("a generate costs %.3f of stock's processor time, expected at most %.3f", ratio, serveCPUBound)
	}
}

// served is a plugin server with what it has been asked.
type served struct {
	process    *harness.Process
	socket     string
	client     apiclient.ConfigManagementPluginServiceClient
	repository string
	asked      atomic.Int64

	// What warming up took, which is not counted.
	warmAsked int64
	warmCPU   time.Duration
}

// warm asks for every cluster once and starts counting there.
func (s *served) warm(b *testing.B) {
	b.Helper()
	s.timed(b, 2, serveClusters)
	s.warmAsked, s.warmCPU = s.asked.Load(), s.cpu(b)
}

// serveEnvironment is what comes with a request for a cluster.
func serveEnvironment(cluster string) []string {
	return []string{
		"ARGOCD_APP_NAME=shop", "ARGOCD_APP_NAMESPACE=shop", "ARGOCD_APP_SOURCE_PATH=apps/shop", "KUBE_VERSION=1.34.4",
		"ARGOCD_APP_REVISION=0123456789abcdef0123456789abcdef01234567",
		"ARGOCD_APP_SOURCE_REPO_URL=https://git.example.com/org/repo.git", "ARGOCD_ENV_CLUSTER=" + cluster,
	}
}

// generate asks for one cluster's objects, in turn.
func (s *served) generate(ctx context.Context) (*apiclient.ManifestResponse, error) {
	cluster := serveCluster(int(s.asked.Add(1)-1) % serveClusters)
	stream, err := s.client.GenerateManifest(ctx)
	if err != nil {
		return nil, err
	}
	if err := argocmp.SendRepoStream(ctx, filepath.Join(s.repository, "apps", "shop"), s.repository, stream, serveEnvironment(cluster), nil); err != nil {
		return nil, err
	}
	return stream.CloseAndRecv()
}

// expect holds the number of objects.
func (s *served) expect(b *testing.B, objects int) {
	b.Helper()
	out, err := s.generate(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if n := len(out.GetManifests()); n != objects {
		b.Fatalf("%s gives %d objects, expected %d", s.process.Name, n, objects)
	}
}

// timed is how long requests take, so many at once.
func (s *served) timed(b *testing.B, atOnce, requests int) time.Duration {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(requests))
	failed := make([]error, atOnce)
	started := time.Now()
	var wg sync.WaitGroup
	for i := range atOnce {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := s.generate(b.Context()); err != nil {
					failed[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(started)
	if err := errors.Join(failed...); err != nil {
		b.Fatalf("%s: %v", s.process.Name, err)
	}
	return took
}

// ticksEach is how many clock ticks of /proc a second has on Linux.
const ticksEach = 100

// cpuEach is the processor time of one generate since warming up.
func (s *served) cpuEach(b *testing.B) time.Duration {
	b.Helper()
	return (s.cpu(b) - s.warmCPU) / time.Duration(s.asked.Load()-s.warmAsked)
}

// cpu is the processor time of the server so far.
func (s *served) cpu(b *testing.B) time.Duration {
	b.Helper()
	return processorTime(b, s.process)
}

// processorTime is that of processes so far, with that of children which have
// ended.
func processorTime(b *testing.B, processes ...*harness.Process) time.Duration {
	b.Helper()
	var ticks int64
	for _, p := range processes {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		for _, field := range strings.Fields(rest)[11:15] { // utime, stime, cutime, cstime
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / ticksEach
}

func newServers(b *testing.B, repository string) servers {
	b.Helper()
	w := servers{stock: newStock(b, repository), native: newNative(b, repository)}
	packApart(b)
	return w
}

// packApart has this process, as the servers' client, pack repositories in a
// folder that is removed: Argo CD's packing leaves an empty one behind each time.
// Servers that another user must reach are started before it.
func packApart(b *testing.B) {
	b.Helper()
	b.Setenv("TMPDIR", b.TempDir())
}

// nobody is the user the servers run as when the benchmark itself is root:
// unpacking is slower as root, and no sidecar runs so.
const nobody = "65534"

// startServer starts a plugin server in dir and connects to its socket.
func startServer(b *testing.B, repository, dir string, c harness.Command) *served {
	b.Helper()
	if os.Getuid() == 0 {
		if out, err := exec.CommandContext(b.Context(), "chown", "-R", nobody+":"+nobody, dir).CombinedOutput(); err != nil {
			b.Fatalf("give %s to the server's user: %v\n%s", dir, err, out)
		}
		c.Args = append([]string{"--reuid", nobody, "--regid", nobody, "--clear-groups", "--pdeathsig", "KILL", c.Path}, c.Args...)
		c.Path = cmp.Or(lookPath("setpriv"), "setpriv")
	}
	socket := filepath.Join(dir, "plugins", "shop.sock")
	c.Ready = func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	stage, err := harness.NewStage("")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = stage.Stop() })
	p, err := stage.Start(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(100<<20)))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &served{process: p, socket: socket, client: apiclient.NewConfigManagementPluginServiceClient(conn), repository: repository}
}

func lookPath(name string) string {
	file, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return file
}

// serverDir is a short folder, for the name of a socket, that any user may
// enter.
func serverDir(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "serve")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, name := range []string{"plugins", "config", "work", "home", "bin"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// newNative builds and starts Syncgate's plugin server.
func newNative(b *testing.B, repository string, flags ...string) *served {
	b.Helper()
	dir := serverDir(b)
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", filepath.Join(dir, "bin"),
		"github.com/syncgate/syncgate/cmd/syncgate-cmp-server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build syncgate: %v\n%s", err, out)
	}
	return startServer(b, repository, dir, harness.Command{
		Name: "native", Path: filepath.Join(dir, "bin", product.PluginProgram),
		Args: append([]string{"--name", "shop", "--plugins-dir", filepath.Join(dir, "plugins"), "--log-level", "warn"}, flags...),
		Env: append(slices.Clone(os.Environ()),
			"SYNCGATE_HOOK_IMAGE=registry.example.com/syncgate:v1", "SYNCGATE_SERVER_URL=https://syncgate.syncgate.svc"),
	})
}

// stockConfig has the stock server run Helm. The cluster comes as a variable of the
// Application's plugin, or as its parameter.
const stockConfig = `apiVersion: argoproj.io/v1alpha1
kind: ConfigManagementPlugin
metadata: {name: shop}
spec:
  generate:
    command: [sh, -c]
    args: ['exec helm template "$ARGOCD_APP_NAME" chart --namespace "$ARGOCD_APP_NAMESPACE" --include-crds --kube-version "$KUBE_VERSION" -f values/common.yaml -f "values/${PARAM_CLUSTER:-$ARGOCD_ENV_CLUSTER}.yaml"']
`

// newStock starts Argo CD's own plugin server.
func newStock(b *testing.B, repository string) *served {
	b.Helper()
	dir := serverDir(b)
	server, err := harness.Tool(b.Context(), "argocd2", os.Stderr)
	if err != nil {
		b.Fatal(err)
	}
	helm, err := harness.Tool(b.Context(), "helm", os.Stderr)
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "config", "plugin.yaml"), []byte(stockConfig), 0o644),
		os.Symlink(helm, filepath.Join(dir, "bin", "helm")),
	); err != nil {
		b.Fatal(err)
	}
	home := filepath.Join(dir, "home")
	return startServer(b, repository, dir, harness.Command{
		Name: "stock", Path: server, Args: []string{"--config-dir-path", filepath.Join(dir, "config"), "--loglevel", "warn"},
		Env: append(slices.Clone(os.Environ()), "ARGOCD_BINARY_NAME=argocd-cmp-server", "ARGOCD_PLUGINSOCKFILEPATH="+filepath.Join(dir, "plugins"),
			"ARGOCD_CMP_WORKDIR="+filepath.Join(dir, "work"), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "HOME="+home,
			"HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home, "KUBECONFIG=/dev/null", "TMPDIR="+filepath.Join(dir, "work")),
		Grace: time.Second, // it does not end at the first SIGTERM once it has served
	})
}

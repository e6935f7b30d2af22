package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/cmpserver/apiclient" //nolint:depguard // a test part
	argocmp "github.com/argoproj/argo-cd/v2/util/cmp"    //nolint:depguard // a test part
)

// The bound of what one more cluster in the Gate costs a generate, and the two
// Gates between which it is measured.
const (
	perClusterBound = 200 * time.Microsecond
	fewClusters     = 64
	manyClusters    = 256
	perClusterPairs = 41
)

// BenchmarkServeClusters is what one more cluster in the Gate costs a generate of
// `syncgate cmp serve`: the difference between a Gate of 256 clusters and one of
// 64, both of one server and in turn, by the number of clusters between them. What
// is sent is packed before, since packing is the repo-server's; what that costs for
// each cluster is told apart. The bound is for values that were seen before, as
// Argo CD asks once for each cluster and commit, all but one time; that one time is
// told as "changed": one cluster of each Gate has new values.
func BenchmarkServeClusters(b *testing.B) {
	shape := serveShapes()[0]
	few := &gateOf{clusters: fewClusters, dir: serveRepository(b, shape, fewClusters)}
	many := &gateOf{clusters: manyClusters, dir: serveRepository(b, shape, manyClusters)}
	native := newNative(b, few.dir)
	for b.Loop() {
		b.ReportMetric(0, "ns/op")
		var packing perCluster
		for i := range perClusterPairs {
			for _, g := range inTurn(i, few, many) {
				packing.add(g, g.pack(b))
			}
		}
		packing.report(b, "packing")
		for range 2 { // until all is known
			few.ask(b, native)
			many.ask(b, native)
		}
		var seen perCluster
		for i := range perClusterPairs {
			for _, g := range inTurn(i, few, many) {
				seen.add(g, g.ask(b, native))
			}
		}
		if each := seen.report(b, "seen"); each > perClusterBound {
			b.Errorf("one more cluster costs %v, expected at most %v", each, perClusterBound)
		}
		var changed perCluster
		for i := range perClusterPairs {
			for _, g := range inTurn(i, few, many) {
				g.change(b, i)
				g.pack(b)
				changed.add(g, g.ask(b, native))
			}
		}
		changed.report(b, "changed")
	}
}

// inTurn lets either be first as often as the other.
func inTurn(i int, few, many *gateOf) []*gateOf {
	if i%2 == 0 {
		return []*gateOf{few, many}
	}
	return []*gateOf{many, few}
}

// perCluster gathers what the two Gates took.
type perCluster struct{ few, many []time.Duration }

func (p *perCluster) add(g *gateOf, took time.Duration) {
	if g.clusters == fewClusters {
		p.few = append(p.few, took)
		return
	}
	p.many = append(p.many, took)
}

// report tells, and returns, what one more cluster costs: the median of the
// differences of pairs, so that a minute in which the machine is slow is the same
// in both.
func (p *perCluster) report(b *testing.B, what string) time.Duration {
	b.Helper()
	differences := make([]time.Duration, len(p.few))
	for i := range p.few {
		differences[i] = p.many[i] - p.few[i]
	}
	slices.Sort(differences)
	each := differences[len(differences)/2] / (manyClusters - fewClusters)
	b.ReportMetric(float64(each.Nanoseconds())/1000, what+"-us/cluster")
	b.Logf("%s: %v for each cluster more (%d clusters %v, %d clusters %v)", what, each, fewClusters, cmpMedian(p.few), manyClusters, cmpMedian(p.many))
	return each
}

// gateOf is a repository with a Gate of so many clusters, as it is sent.
type gateOf struct {
	clusters int
	dir      string
	asked    int
	sent     []*apiclient.AppStreamRequest
}

// Send implements the sender's interface: it keeps what would be sent. The sender
// uses the bytes of a piece again.
func (g *gateOf) Send(m *apiclient.AppStreamRequest) error {
	if f := m.GetFile(); f != nil {
		f.Chunk = bytes.Clone(f.Chunk)
	}
	g.sent = append(g.sent, m)
	return nil
}

// pack makes what is sent, as a repo-server does, and says how long it took.
func (g *gateOf) pack(b *testing.B) time.Duration {
	b.Helper()
	g.sent = nil
	started := time.Now()
	if err := argocmp.SendRepoStream(b.Context(), filepath.Join(g.dir, "apps", "shop"), g.dir, g, nil, nil); err != nil {
		b.Fatal(err)
	}
	return time.Since(started)
}

// change gives the last cluster values that were never seen.
func (g *gateOf) change(b *testing.B, i int) {
	b.Helper()
	file := filepath.Join(g.dir, "apps", "shop", "values", serveCluster(g.clusters-1)+".yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	host := fmt.Sprintf("  host: app%d-%d.example.com\n", i, time.Now().UnixNano())
	before, rest, _ := strings.Cut(string(text), "  host: ")
	_, after, ok := strings.Cut(rest, "\n")
	if !ok {
		b.Fatalf("no host in %s", file)
	}
	if err := os.WriteFile(file, []byte(before+host+after), 0o644); err != nil {
		b.Fatal(err)
	}
}

// ask has the server generate the next of eight clusters, and says how long it
// took from the first byte sent to the answer.
func (g *gateOf) ask(b *testing.B, s *served) time.Duration {
	b.Helper()
	const turns = 8
	cluster := serveCluster(g.asked % turns)
	g.asked++
	meta := g.sent[0].GetMetadata()
	meta.Env = nil
	for _, e := range serveEnvironment(cluster) {
		name, value, _ := strings.Cut(e, "=")
		meta.Env = append(meta.Env, &apiclient.EnvEntry{Name: name, Value: value})
	}
	started := time.Now()
	out, err := replay(b.Context(), s.client, g.sent)
	took := time.Since(started)
	if err != nil || len(out.GetManifests()) == 0 {
		b.Fatalf("%d objects of %s, %v", len(out.GetManifests()), cluster, err)
	}
	return took
}

// replay sends what was packed.
func replay(ctx context.Context, c apiclient.ConfigManagementPluginServiceClient, sent []*apiclient.AppStreamRequest) (*apiclient.ManifestResponse, error) {
	stream, err := c.GenerateManifest(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range sent {
		if err := stream.Send(m); err != nil {
			if errors.Is(err, io.EOF) {
				break // the answer says why
			}
			return nil, err
		}
	}
	return stream.CloseAndRecv()
}

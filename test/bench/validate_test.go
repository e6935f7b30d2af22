package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/values"
)

// The bounds that hold: wall time over that of the peer in the same run, and
// memory in MiB.
const (
	validateRatioBound   = 1.5
	validateMiBAt1000    = 250
	validateMiBAt10000   = 350
	validateAgainBound   = 0.25 // the second run, over the first, at 10,000 clusters
	validateTimesFaster  = 7    // than conftest, at 10,000 clusters
	validateGrowthFactor = 1.25 // of the ratio, from 1,000 to 10,000 clusters, for the noise
)

// validatePairs is how often both programs run, in turn.
const validatePairs = 7

// BenchmarkValidate is `syncgate validate` against merely parsing the same
// files to YAML nodes with two workers, as processes. Every leaf of every
// cluster is merged from three files and compared.
//
//	go test ./test/bench -run '^$' -bench Validate -benchtime 1x
func BenchmarkValidate(b *testing.B) {
	ours := buildProgram(b, "./cmd/syncgate", "./cmd/syncgate-cli")
	peer := buildProgram(b, "./test/bench/validate_peer")
	for _, bm := range []struct {
		name  string
		fleet fleetOptions
		mib   float64
	}{
		{"clusters=1000", fleetOptions{clusters: 1000}, validateMiBAt1000},
		{"clusters=10000", fleetOptions{clusters: 10_000}, validateMiBAt10000},
		{"clusters=10000/rule", fleetOptions{clusters: 10_000, rule: true}, validateMiBAt10000},
		{"clusters=1000/chart", fleetOptions{clusters: 1000, chart: true}, validateMiBAt1000},
		// Files off the plain part of YAML are read twice; no bound is set.
		{"clusters=1000/anchors", fleetOptions{clusters: 1000, anchors: true}, 0},
	} {
		b.Run(bm.name, func(b *testing.B) {
			dir := writeFleet(b, bm.fleet)
			var a, z []time.Duration
			var mib float64
			for b.Loop() {
				for range validatePairs {
					d, m := runMeasured(b, ours, "validate", "--no-cache", dir)
					a, mib = append(a, d), max(mib, m)
					d, _ = runMeasured(b, peer, dir)
					z = append(z, d)
				}
			}
			slices.Sort(a)
			slices.Sort(z)
			wall, parse := a[len(a)/2], z[len(z)/2]
			ratio := float64(wall) / float64(parse)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(wall.Microseconds())/1000, "validate-ms")
			b.ReportMetric(float64(parse.Microseconds())/1000, "parse-ms")
			b.ReportMetric(ratio, "ratio")
			b.ReportMetric(mib, "peak-MiB")
			if bm.mib > 0 && (ratio > validateRatioBound || mib > bm.mib) {
				b.Errorf("%.2f times the peer and %.0f MiB, expected at most %.1f and %.0f", ratio, mib, validateRatioBound, bm.mib)
			}
		})
	}
}

// buildProgram builds a program of the module as it is released, and those that it
// becomes beside it.
func buildProgram(b *testing.B, pkg string, beside ...string) string {
	b.Helper()
	dir := b.TempDir()
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", dir + string(os.PathSeparator), pkg}
	cmd := exec.CommandContext(b.Context(), "go", append(args, beside...)...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return filepath.Join(dir, filepath.Base(pkg))
}

// runMeasured runs a program and tells its wall time and peak memory in MiB.
func runMeasured(b *testing.B, program string, args ...string) (time.Duration, float64) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), program, args...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	wall := time.Since(start)
	if err != nil {
		b.Fatalf("%s %v: %v\n%.2000s", program, args, err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Fatal("no resource usage on this system")
	}
	return wall, float64(usage.Maxrss) / 1024
}

// TestValidateFleet holds the fleet to what the benchmark says of it, and finds
// the one leaf that is changed.
func TestValidateFleet(t *testing.T) {
	text := fleetFile("c00000", fleetOptions{})
	if n := len(text); n < 7500 || n > 8700 {
		t.Errorf("a values file has %d bytes, expected about 8 KB", n)
	}
	root, err := values.Parse([]byte(text), "values.yaml", values.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if n := countLeaves(root); n != 120 {
		t.Errorf("a values file has %d leaves, expected 120", n)
	}
	dir := writeFleet(t, fleetOptions{clusters: 20})
	odd := filepath.Join(dir, "clusters", "c00007", "values.yaml")
	if err := os.WriteFile(odd, []byte(strings.Replace(text, "11.6.1", "11.6.2", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	found := validateFleet(t, dir)
	if len(found) != 1 || found[0].Path != "image.tag" || !strings.Contains(found[0].Message, "c00007") {
		t.Errorf("found %v, expected image.tag of c00007", found)
	}
}

func countLeaves(n *values.Node) int {
	if len(n.Fields)+len(n.Items) == 0 {
		return 1
	}
	sum := 0
	for _, f := range n.Fields {
		sum += countLeaves(f.Value)
	}
	for _, item := range n.Items {
		sum += countLeaves(item)
	}
	return sum
}

func validateFleet(t *testing.T, dir string) []finding.Finding {
	t.Helper()
	fsys := os.DirFS(dir)
	g, err := gate.Load(fsys, gate.FileName)
	if err != nil {
		t.Fatal(err)
	}
	found, err := policies.Validate(t.Context(), fsys, g, policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

package bench

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/syncgate/syncgate/test/tools"
)

// conftestPolicy holds three keys of all files against each other, which is the
// least that can be asked of a fleet. syncgate compares every key.
const conftestPolicy = `package main

tags := {file.contents.image.tag | some file in input}

replicas := {file.contents.component0.replicas | some file in input}

schedules := {file.contents.component1.schedule | some file in input}

deny contains "image.tag differs" if count(tags) != 1

deny contains "component0.replicas differs" if count(replicas) != 1

deny contains "component1.schedule differs" if count(schedules) != 1
`

// fleetTimes are the wall times of one way to look at a fleet, and its memory.
type fleetTimes struct {
	wall []time.Duration
	mib  float64
}

func (f *fleetTimes) run(b *testing.B, program string, args ...string) {
	d, m := runMeasured(b, program, args...)
	f.wall, f.mib = append(f.wall, d), max(f.mib, m)
}

// seconds is the median.
func (f *fleetTimes) seconds() float64 {
	slices.Sort(f.wall)
	return f.wall[len(f.wall)/2].Seconds()
}

// BenchmarkValidatePeers is `syncgate validate`, the first time and again over a
// tree that has not changed, against parsing alone and against conftest, all in
// turn. conftest is given the clusters' own files alone, and rules on three keys.
//
//	go test ./test/bench -run '^$' -bench ValidatePeers -benchtime 1x
func BenchmarkValidatePeers(b *testing.B) {
	conftest, err := tools.Path(b.Context(), "conftest", os.Stderr)
	if err != nil {
		b.Fatal(err)
	}
	ours := buildProgram(b, "./cmd/syncgate", "./cmd/syncgate-cli")
	peer := buildProgram(b, "./test/bench/validate_peer")
	policy := filepath.Join(b.TempDir(), "policy")
	if err := os.Mkdir(policy, 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(policy, "fleet.rego"), []byte(conftestPolicy), 0o600); err != nil {
		b.Fatal(err)
	}
	ratios := map[int]float64{}
	for _, bm := range []struct {
		name            string
		clusters, pairs int
		mib             float64
	}{
		{"clusters=1000", 1000, 7, validateMiBAt1000},
		{"clusters=10000", 10_000, 3, validateMiBAt10000},
	} {
		b.Run(bm.name, func(b *testing.B) {
			dir := writeFleet(b, fleetOptions{clusters: bm.clusters})
			b.Setenv("SYNCGATE_CACHE_DIR", filepath.Join(b.TempDir(), "cache"))
			var parse, first, again, other fleetTimes
			for b.Loop() {
				for range bm.pairs {
					if err := os.RemoveAll(os.Getenv("SYNCGATE_CACHE_DIR")); err != nil {
						b.Fatal(err)
					}
					parse.run(b, peer, dir)
					first.run(b, ours, "validate", dir) // and writes its cache
					again.run(b, ours, "validate", dir)
					other.run(b, conftest, "test", "--combine", "--policy", policy, filepath.Join(dir, "clusters"))
				}
			}
			ratio, twice := first.seconds()/parse.seconds(), again.seconds()/first.seconds()
			faster := other.seconds() / first.seconds()
			ratios[bm.clusters] = ratio
			b.Logf("parsing %.2f s, first %.2f s, again %.2f s, conftest %.2f s", parse.seconds(), first.seconds(), again.seconds(), other.seconds())
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(parse.seconds(), "parse-s")
			b.ReportMetric(first.seconds(), "validate-s")
			b.ReportMetric(again.seconds(), "again-s")
			b.ReportMetric(other.seconds(), "conftest-s")
			b.ReportMetric(ratio, "over-parse")
			b.ReportMetric(twice, "again-over-first")
			b.ReportMetric(faster, "times-faster-than-conftest")
			b.ReportMetric(first.mib, "validate-MiB")
			b.ReportMetric(again.mib, "again-MiB")
			b.ReportMetric(other.mib, "conftest-MiB")
			if ratio > validateRatioBound || first.mib > bm.mib {
				b.Errorf("%.2f times the parsing and %.0f MiB, expected at most %.1f and %.0f", ratio, first.mib, validateRatioBound, bm.mib)
			}
			if twice > validateAgainBound {
				b.Errorf("again takes %.2f of the first run, expected at most %.2f", twice, validateAgainBound)
			}
			if bm.clusters == 10_000 && faster < validateTimesFaster {
				b.Errorf("conftest takes %.1f times as long, expected at least %d", faster, validateTimesFaster)
			}
		})
	}
	if small, large := ratios[1000], ratios[10_000]; small > 0 && large > small*validateGrowthFactor {
		b.Errorf("%.2f times the parsing at 1,000 clusters and %.2f at 10,000: it grows faster than parsing does", small, large)
	}
}

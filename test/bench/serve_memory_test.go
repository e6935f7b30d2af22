package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The bounds of the native server's resident memory.
const (
	serveMemoryBound = 120 << 10 // KiB, at any sample
	serveMemorySteps = 20        // samples of a run
	serveMemoryWhole = 10_000    // generates of a whole run
	serveMemoryFlat  = 1.1       // the last quarter over the one before it
)

// BenchmarkServeMemory is the resident memory of `syncgate cmp serve` over b.N
// generates, eight at once. The bound holds for a run of any length; that memory is
// flat over the second half is judged in one of at least 10,000 generates.
func BenchmarkServeMemory(b *testing.B) {
	for _, shape := range serveShapes() {
		b.Run(shape.name, func(b *testing.B) {
			native := newNative(b, serveRepository(b, shape, serveClusters))
			packApart(b)
			native.warm(b)
			b.ResetTimer()
			measureMemory(b, native)
		})
	}
}

// measureMemory samples after each part of b.N generates.
func measureMemory(b *testing.B, s *served) {
	b.Helper()
	var samples []int64
	for i := range serveMemorySteps {
		if requests := b.N*(i+1)/serveMemorySteps - b.N*i/serveMemorySteps; requests > 0 {
			s.timed(b, 8, requests)
		}
		samples = append(samples, s.resident(b))
		b.Logf("after %d generates: %d KiB resident", b.N*(i+1)/serveMemorySteps, samples[i])
		if samples[i] > serveMemoryBound {
			b.Errorf("%d KiB are resident after %d generates, expected at most %d", samples[i], b.N*(i+1)/serveMemorySteps, serveMemoryBound)
		}
	}
	third, last := mean(samples[10:15]), mean(samples[15:])
	b.ReportMetric(float64(samples[serveMemorySteps-1])/1024, "MiB-resident")
	b.ReportMetric(last/third, "last-quarter-ratio")
	if b.N >= serveMemoryWhole && last > third*serveMemoryFlat {
		b.Errorf("resident memory grows over the second half: %.0f KiB in the last quarter, %.0f in the one before", last, third)
	}
}

func mean(samples []int64) float64 {
	var sum int64
	for _, n := range samples {
		sum += n
	}
	return float64(sum) / float64(len(samples))
}

// resident is the server's resident memory now, in KiB.
func (s *served) resident(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.PID()))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		b.Fatalf("/proc/%d/status has no VmRSS", s.process.PID())
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

package cli

import "runtime/debug"

// How the garbage collector runs. These commands live for a second: letting
// the heap grow to five times what is used saves 15 to 20 percent of their
// processor time, and costs a `validate` of 1,000 clusters 20 MiB. Near the
// soft limit the collector works as usual again.
const (
	gcPercent       = 400
	softMemoryLimit = 256 << 20
)

// TuneMemory sets the collector, unless the environment says how.
func TuneMemory(getenv func(string) string) {
	if getenv("GOGC") == "" && getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(gcPercent)
		debug.SetMemoryLimit(softMemoryLimit)
	}
}

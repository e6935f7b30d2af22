package backup

import "log/slog"

// ParseSidecar is parseSidecar, for the tests outside.
var ParseSidecar = parseSidecar

// WithStore has one store of the test's own.
func WithStore(name string, store Store, maxRead int64) *Stores {
	return &Stores{
		stores: map[string]entry{name: {store: store, maxRead: maxRead}},
		reads:  newReads(slog.New(slog.DiscardHandler)),
	}
}

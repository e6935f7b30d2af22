package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"time"
)

// Stores are the server's stores by name. They read objects that must be
// proved whole in the background: a question about a large one is answered
// with how far the reading has come. Safe for concurrent use.
type Stores struct {
	stores map[string]entry
	reads  *reads
}

type entry struct {
	store   Store
	maxRead int64
}

// Open makes the stores that options describe. It contacts none of them.
// Close must be called when they are no longer used.
func Open(options []StoreOptions, log *slog.Logger) (*Stores, error) {
	s := &Stores{stores: map[string]entry{}, reads: newReads(log)}
	for i, o := range options {
		store, err := o.open()
		if err != nil {
			return nil, fmt.Errorf("open store %q (entry %d): %w", o.Name, i+1, err)
		}
		if _, ok := s.stores[o.Name]; ok {
			return nil, fmt.Errorf("open store %q (entry %d): the name is taken by an earlier entry: rename one", o.Name, i+1)
		}
		s.stores[o.Name] = entry{store: store, maxRead: o.maxRead()}
	}
	return s, nil
}

// Get is the store of a name. The error lists the names there are.
func (s *Stores) Get(name string) (Store, error) {
	e, err := s.entry(name)
	return e.store, err
}

func (s *Stores) entry(name string) (entry, error) {
	if e, ok := s.stores[name]; ok {
		return e, nil
	}
	if len(s.stores) == 0 {
		return entry{}, fmt.Errorf("get store %.80q: the server has no stores; add it to the server's configuration", name)
	}
	names := make([]string, 0, len(s.stores))
	for n := range s.stores {
		names = append(names, n)
	}
	sort.Strings(names)
	return entry{}, fmt.Errorf("get store %.80q: no such store; the server has %s", name, strings.Join(names, ", "))
}

// Close ends all reading.
func (s *Stores) Close() { s.reads.close() }

// Proven is what became of holding an object against its checksums.
type Proven struct {
	// Whole is true when every checksum of the object holds, and there is one.
	Whole bool
	// Reading is true while the object is being read: ask again.
	Reading bool
	// Read is how many bytes have been read.
	Read int64
	// Why says in one clause what was found: which checksums hold, which does
	// not, or that there is none.
	Why string
	// Fix says what to do; empty when Whole or Reading.
	Fix string
}

// Prove reads the whole object and holds it against every checksum that its
// store keeps for it. It waits for the reading for patience at most. An error
// means that the object could not be read; ErrChanged that it is not there any
// more as it was.
func (s *Stores) Prove(ctx context.Context, o Object, patience time.Duration) (Proven, error) {
	e, err := s.entry(o.Store)
	if err != nil {
		return Proven{}, err
	}
	sums, err := e.store.Checksums(ctx, o)
	var broken *SidecarError
	switch {
	case errors.As(err, &broken):
		return Proven{Why: broken.Error(), Fix: "write it anew with sha256sum from the original backup"}, nil
	case err != nil:
		return Proven{}, err
	case len(sums) == 0:
		return Proven{
			Why: "the store keeps no SHA-256 for it",
			Fix: fmt.Sprintf("upload with a SHA-256 checksum (x-amz-checksum-sha256) or put a checksum file %s%s beside it, or ask for proof fresh", o.Key, SidecarSuffix),
		}, nil
	case o.Size > e.maxRead:
		return Proven{
			Why: fmt.Sprintf("it has %d bytes and is not read beyond %d (limit maxRead of store %s)", o.Size, e.maxRead, o.Store),
			Fix: "raise maxRead in the server's configuration, or ask for proof fresh",
		}, nil
	}
	digests, progress, err := s.reads.digests(ctx, readJob{store: e.store, object: o, sums: sums}, patience)
	if err != nil {
		return Proven{}, err
	}
	if digests == nil {
		return Proven{Reading: true, Read: progress, Why: fmt.Sprintf("%s of %s read", bytesText(progress), bytesText(o.Size))}, nil
	}
	return digests.compare(o, sums), nil
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < 5 {
		value /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[prefix])
}

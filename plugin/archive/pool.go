package archive

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Pool bounds what the contents of several archives hold in memory together. An
// archive takes of it as its bytes arrive and waits where there is no room; several
// that are half received never wait for each other alone. For that it grants bytes
// only while what is left lets the archive that holds most come to the most that
// one may hold: that one never waits, and what it gives back is enough for the next
// (the banker's algorithm, with the same claim for all). It is safe for concurrent
// use.
type Pool struct {
	most, each int64

	mu   sync.Mutex
	held int64
	// shares are those that hold bytes, or wait for some.
	shares map[*Share]struct{}
	joined int64
	// changed is closed, and made anew, when those that wait are to try again.
	changed chan struct{}
}

// NewPool makes a Pool of so many bytes, of which one archive may hold half.
func NewPool(most int64) *Pool {
	return &Pool{most: most, each: most / 2, shares: map[*Share]struct{}{}, changed: make(chan struct{})}
}

// Each is the most that one archive may hold.
func (p *Pool) Each() int64 { return p.each }

// Held is what all archives hold now.
func (p *Pool) Held() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// Join is the place of one archive in the Pool, which must be released. It waits for
// room until a time, or for as long as it is read when that is zero.
func (p *Pool) Join(until time.Time) *Share {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.joined++
	return &Share{pool: p, order: p.joined, until: until}
}

// Share is what one archive holds of a Pool.
type Share struct {
	pool    *Pool
	order   int64
	until   time.Time
	held    int64
	waiting bool
}

// hold waits until the archive holds so many bytes. A nil Share has no bound.
func (s *Share) hold(ctx context.Context, bytes int64) error {
	if s == nil {
		return nil
	}
	changed := s.try(bytes)
	if changed != nil && !s.until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, s.until)
		defer cancel()
	}
	for ; changed != nil; changed = s.try(bytes) {
		select {
		case <-changed:
		case <-ctx.Done():
			return s.full()
		}
	}
	return nil
}

// full is the error of an archive for which no room came.
func (s *Share) full() error {
	return fmt.Errorf("%w: archivesBytes=%d: the archives of other requests hold the rest of it, and not enough came back in time; "+
		"raise it (--archives-mib, with the container's memory), lower --concurrency, or narrow what is sent with the annotation argocd.argoproj.io/manifest-generate-paths",
		ErrLimit, s.pool.most)
}

// try takes what is missing, or returns what to wait for.
func (s *Share) try(bytes int64) (changed <-chan struct{}) {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	more := bytes - s.held
	if more <= 0 {
		return nil
	}
	if !p.grants(s, more) {
		s.waiting = true
		p.shares[s] = struct{}{}
		return p.changed
	}
	if s.waiting { // others may wait for this one to have its turn
		s.waiting = false
		p.wake()
	}
	s.held += more
	p.held += more
	p.shares[s] = struct{}{}
	return nil
}

// grants reports whether s may have more. One that holds nothing yet also waits for
// those that came before it and wait, so that a large archive gets its turn.
func (p *Pool) grants(s *Share, more int64) bool {
	largest := s.held + more
	if largest > p.each {
		return false
	}
	for o := range p.shares {
		if o != s {
			largest = max(largest, o.held)
			if s.held == 0 && o.waiting && o.order < s.order {
				return false
			}
		}
	}
	return p.most-p.held-more >= p.each-largest
}

// Release gives everything back. It may be called again.
func (s *Share) Release() {
	if s == nil {
		return
	}
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held -= s.held
	s.held, s.waiting = 0, false
	delete(p.shares, s)
	p.wake()
}

// wake has all that wait try again.
func (p *Pool) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

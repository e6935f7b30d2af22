package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxReading is how many objects are read at the same time.
	maxReading = 2
	// maxRemembered is how many objects' digests are kept.
	maxRemembered = 256
	// unaskedFor ends a reading that nobody has asked about for so long: its
	// Run is over.
	unaskedFor = 10 * time.Minute
)

// readJob is an object to read, and the checksums that say in which parts.
type readJob struct {
	store  Store
	object Object
	sums   []Checksum
}

// id is the same for questions that one reading answers.
func (j readJob) id() string {
	var b strings.Builder
	b.WriteString(j.object.identity())
	for _, s := range j.sums {
		for _, p := range s.Parts {
			b.WriteString("\x00" + strconv.FormatInt(p, 10))
		}
	}
	return b.String()
}

// parts are those of the composite checksum, of which S3 keeps one at most.
func (j readJob) parts() []int64 {
	for _, s := range j.sums {
		if s.Parts != nil {
			return s.Parts
		}
	}
	return nil
}

// digests are what an object's content comes to.
type digests struct {
	size  int64
	whole [sha256.Size]byte
	parts [sha256.Size]byte
}

// compare holds digests against all checksums of o.
func (d *digests) compare(o Object, sums []Checksum) Proven {
	p := Proven{Read: d.size}
	if d.size != o.Size {
		p.Why = fmt.Sprintf("it has %d bytes by the listing and %d when read", o.Size, d.size)
		p.Fix = "take the backup again"
		return p
	}
	names := make([]string, 0, len(sums))
	for _, s := range sums {
		got := d.whole
		if s.Parts != nil {
			got = d.parts
		}
		if got != s.Sum {
			p.Why = fmt.Sprintf("its SHA-256 is %x, expected %x by %s", got, s.Sum, s.Source)
			p.Fix = "the backup is damaged or was not uploaded to its end: take it again"
			return p
		}
		names = append(names, s.Source)
	}
	p.Whole = true
	p.Why = fmt.Sprintf("all %d bytes read, SHA-256 %x equals %s", d.size, d.whole, strings.Join(names, " and "))
	return p
}

// reads are the readings that go on and the digests of those that are done.
type reads struct {
	log *slog.Logger
	// slots holds a token for each reading that goes on.
	slots chan struct{}

	mu      sync.Mutex
	closed  bool
	running map[string]*reading
	done    map[string]*digests
	// order is the ids of done, oldest first.
	order []string
	wg    sync.WaitGroup
}

func newReads(log *slog.Logger) *reads {
	return &reads{
		log: log, slots: make(chan struct{}, maxReading),
		running: map[string]*reading{}, done: map[string]*digests{},
	}
}

// reading is one object being read. It outlives the question that began it,
// and ends when nobody asks any more.
type reading struct {
	progress atomic.Int64
	unasked  *time.Timer
	cancel   context.CancelFunc
	finished chan struct{}
	// Set before finished is closed.
	digests *digests
	err     error
}

// digests are those of the job's object, or nil and the bytes read so far when
// they are not known within patience.
func (r *reads) digests(ctx context.Context, job readJob, patience time.Duration) (*digests, int64, error) {
	id := job.id()
	r.mu.Lock()
	if d, ok := r.done[id]; ok {
		r.mu.Unlock()
		return d, d.size, nil
	}
	if r.closed {
		r.mu.Unlock()
		return nil, 0, errors.New("read backup: the server is stopping")
	}
	g, ok := r.running[id]
	if !ok {
		g = r.start(ctx, id, job)
	}
	g.unasked.Reset(unaskedFor)
	r.mu.Unlock()

	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-g.finished:
		return g.digests, g.progress.Load(), g.err
	case <-timer.C:
		return nil, g.progress.Load(), nil
	case <-ctx.Done():
		return nil, g.progress.Load(), fmt.Errorf("read %s: %w", job.object.Location, ctx.Err())
	}
}

// start begins to read. The caller holds mu. The reading does not end with the
// question that began it: it must go on between two.
func (r *reads) start(ctx context.Context, id string, job readJob) *reading {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g := &reading{cancel: cancel, finished: make(chan struct{})}
	g.unasked = time.AfterFunc(unaskedFor, cancel)
	r.running[id] = g
	r.wg.Go(func() {
		defer cancel()
		g.digests, g.err = r.read(ctx, job, g)
		g.unasked.Stop()
		r.mu.Lock()
		delete(r.running, id)
		if g.err == nil {
			r.remember(id, g.digests)
		}
		r.mu.Unlock()
		close(g.finished)
	})
	return g
}

func (r *reads) remember(id string, d *digests) {
	r.done[id] = d
	r.order = append(r.order, id)
	for len(r.order) > maxRemembered {
		delete(r.done, r.order[0])
		r.order = r.order[1:]
	}
}

func (r *reads) read(ctx context.Context, job readJob, g *reading) (*digests, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("read %s: %w", job.object.Location, ctx.Err())
	}
	begun := time.Now()
	d, err := digest(ctx, job, &g.progress)
	if err != nil {
		return nil, err
	}
	r.log.LogAttrs(ctx, slog.LevelInfo, "backup read",
		slog.String("object", job.object.Location),
		slog.Int64("bytes", d.size), slog.Duration("elapsed", time.Since(begun)))
	return d, nil
}

// digest reads the object once, at most one byte more than it should have.
func digest(ctx context.Context, job readJob, progress *atomic.Int64) (*digests, error) {
	o := job.object
	body, err := job.store.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	whole := sha256.New()
	split := &splitHash{sizes: job.parts(), all: sha256.New()}
	n, err := io.Copy(io.MultiWriter(whole, split, counter{progress}), contextReader{ctx, io.LimitReader(body, o.Size+1)})
	if err != nil {
		return nil, fmt.Errorf("read %s after %d bytes: %w", o.Location, n, err)
	}
	d := &digests{size: n}
	whole.Sum(d.whole[:0])
	split.sum(d.parts[:0])
	return d, nil
}

// close ends all reading and waits for it.
func (r *reads) close() {
	r.mu.Lock()
	r.closed = true
	for _, g := range r.running {
		g.cancel()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

package server

import (
	"sync"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"
)

// maxCallers is of how many callers the rate is remembered.
const maxCallers = 4096

// callers bound each caller's rate of requests.
type callers struct {
	mu     sync.Mutex
	known  *lru.Cache
	limits Limits
}

func newCallers(l Limits) *callers { return &callers{known: lru.New(maxCallers), limits: l} }

func (c *callers) allow(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.known.Get(name)
	if !ok {
		l = rate.NewLimiter(rate.Limit(c.limits.Rate), c.limits.Burst)
		c.known.Add(name, l)
	}
	return l.(*rate.Limiter).Allow()
}

// streams bound the open event streams.
type streams struct {
	mu     sync.Mutex
	all    int
	each   map[string]int
	limits Limits
}

func newStreams(l Limits) *streams { return &streams{each: map[string]int{}, limits: l} }

// open counts one more stream of the caller; done must be called when it ends.
func (s *streams) open(name string) (done func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.limits.Streams || s.each[name] >= s.limits.StreamsPerCaller {
		return nil, false
	}
	s.all++
	s.each[name]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.each[name]--; s.each[name] == 0 {
			delete(s.each, name)
		}
	}, true
}

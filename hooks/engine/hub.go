package engine

import "sync"

// hub tells those who wait for a Run's events that there are some. It carries
// no event itself: those are in the database.
type hub struct {
	mu      sync.Mutex
	waiters map[string]map[chan struct{}]struct{}
}

func newHub() *hub { return &hub{waiters: map[string]map[chan struct{}]struct{}{}} }

func (h *hub) watch(run string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiters[run] == nil {
		h.waiters[run] = map[chan struct{}]struct{}{}
	}
	h.waiters[run][c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.waiters[run], c)
		if len(h.waiters[run]) == 0 {
			delete(h.waiters, run)
		}
	}
}

func (h *hub) signal(run string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.waiters[run] {
		select {
		case c <- struct{}{}:
		default: // it has not looked since the last signal
		}
	}
}

package plugin

import (
	"crypto/sha256"
	"fmt"

	"github.com/syncgate/syncgate/internal/lru"
	"github.com/syncgate/syncgate/policies/gate"
)

// passedBytes bounds what is kept of trees that were validated: some thousand.
const passedBytes = 1 << 20

// Passed remembers, by the sum of a whole tree, which Gates had no findings in
// it: the Applications of one revision ask the same of the same files. It keeps
// sums alone. A finding and an error are not kept, so that whoever is refused is
// refused by a validation of its own. It is safe for concurrent use.
type Passed struct {
	known *lru.Cache[struct{}]
}

// NewPassed remembers nothing yet.
func NewPassed() *Passed { return &Passed{known: lru.New[struct{}](passedBytes)} }

// knows reports whether g passed in the tree of req before. The key lets it know
// what to keep; ok is false when the answer does not follow from the tree alone.
func (p *Passed) knows(g *gate.Gate, req Request) (key lru.Key, known, ok bool) {
	o := req.Policies
	if p == nil || req.Sum == ([sha256.Size]byte{}) || len(req.Values) > 0 || o.Baseline != nil || !o.Now.IsZero() {
		return key, false, false
	}
	// Numbers and quoted words cannot run into each other.
	key = sha256.Sum256(fmt.Appendf(nil, "%x %q %q %+v", req.Sum, req.Root, g.File, o.Limits))
	_, known = p.known.Get(key)
	return key, known, true
}

func (p *Passed) keep(key lru.Key) { p.known.Put(key, struct{}{}, 0) }

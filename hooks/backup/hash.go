package backup

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"sync/atomic"
)

// contextReader makes a reading that cannot be interrupted end between blocks.
type contextReader struct {
	ctx context.Context //nolint:containedctx // io.Reader has no other way, and it lives within one call
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// splitHash is the SHA-256 of the SHA-256 digests of parts of given sizes.
type splitHash struct {
	sizes []int64
	part  hash.Hash
	all   hash.Hash
	// left is what the current part still takes.
	left int64
}

func (s *splitHash) Write(p []byte) (int, error) {
	total := len(p)
	if s.part == nil && len(s.sizes) == 0 {
		return total, nil
	}
	for len(p) > 0 {
		if s.left == 0 && !s.next() {
			break // longer than its parts: the size tells
		}
		n := min(int64(len(p)), s.left)
		s.part.Write(p[:n])
		s.left -= n
		p = p[n:]
	}
	return total, nil
}

// next ends the current part and begins one that takes bytes.
func (s *splitHash) next() bool {
	for s.left == 0 {
		s.end()
		if len(s.sizes) == 0 {
			return false
		}
		s.part, s.left, s.sizes = sha256.New(), s.sizes[0], s.sizes[1:]
	}
	return true
}

func (s *splitHash) end() {
	if s.part != nil {
		s.all.Write(s.part.Sum(nil))
		s.part = nil
	}
}

func (s *splitHash) sum(b []byte) []byte {
	s.end()
	return s.all.Sum(b)
}

// Package lru keeps what follows from content alone, by the SHA-256 of that
// content, up to a number of bytes. What was asked for longest ago goes first.
package lru

import (
	"container/list"
	"crypto/sha256"
	"sync"
)

// Key is the sum of all that a value follows from.
type Key [sha256.Size]byte

// overhead is about what an entry takes beside its value.
const overhead = 256

// Cache is safe for concurrent use. A value that is kept must not be changed by
// anybody.
type Cache[V any] struct {
	most int

	mu    sync.Mutex
	size  int
	order *list.List // of *entry[V], newest first
	known map[Key]*list.Element
}

type entry[V any] struct {
	key   Key
	value V
	size  int
}

// New makes a Cache that holds at most so many bytes.
func New[V any](most int) *Cache[V] {
	return &Cache[V]{most: most, order: list.New(), known: map[Key]*list.Element{}}
}

// Get is the value of a key, and whether there is one.
func (c *Cache[V]) Get(key Key) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.known[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry[V]).value, true
}

// Put keeps a value of so many bytes, unless it is larger than all that may be
// kept.
func (c *Cache[V]) Put(key Key, value V, size int) {
	size += overhead
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.known[key]; ok || size > c.most {
		return
	}
	c.known[key] = c.order.PushFront(&entry[V]{key, value, size})
	for c.size += size; c.size > c.most; {
		old := c.order.Remove(c.order.Back()).(*entry[V])
		delete(c.known, old.key)
		c.size -= old.size
	}
}

// Bytes is how many bytes are kept.
func (c *Cache[V]) Bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

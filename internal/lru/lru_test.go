package lru_test

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"

	"github.com/syncgate/syncgate/internal/lru"
)

func key(i int) lru.Key { return sha256.Sum256(fmt.Append(nil, i)) }

func TestCacheKeepsWhatWasAskedForLast(t *testing.T) {
	const each, most = 744, 3000 // 1000 with what an entry takes itself
	c := lru.New[int](most)
	for i := range 3 {
		c.Put(key(i), i, each)
	}
	if got, ok := c.Get(key(0)); !ok || got != 0 {
		t.Fatalf("expected 0, found %d, %t", got, ok)
	}
	c.Put(key(3), 3, each)
	for i, want := range []bool{true, false, true, true} {
		if _, ok := c.Get(key(i)); ok != want {
			t.Errorf("value %d is kept: expected %t, found %t", i, want, ok)
		}
	}
	c.Put(key(4), 4, most)
	if _, ok := c.Get(key(4)); ok {
		t.Error("a value larger than the bound is kept")
	}
	if got := c.Bytes(); got != most {
		t.Errorf("expected %d bytes, found %d", most, got)
	}
}

func TestCacheStaysWithinItsBoundAtOnce(t *testing.T) {
	c := lru.New[int](10_000)
	var wg sync.WaitGroup
	for from := range 8 {
		wg.Go(func() {
			for i := range 500 {
				c.Put(key(from+i), from+i, i)
				if got, ok := c.Get(key(from + i)); ok && got != from+i {
					t.Errorf("expected %d, found %d", from+i, got)
				}
			}
		})
	}
	wg.Wait()
	if got := c.Bytes(); got > 10_000 {
		t.Errorf("expected at most 10000 bytes, found %d", got)
	}
}

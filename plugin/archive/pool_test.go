package archive

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestPoolLetsAllThrough has many archives, each of the most that one may hold or
// less, come piece by piece at the same pace, which is what would have each wait for
// the others if pieces were handed out as long as there are any.
func TestPoolLetsAllThrough(t *testing.T) {
	const most, each = 1000, 500
	for _, tt := range []struct {
		name           string
		archives, size int
	}{
		{"as large as may be", 16, each},
		{"more than half of that", 16, 300},
		{"small ones", 64, 40},
		{"of every size", 64, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			p := NewPool(most)
			var wg sync.WaitGroup
			for range tt.archives {
				wg.Go(func() {
					size := tt.size
					if size == 0 {
						size = 1 + rand.IntN(each)
					}
					s := p.Join(time.Time{})
					defer s.Release()
					for have := 0; have < size; have += 10 {
						if err := s.hold(ctx, int64(min(have+10, size))); err != nil {
							t.Errorf("at %d of %d: %v", have, size, err)
							return
						}
						if held := p.Held(); held > most {
							t.Errorf("%d are held, expected at most %d", held, most)
						}
						time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
					}
				})
			}
			wg.Wait()
			if held := p.Held(); held != 0 {
				t.Errorf("%d are held when all is over", held)
			}
		})
	}
}

func TestPoolRefuses(t *testing.T) {
	soon := func() time.Time { return time.Now().Add(20 * time.Millisecond) }
	p := NewPool(1000)
	first, second, third := p.Join(time.Time{}), p.Join(soon()), p.Join(soon())
	hold := func(s *Share, bytes int64, want bool) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if !want { // the archive's own end, beside the time until which it waits
			time.AfterFunc(40*time.Millisecond, cancel)
		}
		err := s.hold(ctx, bytes)
		if (err == nil) != want || (err != nil && !errors.Is(err, ErrLimit)) {
			t.Errorf("%d bytes: got %v, want them to be granted: %t", bytes, err, want)
		}
	}
	hold(first, 100, true)
	hold(second, 501, false) // more than one may hold
	hold(second, 500, true)
	hold(third, 401, false) // more than there is
	hold(third, 400, true)
	hold(first, 101, false)
	second.Release()
	hold(first, 500, true)
	first.Release()
	first.Release()
	third.Release()
	if held := p.Held(); held != 0 {
		t.Errorf("%d are held when all is released", held)
	}
}

// TestPoolLetsLargeOnesHaveTheirTurn keeps handing out small pieces while a large
// one waits.
func TestPoolLetsLargeOnesHaveTheirTurn(t *testing.T) {
	p := NewPool(1000)
	small := p.Join(time.Time{})
	if err := small.hold(t.Context(), 400); err != nil {
		t.Fatal(err)
	}
	other := p.Join(time.Time{})
	if err := other.hold(t.Context(), 300); err != nil {
		t.Fatal(err)
	}
	large, granted := p.Join(time.Time{}), make(chan error, 1)
	go func() { granted <- large.hold(t.Context(), 500) }()
	for waits := false; !waits; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		waits = large.waiting
		p.mu.Unlock()
	}
	if err := p.Join(time.Now().Add(20*time.Millisecond)).hold(t.Context(), 10); err == nil {
		t.Error("one that came later got ahead of the large one")
	}
	small.Release()
	if err := <-granted; err != nil {
		t.Error(err)
	}
}

package cmpserver

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// slowly gives at most 32 KiB at a time, with a moment in between.
type slowly struct{ r io.Reader }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return s.r.Read(p[:min(len(p), 32<<10)])
}

// TestArchivesAreBoundedTogether has eight archives of 3 MiB arrive at the same
// pace where all may hold 8 MiB: each is half received when there is no room for the
// next piece of all of them. All are received, two at a time in the end, and none is
// refused; that no Gate is in them is what each hears.
func TestArchivesAreBoundedTogether(t *testing.T) {
	const most = 8 << 20
	s := serveWith(t, Options{ArchivesBytes: most, Concurrency: 8})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	watched := watchHeld(t, s)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			data, err := io.ReadAll(entries(entry{Header: tar.Header{Name: "a", Size: 2 << 20}}, entry{Header: tar.Header{Name: "b", Size: 1 << 20}}))
			if err != nil {
				t.Error(err)
				return
			}
			err = sendAll(ctx, s.client, slowly{strings.NewReader(string(data))}, sum(data))
			if err == nil || !strings.Contains(err.Error(), "no syncgate.yaml") {
				t.Errorf("want the archive received and no Gate found in it, got %v", err)
			}
		})
	}
	wg.Wait()
	if held := watched(); held > most || held < most/2 {
		t.Errorf("at most %d bytes were held, expected no more than %d and more than half", held, most)
	}
	s.works(t)
	s.holdsNothing(t)
}

// watchHeld looks at what archives hold until it is asked for the most.
func watchHeld(t *testing.T, s served) (most func() int64) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		for {
			most = max(most, s.service.pool.Held())
			select {
			case <-stop:
				done <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() int64 { close(stop); return <-done }
}

// holdsNothing expects the room of all archives back.
func (s served) holdsNothing(t *testing.T) {
	t.Helper()
	eventually(t, func() string {
		if s.service.pool.Held() != 0 {
			return "archives still hold bytes"
		}
		return ""
	})
}

// TestNoRoomForAnArchive lets archives that stop half way hold all there is: the next
// waits within its deadline and hears which limit that is. Once they are gone it is
// answered.
func TestNoRoomForAnArchive(t *testing.T) {
	s := serveWith(t, Options{ArchivesBytes: 8 << 20})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for range 2 {
		hold, body := io.Pipe()
		context.AfterFunc(ctx, func() { _ = body.CloseWithError(ctx.Err()) })
		wg.Go(func() { _ = sendAll(ctx, s.client, hold, "") })
		go func() {
			_, _ = io.Copy(body, written(gzip.NoCompression, func(w *tar.Writer) error {
				if err := add(w, entry{Header: tar.Header{Name: "a", Size: 3 << 20}}); err != nil {
					return err
				}
				return errUnfinished
			}))
		}()
	}
	eventually(t, func() string {
		if held := s.service.pool.Held(); held < 6<<20 {
			return "the first archives have not arrived"
		}
		return ""
	})
	late, done := context.WithTimeout(t.Context(), 4*time.Second)
	defer done()
	err := sendAll(late, s.client, entries(entry{Header: tar.Header{Name: "a", Size: 3 << 20}}), "")
	want := []string{"entry \"a\"", "limit hit: archivesBytes=8388608", "--archives-mib", "manifest-generate-paths", "hard refresh"}
	for _, text := range want {
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(status.Convert(err).Message(), text) {
			t.Errorf("want a refusal with %q, got %v", text, err)
		}
	}
	_, small := shop(t, "shop")
	if _, err := generate(t.Context(), s.client, small, sum(small), "eu"); err != nil {
		t.Errorf("what is small has room beside them: %v", err)
	}
	cancel()
	wg.Wait()
	s.holdsNothing(t)
	err = sendAll(t.Context(), s.client, entries(entry{Header: tar.Header{Name: "a", Size: 3 << 20}}), "")
	if err == nil || strings.Contains(err.Error(), "archivesBytes") {
		t.Errorf("want room for an archive of another sum, got %v", err)
	}
	s.works(t)
}

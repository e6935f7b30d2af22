// Package storetest holds what every backup.Store must do.
package storetest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks/backup"
)

// Fixture is an empty store to test, and the hands that fill it.
type Fixture struct {
	// Stores holds the store under Name.
	Stores *backup.Stores
	Name   string
	// Put writes an object as its uploader would, one that asks for no
	// checksum; a later one is newer.
	Put func(key string, content []byte)
	// Delete removes an object.
	Delete func(key string)
}

// patience is how long a proof may take on a busy machine.
const patience = time.Minute

// Conformance runs the cases that hold for every store. fresh gives a fresh,
// empty store that lists at most maxObjects objects (0: its default).
func Conformance(t *testing.T, fresh func(t *testing.T, maxObjects int) Fixture) {
	cases := map[string]func(t *testing.T, f Fixture){
		"an empty store has none":                      emptyHasNone,
		"the newest under prefix and suffix is taken":  newestIsTaken,
		"a prefix is the start of a key, not a folder": prefixIsText,
		"checksum files are no objects":                sidecarsAreNone,
		"a checksum file that holds proves the object": sidecarProves,
		"a checksum file of other content does not":    sidecarOfOther,
		"a truncated object does not hold":             truncated,
		"a checksum file that is none is told":         sidecarBroken,
		"without a checksum nothing is proved":         noChecksum,
		"an object that was replaced is changed":       replaced,
		"an object that was removed is changed":        removed,
		"what is read is the object's content":         content,
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, 0)) })
	}
	t.Run("a listing has a limit", func(t *testing.T) {
		f := fresh(t, 3)
		for i := range 4 {
			f.Put(fmt.Sprintf("b/%d.gz", i), []byte("x"))
		}
		_, err := f.store(t).Newest(t.Context(), "b/", "")
		if err == nil || !strings.Contains(err.Error(), "maxObjects") || errors.Is(err, backup.ErrNone) {
			t.Fatalf("expected an error that names maxObjects, found %v", err)
		}
	})
}

func (f Fixture) store(t *testing.T) backup.Store {
	t.Helper()
	s, err := f.Stores.Get(f.Name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f Fixture) newest(t *testing.T, prefix, suffix string) backup.Object {
	t.Helper()
	o, err := f.store(t).Newest(t.Context(), prefix, suffix)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (f Fixture) prove(t *testing.T, o backup.Object) backup.Proven {
	t.Helper()
	p, err := f.Stores.Prove(t.Context(), o, patience)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sum is the checksum file of an object a.gz with this content.
func sum(content []byte) []byte {
	return fmt.Appendf(nil, "%x  a.gz\n", sha256.Sum256(content))
}

func emptyHasNone(t *testing.T, f Fixture) {
	if o, err := f.store(t).Newest(t.Context(), "", ""); !errors.Is(err, backup.ErrNone) {
		t.Fatalf("expected ErrNone, found %v, %v", o, err)
	}
}

func newestIsTaken(t *testing.T, f Fixture) {
	for _, key := range []string{"db/a.sql.gz", "db/deep/b.sql.gz", "db/c.log", "files/d.sql.gz"} {
		f.Put(key, []byte(key))
	}
	o := f.newest(t, "db/", ".sql.gz")
	if o.Key != "db/deep/b.sql.gz" || o.Size != int64(len("db/deep/b.sql.gz")) || o.Store != f.Name || o.Modified.IsZero() {
		t.Fatalf("expected db/deep/b.sql.gz, found %+v", o)
	}
	if o := f.newest(t, "", ""); o.Key != "files/d.sql.gz" {
		t.Fatalf("expected files/d.sql.gz, found %+v", o)
	}
	if _, err := f.store(t).Newest(t.Context(), "db/", ".zip"); !errors.Is(err, backup.ErrNone) {
		t.Fatalf("expected ErrNone, found %v", err)
	}
}

func prefixIsText(t *testing.T, f Fixture) {
	f.Put("db/eu-1.gz", []byte("1"))
	f.Put("db/us-2.gz", []byte("2"))
	f.Put("other/eu-3.gz", []byte("3"))
	if o := f.newest(t, "db/eu", ""); o.Key != "db/eu-1.gz" {
		t.Fatalf("expected db/eu-1.gz, found %+v", o)
	}
}

func sidecarsAreNone(t *testing.T, f Fixture) {
	f.Put("a.gz", []byte("a"))
	f.Put("a.gz.sha256", sum([]byte("a")))
	if o := f.newest(t, "", ""); o.Key != "a.gz" {
		t.Fatalf("expected a.gz, found %+v", o)
	}
	f.Delete("a.gz")
	if o, err := f.store(t).Newest(t.Context(), "", ""); !errors.Is(err, backup.ErrNone) {
		t.Fatalf("expected ErrNone, found %v, %v", o, err)
	}
}

func sidecarProves(t *testing.T, f Fixture) {
	content := bytes.Repeat([]byte("backup "), 100_000)
	f.Put("a.gz", content)
	f.Put("a.gz.sha256", sum(content))
	o := f.newest(t, "", "")
	for range 2 {
		if p := f.prove(t, o); !p.Whole || p.Read != int64(len(content)) {
			t.Fatalf("expected it whole, found %+v", p)
		}
	}
}

func sidecarOfOther(t *testing.T, f Fixture) {
	f.Put("a.gz", []byte("what is there"))
	f.Put("a.gz.sha256", sum([]byte("what was meant")))
	if p := f.prove(t, f.newest(t, "", "")); p.Whole || p.Reading || !strings.Contains(p.Why, "a.gz.sha256") || p.Fix == "" {
		t.Fatalf("expected it not whole by a.gz.sha256, found %+v", p)
	}
}

func truncated(t *testing.T, f Fixture) {
	content := bytes.Repeat([]byte("0123456789"), 10_000)
	f.Put("a.gz", content[:70_000])
	f.Put("a.gz.sha256", sum(content))
	if p := f.prove(t, f.newest(t, "", "")); p.Whole || p.Reading {
		t.Fatalf("expected it not whole, found %+v", p)
	}
}

func sidecarBroken(t *testing.T, f Fixture) {
	for _, text := range []string{"", "not a checksum\n", strings.Repeat("0", 64) + "  other.gz\n"} {
		f.Put("a.gz", []byte("a"))
		f.Put("a.gz.sha256", []byte(text))
		if p := f.prove(t, f.newest(t, "", "")); p.Whole || p.Reading || p.Fix == "" {
			t.Fatalf("sidecar %q: expected it not whole, found %+v", text, p)
		}
	}
}

func noChecksum(t *testing.T, f Fixture) {
	f.Put("a.gz", []byte("a"))
	if p := f.prove(t, f.newest(t, "", "")); p.Whole || p.Reading || !strings.Contains(p.Fix, "a.gz.sha256") {
		t.Fatalf("expected it not whole and how to give it a checksum, found %+v", p)
	}
}

func replaced(t *testing.T, f Fixture) {
	f.Put("a.gz", []byte("one"))
	o := f.newest(t, "", "")
	f.Put("a.gz", []byte("two"))
	f.Put("a.gz.sha256", sum([]byte("one")))
	if r, err := f.store(t).Open(t.Context(), o); !errors.Is(err, backup.ErrChanged) {
		t.Fatalf("expected ErrChanged, found %v, %v", r, err)
	}
	if p, err := f.Stores.Prove(t.Context(), o, patience); !errors.Is(err, backup.ErrChanged) {
		t.Fatalf("expected ErrChanged, found %+v, %v", p, err)
	}
}

func removed(t *testing.T, f Fixture) {
	f.Put("a.gz", []byte("one"))
	f.Put("a.gz.sha256", sum([]byte("one")))
	o := f.newest(t, "", "")
	f.Delete("a.gz")
	if p, err := f.Stores.Prove(t.Context(), o, patience); !errors.Is(err, backup.ErrChanged) {
		t.Fatalf("expected ErrChanged, found %+v, %v", p, err)
	}
}

func content(t *testing.T, f Fixture) {
	want := bytes.Repeat([]byte{0, 1, 2, 3, 255}, 50_000)
	f.Put("folder with space/ä+%.bin", want)
	r, err := f.store(t).Open(t.Context(), f.newest(t, "folder with", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("expected %d bytes, found %d, %v", len(want), len(got), err)
	}
}

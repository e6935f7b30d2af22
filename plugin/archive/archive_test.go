package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/syncgate/syncgate/plugin/archive"
)

// pack makes a gzipped tar of the headers; a regular file holds body times its
// size.
func pack(t testing.TB, headers []tar.Header, body byte) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		h.Mode = 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write(bytes.Repeat([]byte{body}, int(h.Size))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRead(t *testing.T) {
	data := pack(t, []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir},
		{Name: "./apps/eu/values.yaml", Size: 3},
		{Name: "apps/chart", Typeflag: tar.TypeDir},
		{Name: "apps/chart/Chart.yaml", Size: 1},
		{Name: "apps/empty"},
		{Name: "apps/us", Typeflag: tar.TypeSymlink, Linkname: "eu"},
		{Name: "root", Typeflag: tar.TypeSymlink, Linkname: "./apps/us/values.yaml"},
	}, 'x')
	fsys, err := archive.Read(t.Context(), bytes.NewReader(data), archive.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(fsys, "apps/eu/values.yaml", "apps/chart/Chart.yaml", "apps/empty"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"apps/eu/values.yaml", "apps/us/values.yaml", "root"} {
		if got, err := fs.ReadFile(fsys, name); err != nil || string(got) != "xxx" {
			t.Errorf("%s: want xxx, got %q, %v", name, got, err)
		}
		if sum, ok := fsys.SumFile(name); !ok || sum != sha256.Sum256([]byte("xxx")) {
			t.Errorf("%s: want the sum of xxx, got %x, %t", name, sum, ok)
		}
	}
	if f, err := fsys.OpenReal("apps/eu/values.yaml"); err != nil || f.Close() != nil {
		t.Error(err)
	}
	for _, name := range []string{"apps", "apps/us", "apps/us/values.yaml", "root", "apps/nope", "../root"} {
		if _, err := fsys.OpenReal(name); err == nil {
			t.Errorf("%s was opened as a file that no link leads to", name)
		}
	}
	for _, name := range []string{"apps", "apps/us", "apps/nope", "../root"} {
		if _, ok := fsys.SumFile(name); ok {
			t.Errorf("%s has a sum, and is no file", name)
		}
	}
	if _, err := fs.ReadFile(fsys, "apps/nope"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("want fs.ErrNotExist, got %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	many := make([]tar.Header, 20)
	for i := range many {
		many[i].Name = fmt.Sprintf("f%d", i)
	}
	tests := []struct {
		name    string
		headers []tar.Header
		limits  archive.Limits
		is      error
		want    string
	}{
		{name: "path upwards", headers: []tar.Header{{Name: "a/../../x"}}, is: archive.ErrUnsafe, want: "leaves the root"},
		{name: "absolute path", headers: []tar.Header{{Name: "/etc/passwd"}}, is: archive.ErrUnsafe, want: "relative to the root"},
		{name: "link upwards", headers: []tar.Header{{Name: "a/l", Typeflag: tar.TypeSymlink, Linkname: "../../x"}}, is: archive.ErrUnsafe, want: "out of the root"},
		{name: "absolute link", headers: []tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}}, is: archive.ErrUnsafe, want: "out of the root"},
		{name: "hard link", headers: []tar.Header{{Name: "a"}, {Name: "l", Typeflag: tar.TypeLink, Linkname: "a"}}, is: archive.ErrUnsafe, want: "tar type"},
		{name: "device", headers: []tar.Header{{Name: "l", Typeflag: tar.TypeChar}}, is: archive.ErrUnsafe, want: "tar type"},
		{name: "twice", headers: []tar.Header{{Name: "a"}, {Name: "./a"}}, is: archive.ErrUnsafe, want: "twice"},
		{name: "file and folder", headers: []tar.Header{{Name: "a"}, {Name: "a/b"}}, is: archive.ErrUnsafe, want: "a file and a folder"},
		{name: "entries", headers: many, limits: archive.Limits{Entries: 10}, is: archive.ErrLimit, want: "entries=10"},
		{name: "bytes", headers: []tar.Header{{Name: "a", Size: 600}, {Name: "b", Size: 600}}, limits: archive.Limits{Bytes: 1000}, is: archive.ErrLimit, want: "bytes=1000"},
		{name: "compressed", headers: many, limits: archive.Limits{Compressed: 64}, is: archive.ErrLimit, want: "compressed=64"},
		{name: "path length", headers: []tar.Header{{Name: strings.Repeat("a/", 60) + "x"}}, limits: archive.Limits{PathLength: 100}, is: archive.ErrLimit, want: "pathLength=100"},
		{name: "bomb", headers: []tar.Header{{Name: "a", Size: 64 << 20}}, is: archive.ErrLimit, want: "ratio=200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := archive.Read(t.Context(), bytes.NewReader(pack(t, tt.headers, 0)), tt.limits, nil)
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("want %v with %q, got %v", tt.is, tt.want, err)
			}
		})
	}
}

func TestReadRefusesDamage(t *testing.T) {
	data := pack(t, []tar.Header{{Name: "a", Size: 100_000}}, 'x')
	flipped := bytes.Clone(data)
	flipped[len(flipped)-6] ^= 0xff // in the sum at the end
	tests := map[string][]byte{"empty": nil, "not gzip": []byte("hello, this is no archive"), "cut": data[:len(data)/2], "flipped": flipped}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := archive.Read(t.Context(), bytes.NewReader(in), archive.Limits{}, nil); err == nil {
				t.Fatal("want an error")
			}
		})
	}
}

func TestReadStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	data := pack(t, []tar.Header{{Name: "a", Size: 1000}}, 'x')
	r := io.MultiReader(bytes.NewReader(data[:20]), readerFunc(func(p []byte) (int, error) {
		cancel()
		return copy(p, data[20:]), io.EOF
	}))
	cancel()
	if _, err := archive.Read(ctx, r, archive.Limits{}, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("want context.Canceled, got %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestLinksInACircleEnd(t *testing.T) {
	data := pack(t, []tar.Header{
		{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "b"}, {Name: "b", Typeflag: tar.TypeSymlink, Linkname: "a"},
	}, 0)
	fsys, err := archive.Read(t.Context(), bytes.NewReader(data), archive.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.ReadFile(fsys, "a"); err == nil || !strings.Contains(err.Error(), "maxLinks") {
		t.Fatalf("want the limit's name, got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(pack(f, []tar.Header{{Name: "a/b", Size: 3}, {Name: "l", Typeflag: tar.TypeSymlink, Linkname: "a"}}, 'x'))
	limits := archive.Limits{Bytes: 1 << 20, Entries: 100}
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys, err := archive.Read(t.Context(), bytes.NewReader(data), limits, nil)
		if err != nil {
			return
		}
		err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.Type()&fs.ModeSymlink != 0 {
				return nil //nolint:nilerr // only panics and escapes are of interest
			}
			if !fs.ValidPath(name) {
				t.Errorf("path %q leaves the root", name)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestSumTellsTreesApart(t *testing.T) {
	trees := map[string][]tar.Header{
		"one":          {{Name: "a", Size: 2}, {Name: "b", Size: 1}},
		"other sizes":  {{Name: "a", Size: 1}, {Name: "b", Size: 2}},
		"other name":   {{Name: "a", Size: 2}, {Name: "c", Size: 1}},
		"fewer":        {{Name: "a", Size: 2}},
		"link":         {{Name: "a", Size: 2}, {Name: "b", Typeflag: tar.TypeSymlink, Linkname: "a"}},
		"other target": {{Name: "a", Size: 2}, {Name: "b", Typeflag: tar.TypeSymlink, Linkname: "c"}},
		"folder":       {{Name: "a", Size: 2}, {Name: "b", Typeflag: tar.TypeDir}},
	}
	known := map[[32]byte]string{}
	for name, headers := range trees {
		for _, body := range []byte("xy") {
			fsys, err := archive.Read(t.Context(), bytes.NewReader(pack(t, headers, body)), archive.Limits{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if other, twice := known[fsys.Sum()]; twice {
				t.Errorf("%s and %s have the same sum", name, other)
			}
			known[fsys.Sum()] = name
		}
	}
	again := make([]tar.Header, 0, 2)
	for _, h := range trees["one"] {
		h.ModTime = time.Unix(1, 0)
		again = append(again, h)
	}
	fsys, err := archive.Read(t.Context(), bytes.NewReader(pack(t, again, 'x')), archive.Limits{}, nil)
	if err != nil || known[fsys.Sum()] != "one" {
		t.Errorf("expected the sum of one at another time too, found %q, %v", known[fsys.Sum()], err)
	}
}

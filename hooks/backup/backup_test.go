package backup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks/backup"
)

func open(t *testing.T, options ...backup.StoreOptions) *backup.Stores {
	t.Helper()
	stores, err := backup.Open(options, slog.New(slog.DiscardHandler))
	noError(t, err)
	t.Cleanup(stores.Close)
	return stores
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	noError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	noError(t, os.WriteFile(file, content, 0o600))
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	folder := &backup.FolderOptions{Path: "/backups"}
	s3 := backup.S3Options{Endpoint: "https://s3.example.com", Bucket: "backups", AccessKey: "k", SecretKey: "s"}
	with := func(change func(*backup.S3Options)) []backup.StoreOptions {
		s := s3
		change(&s)
		return []backup.StoreOptions{{Name: "s3", S3: &s}}
	}
	for name, c := range map[string]struct {
		options []backup.StoreOptions
		want    string
	}{
		"no name":           {[]backup.StoreOptions{{Folder: folder}}, "name:"},
		"neither kind":      {[]backup.StoreOptions{{Name: "a"}}, "exactly one of folder and s3"},
		"both kinds":        {[]backup.StoreOptions{{Name: "a", Folder: folder, S3: &s3}}, "exactly one of folder and s3"},
		"a name twice":      {[]backup.StoreOptions{{Name: "a", Folder: folder}, {Name: "a", Folder: folder}}, "taken"},
		"a relative folder": {[]backup.StoreOptions{{Name: "a", Folder: &backup.FolderOptions{Path: "backups"}}}, "absolute"},
		"no endpoint":       {with(func(s *backup.S3Options) { s.Endpoint = "" }), "s3.endpoint"},
		"a secret in the endpoint": {
			with(func(s *backup.S3Options) { s.Endpoint = "https://user:hunter2@s3.example.com" }), "without path and credentials"},
		"a bad bucket":           {with(func(s *backup.S3Options) { s.Bucket = "B" }), "s3.bucket"},
		"a bad path style":       {with(func(s *backup.S3Options) { s.PathStyle = "x" }), "auto, path or dns"},
		"no credentials":         {with(func(s *backup.S3Options) { s.AccessKey, s.SecretKey = "", "" }), "exactly one of"},
		"half of them":           {with(func(s *backup.S3Options) { s.SecretKey = "" }), "found one"},
		"two kinds of them":      {with(func(s *backup.S3Options) { s.IAM = true }), "exactly one of"},
		"one file of two":        {with(func(s *backup.S3Options) { s.AccessKey, s.SecretKey, s.AccessKeyFile = "", "", "/k" }), "found one"},
		"a CA that is not there": {with(func(s *backup.S3Options) { s.CAFile = "/nowhere/ca.pem" }), "s3.caFile"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := backup.Open(c.options, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("expected an error with %q and without secrets, found %v", c.want, err)
			}
		})
	}
}

func TestGetListsNames(t *testing.T) {
	t.Parallel()
	folder := &backup.FolderOptions{Path: "/backups"}
	_, err := open(t, backup.StoreOptions{Name: "b", Folder: folder}, backup.StoreOptions{Name: "a", Folder: folder}).Get("c")
	if err == nil || !strings.Contains(err.Error(), "a, b") {
		t.Fatalf("expected the names, found %v", err)
	}
	if _, err = open(t).Get("c"); err == nil || !strings.Contains(err.Error(), "no stores") {
		t.Fatalf("expected that there are none, found %v", err)
	}
}

func TestFolderFollowsNoLinks(t *testing.T) {
	t.Parallel()
	outside, root := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret.gz"), []byte("x"))
	write(t, filepath.Join(root, "real", "a.gz"), []byte("x"))
	noError(t, os.Symlink(filepath.Join(outside, "secret.gz"), filepath.Join(root, "link.gz")))
	noError(t, os.Symlink(outside, filepath.Join(root, "linked")))
	noError(t, os.Symlink("real", filepath.Join(root, "inside")))
	stores := open(t, backup.StoreOptions{Name: "f", Folder: &backup.FolderOptions{Path: root}})
	store, err := stores.Get("f")
	noError(t, err)
	for _, prefix := range []string{"link", "linked/", "inside/", "../", "/"} {
		if o, err := store.Newest(t.Context(), prefix, ""); !errors.Is(err, backup.ErrNone) {
			t.Errorf("prefix %q: expected ErrNone, found %+v, %v", prefix, o, err)
		}
	}
	o, err := store.Newest(t.Context(), "", "")
	noError(t, err)
	if o.Key != "real/a.gz" {
		t.Fatalf("expected real/a.gz, found %s", o.Key)
	}
	for _, key := range []string{"link.gz", "linked/secret.gz", "inside/a.gz", "../" + filepath.Base(outside) + "/secret.gz", "/etc/passwd"} {
		other := o
		other.Key = key
		if r, err := store.Open(t.Context(), other); err == nil {
			r.Close()
			t.Errorf("opened %s", key)
		}
	}
	// A checksum file that is a link is no checksum, and no pass.
	noError(t, os.Symlink(filepath.Join(outside, "secret.gz"), filepath.Join(root, "real", "a.gz.sha256")))
	if p, err := stores.Prove(t.Context(), o, time.Minute); err == nil {
		t.Errorf("expected an error for a linked checksum file, found %+v", p)
	}
}

func TestFolderThatIsNotThere(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "later")
	store, err := open(t, backup.StoreOptions{Name: "f", Folder: &backup.FolderOptions{Path: root}}).Get("f")
	noError(t, err)
	if _, err := store.Newest(t.Context(), "", ""); err == nil || errors.Is(err, backup.ErrNone) || !strings.Contains(err.Error(), root) {
		t.Fatalf("expected an error that names the folder and is not ErrNone, found %v", err)
	}
	write(t, filepath.Join(root, "a.gz"), []byte("x"))
	if o, err := store.Newest(t.Context(), "", ""); err != nil || o.Key != "a.gz" {
		t.Fatalf("expected a.gz once the folder is there, found %+v, %v", o, err)
	}
}

// A file that grows or is rewritten while it is read is not proved.
func TestFolderNoticesWritesWhileReading(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	file := filepath.Join(root, "a.gz")
	write(t, file, bytes.Repeat([]byte("a"), 1000))
	store, err := open(t, backup.StoreOptions{Name: "f", Folder: &backup.FolderOptions{Path: root}}).Get("f")
	noError(t, err)
	o, err := store.Newest(t.Context(), "", "")
	noError(t, err)
	r, err := store.Open(t.Context(), o)
	noError(t, err)
	defer r.Close()
	_, err = io.ReadFull(r, make([]byte, 10))
	noError(t, err)
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	noError(t, err)
	_, err = f.WriteString("more")
	noError(t, err)
	noError(t, f.Close())
	if _, err = io.ReadAll(r); !errors.Is(err, backup.ErrChanged) {
		t.Fatalf("expected ErrChanged, found %v", err)
	}
}

func TestReadingHasALimit(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, filepath.Join(root, "a.gz"), make([]byte, 100))
	write(t, filepath.Join(root, "a.gz.sha256"), fmt.Appendf(nil, "%x\n", sha256.Sum256(make([]byte, 100))))
	stores := open(t, backup.StoreOptions{Name: "f", Folder: &backup.FolderOptions{Path: root}, MaxRead: 99})
	store, err := stores.Get("f")
	noError(t, err)
	o, err := store.Newest(t.Context(), "", "")
	noError(t, err)
	p, err := stores.Prove(t.Context(), o, time.Minute)
	noError(t, err)
	if p.Whole || p.Reading || !strings.Contains(p.Why, "maxRead") {
		t.Fatalf("expected that maxRead is hit, found %+v", p)
	}
}

// slowStore gives an object whose content comes when the test lets it.
type slowStore struct {
	content []byte
	sums    []backup.Checksum
	gate    chan struct{}
	opened  atomic.Int32
	failure error
}

func (s *slowStore) Newest(context.Context, string, string) (backup.Object, error) {
	return backup.Object{Store: "slow", Key: "a", Location: "slow://a", Size: int64(len(s.content)), Version: "1"}, nil
}

func (s *slowStore) Checksums(context.Context, backup.Object) ([]backup.Checksum, error) {
	return s.sums, nil
}

func (s *slowStore) Open(ctx context.Context, _ backup.Object) (io.ReadCloser, error) {
	s.opened.Add(1)
	if s.failure != nil {
		return nil, s.failure
	}
	half := len(s.content) / 2
	return io.NopCloser(io.MultiReader(bytes.NewReader(s.content[:half]), waiting{ctx, s.gate}, bytes.NewReader(s.content[half:]))), nil
}

// waiting reads nothing, once its gate is open.
type waiting struct {
	ctx  context.Context
	gate chan struct{}
}

func (w waiting) Read([]byte) (int, error) {
	select {
	case <-w.gate:
		return 0, io.EOF
	case <-w.ctx.Done():
		return 0, w.ctx.Err()
	}
}

func slow(t *testing.T, s *slowStore) (*backup.Stores, backup.Object) {
	t.Helper()
	s.gate = make(chan struct{})
	if s.sums == nil {
		s.sums = []backup.Checksum{{Source: "test", Sum: sha256.Sum256(s.content)}}
	}
	stores := backup.WithStore("slow", s, 1<<30)
	t.Cleanup(stores.Close)
	o, err := s.Newest(t.Context(), "", "")
	noError(t, err)
	return stores, o
}

func TestReadingGoesOnBetweenQuestions(t *testing.T) {
	t.Parallel()
	s := &slowStore{content: bytes.Repeat([]byte("x"), 1<<20)}
	stores, o := slow(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	var p backup.Proven
	for p.Read < 1<<19 { // until half of it is read, and no more can be
		var err error
		p, err = stores.Prove(ctx, o, time.Millisecond)
		noError(t, err)
		if !p.Reading || p.Whole || p.Read > 1<<19 {
			t.Fatalf("expected it half read at most, found %+v", p)
		}
	}
	if !strings.Contains(p.Why, "512.0 KiB of 1.0 MiB") {
		t.Errorf("expected the progress, found %q", p.Why)
	}
	cancel() // the question that began it is over
	close(s.gate)
	p, err := stores.Prove(t.Context(), o, time.Minute)
	noError(t, err)
	if !p.Whole {
		t.Fatalf("expected it whole, found %+v", p)
	}
	if p, err = stores.Prove(t.Context(), o, 0); err != nil || !p.Whole {
		t.Fatalf("expected the answer at once, found %+v, %v", p, err)
	}
	if n := s.opened.Load(); n != 1 {
		t.Fatalf("expected one reading, found %d", n)
	}
}

func TestReadingThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := &slowStore{content: []byte("xx"), failure: errors.New("connection reset")}
	stores, o := slow(t, s)
	close(s.gate)
	for range 2 {
		if p, err := stores.Prove(t.Context(), o, time.Minute); err == nil || p.Whole {
			t.Fatalf("expected an error, found %+v, %v", p, err)
		}
	}
	if n := s.opened.Load(); n != 2 {
		t.Fatalf("expected two readings, found %d", n)
	}
}

func TestCloseEndsReading(t *testing.T) {
	t.Parallel()
	s := &slowStore{content: []byte("xx")}
	stores, o := slow(t, s)
	p, err := stores.Prove(t.Context(), o, time.Millisecond)
	noError(t, err)
	if !p.Reading {
		t.Fatalf("expected that it is read, found %+v", p)
	}
	stores.Close()
	if p, err := stores.Prove(t.Context(), o, time.Minute); err == nil {
		t.Fatalf("expected an error after Close, found %+v", p)
	}
}

// All checksums must hold, not one of them.
func TestEveryChecksumCounts(t *testing.T) {
	t.Parallel()
	content := []byte("0123456789")
	whole, other := sha256.Sum256(content), sha256.Sum256([]byte("other"))
	a, b, c := sha256.Sum256(content[:4]), sha256.Sum256(content[4:8]), sha256.Sum256(content[8:])
	composite := sha256.Sum256(append(append(a[:], b[:]...), c[:]...))
	parts := []int64{4, 4, 2}
	for name, test := range map[string]struct {
		sums []backup.Checksum
		want bool
	}{
		"whole":                     {[]backup.Checksum{{Sum: whole}}, true},
		"whole is wrong":            {[]backup.Checksum{{Sum: other}}, false},
		"parts":                     {[]backup.Checksum{{Sum: composite, Parts: parts}}, true},
		"parts and whole":           {[]backup.Checksum{{Sum: composite, Parts: parts}, {Sum: whole}}, true},
		"parts of other sizes":      {[]backup.Checksum{{Sum: composite, Parts: []int64{4, 2, 4}}}, false},
		"parts taken for the whole": {[]backup.Checksum{{Sum: composite}}, false},
		"whole taken for parts":     {[]backup.Checksum{{Sum: whole, Parts: parts}}, false},
		"one of two is wrong":       {[]backup.Checksum{{Sum: whole}, {Sum: other}}, false},
		"the parts are wrong":       {[]backup.Checksum{{Sum: whole}, {Sum: other, Parts: parts}}, false},
		"an empty part":             {[]backup.Checksum{{Sum: composite, Parts: []int64{4, 4, 0, 2}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &slowStore{content: content, sums: test.sums}
			stores, o := slow(t, s)
			close(s.gate)
			p, err := stores.Prove(t.Context(), o, time.Minute)
			noError(t, err)
			if p.Whole != test.want || p.Reading {
				t.Fatalf("expected whole %v, found %+v", test.want, p)
			}
		})
	}
}

// A store that gives less or more than it listed proves nothing, whatever its
// checksum says.
func TestSizeCounts(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{9, 11} {
		s := &slowStore{content: []byte("0123456789")}
		stores, o := slow(t, s)
		close(s.gate)
		o.Size = size
		p, err := stores.Prove(t.Context(), o, time.Minute)
		noError(t, err)
		if p.Whole {
			t.Fatalf("size %d: expected it not whole, found %+v", size, p)
		}
	}
}

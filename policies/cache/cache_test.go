package cache_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/syncgate/syncgate/internal/rootfs"
	"github.com/syncgate/syncgate/policies/cache"
	"github.com/syncgate/syncgate/policies/tree"
)

// write makes a folder of files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		put(t, dir, name, text)
	}
	return dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	file := at(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// at is the file of a slash path in dir.
func at(dir, name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// look asks a tree everything that can be asked.
func look(fsys fs.FS) {
	_, _ = fs.ReadFile(fsys, "a/one.yaml")
	_, _ = fs.ReadDir(fsys, "a")
	_, _ = fs.Lstat(fsys, "a/one.yaml")
	_, _ = fs.Lstat(fsys, "b/link.yaml")
	_, _ = fs.ReadLink(fsys, "b/link.yaml")
	_, _ = fs.Stat(fsys, "b/two.yaml")
	_, _ = fs.Stat(fsys, "none.yaml")
	_, _ = fs.ReadFile(fsys, "absent.yaml")
}

func store(t *testing.T) *cache.Store {
	t.Helper()
	s, err := cache.Open(filepath.Join(t.TempDir(), "cache"))
	check(t, err)
	return s
}

// TestEveryChangeMisses changes one thing that was asked for after the other.
func TestEveryChangeMisses(t *testing.T) {
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { check(t, os.Remove(at(dir, name))) }
	}
	add := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { put(t, dir, name, text) }
	}
	tests := []struct {
		name   string
		change func(t *testing.T, dir string)
		hit    bool
	}{
		{"nothing", func(*testing.T, string) {}, true},
		{"a file nobody read", add("b/unread.yaml", "x"), true},
		{"the bytes of a file", add("a/one.yaml", "2"), false},
		{"a file added to a folder that was listed", add("a/new.yaml", ""), false},
		{"a file removed from it", remove("a/other.yaml"), false},
		{"a file that was read removed", remove("a/one.yaml"), false},
		{"a file that was not there", add("absent.yaml", ""), false},
		{"a file that was looked for", add("none.yaml", ""), false},
		{"a file that was looked for removed", remove("b/two.yaml"), false},
		{"a link that points elsewhere", func(t *testing.T, dir string) {
			remove("b/link.yaml")(t, dir)
			check(t, os.Symlink("three.yaml", at(dir, "b/link.yaml")))
		}, false},
		{"a file in place of a link", func(t *testing.T, dir string) {
			remove("b/link.yaml")(t, dir)
			put(t, dir, "b/link.yaml", "two")
		}, false},
		{"a link in place of a file, with the same bytes", func(t *testing.T, dir string) {
			check(t, os.Rename(at(dir, "a/one.yaml"), at(dir, "b/one.yaml")))
			check(t, os.Symlink("../b/one.yaml", at(dir, "a/one.yaml")))
		}, false},
		{"a folder in place of a file", func(t *testing.T, dir string) {
			remove("b/two.yaml")(t, dir)
			check(t, os.Mkdir(at(dir, "b/two.yaml"), 0o700))
		}, false},
		{"an unreadable kind in place of a file", func(t *testing.T, dir string) {
			remove("a/one.yaml")(t, dir)
			check(t, os.Mkdir(at(dir, "a/one.yaml"), 0o700))
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, map[string]string{"a/one.yaml": "1", "a/other.yaml": "", "b/two.yaml": "two", "b/three.yaml": "two"})
			check(t, os.Symlink("two.yaml", at(dir, "b/link.yaml")))
			s, key := store(t), cache.Key("validate")
			r := cache.Record(os.DirFS(dir))
			look(r.Tree(0))
			check(t, s.Put(key, r, []byte("answer")))
			tt.change(t, dir)
			if data, ok := s.Get(t.Context(), key, os.DirFS(dir)); ok != tt.hit || ok && string(data) != "answer" {
				t.Errorf("Get = %q, %v; want a hit: %v", data, ok, tt.hit)
			}
		})
	}
}

// TestEveryChangeMissesOfAFolder is the same of a folder as the programs read it.
func TestEveryChangeMissesOfAFolder(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(t *testing.T, dir string)
		hit    bool
	}{
		"nothing":   {func(*testing.T, string) {}, true},
		"the bytes": {func(t *testing.T, dir string) { put(t, dir, "a/one.yaml", "2") }, false},
		"a link with the same": {func(t *testing.T, dir string) {
			check(t, os.Rename(at(dir, "a/one.yaml"), at(dir, "one.yaml")))
			check(t, os.Symlink("../one.yaml", at(dir, "a/one.yaml")))
		}, false},
		"a folder's link that leads out": {func(t *testing.T, dir string) {
			check(t, os.Rename(at(dir, "a"), dir+".out"))
			check(t, os.Symlink(dir+".out", at(dir, "a")))
		}, false},
		"it is gone": {func(t *testing.T, dir string) { check(t, os.Remove(at(dir, "a/one.yaml"))) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"a/one.yaml": "1"})
			root, err := rootfs.Open(dir)
			check(t, err)
			defer root.Close()
			s, key := store(t), cache.Key("validate")
			r := cache.Record(root.FS())
			if data, err := tree.New(r.Tree(0)).Read("a/one.yaml", 10); err != nil || string(data) != "1" {
				t.Fatal(string(data), err)
			}
			check(t, s.Put(key, r, []byte("answer")))
			tt.change(t, dir)
			if _, ok := s.Get(t.Context(), key, root.FS()); ok != tt.hit {
				t.Errorf("a hit: %t, want %t", ok, tt.hit)
			}
		})
	}
}

// TestTreesAreApart holds that one tree does not answer for another, and that a
// tree which is gone answers nothing.
func TestTreesAreApart(t *testing.T) {
	now, before := write(t, map[string]string{"f": "now"}), write(t, map[string]string{"f": "before"})
	s, key := store(t), cache.Key("k")
	r := cache.Record(os.DirFS(now), os.DirFS(before))
	for i := range 2 {
		_, _ = fs.ReadFile(r.Tree(i), "f")
	}
	check(t, s.Put(key, r, nil))
	for name, tt := range map[string]struct {
		trees []fs.FS
		hit   bool
	}{
		"the same":  {[]fs.FS{os.DirFS(now), os.DirFS(before)}, true},
		"exchanged": {[]fs.FS{os.DirFS(before), os.DirFS(now)}, false},
		"one gone":  {[]fs.FS{os.DirFS(now), nil}, false},
		"one less":  {[]fs.FS{os.DirFS(now)}, false},
	} {
		if _, ok := s.Get(t.Context(), key, tt.trees...); ok != tt.hit {
			t.Errorf("%s: hit %v, want %v", name, ok, tt.hit)
		}
	}
}

// TestPartlyReadIsNotKept holds that a file of which the rest is not known keeps
// the answer from being kept, and so does one that changes meanwhile.
func TestPartlyReadIsNotKept(t *testing.T) {
	dir := write(t, map[string]string{"f": "long text"})
	s := store(t)
	r := cache.Record(os.DirFS(dir))
	f, err := r.Tree(0).Open("f")
	check(t, err)
	_, _ = f.Read(make([]byte, 4))
	check(t, f.Close())
	if err := s.Put(cache.Key("a"), r, nil); err == nil {
		t.Error("kept an answer made from a part of a file")
	}
	r = cache.Record(os.DirFS(dir))
	_, _ = fs.ReadFile(r.Tree(0), "f")
	put(t, dir, "f", "other text")
	_, _ = fs.ReadFile(r.Tree(0), "f")
	if err := s.Put(cache.Key("a"), r, nil); err == nil {
		t.Error("kept an answer made from two states of a file")
	}
}

// TestDamagedEntriesAreNone turns every byte of an entry in turn, cuts it at
// every place, and puts it in the place of another.
func TestDamagedEntriesAreNone(t *testing.T) {
	tree, dir := os.DirFS(write(t, map[string]string{"f": "text"})), t.TempDir()
	check(t, os.Chmod(dir, 0o700))
	s, err := cache.Open(dir)
	check(t, err)
	key := cache.Key("a")
	save := func() {
		r := cache.Record(tree)
		_, _ = fs.ReadFile(r.Tree(0), "f")
		check(t, s.Put(key, r, []byte("answer")))
	}
	save()
	names, err := filepath.Glob(filepath.Join(dir, "*.entry"))
	if err != nil || len(names) != 1 {
		t.Fatalf("entries %q, %v; want one", names, err)
	}
	whole, err := os.ReadFile(names[0])
	check(t, err)
	none := func(what string, i int, data []byte) {
		check(t, os.WriteFile(names[0], data, 0o600))
		if _, ok := s.Get(t.Context(), key, tree); ok {
			t.Errorf("%s %d: took a damaged entry", what, i)
		}
	}
	for i := range whole {
		bad := append([]byte{}, whole...)
		bad[i] ^= 1
		none("byte", i, bad)
		none("cut at", i, whole[:i])
	}
	save()
	if _, ok := s.Get(t.Context(), key, tree); !ok {
		t.Error("a damaged entry was not written anew")
	}
	other := cache.Key("b")
	r := cache.Record(tree)
	check(t, s.Put(other, r, []byte("another answer")))
	none("of another key", 0, read(t, names[0], dir))
}

// read is the entry in dir that is not the one named.
func read(t *testing.T, not, dir string) []byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.entry"))
	check(t, err)
	for _, name := range names {
		if name != not {
			data, err := os.ReadFile(name)
			check(t, err)
			return data
		}
	}
	t.Fatal("no other entry")
	return nil
}

// TestStoreIsBounded writes more entries than there may be, by several programs.
func TestStoreIsBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			s, err := cache.Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 100 {
				if err := s.Put(cache.Key(string(rune('a'+w)), string(rune(i))), cache.Record(), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) == 0 || len(names) > 256 {
		t.Errorf("%d entries, %v; want at most 256", len(names), err)
	}
}

// TestFolder holds that the folder is this user's alone.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	_, err := cache.Open(dir)
	check(t, err)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v; want 0700", info.Mode(), err)
	}
	check(t, os.Chmod(dir, 0o777))
	if _, err := cache.Open(dir); err == nil {
		t.Error("took a folder that everybody can write to")
	}
	check(t, os.Chmod(dir, 0o755))
	if _, err := cache.Open(dir); err != nil {
		t.Errorf("a folder that everybody can read: %v", err)
	}
	const other = 12345
	if err := os.Chown(dir, other, -1); err != nil {
		t.Skipf("only root can give a folder away: %v", err)
	}
	if _, err := cache.Open(dir); err == nil || !strings.Contains(err.Error(), "belongs to user 12345") {
		t.Errorf("a folder of another user's: %v", err)
	}
}

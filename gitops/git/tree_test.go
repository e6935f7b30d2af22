package git_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/git"
)

func readFile(t *testing.T, repo *git.Repository, sha, name string) string {
	t.Helper()
	tree, err := repo.Tree(t.Context(), sha)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fs.ReadFile(tree, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTreeIsAFileSystem(t *testing.T) {
	src := newSource(t)
	files := map[string]string{
		"syncgate.yaml": "a", "eu/values.yaml": "b", "us/values.yaml": "c", "chart/Chart.yaml": "d",
		"chart/templates/x y.yaml": "e", "chart-2/ä.yaml": "f", "chart/bin\nary": "g\x00h",
	}
	src.Write(files)
	if err := os.Chmod(filepath.Join(src.Work, "syncgate.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	sha := src.Commit("one", nil)
	repo := open(t, src)
	tree, err := repo.Tree(t.Context(), sha)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name, content := range files {
		names = append(names, name)
		if got, err := fs.ReadFile(tree, name); err != nil || string(got) != content {
			t.Errorf("ReadFile(%q) = %q, %v, want %q", name, got, err, content)
		}
	}
	if err := fstest.TestFS(tree, names...); err != nil {
		t.Error(err)
	}
	info, err := fs.Stat(tree, "syncgate.yaml")
	if err != nil || info.Mode() != 0o755 || info.Size() != 1 {
		t.Errorf("Stat = %v, %v", info, err)
	}
}

func TestTreeFollowsNothing(t *testing.T) {
	src := newSource(t)
	src.Commit("one", map[string]string{"real/values.yaml": "x"})
	for name, target := range map[string]string{"out": "/etc/passwd", "in": "real/values.yaml", "dir": "real", "up": "../../secret"} {
		if err := os.Symlink(target, filepath.Join(src.Work, name)); err != nil {
			t.Fatal(err)
		}
	}
	src.Git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",module")
	src.Git("add", "out", "in", "dir", "up")
	src.Git("commit", "--quiet", "-m", "links")
	sha := src.Push()
	repo := open(t, src)
	tree, err := repo.Tree(t.Context(), sha)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]error{
		"out": git.ErrSymlink, "in": git.ErrSymlink, "dir": git.ErrSymlink, "up": git.ErrSymlink,
		"dir/values.yaml": git.ErrSymlink, "module": git.ErrSubmodule, "module/x": git.ErrSubmodule,
		"nope": fs.ErrNotExist, "real/nope": fs.ErrNotExist, "../x": fs.ErrInvalid, "/etc/passwd": fs.ErrInvalid,
	}
	for name, want := range tests {
		_, readErr := fs.ReadFile(tree, name)
		_, statErr := fs.Stat(tree, name)
		_, openErr := tree.Open(name)
		_, dirErr := fs.ReadDir(tree, name)
		for what, err := range map[string]error{"ReadFile": readErr, "Stat": statErr, "Open": openErr, "ReadDir": dirErr} {
			if !errors.Is(err, want) || !gitops.Lasting(err) {
				t.Errorf("%s(%q): %v, want %v, which lasts", what, name, err, want)
			}
		}
	}
	if _, err := fs.ReadFile(tree, "real"); err == nil {
		t.Error("a folder was read as a file")
	}
	kinds := map[string]fs.FileMode{}
	list, err := fs.ReadDir(tree, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		kinds[d.Name()] = d.Type()
		if _, err := d.Info(); err != nil {
			t.Errorf("Info of %s: %v", d.Name(), err)
		}
	}
	want := map[string]fs.FileMode{
		"dir": fs.ModeSymlink, "in": fs.ModeSymlink, "out": fs.ModeSymlink, "up": fs.ModeSymlink,
		"module": fs.ModeIrregular, "real": fs.ModeDir,
	}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Errorf("kinds (-want +got):\n%s", d)
	}
}

// fetches counts the packs in the cache: every fetch leaves one.
func packs(t *testing.T, dir string) int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*", "*", "trees", "objects", "pack", "*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestTreeFetchesInBatches(t *testing.T) {
	src := newSource(t)
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("clusters/c%03d/values.yaml", i)] = fmt.Sprint("v", i)
		files[fmt.Sprintf("other/%03d.bin", i)] = fmt.Sprint("o", i)
	}
	sha := src.Commit("one", files)
	dir := t.TempDir()
	cache := func(o *git.Options) { o.Dir = dir }
	repo := open(t, src, cache)
	tree, err := repo.Tree(t.Context(), sha)
	if err != nil {
		t.Fatal(err)
	}
	before := packs(t, dir)
	for i := range 300 {
		if got := readFile(t, repo, sha, fmt.Sprintf("clusters/c%03d/values.yaml", i)); got != fmt.Sprint("v", i) {
			t.Fatalf("cluster %d: %q", i, got)
		}
	}
	if n := packs(t, dir) - before; n != 1 {
		t.Errorf("300 files of one name took %d fetches, want 1", n)
	}
	if err := tree.(*git.Tree).Prefetch(t.Context(), func(p string) bool { return strings.HasPrefix(p, "other/") }); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		if got := readFile(t, repo, sha, fmt.Sprintf("other/%03d.bin", i)); got != fmt.Sprint("o", i) {
			t.Fatalf("other %d: %q", i, got)
		}
	}
	if n := packs(t, dir) - before; n != 2 {
		t.Errorf("prefetched files took %d fetches, want 2 in all", n)
	}
	// What is in the cache is not fetched again by the next process.
	if err := repo.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, src, cache, func(o *git.Options) { o.URL = "file://" + src.Dir })
	if err := os.Rename(src.Dir, src.Dir+".away"); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, again, sha, "clusters/c007/values.yaml"); got != "v7" {
		t.Errorf("from the cache: %q", got)
	}
}

func TestLimits(t *testing.T) {
	src := newSource(t)
	noise := make([]byte, 600<<10)
	for i := range noise {
		noise[i] = byte(i*i>>3 ^ i*7>>5 ^ i*131>>7)
	}
	sha := src.Commit("one", map[string]string{"big.yaml": string(noise), "small.yaml": "x"})
	tests := map[string]struct {
		limits git.Limits
		limit  string
	}{
		"entries": {git.Limits{Entries: 1}, "Entries"},
		"file":    {git.Limits{FileBytes: 100 << 10}, "FileBytes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			repo := open(t, src, func(o *git.Options) { o.Limits = tt.limits })
			tree, err := repo.Tree(t.Context(), sha)
			if err == nil {
				if small, err := fs.ReadFile(tree, "small.yaml"); err != nil || string(small) != "x" {
					t.Errorf("small.yaml = %q, %v", small, err)
				}
				_, err = fs.ReadFile(tree, "big.yaml")
				var limit *git.LimitError
				if !errors.As(err, &limit) || limit.Name != tt.limit {
					t.Errorf("big.yaml: %v, want LimitError of %s", err, tt.limit)
				}
				// And the reader works on after it.
				if small, err := fs.ReadFile(tree, "small.yaml"); err != nil || string(small) != "x" {
					t.Errorf("small.yaml after it = %q, %v", small, err)
				}
				return
			}
			var limit *git.LimitError
			if !errors.As(err, &limit) || limit.Name != tt.limit {
				t.Errorf("Tree: %v, want LimitError of %s", err, tt.limit)
			}
		})
	}
}

// The cache may be lost or damaged at any time.
func TestCacheHeals(t *testing.T) {
	damage := map[string]func(t *testing.T, slot string){
		"removed":     func(t *testing.T, slot string) { must(t, os.RemoveAll(filepath.Join(slot, "trees"))) },
		"stale lock":  func(t *testing.T, slot string) { touch(t, filepath.Join(slot, "trees", "shallow.lock")) },
		"no objects":  func(t *testing.T, slot string) { must(t, os.RemoveAll(filepath.Join(slot, "trees", "objects"))) },
		"broken head": func(t *testing.T, slot string) { must(t, os.Remove(filepath.Join(slot, "trees", "HEAD"))) },
	}
	for name, f := range damage {
		t.Run(name, func(t *testing.T) {
			src := newSource(t)
			one := src.Commit("one", map[string]string{"a.yaml": "1"})
			dir := t.TempDir()
			repo := open(t, src, func(o *git.Options) { o.Dir = dir })
			if got := readFile(t, repo, one, "a.yaml"); got != "1" {
				t.Fatal(got)
			}
			must(t, repo.Close())
			slots, err := filepath.Glob(filepath.Join(dir, "*", "0"))
			if err != nil || len(slots) != 1 {
				t.Fatal(slots, err)
			}
			f(t, slots[0])
			two := src.Commit("two", map[string]string{"a.yaml": "2"})
			repo = open(t, src, func(o *git.Options) { o.Dir = dir })
			if got := readFile(t, repo, two, "a.yaml"); got != "2" {
				t.Error(got)
			}
		})
	}
}

func TestCacheIsBegunAnew(t *testing.T) {
	src := newSource(t)
	one := src.Commit("one", map[string]string{"a.yaml": "1", "x/b.bin": strings.Repeat("q", 10)})
	dir := t.TempDir()
	repo := open(t, src, func(o *git.Options) { o.Dir = dir; o.Limits.CacheBytes = 1 })
	old, err := repo.Tree(t.Context(), one)
	must(t, err)
	for i := range 5 {
		sha := src.Commit("more", map[string]string{"a.yaml": fmt.Sprint("v", i)})
		if got := readFile(t, repo, sha, "a.yaml"); got != fmt.Sprint("v", i) {
			t.Errorf("a.yaml = %q", got)
		}
	}
	if n := packs(t, dir); n > 2 {
		t.Errorf("%d packs in a cache that is over its limit", n)
	}
	if b, err := fs.ReadFile(old, "x/b.bin"); err != nil || string(b) != "qqqqqqqqqq" {
		t.Errorf("a tree from before: %q, %v", b, err)
	}
}

func TestConcurrentReaders(t *testing.T) {
	src := newSource(t)
	var shas []string
	for i := range 6 {
		shas = append(shas, src.Commit("c", map[string]string{"a.yaml": fmt.Sprint(i), "d/b.yaml": fmt.Sprint(i * i)}))
	}
	dir := t.TempDir()
	repos := []*git.Repository{
		open(t, src, func(o *git.Options) { o.Dir = dir }),
		open(t, src, func(o *git.Options) { o.Dir = dir }), // the same cache folder
	}
	var wg sync.WaitGroup
	for _, repo := range repos {
		for i, sha := range shas {
			wg.Go(func() {
				tree, err := repo.Tree(context.WithoutCancel(t.Context()), sha)
				if err != nil {
					t.Error(err)
					return
				}
				for name, want := range map[string]string{"a.yaml": fmt.Sprint(i), "d/b.yaml": fmt.Sprint(i * i)} {
					if b, err := fs.ReadFile(tree, name); err != nil || string(b) != want {
						t.Errorf("%s = %q, %v, want %q", name, b, err, want)
					}
				}
				if _, err := repo.IsAncestor(context.WithoutCancel(t.Context()), shas[0], sha); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	must(t, os.WriteFile(path, nil, 0o600))
}

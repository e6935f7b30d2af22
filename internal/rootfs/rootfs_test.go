package rootfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/syncgate/syncgate/internal/rootfs"
)

// folder makes one of everything: files, folders, links that stay, leave, circle and
// dangle, and a pipe.
func folder(t *testing.T) string {
	t.Helper()
	outer := t.TempDir()
	dir := filepath.Join(outer, "repo")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"repo/syncgate.yaml": "gate", "repo/a/one": "1", "repo/a/empty": "", "repo/a/deep/er/two": strings.Repeat("2", 100_000),
		"secret": "secret", "repo/b/three": "3",
	} {
		check(os.MkdirAll(filepath.Join(outer, filepath.Dir(name)), 0o755))
		check(os.WriteFile(filepath.Join(outer, name), []byte(text), 0o640))
	}
	check(os.Mkdir(filepath.Join(dir, "none"), 0o711))
	for name, target := range map[string]string{
		"a/link": "one", "a/up": "../b/three", "dirlink": "a/deep", "a/out": "../../secret", "a/absolute": dir + "/a/one",
		"outdir": "..", "circle": "circle", "dangling": "nowhere", "a/self": ".", "through": "dirlink/er/../er/two", "proc": "/proc/self/fd/0",
	} {
		check(os.Symlink(target, filepath.Join(dir, name)))
	}
	check(syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	return dir
}

// names are paths to ask for, those of everything in the folder and more.
func names(t *testing.T, dir string) []string {
	t.Helper()
	list := []string{
		".", "", "/", "..", "a/..", "../secret", "a/out", "outdir/secret", "outdir/repo/a/one", "a/one/", "a/one/x", "a//one", "no/such", "nosuch",
		"dirlink/er/two", "dirlink/er", "a/self/self/one", "circle/x", "dangling/x", "a/./one", "a/deep/../one", "proc", "proc/x", "a\x00b", `a\one`,
	}
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		list = append(list, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func open(t *testing.T, dir string) *rootfs.Root {
	t.Helper()
	r, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func describe(i fs.FileInfo, err error) string {
	if err != nil {
		return told(err)
	}
	return fmt.Sprint(i.Name(), i.Size(), i.Mode(), i.ModTime().UnixNano(), i.IsDir())
}

// told is an error with what callers look for in it.
func told(err error) string {
	return fmt.Sprintf("%v (absent %t, invalid %t, permission %t)", err,
		errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid), errors.Is(err, fs.ErrPermission))
}

// read opens, describes and reads a file.
func read(fsys fs.FS, name string) string {
	f, err := fsys.Open(name)
	if err != nil {
		return told(err)
	}
	defer f.Close()
	text := describe(f.Stat())
	if i, err := f.Stat(); err == nil && !i.Mode().IsRegular() {
		return text
	}
	data, err := io.ReadAll(f)
	return fmt.Sprint(text, len(data), string(data[:min(len(data), 9)]), err)
}

// list is a folder, with what each entry in it says of itself.
func list(fsys fs.FS, name string) string {
	entries, err := fs.ReadDir(fsys, name)
	if err != nil {
		return told(err)
	}
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintln(&b, e.Name(), e.IsDir(), e.Type(), describe(e.Info()), e)
	}
	return b.String()
}

// TestAsOSRoot asks both for everything, and both must answer the same.
func TestAsOSRoot(t *testing.T) {
	dir := folder(t)
	std, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer std.Close()
	ours := open(t, dir)
	asked := map[string]func(fs.FS, string) string{
		"Stat":    func(f fs.FS, n string) string { return describe(fs.Stat(f, n)) },
		"Lstat":   func(f fs.FS, n string) string { return describe(fs.Lstat(f, n)) },
		"ReadDir": list,
		"ReadLink": func(f fs.FS, n string) string {
			s, err := fs.ReadLink(f, n)
			return fmt.Sprint(s, err)
		},
		"ReadFile": func(f fs.FS, n string) string {
			data, err := fs.ReadFile(f, n)
			if err != nil {
				return told(err)
			}
			return fmt.Sprint(len(data), string(data[:min(len(data), 9)]))
		},
		"Open": read,
	}
	good := 0
	for _, name := range names(t, dir) {
		for what, ask := range asked {
			if name == "pipe" && (what == "Open" || what == "ReadFile" || what == "ReadDir") {
				continue // os.Root waits for whoever writes into it
			}
			// In some errors os.Root shows where on the machine the folder lies.
			want := strings.ReplaceAll(ask(std.FS(), name), dir+"/", "")
			got := strings.ReplaceAll(ask(ours.FS(), name), dir+"/", "")
			if want != got {
				t.Errorf("%s(%q): %s, os.Root says %s", what, name, got, want)
			}
			if !strings.Contains(got, "absent") {
				good++
			}
		}
	}
	if good < 50 {
		t.Errorf("only %d answers were no errors", good)
	}
}

// TestOpenReal opens what is a file without a link on the way, and nothing else.
func TestOpenReal(t *testing.T) {
	dir := folder(t)
	fsys, ok := open(t, dir).FS().(interface {
		OpenReal(name string) (fs.File, error)
	})
	if !ok {
		t.Skip("it is not fast here")
	}
	opened := 0
	for _, name := range names(t, dir) {
		want := fs.ValidPath(name)
		for at := name; want && at != "."; at = path.Dir(at) {
			i, err := os.Lstat(filepath.Join(dir, at))
			want = err == nil && (i.IsDir() || at == name && i.Mode().IsRegular())
		}
		i, err := os.Lstat(filepath.Join(dir, name))
		want = want && err == nil && i.Mode().IsRegular()
		f, err := fsys.OpenReal(name)
		if (err == nil) != want {
			t.Errorf("OpenReal(%q): %v, want a file: %t", name, err, want)
		}
		if err == nil {
			opened++
			_ = f.Close()
		}
	}
	if opened < 4 {
		t.Errorf("only %d files were opened", opened)
	}
}

// TestNothingLeadsOut says it without a peer.
func TestNothingLeadsOut(t *testing.T) {
	dir := folder(t)
	fsys := open(t, dir).FS()
	for _, name := range []string{"a/out", "outdir/secret", "a/absolute", "../secret", "outdir", "proc", "a/../../secret"} {
		if data, err := fs.ReadFile(fsys, name); err == nil {
			t.Errorf("ReadFile(%s) = %q", name, data)
		}
		if _, err := fsys.Open(name); err == nil {
			t.Errorf("Open(%s) succeeded", name)
		}
		if _, err := fs.ReadDir(fsys, name); err == nil {
			t.Errorf("ReadDir(%s) succeeded", name)
		}
		if _, err := fs.Stat(fsys, name); err == nil {
			t.Errorf("Stat(%s) succeeded", name)
		}
	}
}

// TestPipeIsNotWaitedFor: what is no file is seen to be none.
func TestPipeIsNotWaitedFor(t *testing.T) {
	fsys := open(t, folder(t)).FS()
	if _, err := fs.ReadFile(fsys, "pipe"); err == nil {
		t.Error("the pipe was read")
	}
	if _, err := fs.ReadDir(fsys, "pipe"); err == nil {
		t.Error("the pipe was listed")
	}
	f, err := fsys.Open("pipe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if i, err := f.Stat(); err != nil || i.Mode().Type() != fs.ModeNamedPipe {
		t.Errorf("it is %v, %v", i, err)
	}
}

// TestFS is the standard library's own, on what has no pipe and no link that leads
// nowhere.
func TestFS(t *testing.T) {
	dir := folder(t)
	for _, name := range []string{"pipe", "a/out", "a/absolute", "outdir", "circle", "dangling", "proc", "through"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := fstest.TestFS(open(t, dir).FS(), "a/one", "a/deep/er/two", "b/three"); err != nil {
		t.Error(err)
	}
}

// TestFolderMayMove: the folder is held, not its name.
func TestFolderMayMove(t *testing.T) {
	dir := folder(t)
	fsys := open(t, dir).FS()
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	if data, err := fs.ReadFile(fsys, "a/link"); err != nil || string(data) != "1" {
		t.Errorf("%q, %v", data, err)
	}
	entries, err := fs.ReadDir(fsys, "a/deep")
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	if i, err := entries[0].Info(); err != nil || !i.IsDir() {
		t.Error(i, err)
	}
}

// TestNothingStaysOpen holds that what was asked for, also in vain, leaves no
// descriptor behind, and that a closed file says so.
func TestNothingStaysOpen(t *testing.T) {
	dir := folder(t)
	r := open(t, dir)
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(list)
	}
	before := count()
	for _, name := range names(t, dir) {
		_, _ = fs.Stat(r.FS(), name)
		_, _ = fs.Lstat(r.FS(), name)
		_, _ = fs.ReadDir(r.FS(), name)
		_, _ = fs.ReadFile(r.FS(), name)
		_ = read(r.FS(), name)
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
	f, err := r.FS().Open("a/one")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, errRead := f.Read(make([]byte, 1))
	_, errStat := f.Stat()
	for _, err := range []error{f.Close(), errRead, errStat} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("a closed file says %v", err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.FS().Open("a/one"); err == nil {
		t.Error("a closed folder opens files")
	}
	if !slices.Contains(names(t, dir), "pipe") {
		t.Error("the pipe was not asked for")
	}
}

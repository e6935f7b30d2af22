package plugin

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/tree"
)

// annotation is what an Application narrows with what Argo CD sends.
const annotation = "argocd.argoproj.io/manifest-generate-paths"

// Narrowed is the folder of the repository that a tree holds, when the
// Application's path is source in the repository and dir in the tree: "." when
// the tree is the whole repository.
func Narrowed(source, dir string) string {
	source, dir = path.Clean(source), path.Clean(dir)
	switch {
	case !fs.ValidPath(source) || !fs.ValidPath(dir) || source == dir:
		return "."
	case dir == ".":
		return source
	}
	if root, ok := strings.CutSuffix(source, "/"+dir); ok {
		return root
	}
	return "."
}

// Mount is a repository of which only the folder root is there, as fsys, so that
// paths are those of the repository.
func Mount(fsys fs.FS, root string) fs.FS {
	if root == "." || root == "" {
		return fsys
	}
	return &mount{fsys: fsys, root: root}
}

type mount struct {
	fsys fs.FS
	root string
}

// below is name as seen from the root; ok is false when it lies elsewhere.
func (m *mount) below(name string) (string, bool) {
	if name == m.root {
		return ".", true
	}
	return strings.CutPrefix(name, m.root+"/")
}

// Holds implements tree.PartialFS.
func (m *mount) Holds(name string) bool {
	_, ok := m.below(name)
	return ok
}

// step is the folder on the way to the root that comes after name, "" when name
// does not lead there.
func (m *mount) step(name string) string {
	rest := m.root
	if name != "." {
		var ok bool
		if rest, ok = strings.CutPrefix(m.root, name+"/"); !ok {
			return ""
		}
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

func (m *mount) missing(op, name string) error {
	if !fs.ValidPath(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Open implements fs.FS.
func (m *mount) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, m.missing("open", name)
	}
	rel, ok := m.below(name)
	if next := m.step(name); !ok && next != "" {
		return &way{name: path.Base(name), next: next}, nil
	}
	if !ok {
		return nil, m.missing("open", name)
	}
	f, err := m.fsys.Open(rel)
	if err != nil || rel != "." {
		return f, err
	}
	if dir, ok := f.(fs.ReadDirFile); ok {
		return rootFile{dir, path.Base(name)}, nil
	}
	return f, nil
}

// ReadFile implements fs.ReadFileFS.
func (m *mount) ReadFile(name string) ([]byte, error) {
	rel, ok := m.below(name)
	if !ok {
		return nil, m.missing("read", name)
	}
	return fs.ReadFile(m.fsys, rel)
}

// SumFile implements tree.SumFS.
func (m *mount) SumFile(name string) (sum [sha256.Size]byte, ok bool) {
	rel, ok := m.below(name)
	sums, known := m.fsys.(tree.SumFS)
	if !ok || !known {
		return sum, false
	}
	return sums.SumFile(rel)
}

// Stat implements fs.StatFS.
func (m *mount) Stat(name string) (fs.FileInfo, error) {
	if rel, ok := m.below(name); ok && rel != "." {
		return fs.Stat(m.fsys, rel)
	}
	return m.folder("stat", name)
}

// Lstat implements fs.ReadLinkFS.
func (m *mount) Lstat(name string) (fs.FileInfo, error) {
	if rel, ok := m.below(name); ok && rel != "." {
		return fs.Lstat(m.fsys, rel)
	}
	return m.folder("lstat", name)
}

// folder describes the root, or a folder on the way to it.
func (m *mount) folder(op, name string) (fs.FileInfo, error) {
	if name == m.root || m.step(name) != "" {
		return folderInfo(path.Base(name)), nil
	}
	return nil, m.missing(op, name)
}

// ReadLink implements fs.ReadLinkFS. Links lead nowhere outside of the root,
// so that their relative targets are as good here.
func (m *mount) ReadLink(name string) (string, error) {
	if rel, ok := m.below(name); ok {
		return fs.ReadLink(m.fsys, rel)
	}
	return "", m.missing("readlink", name)
}

// rootFile is the root under the name that it has in the repository.
type rootFile struct {
	fs.ReadDirFile
	name string
}

func (r rootFile) Stat() (fs.FileInfo, error) { return folderInfo(r.name), nil }

// way is a folder on the way to the root, with the next one in it.
type way struct {
	name, next string
	done       bool
}

func (w *way) Stat() (fs.FileInfo, error) { return folderInfo(w.name), nil }
func (w *way) Close() error               { return nil }
func (w *way) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: w.name, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (w *way) ReadDir(n int) ([]fs.DirEntry, error) {
	if w.done {
		if n > 0 {
			return nil, io.EOF
		}
		return nil, nil
	}
	w.done = true
	return []fs.DirEntry{fs.FileInfoToDirEntry(folderInfo(w.next))}, nil
}

// folderInfo describes a folder that has only a name.
type folderInfo string

func (f folderInfo) Name() string     { return string(f) }
func (folderInfo) Size() int64        { return 0 }
func (folderInfo) Mode() fs.FileMode  { return fs.ModeDir | 0o555 }
func (folderInfo) ModTime() time.Time { return time.Time{} }
func (folderInfo) IsDir() bool        { return true }
func (folderInfo) Sys() any           { return nil }

// notSent is err with what to do when the reason may be that only a part of the
// repository was sent. g is nil when no Gate was found.
func notSent(g *gate.Gate, req Request, err error) error {
	var refused *RefusedError
	if err == nil || req.Root == "" || req.Root == "." || errors.As(err, &refused) {
		return err
	}
	only := fmt.Sprintf("only %s was sent, by the annotation %s", req.Root, annotation)
	if g == nil {
		return fmt.Errorf("%w (%s: a Gate above needs its folder there, as in %q)", err, only, "/"+path.Dir(req.Root))
	}
	missing := outside(g, req.Root)
	if len(missing) == 0 {
		return fmt.Errorf("%w (%s: add what lies elsewhere)", err, only)
	}
	return fmt.Errorf("gate %s reads what Argo CD did not send: add %s to the annotation %s (only %s was sent): %w",
		g.Metadata.Name, strings.Join(missing, ";"), annotation, req.Root, err)
}

// outside are the folders outside of root that the Gate reads, as the
// annotation takes them.
func outside(g *gate.Gate, root string) []string {
	var list []string
	add := func(dir string) {
		if dir = "/" + strings.TrimPrefix(dir, "."); !below(strings.TrimPrefix(dir, "/"), root) && !slices.Contains(list, dir) {
			list = append(list, dir)
		}
	}
	for _, c := range g.Spec.Clusters {
		for _, v := range c.Values {
			if file, err := g.Resolve(v); err == nil {
				add(path.Dir(file))
			}
		}
		if dir, err := g.SourcePath(c.Name); err == nil {
			add(dir)
		}
	}
	slices.Sort(list)
	return list
}

// below reports whether file is dir or lies in it.
func below(file, dir string) bool {
	return dir == "." || file == dir || strings.HasPrefix(file, dir+"/")
}

package archive

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// FS is the unpacked archive. It is safe for concurrent use. Symbolic links
// are followed inside the root, at most 40 of them for a path. It implements
// fs.ReadDirFS, fs.ReadFileFS, fs.StatFS, fs.ReadLinkFS, tree.SumFS
// and tree.RealFS.
type FS struct {
	nodes map[string]*node
	sum   [sha256.Size]byte
}

type node struct {
	name     string
	data     []byte
	sum      [sha256.Size]byte // of data
	link     string            // a symbolic link's target, in the form of fs.FS
	target   string            // the same as the link says it
	dir      bool
	modified time.Time
	children []*node
}

// Sum is a SHA-256 of all entries in their order: kinds, paths, contents and
// links. Times are left out.
func (f *FS) Sum() [sha256.Size]byte { return f.sum }

func newFS() *FS {
	return &FS{nodes: map[string]*node{".": {name: ".", dir: true}}}
}

func (f *FS) addDir(name string) error {
	if n := f.nodes[name]; n != nil {
		if n.dir {
			return nil
		}
		return fmt.Errorf("read archive: entry %.200q: %w: is a file and a folder", name, ErrUnsafe)
	}
	if err := f.addDir(path.Dir(name)); err != nil {
		return err
	}
	f.nodes[name] = &node{name: path.Base(name), dir: true}
	return nil
}

func (f *FS) addLink(name, target string) error {
	clean := path.Join(path.Dir(name), target)
	if path.IsAbs(target) || clean == ".." || strings.HasPrefix(clean, "../") {
		return fmt.Errorf("read archive: entry %.200q: %w: the symbolic link leads out of the root, to %.200q", name, ErrUnsafe, target)
	}
	return f.add(name, &node{link: clean, target: target})
}

func (f *FS) add(name string, n *node) error {
	if f.nodes[name] != nil {
		return fmt.Errorf("read archive: entry %.200q: %w: it is there twice", name, ErrUnsafe)
	}
	if err := f.addDir(path.Dir(name)); err != nil {
		return err
	}
	n.name = path.Base(name)
	f.nodes[name] = n
	return nil
}

// seal lists every folder's children by name.
func (f *FS) seal() {
	for name, n := range f.nodes {
		if name != "." {
			dir := f.nodes[path.Dir(name)]
			dir.children = append(dir.children, n)
		}
	}
	for _, n := range f.nodes {
		slices.SortFunc(n.children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	}
}

const maxLinks = 40

// find is the node at name, links followed.
func (f *FS) find(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at := name
	for range maxLinks {
		n, rest := f.walk(at)
		switch {
		case n == nil:
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		case n.link == "":
			return n, nil
		}
		at = path.Join(n.link, rest)
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("more than %d symbolic links (limit maxLinks)", maxLinks)}
}

// walk is the node at name, or the first link on the way with what remains.
func (f *FS) walk(name string) (n *node, rest string) {
	if n := f.nodes[name]; n != nil {
		return n, ""
	}
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		if n := f.nodes[name[:i]]; n != nil && n.link != "" {
			return n, name[i+1:]
		}
	}
	return nil, ""
}

// Open implements fs.FS.
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	return &file{node: n, Reader: bytes.NewReader(n.data)}, nil
}

// OpenReal implements tree.RealFS.
func (f *FS) OpenReal(name string) (fs.File, error) {
	// A path that is among the nodes leads through no link.
	n := f.nodes[name]
	if n == nil || n.dir || n.link != "" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return &file{node: n, Reader: bytes.NewReader(n.data)}, nil
}

// ReadFile implements fs.ReadFileFS. The bytes are a copy.
func (f *FS) ReadFile(name string) ([]byte, error) {
	n, err := f.find("read", name)
	if err != nil {
		return nil, err
	}
	if n.dir {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	return bytes.Clone(n.data), nil
}

// SumFile implements tree.SumFS.
func (f *FS) SumFile(name string) (sum [sha256.Size]byte, ok bool) {
	n, err := f.find("sum", name)
	if err != nil || n.dir {
		return sum, false
	}
	return n.sum, true
}

// Stat implements fs.StatFS.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	n, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	return info{n}, nil
}

// Lstat implements fs.ReadLinkFS.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	n, err := f.last("lstat", name)
	if err != nil {
		return nil, err
	}
	return info{n}, nil
}

// ReadLink implements fs.ReadLinkFS. The target is relative to the link.
func (f *FS) ReadLink(name string) (string, error) {
	n, err := f.last("readlink", name)
	if err != nil {
		return "", err
	}
	if n.link == "" {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return n.target, nil
}

// last is the node at name itself, links followed only on the way to it.
func (f *FS) last(op, name string) (*node, error) {
	dir, err := f.find(op, path.Dir(name))
	if err != nil {
		return nil, err
	}
	if name == "." {
		return dir, nil
	}
	i, ok := slices.BinarySearchFunc(dir.children, path.Base(name), func(n *node, name string) int { return strings.Compare(n.name, name) })
	if ok {
		return dir.children[i], nil
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// ReadDir implements fs.ReadDirFS.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.dir {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return entries(n.children), nil
}

func entries(nodes []*node) []fs.DirEntry {
	list := make([]fs.DirEntry, len(nodes))
	for i, c := range nodes {
		list[i] = fs.FileInfoToDirEntry(info{c})
	}
	return list
}

// file is an open file or folder.
type file struct {
	*bytes.Reader
	node *node
	at   int
}

func (f *file) Stat() (fs.FileInfo, error) { return info{f.node}, nil }
func (f *file) Close() error               { return nil }

func (f *file) Read(p []byte) (int, error) {
	if f.node.dir {
		return 0, &fs.PathError{Op: "read", Path: f.node.name, Err: fs.ErrInvalid}
	}
	return f.Reader.Read(p)
}

// ReadDir implements fs.ReadDirFile.
func (f *file) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := f.node.children[f.at:]
	if n > 0 {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		rest = rest[:min(n, len(rest))]
	}
	f.at += len(rest)
	return entries(rest), nil
}

// info describes a node.
type info struct{ n *node }

func (i info) Name() string       { return i.n.name }
func (i info) Size() int64        { return int64(len(i.n.data)) }
func (i info) ModTime() time.Time { return i.n.modified }
func (i info) IsDir() bool        { return i.n.dir }
func (i info) Sys() any           { return nil }

func (i info) Mode() fs.FileMode {
	switch {
	case i.n.dir:
		return fs.ModeDir | 0o555
	case i.n.link != "":
		return fs.ModeSymlink | 0o444
	}
	return 0o444
}

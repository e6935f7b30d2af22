package git

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Git's modes of tree entries.
const (
	modeFile       = "100644"
	modeExecutable = "100755"
	modeSymlink    = "120000"
	modeSubmodule  = "160000"
)

// kindError says that an entry is of a kind that is not read so.
type kindError string

func (e kindError) Error() string { return string(e) }

// Is makes it a lasting one, see gitops.Lasting.
func (kindError) Is(target error) bool { return target == fs.ErrInvalid }

// Why an entry cannot be read. Each is fs.ErrInvalid too.
const (
	ErrSymlink   kindError = "is a symbolic link, which is not followed"
	ErrSubmodule kindError = "is a submodule, which is not fetched"
	ErrFolder    kindError = "is a folder"
	errFile      kindError = "is a file" // and was to be listed
)

const (
	maxParsed    = 4     // trees kept parsed
	maxReadAhead = 1_000 // files fetched beside the one that is read
)

// entry is a file, link or submodule of a tree.
type entry struct{ path, mode, id string }

// index is a parsed tree.
type index struct {
	revision string
	entries  []entry                  // sorted by path
	dirs     map[string][]fs.DirEntry // by folder, sorted by name
}

// Tree is the tree of a commit as a file system. Reading a file fetches its
// content if need be, and with it what is likely to be read next; Prefetch
// does so for what is known to be read. Names and kinds cost nothing; sizes are
// known only of content.
//
// The context it was made with bounds every read.
type Tree struct {
	//nolint:containedctx // an fs.FS has no other way to be canceled
	ctx  context.Context
	repo *Repository
	idx  *index
}

var (
	_ fs.ReadDirFS  = (*Tree)(nil)
	_ fs.ReadFileFS = (*Tree)(nil)
	_ fs.StatFS     = (*Tree)(nil)
)

// Tree implements gitops.Repository. The result is a *Tree.
func (r *Repository) Tree(ctx context.Context, revision string) (fs.FS, error) {
	if err := checkSHA("revision", revision); err != nil {
		return nil, fmt.Errorf("read tree: %w", err)
	}
	if idx := r.recall(revision); idx != nil {
		return &Tree{ctx: ctx, repo: r, idx: idx}, nil
	}
	var out []byte
	err := r.withCommit(ctx, revision, func() (err error) {
		out, err = r.run(ctx, call{store: r.trees, args: []string{"ls-tree", "-r", "-z", "--full-tree", "--end-of-options", revision}})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read tree: %w", err)
	}
	idx, err := parseTree(revision, out, r.opts.Limits.Entries)
	if err != nil {
		return nil, fmt.Errorf("read tree of %s at %s: %w", r.remote.shown, revision, err)
	}
	r.remember(idx)
	return &Tree{ctx: ctx, repo: r, idx: idx}, nil
}

// withCommit runs f while the trees store holds the revision and cannot change.
func (r *Repository) withCommit(ctx context.Context, revision string, f func() error) error {
	if err := r.trees.lock(ctx); err != nil {
		return err
	}
	defer r.trees.unlock()
	if err := r.ensureCommits(ctx, revision); err != nil {
		return err
	}
	return f()
}

// ensureCommits fetches those revisions that are not there, each without its
// history and without contents. The caller holds the lock of the trees store.
func (r *Repository) ensureCommits(ctx context.Context, revisions ...string) error {
	if err := r.prepare(ctx, r.trees, revisions[0]); err != nil {
		return err
	}
	known := func(rev string) bool { _, ok := r.trees.known[rev]; return ok }
	if !slices.ContainsFunc(revisions, func(rev string) bool { return !known(rev) }) {
		return nil
	}
	if err := r.prepareToFetch(ctx, r.trees, revisions[0]); err != nil {
		return err
	}
	for range 2 { // twice: a damaged store begins anew on the way
		for _, rev := range revisions {
			if known(rev) {
				continue
			}
			if err := r.fetchCommit(ctx, r.trees, rev, "--depth=1", "--filter=blob:none"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Repository) recall(revision string) *index {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.parsed, func(x *index) bool { return x.revision == revision })
	if i < 0 {
		return nil
	}
	idx := r.parsed[i]
	r.parsed = append(slices.Delete(r.parsed, i, i+1), idx)
	return idx
}

func (r *Repository) remember(idx *index) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parsed = append(r.parsed, idx)
	if len(r.parsed) > maxParsed {
		r.parsed = slices.Delete(r.parsed, 0, 1)
	}
}

// parseTree reads what `git ls-tree -r -z` writes: "mode type id\tpath\0".
func parseTree(revision string, out []byte, limit int) (*index, error) {
	idx := &index{revision: revision}
	for len(out) > 0 {
		line, rest, ok := bytes.Cut(out, []byte{0})
		if !ok {
			return nil, fmt.Errorf("parse tree: entry without end: %.80q", out)
		}
		out = rest
		head, name, ok := strings.Cut(string(line), "\t")
		f := strings.Fields(head)
		if !ok || len(f) != 3 || !shaForm.MatchString(f[2]) {
			return nil, fmt.Errorf("parse tree: expected mode, type, ID and path, found %.80q", line)
		}
		if !fs.ValidPath(name) || name == "." {
			return nil, fmt.Errorf("parse tree: path %.200q leaves the tree or is not in plain form", name)
		}
		if idx.entries = append(idx.entries, entry{path: name, mode: f[0], id: f[2]}); len(idx.entries) > limit {
			return nil, &LimitError{What: "a tree", Name: "Entries", Limit: int64(limit)}
		}
	}
	slices.SortFunc(idx.entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	idx.fold()
	return idx, nil
}

// fold lists the folders.
func (x *index) fold() {
	x.dirs = map[string][]fs.DirEntry{".": nil}
	for i := range x.entries {
		dir := path.Dir(x.entries[i].path)
		x.addDir(dir)
		x.dirs[dir] = append(x.dirs[dir], &dirEntry{name: path.Base(x.entries[i].path), typ: fileType(x.entries[i].mode), file: &x.entries[i]})
	}
	for _, list := range x.dirs {
		slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
}

func (x *index) addDir(dir string) {
	for {
		if _, ok := x.dirs[dir]; ok {
			return
		}
		x.dirs[dir] = nil
		parent := path.Dir(dir)
		x.addDir(parent)
		x.dirs[parent] = append(x.dirs[parent], &dirEntry{name: path.Base(dir), typ: fs.ModeDir})
		dir = parent
	}
}

func (x *index) find(name string) *entry {
	i, ok := slices.BinarySearchFunc(x.entries, name, func(e entry, n string) int { return cmp.Compare(e.path, n) })
	if !ok {
		return nil
	}
	return &x.entries[i]
}

// missing says why there is no such path: a link on the way is named.
func (x *index) missing(name string) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if e := x.find(dir); e != nil && !isFile(e) {
			return fmt.Errorf("%s %w", dir, readable(e))
		}
	}
	return fs.ErrNotExist
}

func fileType(mode string) fs.FileMode {
	switch mode {
	case modeSymlink:
		return fs.ModeSymlink
	case modeSubmodule:
		return fs.ModeIrregular
	}
	return 0
}

func isFile(e *entry) bool { return readable(e) == nil }

func readable(e *entry) error {
	switch e.mode {
	case modeSymlink:
		return ErrSymlink
	case modeSubmodule:
		return ErrSubmodule
	}
	return nil
}

// fileInfo describes an entry; dirEntry does so before its content is there.
type fileInfo struct {
	name string
	mode fs.FileMode
	size int64
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fileInfo) Sys() any           { return nil }

type dirEntry struct {
	name string
	typ  fs.FileMode
	file *entry
	tree *Tree // set when handed out
}

func (d *dirEntry) Name() string      { return d.name }
func (d *dirEntry) IsDir() bool       { return d.typ.IsDir() }
func (d *dirEntry) Type() fs.FileMode { return d.typ }

// Info fetches the file's content, for only then its size is known.
func (d *dirEntry) Info() (fs.FileInfo, error) {
	switch {
	case d.IsDir():
		return fileInfo{name: d.name, mode: fs.ModeDir | 0o755}, nil
	case !isFile(d.file):
		return fileInfo{name: d.name, mode: d.typ | 0o777}, nil
	}
	return d.tree.info(d.file)
}

func (d *dirEntry) String() string { return fs.FormatDirEntry(d) }

// openFile is a file that is read from memory.
type openFile struct {
	*bytes.Reader
	info fileInfo
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Close() error               { return nil }

// openDir is a folder.
type openDir struct {
	info fileInfo
	rest []fs.DirEntry
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: ErrFolder}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		list := d.rest
		d.rest = nil
		return list, nil
	}
	if len(d.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.rest))
	list := d.rest[:n:n]
	d.rest = d.rest[n:]
	return list, nil
}

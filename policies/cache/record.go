// Package cache keeps what was found out about a tree together with everything
// that was asked of it: every folder listed, every file read, every path that was
// not there. The answer is given again only while each of these questions has the
// answer it had, so what an answer depends on is observed, never guessed.
package cache

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"sync"

	"github.com/syncgate/syncgate/policies/tree"
)

// kind is what was asked of a path.
type kind byte

const (
	kindFile  kind = 'f' // the bytes of the file
	kindDir   kind = 'd' // the names in the folder, and what each is
	kindStat  kind = 's' // what the path is, links followed
	kindLstat kind = 'l' // what the path itself is
	kindLink  kind = 'r' // where the link points
)

// question is one thing that was asked of a tree.
type question struct {
	tree byte
	kind kind
	path string
}

type digest [sha256.Size]byte

// Recorder remembers what is asked of its trees, and what they answer.
type Recorder struct {
	trees []fs.FS

	mu      sync.Mutex
	answers map[question]digest
	broken  error
}

// Record makes a Recorder of the trees, of which nil ones stay nil.
func Record(trees ...fs.FS) *Recorder {
	r := &Recorder{answers: map[question]digest{}}
	for i, t := range trees {
		switch links, ok := t.(fs.ReadLinkFS); {
		case t == nil:
			r.trees = append(r.trees, nil)
		case ok:
			r.trees = append(r.trees, linkedTree{recorded{r, byte(i), t}, links})
		default:
			r.trees = append(r.trees, recorded{r, byte(i), t})
		}
	}
	return r
}

// Tree is the tree of that place among those given to Record.
func (r *Recorder) Tree(i int) fs.FS { return r.trees[i] }

// note keeps an answer. One that is not the same each time it is asked, or that
// cannot be asked again, makes the whole record useless.
func (r *Recorder) note(q question, d digest, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.broken = errors.Join(r.broken, fmt.Errorf("record %s: %w", q.path, err))
		return
	}
	if was, ok := r.answers[q]; ok && was != d {
		r.broken = errors.Join(r.broken, fmt.Errorf("record %s: it changed while it was read", q.path))
	}
	r.answers[q] = d
}

// recorded is a tree whose answers are kept.
type recorded struct {
	r    *Recorder
	tree byte
	fsys fs.FS
}

func (t recorded) note(k kind, name string, d digest, err error) {
	t.r.note(question{t.tree, k, name}, d, err)
}

// Open implements fs.FS.
func (t recorded) Open(name string) (fs.File, error) {
	f, err := t.fsys.Open(name)
	if err != nil {
		d, problem := absent(err)
		t.note(kindFile, name, d, problem)
		return nil, err
	}
	return &recordedFile{File: f, tree: t, name: name, sum: sha256.New()}, nil
}

// OpenReal implements tree.RealFS, where the tree that is recorded does. What it
// refuses is not kept: then it is asked for in another way.
func (t recorded) OpenReal(name string) (fs.File, error) {
	real, ok := t.fsys.(tree.RealFS)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	f, err := real.OpenReal(name)
	if err != nil {
		return nil, err
	}
	d, problem := described(f.Stat())
	t.note(kindLstat, name, d, problem)
	return &recordedFile{File: f, tree: t, name: name, sum: sha256.New()}, nil
}

// ReadFile implements fs.ReadFileFS.
func (t recorded) ReadFile(name string) ([]byte, error) {
	data, err := fs.ReadFile(t.fsys, name)
	if err != nil {
		d, problem := absent(err)
		t.note(kindFile, name, d, problem)
		return nil, err
	}
	t.note(kindFile, name, contents(sha256.Sum256(data)), nil)
	return data, nil
}

// ReadDir implements fs.ReadDirFS.
func (t recorded) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(t.fsys, name)
	d, problem := listing(entries, err)
	t.note(kindDir, name, d, problem)
	return entries, err
}

// Stat implements fs.StatFS.
func (t recorded) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(t.fsys, name)
	d, problem := described(info, err)
	t.note(kindStat, name, d, problem)
	return info, err
}

// linkedTree is a tree with symbolic links.
type linkedTree struct {
	recorded
	links fs.ReadLinkFS
}

// Lstat implements fs.ReadLinkFS.
func (t linkedTree) Lstat(name string) (fs.FileInfo, error) {
	info, err := t.links.Lstat(name)
	d, problem := described(info, err)
	t.note(kindLstat, name, d, problem)
	return info, err
}

// ReadLink implements fs.ReadLinkFS.
func (t linkedTree) ReadLink(name string) (string, error) {
	target, err := t.links.ReadLink(name)
	d, problem := pointing(target, err)
	t.note(kindLink, name, d, problem)
	return target, err
}

// errPartly is why a file of which a part was read cannot be answered for.
var errPartly = errors.New("it was not read to its end")

// recordedFile is a file whose bytes are summed as they are read.
type recordedFile struct {
	fs.File
	tree recorded
	name string
	sum  hash.Hash
	end  bool
}

// Read implements io.Reader.
func (f *recordedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.sum.Write(p[:n])
	f.end = f.end || errors.Is(err, io.EOF)
	return n, err
}

// Close implements io.Closer.
func (f *recordedFile) Close() error {
	if f.end {
		f.tree.note(kindFile, f.name, contents(digest(f.sum.Sum(nil))), nil)
	} else {
		f.tree.note(kindFile, f.name, digest{}, errPartly)
	}
	return f.File.Close()
}

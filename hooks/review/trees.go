package review

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"sync"

	"github.com/syncgate/syncgate/gitops/git"
)

// keptBytes is how much of what was read of a tree is kept while it is judged:
// findings, their diffs and the matrix look at the same files.
const keptBytes = 64 << 20

// recorder is a tree that remembers what was looked at in it.
type recorder struct {
	fs.FS

	mu    sync.Mutex
	names map[string]bool // of files, and of what was looked for
	dirs  map[string]bool // that were listed
	texts map[string][]byte
	room  int   // for more of them
	err   error // of Git, the first one
}

func newRecorder(fsys fs.FS) *recorder {
	return &recorder{FS: fsys, names: map[string]bool{}, dirs: map[string]bool{}, texts: map[string][]byte{}, room: keptBytes}
}

func (r *recorder) note(set map[string]bool, name string, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	set[name] = true
	// A file that is not there, or too large, is an answer; that Git could not
	// give it is none.
	var path *fs.PathError
	var limit *git.LimitError
	if r.err == nil && errors.As(err, &path) && !errors.As(err, &limit) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
		r.err = err
	}
	return err
}

// saw reports whether a file was read or looked for, or its folder listed.
func (r *recorder) saw(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.names[name] || r.dirs[path.Dir(name)]
}

func (r *recorder) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Open implements fs.FS.
func (r *recorder) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	return f, r.note(r.names, name, err)
}

// ReadFile implements fs.ReadFileFS.
func (r *recorder) ReadFile(name string) ([]byte, error) {
	r.mu.Lock()
	b, ok := r.texts[name]
	r.mu.Unlock()
	if ok {
		return bytes.Clone(b), nil
	}
	b, err := fs.ReadFile(r.FS, name)
	if err == nil {
		r.mu.Lock()
		if r.room >= len(b) {
			r.room -= len(b)
			r.texts[name] = bytes.Clone(b)
		}
		r.mu.Unlock()
	}
	return b, r.note(r.names, name, err)
}

// ReadDir implements fs.ReadDirFS.
func (r *recorder) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(r.FS, name)
	return list, r.note(r.dirs, name, err)
}

// Stat implements fs.StatFS.
func (r *recorder) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(r.FS, name)
	return info, r.note(r.names, name, err)
}

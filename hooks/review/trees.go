package review

import (
	"io/fs"
	"path"
	"sync"

	"github.com/syncgate/syncgate/gitops"
)

// recorder is a tree that remembers what was looked at in it.
type recorder struct {
	fs.FS
	broke *broke

	mu    sync.Mutex
	names map[string]bool // of files, and of what was looked for
	dirs  map[string]bool // that were listed
}

// broke is why Git could not give what was asked of a tree, for the first time.
type broke struct {
	mu  sync.Mutex
	err error
}

func newRecorder(fsys fs.FS) *recorder { return (&recorder{FS: fsys, broke: &broke{}}).again() }

// again is a recorder over the same tree that has seen nothing.
func (r *recorder) again() *recorder {
	return &recorder{FS: r.FS, broke: r.broke, names: map[string]bool{}, dirs: map[string]bool{}}
}

func (r *recorder) note(set map[string]bool, name string, err error) error {
	r.mu.Lock()
	set[name] = true
	r.mu.Unlock()
	// A file that is not there, or too large, is an answer; that Git could not
	// give it is none.
	if err != nil && !gitops.Lasting(err) {
		r.broke.mu.Lock()
		defer r.broke.mu.Unlock()
		if r.broke.err == nil {
			r.broke.err = err
		}
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
	r.broke.mu.Lock()
	defer r.broke.mu.Unlock()
	return r.broke.err
}

// Open implements fs.FS.
func (r *recorder) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	return f, r.note(r.names, name, err)
}

// ReadFile implements fs.ReadFileFS.
func (r *recorder) ReadFile(name string) ([]byte, error) {
	b, err := fs.ReadFile(r.FS, name)
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

package kustomize

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// errReadOnly is what the library gets when it wants to write.
var errReadOnly = errors.New("the repository is read-only while building")

// repoFS lets Kustomize read the repository, whose root is its "/". Files are
// read when they are asked for, and counted.
type repoFS struct {
	ctx  context.Context //nolint:containedctx // the interface has no room for it; a repoFS lives for one build
	r    *reader
	read []File
	seen map[string]bool
	// failed is the first error that ends the build whatever is made of it.
	failed error
}

var _ filesys.FileSystem = (*repoFS)(nil)

func newRepoFS(ctx context.Context, r *reader) *repoFS {
	return &repoFS{ctx: ctx, r: r, seen: map[string]bool{}}
}

// abs is the path by which the library knows a path of the repository.
func (f *repoFS) abs(name string) string { return path.Join("/", name) }

// rel is the path of the repository behind a path of the library's, with links
// followed.
func (f *repoFS) rel(name string) (string, error) {
	name = strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(name)), "/")
	if name == "" {
		return ".", nil
	}
	return f.r.tree.Real(name)
}

func (f *repoFS) stat(name string) (fs.FileInfo, string, error) {
	rel, err := f.rel(name)
	if err != nil {
		return nil, "", err
	}
	info, err := fs.Stat(f.r.tree.FS(), rel)
	return info, rel, err
}

// ReadFile implements filesys.FileSystem.
func (f *repoFS) ReadFile(name string) ([]byte, error) {
	if f.ctx.Err() != nil {
		f.failed = stopped(f.ctx, f.r.where)
		return nil, f.failed
	}
	rel, err := f.rel(name)
	if err != nil {
		return nil, err
	}
	data, err := f.r.read(rel)
	if err == nil && !f.seen[rel] {
		f.seen[rel] = true
		f.read = append(f.read, File{rel, data})
	}
	var hit *LimitError
	if errors.As(err, &hit) && f.failed == nil {
		f.failed = err
	}
	return data, err
}

// IsDir implements filesys.FileSystem.
func (f *repoFS) IsDir(name string) bool {
	info, _, err := f.stat(name)
	return err == nil && info.IsDir()
}

// Exists implements filesys.FileSystem.
func (f *repoFS) Exists(name string) bool {
	_, _, err := f.stat(name)
	return err == nil
}

// CleanedAbs implements filesys.FileSystem: links are followed, so that the
// library's own bounds hold for where a file really lies.
func (f *repoFS) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	info, rel, err := f.stat(name)
	if err != nil {
		return "", "", err
	}
	if info.IsDir() {
		return filesys.ConfirmedDir(f.abs(rel)), "", nil
	}
	return filesys.ConfirmedDir(f.abs(path.Dir(rel))), path.Base(rel), nil
}

// ReadDir implements filesys.FileSystem.
func (f *repoFS) ReadDir(name string) ([]string, error) {
	rel, err := f.rel(name)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(f.r.tree.FS(), rel)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// Glob implements filesys.FileSystem.
func (f *repoFS) Glob(pattern string) ([]string, error) {
	found, err := fs.Glob(f.r.tree.FS(), strings.TrimPrefix(path.Clean(pattern), "/"))
	for i := range found {
		found[i] = f.abs(found[i])
	}
	return found, err
}

// Walk implements filesys.FileSystem.
func (f *repoFS) Walk(root string, visit filepath.WalkFunc) error {
	rel, err := f.rel(root)
	if err != nil {
		return err
	}
	return fs.WalkDir(f.r.tree.FS(), rel, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return visit(f.abs(name), nil, err)
		}
		info, err := d.Info()
		return visit(f.abs(name), info, err)
	})
}

// Open implements filesys.FileSystem. The library reads through ReadFile.
func (f *repoFS) Open(string) (filesys.File, error) { return nil, errReadOnly }

// Create implements filesys.FileSystem.
func (f *repoFS) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir implements filesys.FileSystem.
func (f *repoFS) Mkdir(string) error { return errReadOnly }

// MkdirAll implements filesys.FileSystem.
func (f *repoFS) MkdirAll(string) error { return errReadOnly }

// RemoveAll implements filesys.FileSystem.
func (f *repoFS) RemoveAll(string) error { return errReadOnly }

// WriteFile implements filesys.FileSystem.
func (f *repoFS) WriteFile(string, []byte) error { return errReadOnly }

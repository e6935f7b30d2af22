package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/syncgate/syncgate/policies/tree"
)

// reader reads the files of one render and keeps count of them.
type reader struct {
	tree   *tree.Tree
	limits Limits
	where  string
	files  int
	bytes  int64
}

func newReader(in Input, limits Limits) *reader {
	return &reader{tree: tree.New(in.FS), limits: limits, where: in.Path}
}

// read returns the bytes of a file without a byte order mark.
func (r *reader) read(name string) ([]byte, error) {
	if r.files++; r.files > r.limits.Files {
		return nil, r.hit("files", int64(r.limits.Files), "render a smaller folder")
	}
	data, err := r.tree.Read(name, r.limits.FileBytes)
	if err != nil {
		return nil, err
	}
	if r.bytes += int64(len(data)); r.bytes > r.limits.InputBytes {
		return nil, r.hit("inputBytes", r.limits.InputBytes, "move what is not rendered out of the folder")
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
}

func (r *reader) hit(limit string, value int64, remedy string) error {
	return &LimitError{Limit: limit, Value: value, Where: r.where, Remedy: remedy}
}

// file is a file of a folder. Name is relative to the folder.
type file struct {
	name string
	data []byte
}

// walk reads every file under root that list names.
func (r *reader) walk(ctx context.Context, root string, skip func(rel string, info fs.FileInfo) bool) ([]file, error) {
	names, err := r.list(ctx, root, skip)
	if err != nil {
		return nil, err
	}
	return r.readAll(ctx, root, names)
}

// readAll reads files, whose names are relative to root.
func (r *reader) readAll(ctx context.Context, root string, names []string) ([]file, error) {
	files := make([]file, len(names))
	for i, name := range names {
		if ctx.Err() != nil {
			return nil, stopped(ctx, root)
		}
		data, err := r.read(path.Join(root, name))
		if err != nil {
			return nil, err
		}
		files[i] = file{name, data}
	}
	return files, nil
}

// list names every file under root, relative to it, in lexical order. skip is asked
// of every file and folder below root, by its path relative to root; it may be nil.
func (r *reader) list(ctx context.Context, root string, skip func(rel string, info fs.FileInfo) bool) ([]string, error) {
	var names []string
	err := fs.WalkDir(r.tree.FS(), root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return walkError(name, root, err)
		case ctx.Err() != nil:
			return stopped(ctx, root)
		case name == root:
			return isFolder(name, d)
		}
		rel := name
		if root != "." {
			rel = name[len(root)+1:]
		}
		info, err := r.info(name, d)
		if err != nil {
			return err
		}
		if skip != nil && skip(rel, info) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		if info.IsDir() {
			return &tree.Error{
				Path: name, Problem: "is a symbolic link to a folder, which is not followed",
				Remedy: "put the folder itself there",
			}
		}
		if len(names) == r.limits.Files {
			return r.hit("files", int64(r.limits.Files), "render a smaller folder")
		}
		names = append(names, rel)
		return nil
	})
	return names, err
}

// info is what lies at name, behind symbolic links that stay in the tree.
func (r *reader) info(name string, d fs.DirEntry) (fs.FileInfo, error) {
	if d.Type()&fs.ModeSymlink == 0 {
		info, err := d.Info()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		return info, nil
	}
	to, err := r.tree.Real(name)
	if err != nil {
		return nil, err
	}
	info, err := fs.Stat(r.tree.FS(), to)
	if err != nil {
		return nil, &tree.Error{
			Path: name, Problem: "is a symbolic link to " + path.Base(to) + ", which cannot be read",
			Remedy: "correct the link, or put the file itself there", Cause: err,
		}
	}
	return info, nil
}

func isFolder(name string, d fs.DirEntry) error {
	if d.IsDir() {
		return nil
	}
	return &tree.Error{Path: name, Problem: "expected a folder, found a file", Remedy: "correct spec.source in the Gate"}
}

func walkError(name, root string, err error) error {
	if name == root && errors.Is(err, fs.ErrNotExist) {
		return &tree.Error{Path: name, Problem: "no such folder", Remedy: "add it, or correct spec.source in the Gate", Cause: err}
	}
	return fmt.Errorf("read %s: %w", name, err)
}

package git

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Revision is the commit whose tree this is.
func (t *Tree) Revision() string { return t.idx.revision }

// Open implements fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	const op = "open"
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if _, ok := t.idx.dirs[name]; ok {
		list, err := t.ReadDir(name)
		if err != nil {
			return nil, err
		}
		return &openDir{info: fileInfo{name: path.Base(name), mode: fs.ModeDir | 0o755}, rest: list}, nil
	}
	e, err := t.file(op, name)
	if err != nil {
		return nil, err
	}
	data, err := t.content(e)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return &openFile{Reader: bytes.NewReader(data), info: infoOf(e, len(data))}, nil
}

// ReadFile implements fs.ReadFileFS.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	const op = "read"
	e, err := t.file(op, name)
	if err != nil {
		return nil, err
	}
	data, err := t.content(e)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return data, nil
}

// ReadDir implements fs.ReadDirFS.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	const op = "readdir"
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	list, ok := t.idx.dirs[name]
	if !ok {
		err := t.idx.missing(name)
		if e := t.idx.find(name); e != nil {
			if err = readable(e); err == nil {
				err = errFile
			}
		}
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	mine := make([]fs.DirEntry, len(list))
	for i, e := range list {
		d := *e.(*dirEntry)
		d.tree = t
		mine[i] = &d
	}
	return mine, nil
}

// Stat implements fs.StatFS. A link is not followed: it is an error.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	const op = "stat"
	if fs.ValidPath(name) {
		if _, ok := t.idx.dirs[name]; ok {
			return fileInfo{name: path.Base(name), mode: fs.ModeDir | 0o755}, nil
		}
	}
	e, err := t.file(op, name)
	if err != nil {
		return nil, err
	}
	info, err := t.info(e)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return info, nil
}

// Lstat describes name itself, a link as a link.
func (t *Tree) Lstat(name string) (fs.FileInfo, error) {
	if e := t.idx.find(name); e != nil && !isFile(e) {
		return fileInfo{name: path.Base(name), mode: fileType(e.mode) | 0o777}, nil
	}
	return t.Stat(name)
}

// Prefetch fetches the content of every file that want asks for, in one go.
func (t *Tree) Prefetch(ctx context.Context, want func(path string) bool) error {
	var ids []string
	for i := range t.idx.entries {
		if e := &t.idx.entries[i]; isFile(e) && want(e.path) {
			ids = append(ids, e.id)
		}
	}
	return t.repo.FetchBlobs(ctx, ids)
}

func (t *Tree) file(op, name string) (*entry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	e := t.idx.find(name)
	if e == nil {
		err := t.idx.missing(name)
		if _, ok := t.idx.dirs[name]; ok {
			err = ErrFolder
		}
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	if err := readable(e); err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return e, nil
}

func (t *Tree) info(e *entry) (fs.FileInfo, error) {
	data, err := t.content(e)
	if err != nil {
		return nil, err
	}
	return infoOf(e, len(data)), nil
}

func infoOf(e *entry, size int) fileInfo {
	mode := fs.FileMode(0o644)
	if e.mode == modeExecutable {
		mode = 0o755
	}
	return fileInfo{name: path.Base(e.path), mode: mode, size: int64(size)}
}

// content reads a file, and fetches what is near it along with it: one trip to
// the server costs more than a few small files.
func (t *Tree) content(e *entry) ([]byte, error) {
	if err := t.ctx.Err(); err != nil {
		return nil, context.Cause(t.ctx)
	}
	here, err := t.repo.has(t.ctx, e.id)
	if err != nil {
		return nil, err
	}
	if !here {
		if near := t.near(e); len(near) > 1 {
			// The file itself is tried alone where this does not work: what is
			// near it may be too large.
			if err := t.repo.FetchBlobs(t.ctx, near); err != nil {
				t.repo.log.DebugContext(t.ctx, "git read-ahead failed", "file", e.path, "error", err)
			}
		}
	}
	data, err := t.repo.Blob(t.ctx, e.id)
	if err != nil {
		return nil, fmt.Errorf("of %s at %s: %w", t.repo.remote.shown, t.idx.revision, err)
	}
	return data, nil
}

// near are the files likely to be read after e: those beside it, and those of
// the same name elsewhere, nearest first.
func (t *Tree) near(e *entry) []string {
	dir, base := path.Split(e.path)
	type candidate struct {
		id     string
		shared int
	}
	var list []candidate
	for i := range t.idx.entries {
		o := &t.idx.entries[i]
		d, b := path.Split(o.path)
		if !isFile(o) || !isConfig(b) || d != dir && b != base {
			continue
		}
		list = append(list, candidate{o.id, sharedPrefix(d, dir)})
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return b.shared - a.shared })
	ids := []string{e.id}
	for _, c := range list[:min(len(list), maxReadAhead)] {
		ids = append(ids, c.id)
	}
	return ids
}

func sharedPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// isConfig tells what deliveries are made of from what may be anything.
func isConfig(base string) bool {
	switch strings.ToLower(path.Ext(base)) {
	case ".yaml", ".yml", ".json", ".tpl", ".txt", ".toml", ".lock":
		return true
	}
	return false
}

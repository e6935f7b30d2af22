package fix

import (
	"bytes"
	"io/fs"
	"maps"
	"slices"
	"time"
)

// overlay is a tree with other contents of some of its files.
type overlay struct {
	fs.FS
	files map[string][]byte
}

// Open opens a file as it would be.
func (o overlay) Open(name string) (fs.File, error) {
	data, ok := o.files[name]
	if !ok {
		return o.FS.Open(name)
	}
	info, err := fs.Stat(o.FS, name)
	if err != nil {
		return nil, err
	}
	return &file{bytes.NewReader(data), changedInfo{info, int64(len(data))}}, nil
}

// ReadDir lists a folder as it is: no file comes or goes.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(o.FS, name) }

// Stat describes a file as it would be.
func (o overlay) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(o.FS, name)
	if data, ok := o.files[name]; ok && err == nil {
		return changedInfo{info, int64(len(data))}, nil
	}
	return info, err
}

// Lstat and ReadLink see the links that the tree has.
func (o overlay) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(o.FS, name) }

// ReadLink is where a link points.
func (o overlay) ReadLink(name string) (string, error) { return fs.ReadLink(o.FS, name) }

// names are the files that have other contents.
func (o overlay) names() []string { return slices.Sorted(maps.Keys(o.files)) }

type file struct {
	*bytes.Reader
	info changedInfo
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

// changedInfo is a file's own, but for what a change of it changes.
type changedInfo struct {
	fs.FileInfo
	size int64
}

func (i changedInfo) Size() int64        { return i.size }
func (i changedInfo) ModTime() time.Time { return time.Time{} }
func (i changedInfo) Sys() any           { return nil }

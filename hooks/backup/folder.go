package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// folder is a Store in a folder. The folder is opened for each question: it
// may be a volume that is mounted later, or mounted anew.
type folder struct {
	name       string
	root       string
	maxObjects int
}

func newFolder(o StoreOptions) (Store, error) {
	if !filepath.IsAbs(o.Folder.Path) {
		return nil, fmt.Errorf("folder.path: expected an absolute path, found %q", o.Folder.Path)
	}
	return &folder{name: o.Name, root: filepath.Clean(o.Folder.Path), maxObjects: o.maxObjects()}, nil
}

func (f *folder) open() (*os.Root, error) {
	root, err := os.OpenRoot(f.root)
	if err != nil {
		return nil, fmt.Errorf("open backup folder %s of store %s: %w", f.root, f.name, err)
	}
	return root, nil
}

func (f *folder) location(key string) string {
	return (&url.URL{Scheme: "file", Path: path.Join(filepath.ToSlash(f.root), key)}).String()
}

// Newest walks the folder from its root, so that no symbolic link is ever
// passed on the way to a prefix.
func (f *folder) Newest(ctx context.Context, prefix, suffix string) (Object, error) {
	root, err := f.open()
	if err != nil {
		return Object{}, err
	}
	defer root.Close()
	var best Object
	found, entries := false, 0
	err = fs.WalkDir(root.FS(), ".", func(key string, e fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		if entries++; entries > f.maxObjects {
			return tooMany("folder "+f.root, prefix, f.maxObjects)
		}
		if e.IsDir() {
			if key != "." && !strings.HasPrefix(key+"/", prefix) && !strings.HasPrefix(prefix, key+"/") {
				return fs.SkipDir
			}
			return nil
		}
		if !e.Type().IsRegular() || skipped(key) || !strings.HasPrefix(key, prefix) || !strings.HasSuffix(key, suffix) {
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed since it was listed
		}
		if err != nil {
			return err
		}
		if o := f.object(key, info); !found || newer(o, best) {
			best, found = o, true
		}
		return nil
	})
	switch {
	case err != nil:
		return Object{}, fmt.Errorf("list store %s: %w", f.name, err)
	case !found:
		return Object{}, fmt.Errorf("store %s: folder %s: prefix %q suffix %q: %w", f.name, f.root, prefix, suffix, ErrNone)
	}
	return best, nil
}

func (f *folder) object(key string, info fs.FileInfo) Object {
	return Object{
		Store: f.name, Key: key, Location: f.location(key),
		Size: info.Size(), Modified: info.ModTime(),
		Version: fileVersion(info), MayGrow: true,
	}
}

// Checksums reads the checksum file beside the object.
func (f *folder) Checksums(_ context.Context, o Object) ([]Checksum, error) {
	root, err := f.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	key := o.Key + SidecarSuffix
	file, _, err := openRegular(root, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open checksum file %s: %w", f.location(key), err)
	}
	defer file.Close()
	sum, err := readSidecar(file, f.location(key), o.Key)
	if err != nil {
		return nil, err
	}
	return []Checksum{sum}, nil
}

// Open reads the object's file; it must still be the one that was listed, and
// must still be it at its end.
func (f *folder) Open(_ context.Context, o Object) (io.ReadCloser, error) {
	root, err := f.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, info, err := openRegular(root, o.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open %s: %w", o.Location, ErrChanged)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Location, err)
	}
	if f.object(o.Key, info).identity() != o.identity() {
		file.Close()
		return nil, fmt.Errorf("open %s: %w", o.Location, ErrChanged)
	}
	return &steadyFile{File: file, folder: f, object: o}, nil
}

// openRegular opens a regular file below root and refuses every symbolic link
// on the way to it. (The root itself keeps links from leading outside.)
func openRegular(root *os.Root, key string) (*os.File, fs.FileInfo, error) {
	if !fs.ValidPath(key) {
		return nil, nil, fmt.Errorf("key %.200q: expected a path below the folder", key)
	}
	elements := strings.Split(key, "/")
	for i := range elements {
		part := strings.Join(elements[:i+1], "/")
		info, err := root.Lstat(part)
		if err != nil {
			return nil, nil, err
		}
		if last := i == len(elements)-1; (last && !info.Mode().IsRegular()) || (!last && !info.IsDir()) {
			return nil, nil, fmt.Errorf("%s is neither a regular file nor a folder on the way to one; symbolic links are not followed", part)
		}
	}
	file, err := root.Open(key)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		file.Close()
		return nil, nil, fmt.Errorf("%s is no regular file", key)
	}
	return file, info, nil
}

// steadyFile says at its end whether it stayed as it was.
type steadyFile struct {
	*os.File
	folder *folder
	object Object
}

func (s *steadyFile) Read(p []byte) (int, error) {
	n, err := s.File.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	info, statErr := s.Stat()
	if statErr != nil {
		return n, statErr
	}
	if s.folder.object(s.object.Key, info).identity() != s.object.identity() {
		return n, ErrChanged
	}
	return n, err
}

// readSidecar reads a checksum file, which location names.
func readSidecar(r io.Reader, location, key string) (Checksum, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSidecar+1))
	if err != nil {
		return Checksum{}, fmt.Errorf("read checksum file %s: %w", location, err)
	}
	sum, err := parseSidecar(data, key)
	if err != nil {
		return Checksum{}, &SidecarError{Location: location, Err: err}
	}
	return Checksum{Source: path.Base(key) + SidecarSuffix, Sum: sum}, nil
}

// SidecarError says that a checksum file is there and holds no usable checksum
// of its object.
type SidecarError struct {
	Location string
	Err      error
}

func (e *SidecarError) Error() string { return "checksum file " + e.Location + " " + e.Err.Error() }

// Unwrap is what is wrong with the file.
func (e *SidecarError) Unwrap() error { return e.Err }

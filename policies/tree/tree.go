// Package tree reads files of a repository through fs.FS: bounded in size, and
// never through a symbolic link that leaves the repository.
package tree

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// maxLinks is how many symbolic links one path may go through, as on Linux.
const maxLinks = 40

// Error says what is wrong with a file and what to do about it.
type Error struct {
	Path    string
	Problem string
	Remedy  string
	// Cause is what the file system said, nil when it was not asked.
	Cause error
}

// Error is one line.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s; %s", e.Path, e.Problem, e.Remedy)
}

// Unwrap makes fs.ErrNotExist and its kind visible.
func (e *Error) Unwrap() error { return e.Cause }

// Tree is a repository to read from. It is safe for concurrent use.
type Tree struct {
	fsys  fs.FS
	links fs.ReadLinkFS // nil when fsys has no links
	mu    sync.Mutex
	// folders known to be real ones, so that each is looked at once.
	folders map[string]bool
}

// New makes a Tree of fsys.
func New(fsys fs.FS) *Tree {
	links, _ := fsys.(fs.ReadLinkFS)
	return &Tree{fsys: fsys, links: links, folders: map[string]bool{".": true}}
}

// FS is the file system the Tree reads.
func (t *Tree) FS() fs.FS { return t.fsys }

// SumFS is a file system that knows its files' sums without reading them.
type SumFS interface {
	fs.FS
	// SumFile is the SHA-256 of the bytes of the regular file name. ok is false
	// for what is none, and where the sum is not known.
	SumFile(name string) (sum [sha256.Size]byte, ok bool)
}

// RealFS is a file system that opens a file without looking for links on the way.
type RealFS interface {
	fs.FS
	// OpenReal opens the regular file name. It is an error when a part of the path
	// is a symbolic link, also where Open would follow it.
	OpenReal(name string) (fs.File, error)
}

// PartialFS is a file system that may hold a part of a repository only.
type PartialFS interface {
	fs.FS
	// Holds reports whether name, and all that lies below it, is there when the
	// repository has it.
	Holds(name string) bool
}

// Holds reports whether name, and all that lies below it, is in the tree when it is in
// the repository: where it is false, what is missing may be there all the same.
func (t *Tree) Holds(name string) bool {
	part, ok := t.fsys.(PartialFS)
	return !ok || part.Holds(name)
}

// Sum is the SHA-256 of what Read would return; ok is false when the file system
// does not know it, or when there is nothing to read.
func (t *Tree) Sum(name string) (sum [sha256.Size]byte, ok bool) {
	sums, ok := t.fsys.(SumFS)
	if !ok {
		return sum, false
	}
	real, err := t.Real(name)
	if err != nil {
		return sum, false
	}
	return sums.SumFile(real)
}

// Join is the path in the tree of rel, seen from folder dir. A rel that is
// absolute or leaves the tree is an error.
func Join(dir, rel string) (string, error) {
	fail := func(problem string) (string, error) {
		return "", &Error{
			Path: rel, Problem: problem,
			Remedy: "give a path relative to the Gate file, with slashes, that stays inside the repository",
		}
	}
	switch {
	case rel == "":
		return fail("expected a path, found an empty string")
	case strings.ContainsRune(rel, 0):
		return fail("expected a path, found a NUL byte in it")
	case strings.Contains(rel, `\`):
		return fail(`expected slashes in the path, found a backslash`)
	case path.IsAbs(rel):
		return fail("expected a relative path, found an absolute one")
	}
	joined := path.Join(dir, rel)
	if joined == ".." || strings.HasPrefix(joined, "../") {
		return fail("the path leaves the repository")
	}
	return joined, nil
}

// Read returns the bytes of the regular file name, which has at most limit
// bytes. Errors are *Error.
func (t *Tree) Read(name string, limit int64) ([]byte, error) {
	f, err := t.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, openError(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{
			Path: name, Problem: "expected a file, found " + kindOf(info.Mode()),
			Remedy: "name a regular file",
		}
	}
	if info.Size() > limit {
		return nil, tooLarge(name, info.Size(), limit)
	}
	return readAll(f, name, info.Size(), limit)
}

// open opens a file: at once where there is no link, else by following each.
func (t *Tree) open(name string) (fs.File, error) {
	if real, ok := t.fsys.(RealFS); ok {
		if f, err := real.OpenReal(name); err == nil {
			return f, nil
		}
	}
	real, err := t.Real(name)
	if err != nil {
		return nil, err
	}
	f, err := t.fsys.Open(real)
	if err != nil {
		return nil, openError(name, err)
	}
	return f, nil
}

// readAll reads f, whose size is a hint only: a tree may be under an editor.
func readAll(f io.Reader, name string, size, limit int64) ([]byte, error) {
	buf := make([]byte, 0, size+1)
	for {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, tooLarge(name, int64(len(buf)), limit)
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, openError(name, err)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// Real is name with its symbolic links followed. One that leaves the tree is
// an error; a name that does not exist is not.
func (t *Tree) Real(name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &Error{Path: name, Problem: "the path leaves the repository", Remedy: "give a path inside it"}
	}
	if t.links == nil {
		return name, nil
	}
	rest, done := name, "."
	for links := 0; rest != ""; {
		part, tail, _ := strings.Cut(rest, "/")
		next := path.Join(done, part)
		if tail != "" && t.known(next) {
			done, rest = next, tail
			continue
		}
		info, err := t.links.Lstat(next)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			if err == nil && info.IsDir() {
				t.remember(next)
			}
			done, rest = next, tail
			continue
		}
		if links++; links > maxLinks {
			return "", &Error{
				Path: name, Problem: fmt.Sprintf("more than %d symbolic links", maxLinks),
				Remedy: "replace the link by the file it stands for",
			}
		}
		if done, rest, err = t.follow(name, next, tail); err != nil {
			return "", err
		}
	}
	return done, nil
}

// follow gives the path to go on from when link, met on the way to name, is
// followed.
func (t *Tree) follow(name, link, tail string) (done, rest string, err error) {
	target, err := t.links.ReadLink(link)
	if err != nil {
		return "", "", openError(name, err)
	}
	joined := path.Join(path.Dir(link), target)
	if path.IsAbs(target) || joined == ".." || strings.HasPrefix(joined, "../") {
		return "", "", &Error{
			Path:    name,
			Problem: fmt.Sprintf("symbolic link %s points to %q, which leaves the repository", link, target),
			Remedy:  "put the file itself into the repository",
		}
	}
	return ".", path.Join(joined, tail), nil
}

func (t *Tree) known(dir string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.folders[dir]
}

func (t *Tree) remember(dir string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.folders[dir] = true
}

func openError(name string, err error) error {
	e := &Error{Path: name, Problem: "cannot be read: " + plain(err), Cause: err, Remedy: "make the file readable"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Problem, e.Remedy = "no such file", "add the file, or correct its path in the Gate"
	case errors.Is(err, fs.ErrPermission):
		e.Problem = "no permission to read it"
	}
	return e
}

// plain is err without the path that PathError repeats.
func plain(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

func tooLarge(name string, size, limit int64) error {
	return &Error{
		Path: name, Problem: fmt.Sprintf("limit fileSize=%d bytes hit: the file has %d or more", limit, size),
		Remedy: "split the file or raise the limit",
	}
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	default:
		return "a special file"
	}
}

package rootfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// stdFS is what os.Root's file system can do.
type stdFS interface {
	fs.ReadFileFS
	fs.ReadDirFS
	fs.StatFS
	fs.ReadLinkFS
}

// beneath asks the kernel to resolve paths. Whatever it does not give at once, the
// slow way is asked for, which then says what is wrong: so both agree on errors.
type beneath struct {
	slow    stdFS
	dir     *os.File
	buffers sync.Pool // of *[direntBytes]byte
}

// fast is a faster file system of root, and what closes it.
func fast(root *os.Root) (fs.FS, func() error) {
	slow, ok := root.FS().(stdFS)
	if !ok {
		return root.FS(), func() error { return nil }
	}
	dir, err := root.Open(".")
	if err != nil {
		return slow, func() error { return nil }
	}
	b := &beneath{slow: slow, dir: dir, buffers: sync.Pool{New: func() any { return new([direntBytes]byte) }}}
	fd, err := b.open(".", unix.O_PATH, 0)
	if err != nil { // an older kernel, or one where the call is forbidden
		return slow, dir.Close
	}
	_ = unix.Close(fd)
	return b, dir.Close
}

// open opens a path beneath the folder. Every link on the way is followed inside of it;
// one that leads out, and an absolute one, is an error.
func (b *beneath) open(name string, flags, resolve uint64) (fd int, err error) {
	if !fs.ValidPath(name) {
		return -1, fs.ErrInvalid
	}
	how := unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: resolve | unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	err = again(func() (err error) {
		fd, err = unix.Openat2(int(b.dir.Fd()), name, &how)
		return err
	})
	return fd, err
}

// Open implements fs.FS.
func (b *beneath) Open(name string) (fs.File, error) {
	f, err := b.file(name, 0)
	if err != nil {
		return b.slow.Open(name)
	}
	if f.info.IsDir() {
		_ = f.Close()
		return b.slow.Open(name)
	}
	return f, nil
}

// OpenReal opens a regular file that no link leads to. Whatever else there is, is an
// error.
func (b *beneath) OpenReal(name string) (fs.File, error) {
	f, err := b.file(name, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if !f.info.mode.IsRegular() {
		_ = f.Close()
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return f, nil
}

// file opens what is there to be read, without waiting.
func (b *beneath) file(name string, resolve uint64) (*file, error) {
	fd, err := b.open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, resolve)
	if err != nil {
		return nil, err
	}
	f := &file{fd: fd, name: name}
	if f.info, err = stat(fd, name); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// ReadFile implements fs.ReadFileFS.
func (b *beneath) ReadFile(name string) ([]byte, error) {
	f, err := b.file(name, 0)
	if err != nil {
		return b.slow.ReadFile(name)
	}
	defer f.Close()
	switch {
	case f.info.IsDir():
		return nil, &fs.PathError{Op: "read", Path: name, Err: unix.EISDIR}
	case !f.info.mode.IsRegular():
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	data := make([]byte, 0, f.info.size+1) // one more, so that its end is seen
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}

// ReadDir implements fs.ReadDirFS.
func (b *beneath) ReadDir(name string) ([]fs.DirEntry, error) {
	fd, err := b.open(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		// The slow way would wait for a pipe's other end.
		if i, err := b.look(name, unix.O_PATH); err == nil && !i.IsDir() {
			return nil, &fs.PathError{Op: "readdirent", Path: name, Err: unix.ENOTDIR}
		}
		return b.slow.ReadDir(name)
	}
	defer func() { _ = unix.Close(fd) }()
	entries, ok := b.entries(fd, name)
	if !ok {
		return b.slow.ReadDir(name)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// direntBytes is what of a folder is read at once.
const direntBytes = 8 << 10

// entries are what lies in the open folder dir. ok is false where it cannot be told
// without looking at each of them, which some file systems want.
func (b *beneath) entries(fd int, dir string) (list []fs.DirEntry, ok bool) {
	buf := b.buffers.Get().(*[direntBytes]byte)
	defer b.buffers.Put(buf)
	list = []fs.DirEntry{}
	for {
		var n int
		err := again(func() (err error) {
			n, err = unix.Getdents(fd, buf[:])
			return err
		})
		if err != nil {
			return nil, false
		}
		if n == 0 {
			return list, true
		}
		for rest := buf[:n]; len(rest) > 0; {
			// struct linux_dirent64 of getdents64(2): inode, offset, length, type, name.
			const length, kind, name = 16, 18, 19
			if len(rest) < name {
				return nil, false
			}
			size := int(binary.NativeEndian.Uint16(rest[length:]))
			if size < name || size > len(rest) {
				return nil, false
			}
			text, _, _ := bytes.Cut(rest[name:size], []byte{0})
			mode, known := direntMode(rest[kind])
			gone := binary.NativeEndian.Uint64(rest) == 0
			rest = rest[size:]
			switch {
			case gone, string(text) == ".", string(text) == "..":
			case !known:
				return nil, false
			default:
				list = append(list, entry{b, dir, string(text), mode})
			}
		}
	}
}

// direntMode is what an entry of that type of getdents64(2) is; ok is false where the
// file system does not say.
func direntMode(kind byte) (mode fs.FileMode, ok bool) {
	switch kind {
	case unix.DT_REG:
		return 0, true
	case unix.DT_DIR:
		return fs.ModeDir, true
	case unix.DT_LNK:
		return fs.ModeSymlink, true
	case unix.DT_FIFO:
		return fs.ModeNamedPipe, true
	case unix.DT_SOCK:
		return fs.ModeSocket, true
	case unix.DT_BLK:
		return fs.ModeDevice, true
	case unix.DT_CHR:
		return fs.ModeDevice | fs.ModeCharDevice, true
	}
	return 0, false
}

// Stat implements fs.StatFS.
func (b *beneath) Stat(name string) (fs.FileInfo, error) {
	if i, err := b.look(name, unix.O_PATH); err == nil {
		return i, nil
	}
	return b.slow.Stat(name)
}

// Lstat implements fs.ReadLinkFS.
func (b *beneath) Lstat(name string) (fs.FileInfo, error) {
	if i, err := b.look(name, unix.O_PATH|unix.O_NOFOLLOW); err == nil {
		return i, nil
	}
	return b.slow.Lstat(name)
}

func (b *beneath) look(name string, flags uint64) (info, error) {
	fd, err := b.open(name, flags, 0)
	if err != nil {
		return info{}, err
	}
	defer func() { _ = unix.Close(fd) }()
	return stat(fd, name)
}

// ReadLink implements fs.ReadLinkFS.
func (b *beneath) ReadLink(name string) (string, error) { return b.slow.ReadLink(name) }

// file is an open file that is no folder.
type file struct {
	fd   int
	name string
	info info
	read int64
	end  bool
}

func (f *file) Stat() (fs.FileInfo, error) {
	if f.fd < 0 {
		return nil, &fs.PathError{Op: "stat", Path: f.name, Err: fs.ErrClosed}
	}
	return f.info, nil
}

func (f *file) Read(p []byte) (n int, err error) {
	if f.fd < 0 {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: fs.ErrClosed}
	}
	if len(p) == 0 {
		return 0, nil
	}
	if f.end {
		return 0, io.EOF
	}
	err = again(func() (err error) {
		n, err = unix.Read(f.fd, p)
		return err
	})
	switch {
	case err != nil:
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: err}
	case n == 0:
		return 0, io.EOF
	}
	f.read += int64(n)
	// It gave all that it had when it was opened, and had no more: its end needs no
	// further call.
	f.end = f.info.mode.IsRegular() && n < len(p) && f.read == f.info.size
	return n, nil
}

func (f *file) Close() error {
	if f.fd < 0 {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	fd := f.fd
	f.fd = -1
	if err := unix.Close(fd); err != nil && !errors.Is(err, unix.EINTR) { // it is closed then, too
		return &fs.PathError{Op: "close", Path: f.name, Err: err}
	}
	return nil
}

// entry is what lies in a folder.
type entry struct {
	fsys      *beneath
	dir, name string
	kind      fs.FileMode
}

func (e entry) Name() string               { return e.name }
func (e entry) IsDir() bool                { return e.kind.IsDir() }
func (e entry) Type() fs.FileMode          { return e.kind }
func (e entry) Info() (fs.FileInfo, error) { return e.fsys.Lstat(path.Join(e.dir, e.name)) }
func (e entry) String() string             { return fs.FormatDirEntry(e) }

// info describes a file as it was when it was looked at.
type info struct {
	name     string
	size     int64
	mode     fs.FileMode
	modified time.Time
	sys      unix.Stat_t
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.modified }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return &i.sys }

func stat(fd int, name string) (info, error) {
	i := info{name: path.Base(name)}
	if err := again(func() error { return unix.Fstat(fd, &i.sys) }); err != nil {
		return info{}, err
	}
	i.size, i.mode = i.sys.Size, fs.FileMode(i.sys.Mode&0o777)
	i.modified = time.Unix(i.sys.Mtim.Unix())
	for _, bit := range []struct {
		mask, is uint32
		mode     fs.FileMode
	}{
		{unix.S_IFMT, unix.S_IFDIR, fs.ModeDir},
		{unix.S_IFMT, unix.S_IFLNK, fs.ModeSymlink},
		{unix.S_IFMT, unix.S_IFIFO, fs.ModeNamedPipe},
		{unix.S_IFMT, unix.S_IFSOCK, fs.ModeSocket},
		{unix.S_IFMT, unix.S_IFBLK, fs.ModeDevice},
		{unix.S_IFMT, unix.S_IFCHR, fs.ModeDevice | fs.ModeCharDevice},
		{unix.S_ISUID, unix.S_ISUID, fs.ModeSetuid},
		{unix.S_ISGID, unix.S_ISGID, fs.ModeSetgid},
		{unix.S_ISVTX, unix.S_ISVTX, fs.ModeSticky},
	} {
		if i.sys.Mode&bit.mask == bit.is {
			i.mode |= bit.mode
		}
	}
	return i, nil
}

// again does what a signal interrupted once more.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

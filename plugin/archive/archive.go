// Package archive reads a repository that comes as a gzipped tar into memory.
// Nothing is written to disk. What a path outside the root, a link that leads
// out of it or a file that unpacks to more than was agreed could do to a disk
// cannot happen here; each is refused all the same, with its name.
package archive

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"
	"time"
)

// Limits bound an archive. A zero field means its default.
type Limits struct {
	// Compressed is the archive's size in bytes, default 128 MiB.
	Compressed int64
	// Bytes is what all files hold together, default 512 MiB.
	Bytes int64
	// Entries is the number of files and folders, default 50,000.
	Entries int
	// PathLength is the length of an entry's path in bytes, default 1,024.
	PathLength int
	// Ratio is how many times its own size an archive may unpack to, default
	// 200, counted once it has unpacked to more than 16 MiB.
	Ratio int64
}

func (l Limits) withDefaults() Limits {
	set := func(v *int64, def int64) {
		if *v == 0 {
			*v = def
		}
	}
	set(&l.Compressed, 128<<20)
	set(&l.Bytes, 512<<20)
	set(&l.Ratio, 200)
	if l.Entries == 0 {
		l.Entries = 50_000
	}
	if l.PathLength == 0 {
		l.PathLength = 1024
	}
	return l
}

// ratioFrom is where Limits.Ratio begins to count: small archives of text
// compress very well.
const ratioFrom = 16 << 20

// ErrLimit is the error of an archive that is over a limit.
var ErrLimit = errors.New("limit hit")

// ErrUnsafe is the error of an archive with a path or link that leaves it.
var ErrUnsafe = errors.New("unsafe entry")

// Read reads the archive to its end. It stops when ctx does. What it holds is taken
// of share, which the caller releases once nobody uses the FS any more; nil bounds it
// by limits alone.
func Read(ctx context.Context, r io.Reader, limits Limits, share *Share) (*FS, error) {
	in := &reader{limits: limits.withDefaults(), fs: newFS(), sum: sha256.New(), share: share}
	if share != nil {
		in.limits.Bytes = min(in.limits.Bytes, share.pool.Each())
	}
	in.packed = &counter{ctx: ctx, r: r, most: in.limits.Compressed}
	zip, err := gzip.NewReader(in.packed)
	if err != nil {
		return nil, fmt.Errorf("read archive: expected a gzipped tar: %w", err)
	}
	defer func() { _ = zip.Close() }()
	if err := in.entries(tar.NewReader(zip)); err != nil {
		return nil, err
	}
	// The sum at the end of the stream is only held against it at its end.
	if _, err := io.Copy(io.Discard, io.LimitReader(zip, ratioFrom)); err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	in.fs.seal()
	in.sum.Sum(in.fs.sum[:0])
	return in.fs, nil
}

type reader struct {
	limits  Limits
	packed  *counter
	fs      *FS
	sum     hash.Hash
	share   *Share
	seen    int
	written int64
}

func (in *reader) entries(t *tar.Reader) error {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if in.seen++; in.seen > in.limits.Entries {
			return fmt.Errorf("read archive: %w: entries=%d; narrow what is sent with the annotation argocd.argoproj.io/manifest-generate-paths", ErrLimit, in.limits.Entries)
		}
		name, err := in.clean(h.Name)
		if err != nil {
			return err
		}
		if err := in.add(name, h, t); err != nil {
			return err
		}
	}
}

// clean is the path of an entry in the form of fs.FS.
func (in *reader) clean(name string) (string, error) {
	if len(name) > in.limits.PathLength {
		return "", fmt.Errorf("read archive: entry %.80q…: %w: pathLength=%d", name, ErrLimit, in.limits.PathLength)
	}
	if strings.HasPrefix(name, "/") || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("read archive: entry %.200q: %w: expected a path relative to the root", name, ErrUnsafe)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", fmt.Errorf("read archive: entry %.200q: %w: the path leaves the root", name, ErrUnsafe)
		}
	}
	return path.Clean(name), nil
}

func (in *reader) add(name string, h *tar.Header, r io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		in.note(h.Typeflag, name, nil)
		return in.fs.addDir(name)
	case tar.TypeReg:
		data, err := in.content(name, h.Size, r)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		in.note(h.Typeflag, name, sum[:])
		return in.fs.add(name, &node{data: data, sum: sum, modified: h.ModTime.Truncate(time.Second)})
	case tar.TypeSymlink:
		in.note(h.Typeflag, name, []byte(h.Linkname))
		return in.fs.addLink(name, h.Linkname)
	case tar.TypeXGlobalHeader:
		return nil
	default:
		return fmt.Errorf("read archive: entry %.200q: %w: expected a file, a folder or a symbolic link, found tar type %q",
			name, ErrUnsafe, h.Typeflag)
	}
}

// note adds an entry to the sum: of a file its content's own sum, which is wanted
// too. Lengths keep entries apart.
func (in *reader) note(kind byte, name string, data []byte) {
	_, _ = fmt.Fprintf(in.sum, "%c %d %d\n%s\n", kind, len(name), len(data), name)
	in.sum.Write(data)
}

// content reads one file, whose size is the header's.
func (in *reader) content(name string, size int64, r io.Reader) ([]byte, error) {
	in.written += size
	if size < 0 || in.written > in.limits.Bytes {
		return nil, fmt.Errorf("read archive: entry %.200q: %w: bytes=%d", name, ErrLimit, in.limits.Bytes)
	}
	// The header comes before the bytes: memory is taken as they arrive, since
	// a header can promise anything.
	const first = 1 << 20
	if err := in.hold(name, min(size, first), size); err != nil {
		return nil, err
	}
	data := make([]byte, 0, min(size, first))
	for int64(len(data)) < size {
		if len(data) == cap(data) {
			if err := in.hold(name, min(2*int64(len(data)), size), size); err != nil {
				return nil, err
			}
			data = append(data, 0)[:len(data)]
		}
		n, err := r.Read(data[len(data):min(int64(cap(data)), size)])
		data = data[:len(data)+n]
		if err != nil && (!errors.Is(err, io.EOF) || int64(len(data)) < size) {
			return nil, fmt.Errorf("read archive: entry %.200q: %w", name, notEOF(err))
		}
		if err := in.ratio(int64(len(data)), size); err != nil {
			return nil, fmt.Errorf("read archive: entry %.200q: %w", name, err)
		}
	}
	return data, nil
}

// hold takes room for so many bytes of a file of a size, beside all files before it.
func (in *reader) hold(name string, bytes, size int64) error {
	if err := in.share.hold(in.packed.ctx, in.written-size+bytes); err != nil {
		return fmt.Errorf("read archive: entry %.200q: %w", name, err)
	}
	return nil
}

func (in *reader) ratio(have, size int64) error {
	total := in.written - size + have
	if total > ratioFrom && total > in.packed.n*in.limits.Ratio {
		return fmt.Errorf("%w: ratio=%d: %d bytes unpacked to %d", ErrLimit, in.limits.Ratio, in.packed.n, total)
	}
	return nil
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// counter counts what is read, up to a limit, while ctx lasts.
type counter struct {
	ctx  context.Context //nolint:containedctx // one call's reader, gone with it
	r    io.Reader
	n    int64
	most int64
}

func (c *counter) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	if c.n += int64(n); c.n > c.most {
		return 0, fmt.Errorf("%w: compressed=%d; narrow what is sent with the annotation argocd.argoproj.io/manifest-generate-paths", ErrLimit, c.most)
	}
	return n, err
}

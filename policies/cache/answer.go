package cache

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// maxFile bounds a file that is read again. What reads files has lower limits.
const maxFile = 64 << 20

var errTooLarge = errors.New("limit file=64 MiB hit")

// asker asks trees again. It keeps what a file is read into for the next one: memory
// that is touched for the first time costs more than the reading.
type asker struct{ buf []byte }

// ask asks the tree again.
func (a *asker) ask(fsys fs.FS, q question) (digest, error) {
	switch q.kind {
	case kindFile:
		return a.read(fsys, q.path)
	case kindDir:
		return listing(fs.ReadDir(fsys, q.path))
	case kindStat:
		return described(fs.Stat(fsys, q.path))
	case kindLstat:
		return described(fs.Lstat(fsys, q.path))
	case kindLink:
		return pointing(fs.ReadLink(fsys, q.path))
	}
	return digest{}, errors.New("unknown question")
}

func (a *asker) read(fsys fs.FS, name string) (digest, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return absent(err)
	}
	defer f.Close()
	// What is no file any more must not be waited for.
	info, err := f.Stat()
	if err != nil {
		return digest{}, err
	}
	if !info.Mode().IsRegular() {
		return digest{}, errors.New("it is no regular file")
	}
	if info.Size() > maxFile {
		return digest{}, errTooLarge
	}
	if need := max(info.Size()+1, 64<<10); int64(len(a.buf)) < need {
		a.buf = make([]byte, need)
	}
	sum := sha256.New()
	for total := int64(0); total <= maxFile; {
		n, err := f.Read(a.buf)
		sum.Write(a.buf[:n])
		total += int64(n)
		if errors.Is(err, io.EOF) {
			return contents(digest(sum.Sum(nil))), nil
		}
		if err != nil {
			return digest{}, err
		}
	}
	return digest{}, errTooLarge
}

// contents is the answer of a file whose bytes have that sum.
func contents(sum digest) digest { return hashOf("file", string(sum[:])) }

// absent is the answer of a path that is not there. Any other error is none: it
// may pass without the tree changing.
func absent(err error) (digest, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return hashOf("absent"), nil
	}
	return digest{}, err
}

func listing(entries []fs.DirEntry, err error) (digest, error) {
	if err != nil {
		return absent(err)
	}
	parts := make([]string, 1, 1+2*len(entries))
	parts[0] = "folder"
	for _, e := range entries {
		parts = append(parts, e.Name(), strconv.FormatUint(uint64(e.Type()), 8))
	}
	return hashOf(parts...), nil
}

// described tells what a path is, and no more: what looks at sizes and times
// reads the file.
func described(info fs.FileInfo, err error) (digest, error) {
	if err != nil {
		return absent(err)
	}
	return hashOf("is", strconv.FormatUint(uint64(info.Mode().Type()), 8)), nil
}

func pointing(target string, err error) (digest, error) {
	if err != nil {
		return absent(err)
	}
	return hashOf("link", target), nil
}

// hashOf sums the parts so that no two lists of parts are the same bytes.
func hashOf(parts ...string) digest {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(strconv.Itoa(len(p)))
		b.WriteByte(':')
		b.WriteString(p)
	}
	return sha256.Sum256([]byte(b.String()))
}

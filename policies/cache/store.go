package cache

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of a Store.
const (
	maxEntry   = 16 << 20
	maxBytes   = 128 << 20
	maxEntries = 256
)

// magic begins every entry, and tells their form.
const magic = "syncgate cache 1\n"

const suffix = ".entry"

// Store keeps entries in a folder, which several programs may use at once. An
// entry has the paths that were asked for, one sum over all answers, and the data:
// from the sum nobody can learn a file without having all others.
type Store struct {
	dir string
}

// Open opens the store in a folder, and makes it for this user alone. A folder
// of another user's, or one that others may write to, is refused: whoever can write
// there says what holds.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("open cache: expected a folder that only its owner can write to, found %s with mode %o; chmod go-w it, or name another", dir, info.Mode().Perm())
	}
	if who, other := foreign(info); other {
		return nil, fmt.Errorf("open cache: expected a folder of this user's, found that %s belongs to user %d; name another", dir, who)
	}
	return &Store{dir: dir}, nil
}

// Key is what an entry is found by: all that an answer depends on beside the
// trees.
func Key(parts ...string) [sha256.Size]byte { return hashOf(parts...) }

func (s *Store) file(key [sha256.Size]byte) string {
	return filepath.Join(s.dir, hex.EncodeToString(key[:])+suffix)
}

// Get is the data of an entry, when every question that led to it has the answer
// it had then. What cannot be read is no entry.
func (s *Store) Get(ctx context.Context, key [sha256.Size]byte, trees ...fs.FS) ([]byte, bool) {
	name := s.file(key)
	info, err := os.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxEntry {
		return nil, false
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, false
	}
	e, err := decode(key, raw)
	if err != nil {
		return nil, false
	}
	if sum, err := askAll(ctx, e.questions, trees); err != nil || sum != e.sum {
		return nil, false
	}
	now := time.Now()
	_ = os.Chtimes(name, now, now) // used last, removed last; without it only too early
	return e.data, true
}

// Put writes an entry. A record that cannot be held against the trees later is an
// error, and so is one over the limits.
func (s *Store) Put(key [sha256.Size]byte, r *Recorder, data []byte) error {
	e, err := r.entry(data)
	if err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	raw := e.encode(key)
	if len(raw) > maxEntry {
		return fmt.Errorf("write cache: limit entry=%d bytes hit: it has %d", maxEntry, len(raw))
	}
	tmp, err := os.CreateTemp(s.dir, ".writing-*")
	if err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already when all went well
	_, err = tmp.Write(raw)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), s.file(key))
	}
	if err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	return s.prune()
}

// prune removes the entries that were used least lately, and what writers left
// behind that were killed.
func (s *Store) prune() error {
	list, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("prune cache: %w", err)
	}
	var infos []fs.FileInfo
	for _, d := range list {
		info, err := d.Info()
		if err != nil {
			continue // another program removed it
		}
		switch {
		case strings.HasSuffix(d.Name(), suffix):
			infos = append(infos, info)
		case strings.HasPrefix(d.Name(), ".writing-") && time.Since(info.ModTime()) > time.Hour:
			_ = os.Remove(filepath.Join(s.dir, d.Name()))
		}
	}
	slices.SortFunc(infos, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	var total int64
	for i, info := range infos {
		if total += info.Size(); i >= maxEntries || total > maxBytes {
			if err := os.Remove(filepath.Join(s.dir, info.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("prune cache: %w", err)
			}
		}
	}
	return nil
}

// entry is what lies in one file.
type entry struct {
	questions []question
	sum       digest
	data      []byte
}

// entry is the record, sorted, without what its other questions answer already.
func (r *Recorder) entry(data []byte) (entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return entry{}, r.broken
	}
	e := entry{data: data}
	for q := range r.answers {
		// A folder's list says what each path in it is.
		_, listed := r.answers[question{q.tree, kindDir, path.Dir(q.path)}]
		if q.kind != kindLstat || !listed || q.path == "." {
			e.questions = append(e.questions, q)
		}
	}
	slices.SortFunc(e.questions, func(a, b question) int {
		return cmp.Or(cmp.Compare(a.tree, b.tree), strings.Compare(a.path, b.path), cmp.Compare(a.kind, b.kind))
	})
	answers := make([]digest, len(e.questions))
	for i, q := range e.questions {
		answers[i] = r.answers[q]
	}
	e.sum = sumOf(e.questions, answers)
	return e, nil
}

func sumOf(questions []question, answers []digest) digest {
	h := sha256.New()
	for i, q := range questions {
		h.Write([]byte{q.tree, byte(q.kind)})
		h.Write([]byte(q.path))
		h.Write([]byte{0})
		h.Write(answers[i][:])
	}
	return digest(h.Sum(nil))
}

// askAll asks all questions anew.
func askAll(ctx context.Context, questions []question, trees []fs.FS) (digest, error) {
	answers := make([]digest, len(questions))
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(questions)) {
		wg.Go(func() {
			var again asker
			for ctx.Err() == nil && failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(questions) {
					return
				}
				q := questions[i]
				err := fs.ErrInvalid // a tree that is not there now
				if int(q.tree) < len(trees) && trees[q.tree] != nil {
					answers[i], err = again.ask(trees[q.tree], q)
				}
				if err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return digest{}, err
	}
	if err := failed.Load(); err != nil {
		return digest{}, *err
	}
	return sumOf(questions, answers), nil
}

// encode is magic, a sum over the key and all that follows, the sum of the
// answers, the length of the questions, the questions, the data.
func (e entry) encode(key [sha256.Size]byte) []byte {
	var asked []byte
	for _, q := range e.questions {
		asked = append(asked, q.tree, byte(q.kind))
		asked = append(asked, q.path...)
		asked = append(asked, 0)
	}
	rest := append([]byte{}, e.sum[:]...)
	rest = binary.BigEndian.AppendUint32(rest, uint32(len(asked)))
	rest = append(append(rest, asked...), e.data...)
	sum := checksum(key, rest)
	return append(append([]byte(magic), sum[:]...), rest...)
}

func checksum(key [sha256.Size]byte, rest []byte) digest {
	return hashOf(string(key[:]), string(rest))
}

var errNoEntry = errors.New("expected a whole entry of this cache, found something else")

// decode reads what encode wrote for the same key, and nothing else.
func decode(key [sha256.Size]byte, raw []byte) (entry, error) {
	const head = sha256.Size + 4
	rest, ok := bytes.CutPrefix(raw, []byte(magic))
	if !ok || len(rest) < sha256.Size+head {
		return entry{}, errNoEntry
	}
	sum, rest := digest(rest[:sha256.Size]), rest[sha256.Size:]
	if sum != checksum(key, rest) {
		return entry{}, errNoEntry
	}
	e := entry{sum: digest(rest[:sha256.Size])}
	length := uint64(binary.BigEndian.Uint32(rest[sha256.Size:]))
	if rest = rest[head:]; length > uint64(len(rest)) {
		return entry{}, errNoEntry
	}
	asked := rest[:length]
	e.data = rest[length:]
	for len(asked) > 0 {
		end := bytes.IndexByte(asked[min(2, len(asked)):], 0)
		if end < 0 {
			return entry{}, errNoEntry
		}
		e.questions = append(e.questions, question{asked[0], kind(asked[1]), string(asked[2 : 2+end])})
		asked = asked[2+end+1:]
	}
	return e, nil
}

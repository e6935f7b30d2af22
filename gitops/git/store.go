package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/syncgate/syncgate/gitops"
)

const (
	maxSlots = 64
	// maxPacks is how many packs a store may gather before it is begun anew:
	// every fetch adds one, and git looks through all of them.
	maxPacks = 512
	refSpace = "refs/syncgate/"
)

// store is one bare repository of the cache.
type store struct {
	path  string
	sem   chan struct{}       // one writer at a time; waiting ends with the context
	ready bool                // under sem
	known map[string]struct{} // the revisions that were fetched; under sem
}

func newStore(path string) *store { return &store{path: path, sem: make(chan struct{}, 1)} }

func (s *store) lock(ctx context.Context) error {
	select {
	case s.sem <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *store) unlock() { <-s.sem }

// takeSlot finds a part of the cache that no living process uses and clears
// what a killed one left behind.
func takeSlot(dir string) (string, *os.File, error) {
	for n := range maxSlots {
		slot := filepath.Join(dir, strconv.Itoa(n))
		if err := os.MkdirAll(slot, 0o700); err != nil {
			return "", nil, fmt.Errorf("make cache folder: %w", err)
		}
		f, err := os.OpenFile(filepath.Join(slot, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return "", nil, fmt.Errorf("open cache lock: %w", err)
		}
		if !tryLock(f) {
			_ = f.Close()
			continue
		}
		if err := clearLeftovers(slot); err != nil {
			_ = f.Close()
			return "", nil, err
		}
		return slot, f, nil
	}
	return "", nil, fmt.Errorf("cache folder %s: all %d parts are in use by other processes: give this one a folder of its own", dir, maxSlots)
}

// clearLeftovers removes git's lock and temporary files. Only the owner of the
// slot may call it.
func clearLeftovers(slot string) error {
	root, err := os.OpenRoot(slot)
	if err != nil {
		return fmt.Errorf("clear cache folder: %w", err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.HasSuffix(path, ".lock") || strings.HasPrefix(d.Name(), "tmp_") {
			return root.Remove(path)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("clear cache folder: %w", err)
	}
	return nil
}

// prepare makes the store where it is not there. The caller holds its lock.
func (r *Repository) prepare(ctx context.Context, s *store, sha string) error {
	if s.ready {
		return nil
	}
	if _, err := os.Stat(filepath.Join(s.path, "HEAD")); err != nil {
		if err := r.initStore(ctx, s, sha); err != nil {
			return err
		}
	}
	list := call{store: s, args: []string{"for-each-ref", "--format=%(refname)", refSpace}}
	out, err := r.run(ctx, list)
	var gitErr *Error
	if errors.As(err, &gitErr) && brokenForm.MatchString(gitErr.Stderr) {
		r.log.WarnContext(ctx, "git cache begins anew", "store", filepath.Base(s.path), "why", gitErr.line())
		if err := r.initStore(ctx, s, sha); err != nil {
			return err
		}
		out, err = r.run(ctx, list)
	}
	if err != nil {
		return err
	}
	s.known = map[string]struct{}{}
	for ref := range strings.FieldsSeq(string(out)) {
		s.known[strings.TrimPrefix(ref, refSpace)] = struct{}{}
	}
	s.ready = true
	return nil
}

// prepareToFetch is prepare for a store that is about to grow: one that has
// grown to its limit is begun anew. The caller holds its lock.
func (r *Repository) prepareToFetch(ctx context.Context, s *store, sha string) error {
	if full, err := r.full(s); err != nil {
		return err
	} else if full && !r.held() {
		r.log.InfoContext(ctx, "git cache begins anew", "store", filepath.Base(s.path), "why", "grown to its limit")
		if err := r.discard(s); err != nil {
			return err
		}
	}
	return r.prepare(ctx, s, sha)
}

func (r *Repository) initStore(ctx context.Context, s *store, sha string) error {
	format := "sha1"
	if len(sha) == 64 {
		format = "sha256"
	}
	if err := os.RemoveAll(s.path); err != nil {
		return fmt.Errorf("make cache: %w", err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--template=", "--object-format=" + format, s.path},
		{"config", "--file", filepath.Join(s.path, "config"), "core.repositoryFormatVersion", "1"},
		{"config", "--file", filepath.Join(s.path, "config"), "extensions.partialClone", "origin"},
		{"config", "--file", filepath.Join(s.path, "config"), "remote.origin.promisor", "true"},
	} {
		if _, err := r.run(ctx, call{args: args}); err != nil {
			return err
		}
	}
	return nil
}

// discard empties the store. What trees were handed out before stay readable:
// their contents are fetched again by ID.
func (r *Repository) discard(s *store) error {
	s.ready, s.known = false, nil
	if s == r.trees {
		r.objects.forget()
	}
	if err := os.RemoveAll(s.path); err != nil {
		return fmt.Errorf("discard cache: %w", err)
	}
	return nil
}

func (r *Repository) held() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holds > 0
}

func (r *Repository) full(s *store) (bool, error) {
	packs, size, err := s.measure()
	return packs > maxPacks || size > r.opts.Limits.CacheBytes, err
}

// measure counts the packs of the store and all their bytes.
func (s *store) measure() (packs int, size int64, err error) {
	list, err := os.ReadDir(filepath.Join(s.path, "objects", "pack"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("measure cache: %w", err)
	}
	for _, p := range list {
		info, err := p.Info()
		if err != nil {
			continue // gone meanwhile
		}
		size += info.Size()
		if strings.HasSuffix(p.Name(), ".pack") {
			packs++
		}
	}
	return packs, size, nil
}

// fetchCommit brings one revision into a store, in the form that args ask for,
// and keeps a ref on it so that later fetches need not bring again what they
// share. The caller holds the store's lock.
func (r *Repository) fetchCommit(ctx context.Context, s *store, sha string, args ...string) error {
	all := append([]string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--no-auto-maintenance"}, args...)
	all = append(all, "--end-of-options", "origin", "+"+sha+":"+refSpace+sha)
	err := r.fetch(ctx, s, call{args: all})
	var gitErr *Error
	if errors.As(err, &gitErr) && brokenForm.MatchString(gitErr.Stderr) && !r.held() {
		r.log.WarnContext(ctx, "git cache begins anew", "store", filepath.Base(s.path), "why", gitErr.line())
		if err := errors.Join(r.discard(s), r.prepare(ctx, s, sha)); err != nil {
			return err
		}
		err = r.fetch(ctx, s, call{args: all})
	}
	if errors.As(err, &gitErr) && noRevisionForm.MatchString(gitErr.Stderr) {
		return fmt.Errorf("%w: %s has no commit %s: it was never pushed there, or has been removed", gitops.ErrNoRevision, r.remote.shown, sha)
	}
	if err != nil {
		return err
	}
	typ, err := r.run(ctx, call{store: s, args: []string{"cat-file", "-t", sha}})
	if err != nil {
		return err
	}
	if t := strings.TrimSpace(string(typ)); t != "commit" {
		_, _ = r.run(ctx, call{store: s, args: []string{"update-ref", "-d", refSpace + sha}})
		return fmt.Errorf("%w: %s is a %s in %s, expected a commit", gitops.ErrNoRevision, sha, t, r.remote.shown)
	}
	s.known[sha] = struct{}{}
	return nil
}

// fetch runs a call that brings a pack, within the limit on its size.
func (r *Repository) fetch(ctx context.Context, s *store, c call) error {
	limit := r.opts.Limits.FetchBytes
	over := &LimitError{What: "a fetch from " + r.remote.shown, Name: "FetchBytes", Limit: limit}
	_, before, err := s.measure()
	if err != nil {
		return err
	}
	c.store, c.network = s, true
	c.watch = func() error {
		if incoming(s.path) > limit {
			return over
		}
		return nil
	}
	if _, err := r.run(ctx, c); err != nil {
		return errors.Join(err, clearIncoming(s.path))
	}
	_, after, err := s.measure()
	if err != nil {
		return err
	}
	r.log.DebugContext(ctx, "git fetched", "store", filepath.Base(s.path), "bytes", after-before)
	if after-before > limit { // it was there before anybody looked
		if r.held() {
			return over
		}
		return errors.Join(over, r.discard(s))
	}
	return nil
}

// incoming is how large the pack is that is being received.
func incoming(path string) int64 {
	var size int64
	for _, name := range incomingFiles(path) {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	return size
}

func clearIncoming(path string) error {
	for _, name := range incomingFiles(path) {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clear cache: %w", err)
		}
	}
	return nil
}

func incomingFiles(path string) []string {
	names, _ := filepath.Glob(filepath.Join(escapeGlob(path), "objects", "pack", "tmp_*"))
	return names
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

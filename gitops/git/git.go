// Package git is a gitops.Repository over the git executable: a bare, partial
// clone that holds only what was asked for. Revisions are fetched by their
// SHA, without history and without file contents; contents come in batches
// when they are read; ancestry is asked of a second store that holds commits
// alone. There is no work tree, and nothing of the user's or the machine's Git
// configuration, hooks or credentials is used.
package git

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/syncgate/syncgate/gitops"
)

// MinVersion is the oldest git that will do: `git merge-tree --write-tree`
// came with 2.38.
const MinVersion = "2.38"

// Options say which repository to open, and how.
type Options struct {
	// URL is https, http, ssh, user@host:path, file or an absolute path. It
	// holds no password: that is what Token is for.
	URL string
	// Dir is a folder for the cache. It may be lost at any time; it is made
	// when it is not there. Several processes may share it.
	Dir string
	// Token gives the password or access token for https and http, asked anew
	// for every call to the server. Nil: none is sent. See TokenFile.
	Token func(ctx context.Context) (string, error)
	// Username goes with Token. Default "x-access-token", which is what
	// GitHub wants; most other servers take any.
	Username string
	// SSH is used for ssh URLs.
	SSH SSHOptions
	// Env is added to the environment of git's processes, "KEY=value": proxies
	// and certificate files. Nothing else of this process's is handed on; PATH
	// is git's own folder and the usual ones.
	Env []string
	// Limits bound what is fetched and read. Zero fields take the default.
	Limits Limits
	// Log gets what is fetched, at debug level. Nil: nothing is logged.
	Log *slog.Logger
}

// SSHOptions say how to log in over ssh. Host keys are always checked.
type SSHOptions struct {
	// KeyFile is the private key.
	KeyFile string
	// KnownHostsFile holds the server's host key.
	KnownHostsFile string
}

// Limits bound what a Repository fetches and reads.
type Limits struct {
	// FileBytes is the largest file that is read. Default 16 MiB.
	FileBytes int64
	// Entries is how many files a tree may hold, and how many may differ
	// between two. Default 500,000.
	Entries int
	// Commits is how many commits Log lists. Default 20,000.
	Commits int
	// FetchBytes is the largest pack one fetch may bring. Default 512 MiB.
	FetchBytes int64
	// CacheBytes is how large the cache may grow before it is begun anew.
	// Default 2 GiB.
	CacheBytes int64
	// Timeout of one git process. Default 2m.
	Timeout time.Duration
}

func (l Limits) orDefault() Limits {
	def := Limits{
		FileBytes: 16 << 20, Entries: 500_000, Commits: 20_000,
		FetchBytes: 512 << 20, CacheBytes: 2 << 30, Timeout: 2 * time.Minute,
	}
	if l.FileBytes <= 0 {
		l.FileBytes = def.FileBytes
	}
	if l.Entries <= 0 {
		l.Entries = def.Entries
	}
	if l.Commits <= 0 {
		l.Commits = def.Commits
	}
	if l.FetchBytes <= 0 {
		l.FetchBytes = def.FetchBytes
	}
	if l.CacheBytes <= 0 {
		l.CacheBytes = def.CacheBytes
	}
	if l.Timeout <= 0 {
		l.Timeout = def.Timeout
	}
	return l
}

// Repository is an open Git repository. It is safe for concurrent use; its
// calls wait for each other where they must.
type Repository struct {
	opts   Options
	remote remote
	git    string // the executable
	dir    string // this process's part of the cache
	lock   *os.File
	log    *slog.Logger

	trees   *store // revisions without history and contents
	history *store // commits alone

	mu      sync.Mutex // guards what follows
	holds   int
	parsed  []*index
	objects *objectReader
}

var (
	_ gitops.Repository = (*Repository)(nil)
	_ gitops.Comparer   = (*Repository)(nil)
)

// Open prepares the cache and checks git's version. It does not speak to the
// server. Close the Repository when it is no longer used.
func Open(ctx context.Context, opts Options) (*Repository, error) {
	rem, err := parseURL(opts.URL)
	if err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	if opts.Dir == "" {
		return nil, fmt.Errorf("open repository %s: no cache folder given", rem.shown)
	}
	opts.Limits = opts.Limits.orDefault()
	if opts.Username == "" {
		opts.Username = "x-access-token"
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	bin, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("open repository %s: find git: %w: install git %s or later", rem.shown, err, MinVersion)
	}
	root, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("open repository %s: %w", rem.shown, err)
	}
	r := &Repository{opts: opts, remote: rem, git: bin, log: opts.Log.With("repository", rem.shown)}
	if r.dir, r.lock, err = takeSlot(filepath.Join(root, rem.key())); err != nil {
		return nil, fmt.Errorf("open repository %s: %w", rem.shown, err)
	}
	r.trees = newStore(filepath.Join(r.dir, "trees"))
	r.history = newStore(filepath.Join(r.dir, "history"))
	r.objects = &objectReader{repo: r}
	if err := r.checkVersion(ctx); err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("open repository %s: %w", rem.shown, err)
	}
	return r, nil
}

// Close ends the processes of r. The cache stays for the next Open.
func (r *Repository) Close() error {
	r.objects.stop()
	if err := r.lock.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close repository %s: %w", r.remote.shown, err)
	}
	return nil
}

// URL is the repository's address, without any credential.
func (r *Repository) URL() string { return r.remote.shown }

// Hold keeps the cache from being begun anew until release is called, for
// work that needs objects which are not on the server yet.
func (r *Repository) Hold() (release func()) {
	r.mu.Lock()
	r.holds++
	r.mu.Unlock()
	return sync.OnceFunc(func() {
		r.mu.Lock()
		r.holds--
		r.mu.Unlock()
	})
}

var (
	shaForm     = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	versionForm = regexp.MustCompile(`^git version (\d+)\.(\d+)`)
)

func checkSHA(what, s string) error {
	if !shaForm.MatchString(s) {
		return fmt.Errorf("%s: expected a full SHA in lower-case hex, found %.80q", what, s)
	}
	return nil
}

func (r *Repository) checkVersion(ctx context.Context) error {
	out, err := r.run(ctx, call{args: []string{"version"}})
	if err != nil {
		return err
	}
	m := versionForm.FindStringSubmatch(string(out))
	if m == nil {
		return fmt.Errorf("read git's version: expected \"git version …\", found %.80q from %s", out, r.git)
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if major < 2 || major == 2 && minor < 38 {
		return fmt.Errorf("git %s.%s found at %s, expected %s or later: upgrade git", m[1], m[2], r.git, MinVersion)
	}
	return nil
}

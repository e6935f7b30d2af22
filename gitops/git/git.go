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
	"io/fs"
	"log/slog"
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
	// when it is not there.
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
	// and certificate files. PATH is always handed on.
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
	// Entries is how many files a tree may hold. Default 500,000.
	Entries int
	// FetchBytes is the largest pack one fetch may bring. Default 512 MiB.
	FetchBytes int64
	// CacheBytes is how large the cache may grow before it is begun anew.
	// Default 2 GiB.
	CacheBytes int64
	// Timeout of one git process. Default 2m.
	Timeout time.Duration
}

// Repository is an open Git repository. It is safe for concurrent use; its
// calls wait for each other where they must.
type Repository struct{}

var _ gitops.Repository = (*Repository)(nil)

// Commit is a commit's own data.
type Commit struct {
	SHA     string
	Tree    string
	Parents []string
	Message string
}

// Change is how one file differs between two trees. Modes are Git's, "100644";
// a side that has no such file has the empty mode and ID.
type Change struct {
	Path             string
	OldMode, NewMode string
	OldID, NewID     string
}

// Merged is the result of a three-way merge. Tree is empty when there are
// Conflicts, which are the paths that need a person.
type Merged struct {
	Tree      string
	Conflicts []string
}

// ErrExists says that a branch that was to be made is already there.
var ErrExists = errors.New("branch already exists")

var errNotYet = errors.New("not written yet")

// Open prepares the cache and checks git's version. It does not speak to the
// server.
func Open(ctx context.Context, opts Options) (*Repository, error) { return nil, errNotYet }

// Close ends the processes of r. The cache stays for the next Open.
func (r *Repository) Close() error { return nil }

// URL is the repository's address, without any credential.
func (r *Repository) URL() string { return "" }

// Tree implements gitops.Repository. The result is a *Tree.
func (r *Repository) Tree(ctx context.Context, revision string) (fs.FS, error) { return nil, errNotYet }

// Branch implements gitops.Repository.
func (r *Repository) Branch(ctx context.Context, name string) (string, error) { return "", errNotYet }

// IsAncestor implements gitops.Repository.
func (r *Repository) IsAncestor(ctx context.Context, ancestor, revision string) (bool, error) {
	return false, errNotYet
}

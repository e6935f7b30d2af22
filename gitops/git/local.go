package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"
	"time"
)

// localTimeout bounds the calls that ask a local repository about itself.
const localTimeout = 30 * time.Second

// Local is a folder of a local repository as it was at a revision.
type Local struct {
	// FS is the folder's content at the revision.
	FS fs.FS
	// Revision is the full SHA.
	Revision string

	repo  *Repository
	cache string
}

// OpenLocal reads what lies in folder dir, inside a local repository, at a
// revision: a branch, a tag, "HEAD~1". Nothing in the repository is changed.
// Close it when it is no longer read.
func OpenLocal(ctx context.Context, dir, revision string) (*Local, error) {
	top, err := ask(ctx, dir, "--show-toplevel")
	if err != nil {
		return nil, fmt.Errorf("open repository around %s: %w", dir, err)
	}
	prefix, err := ask(ctx, dir, "--show-prefix")
	if err != nil {
		return nil, fmt.Errorf("open repository around %s: %w", dir, err)
	}
	sha, err := ask(ctx, dir, "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if err != nil || sha == "" {
		return nil, fmt.Errorf("find revision %q in %s: there is no such commit here; fetch it, or name another", revision, top)
	}
	l := &Local{Revision: sha}
	if l.cache, err = os.MkdirTemp("", "syncgate-base-"); err != nil {
		return nil, fmt.Errorf("make cache: %w", err)
	}
	if err := l.open(ctx, top, path.Clean(prefix)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Local) open(ctx context.Context, top, prefix string) (err error) {
	if l.repo, err = Open(ctx, Options{URL: top, Dir: l.cache}); err != nil {
		return err
	}
	if l.FS, err = l.repo.Tree(ctx, l.Revision); err != nil {
		return err
	}
	if prefix != "." {
		if l.FS, err = fs.Sub(l.FS, prefix); err != nil {
			return fmt.Errorf("open %s at %s: %w", prefix, l.Revision, err)
		}
	}
	return nil
}

// Close frees what reading took.
func (l *Local) Close() error {
	var err error
	if l.repo != nil {
		err = l.repo.Close()
	}
	return errors.Join(err, os.RemoveAll(l.cache))
}

// ask asks the repository around dir about itself, with the configuration of
// whoever runs the program: it is their repository.
func ask(ctx context.Context, dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, localTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "rev-parse"}, args...)...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("git rev-parse: %s", strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("run git: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

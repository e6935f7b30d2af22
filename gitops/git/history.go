package git

import (
	"bytes"
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

// How far back history is fetched, one after the other, until a question is
// answered. Commits alone are small (some 160 bytes each), a trip to the server
// is not: three trips at most.
const (
	firstDepth  = 64
	secondDepth = 2048
	wholeDepth  = 1<<31 - 1 // what git itself takes for "all"
)

// Branch implements gitops.Repository.
func (r *Repository) Branch(ctx context.Context, name string) (string, error) {
	if err := checkBranch(name); err != nil {
		return "", fmt.Errorf("read branch: %w", err)
	}
	ref := "refs/heads/" + name
	if name == "HEAD" {
		ref = name
	}
	sha, err := r.lookUp(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("read branch %s: %w", name, err)
	}
	return sha, nil
}

// PullRequest is the head of a pull request now, by the reference under which
// GitHub has it in the repository that it is for, also when it comes from a fork.
// ErrNoBranch when there is none of that number.
func (r *Repository) PullRequest(ctx context.Context, number int) (string, error) {
	sha, err := r.lookUp(ctx, fmt.Sprintf("refs/pull/%d/head", number))
	if err != nil {
		return "", fmt.Errorf("read head of pull request %d: %w", number, err)
	}
	return sha, nil
}

// lookUp asks the remote for a reference.
func (r *Repository) lookUp(ctx context.Context, ref string) (string, error) {
	out, err := r.run(ctx, call{network: true, args: []string{"ls-remote", "--quiet", "--end-of-options", "origin", ref}})
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		sha, found, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if found == ref { // the pattern also matches the end of longer names
			return sha, checkSHA(ref, sha)
		}
	}
	return "", fmt.Errorf("%w: %s has no %s", gitops.ErrNoBranch, r.remote.shown, ref)
}

// MergeBase is the newest commit that two have in common, which a pull request's
// changes are counted from; "" when they have none.
func (r *Repository) MergeBase(ctx context.Context, base, head string) (string, error) {
	if err := errors.Join(checkSHA("base", base), checkSHA("head", head)); err != nil {
		return "", fmt.Errorf("look for merge base: %w", err)
	}
	var found string
	err := r.deepen(ctx, base, func() (done bool, err error) {
		if err := r.ensureHistory(ctx, head); err != nil {
			return false, err
		}
		exit := -1
		out, err := r.run(ctx, call{store: r.history, args: []string{"merge-base", "--end-of-options", base, head}, exit: &exit, onExit: map[int]bool{1: true}})
		found = strings.TrimSpace(string(out))
		return err == nil && exit == 0, err
	})
	if err != nil {
		return "", fmt.Errorf("look for merge base of %s and %s: %w", base, head, err)
	}
	if found == "" {
		return "", nil
	}
	return found, checkSHA("merge base", found)
}

// IsAncestor implements gitops.Repository. A commit is its own ancestor. The
// answer is no only when the whole history of revision was looked at;
// ErrNoRevision when the repository does not have revision.
func (r *Repository) IsAncestor(ctx context.Context, ancestor, revision string) (bool, error) {
	if err := errors.Join(checkSHA("ancestor", ancestor), checkSHA("revision", revision)); err != nil {
		return false, fmt.Errorf("look for ancestor: %w", err)
	}
	var yes bool
	err := r.deepen(ctx, revision, func() (done bool, err error) {
		here, err := r.answer(ctx, "rev-parse", "--quiet", "--verify", ancestor+"^{commit}")
		if err != nil || !here {
			return false, err
		}
		yes, err = r.answer(ctx, "merge-base", "--is-ancestor", ancestor, revision)
		return yes, err
	})
	if err != nil {
		return false, fmt.Errorf("look for ancestor %s of %s: %w", ancestor, revision, err)
	}
	return yes, nil
}

// Log lists the commits that are reachable from to and not from from, newest
// first. from must be an ancestor of to.
func (r *Repository) Log(ctx context.Context, from, to string) ([]Commit, error) {
	yes, err := r.IsAncestor(ctx, from, to)
	if err != nil {
		return nil, fmt.Errorf("list commits: %w", err)
	}
	if !yes {
		return nil, fmt.Errorf("list commits: %s is not an ancestor of %s", from, to)
	}
	var commits []Commit
	err = r.deepen(ctx, to, func() (bool, error) {
		out, err := r.run(ctx, call{store: r.history, args: []string{
			"log", "-z", "--format=%H%n%T%n%P%n%B", "--no-show-signature", "--no-decorate", "--topo-order",
			"--max-count=" + strconv.Itoa(r.opts.Limits.Commits+1), "--end-of-options", from + ".." + to,
		}})
		if err != nil {
			return false, err
		}
		if commits, err = parseLog(out); err != nil {
			return false, err
		}
		if len(commits) > r.opts.Limits.Commits {
			return false, &LimitError{What: "the number of commits between " + from + " and " + to, Name: "Commits", Limit: int64(r.opts.Limits.Commits)}
		}
		return r.whole(commits)
	})
	if err != nil {
		return nil, fmt.Errorf("list commits %s..%s: %w", from, to, err)
	}
	return commits, nil
}

func parseLog(out []byte) ([]Commit, error) {
	var commits []Commit
	for rec := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		if len(rec) == 0 {
			continue
		}
		f := strings.SplitN(string(rec), "\n", 4)
		if len(f) != 4 || !shaForm.MatchString(f[0]) || !shaForm.MatchString(f[1]) {
			return nil, fmt.Errorf("parse log: expected SHA, tree, parents and message, found %.120q", rec)
		}
		commits = append(commits, Commit{SHA: f[0], Tree: f[1], Parents: strings.Fields(f[2]), Message: f[3]})
	}
	return commits, nil
}

// whole reports whether none of the commits is where the history that was
// fetched ends.
func (r *Repository) whole(commits []Commit) (bool, error) {
	ends, err := r.shallow()
	if err != nil {
		return false, err
	}
	for _, c := range commits {
		if _, cut := ends[c.SHA]; cut {
			return false, nil
		}
	}
	return true, nil
}

func (r *Repository) shallow() (map[string]struct{}, error) {
	b, err := os.ReadFile(filepath.Join(r.history.path, "shallow"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read cache: %w", err)
	}
	ends := map[string]struct{}{}
	for sha := range strings.FieldsSeq(string(b)) {
		ends[sha] = struct{}{}
	}
	return ends, nil
}

// deepen asks until ask is done or all history of revision is there.
func (r *Repository) deepen(ctx context.Context, revision string, ask func() (done bool, err error)) error {
	s := r.history
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if err := r.ensureHistory(ctx, revision); err != nil {
		return err
	}
	for _, depth := range []int{secondDepth, wholeDepth, 0} {
		if done, err := ask(); done || err != nil {
			return err
		}
		whole, err := r.rooted(ctx, revision)
		if err != nil || whole {
			return err
		}
		if depth == 0 {
			return fmt.Errorf("the server did not give the whole history of %s", revision)
		}
		if err := r.fetchCommit(ctx, s, revision, "--filter=tree:0", "--depth="+strconv.Itoa(depth)); err != nil {
			return err
		}
	}
	return nil
}

// ensureHistory fetches the newest history of revision: a part of it into an
// empty store, and else whatever joins it to what is there.
func (r *Repository) ensureHistory(ctx context.Context, revision string) error {
	s := r.history
	if err := r.prepare(ctx, s, revision); err != nil {
		return err
	}
	if _, ok := s.known[revision]; ok {
		return nil
	}
	if len(s.known) > 0 {
		if here, err := r.answer(ctx, "rev-parse", "--quiet", "--verify", revision+"^{commit}"); err != nil || here {
			return err
		}
	}
	if err := r.prepareToFetch(ctx, s, revision); err != nil {
		return err
	}
	args := []string{"--filter=tree:0"}
	if len(s.known) == 0 {
		args = append(args, "--depth="+strconv.Itoa(firstDepth))
	}
	return r.fetchCommit(ctx, s, revision, args...)
}

// rooted reports whether the history of revision is there down to its roots.
func (r *Repository) rooted(ctx context.Context, revision string) (bool, error) {
	ends, err := r.shallow()
	if err != nil || len(ends) == 0 {
		return err == nil, err
	}
	out, err := r.run(ctx, call{store: r.history, args: []string{"rev-list", "--max-parents=0", "--end-of-options", revision}})
	if err != nil {
		return false, err
	}
	for sha := range strings.FieldsSeq(string(out)) {
		if _, cut := ends[sha]; cut {
			return false, nil
		}
	}
	return true, nil
}

// answer runs a git command of the history store that says yes with 0 and no
// with 1. An object that is not there is a no.
func (r *Repository) answer(ctx context.Context, args ...string) (bool, error) {
	exit := -1
	_, err := r.run(ctx, call{store: r.history, args: args, exit: &exit, onExit: map[int]bool{1: true}})
	var gitErr *Error
	if errors.As(err, &gitErr) && lazyForm.MatchString(gitErr.Stderr) {
		return false, nil // it would have had to be fetched, which is not allowed here
	}
	return exit == 0, err
}

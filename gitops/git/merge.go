package git

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/gitops"
)

// Merge merges the trees ours and theirs, which both come from base, as `git
// merge`, `git revert` and `git cherry-pick` do it: with the same engine, so
// that renames, modes, added and deleted files come out alike. All three trees
// must be there: of a commit that was read, or made by Replace.
func (r *Repository) Merge(ctx context.Context, base, ours, theirs string) (Merged, error) {
	if err := r.trees.lock(ctx); err != nil {
		return Merged{}, err
	}
	defer r.trees.unlock()
	// The engine merges commits: three are made whose history says just this.
	const date = "2000-01-01T00:00:00Z"
	b, err := r.commitTree(ctx, NewCommit{Tree: base, Message: "base"}, date)
	if err != nil {
		return Merged{}, fmt.Errorf("merge trees: %w", err)
	}
	o, err := r.commitTree(ctx, NewCommit{Tree: ours, Parent: b, Message: "ours"}, date)
	if err != nil {
		return Merged{}, fmt.Errorf("merge trees: %w", err)
	}
	t, err := r.commitTree(ctx, NewCommit{Tree: theirs, Parent: b, Message: "theirs"}, date)
	if err != nil {
		return Merged{}, fmt.Errorf("merge trees: %w", err)
	}
	exit := 0
	out, err := r.run(ctx, call{
		store: r.trees, network: true, // contents that are not here yet
		args: []string{"merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", o, t},
		exit: &exit, onExit: map[int]bool{1: true},
	})
	if err != nil {
		return Merged{}, fmt.Errorf("merge trees: %w", err)
	}
	r.objects.recount()
	fields := strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	tree := strings.TrimSpace(fields[0])
	if err := checkSHA("git merge-tree", tree); err != nil {
		return Merged{}, fmt.Errorf("merge trees: %w", err)
	}
	if exit == 0 {
		return Merged{Tree: tree}, nil
	}
	conflicts := slices.Clone(fields[1:])
	slices.Sort(conflicts)
	conflicts = slices.Compact(slices.DeleteFunc(conflicts, func(s string) bool { return s == "" }))
	if len(conflicts) == 0 {
		return Merged{}, errors.New("merge trees: git says that there is a conflict and does not say where")
	}
	return Merged{Conflicts: conflicts}, nil
}

// existsForm is how git push says that the branch is not as expected.
var existsForm = regexp.MustCompile(`stale info|already exists|fetch first|non-fast-forward|cannot lock ref|failed to update ref`)

// CreateBranch pushes a commit of the cache as a new branch. ErrExists when
// there is a branch of that name; ErrDenied when the server refuses.
func (r *Repository) CreateBranch(ctx context.Context, name, sha string) error {
	if err := errors.Join(checkBranch(name), checkSHA("commit", sha)); err != nil {
		return fmt.Errorf("push branch: %w", err)
	}
	ref := "refs/heads/" + name
	same, err := r.push(ctx, "--force-with-lease="+ref+":", sha+":"+ref)
	if same {
		return fmt.Errorf("push branch: %w: %s", ErrExists, name)
	}
	var gitErr *Error
	if errors.As(err, &gitErr) && existsForm.MatchString(gitErr.Stderr) {
		// A lock that somebody else holds is no branch: look.
		if _, lookErr := r.Branch(ctx, name); lookErr == nil {
			return fmt.Errorf("push branch: %w: %s", ErrExists, name)
		}
	}
	if err != nil {
		return fmt.Errorf("push branch %s: %w", name, err)
	}
	return nil
}

// DeleteBranch removes a branch if it still points at sha. Gone or pointing
// elsewhere, nothing is done.
func (r *Repository) DeleteBranch(ctx context.Context, name, sha string) error {
	if err := errors.Join(checkBranch(name), checkSHA("commit", sha)); err != nil {
		return fmt.Errorf("delete branch: %w", err)
	}
	moved := func() (bool, error) {
		now, err := r.Branch(ctx, name)
		if errors.Is(err, gitops.ErrNoBranch) {
			return true, nil
		}
		return now != sha, err
	}
	if gone, err := moved(); gone || err != nil {
		return err
	}
	ref := "refs/heads/" + name
	_, err := r.push(ctx, "--force-with-lease="+ref+":"+sha, ":"+ref)
	if err == nil {
		return nil
	}
	if gone, lookErr := moved(); lookErr == nil && gone {
		return nil // somebody else was quicker
	}
	return fmt.Errorf("delete branch %s: %w", name, err)
}

// push reports whether there was nothing to push: git asks for no lease then.
func (r *Repository) push(ctx context.Context, lease, refspec string) (same bool, err error) {
	if err := r.trees.lock(ctx); err != nil {
		return false, err
	}
	defer r.trees.unlock()
	if err := r.prepare(ctx, r.trees, strings.Repeat("0", 40)); err != nil {
		return false, err
	}
	out, err := r.run(ctx, call{store: r.trees, network: true, args: []string{
		"push", "--porcelain", "--no-verify", "--recurse-submodules=no", lease, "--end-of-options", "origin", refspec,
	}})
	return strings.Contains("\n"+string(out), "\n=\t"), err
}

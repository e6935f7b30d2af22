// Package gitops speaks to Git and to what is built on it. It reads a
// repository at a revision, computes what undoes a change, and opens the
// revert pull request on a Forge. It knows nothing of checks: evidence reaches
// it as text.
package gitops

import (
	"context"
	"io/fs"
)

// Repository reads a Git repository at exact revisions.
type Repository interface {
	// Tree is the tree of a commit, given by its full SHA. Symbolic links are
	// not followed. ErrNoRevision when the repository does not have it. An
	// error of the tree is Lasting when it says what is at a path.
	Tree(ctx context.Context, revision string) (fs.FS, error)
	// Branch is the commit a branch points at now; "HEAD" is the repository's
	// default branch. ErrNoBranch when there is no such branch.
	Branch(ctx context.Context, name string) (string, error)
	// IsAncestor reports whether ancestor is reachable from revision.
	IsAncestor(ctx context.Context, ancestor, revision string) (bool, error)
}

// Comparer says where two revisions differ.
type Comparer interface {
	// Changed are the paths of the files whose kind, mode or content is not the
	// same in the trees of two commits, sorted. A renamed file is two of them.
	Changed(ctx context.Context, from, to string) ([]string, error)
}

// Prefetcher is a tree whose files are fetched when they are read; Prefetch
// fetches those that will be read, in one go. It only saves time.
type Prefetcher interface {
	Prefetch(ctx context.Context, want func(path string) bool) error
}

// RevertRequest is a change to undo, with what a reader of the pull request
// must know. The same Gate and Failing always mean the same branch.
type RevertRequest struct {
	Gate    string
	Cluster string
	// Failing is the revision that did not pass; LastGood is the newest
	// ancestor of it that passed on Cluster, "" when none is known.
	Failing  string
	LastGood string
	// Base is the branch that is synced.
	Base string
	// Guarded reports whether a path of the tree belongs to the Gate.
	Guarded func(path string) bool
	// Labels are put on the pull request beside "syncgate".
	Labels []string
	// Failures are what did not pass.
	Failures []Failure
	// Backup says where to restore from and how well that is proved, one
	// line; "" when there is none.
	Backup string
	// RunURL is the Run's page, "" when the server does not know its address.
	RunURL string
}

// Failure is one thing that did not pass.
type Failure struct {
	Name   string
	Status string
	Reason string
	// Evidence lines are shown as they are, in a code block.
	Evidence []string
}

// Action is what was done about a RevertRequest.
type Action string

// The actions.
const (
	PullRequest Action = "PullRequest" // a pull request is open, new or adopted
	Issue       Action = "Issue"       // no revert can be computed: an issue tells why
	None        Action = "None"        // nothing to do, Reason says why
)

// Outcome is what came of a RevertRequest.
type Outcome struct {
	Action Action
	URL    string
	Reason string
}

// Reverter undoes changes by pull request.
type Reverter interface {
	// Revert opens the pull request that undoes the request's change, or
	// adopts the one that is there. It may be called any number of times for
	// one change: there is never a second one open, and one that a person
	// closed stays closed. An error is transient or a matter of permission;
	// call again later, after a forge's *LimitedError not before its Until.
	Revert(ctx context.Context, req RevertRequest) (Outcome, error)
	// Settle closes the open revert pull request of a gate's revision, or the
	// issue in its place, with why as comment, because a later attempt of that
	// revision passed. Where several clusters share the pull request, it is to
	// be called when the revision has passed on the last of them. Without one
	// it does nothing. May be repeated.
	Settle(ctx context.Context, gate, revision, why string) error
}

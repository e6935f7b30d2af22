// Package forge is where pull requests and issues are kept: GitHub, or a
// folder beside a plain Git server. An implementation does what it is told and
// says what came of it; what to do next is decided by its caller.
package forge

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What a Forge answers when the answer is no. Anything else is trouble: call
// again later.
var (
	// ErrExists: what was to be made is already there.
	ErrExists = errors.New("already exists")
	// ErrRefused: the forge understood and will not do it, for want of a
	// permission or because the request breaks a rule of the repository.
	ErrRefused = errors.New("refused")
)

// LimitedError says that the forge wants fewer calls. Until is when to try
// again.
type LimitedError struct {
	Until time.Time
	Err   error
}

// Error names the time to try again.
func (e *LimitedError) Error() string {
	return fmt.Sprintf("%v: the forge limits calls until %s", e.Err, e.Until.UTC().Format(time.RFC3339))
}

// Unwrap is the forge's own answer.
func (e *LimitedError) Unwrap() error { return e.Err }

// Forge is what a revert needs of GitHub and its kind.
type Forge interface {
	Branches
	PullRequests
	Issues
	Comments
}

// Branches makes and removes branches.
type Branches interface {
	// CreateBranch makes one commit and a branch that points at it, and
	// returns the commit's SHA. ErrExists when there is a branch of that name,
	// whatever it points at: nothing was changed then.
	CreateBranch(ctx context.Context, b NewBranch) (sha string, err error)
	// DeleteBranch removes the branch if it still points at sha, and does
	// nothing if it is gone or points elsewhere.
	DeleteBranch(ctx context.Context, name, sha string) error
}

// PullRequests opens pull requests of branches of the same repository.
type PullRequests interface {
	// FindPullRequests lists those that have the branch as head, in any
	// state, newest first. None is an empty list and no error.
	FindPullRequests(ctx context.Context, branch string) ([]PullRequest, error)
	// OpenPullRequest opens one. ErrExists when an open one has the same head
	// and base. ErrRefused when it is forbidden. A label that cannot be put on
	// it is logged and not an error: the pull request counts.
	OpenPullRequest(ctx context.Context, p NewPullRequest) (PullRequest, error)
	// AddLabels puts labels on a pull request; those that do not exist are
	// made.
	AddLabels(ctx context.Context, number int, labels []string) error
}

// Issues are what people read where there can be no pull request.
type Issues interface {
	// FindIssue returns the issue whose body begins with marker, in any state,
	// among those that carry the label; nil when there is none.
	FindIssue(ctx context.Context, marker, label string) (*Issue, error)
	// FindOrOpenIssue returns the issue that FindIssue finds by the marker and
	// the first label, or opens it.
	FindOrOpenIssue(ctx context.Context, i NewIssue) (Issue, error)
	// Close closes a pull request or an issue: both are numbered together.
	// Closed or merged already is no error.
	Close(ctx context.Context, number int) error
}

// Comments are said on pull requests and issues.
type Comments interface {
	// Comment says body once: where a comment that begins with marker is
	// there already, nothing is done.
	Comment(ctx context.Context, number int, marker, body string) error
	// HasComment reports whether a comment begins with marker.
	HasComment(ctx context.Context, number int, marker string) (bool, error)
}

// NewBranch is a commit to make on top of Base, and the branch's name.
type NewBranch struct {
	Name    string
	Base    string // the parent's SHA
	Message string
	// BaseTree is Base's tree and Tree the one the commit must have; Changes
	// are what lies between them.
	BaseTree string
	Tree     string
	Changes  []FileChange
}

// FileChange is a file to write or to delete.
type FileChange struct {
	Path string
	// Mode is Git's, "100644"; empty deletes the file.
	Mode string
	// ID is the blob's.
	ID string
	// Content is set when the server may not have the blob yet.
	Content []byte
}

// State of a pull request or issue.
type State string

// The states.
const (
	Open   State = "open"
	Closed State = "closed"
	Merged State = "merged"
)

// NewPullRequest is a pull request to open.
type NewPullRequest struct {
	Head, Base  string // branch names
	Title, Body string
	Labels      []string
}

// PullRequest is one that is there.
type PullRequest struct {
	Number     int
	URL        string
	State      State
	Head, Base string // branch names
	HeadSHA    string
	Body       string
	Labels     []string
}

// NewIssue is an issue to open. Its body begins with Marker.
type NewIssue struct {
	Marker      string
	Title, Body string
	Labels      []string
}

// Issue is one that is there. New is set by the call that opened it.
type Issue struct {
	Number int
	URL    string
	State  State
	Body   string
	New    bool
}

// Package webhook is what GitHub sends to say that something happened. A
// delivery is authenticated before anything of it is decoded, and what is
// decoded is a hint where to look: the truth is read from Git.
package webhook

// Kind is what a delivery is to Syncgate.
type Kind string

// The kinds.
const (
	// PullRequest: a pull request was opened, got new commits or another base,
	// or is ready for review.
	PullRequest Kind = "PullRequest"
	// MergeGroup: a merge queue asks about what it would merge.
	MergeGroup Kind = "MergeGroup"
	// Push: a branch points at another commit.
	Push Kind = "Push"
	// Rerun: a person asks for a check run, or all of a commit's, again.
	Rerun Kind = "Rerun"
	// Ignored: nothing to do; Reason says why.
	Ignored Kind = "Ignored"
)

// Event is one delivery, decoded. Each field is as its sender has it, well
// formed and no more: SHAs are full and lower-case, references are whole, and a
// Number is above 0. Fields that a kind does not have are zero.
type Event struct {
	Kind   Kind   `json:"kind"`
	Reason string `json:"reason,omitempty"`
	// Delivery is the delivery's identity, the same when GitHub sends it again.
	Delivery string `json:"delivery"`
	// Name is GitHub's, "pull_request", and Action its action, "opened".
	Name   string `json:"name"`
	Action string `json:"action,omitempty"`
	// Repository is "owner/name", and CloneURL its address for https, by which
	// the server finds it among those that it is configured for.
	Repository string `json:"repository,omitempty"`
	CloneURL   string `json:"cloneURL,omitempty"`
	// Installation is that of the GitHub App; 0 for a webhook of the repository.
	Installation int64 `json:"installation,omitempty"`
	// Number is the pull request's. A Rerun has it where the commit is the head
	// of one pull request of the same repository; one of a fork is not named
	// there, see ExternalID.
	Number int `json:"number,omitempty"`
	// Head is what is asked about, and Base what it is compared with: the
	// target branch of a pull request or merge group, and the commit before a
	// push (no SHA for a new branch). A Rerun without Number has no Base.
	Head Ref `json:"head,omitzero"`
	Base Ref `json:"base,omitzero"`
	// Fork is true when the head is of another repository than the base, or of
	// one that is gone: whoever wrote it need not be allowed to write here. Its
	// commits are there all the same, as refs/pull/<Number>/head.
	Fork bool `json:"fork,omitempty"`
	// Check is the name of the check run to run again; "" is all of them.
	Check string `json:"check,omitempty"`
	// ExternalID is what its Report had.
	ExternalID string `json:"externalID,omitempty"`
}

// Ref is a commit and the reference that points at it.
type Ref struct {
	SHA string `json:"sha,omitempty"`
	// Ref is whole: "refs/heads/main".
	Ref string `json:"ref,omitempty"`
}

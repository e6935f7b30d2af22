package gitops

import "errors"

// What a Repository says when the answer is no; anything else could not be
// found out.
var (
	ErrNoRevision = errors.New("no such revision")
	ErrNoBranch   = errors.New("no such branch")
)

// Package revert undoes changes by pull request: it computes what `git revert`
// would do to the guarded files, and sees to it that there is one pull request
// for one failing revision, however often it is called.
package revert

import (
	"context"
	"errors"
	"log/slog"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/git"
)

// Options of a Reverter.
type Options struct {
	// Log gets what is done, at info level. Nil: nothing is logged.
	Log *slog.Logger
}

// New makes a Reverter of one repository and the forge that serves it.
func New(repo *git.Repository, f forge.Forge, opts Options) gitops.Reverter {
	return &reverter{repo: repo, forge: f, log: opts.Log}
}

type reverter struct {
	repo  *git.Repository
	forge forge.Forge
	log   *slog.Logger
}

var errNotYet = errors.New("not written yet")

// Revert implements gitops.Reverter.
func (r *reverter) Revert(ctx context.Context, req gitops.RevertRequest) (gitops.Outcome, error) {
	return gitops.Outcome{}, errNotYet
}

// Settle implements gitops.Reverter.
func (r *reverter) Settle(ctx context.Context, gate, revision, why string) error {
	return errNotYet
}

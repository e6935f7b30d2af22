// Package revert undoes changes by pull request: it computes what `git revert`
// would do to the guarded files, and sees to it that there is one pull request
// for one failing revision, however often it is called.
package revert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/git"
)

// label is on every pull request and issue; issues are found by it.
const label = "syncgate"

// Options of a Reverter.
type Options struct {
	// Log gets what is done, at info level. Nil: nothing is logged.
	Log *slog.Logger
}

// New makes a Reverter of one repository and the forge that serves it. Its
// calls wait for each other, so that two of them never open one pull request
// each.
func New(repo *git.Repository, f forge.Forge, opts Options) gitops.Reverter {
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &reverter{repo: repo, forge: f, log: log, sem: make(chan struct{}, 1)}
}

type reverter struct {
	repo  *git.Repository
	forge forge.Forge
	log   *slog.Logger
	sem   chan struct{}
}

func (r *reverter) lock(ctx context.Context) error {
	select {
	case r.sem <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *reverter) unlock() { <-r.sem }

// Revert implements gitops.Reverter.
func (r *reverter) Revert(ctx context.Context, req gitops.RevertRequest) (gitops.Outcome, error) {
	out, err := r.revert(ctx, req)
	if err != nil {
		return gitops.Outcome{}, fmt.Errorf("revert %.12s for gate %s: %w", req.Failing, oneLine(req.Gate, 80), err)
	}
	r.log.InfoContext(ctx, "revert", "gate", req.Gate, "cluster", req.Cluster, "revision", req.Failing,
		"action", out.Action, "url", out.URL, "reason", out.Reason)
	return out, nil
}

func (r *reverter) revert(ctx context.Context, req gitops.RevertRequest) (gitops.Outcome, error) {
	if err := checkRequest(req); err != nil {
		return gitops.Outcome{}, err
	}
	if err := r.lock(ctx); err != nil {
		return gitops.Outcome{}, err
	}
	defer r.unlock()
	release := r.repo.Hold() // merged files are in the cache alone until they are pushed
	defer release()
	id := identify(req.Gate, req.Failing)
	if out, done, err := r.adopt(ctx, req, id); done || err != nil {
		return out, err
	}
	p, err := r.plan(ctx, req)
	if err != nil {
		return gitops.Outcome{}, err
	}
	switch {
	case p.nothing != "":
		return gitops.Outcome{Action: gitops.None, Reason: p.nothing}, nil
	case p.refusal != nil:
		return r.issue(ctx, req, id, *p.refusal)
	}
	return r.open(ctx, req, id, p)
}

func checkRequest(req gitops.RevertRequest) error {
	switch {
	case req.Gate == "" || req.Cluster == "" || req.Base == "":
		return errors.New("expected a gate, a cluster and a base branch")
	case !shaForm.MatchString(req.Failing):
		return fmt.Errorf("failing revision: expected a full SHA, found %.80q", req.Failing)
	case req.LastGood != "" && !shaForm.MatchString(req.LastGood):
		return fmt.Errorf("last good revision: expected a full SHA or nothing, found %.80q", req.LastGood)
	case req.Guarded == nil:
		return errors.New("no guarded files given")
	}
	return nil
}

// adopt looks whether the pull request is there already. Once there is one, a
// person's decision about it stands: closed stays closed, merged is merged.
func (r *reverter) adopt(ctx context.Context, req gitops.RevertRequest, id identity) (out gitops.Outcome, done bool, err error) {
	found, err := r.forge.FindPullRequests(ctx, id.branch)
	if err != nil {
		return out, false, err
	}
	for _, pr := range found {
		if pr.State == forge.Open {
			out, err = r.adoptOpen(ctx, req, id, pr)
			return out, true, err
		}
	}
	if len(found) == 0 {
		return out, false, nil
	}
	newest := found[0]
	if newest.State == forge.Merged {
		return gitops.Outcome{Action: gitops.None, URL: newest.URL, Reason: "the revert is merged already"}, true, nil
	}
	settled, err := r.forge.HasComment(ctx, newest.Number, id.settled)
	if err != nil || settled { // closed by us: the revision has failed again since
		return out, false, err
	}
	return gitops.Outcome{Action: gitops.None, URL: newest.URL, Reason: "a person closed the revert pull request: it stays closed"}, true, nil
}

// adoptOpen adds what the open pull request does not say yet.
func (r *reverter) adoptOpen(ctx context.Context, req gitops.RevertRequest, id identity, pr forge.PullRequest) (gitops.Outcome, error) {
	if lack := without(labels(req), pr.Labels); len(lack) > 0 {
		if err := r.forge.AddLabels(ctx, pr.Number, lack); err != nil {
			r.log.WarnContext(ctx, "pull request lacks labels", "url", pr.URL, "error", err)
		}
	}
	cluster := clusterMarker(req.Cluster)
	if !startsWithLines(pr.Body, cluster) {
		if err := r.forge.Comment(ctx, pr.Number, cluster, clusterComment(req)); err != nil {
			return gitops.Outcome{}, err
		}
	}
	if err := r.tellConflict(ctx, req, id, pr); err != nil {
		r.log.WarnContext(ctx, "could not tell whether the revert pull request still merges", "url", pr.URL, "error", err)
	}
	return gitops.Outcome{Action: gitops.PullRequest, URL: pr.URL, Reason: "the revert pull request is open"}, nil
}

// tellConflict says once, in a comment, that the pull request does not merge
// any more. The branch itself is left as it is: people may have reviewed it.
func (r *reverter) tellConflict(ctx context.Context, req gitops.RevertRequest, id identity, pr forge.PullRequest) error {
	commit, err := r.repo.Commit(ctx, pr.HeadSHA)
	if err != nil || !isOurs(commit, id) || len(commit.Parents) != 1 {
		return err // whoever added to the branch looks after it
	}
	head, err := r.repo.Branch(ctx, pr.Base)
	if err != nil || head == commit.Parents[0] {
		return err
	}
	parent, err := r.repo.Commit(ctx, commit.Parents[0])
	if err != nil {
		return err
	}
	now, err := r.repo.Commit(ctx, head)
	if err != nil {
		return err
	}
	merged, err := r.repo.Merge(ctx, parent.Tree, now.Tree, commit.Tree)
	if err != nil || len(merged.Conflicts) == 0 {
		return err
	}
	return r.forge.Comment(ctx, pr.Number, id.conflict, conflictComment(req, id, merged.Conflicts))
}

// open pushes the branch and opens the pull request.
func (r *reverter) open(ctx context.Context, req gitops.RevertRequest, id identity, p *plan) (gitops.Outcome, error) {
	sha, err := r.forge.CreateBranch(ctx, forge.NewBranch{
		Name: id.branch, Base: p.head.SHA, BaseTree: p.head.Tree, Tree: p.tree,
		Message: commitMessage(req, id), Changes: p.changes,
	})
	created := err == nil
	if errors.Is(err, forge.ErrExists) {
		ours, lookErr := r.branchIsOurs(ctx, id, p)
		if lookErr != nil {
			return gitops.Outcome{}, fmt.Errorf("look at branch %s: %w", id.branch, lookErr)
		}
		if !ours {
			return r.issue(ctx, req, id, refusal{
				short: "the branch " + id.branch + " holds something else",
				why:   "A branch of the name that the revert would have is there, and it is not what reverting this revision gives. Delete or rename it, and the next attempt opens the pull request.",
				files: p.paths(),
			})
		}
	} else if err != nil {
		return gitops.Outcome{}, err
	}
	pr, err := r.forge.OpenPullRequest(ctx, forge.NewPullRequest{
		Head: id.branch, Base: req.Base, Title: title(req), Body: pullRequestBody(req, id, p), Labels: labels(req),
	})
	if errors.Is(err, forge.ErrExists) {
		out, done, adoptErr := r.adopt(ctx, req, id)
		if done || adoptErr != nil {
			return out, adoptErr
		}
	}
	if errors.Is(err, forge.ErrRefused) && created {
		if delErr := r.forge.DeleteBranch(ctx, id.branch, sha); delErr != nil {
			return gitops.Outcome{}, errors.Join(err, fmt.Errorf("branch %s is left over: %w", id.branch, delErr))
		}
	}
	if err != nil {
		return gitops.Outcome{}, err
	}
	return gitops.Outcome{Action: gitops.PullRequest, URL: pr.URL, Reason: "the revert pull request is open"}, nil
}

// branchIsOurs reports whether the branch holds one commit of ours that is the
// revert of this revision, as a call left it that ended too soon.
func (r *reverter) branchIsOurs(ctx context.Context, id identity, p *plan) (bool, error) {
	sha, err := r.repo.Branch(ctx, id.branch)
	if err != nil {
		return false, err
	}
	commit, err := r.repo.Commit(ctx, sha)
	if err != nil {
		return false, err
	}
	if !isOurs(commit, id) || len(commit.Parents) != 1 {
		return false, nil
	}
	onBase, err := r.repo.IsAncestor(ctx, commit.Parents[0], p.head.SHA)
	if err != nil || !onBase {
		return false, err
	}
	parent, err := r.repo.Commit(ctx, commit.Parents[0])
	if err != nil {
		return false, err
	}
	merged, err := r.repo.Merge(ctx, p.failing.Tree, parent.Tree, p.undone)
	return err == nil && merged.Tree == commit.Tree, err
}

// issue says why there can be no pull request.
func (r *reverter) issue(ctx context.Context, req gitops.RevertRequest, id identity, why refusal) (gitops.Outcome, error) {
	is, err := r.forge.FindOrOpenIssue(ctx, forge.NewIssue{
		Marker: id.issue, Title: issueTitle(req), Body: issueBody(req, id, why), Labels: labels(req),
	})
	if err != nil {
		return gitops.Outcome{}, err
	}
	if is.State == forge.Closed {
		settled, err := r.forge.HasComment(ctx, is.Number, id.settled)
		if err != nil {
			return gitops.Outcome{}, err
		}
		reason := "a person closed the issue: " + why.short
		if settled {
			reason = "no revert can be computed, see the closed issue: " + why.short
		}
		return gitops.Outcome{Action: gitops.None, URL: is.URL, Reason: reason}, nil
	}
	if cluster := clusterMarker(req.Cluster); !startsWithLines(is.Body, cluster) {
		if err := r.forge.Comment(ctx, is.Number, cluster, clusterComment(req)); err != nil {
			return gitops.Outcome{}, err
		}
	}
	return gitops.Outcome{Action: gitops.Issue, URL: is.URL, Reason: why.short}, nil
}

// Settle implements gitops.Reverter.
func (r *reverter) Settle(ctx context.Context, gate, revision, why string) error {
	if err := r.settle(ctx, gate, revision, why); err != nil {
		return fmt.Errorf("settle revert of %.12s for gate %s: %w", revision, oneLine(gate, 80), err)
	}
	return nil
}

func (r *reverter) settle(ctx context.Context, gate, revision, why string) error {
	if gate == "" || !shaForm.MatchString(revision) {
		return fmt.Errorf("expected a gate and a full SHA, found %.80q", revision)
	}
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	id := identify(gate, revision)
	found, err := r.forge.FindPullRequests(ctx, id.branch)
	if err != nil {
		return err
	}
	for _, pr := range found {
		if pr.State != forge.Open {
			continue
		}
		// The comment first: with it, a pull request that is closed is known
		// to have been closed from here, also after a crash. The branch before
		// the rest: a closed one is not looked at again.
		if err := r.forge.Comment(ctx, pr.Number, id.settled, settledComment(why)); err != nil {
			return err
		}
		if err := r.forge.DeleteBranch(ctx, id.branch, pr.HeadSHA); err != nil {
			return err
		}
		if err := r.forge.Close(ctx, pr.Number); err != nil {
			return err
		}
		r.log.InfoContext(ctx, "revert settled", "gate", gate, "revision", revision, "url", pr.URL)
	}
	is, err := r.forge.FindIssue(ctx, id.issue, label)
	if err != nil || is == nil || is.State != forge.Open {
		return err
	}
	if err := r.forge.Comment(ctx, is.Number, id.settled, settledComment(why)); err != nil {
		return err
	}
	return r.forge.Close(ctx, is.Number)
}

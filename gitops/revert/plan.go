package revert

import (
	"context"
	"errors"
	"fmt"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/git"
)

// plan is what undoes a change. Exactly one of nothing, refusal and tree is
// set.
type plan struct {
	nothing string   // there is nothing to do, and why
	refusal *refusal // there can be no pull request

	failing, head git.Commit
	undone        string // the failing revision's tree without its change
	tree          string // what the base branch is to become
	changes       []forge.FileChange
}

// refusal is why a person must do it.
type refusal struct {
	short string   // one line
	why   string   // a paragraph
	files []string // that are concerned
}

func (p *plan) paths() []string {
	paths := make([]string, 0, len(p.changes))
	for _, c := range p.changes {
		paths = append(paths, c.Path)
	}
	return paths
}

// plan computes the revert as git does: a three-way merge of the base branch
// with the failing revision's tree in which the guarded files are what they
// were, from the failing revision. Later edits elsewhere stay.
func (r *reverter) plan(ctx context.Context, req gitops.RevertRequest) (*plan, error) {
	head, err := r.repo.Branch(ctx, req.Base)
	if err != nil {
		return nil, err
	}
	if p, err := r.grounds(ctx, req, head); p != nil || err != nil {
		return p, err
	}
	undo, ids, err := r.guardedChanges(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(undo) == 0 {
		return &plan{nothing: fmt.Sprintf("nothing between %.12s and %.12s changed a file of the gate: the cause lies elsewhere", req.LastGood, req.Failing)}, nil
	}
	p := &plan{}
	if p.failing, err = r.repo.Commit(ctx, req.Failing); err != nil {
		return nil, err
	}
	if p.head, err = r.repo.Commit(ctx, head); err != nil {
		return nil, err
	}
	if err := r.prefetch(ctx, undo, ids, p); err != nil {
		return nil, err
	}
	if p.undone, err = r.repo.Replace(ctx, req.Failing, undo); err != nil {
		return nil, err
	}
	merged, err := r.repo.Merge(ctx, p.failing.Tree, p.head.Tree, p.undone)
	if err != nil {
		return nil, err
	}
	if len(merged.Conflicts) > 0 {
		return &plan{refusal: &refusal{
			short: fmt.Sprintf("later changes conflict with the revert in %d files", len(merged.Conflicts)),
			why:   "What this revision changed has been changed again since. Undoing it by itself would be a guess.",
			files: merged.Conflicts,
		}}, nil
	}
	if merged.Tree == p.head.Tree {
		return &plan{nothing: fmt.Sprintf("%s does not hold the change any more: it is reverted already", req.Base)}, nil
	}
	p.tree = merged.Tree
	p.changes, err = r.fileChanges(ctx, p, ids)
	return p, err
}

// grounds looks whether there is something to revert at all, and whether it is
// a machine's to revert.
func (r *reverter) grounds(ctx context.Context, req gitops.RevertRequest, head string) (*plan, error) {
	onBranch, err := r.repo.IsAncestor(ctx, req.Failing, head)
	if err != nil {
		return nil, err
	}
	if !onBranch {
		return &plan{nothing: fmt.Sprintf("%.12s is not (any more) part of branch %s: there is nothing to revert there", req.Failing, req.Base)}, nil
	}
	if req.LastGood == req.Failing {
		return &plan{nothing: fmt.Sprintf("%.12s has passed on %s before: its change is not the cause", req.Failing, oneLine(req.Cluster, 80))}, nil
	}
	if req.LastGood == "" {
		return &plan{refusal: &refusal{
			short: "no revision is known that passed on this cluster",
			why:   "Without a last good revision it is not known how far to go back.",
		}}, nil
	}
	inside, err := r.repo.IsAncestor(ctx, req.LastGood, req.Failing)
	if err != nil {
		return nil, err
	}
	if !inside {
		return &plan{refusal: &refusal{
			short: "the last good revision is not part of the failing one's history",
			why:   "The branch was rewritten since. What lies between the two is not known.",
		}}, nil
	}
	commits, err := r.repo.Log(ctx, req.LastGood, req.Failing)
	var limit *git.LimitError
	if errors.As(err, &limit) {
		return &plan{refusal: &refusal{short: limit.Error(), why: "That is more than is undone unseen."}}, nil
	}
	if err != nil {
		return nil, err
	}
	return r.noRevertOfReverts(ctx, req, commits)
}

// noRevertOfReverts refuses a range that holds a revert of this program's own:
// undoing it would bring the change back that it undid.
func (r *reverter) noRevertOfReverts(ctx context.Context, req gitops.RevertRequest, commits []git.Commit) (*plan, error) {
	for _, c := range commits {
		gate, ours := revertOf(c.Message)
		if !ours {
			continue
		}
		if gate != "" && gate != encode(req.Gate) {
			touched, err := r.touches(ctx, c, req.Guarded)
			if err != nil {
				return nil, err
			}
			if !touched {
				continue
			}
		}
		return &plan{refusal: &refusal{
			short: fmt.Sprintf("commit %.12s is itself a revert by Syncgate", c.SHA),
			why:   fmt.Sprintf("Reverting the range would undo the revert %s and bring back what failed before it.", c.SHA),
		}}, nil
	}
	return nil, nil
}

// touches reports whether a commit changed a guarded file.
func (r *reverter) touches(ctx context.Context, c git.Commit, guarded func(string) bool) (bool, error) {
	if len(c.Parents) == 0 {
		return true, nil
	}
	changes, err := r.repo.Diff(ctx, c.Parents[0], c.SHA)
	if err != nil {
		return false, err
	}
	for _, ch := range changes {
		if guarded(ch.Path) {
			return true, nil
		}
	}
	return false, nil
}

// guardedChanges are what turns the guarded files of the failing revision into
// those of the last good one, and the IDs of all contents that the server has.
func (r *reverter) guardedChanges(ctx context.Context, req gitops.RevertRequest) ([]git.Change, map[string]bool, error) {
	all, err := r.repo.Diff(ctx, req.Failing, req.LastGood)
	if err != nil {
		return nil, nil, err
	}
	var undo []git.Change
	ids := map[string]bool{}
	for _, c := range all {
		if !req.Guarded(c.Path) {
			continue
		}
		undo = append(undo, c)
		ids[c.OldID], ids[c.NewID] = true, true
	}
	delete(ids, "")
	return undo, ids, nil
}

// prefetch fetches in one go what the merge will read: both sides of the
// change, and what the base branch has made of those files.
func (r *reverter) prefetch(ctx context.Context, undo []git.Change, ids map[string]bool, p *plan) error {
	later, err := r.repo.Diff(ctx, p.failing.SHA, p.head.SHA)
	if err != nil {
		return err
	}
	concerned := map[string]bool{}
	for _, c := range undo {
		concerned[c.Path] = true
	}
	var want []string
	edited := map[string]bool{}
	for _, c := range later {
		if concerned[c.Path] {
			edited[c.Path] = true
			if c.NewID != "" && c.NewMode != submodule {
				ids[c.NewID] = true
				want = append(want, c.NewID)
			}
		}
	}
	for _, c := range undo {
		if !edited[c.Path] {
			continue // one side is as it was: the merge reads nothing
		}
		if c.OldMode != submodule {
			want = append(want, c.OldID)
		}
		if c.NewMode != submodule {
			want = append(want, c.NewID)
		}
	}
	return r.repo.FetchBlobs(ctx, want)
}

const submodule = "160000"

// fileChanges are what lies between the base branch and the merged tree. What
// the server does not have yet comes with its content.
func (r *reverter) fileChanges(ctx context.Context, p *plan, onServer map[string]bool) ([]forge.FileChange, error) {
	diff, err := r.repo.DiffTrees(ctx, p.head.Tree, p.tree)
	if err != nil {
		return nil, err
	}
	changes := make([]forge.FileChange, 0, len(diff))
	for _, c := range diff {
		f := forge.FileChange{Path: c.Path, Mode: c.NewMode, ID: c.NewID}
		if c.NewMode != "" && c.NewMode != submodule && !onServer[c.NewID] && c.NewID != c.OldID {
			if f.Content, err = r.repo.Blob(ctx, c.NewID); err != nil {
				return nil, err
			}
		}
		changes = append(changes, f)
	}
	return changes, nil
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/store"
)

// revertCheck holds the proof that a revision is a revert.
const revertCheck = "revert"

// maxLetGo is among how many of the newest Runs that let something onto a
// cluster the failing one is looked for.
const maxLetGo = 200

// recovery is what is known of a revision that may go back to what was good.
type recovery struct {
	// failing is the postSync Run that did not pass, of what is applied now.
	failing store.Stored
	// good is the revision whose state the new one has.
	good string
	// differs are the files in which it does not have it: no proof then.
	differs []string
	// skipped are the checks that a proved revert need not pass.
	skipped []string
}

func (r *recovery) proved() bool { return r != nil && len(r.differs) == 0 }

// spare leaves out the checks that a proved revert need not pass: a database
// that is broken cannot be backed up, and that must not keep it broken. What
// the rules say of the values is always asked. An error means that it could not
// be told; nothing is left out for it.
func (e *Engine) spare(ctx context.Context, repo *Repository, s *snapshot, k store.Key, checks []named) ([]named, *recovery, error) {
	if k.Phase != hooks.PreSync {
		return checks, nil, nil
	}
	r, err := e.recovery(ctx, repo, s, k)
	if err != nil || !r.proved() {
		return checks, r, err
	}
	var asked []named
	for _, c := range checks {
		needed := slices.Contains(s.gate.Spec.Revert.Gate, c.spec.Name)
		if c.required {
			needed = e.opts.Minimums.Revert == nil || slices.Contains(e.opts.Minimums.Revert, c.spec.Name)
		}
		if needed {
			asked = append(asked, c)
		} else {
			r.skipped = append(r.skipped, c.name)
		}
	}
	return asked, r, nil
}

// recovery finds out whether what is applied has failed, and whether the key's
// revision goes back to what was good before. Both are proved, by this
// server's own Runs and by the content of the files; no message, author or
// branch counts. nil when nothing has failed.
func (e *Engine) recovery(ctx context.Context, repo *Repository, s *snapshot, k store.Key) (*recovery, error) {
	failing, err := e.failing(ctx, k)
	if err != nil || failing == nil {
		return nil, err
	}
	good, passedHere, err := e.lastGood(ctx, repo, *failing)
	if err != nil || good == "" || passedHere {
		return nil, err
	}
	differs, err := e.differs(ctx, repo, s, k, good)
	if err != nil {
		return nil, fmt.Errorf("compare %.12s with the last good revision %.12s: %w", k.Revision, good, err)
	}
	return &recovery{failing: *failing, good: good, differs: differs}, nil
}

// failing is the postSync Run that says that what was let onto the key's
// cluster last is not good, nil when none says so: it passed, was never judged
// or is being judged.
func (e *Engine) failing(ctx context.Context, k store.Key) (*store.Stored, error) {
	runs, err := e.store.LetGo(ctx, k, maxLetGo)
	if err != nil {
		return nil, err
	}
	// The attempts of the revision itself tell nothing of what it replaces.
	runs = slices.DeleteFunc(runs, func(r store.Stored) bool {
		return r.Change.Phase == hooks.PreSync && r.Change.Revision == k.Revision || r.Verdict == hooks.Superseded
	})
	if len(runs) == 0 {
		return nil, nil //nolint:nilnil // none is none
	}
	applied := runs[0].Change.Revision
	i := slices.IndexFunc(runs, func(r store.Stored) bool {
		return r.Change.Phase == hooks.PostSync && r.Change.Revision == applied
	})
	if i < 0 || runs[i].Verdict != hooks.Failed && runs[i].Verdict != hooks.Expired {
		return nil, nil //nolint:nilnil // not judged, or good
	}
	r, err := e.store.Run(ctx, runs[i].ID)
	if err != nil {
		return nil, err
	}
	if r.Verdict == hooks.Expired && !waited(r) {
		return nil, nil //nolint:nilnil // it was not found out
	}
	return &r, nil
}

// differs are the files that keep the key's revision from being what good was:
// guarded ones that are not the same, and the Gate file where it renders
// something else. Where a source reaches beyond its folder, any file counts.
func (e *Engine) differs(ctx context.Context, repo *Repository, s *snapshot, k store.Key, good string) ([]string, error) {
	was, err := e.gates.load(ctx, repo, good, k.Gate)
	var refused *RefusedError
	if errors.As(err, &refused) {
		return []string{s.gate.File}, nil
	}
	if err != nil {
		return nil, err
	}
	a, b := was.gate, s.gate
	if a.File != b.File || a.Spec.Namespace != b.Spec.Namespace ||
		!reflect.DeepEqual(a.Spec.Source, b.Spec.Source) || !reflect.DeepEqual(a.Spec.Clusters, b.Spec.Clusters) {
		return []string{b.File}, nil
	}
	if good == k.Revision {
		return nil, nil
	}
	changed, err := repo.Git.Changed(ctx, good, k.Revision)
	if err != nil {
		return nil, err
	}
	before, err := a.Guarded()
	if err != nil {
		return nil, err
	}
	now, err := b.Guarded()
	if err != nil {
		return nil, err
	}
	guarded := func(p string) bool { return before(p) || now(p) }
	everything := b.Spec.Source.Kustomize != nil
	for _, at := range []*snapshot{was, s} {
		if everything {
			break
		}
		if everything, err = linked(at, guarded); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(changed, func(p string) bool {
		return !guarded(p) && (!everything || p == b.File)
	}), nil
}

// linked reports whether a symbolic link leads from what is guarded to what may
// not be.
func linked(s *snapshot, guarded func(string) bool) (bool, error) {
	var roots []string
	for _, c := range s.gate.Spec.Clusters {
		paths := slices.Clone(c.Values)
		for i, v := range paths {
			p, err := s.gate.Resolve(v)
			if err != nil {
				return false, err
			}
			paths[i] = p
		}
		if dir, err := s.gate.SourcePath(c.Name); err == nil {
			paths = append(paths, dir)
		}
		roots = append(roots, paths...)
	}
	found := false
	err := fs.WalkDir(s.tree, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink == 0 {
			return err
		}
		if guarded(p) || slices.ContainsFunc(roots, func(r string) bool { return r == p || strings.HasPrefix(r, p+"/") }) {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found, err
}

// note says in a Run what was found out, "" when there is nothing to say.
func (r *recovery) note(revision string) string {
	switch {
	case r == nil:
		return ""
	case !r.proved():
		return fmt.Sprintf("revision %.12s failed on this cluster, and %.12s is not let through as its revert: it is not what %.12s was, which passed here: %s",
			r.failing.Change.Revision, revision, r.good, list(r.differs))
	case len(r.skipped) == 0:
		return fmt.Sprintf("a proved revert of %.12s, which needs every check", r.failing.Change.Revision)
	default:
		return fmt.Sprintf("a proved revert of %.12s: not asked: %s", r.failing.Change.Revision, list(r.skipped))
	}
}

// Evaluate implements check.Check: it shows the proof among the Results.
func (r *recovery) Evaluate(_ context.Context, t check.Target) (check.Answer, error) {
	a := check.Answer{
		Status: hooks.Pass,
		Reason: fmt.Sprintf("a proved revert: the guarded files at %.12s are those of %.12s, which passed on cluster %s", t.Change.Revision, r.good, t.Change.Cluster),
		Evidence: []hooks.Evidence{{
			Object: "run " + r.failing.ID,
			Fact:   fmt.Sprintf("postSync of %s, which is applied now: %s: %s", r.failing.Change.Revision, r.failing.Verdict, r.failing.Reason),
		}},
	}
	if len(r.skipped) > 0 {
		a.Evidence = append(a.Evidence, hooks.Evidence{Object: "checks", Fact: "not asked of a revert (spec.revert.gate names those that are): " + list(r.skipped)})
	}
	return a, nil
}

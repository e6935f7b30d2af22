package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
	"github.com/syncgate/syncgate/policies/gate"
)

// What a Notice is called.
const (
	gateBypassed = "GateBypassed" // something was applied that no Run let through
	hooksSkipped = "HooksSkipped" // no hooks ran, for a revision that had passed before
)

const (
	// clockSkew is how much the clock of the delivering tool may be ahead.
	clockSkew = 10 * time.Second
	// noticeFor is for how long after its end an operation is told of again
	// when it is seen again, in case the first time was lost with a process.
	noticeFor = 10 * time.Minute
)

// Observe holds a finished operation of an Application against the Runs there
// are: hooks that did not run asked nobody. What it finds goes into the audit
// log once, and comes back as a Notice, as does what came of hooks that ran; nil
// when there is nothing to say. An
// error means that it could not be found out, and is worth another try.
func (e *Engine) Observe(ctx context.Context, op gitops.Operation) (*gitops.Notice, error) {
	known, err := e.remembers(ctx, op)
	if err != nil || !known {
		return nil, err
	}
	var worst *gitops.Notice
	for i := range op.Sources {
		n, err := e.observe(ctx, op, i)
		if err != nil {
			return nil, err
		}
		if n != nil && (worst == nil || n.Warning && !worst.Warning) {
			worst = n
		}
	}
	return worst, nil
}

// Watching notes that operations are looked at from now on, if they were not
// before: one that began earlier is not held against Runs that nobody kept.
func (e *Engine) Watching(ctx context.Context) error {
	return e.store.InTx(ctx, func(tx *store.Tx) error {
		_, err := tx.WatchingSince(ctx, e.now().UTC())
		return err
	})
}

// remembers reports whether the Runs of the operation's time would still be
// there, if there were any: not from before the server watched, and not when
// they were removed for their age.
func (e *Engine) remembers(ctx context.Context, op gitops.Operation) (bool, error) {
	now, since := e.now().UTC(), time.Time{}
	err := e.store.InTx(ctx, func(tx *store.Tx) (err error) {
		since, err = tx.WatchingSince(ctx, now)
		return err
	})
	if oldest := now.Add(-e.opts.Limits.Retention).Add(24 * time.Hour); oldest.After(since) {
		since = oldest
	}
	return op.Started.After(since), err
}

func (e *Engine) observe(ctx context.Context, op gitops.Operation, source int) (*gitops.Notice, error) {
	src := op.Sources[source]
	repo, ok := e.urls[canonicalURL(src.URL)]
	if !ok {
		return nil, nil // not of a repository that is guarded
	}
	if !hooks.IsRevision(src.Revision) {
		if !src.Plugin {
			return nil, nil // a chart, by its version
		}
		// What was synced is in no commit, or it is not known in which: the Gate
		// is the branch's.
		head, err := repo.Git.Branch(ctx, repo.Branch)
		if err != nil {
			return nil, fmt.Errorf("find gate of an operation without a commit: %w", err)
		}
		src.Revision = head
	}
	at, err := e.operatedOn(ctx, repo, src)
	if err != nil || at == nil {
		return nil, err
	}
	why, err := e.unasked(ctx, op, src, at)
	switch {
	case err != nil:
		return nil, err
	case why == "" && src.Plugin:
		changed, err := e.rejudged(ctx, op, source, at)
		if err != nil {
			return nil, err
		}
		said, err := e.outcome(ctx, op, at)
		if changed == nil || said == nil || err != nil {
			return cmp.Or(changed, said), err
		}
		// Argo CD is told one thing of an operation: that it failed must not be
		// lost for that another gate said so.
		changed.Message = cut(changed.Message+"; "+said.Reason+": "+said.Message, maxReason)
		return changed, nil
	case why == "":
		return nil, nil
	}
	passed := false
	if !op.Unversioned { // else the commit says nothing of what was applied
		if passed, err = e.passedBefore(ctx, at.key, op.Started); err != nil {
			return nil, err
		}
	}
	return e.notice(ctx, op, src, at, why, passed)
}

// operated is the Gate and cluster that an operation was about.
type operated struct {
	key  store.Key
	gate *gate.Gate
	// trouble is why they cannot be told.
	trouble string
}

// operatedOn finds the Gate as the plugin does. nil when the source has none.
func (e *Engine) operatedOn(ctx context.Context, repo *Repository, src gitops.OperationSource) (*operated, error) {
	at := &operated{key: store.Key{Repository: repo.Name, Revision: src.Revision, Cluster: src.Cluster}}
	tree, err := repo.Git.Tree(ctx, src.Revision)
	if errors.Is(err, gitops.ErrNoRevision) {
		at.trouble = fmt.Sprintf("repository %s has no such revision", repo.Name)
		return at, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read revision %.12s of repository %s: %w", src.Revision, repo.Name, err)
	}
	if src.Gate == "" {
		dir, outside := gate.CleanDir(src.Path)
		if outside != nil {
			return nil, nil //nolint:nilerr // no path of a repository: Argo CD renders none
		}
		file, err := gate.Nearest(tree, dir)
		if err != nil {
			return nil, err
		}
		if file == "" {
			return nil, nil
		}
	}
	named, wrong := gate.Select(tree, src.Path, src.Gate)
	if unread(wrong) {
		return nil, wrong
	}
	if wrong != nil {
		at.trouble = wrong.Error()
		return at, nil //nolint:nilerr // the trouble is what is told
	}
	s, err := e.gates.load(ctx, repo, src.Revision, named.Metadata.Name)
	var refused *RefusedError
	if errors.As(err, &refused) {
		at.trouble = refused.Message
		return at, nil
	}
	if err != nil {
		return nil, err
	}
	at.gate, at.key.Gate = s.gate, s.gate.Metadata.Name
	if at.key.Cluster, err = s.gate.SelectCluster(src.Path, src.Cluster); err != nil {
		at.trouble = err.Error()
	}
	return at, nil
}

// unasked says what of the gate was not asked, "" when all was.
func (e *Engine) unasked(ctx context.Context, op gitops.Operation, src gitops.OperationSource, at *operated) (string, error) {
	switch {
	case at.trouble != "":
		return "which gate it belongs to cannot be told: " + at.trouble, nil
	case !src.Plugin && at.gate.Spec.Source == (gate.Source{}) && len(at.gate.Spec.ClustersFrom) == 0:
		return "", nil // a Gate that only guards values, beside what renders itself
	case src.Plugin && op.Unversioned:
		return op.Skipped + ", so neither its values nor its hooks are held", nil
	case !src.Plugin:
		return "the Application renders without Syncgate's plugin, so neither its values nor its hooks are held", nil
	}
	for _, phase := range []hooks.Phase{hooks.PreSync, hooks.PostSync} {
		if _, checks := e.phase(at.gate, phase); len(checks) == 0 {
			continue
		}
		k := at.key
		k.Phase = phase
		n, err := 0, error(nil)
		if op.Skipped == "" { // else what asked lately asked for another operation
			n, err = e.store.AttemptsSince(ctx, k, op.Started.Add(-clockSkew))
		}
		if err != nil {
			return "", err
		}
		switch {
		case n == 0 && (op.Applied || op.Skipped != ""):
			return fmt.Sprintf("no %s hook asked for it: %s", phase, cmp.Or(op.Skipped, "the hook Job was not there, or did not run")), nil
		case n == 0:
			return "", nil // it failed before its hook ran, and applied nothing
		case !op.Applied:
			wentOn, err := e.wentOn(ctx, op, k)
			if err != nil || phase == hooks.PostSync || !wentOn {
				return "", err // the hook's own word, and what came of it, is a Run
			}
		}
		newest, err := e.store.Newest(ctx, k)
		if err != nil {
			return "", err
		}
		if !newest.Verdict.LetsGo() {
			return fmt.Sprintf("its %s run %s did not let it go (%s): the hook Job was not heeded", phase, newest.ID, cmp.Or(string(newest.Verdict), "no verdict yet")), nil
		}
	}
	return "", nil
}

// wentOn reports whether an operation that failed came as far as its PostSync
// hook: then it applied what PreSync had to let go.
func (e *Engine) wentOn(ctx context.Context, op gitops.Operation, k store.Key) (bool, error) {
	k.Phase = hooks.PostSync
	n, err := e.store.AttemptsSince(ctx, k, op.Started.Add(-clockSkew))
	return n > 0, err
}

// passedBefore reports whether the revision had passed after a sync there when
// the operation began: what its own PostSync came to makes up for no PreSync.
func (e *Engine) passedBefore(ctx context.Context, k store.Key, began time.Time) (bool, error) {
	passed, err := e.store.Baselines(ctx, k, maxBaselines)
	if err != nil {
		return false, err
	}
	for _, b := range passed {
		if b.Revision == k.Revision && b.Passed.Before(began) {
			return true, nil
		}
	}
	return false, nil
}

// notice writes it down once, has the change validated where the Gate asks for
// that, and says what it is.
func (e *Engine) notice(ctx context.Context, op gitops.Operation, src gitops.OperationSource, at *operated, why string, passed bool) (*gitops.Notice, error) {
	k := at.key
	what := fmt.Sprintf("to %.12s", k.Revision)
	if op.Unversioned {
		what = fmt.Sprintf("of what is in no commit (at %.12s)", k.Revision)
	}
	n := &gitops.Notice{Warning: true, Reason: gateBypassed, Message: fmt.Sprintf(
		"a sync by %s %s on cluster %s went past gate %s: %s", operator(op), what, cmp.Or(k.Cluster, "?"), cmp.Or(k.Gate, "?"), why)}
	validate := false
	switch {
	case passed && src.Plugin:
		n.Warning, n.Reason = false, hooksSkipped
		n.Message += "; this revision had passed there before"
	case op.Unversioned: // nothing in Git could be undone for it
		n.Message += "; sync in full"
	case op.Applied && at.gate != nil && at.trouble == "" && at.gate.Spec.Bypass.Validate:
		validate = true
		n.Message += "; it is validated now as after a sync"
	default:
		n.Message += "; sync in full, so that its hooks run, or revert it"
	}
	n.Message = cut(n.Message, maxReason)
	if validate {
		if err := e.validateBypass(ctx, op, src, k); err != nil {
			return nil, err
		}
	}
	return e.tell(ctx, op, told{id: op.ID + " " + src.URL + " " + src.Path, cluster: k.Cluster, notice: n})
}

// validateBypass has the postSync checks asked as a hook would have; what
// follows from their verdict follows here too.
func (e *Engine) validateBypass(ctx context.Context, op gitops.Operation, src gitops.OperationSource, k store.Key) error {
	sum := sha256.Sum256([]byte(op.ID))
	_, _, err := e.Submit(ctx, hooks.Change{
		Repository: src.URL, Gate: k.Gate, Cluster: k.Cluster, Revision: k.Revision, Phase: hooks.PostSync,
		Attempt: "bypass-" + hex.EncodeToString(sum[:16]),
	}, "syncgate")
	var refused *RefusedError
	if errors.As(err, &refused) {
		e.log.WarnContext(ctx, "bypass not validated", "application", op.Application, "error", err)
		return nil // asking again would not help; the notice stands
	}
	return err
}

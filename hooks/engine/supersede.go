package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/utils/lru"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// Git is what the engine asks of a repository.
type Git interface {
	gitops.Repository
	gitops.Comparer
}

const (
	// maxCompared is for how many pairs of revisions it is remembered whether
	// the one takes the other's place.
	maxCompared = 1024
	// headTimeout bounds a look at one branch, so that a server that hangs
	// keeps nobody else waiting for long.
	headTimeout = 30 * time.Second
	// headLooks is how many branches are looked at side by side.
	headLooks = 8
)

// superseder ends the waits for revisions that will not be synced any more:
// what the Application follows has moved on. Argo CD has one operation at a
// time, so such a wait holds up the very change that may be its cure.
type superseder struct {
	e      *Engine
	known  *lru.Cache // reasons by comparison
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

type comparison struct{ repository, gate, revision, head string }

func newSuperseder(e *Engine) *superseder { return &superseder{e: e, known: lru.New(maxCompared)} }

// start looks at what is followed, every HeadInterval, until stop.
func (s *superseder) start(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.ended.Go(func() {
		tick := time.NewTicker(s.e.opts.Limits.HeadInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.look(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
}

func (s *superseder) stop() {
	if s.cancel != nil {
		s.cancel()
		s.ended.Wait()
	}
}

// followed is a branch that Applications of waiting Runs follow.
type followed struct{ repository, branch string }

// look asks each followed branch once for its head, and ends what that
// supersedes. Without a Run that waits, nothing is asked.
func (s *superseder) look(ctx context.Context) {
	runs, err := s.e.store.UnfinishedOf(ctx, hooks.PreSync, maxUnfinished)
	if err != nil {
		if ctx.Err() == nil {
			s.e.log.WarnContext(ctx, "waiting runs not read", "error", err)
		}
		return
	}
	waiting := map[followed][]store.Stored{}
	for _, r := range runs {
		if branch := branchOf(r.Change.TargetRevision); branch != "" && s.e.repos[r.Repository] != nil {
			f := followed{r.Repository, branch}
			waiting[f] = append(waiting[f], r)
		}
	}
	var group errgroup.Group
	group.SetLimit(headLooks)
	for f, runs := range waiting {
		group.Go(func() error {
			s.lookAt(ctx, f, runs)
			return nil
		})
	}
	_ = group.Wait()
}

func (s *superseder) lookAt(ctx context.Context, f followed, runs []store.Stored) {
	ctx, cancel := context.WithTimeout(ctx, headTimeout)
	defer cancel()
	repo := s.e.repos[f.repository]
	head, err := repo.Git.Branch(ctx, f.branch)
	if errors.Is(err, gitops.ErrNoBranch) {
		return // a tag, which does not move on
	}
	for _, r := range runs {
		var reason string
		if err == nil {
			reason, err = s.by(ctx, repo, r.Key(), head, "branch "+f.branch)
		}
		if err == nil && reason != "" {
			err = s.e.end(ctx, r, decision{hooks.Superseded, reason})
		}
	}
	if err != nil && ctx.Err() == nil {
		s.e.log.WarnContext(ctx, "could not tell whether waiting runs are superseded; they go on", "repository", f.repository,
			"branch", f.branch, "error", err)
	}
}

// atDoor is why the Change is superseded already, "" when it is not or that
// cannot be told.
func (s *superseder) atDoor(ctx context.Context, repo *Repository, k store.Key, target string) string {
	branch := branchOf(target)
	if k.Phase != hooks.PreSync || branch == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, headTimeout)
	defer cancel()
	head, err := repo.Git.Branch(ctx, branch)
	reason := ""
	if err == nil {
		reason, err = s.by(ctx, repo, k, head, "branch "+branch)
	}
	if err != nil && !errors.Is(err, gitops.ErrNoBranch) {
		s.e.log.WarnContext(ctx, "could not tell whether a change is superseded; it is evaluated", "repository", repo.Name,
			"revision", k.Revision, "branch", branch, "error", err)
	}
	return reason
}

// by is why head takes the place of the key's revision, "" when it does not:
// head descends from it and changes the Gate or a file it guards, or the
// branch was rewritten and holds the revision no more.
func (s *superseder) by(ctx context.Context, repo *Repository, k store.Key, head, where string) (string, error) {
	if head == k.Revision {
		return "", nil
	}
	pair := comparison{k.Repository, k.Gate, k.Revision, head}
	if reason, ok := s.known.Get(pair); ok {
		return reason.(string), nil
	}
	reason, err := s.compare(ctx, repo, k, head, where)
	if err == nil {
		s.known.Add(pair, reason)
	}
	return reason, err
}

func (s *superseder) compare(ctx context.Context, repo *Repository, k store.Key, head, where string) (string, error) {
	after, err := repo.Git.IsAncestor(ctx, k.Revision, head)
	if err != nil {
		return "", fmt.Errorf("compare %.12s with %s: %w", k.Revision, where, err)
	}
	if !after {
		// A server that lags behind shows an older head: that says nothing.
		before, err := repo.Git.IsAncestor(ctx, head, k.Revision)
		if err != nil || before {
			return "", err
		}
		return fmt.Sprintf("revision %.12s of %s takes its place: the branch was rewritten and does not hold %.12s any more", head, where, k.Revision), nil
	}
	snap, err := s.e.gates.load(ctx, repo, k.Revision, k.Gate)
	if err != nil {
		return "", err
	}
	guarded, err := snap.gate.Guarded()
	if err != nil {
		return "", fmt.Errorf("list guarded files: %w", err)
	}
	changed, err := repo.Git.Changed(ctx, k.Revision, head)
	if err != nil {
		return "", fmt.Errorf("compare %.12s with %s: %w", k.Revision, where, err)
	}
	changed = slices.DeleteFunc(changed, func(p string) bool { return p != snap.gate.File && !guarded(p) })
	if len(changed) == 0 {
		return "", nil
	}
	more := ""
	if n := len(changed) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more files", n)
	}
	return fmt.Sprintf("revision %.12s of %s takes its place: it changes %s%s", head, where, cut(changed[0], maxObject), more), nil
}

var (
	// commitForm is an abbreviated or full commit SHA.
	commitForm = regexp.MustCompile(`^[0-9a-f]{7,64}$`)
	// targetForm leaves out what is no branch: a range of versions, a glob.
	targetForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/#@+-]*$`)
)

// branchOf is the branch that an Application may follow, "" when it follows
// none.
func branchOf(target string) string {
	target = strings.TrimPrefix(target, "refs/heads/")
	if !targetForm.MatchString(target) || commitForm.MatchString(target) || strings.HasPrefix(target, "refs/") {
		return ""
	}
	return target
}

// overtake ends what the key's revision takes the place of, now that it was let
// go: from here on, what checks see on the cluster is about this revision.
func (e *Engine) overtake(ctx context.Context, tx *store.Tx, k store.Key) error {
	k.Phase = hooks.PostSync
	others, err := tx.UnfinishedElsewhere(ctx, k)
	if err != nil {
		return err
	}
	now := e.now().UTC().Truncate(time.Microsecond)
	for _, r := range others {
		d := decision{hooks.Superseded, fmt.Sprintf("revision %.12s was let onto cluster %s: what the checks see there is not about %.12s any more",
			k.Revision, k.Cluster, r.Change.Revision)}
		if _, err := e.conclude(ctx, tx, r, d, followUp{}, now); err != nil {
			return err
		}
		e.hub.signal(r.ID)
	}
	return nil
}

// overtakeWaits ends the waits of older revisions that a Change was posted
// after. What goes wrong is logged: the Change itself is not about that.
func (s *superseder) overtakeWaits(ctx context.Context, repo *Repository, k store.Key) {
	if k.Phase != hooks.PreSync {
		return
	}
	var others []store.Stored
	err := s.e.store.InTx(ctx, func(tx *store.Tx) (err error) {
		others, err = tx.UnfinishedElsewhere(ctx, k)
		return err
	})
	for _, r := range others {
		var after bool
		if err == nil {
			after, err = repo.Git.IsAncestor(ctx, r.Change.Revision, k.Revision)
		}
		if err != nil || !after {
			continue
		}
		var reason string
		if reason, err = s.by(ctx, repo, r.Key(), k.Revision, "this gate on this cluster"); err == nil && reason != "" {
			err = s.e.end(ctx, r, decision{hooks.Superseded, reason})
		}
	}
	if err != nil {
		s.e.log.WarnContext(ctx, "older waits not ended; they end by themselves", "gate", k.Gate, "cluster", k.Cluster, "error", err)
	}
}

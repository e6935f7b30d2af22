// Package review judges what is proposed to a repository, or was pushed to its
// branch, and tells the forge: every Gate that a change touches, held at the
// change's head against where it began, as `syncgate validate --base` does. Nothing
// of what it reads is executed, and nothing passes by it: what a sync needs is
// asked by the hooks.
package review

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/forge/webhook"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/report"
)

// CheckName is the check run's, by which branch protection requires it.
const CheckName = "syncgate"

// Git is what a review asks of a repository.
type Git interface {
	gitops.Repository
	gitops.Comparer
	// PullRequest is the head of a pull request now; gitops.ErrNoBranch when
	// there is none.
	PullRequest(ctx context.Context, number int) (string, error)
	// MergeBase is the newest commit that two have in common, "" when none.
	MergeBase(ctx context.Context, base, head string) (string, error)
}

// Repository is one that is reviewed.
type Repository struct {
	Git      Git
	Reporter forge.Reporter
	// Branch is the branch that is synced.
	Branch string
}

// Options are what a Reviewer is made of.
type Options struct {
	// Repositories are those that are reviewed, by the server's name for them.
	Repositories map[string]Repository
	// Policies bound the reading of values.
	Policies policies.Options
	// Version goes into reports, and Now says which waivers are over.
	Version string
	Now     func() time.Time
	Log     *slog.Logger
}

// Reviewer implements engine.Reviewer. It is safe for concurrent use.
type Reviewer struct{ opts Options }

// New makes a Reviewer.
func New(opts Options) *Reviewer {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Reviewer{opts: opts}
}

// subject is what is judged: head, held against what it began at.
type subject struct {
	head, base string
	// alone is true of what need not have begun anywhere: a new branch.
	alone bool
	// id finds the subject again when somebody asks for its check to be run
	// again, and about says what it is, for people.
	id, about string
}

// Review implements engine.Reviewer.
func (r *Reviewer) Review(ctx context.Context, repository string, ev webhook.Event) error {
	repo, ok := r.opts.Repositories[repository]
	if !ok {
		r.opts.Log.WarnContext(ctx, "not reviewed: nothing can be published for the repository", "repository", repository)
		return nil
	}
	log := r.opts.Log.With("repository", repository, "head", ev.Head.SHA)
	if ev.Kind == webhook.Rerun && ev.Check != "" && ev.Check != CheckName {
		return nil // somebody else's check
	}
	s, err := r.subject(ctx, repo, ev)
	if err != nil {
		return fmt.Errorf("find what to review: %w", err)
	}
	if s.head == "" {
		log.InfoContext(ctx, "not reviewed", "reason", s.about)
		return nil
	}
	if _, err := repo.Reporter.Publish(ctx, forge.Report{
		Head: s.head, Name: CheckName, Status: forge.InProgress, Title: "Judging " + s.about, ExternalID: s.id,
	}); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	verdict, err := r.judge(ctx, repo, s)
	if err != nil {
		return fmt.Errorf("judge %s: %w", s.about, err)
	}
	newest, why, err := r.newest(ctx, repo, ev, s)
	if err != nil {
		return fmt.Errorf("look for a newer head: %w", err)
	}
	if !newest {
		verdict = forge.Report{
			Head: s.head, Name: CheckName, Status: forge.Completed, Conclusion: forge.Cancelled,
			Title: "Superseded: " + why, ExternalID: s.id,
		}
	}
	at, err := repo.Reporter.Publish(ctx, verdict)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	log.InfoContext(ctx, "reviewed", "subject", s.about, "conclusion", verdict.Conclusion, "title", verdict.Title, "url", at.URL)
	return nil
}

// GiveUp implements engine.Reviewer.
func (r *Reviewer) GiveUp(ctx context.Context, repository string, ev webhook.Event, cause error) error {
	repo, ok := r.opts.Repositories[repository]
	if !ok || ev.Head.SHA == "" {
		return nil
	}
	_, err := repo.Reporter.Publish(ctx, forge.Report{
		Head: ev.Head.SHA, Name: CheckName, Status: forge.Completed, Conclusion: forge.Failure,
		Title: "Could not tell: it was tried for hours and given up; re-run this check when what is named is mended",
		Summary: fmt.Sprintf("Nothing is known to be wrong with this commit, and nothing is known to be right. The last try ended with:\n\n%s\n\n"+
			"The server's log has the others. Mend what is named, then re-run this check, or push again.\n", report.Literal(cause.Error())),
		ExternalID: idOf(ev),
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// idOf finds the subject of an event again, as subject does, without asking Git.
func idOf(ev webhook.Event) string {
	switch ev.Kind {
	case webhook.PullRequest:
		return fmt.Sprintf("pull/%d", ev.Number)
	case webhook.MergeGroup:
		return "queue/" + ev.Base.SHA
	case webhook.Push:
		return "push/" + ev.Base.SHA
	case webhook.Rerun, webhook.Ignored:
	}
	return ev.ExternalID
}

// subject finds what an event is about. Without a head there is nothing to do,
// and about says why.
func (r *Reviewer) subject(ctx context.Context, repo Repository, ev webhook.Event) (subject, error) {
	switch ev.Kind {
	case webhook.PullRequest:
		return r.pull(ctx, repo, ev.Number, ev.Head.SHA, ev.Base.Ref)
	case webhook.MergeGroup:
		return subject{head: ev.Head.SHA, base: ev.Base.SHA, id: "queue/" + ev.Base.SHA, about: "a merge group"}, nil
	case webhook.Push:
		return pushed(ev.Head.SHA, ev.Base.SHA, repo.Branch), nil
	case webhook.Rerun:
		return r.again(ctx, repo, ev)
	case webhook.Ignored:
	}
	return subject{about: "an event of another kind"}, nil
}

func pushed(head, before, branch string) subject {
	return subject{head: head, base: before, alone: before == "", id: "push/" + before, about: "branch " + branch}
}

// again finds what a check run that is asked for again was about.
func (r *Reviewer) again(ctx context.Context, repo Repository, ev webhook.Event) (subject, error) {
	kind, what, _ := strings.Cut(ev.ExternalID, "/")
	switch {
	case kind == "pull":
		n, _ := strconv.Atoi(what)
		if n <= 0 {
			return subject{about: fmt.Sprintf("check run with the external ID %.100q, which is none of ours", ev.ExternalID)}, nil
		}
		return r.pull(ctx, repo, n, ev.Head.SHA, ev.Base.Ref)
	case kind == "queue":
		return subject{head: ev.Head.SHA, base: what, id: ev.ExternalID, about: "a merge group"}, nil
	case kind == "push":
		return pushed(ev.Head.SHA, what, repo.Branch), nil
	case ev.Number > 0:
		return r.pull(ctx, repo, ev.Number, ev.Head.SHA, ev.Base.Ref)
	}
	return subject{about: "a check run of which it is not known what it was about; push again"}, nil
}

// pull is a pull request. Its head is read from the repository that it is for,
// never from a fork, and must be the one that the event names.
func (r *Reviewer) pull(ctx context.Context, repo Repository, number int, head, baseRef string) (subject, error) {
	about := fmt.Sprintf("pull request %d", number)
	now, err := repo.Git.PullRequest(ctx, number)
	if errors.Is(err, gitops.ErrNoBranch) {
		return subject{about: about + ", which is gone"}, nil
	}
	if err != nil {
		return subject{}, err
	}
	if now != head {
		return subject{about: fmt.Sprintf("%s: its head is %.12s by now", about, now)}, nil
	}
	branch := strings.TrimPrefix(baseRef, "refs/heads/")
	if branch == "" {
		branch = repo.Branch
	}
	tip, err := repo.Git.Branch(ctx, branch)
	if errors.Is(err, gitops.ErrNoBranch) {
		return subject{about: fmt.Sprintf("%s: branch %s is gone", about, branch)}, nil
	}
	if err != nil {
		return subject{}, err
	}
	base, err := repo.Git.MergeBase(ctx, tip, head)
	if err != nil {
		return subject{}, err
	}
	return subject{head: head, base: base, id: fmt.Sprintf("pull/%d", number), about: about}, nil
}

// newest reports whether the head is still what is to be judged.
func (r *Reviewer) newest(ctx context.Context, repo Repository, ev webhook.Event, s subject) (bool, string, error) {
	var now string
	var err error
	switch n, isPull := strings.CutPrefix(s.id, "pull/"); {
	case isPull:
		number, _ := strconv.Atoi(n)
		now, err = repo.Git.PullRequest(ctx, number)
	case ev.Kind == webhook.Push:
		now, err = repo.Git.Branch(ctx, repo.Branch)
	default:
		return true, "", nil // nothing takes the place of what a queue has made
	}
	switch {
	case errors.Is(err, gitops.ErrNoBranch):
		return false, "it is gone", nil
	case err != nil:
		return false, "", err
	}
	return now == s.head, fmt.Sprintf("%.12s is there by now", now), nil
}

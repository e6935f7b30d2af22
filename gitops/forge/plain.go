package forge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/git"
)

// PlainOptions say where a plain Git server's pull requests are written.
type PlainOptions struct {
	// Dir is the folder that holds one Markdown file a pull request or issue.
	// It is made when it is not there.
	Dir string
	// Name and Email sign the commits. Default "Syncgate" and
	// "syncgate@localhost".
	Name, Email string
	// Log gets what is written, at info level. Nil: nothing is logged.
	Log *slog.Logger
}

// Plain is a Forge for a Git server that has no pull requests: branches are
// pushed, and the text of a pull request or issue is a Markdown file with front
// matter. Whether one is merged or closed is worked out from Git: it is merged
// when its branch's commit has been merged into the base, and closed when its
// branch is gone without that; besides, a person closes one by writing "state:
// closed" into its file. Only one process may use a folder.
type Plain struct {
	repo *git.Repository
	opts PlainOptions
	log  *slog.Logger
	mu   sync.Mutex
}

var _ Forge = (*Plain)(nil)

// NewPlain makes the Forge and its folder.
func NewPlain(repo *git.Repository, opts PlainOptions) (*Plain, error) {
	if opts.Dir == "" {
		return nil, fmt.Errorf("set up pull requests of %s: no folder given", repo.URL())
	}
	abs, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("set up pull requests of %s: %w", repo.URL(), err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, fmt.Errorf("set up pull requests of %s: %w", repo.URL(), err)
	}
	opts.Dir = abs
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Plain{repo: repo, opts: opts, log: opts.Log.With("repository", repo.URL())}, nil
}

// CreateBranch implements Forge.
func (p *Plain) CreateBranch(ctx context.Context, b NewBranch) (string, error) {
	sha, err := p.repo.WriteCommit(ctx, git.NewCommit{
		Tree: b.Tree, Parent: b.Base, Message: b.Message, Name: p.opts.Name, Email: p.opts.Email,
	})
	if err != nil {
		return "", fmt.Errorf("create branch %s: %w", b.Name, err)
	}
	switch err := p.repo.CreateBranch(ctx, b.Name, sha); {
	case errors.Is(err, git.ErrExists):
		return "", fmt.Errorf("create branch: %w: %w", ErrExists, err)
	case errors.Is(err, git.ErrDenied):
		return "", fmt.Errorf("create branch: %w: %w", ErrRefused, err)
	case err != nil:
		return "", fmt.Errorf("create branch: %w", err)
	}
	return sha, nil
}

// DeleteBranch implements Forge.
func (p *Plain) DeleteBranch(ctx context.Context, name, sha string) error {
	return p.repo.DeleteBranch(ctx, name, sha)
}

// FindPullRequests implements Forge.
func (p *Plain) FindPullRequests(ctx context.Context, branch string) ([]PullRequest, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	papers, err := p.readAll()
	if err != nil {
		return nil, err
	}
	var found []PullRequest
	for _, a := range papers {
		if a.Kind != kindPullRequest || a.Head != branch {
			continue
		}
		pr, err := p.pullRequest(ctx, a)
		if err != nil {
			return nil, err
		}
		found = append(found, pr)
	}
	slices.SortFunc(found, func(a, b PullRequest) int { return b.Number - a.Number })
	return found, nil
}

// pullRequest works its state out from Git.
func (p *Plain) pullRequest(ctx context.Context, a *paper) (PullRequest, error) {
	out := PullRequest{
		Number: a.Number, URL: p.url(a), State: a.State, Head: a.Head, Base: a.Base,
		HeadSHA: a.HeadSHA, Body: a.body, Labels: a.Labels,
	}
	now, err := p.repo.Branch(ctx, a.Head)
	gone := errors.Is(err, gitops.ErrNoBranch)
	if err != nil && !gone {
		return out, err
	}
	if !gone {
		out.HeadSHA = now
	}
	base, err := p.repo.Branch(ctx, a.Base)
	if err != nil {
		return out, err
	}
	merged, err := p.repo.IsAncestor(ctx, out.HeadSHA, base)
	if err != nil {
		return out, err
	}
	switch {
	case merged:
		out.State = Merged
	case gone:
		out.State = Closed
	}
	return out, nil
}

// OpenPullRequest implements Forge.
func (p *Plain) OpenPullRequest(ctx context.Context, n NewPullRequest) (PullRequest, error) {
	before, err := p.FindPullRequests(ctx, n.Head)
	if err != nil {
		return PullRequest{}, fmt.Errorf("open pull request: %w", err)
	}
	if i := slices.IndexFunc(before, func(b PullRequest) bool { return b.State == Open && b.Base == n.Base }); i >= 0 {
		return PullRequest{}, fmt.Errorf("open pull request: %w: %s", ErrExists, before[i].URL)
	}
	sha, err := p.repo.Branch(ctx, n.Head)
	if errors.Is(err, gitops.ErrNoBranch) {
		return PullRequest{}, fmt.Errorf("open pull request: %w: %w", ErrRefused, err)
	}
	if err != nil {
		return PullRequest{}, fmt.Errorf("open pull request: %w", err)
	}
	a := &paper{
		Kind: kindPullRequest, Title: n.Title, State: Open, Head: n.Head, Base: n.Base,
		HeadSHA: sha, Labels: n.Labels, body: n.Body,
	}
	if err := p.add(a); err != nil {
		return PullRequest{}, fmt.Errorf("open pull request: %w", err)
	}
	p.log.InfoContext(ctx, "pull request written", "file", p.url(a))
	return PullRequest{
		Number: a.Number, URL: p.url(a), State: Open, Head: n.Head, Base: n.Base, HeadSHA: sha, Body: n.Body, Labels: n.Labels,
	}, nil
}

// AddLabels implements Forge.
func (p *Plain) AddLabels(_ context.Context, number int, labels []string) error {
	return p.change(number, "add labels", func(a *paper) {
		for _, l := range labels {
			if !slices.Contains(a.Labels, l) {
				a.Labels = append(a.Labels, l)
			}
		}
	})
}

// FindIssue implements Forge.
func (p *Plain) FindIssue(_ context.Context, marker, label string) (*Issue, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	papers, err := p.readAll()
	if err != nil {
		return nil, fmt.Errorf("find issue: %w", err)
	}
	for _, a := range papers {
		if a.Kind == kindIssue && a.begins(marker) && slices.Contains(a.Labels, label) {
			return &Issue{Number: a.Number, URL: p.url(a), State: a.State, Body: a.body}, nil
		}
	}
	return nil, nil
}

// FindOrOpenIssue implements Forge.
func (p *Plain) FindOrOpenIssue(ctx context.Context, n NewIssue) (Issue, error) {
	if len(n.Labels) == 0 {
		return Issue{}, errors.New("open issue: no label given to find it by")
	}
	found, err := p.FindIssue(ctx, n.Marker, n.Labels[0])
	if err != nil {
		return Issue{}, err
	}
	if found != nil {
		return *found, nil
	}
	a := &paper{Kind: kindIssue, Title: n.Title, State: Open, Labels: n.Labels, body: n.Marker + "\n" + n.Body}
	if err := p.add(a); err != nil {
		return Issue{}, fmt.Errorf("open issue: %w", err)
	}
	p.log.InfoContext(ctx, "issue written", "file", p.url(a))
	return Issue{Number: a.Number, URL: p.url(a), State: Open, Body: a.body, New: true}, nil
}

// Close implements Forge.
func (p *Plain) Close(_ context.Context, number int) error {
	return p.change(number, "close", func(a *paper) { a.State = Closed })
}

// Comment implements Forge.
func (p *Plain) Comment(_ context.Context, number int, marker, body string) error {
	return p.change(number, "comment", func(a *paper) {
		if !a.says(marker) {
			a.comments = append(a.comments, marker+"\n"+body)
		}
	})
}

// HasComment implements Forge.
func (p *Plain) HasComment(_ context.Context, number int, marker string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, err := p.read(number)
	if err != nil {
		return false, fmt.Errorf("read comments: %w", err)
	}
	return a.says(marker), nil
}

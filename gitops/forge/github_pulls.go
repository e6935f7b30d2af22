package forge

import (
	"context"
	"fmt"

	"github.com/google/go-github/v60/github"
)

// maxPages bounds every listing: 1,000 items.
const maxPages = 10

// FindPullRequests implements Forge.
func (g *GitHub) FindPullRequests(ctx context.Context, branch string) ([]PullRequest, error) {
	var found []PullRequest
	opts := &github.PullRequestListOptions{
		State: "all", Head: g.opts.Owner + ":" + branch, Sort: "created", Direction: "desc",
		ListOptions: github.ListOptions{PerPage: 100},
	}
	for range maxPages {
		var list []*github.PullRequest
		var resp *github.Response
		err := g.call(ctx, operation{verb: "list pull requests", needs: "pull_requests: read"}, func(ctx context.Context) (err error) {
			list, resp, err = g.client.PullRequests.List(ctx, g.opts.Owner, g.opts.Repo, opts)
			return listed(list, err)
		})
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			if p.GetHead().GetRef() == branch { // a server that ignores the filter finds nothing wrong
				found = append(found, pullRequestOf(p))
			}
		}
		if opts.Page = resp.NextPage; opts.Page == 0 {
			break
		}
	}
	return found, nil
}

func pullRequestOf(p *github.PullRequest) PullRequest {
	out := PullRequest{
		Number: p.GetNumber(), URL: p.GetHTMLURL(), State: Open, Body: p.GetBody(),
		Head: p.GetHead().GetRef(), Base: p.GetBase().GetRef(), HeadSHA: p.GetHead().GetSHA(),
	}
	switch {
	case p.MergedAt != nil || p.GetMerged():
		out.State = Merged
	case p.GetState() == "closed":
		out.State = Closed
	}
	for _, l := range p.Labels {
		out.Labels = append(out.Labels, l.GetName())
	}
	return out
}

// OpenPullRequest implements Forge. GitHub refuses a second one of the same
// branches, so that the call can be made again.
func (g *GitHub) OpenPullRequest(ctx context.Context, n NewPullRequest) (PullRequest, error) {
	var p *github.PullRequest
	err := g.call(ctx, operation{verb: "open pull request", needs: "pull_requests: write"}, func(ctx context.Context) (err error) {
		p, _, err = g.client.PullRequests.Create(ctx, g.opts.Owner, g.opts.Repo, &github.NewPullRequest{
			Title: &n.Title, Head: &n.Head, Base: &n.Base, Body: &n.Body,
		})
		return err
	})
	if err != nil {
		return PullRequest{}, err
	}
	out := pullRequestOf(p)
	if err := g.AddLabels(ctx, out.Number, n.Labels); err != nil {
		g.log.WarnContext(ctx, "pull request has no labels", "number", out.Number, "error", err)
		return out, nil
	}
	out.Labels = n.Labels
	return out, nil
}

// AddLabels implements Forge. The call's body is an object, as GitHub describes
// it; go-github sends a list.
func (g *GitHub) AddLabels(ctx context.Context, number int, labels []string) error {
	if len(labels) == 0 {
		return nil
	}
	return g.call(ctx, operation{verb: "add labels", needs: "pull_requests: write"}, func(ctx context.Context) error {
		req, err := g.client.NewRequest("POST", fmt.Sprintf("repos/%s/issues/%d/labels", g.name, number), map[string][]string{"labels": labels})
		if err != nil {
			return err
		}
		_, err = g.client.Do(ctx, req, nil)
		return err
	})
}

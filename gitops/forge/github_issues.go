package forge

import (
	"context"
	"errors"
	"strings"

	"github.com/google/go-github/v60/github"
)

// FindOrOpenIssue implements Forge. It looks among the issues that carry the
// first label.
func (g *GitHub) FindOrOpenIssue(ctx context.Context, n NewIssue) (Issue, error) {
	if len(n.Labels) == 0 {
		return Issue{}, errors.New("open issue: no label given to find it by")
	}
	var out Issue
	err := g.again(ctx, func() error {
		found, err := g.FindIssue(ctx, n.Marker, n.Labels[0])
		if err != nil {
			return err
		}
		if found != nil {
			out = *found
			return nil
		}
		var made *github.Issue
		err = g.call(ctx, operation{verb: "open issue", needs: "issues: write", once: true}, func(ctx context.Context) (err error) {
			made, _, err = g.client.Issues.Create(ctx, g.opts.Owner, g.opts.Repo, &github.IssueRequest{
				Title: &n.Title, Body: github.String(n.Marker + "\n" + n.Body), Labels: &n.Labels,
			})
			return err
		})
		if err == nil {
			out = issueOf(made)
			out.New = true
		}
		return err
	})
	return out, err
}

func issueOf(i *github.Issue) Issue {
	out := Issue{Number: i.GetNumber(), URL: i.GetHTMLURL(), State: Open, Body: i.GetBody()}
	if i.GetState() == "closed" {
		out.State = Closed
	}
	return out
}

// FindIssue implements Forge.
func (g *GitHub) FindIssue(ctx context.Context, marker, label string) (*Issue, error) {
	opts := &github.IssueListByRepoOptions{
		State: "all", Labels: []string{label}, Sort: "created", Direction: "desc",
		ListOptions: github.ListOptions{PerPage: 100},
	}
	for range maxPages {
		var list []*github.Issue
		var resp *github.Response
		err := g.call(ctx, operation{verb: "list issues", needs: "issues: read"}, func(ctx context.Context) (err error) {
			list, resp, err = g.client.Issues.ListByRepo(ctx, g.opts.Owner, g.opts.Repo, opts)
			return listed(list, err)
		})
		if err != nil {
			return nil, err
		}
		for _, i := range list {
			if !i.IsPullRequest() && strings.HasPrefix(i.GetBody(), marker) {
				out := issueOf(i)
				return &out, nil
			}
		}
		if opts.Page = resp.NextPage; opts.Page == 0 {
			break
		}
	}
	return nil, nil
}

// Comment implements Forge.
func (g *GitHub) Comment(ctx context.Context, number int, marker, body string) error {
	return g.again(ctx, func() error {
		said, err := g.HasComment(ctx, number, marker)
		if err != nil || said {
			return err
		}
		return g.call(ctx, operation{verb: "comment", needs: "pull_requests: write or issues: write", once: true}, func(ctx context.Context) error {
			_, _, err := g.client.Issues.CreateComment(ctx, g.opts.Owner, g.opts.Repo, number, &github.IssueComment{
				Body: github.String(marker + "\n" + body),
			})
			return err
		})
	})
}

// HasComment implements Forge.
func (g *GitHub) HasComment(ctx context.Context, number int, marker string) (bool, error) {
	opts := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 100}}
	for range maxPages {
		var list []*github.IssueComment
		var resp *github.Response
		err := g.call(ctx, operation{verb: "list comments", needs: "pull_requests: read or issues: read"}, func(ctx context.Context) (err error) {
			list, resp, err = g.client.Issues.ListComments(ctx, g.opts.Owner, g.opts.Repo, number, opts)
			return listed(list, err)
		})
		if err != nil {
			return false, err
		}
		for _, c := range list {
			if strings.HasPrefix(c.GetBody(), marker) {
				return true, nil
			}
		}
		if opts.Page = resp.NextPage; opts.Page == 0 {
			break
		}
	}
	return false, nil
}

// Close implements Forge. For GitHub a pull request is an issue, too.
func (g *GitHub) Close(ctx context.Context, number int) error {
	return g.call(ctx, operation{verb: "close", needs: "pull_requests: write or issues: write"}, func(ctx context.Context) error {
		_, _, err := g.client.Issues.Edit(ctx, g.opts.Owner, g.opts.Repo, number, &github.IssueRequest{State: github.String("closed")})
		return err
	})
}

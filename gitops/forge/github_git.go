package forge

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/google/go-github/v60/github"
)

// CreateBranch implements Forge with three calls: tree, commit, reference. The
// commit names no author, so that GitHub signs it with its own key when an App
// makes it.
func (g *GitHub) CreateBranch(ctx context.Context, b NewBranch) (string, error) {
	const needs = "contents: write"
	entries, err := g.treeEntries(ctx, b.Changes)
	if err != nil {
		return "", err
	}
	var tree *github.Tree
	err = g.call(ctx, operation{verb: "create tree", needs: needs}, func(ctx context.Context) (err error) {
		tree, _, err = g.client.Git.CreateTree(ctx, g.opts.Owner, g.opts.Repo, b.BaseTree, entries)
		return err
	})
	if err != nil {
		return "", err
	}
	if tree.GetSHA() != b.Tree {
		return "", fmt.Errorf("create tree in %s: GitHub made %s of the changes, expected %s: nothing was pushed", g.name, tree.GetSHA(), b.Tree)
	}
	var commit *github.Commit
	err = g.call(ctx, operation{verb: "create commit", needs: needs}, func(ctx context.Context) (err error) {
		commit, _, err = g.client.Git.CreateCommit(ctx, g.opts.Owner, g.opts.Repo, &github.Commit{
			Message: &b.Message,
			Tree:    &github.Tree{SHA: &b.Tree},
			Parents: []*github.Commit{{SHA: &b.Base}},
		}, nil)
		return err
	})
	if err != nil {
		return "", err
	}
	return commit.GetSHA(), g.createRef(ctx, "refs/heads/"+b.Name, commit.GetSHA())
}

// createRef tells a branch that somebody else made from the one that a failed
// try of its own left.
func (g *GitHub) createRef(ctx context.Context, ref, sha string) error {
	tries := 0
	err := g.call(ctx, operation{verb: "create branch", needs: "contents: write"}, func(ctx context.Context) error {
		tries++
		_, _, err := g.client.Git.CreateRef(ctx, g.opts.Owner, g.opts.Repo, &github.Reference{
			Ref: &ref, Object: &github.GitObject{SHA: &sha},
		})
		return err
	})
	if tries > 1 && errors.Is(err, ErrExists) {
		if now, lookErr := g.refSHA(ctx, ref); lookErr == nil && now == sha {
			return nil
		}
	}
	return err
}

// treeEntries puts text into the call itself and sends the rest ahead.
func (g *GitHub) treeEntries(ctx context.Context, changes []FileChange) ([]*github.TreeEntry, error) {
	entries := make([]*github.TreeEntry, 0, len(changes))
	for _, c := range changes {
		e := &github.TreeEntry{Path: github.String(c.Path), Mode: github.String(c.Mode), Type: github.String("blob")}
		if c.Mode == "160000" {
			e.Type = github.String("commit")
		}
		switch {
		case c.Mode == "": // no SHA and no content deletes; a mode is asked for all the same
			e.Mode = github.String("100644")
		case c.Content == nil:
			e.SHA = github.String(c.ID)
		case utf8.Valid(c.Content) && !bytes.ContainsRune(c.Content, 0):
			e.Content = github.String(string(c.Content))
		default:
			if err := g.createBlob(ctx, c); err != nil {
				return nil, err
			}
			e.SHA = github.String(c.ID)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (g *GitHub) createBlob(ctx context.Context, c FileChange) error {
	var blob *github.Blob
	err := g.call(ctx, operation{verb: "create blob", needs: "contents: write"}, func(ctx context.Context) (err error) {
		blob, _, err = g.client.Git.CreateBlob(ctx, g.opts.Owner, g.opts.Repo, &github.Blob{
			Content: github.String(base64.StdEncoding.EncodeToString(c.Content)), Encoding: github.String("base64"),
		})
		return err
	})
	if err != nil {
		return err
	}
	if blob.GetSHA() != c.ID {
		return fmt.Errorf("create blob in %s: GitHub made %s of %s, expected %s", g.name, blob.GetSHA(), c.Path, c.ID)
	}
	return nil
}

// refSHA is what a reference points at; "" when there is none.
func (g *GitHub) refSHA(ctx context.Context, ref string) (string, error) {
	var got *github.Reference
	err := g.call(ctx, operation{verb: "read branch", needs: "contents: read"}, func(ctx context.Context) (err error) {
		got, _, err = g.client.Git.GetRef(ctx, g.opts.Owner, g.opts.Repo, ref)
		return err
	})
	if status, ok := statusOf(err); ok && status == http.StatusNotFound {
		return "", nil
	}
	return got.GetObject().GetSHA(), err
}

// DeleteBranch implements Forge.
func (g *GitHub) DeleteBranch(ctx context.Context, name, sha string) error {
	ref := "refs/heads/" + name
	now, err := g.refSHA(ctx, ref)
	if err != nil || now != sha {
		return err
	}
	err = g.call(ctx, operation{verb: "delete branch", needs: "contents: write"}, func(ctx context.Context) error {
		_, err := g.client.Git.DeleteRef(ctx, g.opts.Owner, g.opts.Repo, ref)
		return err
	})
	var api *APIError
	if errors.As(err, &api) && (api.Status == http.StatusNotFound || strings.Contains(api.Message, "Reference does not exist")) {
		return nil
	}
	return err
}

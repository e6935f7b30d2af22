package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Commit is a commit's own data.
type Commit struct {
	SHA     string
	Tree    string
	Parents []string
	Message string
}

// Change is how one file differs between two trees. Modes are Git's, "100644";
// a side that has no such file has the empty mode and ID.
type Change struct {
	Path             string
	OldMode, NewMode string
	OldID, NewID     string
}

// Merged is the result of a three-way merge. Tree is empty when there are
// Conflicts, which are the paths that need a person.
type Merged struct {
	Tree      string
	Conflicts []string
}

// NewCommit is a commit to make.
type NewCommit struct {
	Tree    string
	Parent  string // none when empty
	Message string
	// Name and Email are author and committer. Default "Syncgate" and
	// "syncgate@localhost".
	Name, Email string
}

// Commit reads a commit's own data.
func (r *Repository) Commit(ctx context.Context, sha string) (Commit, error) {
	if err := checkSHA("commit", sha); err != nil {
		return Commit{}, fmt.Errorf("read commit: %w", err)
	}
	var out []byte
	err := r.withCommit(ctx, sha, func() (err error) {
		out, err = r.run(ctx, call{store: r.trees, args: []string{"cat-file", "commit", sha}})
		return err
	})
	if err != nil {
		return Commit{}, fmt.Errorf("read commit: %w", err)
	}
	c := Commit{SHA: sha}
	head, message, _ := strings.Cut(string(out), "\n\n")
	c.Message = message
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "tree":
			c.Tree = value
		case "parent":
			c.Parents = append(c.Parents, value)
		}
	}
	if err := checkSHA("tree of commit "+sha, c.Tree); err != nil {
		return Commit{}, fmt.Errorf("read commit: %w", err)
	}
	return c, nil
}

// Diff lists the files that differ between two commits, by path. A renamed
// file is one deleted and one added.
func (r *Repository) Diff(ctx context.Context, from, to string) ([]Change, error) {
	if err := errors.Join(checkSHA("from", from), checkSHA("to", to)); err != nil {
		return nil, fmt.Errorf("compare commits: %w", err)
	}
	if err := r.trees.lock(ctx); err != nil {
		return nil, err
	}
	defer r.trees.unlock()
	if err := r.ensureCommits(ctx, from, to); err != nil {
		return nil, fmt.Errorf("compare commits: %w", err)
	}
	return r.diff(ctx, from, to)
}

// Changed implements gitops.Comparer.
func (r *Repository) Changed(ctx context.Context, from, to string) ([]string, error) {
	changes, err := r.Diff(ctx, from, to)
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(changes))
	for i, c := range changes {
		paths[i] = c.Path
	}
	slices.Sort(paths)
	return paths, nil
}

// DiffTrees is Diff for trees that are there already, such as those Replace
// and Merge made.
func (r *Repository) DiffTrees(ctx context.Context, from, to string) ([]Change, error) {
	if err := errors.Join(checkSHA("from", from), checkSHA("to", to)); err != nil {
		return nil, fmt.Errorf("compare trees: %w", err)
	}
	if err := r.trees.lock(ctx); err != nil {
		return nil, err
	}
	defer r.trees.unlock()
	return r.diff(ctx, from, to)
}

func (r *Repository) diff(ctx context.Context, from, to string) ([]Change, error) {
	out, err := r.run(ctx, call{store: r.trees, args: []string{
		"diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff", "--end-of-options", from, to,
	}})
	if err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", from, to, err)
	}
	changes, err := parseDiff(out, r.opts.Limits.Entries)
	if err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", from, to, err)
	}
	return changes, nil
}

// parseDiff reads `git diff-tree --raw -z`: ":old new oldID newID X\0path\0".
func parseDiff(out []byte, limit int) ([]Change, error) {
	fields := bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0})
	if len(fields) == 1 && len(fields[0]) == 0 {
		return nil, nil
	}
	if len(fields)%2 != 0 {
		return nil, fmt.Errorf("parse diff: expected pairs, found %d fields", len(fields))
	}
	if len(fields)/2 > limit {
		return nil, &LimitError{What: "the number of changed files", Name: "Entries", Limit: int64(limit)}
	}
	changes := make([]Change, 0, len(fields)/2)
	for i := 0; i < len(fields); i += 2 {
		f := strings.Fields(strings.TrimPrefix(string(fields[i]), ":"))
		if len(f) != 5 || !shaForm.MatchString(f[2]) || !shaForm.MatchString(f[3]) {
			return nil, fmt.Errorf("parse diff: expected modes, IDs and status, found %.120q", fields[i])
		}
		c := Change{Path: string(fields[i+1])}
		if f[0] != "000000" {
			c.OldMode, c.OldID = f[0], f[2]
		}
		if f[1] != "000000" {
			c.NewMode, c.NewID = f[1], f[3]
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// Replace makes a tree: that of commit with the new side of changes put in.
func (r *Repository) Replace(ctx context.Context, commit string, changes []Change) (string, error) {
	if err := checkSHA("commit", commit); err != nil {
		return "", fmt.Errorf("make tree: %w", err)
	}
	var lines strings.Builder
	for _, c := range changes {
		if strings.ContainsRune(c.Path, 0) {
			return "", fmt.Errorf("make tree: path %.80q holds a NUL", c.Path)
		}
		if c.NewMode == "" {
			fmt.Fprintf(&lines, "0 %s\t%s\x00", strings.Repeat("0", len(commit)), c.Path)
			continue
		}
		if err := checkSHA(c.Path, c.NewID); err != nil {
			return "", fmt.Errorf("make tree: %w", err)
		}
		fmt.Fprintf(&lines, "%s %s\t%s\x00", c.NewMode, c.NewID, c.Path)
	}
	var tree string
	err := r.withCommit(ctx, commit, func() (err error) {
		tree, err = r.writeTree(ctx, commit, lines.String())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("make tree from %s: %w", commit, err)
	}
	return tree, nil
}

// writeTree works on an index file of its own: there is no work tree.
func (r *Repository) writeTree(ctx context.Context, commit, lines string) (string, error) {
	dir, err := os.MkdirTemp(r.dir, "index-")
	if err != nil {
		return "", fmt.Errorf("make temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	env := []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
	if _, err := r.run(ctx, call{store: r.trees, env: env, args: []string{"read-tree", commit}}); err != nil {
		return "", err
	}
	_, err = r.run(ctx, call{store: r.trees, env: env, args: []string{"update-index", "-z", "--index-info"}, stdin: strings.NewReader(lines)})
	if err != nil {
		return "", err
	}
	// The contents of the other files are not here, and need not be.
	return r.id(ctx, call{store: r.trees, env: env, args: []string{"write-tree", "--missing-ok"}})
}

// id runs a call that answers with one object's ID.
func (r *Repository) id(ctx context.Context, c call) (string, error) {
	out, err := r.run(ctx, c)
	if err != nil {
		return "", err
	}
	sha := strings.TrimSpace(string(out))
	if err := checkSHA("git "+c.args[0], sha); err != nil {
		return "", err
	}
	return sha, nil
}

// WriteCommit makes a commit in the cache. Its tree and parent must be there.
func (r *Repository) WriteCommit(ctx context.Context, n NewCommit) (string, error) {
	if err := r.trees.lock(ctx); err != nil {
		return "", err
	}
	defer r.trees.unlock()
	return r.commitTree(ctx, n, "")
}

// commitTree makes a commit, at a fixed date where one is given.
func (r *Repository) commitTree(ctx context.Context, n NewCommit, date string) (string, error) {
	if err := checkSHA("tree", n.Tree); err != nil {
		return "", fmt.Errorf("make commit: %w", err)
	}
	args := []string{"commit-tree", n.Tree, "-F", "-"}
	if n.Parent != "" {
		if err := checkSHA("parent", n.Parent); err != nil {
			return "", fmt.Errorf("make commit: %w", err)
		}
		args = append(args, "-p", n.Parent)
	}
	name, email := n.Name, n.Email
	if name == "" {
		name = "Syncgate"
	}
	if email == "" {
		email = "syncgate@localhost"
	}
	env := []string{"GIT_AUTHOR_NAME=" + name, "GIT_COMMITTER_NAME=" + name, "GIT_AUTHOR_EMAIL=" + email, "GIT_COMMITTER_EMAIL=" + email}
	if date != "" {
		env = append(env, "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	}
	sha, err := r.id(ctx, call{store: r.trees, env: env, args: args, stdin: strings.NewReader(n.Message)})
	if err != nil {
		return "", fmt.Errorf("make commit: %w", err)
	}
	return sha, nil
}

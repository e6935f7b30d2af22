package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/forge/webhook"
	"github.com/syncgate/syncgate/gitops/git"
	"github.com/syncgate/syncgate/hooks/review"
	"github.com/syncgate/syncgate/test/harness"
)

// reviewBound is how long a verdict may take once everything is fetched.
const reviewBound = time.Second

// kept keeps the last report in place of publishing it.
type kept struct{ last forge.Report }

func (k *kept) Publish(_ context.Context, r forge.Report) (forge.Publication, error) {
	k.last = r
	return forge.Publication{}, nil
}

// BenchmarkReview is a pull request that changes one values file of a repository
// of 1,000 clusters: from the event to the verdict, with the trees fetched.
func BenchmarkReview(b *testing.B) {
	const clusters = 1000
	ctx := b.Context()
	bare := filepath.Join(b.TempDir(), "fleet.git")
	if err := harness.InitBare(ctx, bare); err != nil {
		b.Fatal(err)
	}
	commit := func(branch, from string, files map[string]string) string {
		sha, err := harness.CommitTo(ctx, bare, harness.Commit{Branch: branch, From: from, Message: branch, Files: files})
		if err != nil {
			b.Fatal(err)
		}
		return sha
	}
	files := map[string]string{}
	var g strings.Builder
	g.WriteString("apiVersion: syncgate.dev/v1alpha1\nkind: Gate\nmetadata: {name: fleet}\nspec:\n  perCluster:\n    - {path: ingress.host}\n    - {path: \"**.env[name=SITE_URL].value\"}\n" +
		"  listKeys:\n    - {path: \"**.env\", key: name}\n  clusters:\n")
	for i := range clusters {
		name := serveCluster(i)
		fmt.Fprintf(&g, "    - {name: %s, values: [values/%s.yaml]}\n", name, name)
		files["values/"+name+".yaml"] = fleetFile(name, fleetOptions{})
	}
	files["syncgate.yaml"] = g.String()
	base := commit("main", "", files)
	changed := "values/" + serveCluster(clusters/2) + ".yaml"
	head := commit("change", base, map[string]string{changed: files[changed] + "odd: one out\n"})
	if _, err := harness.Git(ctx, bare, "update-ref", "refs/pull/1/head", head); err != nil {
		b.Fatal(err)
	}
	repo, err := git.Open(ctx, git.Options{URL: bare, Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = repo.Close() })
	for _, sha := range []string{base, head} {
		tree, err := repo.Tree(ctx, sha)
		if err == nil {
			err = tree.(gitops.Prefetcher).Prefetch(ctx, func(string) bool { return true })
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	out := &kept{}
	r := review.New(review.Options{Repositories: map[string]review.Repository{"fleet": {Git: repo, Reporter: out, Branch: "main"}}})
	ev := webhook.Event{Kind: webhook.PullRequest, Number: 1, Head: webhook.Ref{SHA: head}, Base: webhook.Ref{Ref: "refs/heads/main"}}
	for b.Loop() {
		start := time.Now()
		if err := r.Review(ctx, "fleet", ev); err != nil {
			b.Fatal(err)
		}
		if took := time.Since(start); took > reviewBound {
			b.Errorf("the verdict took %v, expected at most %v", took, reviewBound)
		}
	}
	if out.last.Conclusion != forge.Failure || len(out.last.Annotations) != 1 || out.last.Annotations[0].Path != changed {
		b.Fatalf("%s: %s, %+v", out.last.Conclusion, out.last.Title, out.last.Annotations)
	}
}

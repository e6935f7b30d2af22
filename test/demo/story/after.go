package story

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/syncgate/syncgate/test/harness"
)

// This file tells what comes with a sync and after it.

// apply applies the change, and has the new pods fail.
func (s *Story) apply(ctx context.Context) error {
	s.screen.step("The sync is applied to eu; the new pods do not start")
	if err := s.change.sync(ctx); err != nil {
		return err
	}
	s.screen.good("%d objects applied to %s by server-side apply", len(s.change.objects), s.eu.Config.Host)
	if err := s.eu.getStuck(ctx); err != nil {
		return err
	}
	s.screen.say("Stand-ins: the operator starts the rollout and reports state reconciling; the kubelet reports ImagePullBackOff, "+
		"because the registry has no %s. The old pods go on.", newTag)
	const note = "# What acme runs\n\nAsk #platform before you change anything here.\n"
	later, err := harness.CommitTo(ctx, s.repo.bare, harness.Commit{
		Branch: "main", Message: "Say whom to ask", Author: "Somebody Else <somebody@example.com>",
		Files: map[string]string{"README.md": note, folder + "/README.md": note},
	})
	if err != nil {
		return err
	}
	s.screen.say("Meanwhile somebody else pushes %s to main: a README. The revert will have to keep it.", later[:12])
	return nil
}

// postSync finds out, and reports the failed sync as Argo CD would.
func (s *Story) postSync(ctx context.Context) error {
	s.screen.step("PostSync on eu finds out")
	ran, err := s.hook(ctx, s.change, "PostSync", call{want: 1})
	if err != nil {
		return err
	}
	if !strings.Contains(ran.Stdout, "ImagePullBackOff") {
		return fmt.Errorf("find the failure: expected ImagePullBackOff in what the hook says, found\n%s", ran.Stdout)
	}
	s.screen.good("exit code 1: the sync is marked as failed, with the evidence in the Job's log")
	if _, err := s.hook(ctx, s.change, "SyncFail", call{quiet: true}); err != nil {
		return err
	}
	s.screen.good("the SyncFail hook has told Syncgate so")
	return nil
}

// revert shows the pull request, and holds it against git's own revert.
func (s *Story) revert(ctx context.Context) error {
	s.screen.step("A revert pull request is open")
	pr, err := s.forge.find(ctx, "syncgate/revert/"+gateName+"/"+s.Failing[:12])
	if err != nil {
		return err
	}
	s.PullRequest = pr
	s.screen.item("address", "%s", pr.URL)
	s.screen.item("title", "%s", pr.Title)
	s.screen.item("branch", "%s, into %s", pr.Branch, pr.Base)
	s.screen.item("labels", "%s", strings.Join(pr.Labels, ", "))
	s.screen.quote(opening(visible(pr.Body)))
	if _, err := s.git(ctx, "fetch", "--quiet", "origin"); err != nil {
		return err
	}
	diff, err := s.git(ctx, "diff", "origin/main..origin/"+pr.Branch)
	if err != nil {
		return err
	}
	s.screen.quote(diff)
	return s.compare(ctx, pr)
}

// compare holds the pull request's tree against that of `git revert`.
func (s *Story) compare(ctx context.Context, pr PullRequest) (err error) {
	if _, err := s.git(ctx, "switch", "--quiet", "--detach", "origin/main"); err != nil {
		return err
	}
	args := []string{"revert", "--no-edit"}
	parents, err := harness.Git(ctx, s.repo.work, "show", "-s", "--format=%P", s.Failing)
	if err != nil {
		return err
	}
	if strings.Contains(parents, " ") {
		args = append(args, "--mainline", "1")
	}
	if _, err := s.git(ctx, append(args, s.Failing)...); err != nil {
		return err
	}
	if s.WantTree, err = s.git(ctx, "rev-parse", "HEAD^{tree}"); err != nil {
		return err
	}
	s.screen.quote(s.WantTree)
	if s.RevertTree, err = s.git(ctx, "rev-parse", "origin/"+pr.Branch+"^{tree}"); err != nil {
		return err
	}
	s.screen.quote(s.RevertTree)
	if s.RevertTree != s.WantTree {
		return fmt.Errorf("compare with git revert: expected tree %s, found %s", s.WantTree, s.RevertTree)
	}
	s.screen.good("the pull request's tree is the one that git revert gives: the upgrade is undone, the README is kept")
	return nil
}

// opening is the text up to the second check that did not pass.
func opening(body string) string {
	const check = "\n#### "
	at := strings.Index(body, check)
	if at < 0 {
		return body
	}
	next := strings.Index(body[at+1:], check)
	if next < 0 {
		return body
	}
	rest := body[at+1+next:]
	return fmt.Sprintf("%s\n\n… and %d more lines, on the other checks", strings.TrimSpace(body[:at+1+next]), strings.Count(rest, "\n"))
}

// visible is a text without the comments that its page does not show.
func visible(body string) string {
	for {
		before, rest, ok := strings.Cut(body, "<!--")
		if !ok {
			return strings.TrimSpace(body)
		}
		_, after, _ := strings.Cut(rest, "-->")
		body = before + after
	}
}

// conclude sums up.
func (s *Story) conclude() {
	s.screen.title(fmt.Sprintf("That was it, in %.0f seconds", s.Elapsed.Seconds()))
	for _, line := range []string{
		"values that drift: refused by validate and by the plugin, before anything was applied",
		"no fresh backup: the sync waited, and went on by itself when there was one",
		"a change that breaks: found after the sync, undone by pull request, with the evidence and the backup in it",
	} {
		s.screen.good("%s", line)
	}
	s.screen.title("What to try next")
	s.screen.item("read", "the Gate of this story: %s", filepath.Join(s.repo.work, folder, "syncgate.yaml"))
	s.screen.item("break it", "edit a value in %s and run bin/syncgate validate on it", example)
	s.screen.item("your own", "put a syncgate.yaml beside your values; docs/reference/syncgate-yaml.md has every field")
}

// Addresses tells where everything runs, for people who look around.
func (s *Story) Addresses() {
	s.screen.title("Everything still runs")
	for _, k := range s.clusters() {
		s.screen.item("cluster "+k.Name, "KUBECONFIG=%s kubectl get mattermosts,pods -n %s", k.Kubeconfig, namespace)
	}
	s.screen.item("repository", "git clone %s", s.repo.login)
	s.screen.item("pull request", "curl -u %s:%s %srepos/%s/%s/pulls/%d", person, password, s.forge.api, owner, repoName, s.PullRequest.Number)
	s.screen.item("Syncgate", "curl --cacert %s %s/readyz", s.caFile, s.url)
	for _, log := range s.Logs() {
		s.screen.item("log", "%s", log)
	}
	s.screen.say("Ctrl-C ends it all; the files stay in %s (process %d).", s.opts.Dir, os.Getpid())
}

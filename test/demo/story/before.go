package story

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/syncgate/syncgate/test/harness"
)

// This file tells what comes before a sync.

// install puts the first version on both clusters and has it pass the gate, so
// that there is a last good revision.
func (s *Story) install(ctx context.Context) error {
	s.screen.step("Mattermost " + oldTag + " runs on both clusters and passes the gate")
	files, err := s.firstFiles()
	if err != nil {
		return err
	}
	first, err := harness.CommitTo(ctx, s.repo.bare, harness.Commit{Branch: "main", Message: "Run Mattermost " + oldTag, Files: files})
	if err != nil {
		return err
	}
	if _, err := harness.Git(ctx, "", "clone", "--quiet", s.repo.login, s.repo.work); err != nil {
		return err
	}
	s.screen.say("%s/%s guards the values of eu and us. It is that of %s, with shorter times, and asks a stand-in on this machine for /api/v4/system/ping.",
		folder, "syncgate.yaml", example)
	for _, k := range s.clusters() {
		if _, err := s.backup(k.Name); err != nil {
			return err
		}
		r, err := s.render(ctx, k, first, true)
		if err != nil {
			return err
		}
		if err := r.sync(ctx); err != nil {
			return err
		}
		if err := k.rollOut(ctx); err != nil {
			return err
		}
		if err := s.pass(ctx, r); err != nil {
			return err
		}
		s.screen.good("%s: revision %s rendered, %d objects applied; PreSync and PostSync passed", k.Name, first[:12], len(r.objects))
	}
	return nil
}

// pass has a revision that runs pass both hooks.
func (s *Story) pass(ctx context.Context, r *rendered) error {
	for _, phase := range []string{"PreSync", "PostSync"} {
		if _, err := s.hook(ctx, r, phase, call{quiet: true}); err != nil {
			return err
		}
	}
	return nil
}

// drift opens a pull request that raises the version on one cluster only.
func (s *Story) drift(ctx context.Context) error {
	s.screen.step("A pull request raises the version on eu, and forgets us")
	if _, err := s.git(ctx, "switch", "--quiet", "--create", branch); err != nil {
		return err
	}
	if err := s.bump("eu"); err != nil {
		return err
	}
	drifted, err := s.propose(ctx, "Upgrade Mattermost to "+newTag)
	if err != nil {
		return err
	}
	number, url, err := s.forge.open(ctx, branch, "Upgrade Mattermost to "+newTag)
	if err != nil {
		return err
	}
	s.forge.upgrade = number
	s.screen.say("The pull request is open: %s. In CI, or on a laptop:", url)
	if _, err := s.run(ctx, call{name: "validate", args: []string{"validate", s.repo.work}, want: 1}); err != nil {
		return err
	}
	s.screen.good("exit code 1: the pull request's check is red")
	s.screen.say("Who merges it anyway gets no further: Argo CD's plugin validates before it renders, and there is no way to sync around that.")
	if err := s.repo.checkout(ctx, drifted); err != nil {
		return err
	}
	c := s.generate(s.eu, drifted)
	c.name, c.want = "generate-drifted", 1
	ran, err := s.run(ctx, c)
	if err != nil {
		return err
	}
	if ran.Stdout != "" {
		return fmt.Errorf("render values that drift: expected nothing on stdout, found %d bytes", len(ran.Stdout))
	}
	s.screen.good("exit code 1 and nothing on stdout: the Application shows the first line, and nothing is applied")
	return nil
}

// propose commits what changed and pushes the branch.
func (s *Story) propose(ctx context.Context, message string) (string, error) {
	if _, err := s.git(ctx, "commit", "--quiet", "--all", "--message", message); err != nil {
		return "", err
	}
	if _, err := s.git(ctx, "push", "--quiet", "origin", branch); err != nil {
		return "", err
	}
	return s.repo.head(ctx, branch)
}

// fix raises the version on the other cluster too, merges, and renders.
func (s *Story) fix(ctx context.Context) error {
	s.screen.step("The author raises it on us as well; now it renders")
	if err := s.bump("us"); err != nil {
		return err
	}
	if _, err := s.propose(ctx, "Upgrade Mattermost to "+newTag+" on us as well"); err != nil {
		return err
	}
	if _, err := s.run(ctx, call{name: "validate-fixed", args: []string{"validate", s.repo.work}}); err != nil {
		return err
	}
	sha, err := s.forge.merge(ctx, s.forge.upgrade)
	if err != nil {
		return err
	}
	s.Failing = sha
	s.screen.good("the pull request is merged; main is at %s", sha[:12])
	if s.change, err = s.render(ctx, s.eu, sha, false); err != nil {
		return err
	}
	// No controller makes a pod of a Job here; at least the API server takes it.
	if err := s.change.tryJobs(ctx); err != nil {
		return err
	}
	var kinds []string
	for _, obj := range s.change.objects {
		kinds = append(kinds, obj.GetKind()+"/"+obj.GetName())
	}
	for _, phase := range []string{"PreSync", "PostSync", "SyncFail"} {
		if s.change.jobs[phase] != nil {
			kinds = append(kinds, phase+" Job")
		}
	}
	s.screen.good("rendered for eu: %s", strings.Join(kinds, ", "))
	return nil
}

// preSync runs the hook while the newest backup is too old, and lets a fresh
// one appear.
func (s *Story) preSync(ctx context.Context) error {
	s.screen.step("PreSync on eu waits: nobody could go back from this upgrade yet")
	if err := s.age("eu", 72*time.Hour); err != nil {
		return err
	}
	s.screen.say("Three days have passed since the last dump of the database (the demo sets its date back). The hook Job's command:")
	var done time.Time
	waits := newSeen(func(line string) bool {
		return strings.Contains(line, "database-backup") && strings.Contains(line, "Wait")
	})
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer func() { done = time.Now() }()
		_, err := s.hook(gctx, s.change, "PreSync", call{watch: waits})
		return err
	})
	var fresh time.Time
	group.Go(func() error {
		select {
		case <-waits.hit:
		case <-gctx.Done():
			return nil
		}
		// Long enough for a person to read what it waits for.
		select {
		case <-time.After(4 * time.Second):
		case <-gctx.Done():
			return nil
		}
		fresh = time.Now()
		name, err := s.backup("eu")
		s.screen.good("a fresh dump appears: %s", name)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if fresh.IsZero() || done.Before(fresh) {
		return fmt.Errorf("wait for a backup: PreSync passed before there was a fresh one; see %s", s.server.Log)
	}
	s.Waited = done.Sub(fresh)
	s.screen.good("passed %.1f s after the dump was there: its checksum held, so the change can be undone", s.Waited.Seconds())
	return nil
}

// age sets the date of all backups of a cluster back.
func (s *Story) age(cluster string, by time.Duration) error {
	names, err := filepath.Glob(s.stage.Path("backups", cluster, "postgres", "*"))
	if err != nil {
		return err
	}
	at := time.Now().Add(-by)
	for _, name := range names {
		if err := os.Chtimes(name, at, at); err != nil {
			return err
		}
	}
	return nil
}

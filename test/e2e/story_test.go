package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/test/demo/story"
	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
	"github.com/syncgate/syncgate/test/tools"
)

// TestStory tells the demo's story and looks at what came of it.
func TestStory(t *testing.T) {
	harness.Real(t)
	root, err := tools.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var told bytes.Buffer
	dir := filepath.Join(t.TempDir(), "demo")
	s, err := story.Tell(ctx, story.Options{Out: &told, Root: root, Bin: product.Programs(t), Dir: dir, Log: os.Stderr})
	stopped := s.Stop()
	if err != nil {
		t.Fatalf("%v\n%s", err, told.String())
	}
	if stopped != nil {
		t.Error(stopped)
	}
	t.Run("commands", func(t *testing.T) { commands(t, &s.Outcome) })
	t.Run("pull request", func(t *testing.T) { pullRequest(t, s) })
	t.Run("telling", func(t *testing.T) { telling(t, told.String(), dir) })
	t.Run("nothing runs", func(t *testing.T) { nothingRuns(t, dir) })
}

// commands holds what the programs said and how they ended.
func commands(t *testing.T, o *story.Outcome) {
	for _, tt := range []struct {
		name           string
		code           int
		stdout, stderr []string
	}{
		{"validate", 1, []string{"mattermostCR.spec.version", "11.7.4", "11.7.5", "clusters/us/values.yaml:3:"}, nil},
		{"generate-drifted", 1, nil, []string{"mattermostCR.spec.version"}},
		{"validate-fixed", 0, nil, nil},
		{"presync-eu", 0, []string{"database-backup", "Pass"}, nil},
		{"postsync-eu", 0, []string{"Passed"}, nil},
		{"syncfail-eu", 0, nil, nil},
	} {
		ran, ok := o.Find(tt.name)
		if !ok {
			t.Errorf("%s did not run", tt.name)
			continue
		}
		if ran.Code != tt.code {
			t.Errorf("%s: expected exit code %d, found %d", tt.name, tt.code, ran.Code)
		}
		contains(t, tt.name+" stdout", ran.Stdout, tt.stdout)
		contains(t, tt.name+" stderr", ran.Stderr, tt.stderr)
	}
	last := func(name string) story.Ran {
		var found story.Ran
		for _, r := range o.Ran {
			if r.Name == name {
				found = r
			}
		}
		return found
	}
	waited := last("presync-eu")
	contains(t, "the PreSync that waited", waited.Stdout, []string{"Wait", "Passed"})
	if o.Waited > 10*time.Second {
		t.Errorf("PreSync passed %s after a fresh backup: expected seconds", o.Waited)
	}
	failed := last("postsync-eu")
	if failed.Code != 1 {
		t.Errorf("PostSync of the upgrade: expected exit code 1, found %d", failed.Code)
	}
	contains(t, "the PostSync that failed", failed.Stdout, []string{"ImagePullBackOff", "Failed", o.PullRequest.URL})
}

func contains(t *testing.T, what, text string, want []string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s: expected %q in it, found\n%s", what, w, text)
		}
	}
}

// pullRequest holds the revert against what git itself does.
func pullRequest(t *testing.T, s *story.Story) {
	pr := s.PullRequest
	if !pr.Open || pr.Base != "main" || pr.Branch != "syncgate/revert/mattermost/"+s.Failing[:12] {
		t.Errorf("expected an open pull request of syncgate/revert/mattermost/%s into main, found %+v", s.Failing[:12], pr)
	}
	if s.RevertTree == "" || s.RevertTree != s.WantTree {
		t.Errorf("tree: expected that of git revert, %q, found %q", s.WantTree, s.RevertTree)
	}
	contains(t, "body", pr.Body, []string{"ImagePullBackOff", s.Failing[:12], ".dump", "database"})
	contains(t, "labels", strings.Join(pr.Labels, " "), []string{"syncgate", "mattermost"})
}

// telling holds the story to a screen, and to saying what is not real.
func telling(t *testing.T, told, dir string) {
	contains(t, "story", told, []string{"What stands in for something", "kubelet", "ImagePullBackOff", "git revert"})
	if strings.Contains(told, "\x1b[") {
		t.Error("there is color where no terminal is")
	}
	path := regexp.MustCompile(regexp.QuoteMeta(dir) + `\S*`) // as long as the machine has it
	for line := range strings.Lines(told) {
		if n := len([]rune(strings.TrimRight(path.ReplaceAllString(line, "x"), "\n"))); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// nothingRuns looks for processes that were started for the story: each had
// its folder in its arguments or works in it.
func nothingRuns(t *testing.T, dir string) {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		args, _ := os.ReadFile(filepath.Join(entry, "cmdline"))
		cwd, _ := os.Readlink(filepath.Join(entry, "cwd"))
		if bytes.Contains(args, []byte(dir)) || strings.HasPrefix(cwd, dir) {
			t.Errorf("%s still runs: %s", entry, bytes.ReplaceAll(args, []byte{0}, []byte{' '}))
		}
	}
}

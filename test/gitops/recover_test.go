package gitops_test

import (
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/gitops/git"
	"github.com/syncgate/syncgate/hooks"                   //nolint:depguard // a test part
	"github.com/syncgate/syncgate/hooks/engine/enginetest" //nolint:depguard // a test part
	"github.com/syncgate/syncgate/test/gitops/source"
)

const recoverySpec = `
  preSync:
    interval: 1ms
    checks: [{name: backup, nodes: {}}]
  postSync:
    interval: 1ms
    checks: [{name: works, nodes: {}}]
`

// What counts as a revert is what is in the files, with real histories.
func TestRevertIsProvedFromGit(t *testing.T) {
	tags := func(tag string) map[string]string {
		return map[string]string{"eu.yaml": "tag: \"" + tag + "\"\n", "us.yaml": "tag: \"" + tag + "\"\n"}
	}
	tests := map[string]struct {
		then func(src *source.Repo, bad string) // what is committed after the failing change
		want hooks.Verdict
	}{
		"git revert":                {func(src *source.Repo, bad string) { src.Git("revert", "--no-edit", bad) }, hooks.Passed},
		"by hand, with any message": {func(src *source.Repo, _ string) { src.Commit("fix", tags("1")) }, hooks.Passed},
		"by a merge": {func(src *source.Repo, bad string) {
			src.Git("checkout", "--quiet", "-b", "syncgate/revert/chat/x")
			src.Git("revert", "--no-edit", bad)
			src.Git("checkout", "--quiet", "main")
			src.Commit("beside", map[string]string{"README.md": "x\n"})
			src.Git("merge", "--quiet", "--no-ff", "--no-edit", "syncgate/revert/chat/x")
		}, hooks.Passed},
		"only the message of one": {func(src *source.Repo, bad string) {
			src.Commit("Revert\n\nSyncgate-Reverts: "+bad+"\nSyncgate-Gate: chat", tags("3"))
		}, hooks.Failed},
		"with a later edit": {func(src *source.Repo, _ string) {
			src.Commit("later", map[string]string{"us.yaml": "tag: \"2\"\n\n\n\n# later\n"})
			src.Commit("back", map[string]string{"eu.yaml": "tag: \"1\"\n", "us.yaml": "tag: \"1\"\n\n\n\n# later\n"})
		}, hooks.Failed},
		"executable now": {func(src *source.Repo, bad string) {
			src.Git("revert", "--no-edit", bad)
			src.Git("update-index", "--chmod=+x", "eu.yaml")
			src.Git("commit", "--quiet", "--message", "mode")
		}, hooks.Failed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			src := source.New(t, t.TempDir()+"/src.git")
			start := tags("1")
			start["syncgate.yaml"] = enginetest.Gate(recoverySpec)
			good := src.Commit("good", start)
			bad := src.Commit("bad", tags("2"))
			tt.then(src, bad)
			head := src.Git("rev-parse", "HEAD")
			src.Push()
			repo, err := git.Open(t.Context(), git.Options{URL: src.Dir, Dir: t.TempDir(), Limits: git.Limits{Timeout: time.Minute}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = repo.Close() })
			w := enginetest.NewWorld(t)
			w.Repository = repo
			w.Checks.Set("backup", enginetest.Always(hooks.Pass, "fine"))
			w.Checks.Set("works", enginetest.Always(hooks.Pass, "fine"))
			e, _ := w.Start(t)
			run := func(phase hooks.Phase, revision string) hooks.Run {
				t.Helper()
				r, _, err := e.Submit(t.Context(), hooks.Change{Repository: enginetest.URL, Gate: "chat", Cluster: "eu",
					Revision: revision, Phase: phase, Attempt: "1"}, "ns/hook")
				if err != nil {
					t.Fatal(err)
				}
				return enginetest.Wait(t, e, r.ID)
			}
			run(hooks.PostSync, good)
			w.Checks.Set("works", enginetest.Always(hooks.Fail, "pods crash"))
			run(hooks.PostSync, bad)
			w.Checks.Set("backup", enginetest.Always(hooks.Fail, "the database is broken"))
			r := run(hooks.PreSync, head)
			if r.Verdict != tt.want {
				t.Errorf("%s: %s, want %s", r.Verdict, r.Reason, tt.want)
			}
			if proof := len(r.Results) == 2 && r.Results[1].Check == "revert" && strings.Contains(r.Results[1].Reason, good[:12]); proof != (tt.want == hooks.Passed) {
				t.Errorf("results %+v", r.Results)
			}
		})
	}
}

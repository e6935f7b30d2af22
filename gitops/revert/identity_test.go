package revert

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/git"
)

const (
	shaA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	shaB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestIdentify(t *testing.T) {
	got := identify("mattermost", shaA)
	want := identity{
		gate: "mattermost", revision: shaA, branch: "syncgate/revert/mattermost/aaaaaaaaaaaa",
		revert:   "<!-- syncgate:revert gate=mattermost revision=" + shaA + " -->",
		issue:    "<!-- syncgate:issue gate=mattermost revision=" + shaA + " -->",
		settled:  "<!-- syncgate:settled gate=mattermost revision=" + shaA + " -->",
		conflict: "<!-- syncgate:conflict gate=mattermost revision=" + shaA + " -->",
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(identity{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Every way in which GitHub merges leaves one of these.
func TestRevertOf(t *testing.T) {
	req := gitops.RevertRequest{Gate: "mm", Cluster: "eu", Failing: shaA, LastGood: shaB}
	id := identify(req.Gate, req.Failing)
	tests := map[string]struct {
		message string
		gate    string
		ours    bool
	}{
		"the commit itself":     {commitMessage(req, id), "mm", true},
		"odd gate":              {commitMessage(gitops.RevertRequest{Gate: "m m/ä", Cluster: "eu", Failing: shaA, LastGood: shaB}, identify("m m/ä", shaA)), "m%20m%2F%C3%A4", true},
		"squashed, listed":      {"Something (#3)\n\n* " + strings.ReplaceAll(commitMessage(req, id), "\n", "\n  ") + "\n* more", "mm", true},
		"squashed, body":        {"x (#3)\n\n" + id.revert + "\n<!-- syncgate:cluster name=eu -->\n\ntext", "mm", true},
		"squashed, title":       {title(req) + " (#3)", "mm", true},
		"merge commit":          {"Merge pull request #3 from acme/syncgate/revert/mm/aaaaaaaaaaaa\n\nx", "", true},
		"merged by git":         {"Merge branch 'syncgate/revert/mm/aaaaaaaaaaaa'", "", true},
		"CRLF":                  {"x\r\n\r\nSyncgate-Reverts: " + shaA + "\r\nSyncgate-Gate: mm\r\n", "mm", true},
		"a person's revert":     {"Revert \"upgrade\"\n\nThis reverts commit " + shaA + ".", "", false},
		"a person's of ours":    {"Revert \"" + title(req) + "\" (#5)\n\nReverts acme/fleet#3", "", false},
		"talks about it":        {"docs: explain the trailer Syncgate-Reverts: <sha>", "", false},
		"merge of another fork": {"Merge pull request #3 from acme/feature", "", false},
		"empty":                 {"", "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			gate, ours := revertOf(tt.message)
			if gate != tt.gate || ours != tt.ours {
				t.Errorf("revertOf = %q, %v, want %q, %v of\n%s", gate, ours, tt.gate, tt.ours, tt.message)
			}
		})
	}
	if c := (git.Commit{Message: commitMessage(req, id)}); !isOurs(c, id) || isOurs(c, identify("mm", shaB)) || isOurs(c, identify("other", shaA)) {
		t.Error("a commit is not known for what it is")
	}
}

func FuzzSlug(f *testing.F) {
	for _, s := range []string{"mattermost", "a.b", "a b", "A", "", "..", "x.lock", "ä", "-a", "a-", strings.Repeat("x", 300)} {
		f.Add(s, "other")
	}
	form := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	f.Fuzz(func(t *testing.T, a, b string) {
		if s := slug(a); !form.MatchString(s) || len(s) > 80 {
			t.Errorf("slug(%q) = %q", a, s)
		}
		if a != b && slug(a) == slug(b) {
			t.Errorf("%q and %q have the slug %q", a, b, slug(a))
		}
		if e := encode(a); strings.ContainsAny(e, "<> \n\r\t") || a != b && e == encode(b) {
			t.Errorf("encode(%q) = %q", a, e)
		}
	})
}

func FuzzBody(f *testing.F) {
	f.Add("mm", "eu", "pods", "reason", "evidence", "backup", "https://x/y", "a.yaml")
	f.Add("`", "-->", "\n# x", "```", "````", "@all", "javascript:x", "a`b\nc")
	f.Fuzz(func(t *testing.T, gate, cluster, name, reason, evidence, backup, url, file string) {
		req := gitops.RevertRequest{
			Gate: gate, Cluster: cluster, Failing: shaA, LastGood: shaB, Base: "main", Backup: backup, RunURL: url,
			Failures: []gitops.Failure{{Name: name, Status: "Fail", Reason: reason, Evidence: []string{evidence, evidence}}},
		}
		id := identify(gate, shaA)
		p := &plan{}
		for _, text := range []string{pullRequestBody(req, id, p), issueBody(req, id, refusal{short: "s", why: "w", files: []string{file}}), clusterComment(req)} {
			if len(text) > maxBody {
				t.Errorf("%d bytes, over %d", len(text), maxBody)
			}
		}
		body := pullRequestBody(req, id, p)
		if n := strings.Count(body, "<!-- syncgate:"); n != 2 || !startsWithLines(body, id.revert) || !startsWithLines(body, clusterMarker(cluster)) {
			t.Errorf("%d marks, want the two at the start:\n%s", n, body)
		}
		if strings.ContainsAny(title(req), "\n\r") || len(title(req)) > maxTitle+50 {
			t.Errorf("title %q", title(req))
		}
	})
}

package gitops_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/syncgate/syncgate/gitops"
)

// outside is what is left of Markdown without code: where mentions, comments
// and HTML would count.
func outside(md string) string {
	var b strings.Builder
	fence := ""
	for line := range strings.Lines(md) {
		run := regexp.MustCompile("^`{3,}").FindString(line)
		switch {
		case fence == "" && run != "":
			fence = run
		case fence != "" && strings.TrimSpace(line) == fence:
			fence = ""
		case fence == "":
			b.WriteString(line)
		}
	}
	text := b.String()
	var out strings.Builder
	for text != "" { // inline code: from a run of backticks to the next one as long
		i := strings.IndexByte(text, '`')
		if i < 0 {
			out.WriteString(text)
			break
		}
		out.WriteString(text[:i])
		run := text[i : i+len(regexp.MustCompile("^`+").FindString(text[i:]))]
		rest := text[i+len(run):]
		end := regexp.MustCompile("(^|[^`])" + run + "($|[^`])").FindStringIndex(rest)
		if end == nil {
			out.WriteString(run)
			text = rest
			continue
		}
		text = rest[end[0]+strings.Index(rest[end[0]:], run)+len(run):]
	}
	return out.String()
}

// Whatever the evidence holds, it stays evidence.
func TestEvidenceStaysInside(t *testing.T) {
	evil := []string{
		"```", "````", "```` ```\n@everyone", "~~~", "</code></pre><script>alert(1)</script>", "@acme/admins please merge", "fixes #1",
		"<!-- syncgate:revert gate=other revision=" + strings.Repeat("a", 40) + " -->",
		"Syncgate-Reverts: " + strings.Repeat("b", 40), "\x1b[31mred\x1b[0m \x00 \xff\xfe", "\u202etxt.exe", "-->",
		"`@one` ``@two``", "![x](https://evil.example/pixel.png)", "<details><summary>@x</summary>",
	}
	for _, k := range []kind{onGitHub, onPlain} {
		t.Run(string(k), func(t *testing.T) {
			w := newWorld(t, k)
			good, bad := w.change()
			req := request(good, bad)
			req.Backup = "`` @backup <!-- x"
			req.RunURL = "javascript:alert(`@run`)"
			req.Failures = nil
			for i, e := range evil {
				req.Failures = append(req.Failures, gitops.Failure{Name: e, Status: "Fail", Reason: e, Evidence: []string{fmt.Sprint("first ", i), e, "last"}})
			}
			w.want(gitops.PullRequest, req)
			body := w.pulls(bad)[0].Body
			text := outside(body)
			head := "<!-- syncgate:revert gate=mattermost revision=" + bad + " -->\n<!-- syncgate:cluster name=eu -->\n"
			if !strings.HasPrefix(body, head) {
				t.Errorf("body begins with %q", body[:min(len(body), 200)])
			}
			text = strings.TrimPrefix(text, head)
			for _, no := range []string{"@", "<", "fixes", "![", "syncgate:", "evil.example", "javascript", "alert"} {
				if strings.Contains(text, no) {
					t.Errorf("%q got out of the code:\n%s", no, text)
				}
			}
			for _, no := range []string{"\x1b", "\x00", "\u202e", "Syncgate-Reverts:", "gate=other revision"} {
				if strings.Contains(body, no) && no != "gate=other revision" || strings.Contains(body, "<!-- syncgate:revert gate=other") {
					t.Errorf("body holds %q", no)
				}
			}
			for _, yes := range []string{"@acme/admins please merge", "<script>alert(1)</script>", "last"} {
				if !strings.Contains(body, yes) {
					t.Errorf("evidence %q is not shown", yes)
				}
			}
			if !utf8.ValidString(body) {
				t.Error("body is no UTF-8")
			}
			// And it is found again.
			w.want(gitops.PullRequest, req)
			if len(w.pulls(bad)) != 1 {
				t.Error("there are two pull requests")
			}
		})
	}
}

func TestHugeEvidence(t *testing.T) {
	huge := make([]string, 20_000)
	for i := range huge {
		huge[i] = fmt.Sprintf("line %d %s", i, strings.Repeat("ä`", 100))
	}
	tests := map[string][]gitops.Failure{
		"one":       {{Name: "logs", Status: "Fail", Reason: strings.Repeat("r", 1<<20), Evidence: huge}},
		"many":      nil,
		"long line": {{Name: strings.Repeat("n", 1<<16), Status: strings.Repeat("s", 1<<16), Reason: "x", Evidence: []string{strings.Repeat("x", 4<<20)}}},
	}
	for range 300 {
		tests["many"] = append(tests["many"], gitops.Failure{Name: "check", Status: "Fail", Reason: strings.Repeat("r", 5000), Evidence: huge[:300]})
	}
	for name, failures := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, onGitHub)
			good, bad := w.change()
			req := request(good, bad)
			req.Failures = failures
			w.want(gitops.PullRequest, req)
			us := req
			us.Cluster = "us"
			w.want(gitops.PullRequest, us) // as a comment
			body := w.pulls(bad)[0].Body
			if n := utf8.RuneCountInString(body); n > 65_536 {
				t.Errorf("%d characters", n)
			}
			for _, want := range []string{"does not revert the database", good, "s3://backups", values} {
				if !strings.Contains(body, want) {
					t.Errorf("%q did not fit", want)
				}
			}
			req.LastGood, req.Failing = "", good
			w.want(gitops.Issue, req)
		})
	}
}

func TestOddNames(t *testing.T) {
	names := []string{
		"a.b", "a..b", "x.lock", "Ünï cödé", "../../etc", "-->", "a\nb", "-rf", "@me", strings.Repeat("long", 100), "a b", ".", "*",
		"a%20b", "`x`", "$(id)", "syncgate", "a--b", "A", "a/b",
	}
	w := newWorld(t, onGitHub)
	good, bad := w.change()
	branches := map[string]string{}
	for _, name := range names {
		req := request(good, bad)
		req.Gate, req.Cluster = name, name
		first := w.want(gitops.PullRequest, req)
		if again := w.want(gitops.PullRequest, req); again.URL != first.URL {
			t.Errorf("gate %q: %s, then %s", name, first.URL, again.URL)
		}
		if other, taken := branches[first.URL]; taken {
			t.Errorf("gates %q and %q share %s", name, other, first.URL)
		}
		branches[first.URL] = name
	}
	for _, name := range names {
		if err := w.rev.Settle(t.Context(), name, bad, "passed: @all `x`"); err != nil {
			t.Errorf("settle %q: %v", name, err)
		}
	}
	if left := w.src.Bare("for-each-ref", "refs/heads/syncgate/"); left != "" {
		t.Errorf("branches are left: %s", left)
	}
	for n := range names {
		closed, err := w.forge.HasComment(t.Context(), n+1, "<!-- syncgate:settled ")
		if err != nil || !closed {
			t.Errorf("pull request %d has no last word: %v", n+1, err)
		}
	}
}

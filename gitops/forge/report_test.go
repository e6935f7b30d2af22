package forge

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestBoundedSummary(t *testing.T) {
	row := "| clusters/us/values.yaml | ä |\n"
	for _, tt := range []struct {
		name, summary string
		has, hasNot   string
	}{
		{"short", "All **good**.", "All **good**.", "Cut here"},
		{"long", strings.Repeat(row, 5000), "|\n\n**Cut here: the limit is 65535 bytes.**", "| clusters/us/values.yaml | ä\n"},
		{"long without a line", strings.Repeat("ä", 60_000), "Cut here", "\uFFFD"},
		{"in a code block", "```diff\n" + strings.Repeat("- a\n", 30_000) + "```\n", "- a\n```\n\n**Cut here", "```\n```"},
		{"no UTF-8", "a\xffb", "a\uFFFDb", "\xff"},
		{"none", "", "Title", ""},
	} {
		got := Report{Title: "Title", Summary: tt.summary, Status: Completed}.bounded().Summary
		if len(got) > MaxSummary || !utf8.ValidString(got) || !strings.Contains(got, tt.has) || tt.hasNot != "" && strings.Contains(got, tt.hasNot) {
			t.Errorf("%s: %d bytes, ends in %q", tt.name, len(got), got[max(0, len(got)-100):])
		}
	}
}

func TestBoundedAnnotations(t *testing.T) {
	r := Report{Title: strings.Repeat("ä", 200), Status: Completed, Annotations: make([]Annotation, MaxAnnotations+7)}
	for _, summary := range []string{"short", strings.Repeat("long\n", 20_000)} {
		r.Summary = summary
		got := r.bounded()
		if len(got.Annotations) != MaxAnnotations || !strings.Contains(got.Summary, "7 annotations are left out: the limit is 500") ||
			len(got.Summary) > MaxSummary || len(got.Title) > MaxTitle || !utf8.ValidString(got.Title) {
			t.Errorf("%d annotations, summary of %d bytes, title %q", len(got.Annotations), len(got.Summary), got.Title)
		}
	}
	r.Status = InProgress
	if got := r.bounded(); len(got.Annotations) != 0 {
		t.Errorf("%d annotations before the end", len(got.Annotations))
	}
}

func TestAnnotationsAsGitHubTakesThem(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	got := apiAnnotations([]Annotation{
		{Path: "a", Level: LevelFailure, Title: "t"},
		{Path: "a", StartLine: 3, EndLine: 3, StartColumn: 5, EndColumn: 2, Level: LevelWarning, Message: "m"},
		{Path: "a", StartLine: 3, EndLine: 9, StartColumn: 5, EndColumn: 8, Level: LevelNotice, Message: long},
		{Path: "a", StartLine: 9, EndLine: 3, Level: LevelNotice, Message: "m"},
	})
	want := []apiAnnotation{
		{Path: "a", Start: 1, End: 1, Level: LevelFailure, Title: "t", Message: "t"},
		{Path: "a", Start: 3, End: 3, StartColumn: 5, EndColumn: 5, Level: LevelWarning, Message: "m"},
		{Path: "a", Start: 3, End: 9, Level: LevelNotice, Message: long[:maxAnnotationText-3] + "…"},
		{Path: "a", Start: 9, End: 9, Level: LevelNotice, Message: "m"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestExternalIDComesBack(t *testing.T) {
	for _, id := range []string{"", "pull/12"} {
		if got := ExternalID(externalID(Report{ExternalID: id}, digest(nil))); got != id {
			t.Errorf("%q came back as %q", id, got)
		}
	}
}

func TestSameHost(t *testing.T) {
	for _, tt := range []struct {
		api, clone string
		want       bool
	}{
		{"", "https://github.com/acme/fleet", true},
		{"https://ghe.example/api/v3/", "https://GHE.example/acme/fleet.git", true},
		{"https://api.acme.ghe.com/", "https://acme.ghe.com/acme/fleet.git", true},
		{"", "https://mirror.example/acme/fleet", false},
		{"", "http://github.com/acme/fleet", false},
		{"", "git@github.com:acme/fleet", false},
		{"", "ssh://git@github.com/acme/fleet", false},
		{"https://ghe.example/api/v3/", "https://ghe.example:8443/acme/fleet", false},
		{"https://ghe.example/api/v3/", "https://ghe.example.evil.example/acme/fleet", false},
		{"", "/srv/git/fleet.git", false},
	} {
		if got := SameHost(tt.api, tt.clone); got != tt.want {
			t.Errorf("SameHost(%q, %q) = %t", tt.api, tt.clone, got)
		}
	}
}

// Whatever is cut is within its bound and is text.
func FuzzCutMarkdown(f *testing.F) {
	f.Add("```\na\n```\nb\xff", 200)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 100 || limit > 1000 {
			t.Skip()
		}
		for name, got := range map[string]string{"Markdown": cutMarkdown(s, limit), "text": cutText(s, limit)} {
			if len(got) > limit || !utf8.ValidString(got) {
				t.Errorf("%s: %d bytes of %d: %q", name, len(got), limit, got)
			}
		}
	})
}

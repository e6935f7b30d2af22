package revert

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCode(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"plain":             {"a b", "`a b`"},
		"empty":             {"", "` `"},
		"backtick inside":   {"a`b", "``a`b``"},
		"backtick at end":   {"a`", "`` a` ``"},
		"only backticks":    {"```", "```` ``` ````"},
		"newline":           {"a\n\n# b", "`a # b`"},
		"control character": {"a\x1b[1mb", "`a�[1mb`"},
		"not UTF-8":         {"a\xffb", "`a�b`"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := code(tt.in); got != tt.want {
				t.Errorf("code(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestLink(t *testing.T) {
	for in, linked := range map[string]bool{
		"https://s.example/runs/1": true, "http://s.example/r?x=1&y=2#z": true,
		"javascript:alert(1)": false, "https://s.example/ x": false, "https://s.example/>x": false,
		"https://u:p@s.example/": false, "": false, "/runs/1": false, "https://s.example/@x": false,
	} {
		if got := strings.HasPrefix(link(in), "<"); got != linked {
			t.Errorf("link(%q) = %q, want a link: %v", in, link(in), linked)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcdef", 5, "ab…"}, {"ääää", 7, "ää…"}, {"ääää", 6, "ä…"}, {"abc", 0, "…"}, {"", 0, ""},
	} {
		if got := cut(tt.in, tt.n); got != tt.want {
			t.Errorf("cut(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

func FuzzFenced(f *testing.F) {
	for _, s := range []string{"", "```", "a\n````\nb", "\r\n", "<!-- syncgate:revert -->", "Syncgate-Reverts: a", "\xff\x00", "~~~"} {
		f.Add(s)
	}
	fence := regexp.MustCompile("^`{3,}")
	f.Fuzz(func(t *testing.T, s string) {
		out := fenced(s)
		first, rest, _ := strings.Cut(out, "\n")
		ticks := fence.FindString(first)
		inner, ok := strings.CutSuffix(rest, "\n"+ticks+"\n\n")
		if ticks == "" || !ok {
			t.Fatalf("fenced(%q) = %q is no block", s, out)
		}
		if strings.Contains(inner, ticks) {
			t.Errorf("fenced(%q) holds its own fence: %q", s, out)
		}
		if strings.Contains(out, "<!-- syncgate:") || revertsForm.MatchString(out) || gateForm.MatchString(out) {
			t.Errorf("fenced(%q) holds a mark of ours: %q", s, out)
		}
		if _, ours := revertOf("subject\n\n" + out); ours {
			t.Errorf("fenced(%q) in a message is taken for a revert of ours", s)
		}
		if !utf8.ValidString(out) {
			t.Errorf("fenced(%q) is no UTF-8", s)
		}
	})
}

func FuzzCode(f *testing.F) {
	for _, s := range []string{"", "`", "``a`", "a``", "\n`", " ` "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := code(s)
		ticks := out[:len(out)-len(strings.TrimLeft(out, "`"))]
		inner := strings.TrimSuffix(strings.TrimPrefix(out, ticks), ticks)
		if ticks == "" || inner == "" || longestRun(inner) >= len(ticks) || inner[0] == '`' || inner[len(inner)-1] == '`' {
			t.Errorf("code(%q) = %q gets out of the code", s, out)
		}
		if strings.ContainsAny(out, "\n\r") {
			t.Errorf("code(%q) = %q spans lines", s, out)
		}
	})
}

package keypath_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/policies/keypath"
)

func TestMatch(t *testing.T) {
	item := keypath.Item
	tests := []struct {
		glob        string
		path        []string
		want, below bool
	}{
		{"a", []string{"a"}, true, true},
		{"a", []string{"a", "b"}, false, true},
		{"a.b", []string{"a"}, false, false},
		{"a.*", []string{"a", "b"}, true, true},
		{"a.*", []string{"a", keypath.Index(0)}, false, false},
		{"a.**", []string{"a"}, true, true},
		{"a.**", []string{"a", "b", "c"}, true, true},
		{"**.host", []string{"host"}, true, true},
		{"**.host", []string{"a", "b", "host"}, true, true},
		{"**.host", []string{"a", "hosts"}, false, false},
		{"env[name=MM_X].value", []string{"env", item("name", "MM_X"), "value"}, true, true},
		{"env[name=MM_X]", []string{"env", item("name", "MM_X"), "value"}, false, true},
		{"env[name=MM_*].value", []string{"env", item("name", "MM_SITE"), "value"}, true, true},
		{"env[*].value", []string{"env", item("name", "MM_X"), "value"}, true, true},
		{"env[*].value", []string{"env", keypath.Index(7), "value"}, true, true},
		{"env[*]", []string{"env", keypath.Field("a.b")}, false, false},
		{"env[1]", []string{"env", keypath.Index(1)}, true, true},
		{`a["x.y/z"].b`, []string{"a", keypath.Field("x.y/z"), "b"}, true, true},
		{`a.*.b`, []string{"a", keypath.Field("x.y/z"), "b"}, true, true},
		{"pre*fix", []string{"pre-and-fix"}, true, true},
		{"pre*fix", []string{"prefi"}, false, false},
		{"a*a", []string{"a"}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.glob+" "+keypath.Format(tt.path), func(t *testing.T) {
			g, err := keypath.Parse(tt.glob)
			if err != nil {
				t.Fatal(err)
			}
			if got := g.Match(tt.path); got != tt.want {
				t.Errorf("Match: want %v, got %v", tt.want, got)
			}
			if got := g.MatchBelow(tt.path); got != tt.below {
				t.Errorf("MatchBelow: want %v, got %v", tt.below, got)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, glob := range []string{"", ".", "a.", "a..b", ".a", "a[", "a[]", "a[x]", "a[=x]", `a["x]`, `a"b`, "a]", "**.**.**.**.**", strings.Repeat("a", 2000)} {
		if _, err := keypath.Parse(glob); err == nil {
			t.Errorf("%q: want an error", glob)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a.b", "a[name=x].c", `a["b.c"]`, "**.x", "a.*[*]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g, err := keypath.Parse(s)
		if err != nil || strings.Contains(s, "*") {
			return
		}
		// A glob without stars names exactly itself.
		again, err := keypath.Parse(g.String())
		if err != nil || again.String() != s {
			t.Errorf("%q: %v", s, err)
		}
	})
}

// FuzzMatch holds that a path names itself, and that what a glob names it leads
// to from everywhere above.
func FuzzMatch(f *testing.F) {
	f.Add("a.b", "a\x00b")
	f.Add("**.c", "a\x00b.x\x00c")
	f.Add(`x["*"].*b`, "x\x00*\x00ab")
	f.Add("a.**.b*", "a\x00b\x00bc")
	f.Fuzz(func(t *testing.T, text, names string) {
		var path []string
		for name := range strings.SplitSeq(names, "\x00") {
			path = append(path, keypath.Field(name))
		}
		if own, err := keypath.Parse(keypath.Format(path)); err == nil && !own.Match(path) {
			t.Errorf("%q does not name itself", keypath.Format(path))
		}
		g, err := keypath.Parse(text)
		if err != nil || !g.Match(path) {
			return
		}
		if !g.MatchBelow(path) || !g.MatchBelow(append(path[:len(path):len(path)], "below")) {
			t.Errorf("%q names %q, and says it does not", text, path)
		}
		for n := 1; n < len(path); n++ {
			if !g.Leads(path[:n]) {
				t.Errorf("%q names %q, and does not lead there from %q", text, path, path[:n])
			}
		}
	})
}

func TestFields(t *testing.T) {
	tests := []struct {
		glob string
		want []string
		ok   bool
	}{
		{"a", []string{"a"}, true},
		{"a.b-c.d", []string{"a", "b-c", "d"}, true},
		{`a["x.y/z"].b`, []string{"a", "x.y/z", "b"}, true},
		{`["a*"]`, []string{"a*"}, true},
		{`["q\"uote"]`, []string{`q"uote`}, true},
		{`["plain"]`, []string{"plain"}, true},
		{"a.*", nil, false},
		{"a.b*", nil, false},
		{"**", nil, false},
		{"a[0]", nil, false},
		{"a[*]", nil, false},
		{"a[name=x].b", nil, false},
	}
	for _, tt := range tests {
		glob, err := keypath.Parse(tt.glob)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := glob.Fields()
		if ok != tt.ok || ok && !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v, want %q, %v", tt.glob, got, ok, tt.want, tt.ok)
		}
	}
}

func TestLeads(t *testing.T) {
	item := keypath.Item
	tests := []struct {
		glob string
		path []string
		want bool
	}{
		{"a.b.c", []string{"a"}, true},
		{"a.b.c", []string{"a", "b"}, true},
		{"a.b.c", []string{"a", "b", "c"}, false},
		{"a.b.c", []string{"x"}, false},
		{"**.c", []string{"x", "y", "z"}, true},
		{"a.**", []string{"a"}, true},
		{"a.**", []string{"b"}, false},
		{"a.*.c", []string{"a", "b"}, true},
		{"a", []string{"a", "b"}, false},
		{"env[name=A].value", []string{"env", item("name", "A")}, true},
		{"env[name=A].value", []string{"env", item("name", "B")}, false},
	}
	for _, tt := range tests {
		glob, err := keypath.Parse(tt.glob)
		if err != nil {
			t.Fatal(err)
		}
		if got := glob.Leads(tt.path); got != tt.want {
			t.Errorf("%s of %v: %v, want %v", tt.glob, tt.path, got, tt.want)
		}
	}
}

package fix

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/values"
)

// given is a scalar as it is written by itself.
func given(t testing.TB, token string) scalar {
	t.Helper()
	s, err := scalarAt([]byte("v: "+token), finding.Position{Line: 1, Column: 4}, values.Limits{})
	if err != nil {
		t.Fatalf("%q: %v", token, err)
	}
	return s
}

// givenBlock is a map or list as it is written below a key.
func givenBlock(t testing.TB, text string) scalar {
	t.Helper()
	s, _, err := blockAt([]byte("v:\n"+text), finding.Position{Line: 1, Column: 1}, false, values.Limits{})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

func TestEdit(t *testing.T) {
	at := func(line, column int) finding.Position { return finding.Position{Line: line, Column: column} }
	tests := []struct {
		name, in string
		path     string           // insert there, or
		at       finding.Position // replace or
		remove   bool             // remove there
		item     bool             // what is removed is an item
		block    bool             // what is inserted is a map or list
		with     string
		want     string
		problem  string
	}{
		{name: "plain by quoted", in: "a: 1 # x\nb: 2\n", at: at(1, 4), with: `"2"`, want: "a: \"2\" # x\nb: 2\n"},
		{name: "quoted by plain", in: "a:\n  - 'it''s'\n", at: at(2, 5), with: "3", want: "a:\n  - 3\n"},
		{name: "escapes", in: `a: "x\"y" # "z"`, at: at(1, 4), with: "'q'", want: `a: 'q' # "z"`},
		{name: "CRLF", in: "a: 1\r\nb: 2\r\n", at: at(2, 4), with: "3", want: "a: 1\r\nb: 3\r\n"},
		{name: "BOM", in: "\ufeffa: 1\n", at: at(1, 4), with: "3", want: "\ufeffa: 3\n"},
		{name: "runes", in: "é: {ü: 1, b: 2}", at: at(1, 14), with: "3", want: "é: {ü: 1, b: 3}"},
		{name: "empty text", in: `a: ""`, at: at(1, 4), with: "3", want: "a: 3"},
		{name: "nothing", in: "a:\n", at: at(1, 1), with: "3", problem: "does not stand on one line"},
		{name: "does not fit in flow", in: "a: [1, 2]", at: at(1, 5), with: "x, y", problem: "would not fit"},
		{name: "value on the next line", in: "a:\n  1\n", at: at(2, 3), with: "3", want: "a:\n  3\n"},
		{name: "lone CR", in: "a: 1\rb: 2\n", at: at(1, 4), with: "3", problem: "line breaks"},
		{name: "first document", in: "a: 1\n---\nb: 2\n", at: at(1, 4), with: "3", want: "a: 3\n---\nb: 2\n"},
		{name: "later document", in: "a: 1\n---\nb: 2\n--- # x\nc: [1]\nd: 1\n", at: at(5, 5), with: "3", want: "a: 1\n---\nb: 2\n--- # x\nc: [3]\nd: 1\n"},
		{name: "remove from a later document", in: "a: 1\n---\nb: 2\nc: 3\n", at: at(4, 4), remove: true, want: "a: 1\n---\nb: 2\n"},
		{name: "insert into several documents", in: "a: 1\n---\nb: 2\n", path: "c", with: "3", problem: "one YAML document"},
		{name: "folded", in: "a: >\n  x\n", at: at(1, 4), with: "3", problem: "block of lines"},
		{name: "in an anchored map", in: "a: &x {b: 1}\nc: *x\n", at: at(1, 11), with: "3", problem: "anchor"},
		{name: "in a block", in: "a: |\n  b: 1\n", at: at(2, 6), with: "3", problem: "block of lines"},
		{name: "outside", in: "a: 1\n", at: at(9, 9), with: "3", problem: "no value was found"},

		{name: "no last break", in: "a:\n  b: 1", path: "a.c", with: "2", want: "a:\n  b: 1\n  c: 2"},
		{name: "no last break, CRLF", in: "a:\r\n  b: 1", path: "a.c", with: "2", want: "a:\r\n  b: 1\r\n  c: 2"},
		{name: "behind a block", in: "a:\n  b: |\n    x\n\n    y\n\nc: 1\n", path: "a.d", with: "2", want: "a:\n  b: |\n    x\n\n    y\n  d: 2\n\nc: 1\n"},
		{name: "behind a kept block", in: "a:\n  b: |+\n    x\n\nc: 1\n", path: "a.d", with: "2", problem: "would not fit"},
		{name: "behind a flat list", in: "a:\n  b:\n  - 1\n  - 2\nc: 1\n", path: "a.d", with: "2", want: "a:\n  b:\n  - 1\n  - 2\n  d: 2\nc: 1\n"},
		{name: "own indentation", in: "a:\n    b: 1\n", path: "c.d", with: "2", want: "a:\n    b: 1\nc:\n    d: 2\n"},
		{name: "item by key", in: "e:\n- name: A\n- name: B\n  x: 1\n", path: "e[name=A].x", with: "2", want: "e:\n- name: A\n  x: 2\n- name: B\n  x: 1\n"},
		{name: "no such item", in: "e:\n- name: A\n", path: "e[name=B].x", with: "2", problem: "no such item"},
		{name: "strange key", in: "a:\n  b: 1\n", path: `a["x.y/é"]`, with: "2", want: "a:\n  b: 1\n  \"x.y/\\u00e9\": 2\n"},
		{name: "key that some take for a boolean", in: "b: 1\n", path: "on", with: "2", want: "b: 1\n\"on\": 2\n"},
		{name: "comments only", in: "# none yet\n", path: "a.b", with: "2", want: "# none yet\na:\n  b: 2\n"},
		{name: "empty", in: "", path: "a", with: "2", want: "a: 2\n"},
		{name: "null becomes the value", in: "a: null # x\n", path: "a", with: "2", want: "a: 2 # x\n"},
		{name: "key of nothing", in: "a:\nb: 1\n", path: "a", with: "2", problem: "holds nothing"},
		{name: "into a map of an object", in: "k: 1\n---\nspec:\n  values:\n    a: 1\n  x: 2\n", at: at(4, 3), path: "b.c", with: "2", want: "k: 1\n---\nspec:\n  values:\n    a: 1\n    b:\n      c: 2\n  x: 2\n"},
		{name: "into no map of an object", in: "spec:\n  values:\n  x: 2\n", at: at(2, 3), path: "b", with: "2", problem: "no map"},
		{name: "into a block of an object", in: "spec:\n  values: |\n    a: 1\n", at: at(2, 11), path: "b", with: "2", problem: "no map"},
		{name: "merge key", in: "x: &x {y: 1}\na:\n  <<: *x\n", path: "a.c", with: "2", problem: "merge key"},
		{name: "flow", in: "a: {b: 1}\n", path: "a.c", with: "2", problem: "on one line"},
		{name: "empty map", in: "a: {}\n", path: "a.c", with: "2", problem: "on one line"},
		{name: "through a scalar", in: "a: 1\n", path: "a.c", with: "2", problem: "no map"},
		{name: "through an anchor", in: "a: &x\n  b: 1\nc: *x\n", path: "a.c", with: "2", problem: "anchor"},

		{name: "remove", in: "a: 1\nb: 2 # x\n# y\nc: 3\n", at: at(2, 4), remove: true, want: "a: 1\n# y\nc: 3\n"},
		{name: "remove the last of a file", in: "a: 1\n", at: at(1, 4), remove: true, want: ""},
		{name: "remove the last of a map", in: "a:\n  b: 1\n", at: at(2, 6), remove: true, problem: "only entry"},
		{name: "remove the first of an item", in: "a:\n- b: 1\n  c: 2\n", at: at(2, 6), remove: true, problem: "something else"},
		{name: "remove a scalar item", in: "a:\n- 1\n- 2\n", at: at(2, 3), remove: true, item: true, want: "a:\n- 2\n"},
		{name: "remove an item", in: "a:\n  - b: 1\n    c: 2\n    # of it\n  # of the next\n  - b: 2\n", at: at(2, 5), remove: true, item: true, want: "a:\n  # of the next\n  - b: 2\n"},
		{name: "remove the last item", in: "a:\n- b: 1\n- b: 2\n  c: |\n    x\nd: 1\n", at: at(3, 3), remove: true, item: true, want: "a:\n- b: 1\nd: 1\n"},
		{name: "remove the only item", in: "a:\n- b: 1\n", at: at(2, 3), remove: true, item: true, problem: "only entry"},
		{name: "remove a map", in: "a:\n  b:\n    c: 1\n  d: 1\n", at: at(2, 3), remove: true, want: "a:\n  d: 1\n"},
		{name: "remove a map that has an alias", in: "a:\n  b: &x\n    c: 1\n  d: *x\n", at: at(2, 3), remove: true, problem: "would not fit"},

		{name: "a map", in: "a:\n    b: 1\n", path: "c.d", block: true, with: "  x: 1\n  y: {z: 'q'}\n", want: "a:\n    b: 1\nc:\n    d:\n        x: 1\n        y:\n            z: 'q'\n"},
		{name: "a list", in: "b: 1\n", path: "a", block: true, with: "- 1\n- x: 1\n  y: [2, 3]\n", want: "b: 1\na:\n  - 1\n  - x: 1\n    y:\n      - 2\n      - 3\n"},
		{name: "an item", in: "e:\n- name: A\n  x: |\n    q\n\nb: 1\n", path: "e[name=B]", block: true, with: "  name: B\n  v: {w: 1}\n", want: "e:\n- name: A\n  x: |\n    q\n- name: B\n  v:\n    w: 1\n\nb: 1\n"},
		{name: "an item by its place", in: "e:\n  - 1\n", path: "e[1]", with: "2", want: "e:\n  - 1\n  - 2\n"},
		{name: "an item further on", in: "e:\n  - 1\n", path: "e[2]", with: "2", problem: "nor the one before it"},
		{name: "an item of a list on one line", in: "e: [1]\n", path: "e[1]", with: "2", problem: "on one line"},
		{name: "an item of an empty list", in: "e: []\n", path: "e[0]", with: "2", problem: "on one line"},
		{name: "remove from flow", in: "a: {b: 1, c: 2}\n", at: at(1, 8), remove: true, problem: "on one line"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var e edit
			var err error
			switch {
			case tt.path != "":
				glob, parseErr := keypath.Parse(tt.path)
				if parseErr != nil {
					t.Fatal(parseErr)
				}
				segments, _ := glob.Exact()
				with := given
				if tt.block {
					with = givenBlock
				}
				e, err = insertAt([]byte(tt.in), tt.at, segments, with(t, tt.with), values.Limits{})
			case tt.remove:
				e, err = removeAt([]byte(tt.in), tt.at, tt.item, values.Limits{})
			default:
				e, err = replaceAt([]byte(tt.in), tt.at, given(t, tt.with), values.Limits{})
			}
			switch {
			case tt.problem == "" && err != nil:
				t.Fatal(err)
			case tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)):
				t.Fatalf("want a refusal with %q, got %v", tt.problem, err)
			case tt.problem == "":
				if got := string(e.apply([]byte(tt.in))); got != tt.want {
					t.Errorf("want %q, got %q", tt.want, got)
				}
			}
		})
	}
}

// leaves are the scalars of values by their paths, and the empty maps and lists.
func leaves(n *values.Node) map[string]string {
	out := map[string]string{}
	var walk func(n *values.Node, path string)
	walk = func(n *values.Node, path string) {
		switch {
		case n.Kind == values.Map && len(n.Fields) > 0:
			for _, f := range n.Fields {
				walk(f.Value, path+"\x00"+f.Key)
			}
		case n.Kind == values.List && len(n.Items) > 0:
			for i, item := range n.Items {
				walk(item, path+"\x01"+string(rune('0'+i)))
			}
		default:
			out[path] = n.Kind.String() + n.Text + values.FormatNumber(n.Num)
		}
	}
	walk(n, "")
	return out
}

// FuzzEdit: whatever the file, an edit is refused, or the file has other values
// in one place only, as Helm's reader sees it.
func FuzzEdit(f *testing.F) {
	f.Add("a: 1\nb:\n  c: 'x' # y\n", uint16(3), uint16(6), "2", "b.d", uint8(0))
	f.Add("a: |\n  x\nb: [1, {c: 2}]\r\n", uint16(3), uint16(5), `"q"`, "z", uint8(1))
	f.Add("\ufeffa: &x 1\nb: *x\n", uint16(1), uint16(4), "yes", "a.b.c", uint8(2))
	f.Add("e:\n- name: A\n  v: \"\\\"\"\n", uint16(3), uint16(6), "x: y", "e[name=A].w", uint8(0))
	f.Add("? a\n: b\n<<: {c: 1}\n", uint16(2), uint16(3), "!!str 1", "c", uint8(1))
	f.Fuzz(func(t *testing.T, in string, line, column uint16, token, path string, kind uint8) {
		limits := values.Limits{FileSize: 4096, Depth: 20}.WithDefaults()
		before, err := values.Parse([]byte(in), "", limits)
		if err != nil {
			return
		}
		with, err := scalarAt([]byte("v: "+token), finding.Position{Line: 1, Column: 4}, limits)
		if err != nil {
			return
		}
		var e edit
		at := finding.Position{Line: int(line), Column: int(column)}
		switch kind % 3 {
		case 0:
			e, err = replaceAt([]byte(in), at, with, limits)
		case 1:
			e, err = removeAt([]byte(in), at, path == "[0]", limits)
		default:
			glob, parseErr := keypath.Parse(path)
			if parseErr != nil {
				return
			}
			segments, ok := glob.Exact()
			if !ok {
				return
			}
			e, err = insertAt([]byte(in), finding.Position{}, segments, with, limits)
		}
		if err != nil {
			return
		}
		out := e.apply([]byte(in))
		after, err := values.Parse(out, "", limits)
		if err != nil {
			// What is written may be nothing that Helm takes for a value, or two
			// readers may not agree on it; the planner finds that by evaluating.
			var doc yaml.Node
			if yaml.Unmarshal(out, &doc) != nil {
				t.Fatalf("%q became %q, which is no YAML: %v", in, out, err)
			}
			return
		}
		old, renewed := leaves(before), leaves(after)
		changed := 0
		for path, v := range old {
			if now, ok := renewed[path]; !ok || now != v {
				changed++
			}
		}
		for path := range renewed {
			if _, ok := old[path]; !ok {
				changed++
			}
		}
		most := 1
		if len(before.Fields) == 0 || len(after.Fields) == 0 {
			most = 2 // the entry takes the place of "nothing", or leaves it
		}
		if kind%3 == 1 && len(renewed) <= len(old) {
			return // a map or list as a whole may be gone, and items move up
		}
		if changed > most {
			t.Fatalf("%q became %q: %d values are others", in, out, changed)
		}
	})
}

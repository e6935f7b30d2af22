package values

import (
	"strings"
	"testing"
)

func TestDocuments(t *testing.T) {
	docs, err := Documents([]byte("# first\n---\na: 1\n--- # comment\nb:\n  c: 2\n---\n\n---\nd: |\n  ---x\n"), "f.yaml", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range docs {
		for _, f := range d.Fields {
			got = append(got, f.Key+" "+f.Value.Position().String())
		}
	}
	if want := "a f.yaml:3:4, b f.yaml:5:1, d f.yaml:10:4"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
	if _, err := Documents([]byte("a: 1\n---\nb: [\n"), "f.yaml", Limits{}); err == nil || !strings.Contains(err.Error(), "f.yaml:") || strings.Contains(err.Error(), "f.yaml:1:") {
		t.Errorf("a mistake in the second document: %v", err)
	}
	if _, err := Documents([]byte(strings.Repeat("---\na: 1\n", maxDocuments+1)), "f.yaml", Limits{}); err == nil || !strings.Contains(err.Error(), "limit documents=1000 hit") {
		t.Errorf("too many documents: %v", err)
	}
}

// TestBlock holds that the lines of a literal block are those of the file.
func TestBlock(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"literal", "x:\n  v: |\n    a: 1\n    b: 2\n", "f.yaml:4:8"},
		{"stripped", "x:\n  v: |-\n    a: 1\n    b: 2\n", "f.yaml:4:8"},
		{"blank lines", "x:\n  v: |\n\n    a: 1\n\n    b: 2\n", "f.yaml:6:8"},
		{"indented on purpose", "x:\n  v: |2\n      a: 1\n      b: 2\n", "f.yaml:4:10"},
		{"comment after the bar", "x:\n  v: | # why\n    a: 1\n    b: 2\n", "f.yaml:4:8"},
		{"quoted", "x:\n  v: \"a: 1\\nb: 2\\n\"\n", "f.yaml:2:6"},
		{"folded", "x:\n  v: >\n    a: 1\n\n    b: 2\n", "f.yaml:2:6"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := Parse([]byte(tt.file), "f.yaml", Limits{})
			if err != nil {
				t.Fatal(err)
			}
			v := doc.Get("x").Get("v")
			n, err := ParsePart([]byte(v.Text), Block(v, []byte(tt.file)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got := n.Get("b").Position().String(); got != tt.want {
				t.Errorf("b stands at %s, want %s", got, tt.want)
			}
		})
	}
}

// FuzzDocuments holds that the places of documents lie in the file, and that
// one document alone is what Parse makes of it.
func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{"a: 1\n---\nb: 2\n", "---\n", "--- {a: 1}\n--- [x]\n", "a: |\n  x\n---x\n", "\xef\xbb\xbfa: 1\n", "...\n---\na: &x 1\nb: *x\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := Limits{FileSize: 1 << 14}
		docs, err := Documents(data, "f.yaml", limits)
		if err != nil {
			return
		}
		lines := strings.Count(string(data), "\n") + 1
		var visit func(n *Node)
		visit = func(n *Node) {
			if int(n.Line) > lines {
				t.Fatalf("line %d of %d", n.Line, lines)
			}
			for _, f := range n.Fields {
				visit(f.Value)
			}
			for _, item := range n.Items {
				visit(item)
			}
			if n.Kind == String {
				Block(n, data)
			}
		}
		for _, d := range docs {
			visit(d)
		}
	})
}

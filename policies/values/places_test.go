package values

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzPlaces holds every leaf against the text that stands at its place: read by
// Helm's reader alone, it is the leaf's value. And the two readers give the same
// places. What stands on several lines, or is named elsewhere in the file (anchors
// and tags), is left to the second.
func FuzzPlaces(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := Limits{}.WithDefaults()
		slow, err := parseSlow(data, "f.yaml", limits)
		if err != nil {
			return
		}
		if quick, ok := readQuick(string(data), "f.yaml", limits); ok {
			for _, n := range append(scalars(slow, nil), scalars(quick, nil)...) {
				if n.Kind == Null { // mostly nothing stands there, and any place near is right
					n.Line, n.Column = 1, 1
				}
			}
			if diff := cmp.Diff(slow, quick, cmp.AllowUnexported(Node{}), cmp.Comparer(sameBits)); diff != "" {
				t.Fatalf("%q (-full reader +quick reader):\n%s", data, diff)
			}
		}
		if len(data) > 1<<10 || strings.ContainsAny(string(data), "&*!\r\t%") || !printableASCII(data) {
			return
		}
		lines := strings.Split(string(data), "\n")
		for _, n := range scalars(slow, nil) {
			holdsPlace(t, lines, n)
		}
	})
}

// holdsPlace looks for the value in what stands from its place to the line's end.
func holdsPlace(t *testing.T, lines []string, n *Node) {
	t.Helper()
	if n.Line == 0 || int(n.Line) > len(lines) || n.Column == 0 || int(n.Column) > len(lines[n.Line-1])+1 {
		t.Fatalf("%v stands at %d:%d, which is outside of %q", n.Native(), n.Line, n.Column, lines)
	}
	rest := lines[n.Line-1][n.Column-1:]
	if n.Kind == Null || rest == "" || strings.ContainsAny(rest[:1], "|>?") || strings.Contains(n.Text, "\n") {
		return // an empty place, or a block
	}
	for end := len(rest); end > 0; end-- {
		if end < len(rest) && !strings.ContainsAny(rest[end:end+1], " ,]}:#") {
			continue // no value ends there
		}
		got, ok := helmReads([]byte("k: " + rest[:end] + "\n"))
		if ok && cmp.Equal(got["k"], n.Native(), cmp.Comparer(sameBits)) {
			return
		}
	}
	// Quoted and plain texts may go on in the next line.
	if n.Kind == String && continues(rest, n.Text) {
		return
	}
	t.Fatalf("%#v stands at %d:%d, where there is %q, in %q", n.Native(), n.Line, n.Column, rest, lines)
}

// continues reports whether a text begins as the line does, up to the line's end.
func continues(rest, text string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(strings.TrimLeft(rest, `"'`)), " ")
	return strings.Contains(rest, `\`) || strings.HasPrefix(strings.TrimSpace(text), strings.ReplaceAll(word, "''", "'")) || word == ""
}

// scalars are the leaves of n that stand in maps and lists.
func scalars(n *Node, all []*Node) []*Node {
	for _, f := range n.Fields {
		all = scalars(f.Value, all)
	}
	for _, item := range n.Items {
		all = scalars(item, all)
	}
	if n.Kind != Map && n.Kind != List {
		all = append(all, n)
	}
	return all
}

func printableASCII(data []byte) bool {
	for _, c := range data {
		if c != '\n' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}

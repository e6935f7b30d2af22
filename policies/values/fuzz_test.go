package values

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	helmyaml "sigs.k8s.io/yaml"
)

// seeds are values files that reach into every corner of the readers.
var seeds = []string{
	"", "---\n", "# only a comment\n", "a: 1\nb: two\nc: yes\nd: 0777\ne: 1_000\nf: 2001-01-01\n",
	"image:\n  repository: r/x\n  tag: \"11.6.1@sha256:ab\"\n", "env:\n- name: A\n  value: 'it''s'\n- name: B\n",
	"env:\n  - name: A\n    value: b # c\n  -\n    name: C\n  - - 1\n    - 2\n", "text: |\n  one\n   two\n\n  three\n\nnext: 1\n",
	"text: >-\n  one\n  two\n\n\nb: >\n  # no comment\n  x: y\nc:\n- >\n  z\n", "text: |-\n  one\n# comment\nnext: {a: 1, b: 'x'}\nl: [a, 1, yes]\n", "e: {}\nf: []\ng:\nh: ~\n",
	"base: &b {x: 1, y: 2}\nc:\n  x: 0\n  <<: *b\n  y: 3\n", "<<: [{a: 1}, {a: 2, b: 3}]\na: 4\n", "a: >\n  folded\n  text\n\n",
	"a: \"\\u0041\\n\\t\\\"\"\n", "a: 0b-101\nb: 0x1F\nc: .5\nd: 1e3\ne: +1\nf: -0\ng: -0.0\nh: 0o17\n", "y: n\n1: one\n1.5: x\ntrue: t\n",
	"a: 18446744073709551615\nb: 9223372036854775808\nc: 1e400\nd: 123456789012345678901234567890\n",
	"a: !!str 1\nb: !!int \"1\"\nc: !!binary aGk=\nd: !x y\n", "a: multi\n  line\nb: 'multi\n  line'\n", "? a\n: b\n",
	"a:\tb\n", "\ufeffa: b\n", "a: b\r\nc: d\r\n", "a: x\u2028y\n", "a: {b: c,d: e}\nf: [a,b]\n", "a: 1\na: 2\n", "- a\n", "a: 'é'\nb: 日本\n",
	"a: [1, 2\n", "a: &x [*x]\n", "a: .inf\nb: .nan\n", "null: 1\n", "a: b: c\n", "a: - b\n", "a: --- \nb: ...\n", "%YAML 1.1\n---\na: b\n",
	"a: \"b\" # c\nd: 'e'#f\n", "a: |2\n   x\n", "a: 60:30\nb: 1:2\n", "key with space: v\n'q k': v\n\"k\": v\n",
}

// helmReads is what Helm makes of data, false when it refuses it.
func helmReads(data []byte) (map[string]any, bool) {
	var m map[string]any
	if err := helmyaml.Unmarshal(data, &m); err != nil {
		return nil, false
	}
	if m == nil {
		m = map[string]any{}
	}
	return m, true
}

// FuzzParse holds Parse against Helm's own reader, and the quick reader alone:
// whatever they accept, Helm accepts and reads as the same.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := Limits{}.WithDefaults()
		agree := func(reader string, n *Node) {
			want, ok := helmReads(data)
			if !ok {
				t.Fatalf("%s reads what Helm refuses: %q", reader, data)
			}
			if diff := cmp.Diff(want, n.Native(), cmp.Comparer(sameBits)); diff != "" {
				t.Fatalf("%s and Helm differ on %q (-helm +ours):\n%s", reader, data, diff)
			}
			within(t, n, data)
		}
		if n, ok := readQuick(string(data), "f.yaml", limits); ok {
			agree("the quick reader", n)
		}
		n, err := parseSlow(data, "f.yaml", limits)
		if err == nil {
			agree("the full reader", n)
			return
		}
		if !strings.HasPrefix(err.Error(), "f.yaml") {
			t.Fatalf("error without place: %v", err)
		}
	})
}

func sameBits(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// within checks that every position lies in the file.
func within(t *testing.T, n *Node, data []byte) {
	t.Helper()
	lines := uint32(strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 2)
	if n.Line > lines {
		t.Fatalf("line %d of a file of %d lines: %q", n.Line, lines, data)
	}
	for _, f := range n.Fields {
		within(t, f.Value, data)
	}
	for _, item := range n.Items {
		within(t, item, data)
	}
}

// FuzzPlain holds the resolution of plain scalars against Helm's.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"0b-101", "0x_1", "1__0", "+.5", "-.inf", "1e", "0o8", "08", "-0b1", "2001-1-1", "2001-1-1 1:2:3", "1_000.5", "._5", "on", "~", "0b", "0x", "-", "+", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		end, ok := 0, s != ""
		if ok {
			end, ok = plainEnd(s)
		}
		if !ok || end != len(s) || !printable(s) {
			t.Skip()
		}
		r := resolvePlain(s)
		want, ok := helmReads([]byte("k: " + s + "\n"))
		if r.num-r.num != 0 {
			if ok {
				t.Fatalf("%q: Helm reads it as %v, we refuse it", s, want["k"])
			}
			return
		}
		n := &Node{Kind: r.kind, Num: r.num, Text: r.text}
		if diff := cmp.Diff(want["k"], n.Native(), cmp.Comparer(sameBits)); !ok || diff != "" {
			t.Fatalf("%q (-helm +ours, Helm reads it: %v):\n%s", s, ok, diff)
		}
	})
}

func TestQuickReadsTheCommonForms(t *testing.T) {
	for _, s := range seeds[3:11] {
		if _, ok := readQuick(s, "f.yaml", Limits{}.WithDefaults()); !ok {
			t.Errorf("the quick reader leaves %q to the slow one", s)
		}
	}
}

func TestQuickAndSlowGiveTheSamePlaces(t *testing.T) {
	for _, s := range seeds {
		quick, ok := readQuick(s, "f.yaml", Limits{}.WithDefaults())
		if !ok {
			continue
		}
		slow, err := parseSlow([]byte(s), "f.yaml", Limits{}.WithDefaults())
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if diff := cmp.Diff(slow, quick, cmp.AllowUnexported(Node{})); diff != "" {
			t.Errorf("%q (-slow +quick):\n%s", s, diff)
		}
	}
}

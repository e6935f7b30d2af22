package fix_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/aymanbagabas/go-udiff"

	"github.com/syncgate/syncgate/policies/fix"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/values"
)

// fleet writes random values files, each in a hand of its own.
type fleet struct {
	*rand.Rand
	clusters int
}

// leaf is one value of a fleet, in the notations that mean the same.
type leaf struct {
	path   []string
	values [][]string
}

func (f *fleet) leaves() []leaf {
	var all []leaf
	kinds := [][][]string{
		{{"1", "1", "1"}, {"2"}, {"3.5"}},
		{{"true"}, {"false"}},
		{{`"1.2"`, `'1.2'`}, {`"1.3"`, `'1.3'`}, {"v1.4", `"v1.4"`, `'v1.4'`}},
		{{"it's", `'it''s'`, `"it's"`}, {`"a, b: c # d"`, `'a, b: c # d'`}, {`"é\n"`}},
		{{`""`, `''`}, {"x"}, {"yes", "on"}, {"null", "~"}},
	}
	for _, a := range []string{"a", "b", "c d", "é"} {
		for _, b := range []string{"x", "y", "z"}[:1+f.IntN(3)] {
			path := []string{a, b}
			if f.IntN(3) == 0 {
				path = append(path, "deep")
			}
			all = append(all, leaf{path, kinds[f.IntN(len(kinds))]})
		}
	}
	all = append(all, leaf{[]string{"top"}, kinds[f.IntN(2)]}, leaf{[]string{"last"}, kinds[2]})
	return all
}

// write writes the values that a cluster has; -1 is none.
func (f *fleet) write(all []leaf, have []int) string {
	indent, nl := 2+2*f.IntN(2), []string{"\n", "\r\n"}[f.IntN(2)]
	var b strings.Builder
	if f.IntN(5) == 0 {
		b.WriteString("\ufeff")
	}
	line := func(depth int, text string) {
		if f.IntN(6) == 0 {
			b.WriteString(strings.Repeat(" ", depth*indent) + "# " + []string{"why", "é: 1", "x #"}[f.IntN(3)] + nl)
		}
		b.WriteString(strings.Repeat(" ", depth*indent) + text)
		if f.IntN(6) == 0 {
			b.WriteString("   # so")
		}
		b.WriteString(nl)
		if f.IntN(8) == 0 {
			b.WriteString(nl)
		}
	}
	var open []string
	for i, l := range all {
		if have[i] < 0 {
			continue
		}
		for depth, name := range l.path[:len(l.path)-1] {
			if depth < len(open) && open[depth] == name {
				continue
			}
			open = append(open[:min(depth, len(open)):min(depth, len(open))], name)
			line(depth, name+":")
		}
		open = open[:min(len(open), len(l.path)-1)]
		notations := l.values[have[i]]
		line(len(l.path)-1, l.path[len(l.path)-1]+": "+notations[f.IntN(len(notations))])
	}
	out := b.String()
	if f.IntN(3) == 0 {
		out = strings.TrimSuffix(out, nl)
	}
	return out
}

// tree is a fleet most of whose clusters agree.
func (f *fleet) tree() fstest.MapFS {
	all := f.leaves()
	right := make([]int, len(all))
	for i, l := range all {
		right[i] = f.IntN(len(l.values)+1) - 1
	}
	tree := fstest.MapFS{}
	gate := "apiVersion: syncgate.dev/v1alpha1\nkind: Gate\nmetadata: {name: g}\nspec:\n"
	if f.IntN(2) == 0 {
		gate += "  reference: c0\n"
	}
	gate += "  clusters:\n"
	for c := range f.clusters {
		have := append([]int(nil), right...)
		for i, l := range all {
			if f.IntN(4*f.clusters) < 3 {
				have[i] = f.IntN(len(l.values)+1) - 1
			}
		}
		gate += fmt.Sprintf("    - {name: c%d, values: [base.yaml, c%d.yaml]}\n", c, c)
		tree[fmt.Sprintf("c%d.yaml", c)] = &fstest.MapFile{Data: []byte(f.write(all, have))}
	}
	base := make([]int, len(all))
	for i, l := range all {
		base[i] = f.IntN(2*len(l.values)+1) - 1 - len(l.values)
	}
	tree["base.yaml"] = &fstest.MapFile{Data: []byte(f.write(all, base))}
	tree["syncgate.yaml"] = &fstest.MapFile{Data: []byte(gate)}
	return tree
}

// TestFixHolds: whatever the fleet, what has a diff is gone after it, nothing
// else has come, a second fix is empty, and lines that need not change have not.
func TestFixHolds(t *testing.T) {
	diffs, findings := 0, 0
	for seed := range uint64(150) {
		f := &fleet{rand.New(rand.NewPCG(seed, 7)), 3 + int(seed%4)}
		tree := f.tree()
		g, p := plan(t, tree)
		after := changed(tree, p)
		again, second := plan(t, after)
		left := map[string]bool{}
		for _, x := range again.Findings {
			left[x.Rule+" "+x.Path] = true
		}
		edits := 0
		for i, a := range p.Answers[0] {
			x := g.Findings[i]
			findings++
			if (a.Diff == "") == (a.Reason == "") && x.Rule == rules.Identical {
				t.Errorf("seed %d: %s: diff %q, reason %q", seed, x.Path, a.Diff, a.Reason)
			}
			if a.Diff != "" {
				diffs++
				for _, h := range x.Holdings[1:] {
					// A map that goes takes its entries along.
					edits += len(h.Places) * (1 + 4*strings.Count(h.Value, "{")*strings.Count(h.Value, ":"))
				}
				if left[x.Rule+" "+x.Path] {
					t.Errorf("seed %d: %s is still there", seed, x.Path)
				}
			}
			delete(left, x.Rule+" "+x.Path)
		}
		for path := range left {
			t.Errorf("seed %d: %s has come", seed, path)
		}
		if len(second.Changes) > 0 && !p.Again {
			t.Errorf("seed %d: a second fix changes %s:\n%s", seed, second.Changes[0].File, second.Changes[0].Diff)
		}
		whole := fix.Plan{Changes: slices.Clone(p.Changes)}
		for step := 0; len(second.Changes) > 0; step++ {
			after = changed(after, second)
			if err := whole.Then(second, values.Limits{}); err != nil {
				t.Fatal(err)
			}
			if _, second = plan(t, after); step == 3 {
				t.Errorf("seed %d: there is always something to be fixed", seed)
				break
			}
		}
		for name, f := range changed(tree, whole) {
			if !bytes.Equal(f.Data, after[name].Data) {
				t.Errorf("seed %d: steps together make another %s", seed, name)
			}
		}
		for _, c := range p.Changes {
			edits -= checkLines(t, seed, string(c.Before), string(c.After))
		}
		if edits < 0 {
			t.Errorf("seed %d: %d lines more than need to are others", seed, -edits)
		}
	}
	t.Logf("%d of %d findings have a diff", diffs, findings)
	if diffs < findings/2 || findings < 200 {
		t.Errorf("only %d of %d findings have a diff", diffs, findings)
	}
}

// checkLines counts the lines of a file that are gone or others, and sees that
// the breaks of all are as they were.
func checkLines(t *testing.T, seed uint64, before, after string) int {
	t.Helper()
	crlf := strings.Count(before, "\r\n") > 0
	if crlf != (strings.Count(after, "\r\n") > 0) && after != "" || crlf && strings.Count(after, "\n") != strings.Count(after, "\r\n") {
		t.Errorf("seed %d: line breaks became others: %q", seed, after)
	}
	if strings.HasPrefix(before, "\ufeff") != strings.HasPrefix(after, "\ufeff") {
		t.Errorf("seed %d: the byte order mark is gone or has come", seed)
	}
	gone := 0
	for _, e := range udiff.Lines(before, after) {
		lines := strings.Count(before[e.Start:e.End], "\n")
		if e.End == len(before) && !strings.HasSuffix(before, "\n") && e.End > e.Start {
			lines++
		}
		if strings.HasPrefix(e.New, before[e.Start:e.End]) {
			lines = 0 // a last line without a break got one, for the next
		}
		gone += lines
	}
	return gone
}

package rules

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/values"
)

// maxValue is how many characters of a value are shown.
const maxValue = 120

// maxNamed is how many clusters a message names.
const maxNamed = 5

// shown is a group as a finding shows it.
type shown struct {
	value   string
	missing bool
	unknown bool // it cannot be read in Git
	right   bool // the reference cluster's
	inexact bool // value says more than the value
	cells   []cell
	places  []finding.Place
}

// show writes a group at a path.
func (c *comparer) show(path uint32, g group) shown {
	s := shown{cells: g.cells, missing: g.value == noValue, unknown: c.isUnknown(g.value)}
	if ref := c.opts.Reference; ref > 0 {
		s.right = slices.ContainsFunc(g.cells, func(at cell) bool { return int(at.cluster) == ref-1 })
	}
	if !s.missing {
		// The first by name, so that the order of clusters means nothing.
		one := slices.MinFunc(g.cells, func(a, b cell) int {
			return strings.Compare(c.opts.Clusters[a.cluster], c.opts.Clusters[b.cluster])
		})
		s.value = shorten(c.text(path, one, maxValue))
	}
	for _, cell := range g.cells {
		s.places = append(s.places, finding.Place{Cluster: c.opts.Clusters[cell.cluster], Position: c.placeOr(path, cell.cluster)})
	}
	return s
}

// placeOr is the place of a value, or the file it would be written to.
func (c *comparer) placeOr(path, cluster uint32) finding.Position {
	if p := c.place(path, cluster); p.File != "" {
		return p
	}
	return finding.Position{File: c.opts.Files[cluster]}
}

// sortShown puts the reference's group first, then the largest; among equals
// the text decides, so that the order of clusters means nothing.
func sortShown(groups []shown) {
	names := func(s shown) []string {
		out := make([]string, len(s.places))
		for i, p := range s.places {
			out[i] = p.Cluster
		}
		slices.Sort(out)
		return out
	}
	slices.SortStableFunc(groups, func(a, b shown) int {
		switch {
		case a.right != b.right:
			if a.right {
				return -1
			}
			return 1
		case len(a.cells) != len(b.cells):
			return len(b.cells) - len(a.cells)
		case a.missing != b.missing:
			if a.missing {
				return 1
			}
			return -1
		case a.value != b.value:
			return strings.Compare(a.value, b.value)
		default:
			return slices.Compare(names(a), names(b))
		}
	})
}

// text writes a cluster's value at a path as JSON, without secrets, and stops
// soon after most characters.
func (c *comparer) text(path uint32, at cell, most int) string {
	value := c.row(at).value
	switch {
	case value == emptyMap:
		return "{}"
	case value == emptyList:
		return "[]"
	case value == mapValue:
		return c.collection(path, at, most, "{", "}", true)
	case value == listValue, c.isPlainList(value):
		return c.collection(path, at, most, "[", "]", false)
	case value == setScalar:
		return "…" // may differ: what it is was not kept
	default:
		return c.shortText(value)
	}
}

func (c *comparer) collection(path uint32, at cell, most int, open, closing string, named bool) string {
	var b strings.Builder
	b.WriteString(open)
	first := true
	for _, child := range c.children[path] {
		column := c.column(child)
		i, ok := slices.BinarySearchFunc(column, at.cluster, func(x cell, want uint32) int { return int(x.cluster) - int(want) })
		if !ok {
			continue
		}
		if !first {
			b.WriteString(",")
		}
		first = false
		if b.Len() > most {
			b.WriteString("…")
			break
		}
		if named {
			b.WriteString(quote(c.nodes[child].segment) + ":")
		}
		b.WriteString(c.text(child, column[i], most-b.Len()))
	}
	return b.String() + closing
}

// shortText is a scalar as JSON.
func (c *comparer) shortText(value uint32) string {
	if value < firstFree {
		return ""
	}
	d := c.datums[value]
	switch {
	case d.hidden:
		return redacted
	case d.unknown:
		return d.text
	case d.text != "" && (d.kind != values.String || d.num != 0):
		return d.text // as it is written
	case d.kind == values.Null:
		return "null"
	case d.kind == values.Bool:
		if d.num != 0 {
			return "true"
		}
		return "false"
	case d.kind == values.Number:
		return numberText(d.text, math.Float64frombits(d.num))
	case d.kind == values.List:
		return fmt.Sprintf("[%d items]", d.num)
	default:
		return quote(d.text)
	}
}

// isUnknown reports whether a value cannot be read in Git.
func (t *table) isUnknown(value uint32) bool { return value >= firstFree && t.datums[value].unknown }

func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func shorten(s string) string {
	if len(s) <= maxValue {
		return s
	}
	cut := maxValue
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}

// names lists clusters, sorted, not all when there are many.
func names(places []finding.Place) string {
	list := make([]string, len(places))
	for i, p := range places {
		list[i] = p.Cluster
	}
	slices.Sort(list)
	if len(list) > maxNamed {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:maxNamed], ", "), len(list)-maxNamed)
	}
	return strings.Join(list, ", ")
}

func (s shown) words() string {
	if s.missing {
		return "not set"
	}
	return s.value
}

// differ makes the finding of groups that should be one.
func (c *comparer) differ(path uint32, groups []shown) finding.Finding {
	f := c.finding(Identical, path)
	clusters := 0
	for _, g := range groups {
		clusters += len(g.places)
		f.Holdings = append(f.Holdings, finding.Holding{Value: g.value, Missing: g.missing, Right: g.right, Places: g.places})
	}
	parts := make([]string, 0, len(groups))
	for i, g := range groups {
		if i == maxNamed {
			parts = append(parts, fmt.Sprintf("%d more values", len(groups)-i))
			break
		}
		parts = append(parts, g.words()+" in "+names(g.places))
	}
	majority := groups[0].right || len(groups[0].cells) > len(groups[1].cells)
	f.Message = fmt.Sprintf("expected the same value in all %d clusters, found ", clusters)
	switch {
	case groups[0].right:
		f.Message = fmt.Sprintf("expected the value of the reference cluster %s in all %d clusters, found ", c.opts.Clusters[c.opts.Reference-1], clusters)
		f.Message += parts[0] + ", but " + strings.Join(parts[1:], "; ")
	case majority:
		f.Message += parts[0] + ", but " + strings.Join(parts[1:], "; ")
	default:
		f.Message += "no majority: " + strings.Join(parts, "; ")
	}
	f.Fix = c.fix(path, f.Path, groups, majority)
	return f
}

// fix says in words how the groups become one.
func (c *comparer) fix(path uint32, text string, groups []shown, majority bool) string {
	var fix string
	odd := groups[len(groups)-1]
	if len(groups) > 1 {
		odd = groups[1]
	}
	where := names(odd.places)
	if len(odd.places) == 1 {
		where += " (" + odd.places[0].Position.String() + ")"
	}
	switch {
	case groups[0].inexact, odd.inexact:
		fix = "set it in the same way in every cluster, in a file or by a parameter"
	case !majority:
		fix = "decide which is right and write it in every cluster"
	case groups[0].missing:
		fix = fmt.Sprintf("remove %s from %s", text, where)
	case groups[0].unknown, strings.Contains(groups[0].value, redacted), strings.Contains(groups[0].value, "…"):
		fix = fmt.Sprintf("give %s the value of the other clusters", where)
	case odd.missing:
		fix = fmt.Sprintf("set it to %s in %s", groups[0].value, where)
	default:
		fix = fmt.Sprintf("set %s to %s", where, groups[0].value)
	}
	if len(groups) > 2 && majority {
		fix += ", likewise the others that differ"
	}
	fix += fmt.Sprintf("; or, if it may differ, add %s to spec.perCluster in %s", text, c.opts.GateFile)
	segments := segmentsOf(c.nodes, path)
	for _, g := range c.opts.PerCluster {
		if !strings.HasSuffix(g.String(), "**") && g.MatchBelow(segments) {
			fix += fmt.Sprintf(" (its entry %s covers that path alone, %s.** would cover what is below)", g, g)
			break
		}
	}
	return fix
}

func (c *comparer) finding(rule string, path uint32) finding.Finding {
	return finding.Finding{Gate: c.opts.Gate, GateFile: c.opts.GateFile, Rule: rule, Path: keypath.Format(segmentsOf(c.nodes, path))}
}

// collector gathers findings up to the bounds.
type collector struct {
	opts   Options
	list   []finding.Finding
	places int
	more   int // that did not fit
}

func (o *collector) full() bool { return len(o.list) >= maxFindings || o.places >= maxPlaces }

func (o *collector) add(f finding.Finding) {
	if o.full() {
		o.more++
		return
	}
	f.Gate, f.GateFile = o.opts.Gate, o.opts.GateFile
	for _, h := range f.Holdings {
		o.places += len(h.Places)
	}
	o.list = append(o.list, f)
}

// findings are all, and one that counts those that did not fit.
func (o *collector) findings() []finding.Finding {
	if o.more > 0 {
		o.list = append(o.list, finding.Finding{
			Gate: o.opts.Gate, GateFile: o.opts.GateFile, Rule: Limits,
			Message: fmt.Sprintf("limit findings=%d or places=%d hit: at least %d more findings are not shown", maxFindings, maxPlaces, o.more),
			Fix:     "correct those that are shown and validate again",
		})
	}
	return o.list
}

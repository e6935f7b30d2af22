package report

import (
	"io"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
)

// Bounds of the table. A finding that is cut is whole in the other formats.
const (
	minColumns  = 60
	maxColumns  = 100
	maxFindings = 200 // of one Gate
	maxProblems = 50  // of one Gate
)

// writeTable writes for a person: no line is wider than the style's columns,
// and nothing in a value can steer the terminal.
func writeTable(w io.Writer, r Report) error {
	columns := r.Style.Width
	if columns == 0 {
		columns = maxColumns
	}
	t := table{w: new(strings.Builder), columns: min(max(columns, minColumns), maxColumns), color: r.Style.Color, diffs: r.Style.Diffs}
	t.problems("", r.Problems)
	for _, g := range r.Gates {
		t.gate(g)
	}
	t.paint(bold, summary(r))
	t.line("")
	_, err := io.WriteString(w, t.w.String())
	return err
}

// ANSI escapes.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	faint  = "2"
)

// table writes lines.
type table struct {
	w       *strings.Builder
	columns int
	color   bool
	diffs   bool
}

func (t table) line(s string) {
	t.w.WriteString(s)
	t.w.WriteByte('\n')
}

// paint writes s, in color where the style has any.
func (t table) paint(code, s string) {
	if t.color {
		s = "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	t.w.WriteString(s)
}

// text writes s wrapped, each line behind as many spaces as indent says.
func (t table) text(indent int, s string) {
	for _, line := range wrap(s, t.columns-indent) {
		t.line(strings.Repeat(" ", indent) + line)
	}
}

func (t table) gate(g Gate) {
	mark, code, what := "✓", green, "holds"
	switch g.Verdict() {
	case Unknown:
		mark, code, what = "?", yellow, "could not tell"
		if n := len(g.Findings); n > 0 {
			what += ", " + count(n, "finding")
		}
	case Finds:
		mark, code, what = "✗", red, count(len(g.Findings), "finding")
	case Holds:
	}
	title := what
	if g.Clusters > 0 {
		title += ", " + count(g.Clusters, "cluster")
	}
	name := shorten(clean(gateName(g)), t.columns/2)
	t.paint(code, mark+" "+name)
	if g.Name != "" {
		room := t.columns - cells(name) - cells(title) - 6
		if file := clean(g.File); cells(file) <= room {
			title += "  " + file
		}
	}
	t.line("  " + title)
	t.problems("  ", g.Problems)
	for i, f := range g.Findings {
		if i == maxFindings {
			t.text(2, "and "+count(len(g.Findings)-i, "more finding")+": -o json has them all")
			break
		}
		t.finding(f)
	}
	if lines := aside(g); len(lines) > 0 {
		if len(g.Findings) > 0 {
			t.line("")
		}
		for i, line := range lines {
			if i == maxProblems {
				t.text(2, "and "+count(len(lines)-i, "more line")+": -o json has them all")
				break
			}
			t.text(2, line)
		}
	}
	t.line("")
}

func (t table) problems(indent string, problems []Problem) {
	for i, p := range problems {
		if i == maxProblems {
			t.text(len(indent), "and "+count(len(problems)-i, "more problem")+": -o json has them all")
			break
		}
		for j, line := range problemLines(p) {
			in := len(indent)
			if j > 0 {
				in += 2
			}
			t.verbatim(in, line)
		}
	}
	if len(problems) > 0 && indent == "" {
		t.line("")
	}
}

// verbatim is text, but keeps the spaces of a line that fits: they may align
// a mark with the source above it. What does not fit goes on further in.
func (t table) verbatim(indent int, s string) {
	if cells(s) <= t.columns-indent {
		t.line(strings.Repeat(" ", indent) + s)
		return
	}
	for i, line := range wrap(s, t.columns-indent-4) {
		in := indent
		if i > 0 {
			in += 4
		}
		t.line(strings.Repeat(" ", in) + line)
	}
}

func (t table) finding(f finding.Finding) {
	t.line("")
	for i, line := range wrap(clean(subject(f)), t.columns-2) {
		if i > 0 {
			t.line("")
		}
		t.w.WriteString("  ")
		t.paint(bold, line)
	}
	t.line("")
	t.text(4, shorten(clean(f.Message), maxText))
	t.holdings(f)
	if f.Fix != "" {
		t.text(4, "fix: "+shorten(clean(f.Fix), maxText))
	}
	if t.diffs {
		t.diff(f.Diff)
	}
}

// maxDiffLines is how many lines of a diff a table has.
const maxDiffLines = 60

// diff writes a unified diff to look at; lines that are too long are cut.
func (t table) diff(diff string) {
	const indent = 6
	lines := strings.Split(strings.TrimSuffix(diff, "\n"), "\n")
	for i, line := range lines {
		if line == "" {
			continue
		}
		if i == maxDiffLines {
			t.text(indent, "and "+count(len(lines)-i, "more line")+": -o json has them all")
			return
		}
		code := faint
		switch line[0] {
		case '+':
			code = green
		case '-':
			code = red
		}
		line = strings.ReplaceAll(strings.TrimRight(line, " \t\r"), "\t", "    ")
		if line != "" {
			t.w.WriteString(strings.Repeat(" ", indent))
			t.paint(code, shorten(clean(line), t.columns-indent))
		}
		t.line("")
	}
}

// holdings writes what each group of clusters holds, side by side where the
// place fits on the line, below the value where it does not.
func (t table) holdings(f finding.Finding) {
	const indent, gap = 6, 2
	shown, left := groups(f)
	lead := make([]string, len(shown))
	var w1, w2 int
	for i, g := range shown {
		lead[i] = list(g.clusters, (t.columns-indent)*3/10)
		shown[i].value = shorten(g.value, (t.columns-indent)*4/10)
		w1, w2 = max(w1, cells(lead[i])), max(w2, cells(shown[i].value))
	}
	for i, g := range shown {
		line := strings.Repeat(" ", indent) + pad(lead[i], w1) + "  " + pad(g.value, w2)
		room := t.columns - indent - w1 - w2 - 2*gap
		if g.odd {
			room -= cells(oddMark)
		}
		if cells(g.where) <= room {
			t.w.WriteString(strings.TrimRight(line+"  "+g.where, " "))
			t.odd(g)
			continue
		}
		t.w.WriteString(strings.TrimRight(line, " "))
		t.odd(g)
		t.w.WriteString(strings.Repeat(" ", indent+gap))
		t.paint(faint, shortenFront(g.where, t.columns-indent-gap))
		t.line("")
	}
	if len(left) > 0 {
		t.text(indent, rest(left))
	}
}

const oddMark = "  ← odd one out"

// odd ends a row, and marks the one that stands against the majority.
func (t table) odd(g group) {
	if g.odd {
		t.paint(red, oddMark)
	}
	t.line("")
}

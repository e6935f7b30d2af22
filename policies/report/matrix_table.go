package report

import (
	"io"
	"strings"

	"github.com/syncgate/syncgate/policies/provenance"
)

// Bounds of the matrix in a terminal.
const (
	minCell = 12  // columns of a cluster's cell; where they do not fit, values are told instead
	maxRows = 200 // of one Gate
)

// writeMatrixTable writes for a person: a column for each cluster where they
// fit, else the values of each path with who holds them.
func writeMatrixTable(w io.Writer, m Matrix) error {
	columns := m.Style.Width
	if columns == 0 {
		columns = maxColumns
	}
	t := table{w: new(strings.Builder), columns: min(max(columns, minColumns), maxColumns), color: m.Style.Color}
	t.problems("", m.Problems)
	for _, g := range m.Gates {
		name := g.Name
		if name == "" {
			name = g.File
		}
		t.paint(bold, shorten(clean(name), t.columns/2))
		t.line("")
		t.text(2, g.title())
		t.problems("  ", g.Problems)
		if len(g.Rows) > 0 {
			t.line("")
			t.grid(g)
		}
		t.line("")
	}
	_, err := io.WriteString(w, t.w.String())
	return err
}

func (t table) grid(g MatrixGate) {
	rows := g.Rows
	if len(rows) > maxRows {
		rows = rows[:maxRows]
	}
	width := t.cellWidth(g.Clusters, rows)
	if width < minCell {
		for _, r := range rows {
			t.byValue(r)
		}
	} else {
		t.byCluster(g.Clusters, rows, width)
	}
	if left := len(g.Rows) - len(rows) + g.More; left > 0 {
		t.text(2, "and "+count(left, "more difference")+": -o json or -o html has them")
	}
}

// cellWidth is how wide a cluster's column is: as wide as what is in it, when
// the paths fit beside it, else what paths of two fifths of the line leave.
func (t table) cellWidth(clusters []string, rows []provenance.MatrixRow) int {
	n := len(clusters)
	if n == 0 || n > t.columns/minCell {
		return 0
	}
	path, cell := 0, minCell
	for _, c := range clusters {
		cell = max(cell, cells(clean(c)))
	}
	for _, r := range rows {
		path = max(path, cells(clean(r.Path)))
		for _, h := range valuesOf(r) {
			cell = max(cell, cells(h.value))
		}
	}
	room := t.columns - 2
	return min(cell, max((room-path)/n-2, (room-room*2/5)/n-2))
}

// byCluster writes a row a path and a column a cluster.
func (t table) byCluster(clusters []string, rows []provenance.MatrixRow, width int) {
	paths := t.columns - 2 - len(clusters)*(width+2)
	line := strings.Repeat(" ", paths+2)
	for _, c := range clusters {
		line += "  " + pad(shorten(clean(c), width), width)
	}
	t.paint(faint, strings.TrimRight(line, " "))
	t.line("")
	for _, r := range rows {
		t.mark(r)
		line := pad(shortenFront(clean(r.Path), paths), paths)
		held := cellsOf(r)
		for _, c := range clusters {
			line += "  " + pad(shorten(held[c].value, width), width)
		}
		t.line(strings.TrimRight(line, " "))
	}
}

// byValue writes a path, and below it each value with who holds it.
func (t table) byValue(r provenance.MatrixRow) {
	t.mark(r)
	t.line(shortenFront(clean(r.Path), t.columns-2))
	all := valuesOf(r)
	for i, h := range all {
		if i == maxHoldings {
			t.text(6, "and "+count(len(all)-i, "more value"))
			return
		}
		who := list(h.clusters, (t.columns-6)*4/10)
		if len(h.clusters) > 1 {
			who = count(len(h.clusters), "cluster") + ": " + list(h.clusters, (t.columns-6)*3/10)
		}
		t.line("      " + shorten(h.value, t.columns-6-cells(who)-2) + "  " + who)
	}
}

// mark begins a row: ✗ where the clusters may not differ.
func (t table) mark(r provenance.MatrixRow) {
	if len(r.Broken) > 0 {
		t.paint(red, "✗")
	} else {
		t.paint(faint, "·")
	}
	t.w.WriteByte(' ')
}

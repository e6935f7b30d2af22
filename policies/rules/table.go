package rules

import (
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
)

// table is the values of all clusters under one numbering.
type table struct {
	nodes    []node
	children [][]uint32 // of each path, by their text
	datums   []datum
	files    []string
	clusters [][]row // of each cluster, by its index

	// Of each path: how many clusters have it, which value the first of them
	// has, and whether all have that value.
	count []uint32
	first []uint32
	mixed []bool
	// dirty is true for a path where, or below which, clusters differ.
	dirty []bool

	// cells lists, path by path, who has it; those of path p stand from
	// start[p] to start[p+1], in the order of clusters.
	cells []cell
	start []uint32
}

// cell is one cluster's row for a path.
type cell struct{ cluster, row uint32 }

// kindOf is a value without what makes no difference: whether a map or keyed
// list has anything in it is told by the paths below.
func kindOf(value uint32) uint32 {
	switch value {
	case emptyMap:
		return mapValue
	case emptyList:
		return listValue
	}
	return value
}

// merge brings the workers' tables under one numbering.
func (f *Fleet) merge() *table {
	t := &table{nodes: []node{{}}, datums: make([]datum, firstFree), clusters: make([][]row, len(f.opts.Clusters))}
	edges := map[edge]uint32{}
	data := map[datum]uint32{}
	for _, w := range f.workers {
		paths := make([]uint32, len(w.nodes))
		for i, n := range w.nodes[1:] {
			e := edge{paths[n.parent], field, n.segment}
			id, ok := edges[e]
			if !ok {
				id = uint32(len(t.nodes))
				n.parent = e.parent
				t.nodes = append(t.nodes, n)
				edges[e] = id
			}
			paths[i+1] = id
		}
		numbers := make([]uint32, len(w.datums))
		for i := range numbers {
			if i < int(firstFree) {
				numbers[i] = uint32(i)
				continue
			}
			d := w.datums[i]
			id, ok := data[d]
			if !ok {
				id = uint32(len(t.datums))
				t.datums = append(t.datums, d)
				data[d] = id
			}
			numbers[i] = id
		}
		base := uint32(len(t.files))
		t.files = append(t.files, w.names...)
		for _, c := range w.rows {
			for i := range c.rows {
				r := &c.rows[i]
				r.path, r.value, r.file = paths[r.path], numbers[r.value], base+r.file
			}
			t.clusters[c.cluster] = c.rows
		}
		for i := range w.odd {
			w.odd[i].list = paths[w.odd[i].list]
		}
		w.edges, w.data, w.harmless = nil, nil, nil
	}
	t.aggregate()
	return t
}

// aggregate finds out where clusters differ.
func (t *table) aggregate() {
	n := len(t.nodes)
	t.count, t.first, t.mixed, t.dirty = make([]uint32, n), make([]uint32, n), make([]bool, n), make([]bool, n)
	for _, rows := range t.clusters {
		for i := range rows {
			p, v := rows[i].path, kindOf(rows[i].value)
			if t.count[p] == 0 {
				t.first[p] = v
			} else if t.first[p] != v {
				t.mixed[p] = true
			}
			t.count[p]++
		}
	}
	for p := n - 1; p > 0; p-- {
		if t.mixed[p] || int(t.count[p]) != len(t.clusters) {
			t.dirty[p] = true
		}
		if t.dirty[p] {
			t.dirty[t.nodes[p].parent] = true
		}
	}
	t.start = make([]uint32, n+1)
}

// index builds cells and children; only needed once something differs or is
// required.
func (t *table) index() {
	if t.cells != nil {
		return
	}
	n := len(t.nodes)
	sum := uint32(0)
	for p := range n {
		t.start[p] = sum
		sum += t.count[p]
	}
	t.start[n] = sum
	t.cells = make([]cell, sum)
	next := slices.Clone(t.start)
	for c, rows := range t.clusters {
		for i := range rows {
			p := rows[i].path
			t.cells[next[p]] = cell{uint32(c), uint32(i)}
			next[p]++
		}
	}
	t.children = make([][]uint32, n)
	for p := 1; p < n; p++ {
		parent := t.nodes[p].parent
		t.children[parent] = append(t.children[parent], uint32(p))
	}
	for _, list := range t.children {
		slices.SortFunc(list, func(a, b uint32) int {
			return naturalCompare(t.nodes[a].segment, t.nodes[b].segment)
		})
	}
}

// naturalCompare puts [2] before [10].
func naturalCompare(a, b string) int {
	if a != "" && b != "" && a[0] == '[' && b[0] == '[' && len(a) != len(b) && isIndex(a) && isIndex(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func isIndex(s string) bool { return strings.Trim(s[1:len(s)-1], "0123456789") == "" }

func (t *table) column(path uint32) []cell { return t.cells[t.start[path]:t.start[path+1]] }

func (t *table) row(c cell) *row { return &t.clusters[c.cluster][c.row] }

// find is the row of a path in a cluster, nil when it has none.
func (t *table) find(path, cluster uint32) *row {
	column := t.column(path)
	i, ok := slices.BinarySearchFunc(column, cluster, func(c cell, want uint32) int {
		return int(c.cluster) - int(want)
	})
	if !ok {
		return nil
	}
	return t.row(column[i])
}

// place is where a cluster's value for a path stands; where it has none, the
// place nearest above it.
func (t *table) place(path, cluster uint32) finding.Position {
	for p := path; ; p = t.nodes[p].parent {
		if r := t.find(p, cluster); r != nil && p != 0 {
			return finding.Position{File: t.files[r.file], Line: int(r.line), Column: int(r.column)}
		}
		if p == 0 {
			return finding.Position{}
		}
	}
}

package rules

import (
	"strings"

	"github.com/syncgate/syncgate/policies/keypath"
)

// step is the path one edge further.
func (w *Worker) step(e edge) uint32 {
	if id, ok := w.edges[e]; ok {
		return id
	}
	e.text = strings.Clone(e.text)
	n := node{parent: e.parent}
	switch e.index {
	case field:
		n.segment = keypath.Field(e.text)
		n.secret = secrecyOf(e.text)
	case item:
		n.segment = keypath.Item(w.nodes[e.parent].key, e.text)
	default:
		n.segment = keypath.Index(int(e.index))
	}
	id := uint32(len(w.nodes))
	w.nodes = append(w.nodes, n)
	w.edges[e] = id
	if f := w.fleet; len(f.opts.PerCluster)+len(f.kept) > 0 {
		segments := segmentsOf(w.nodes, id)
		kept := matchAny(f.kept, segments)
		w.nodes[id].kept, w.nodes[id].allowed = kept, kept || matchAny(f.opts.PerCluster, segments)
	}
	return id
}

func matchAny(globs []keypath.Glob, path []string) bool {
	for _, g := range globs {
		if g.Match(path) {
			return true
		}
	}
	return false
}

// segmentsOf are the steps from the root to a path.
func segmentsOf(nodes []node, path uint32) []string {
	depth := 0
	for p := path; p != 0; p = nodes[p].parent {
		depth++
	}
	segments := make([]string, depth)
	for p := path; p != 0; p = nodes[p].parent {
		depth--
		segments[depth] = nodes[p].segment
	}
	return segments
}

package policies

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/provenance"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/values"
)

// fold puts the clusters that come to the same value in the same way together,
// for at most most paths.
func (x *explainer) fold(most int) provenance.Explanation {
	var e provenance.Explanation
	paths := x.paths(&e, most)
	at := map[string]*pathFold{}
	for _, p := range paths {
		at[p] = &pathFold{index: map[string]int{}}
	}
	for i, c := range x.found {
		name := x.gate.Spec.Clusters[i].Name
		for _, s := range c.spots {
			if f := at[s.Path]; f != nil {
				f.add(name, i, s, c.layers)
			}
		}
		for _, f := range at {
			if f.last != i+1 {
				f.unset = append(f.unset, name)
			}
		}
	}
	for _, p := range paths {
		f := at[p]
		slices.SortStableFunc(f.chains, func(a, b provenance.Chain) int { return cmp.Compare(len(b.Clusters), len(a.Clusters)) })
		e.Paths = append(e.Paths, provenance.PathChains{Path: p, Chains: f.chains, Unset: f.unset})
	}
	return e
}

// paths are the paths of all clusters, in the order of their segments, up to
// the bound. Every cluster told its first ones in that order up to the same
// bound, so that no path that is kept lacks a cluster.
func (x *explainer) paths(e *provenance.Explanation, most int) []string {
	all := map[string][]string{}
	for _, c := range x.found {
		e.More = max(e.More, c.more)
		for _, s := range c.spots {
			all[s.Path] = s.Segments
		}
	}
	paths := slices.SortedFunc(maps.Keys(all), func(a, b string) int { return slices.Compare(all[a], all[b]) })
	if len(paths) > most {
		e.More += len(paths) - most
		paths = paths[:most]
	}
	return paths
}

// pathFold gathers the chains of one path.
type pathFold struct {
	chains []provenance.Chain
	index  map[string]int
	unset  []string
	last   int // the last cluster that was added, counted from 1
}

func (f *pathFold) add(cluster string, number int, s rules.Spot, layers []layer) {
	f.last = number + 1
	c, positions, key := chainOf(s, layers)
	i, ok := f.index[key]
	if !ok {
		i = len(f.chains)
		f.index[key] = i
		f.chains = append(f.chains, c)
	}
	to := &f.chains[i]
	for j := range to.Steps {
		to.Steps[j].Places = append(to.Steps[j].Places, finding.Place{Cluster: cluster, Position: positions[j]})
	}
	to.Clusters = append(to.Clusters, cluster)
}

// chainOf is the chain of one cluster, where its steps stand, and a key that
// chains of the same steps have in common.
func chainOf(s rules.Spot, layers []layer) (c provenance.Chain, at []finding.Position, key string) {
	var id strings.Builder
	outcomes, passed := judge(s, layers)
	step := func(l layer, h *rules.Held, o provenance.Outcome) {
		c.Steps = append(c.Steps, provenance.Step{Layer: l.name, Subchart: l.subchart, Above: h.Above, Value: h.Value, Outcome: o})
		at = append(at, h.Position)
		for _, part := range []string{l.name, l.subchart, h.Above, h.Digest, string(o)} {
			id.WriteString(part)
			id.WriteByte(0)
		}
	}
	for i, h := range s.Layers {
		if h == nil || h.Above != "" && len(c.Steps) == 0 {
			continue // nothing was there that it could leave no room for
		}
		step(layers[i], h, outcomes[i])
	}
	c.Missing = s.Merged == nil
	if s.Merged != nil {
		c.Value = s.Merged.Value
		id.WriteString(s.Merged.Digest)
	}
	if passed {
		step(layer{provenance.LayerPassed, ""}, s.Merged, provenance.Won)
	}
	return c, at, id.String()
}

// judge says what became of each layer. passed is true when none of them has
// what the cluster holds: it was given to another path, and handed on.
func judge(s rules.Spot, layers []layer) (outcomes []provenance.Outcome, passed bool) {
	outcomes = make([]provenance.Outcome, len(s.Layers))
	last := -1 // the strongest that could be what decides
	for i, h := range s.Layers {
		outcomes[i] = provenance.Overridden
		switch {
		case h == nil:
		case s.Merged == nil && (h.Above != "" || h.Kind == values.Null),
			s.Merged != nil && h.Above == "" && h.Kind == s.Merged.Kind && h.Position == s.Merged.Position:
			last = i
		}
	}
	switch {
	case s.Merged == nil:
		if last >= 0 {
			outcomes[last] = provenance.Removes
		}
		return outcomes, false
	case s.Merged.Kind == values.Map:
		return outcomes, !mergedMaps(s, layers, outcomes)
	case last < 0:
		return outcomes, true
	}
	outcomes[last] = provenance.Won
	return outcomes, false
}

// mergedMaps marks the maps that are part of a merged one, and reports whether
// there are any. A values file that has something else there ends what the
// files before it say; the defaults of charts fill in nonetheless.
func mergedMaps(s rules.Spot, layers []layer, outcomes []provenance.Outcome) bool {
	ended, any := false, false
	for i := len(s.Layers) - 1; i >= 0; i-- {
		h := s.Layers[i]
		switch {
		case h == nil:
		case h.Above != "" || h.Kind != values.Map:
			ended = true
		case layers[i].name == provenance.LayerChart || layers[i].name == provenance.LayerSubchart || !ended:
			outcomes[i], any = provenance.Merged, true
		}
	}
	return any
}

// nearest are known paths that may be meant by key: those that end with it or
// hold it, then those that are written nearly like it.
func nearest(key string, known map[string]bool) []string {
	const most, far = 3, 1 << 10
	type scored struct {
		path  string
		score int
	}
	var all []scored
	want := strings.ToLower(strings.Trim(strings.ReplaceAll(key, "*", ""), "."))
	for p := range known {
		have := strings.ToLower(p)
		near := levenshtein.ComputeDistance(want, have)
		switch {
		case want != "" && strings.HasSuffix(have, "."+want):
			near = 0
		case len(want) > 2 && strings.Contains(have, want):
			near = 1
		case near > max(2, len(want)/3):
			near = far
		}
		if near < far {
			all = append(all, scored{p, near})
		}
	}
	slices.SortFunc(all, func(a, b scored) int {
		return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(len(a.path), len(b.path)), strings.Compare(a.path, b.path))
	})
	var paths []string
	for _, s := range all[:min(most, len(all))] {
		paths = append(paths, s.path)
	}
	return paths
}

package report

import (
	"slices"

	"github.com/syncgate/syncgate/policies/finding"
)

// majority is the index of the holding that is right: the reference cluster's,
// else the one that more clusters have than any other; -1 when there is none.
func majority(holdings []finding.Holding) int {
	if i := slices.IndexFunc(holdings, func(h finding.Holding) bool { return h.Right }); i >= 0 {
		return i
	}
	best, second := -1, 0
	for i, h := range holdings {
		switch n := len(h.Places); {
		case best < 0 || n > len(holdings[best].Places):
			if best >= 0 {
				second = max(second, len(holdings[best].Places))
			}
			best = i
		default:
			second = max(second, n)
		}
	}
	if best >= 0 && (len(holdings) == 1 || len(holdings[best].Places) > second) {
		return best
	}
	return -1
}

// Primary is the one place to look at first: where the first odd one out has
// its value; without an odd one, the first place known; without any, the Gate.
func Primary(f finding.Finding) finding.Position {
	most := majority(f.Holdings)
	var first finding.Position
	for i, h := range f.Holdings {
		for _, p := range h.Places {
			if p.Position.File == "" {
				continue
			}
			if i != most {
				return p.Position
			}
			if first.File == "" {
				first = p.Position
			}
		}
	}
	if first.File == "" {
		first.File = f.GateFile
	}
	return first
}

// held says what a holding holds, clean.
func held(h finding.Holding) string {
	switch {
	case h.Missing:
		return "not set"
	case h.Value == "":
		return "(hidden)"
	}
	return clean(h.Value)
}

// group is clusters that hold one value, and where they have it from.
type group struct {
	clusters     []string
	value, where string
	odd          bool // stands against the majority
}

// groups says what the clusters of a finding hold, at most maxHoldings groups;
// left are the holdings that these leave out. Where there is room for it every
// place has a group of its own, else every value has.
func groups(f finding.Finding) (shown []group, left []finding.Holding) {
	most := majority(f.Holdings)
	add := func(i int, places []finding.Place, where string) {
		names := make([]string, len(places))
		for j, p := range places {
			names[j] = clean(p.Cluster)
		}
		shown = append(shown, group{names, held(f.Holdings[i]), where, most >= 0 && i != most})
	}
	if byPlace, ok := split(f.Holdings); ok {
		for i := range f.Holdings {
			for _, places := range byPlace[i] {
				add(i, places, clean(places[0].Position.String()))
			}
		}
		return shown, nil
	}
	for i, h := range f.Holdings {
		if i == maxHoldings {
			return shown, f.Holdings[i:]
		}
		add(i, h.Places, where(h))
	}
	return shown, nil
}

// split parts the clusters of every holding by place; ok is false when that
// makes more than maxHoldings groups.
func split(holdings []finding.Holding) (byPlace [][][]finding.Place, ok bool) {
	n := 0
	byPlace = make([][][]finding.Place, len(holdings))
	for i, h := range holdings {
		index := make(map[finding.Position]int)
		for _, p := range h.Places {
			j, seen := index[p.Position]
			if !seen {
				if n++; n > maxHoldings {
					return nil, false
				}
				j = len(byPlace[i])
				index[p.Position] = j
				byPlace[i] = append(byPlace[i], nil)
			}
			byPlace[i][j] = append(byPlace[i][j], p)
		}
	}
	return byPlace, true
}

// where says where a holding's value stands: its first known place, and how
// many more there are.
func where(h finding.Holding) string {
	seen := make(map[finding.Position]bool)
	first := ""
	for _, p := range h.Places {
		if p.Position.File == "" {
			continue
		}
		if first == "" {
			first = clean(p.Position.String())
		}
		seen[p.Position] = true
	}
	if len(seen) > 1 {
		return first + " and " + count(len(seen)-1, "more place")
	}
	return first
}

package report

import (
	"strconv"

	"github.com/syncgate/syncgate/policies/finding"
)

// at writes a position as file:line:column, without what is not known.
func at(p finding.Position) string {
	s := p.File
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
		if p.Column > 0 {
			s += ":" + strconv.Itoa(p.Column)
		}
	}
	return s
}

// majority is the index of the holding that more clusters have than any other,
// -1 when no holding is ahead.
func majority(holdings []finding.Holding) int {
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

// primary is the one place to look at first: where the first odd one out has
// its value; without an odd one, the first place known; without any, the Gate.
func primary(f finding.Finding) finding.Position {
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

// names are the clusters of a holding, clean.
func names(h finding.Holding) []string {
	s := make([]string, len(h.Places))
	for i, p := range h.Places {
		s[i] = clean(p.Cluster)
	}
	return s
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
			first = clean(at(p.Position))
		}
		seen[p.Position] = true
	}
	if len(seen) > 1 {
		return first + " and " + count(len(seen)-1, "more place")
	}
	return first
}

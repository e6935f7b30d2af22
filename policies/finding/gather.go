package finding

import (
	"fmt"
	"slices"
	"strings"
)

// maxNamed is how many clusters a message names.
const maxNamed = 5

// Said is what a rule has to say of one cluster: a problem, or, when there is
// none, why it was not asked.
type Said struct {
	Rule    string
	Path    string
	Problem string
	Skip    string
	// Fix is what to do next.
	Fix string
	// Value is the value as it may be shown, and At where it stands.
	Value string
	At    Position
}

// Gathering puts clusters of which a rule says the same together. The clusters
// are to be added in the Gate's order.
type Gathering struct {
	said   []Said
	at     map[string]int
	places [][]Place
}

// Add takes in what is said of a cluster.
func (g *Gathering) Add(cluster string, s Said) {
	key := strings.Join([]string{s.Rule, s.Path, s.Problem, s.Skip}, "\x00")
	i, ok := g.at[key]
	if !ok {
		if g.at == nil {
			g.at = map[string]int{}
		}
		i = len(g.said)
		g.at[key] = i
		g.said = append(g.said, s)
		g.places = append(g.places, nil)
	}
	g.places[i] = append(g.places[i], Place{Cluster: cluster, Position: s.At})
}

// Findings are the problems, by rule, path and text.
func (g *Gathering) Findings() []Finding {
	var out []Finding
	for i, s := range g.said {
		if s.Problem != "" {
			out = append(out, Finding{
				Rule: s.Rule, Path: s.Path, Message: fmt.Sprintf("%s, in %s", s.Problem, named(g.places[i])), Fix: s.Fix,
				Holdings: []Holding{{Value: s.Value, Places: g.places[i]}},
			})
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return slices.Compare([]string{a.Rule, a.Path, a.Message}, []string{b.Rule, b.Path, b.Message})
	})
	return out
}

// Skipped are the rules that were not asked.
func (g *Gathering) Skipped() []Skipped {
	var out []Skipped
	for i, s := range g.said {
		if s.Problem != "" || s.Skip == "" {
			continue
		}
		skipped := Skipped{Rule: s.Rule, Reason: s.Skip}
		for _, p := range g.places[i] {
			skipped.Clusters = append(skipped.Clusters, p.Cluster)
		}
		out = append(out, skipped)
	}
	return out
}

// named lists clusters, sorted, not all when there are many.
func named(places []Place) string {
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

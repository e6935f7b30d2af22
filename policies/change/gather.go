package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
)

// maxNamed is how many clusters a message names.
const maxNamed = 5

// gathering puts clusters of which a rule says the same together.
type gathering struct {
	rule, fix string
	order     []verdict
	at        map[string]int
	places    [][]finding.Place
}

func (g *gathering) add(cluster string, v verdict) {
	key := v.problem + "\x00" + v.skip + "\x00" + v.path
	i, ok := g.at[key]
	if !ok {
		if g.at == nil {
			g.at = map[string]int{}
		}
		i = len(g.order)
		g.at[key] = i
		g.order = append(g.order, v)
		g.places = append(g.places, nil)
	}
	g.places[i] = append(g.places[i], finding.Place{Cluster: cluster, Position: v.at})
}

func (g *gathering) findings() []finding.Finding {
	var out []finding.Finding
	for i, v := range g.order {
		if v.problem == "" {
			continue
		}
		fix := v.fix
		if fix == "" {
			fix = words(g.fix)
		}
		out = append(out, finding.Finding{
			Rule: g.rule, Path: v.path, Message: fmt.Sprintf("%s, in %s", v.problem, named(g.places[i])), Fix: fix,
			Holdings: []finding.Holding{{Value: v.value, Places: g.places[i]}},
		})
	}
	slices.SortStableFunc(out, func(a, b finding.Finding) int {
		return strings.Compare(a.Path+"\x00"+a.Message, b.Path+"\x00"+b.Message)
	})
	return out
}

func (g *gathering) skips() []finding.Skipped {
	var out []finding.Skipped
	for i, v := range g.order {
		if v.skip == "" {
			continue
		}
		s := finding.Skipped{Rule: g.rule, Reason: v.skip}
		for _, p := range g.places[i] {
			s.Clusters = append(s.Clusters, p.Cluster)
		}
		out = append(out, s)
	}
	return out
}

// named lists clusters, sorted, not all when there are many.
func named(places []finding.Place) string {
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

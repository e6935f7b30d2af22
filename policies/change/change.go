// Package change judges what a change does to the versions of an application:
// from the values that passed last on a cluster to those that are to run. Which
// programs an application is made of, where their versions stand, and what is
// known of upgrades is data of a pack; nothing here knows an application.
package change

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/packs"
	"github.com/syncgate/syncgate/policies/values"
	"github.com/syncgate/syncgate/policies/version"
)

// Cluster is one cluster before and after the change.
type Cluster struct {
	Name string
	// Old and New are the merged values.
	Old, New *values.Node
	// OldCharts and NewCharts are the charts of the values, none when they
	// belong to no chart.
	OldCharts, NewCharts []values.Identity
}

// Judge holds the clusters against the changes of a pack. A version that cannot
// be read where it has changed is a finding: it is not known to be good.
func Judge(p *packs.Pack, clusters []Cluster) ([]finding.Finding, []finding.Skipped) {
	var found []finding.Finding
	var skipped []finding.Skipped
	told := map[string]bool{} // cluster and part whose version cannot be read
	for _, c := range p.Changes {
		var g finding.Gathering
		for _, cl := range clusters {
			j := judge{pack: p, cluster: cl, told: told}
			for _, s := range j.ask(c) {
				s.Rule = p.Name + "/" + c.Name
				if s.Fix == "" {
					s.Fix = words(c.Message)
				}
				g.Add(cl.Name, s)
			}
		}
		found = append(found, g.Findings()...)
		skipped = append(skipped, g.Skipped()...)
	}
	return found, skipped
}

// judge asks about one cluster.
type judge struct {
	pack    *packs.Pack
	cluster Cluster
	told    map[string]bool
}

func (j judge) ask(c packs.Change) []finding.Said {
	switch c.Kind() {
	case "noDowngrade":
		return j.versions(c.NoDowngrade, j.noDowngrade)
	case "steps":
		return j.versions(c.Steps.Part, func(m move) []finding.Said { return j.steps(c.Steps, m) })
	case "badPairs":
		return j.versions(c.BadPairs.Part, func(m move) []finding.Said { return j.badPairs(c.BadPairs, m) })
	case "sameImage":
		return j.sameImage(j.move(c.SameImage))
	case "separate":
		return j.separate(c.Separate)
	default:
		return j.chartFits(j.move(c.ChartFits))
	}
}

// spot is where a part's version stands in the values of a cluster.
type spot struct {
	place   packs.Place
	path    string
	text    string
	version version.Version
	known   bool
	unread  bool // it is said to be where it cannot be read
	image   string
	at      finding.Position
}

// move is a part before and after; a nil spot: it has no version there.
type move struct {
	part     packs.Part
	old, new *spot
}

func (j judge) move(name string) move {
	i := slices.IndexFunc(j.pack.Parts, func(p packs.Part) bool { return p.Name == name })
	m := move{part: j.pack.Parts[i]}
	m.old, m.new = find(m.part, j.cluster.Old), find(m.part, j.cluster.New)
	return m
}

// changed reports whether another version is to run.
func (m move) changed() bool { return m.old != nil && m.new != nil && m.old.text != m.new.text }

// find is the first place at which the values have a version.
func find(part packs.Part, root *values.Node) *spot {
	for _, place := range part.Places {
		for _, below := range []string{"", place.Chart} {
			n := lookup(root, below, place.Version)
			text := scalar(n)
			if text == "" {
				continue
			}
			s := &spot{place: place, path: place.Version, text: text, at: n.Position()}
			if below != "" {
				s.path = below + "." + s.path
			}
			s.unread = n.Unknown
			s.version, s.known = version.Parse(text)
			if s.image = scalar(lookup(root, below, place.Image)); s.image == "" {
				s.image = place.DefaultImage
			}
			return s
		}
	}
	return nil
}

func lookup(n *values.Node, below, path string) *values.Node {
	if below != "" {
		if n = n.Get(below); n == nil {
			return nil
		}
	}
	for name := range strings.SplitSeq(path, ".") {
		if n = n.Get(name); n == nil {
			return nil
		}
	}
	return n
}

func scalar(n *values.Node) string {
	switch {
	case n == nil:
		return ""
	case n.Kind == values.String:
		return n.Text
	case n.Kind == values.Number:
		return values.FormatNumber(n.Num)
	default:
		return ""
	}
}

// baseName is an image's name without registry, path, tag and digest.
func baseName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	name, _, _ := strings.Cut(path.Base(image), ":")
	return name
}

// show is a version as a message shows it.
func (s *spot) show() string {
	const most = 60
	if s == nil {
		return "none"
	}
	if len(s.text) > most {
		return fmt.Sprintf("%.*q…", most, s.text)
	}
	return s.text
}

func (s *spot) problem(format string, args ...any) []finding.Said {
	return []finding.Said{{Problem: fmt.Sprintf(format, args...), Path: s.path, Value: fmt.Sprintf("%.60q", s.text), At: s.at}}
}

func skip(format string, args ...any) []finding.Said {
	return []finding.Said{{Skip: fmt.Sprintf(format, args...)}}
}

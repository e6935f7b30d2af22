package policies

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/packs"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/values"
)

// CaseResult is what came of one case of a pack.
type CaseResult struct {
	// Case is the case's name.
	Case string `json:"case"`
	// Problems say where the findings are not those that the case wants. None:
	// the case holds.
	Problems []string `json:"problems,omitempty"`
	// Findings are what the pack found.
	Findings []finding.Finding `json:"findings,omitempty"`
}

// TestPack runs a pack's own cases: it holds the values of each against the
// pack's rules and changes alone. An error means that a case could not be run.
func TestPack(ctx context.Context, p *packs.Pack) ([]CaseResult, error) {
	results := make([]CaseResult, 0, len(p.Cases))
	var failed []error
	for i, c := range p.Cases {
		name := c.Name
		if name == "" {
			name = fmt.Sprintf("case %d", i+1)
		}
		r, err := runCase(ctx, p, c)
		if err != nil {
			failed = append(failed, fmt.Errorf("run case %q of pack %s: %w", name, p.Name, err))
			continue
		}
		r.Case = name
		results = append(results, r)
	}
	return results, errors.Join(failed...)
}

func runCase(ctx context.Context, p *packs.Pack, c packs.Case) (CaseResult, error) {
	if len(c.Clusters) == 0 {
		return CaseResult{}, errors.New("expected the values of at least one cluster, found none")
	}
	g := &gate.Gate{File: "case", Packs: []*packs.Pack{p}}
	g.Metadata.Name = p.Name
	g.Spec.PerCluster = []gate.PerCluster{{Path: "**"}}
	names := slices.Sorted(maps.Keys(c.Clusters))
	for _, name := range names {
		g.Spec.Clusters = append(g.Spec.Clusters, gate.Cluster{Name: name})
	}
	about, err := ruleOptions(g, func(i int) string { return names[i] })
	if err != nil {
		return CaseResult{}, err
	}
	about.Keep = true
	fleet, err := rules.NewFleet(about)
	if err != nil {
		return CaseResult{}, err
	}
	worker := fleet.Worker()
	before := make([]old, len(names))
	for i, name := range names {
		n, err := caseValues(c.Clusters[name], name)
		if err != nil {
			return CaseResult{}, err
		}
		worker.Add(i, n)
		before[i].charts = caseChart(c.OldChart)
		was, ok := c.Old[name]
		switch {
		case len(c.Old) == 0:
			before[i].none = NoBaseline
		case !ok:
			before[i].none = clusterIsNew
		default:
			if before[i].values, err = caseValues(was, name); err != nil {
				return CaseResult{}, err
			}
		}
	}
	charts := make([][]values.Identity, len(names))
	for i := range charts {
		charts[i] = caseChart(c.Chart)
	}
	r, err := hold(ctx, g, fleet, charts, before)
	if err != nil {
		return CaseResult{}, err
	}
	return CaseResult{Problems: compareCase(p, c, r), Findings: r.Findings}, nil
}

func caseValues(n yaml.Node, cluster string) (*values.Node, error) {
	data, err := yaml.Dump(&n)
	if err != nil {
		return nil, fmt.Errorf("read values of cluster %s: %w", cluster, err)
	}
	return values.Parse(data, cluster, values.Limits{})
}

func caseChart(c *packs.CaseChart) []values.Identity {
	if c == nil {
		return nil
	}
	return []values.Identity{{Name: c.Name, Version: c.Version, AppVersion: c.AppVersion, File: "Chart.yaml"}}
}

// compareCase says where findings and skipped rules are not those of the case.
func compareCase(p *packs.Pack, c packs.Case, r Result) (problems []string) {
	var found, skipped []string
	text := ""
	for _, f := range r.Findings {
		found = append(found, strings.TrimPrefix(f.Rule, p.Name+"/"))
		text += f.Message + "\n" + f.Fix + "\n"
	}
	for _, s := range r.Skipped {
		skipped = append(skipped, strings.TrimPrefix(s.Rule, p.Name+"/"))
		text += s.Reason + "\n"
	}
	if want, got := sorted(c.Want), sorted(found); !slices.Equal(want, got) {
		problems = append(problems, fmt.Sprintf("expected the findings %s, found %s", orNone(want), orNone(got)))
	}
	if want, got := slices.Compact(sorted(c.Skipped)), slices.Compact(sorted(skipped)); len(want) > 0 && !slices.Equal(want, got) {
		problems = append(problems, fmt.Sprintf("expected that %s could not be asked, found %s", orNone(want), orNone(got)))
	}
	for _, s := range c.Says {
		if !strings.Contains(text, s) {
			problems = append(problems, fmt.Sprintf("expected %q in what is said, found it nowhere", s))
		}
	}
	return problems
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

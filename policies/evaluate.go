package policies

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/change"
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/packs"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/values"
)

// Baseline is what passed before on a cluster.
type Baseline struct {
	// FS is the tree that passed and Gate the Gate in it.
	FS   fs.FS
	Gate *gate.Gate
	// None says why there is nothing that passed, when Gate is nil. Without a
	// reason nobody asks about the cluster's changes.
	None string
}

// NoBaseline is the reason why rules over a change were not asked where nothing
// is known of what passed before.
const NoBaseline = "nothing is known of what passed before"

// clusterIsNew is that reason for a cluster that the Gate did not have.
const clusterIsNew = "the cluster is new"

// Result is what the Gate's rules say of the values.
type Result struct {
	// Findings say where rules do not hold.
	Findings []finding.Finding
	// Skipped are the rules that could not be asked, and why: those that hold a
	// change against what passed before, where nothing has, and those of what
	// cannot be read in Git.
	Skipped []finding.Skipped
	// Waived are findings that the Gate lets be.
	Waived []finding.Waived
}

// Validate says where the Gate's rules do not hold. An error means that this
// could not be told: a file is missing, malformed or over a limit, or a rule
// failed to evaluate. The error names every cluster that could not be read, up
// to a bound.
func Validate(ctx context.Context, fsys fs.FS, g *gate.Gate, opts Options) ([]finding.Finding, error) {
	r, err := Evaluate(ctx, fsys, g, opts)
	return r.Findings, err
}

// Evaluate is Validate, and says which rules could not be asked.
func Evaluate(ctx context.Context, fsys fs.FS, g *gate.Gate, opts Options) (Result, error) {
	opts = opts.withDefaults()
	g, err := Expand(ctx, fsys, g, opts)
	if err != nil {
		return Result{}, err
	}
	src, err := newSource(fsys, g, opts)
	if err != nil {
		return Result{}, err
	}
	about, err := ruleOptions(g, src.target)
	if err != nil {
		return Result{}, err
	}
	about.Keep = opts.Baseline != nil && judgesChanges(g)
	fleet, err := rules.NewFleet(about)
	if err != nil {
		return Result{}, err
	}
	in, err := newInspection(g, src, about)
	if err != nil {
		return Result{}, err
	}
	if err := readAll(ctx, g, in, fleet, opts.Workers); err != nil {
		return Result{}, err
	}
	before, err := readBefore(g, opts)
	if err != nil {
		return Result{}, err
	}
	var charts [][]values.Identity
	if about.Keep {
		if charts, err = src.identities(); err != nil {
			return Result{}, err
		}
	}
	r, err := hold(ctx, g, fleet, charts, before)
	if err != nil {
		return Result{}, err
	}
	found, skipped := in.findings(g)
	r.add(found)
	r.Skipped = append(r.Skipped, skipped...)
	r.waive(g, opts.Now)
	return r, nil
}

// hold holds the values that a fleet was given against all rules.
func hold(ctx context.Context, g *gate.Gate, fleet *rules.Fleet, charts [][]values.Identity, before []old) (Result, error) {
	was := make([]rules.Before, len(before))
	for i, b := range before {
		was[i] = rules.Before{Values: b.values, None: b.none}
	}
	var r Result
	var err error
	if r.Findings, r.Skipped, err = fleet.Findings(ctx, was); err != nil {
		return Result{}, err
	}
	for _, p := range g.Packs {
		if len(p.Changes) > 0 {
			r.judgeChanges(p, g, fleet, charts, before)
		}
	}
	return r, nil
}

// maxFindings is how many findings of single clusters and of changes are told
// beside those of the comparison.
const maxFindings = 1000

// add appends findings up to the bound, and one that counts the rest.
func (r *Result) add(found []finding.Finding) {
	if n := len(found); n > maxFindings {
		more := found[maxFindings]
		found = append(found[:maxFindings:maxFindings], finding.Finding{
			Gate: more.Gate, GateFile: more.GateFile, Rule: rules.Limits,
			Message: fmt.Sprintf("limit findings=%d hit: %d more findings are not shown", maxFindings, n-maxFindings),
			Fix:     "correct those that are shown and validate again",
		})
	}
	r.Findings = append(r.Findings, found...)
}

// judgeChanges holds the clusters of which it is known what passed before
// against the changes of a pack.
func (r *Result) judgeChanges(p *packs.Pack, g *gate.Gate, fleet *rules.Fleet, charts [][]values.Identity, before []old) {
	var known []change.Cluster
	for i, c := range g.Spec.Clusters {
		if b := before[i]; b.values != nil {
			known = append(known, change.Cluster{Name: c.Name, Old: b.values, New: fleet.Values(i), OldCharts: b.charts, NewCharts: charts[i]})
		}
	}
	found, skipped := change.Judge(p, known)
	for i := range found {
		found[i].Gate, found[i].GateFile = g.Metadata.Name, g.File
	}
	r.add(found)
	for _, c := range p.Changes {
		for _, none := range unknown(g, before) {
			none.Rule = p.Name + "/" + c.Name
			skipped = append(skipped, none)
		}
	}
	r.Skipped = append(r.Skipped, skipped...)
}

// unknown are the clusters of which nothing is known, by the reason.
func unknown(g *gate.Gate, before []old) []finding.Skipped {
	var out []finding.Skipped
	for i, b := range before {
		if b.values != nil || b.none == "" {
			continue
		}
		at := slices.IndexFunc(out, func(s finding.Skipped) bool { return s.Reason == b.none })
		if at < 0 {
			at = len(out)
			out = append(out, finding.Skipped{Reason: b.none})
		}
		out[at].Clusters = append(out[at].Clusters, g.Spec.Clusters[i].Name)
	}
	return out
}

// judgesChanges reports whether a rule of the Gate looks at what passed before.
func judgesChanges(g *gate.Gate) bool {
	for _, r := range g.Spec.Rules {
		if r.Program != nil && r.Program.Uses("old") {
			return true
		}
	}
	return slices.ContainsFunc(g.Packs, func(p *packs.Pack) bool {
		return len(p.Changes) > 0 || slices.ContainsFunc(p.Rules, func(r packs.Rule) bool { return r.Program.Uses("old") })
	})
}

// old is what passed before on a cluster; without values, none says why.
type old struct {
	values *values.Node
	charts []values.Identity
	none   string
}

// readBefore reads the values that passed before on every cluster.
func readBefore(g *gate.Gate, opts Options) ([]old, error) {
	before := make([]old, len(g.Spec.Clusters))
	ask := judgesChanges(g)
	sources := map[*gate.Gate]*source{}
	places := map[*gate.Gate][]int{}
	for i, c := range g.Spec.Clusters {
		if !ask || opts.Baseline == nil {
			before[i].none = NoBaseline
			continue
		}
		b := opts.Baseline(c.Name)
		if b.Gate == nil {
			before[i].none = b.None
			continue
		}
		if places[b.Gate] == nil {
			places[b.Gate] = formerly(g, b.Gate)
		}
		at := places[b.Gate][i]
		if at < 0 {
			before[i].none = clusterIsNew
			continue
		}
		src := sources[b.Gate]
		if src == nil {
			var err error
			if src, err = newSource(b.FS, b.Gate, Options{Limits: opts.Limits}); err != nil {
				return nil, fmt.Errorf("read what passed before: %w", err)
			}
			sources[b.Gate] = src
		}
		var err error
		if before[i], err = src.passed(at); err != nil {
			return nil, fmt.Errorf("read values of cluster %s that passed before: %w", c.Name, err)
		}
	}
	return before, nil
}

// passed are the values and charts of a cluster that passed before. Values that
// lie where they cannot be read are none.
func (s *source) passed(i int) (old, error) {
	m, err := s.merge(i)
	if err != nil {
		return old{}, err
	}
	if len(m.opaque) > 0 {
		return old{none: "not all values that passed before can be read: " + strings.Join(m.opaque, ", ")}, nil
	}
	charts, err := s.identity(i)
	return old{values: m.values, charts: charts}, err
}

// identities are the charts of every cluster.
func (s *source) identities() ([][]values.Identity, error) {
	all := make([][]values.Identity, len(s.charts))
	for i := range s.charts {
		var err error
		if all[i], err = s.identity(i); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *source) identity(i int) ([]values.Identity, error) {
	c, err := s.chart(i)
	if err != nil || c == nil {
		return nil, err
	}
	return c.Identities(), nil
}

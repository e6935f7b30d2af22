// Package rules says where the values of clusters break a Gate's rules: what
// should be identical and is not, what is required and not set, and what the
// CEL rules of the Gate and its packs say. Findings are data; an error means
// that a rule could not be told.
//
// A Fleet takes in one cluster's merged values after the other and keeps of
// each only a table of small integers, so that ten thousand clusters fit into
// little memory. Values under secret-like keys are kept as keyed hashes only.
package rules

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/values"
)

// The identities of the built-in rules.
const (
	Identical = "identical"
	Required  = "required"
	ListKeys  = "listKeys"
	Unique    = "unique"
	Skew      = "skew"
	Waivers   = "waivers"
	Matches   = "matches"
	// Limits is the rule of a finding that counts those that are not shown. It
	// cannot be waived.
	Limits = "limits"
)

// The bounds of an answer. What is over them is counted, not shown.
const (
	maxFindings = 1000
	maxPlaces   = 500_000
)

// Options say what is compared.
type Options struct {
	// Gate and GateFile name the Gate in every finding.
	Gate, GateFile string
	// Clusters are the names of the clusters in the Gate's order, and Files
	// the file that a value missing in a cluster would be written to.
	Clusters, Files []string
	// PerCluster are the paths that may differ.
	PerCluster []keypath.Glob
	// Reference is the index of the cluster that is right where clusters
	// differ, counted from 1; 0: what most hold is right.
	Reference int
	// Required are the paths that must be set.
	Required []keypath.Glob
	// Unique are the paths at which no two clusters may hold the same value,
	// and Skew those at which their versions may differ for a while. Both may
	// differ without being in PerCluster.
	Unique []keypath.Glob
	Skew   []SkewRule
	// Forbidden is what an Inspector looks for.
	Forbidden []ForbiddenRule
	// ListKeys tell items of lists apart; the first that matches counts.
	ListKeys []ListKey
	// Rules are statements in CEL, and About what they know of the Gate. With
	// rules a Fleet keeps the values, written down small; with Keep it keeps the
	// values themselves.
	Rules []Rule
	About map[string]any
	Keep  bool
}

// ListKey is the field that tells the items of some lists apart.
type ListKey struct {
	Path keypath.Glob
	Key  string
}

// Rule is a statement in CEL over the variables of packs.RuleVariables. ID is
// its identity in findings.
type Rule struct {
	ID, Expr, Message string
	Program           *expr.Program
}

// Before is what passed before on a cluster.
type Before struct {
	// Values are nil when there are none, and None says why. Without a reason
	// nobody asks about the cluster's changes.
	Values *values.Node
	None   string
}

// Fleet is the values of all clusters of a Gate.
type Fleet struct {
	opts    Options
	key     [32]byte       // of the hashes of secret-like values
	kept    []keypath.Glob // paths that may differ and whose values are needed
	mu      sync.Mutex
	workers []*Worker
	trees   []*values.Node // with Keep
	packed  []packed       // with rules
}

// NewFleet makes an empty Fleet.
func NewFleet(opts Options) (*Fleet, error) {
	f := &Fleet{opts: opts, kept: slices.Clone(opts.Unique)}
	for _, s := range opts.Skew {
		f.kept = append(f.kept, s.Path)
	}
	if _, err := rand.Read(f.key[:]); err != nil {
		return nil, fmt.Errorf("make key for secret values: %w", err)
	}
	if len(opts.Rules) > 0 {
		f.packed = make([]packed, len(opts.Clusters))
	}
	if opts.Keep {
		f.trees = make([]*values.Node, len(opts.Clusters))
	}
	return f, nil
}

// Values are the merged values of a cluster that was added, nil when they were
// not kept.
func (f *Fleet) Values(cluster int) *values.Node {
	if f.trees == nil {
		return nil
	}
	return f.trees[cluster]
}

// Findings says where the rules do not hold, once every cluster was added, and
// which could not be asked. before has an entry for each cluster. The order of
// the clusters changes nothing but the order of places.
func (f *Fleet) Findings(ctx context.Context, before []Before) ([]finding.Finding, []finding.Skipped, error) {
	t := f.merge()
	out := &collector{opts: f.opts}
	f.listKeyFindings(t, out)
	c := &comparer{table: t, opts: f.opts, out: out}
	c.identical()
	c.required()
	c.unique()
	c.skew()
	skipped, err := f.evaluate(ctx, before, out)
	if err != nil {
		return nil, nil, err
	}
	return out.findings(), skipped, ctx.Err()
}

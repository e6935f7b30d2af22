// Package provenance is where the values of clusters come from, and where clusters
// differ, in a form that can be told: nothing of it reads or judges anything.
package provenance

import "github.com/syncgate/syncgate/policies/finding"

// Explanation says where the values at some key paths come from.
type Explanation struct {
	// Paths are the key paths that the glob names, sorted.
	Paths []PathChains
	// More is how many key paths there are at least beside them.
	More int
	// Nearest are key paths that may have been meant, the likeliest first, when
	// no cluster holds anything at one that the glob names.
	Nearest []string
}

// Found reports whether a cluster holds a value at one of the paths.
func (e Explanation) Found() bool {
	for _, p := range e.Paths {
		for _, c := range p.Chains {
			if !c.Missing {
				return true
			}
		}
	}
	return false
}

// PathChains is one key path. A cluster in which no layer says anything of the
// path is in no chain.
type PathChains struct {
	Path string `json:"path" jsonschema:"required"`
	// Chains are the clusters by how they come to what they hold, the largest
	// group first.
	Chains []Chain `json:"chains" jsonschema:"required"`
	// Unset are the clusters in which no layer sets the path.
	Unset []string `json:"unset,omitempty"`
}

// Chain is clusters that hold the same value for the same reason: the same
// layers say the same. Only the files may be different ones.
type Chain struct {
	// Value is what they hold, as in a finding: JSON, shortened, secret-like
	// values redacted. Empty when Missing.
	Value string `json:"value,omitempty"`
	// Missing is true when a layer takes away what others set.
	Missing bool `json:"missing,omitempty"`
	// Clusters are in the Gate's order.
	Clusters []string `json:"clusters" jsonschema:"required"`
	// Steps are the layers that say something of the path, the weakest first.
	Steps []Step `json:"steps" jsonschema:"required"`
}

// Step is what one layer says.
type Step struct {
	Layer string `json:"layer" jsonschema:"required"`
	// Subchart is the subchart's path in the values, for a default of one.
	Subchart string `json:"subchart,omitempty"`
	// Above is the key path at which the layer has its value, when that is one
	// above: it leaves no room for the path that was asked for.
	Above string `json:"above,omitempty"`
	Value string `json:"value" jsonschema:"required"`
	// Outcome is what became of it.
	Outcome Outcome `json:"outcome" jsonschema:"required"`
	// Places are where it stands in each of the chain's clusters.
	Places []finding.Place `json:"places" jsonschema:"required"`
}

// The layers of a cluster's values, the weakest first. What objects of Argo CD
// and Flux give has the name of its field there.
const (
	LayerSubchart = "subchart default"
	LayerChart    = "chart default"
	LayerFile     = "values file"
	// LayerBeside is what is compared beside the values: what delivers them,
	// other files, Secrets.
	LayerBeside = "beside values"
	// LayerPassed is a value that another key path was given: a global that a
	// chart hands down, or a value imported from a subchart.
	LayerPassed = "handed on"
)

// Outcome is what became of what a layer says.
type Outcome string

// The outcomes.
const (
	Won        Outcome = "won"        // it is what the cluster holds
	Merged     Outcome = "merged"     // a map that is part of what the cluster holds
	Overridden Outcome = "overridden" // a later layer says otherwise
	Removes    Outcome = "removes"    // it takes away what weaker layers set
)

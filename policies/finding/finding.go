// Package finding is what a rule has to say of the values: where it does not
// hold. Findings are data; that something could not be read is an error.
package finding

import "strconv"

// Finding says where a rule does not hold.
type Finding struct {
	// Gate is the Gate's name and GateFile its path in the tree.
	Gate     string `json:"gate"`
	GateFile string `json:"gateFile"`
	// Rule is the rule's identity: "identical", "required", "cel/<name>",
	// "<pack>/<name>".
	Rule string `json:"rule"`
	// Path is the key path, "mattermostEnv[name=MM_X].value"; empty when the
	// rule speaks of no single path.
	Path string `json:"path,omitempty"`
	// Message is one line: what was expected and what was found.
	Message string `json:"message"`
	// Fix is what to do next.
	Fix string `json:"fix"`
	// Diff makes the finding hold: a unified diff of the repository's files, where
	// there is one answer. Secrets next to what changes are redacted. Why there
	// is none stands in Fix.
	Diff string `json:"diff,omitempty"`
	// Holdings say what each cluster holds there, clusters of one value
	// together, the largest group first. Secret-like values are redacted.
	Holdings []Holding `json:"holdings,omitempty"`
}

// Waived is a finding that the Gate lets be.
type Waived struct {
	Finding Finding `json:"finding"`
	// Reason is why.
	Reason string `json:"reason"`
	// Until is the last day on which it may be.
	Until string `json:"until"`
}

// Skipped is a rule that was not asked of some clusters, and why. It neither
// holds there nor does not hold.
type Skipped struct {
	// Rule is the rule's identity.
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	// Clusters are the clusters it was not asked of.
	Clusters []string `json:"clusters,omitempty"`
}

// Holding is one value and the clusters that hold it.
type Holding struct {
	// Value is the value as JSON, or as it is written where that matters,
	// shortened; "<redacted>" under a secret-like key; empty when Missing.
	Value string `json:"value,omitempty"`
	// Missing is true when the path is not set.
	Missing bool `json:"missing,omitempty"`
	// Right is true for the value of the Gate's reference cluster, against
	// which the others are held.
	Right bool `json:"right,omitempty"`
	// Places say for each cluster, in the Gate's order, where the value comes
	// from.
	Places []Place `json:"places"`
}

// Place is a cluster and the position that won there.
type Place struct {
	Cluster  string   `json:"cluster"`
	Position Position `json:"position,omitzero"`
}

// Position is a place in a file of the tree. Line and Column start at 1; 0
// means the whole file.
type Position struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String is "file:line:column", without what is not known.
func (p Position) String() string {
	s := p.File
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
		if p.Column > 0 {
			s += ":" + strconv.Itoa(p.Column)
		}
	}
	return s
}

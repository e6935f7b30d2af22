package provenance

// Matrix is where the clusters of a Gate differ, whether they may or not.
type Matrix struct {
	// Clusters are the names of the clusters, in the Gate's order.
	Clusters []string `json:"clusters" jsonschema:"required"`
	// Rows are the key paths at which they differ, sorted.
	Rows []MatrixRow `json:"rows" jsonschema:"required"`
	// More is how many key paths there are at least beside Rows.
	More int `json:"more,omitempty"`
}

// MatrixRow is one key path, and what the clusters hold there.
type MatrixRow struct {
	PathChains
	// Broken are the rules that do not hold at the path; without any, the
	// clusters may differ there.
	Broken []string `json:"broken,omitempty"`
	// Allowed is the entry of the Gate by which they may differ, and Reason the
	// one it gives.
	Allowed string `json:"allowed,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

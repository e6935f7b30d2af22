package gate

// PerCluster allows a key path to differ between clusters.
type PerCluster struct {
	// Path is a glob over key paths: "ingress.host", "resources.**",
	// "mattermostEnv[name=MM_SERVICESETTINGS_SITEURL].value".
	Path string `json:"path" jsonschema:"required"`
	// Reason is for the person who asks why.
	Reason string `json:"reason,omitempty"`
	// Parameter lets an Argo CD Application set such a value of its cluster, as
	// the plugin parameter "values.<path>". The server's checks and a revert
	// know only what is in Git.
	Parameter bool `json:"parameter,omitempty"`
}

// Unique asks that no two clusters hold the same value at a key path. The path
// may differ between clusters without being listed in perCluster.
type Unique struct {
	// Path is a glob over key paths. A value that one cluster holds at any of
	// the paths it names may not stand at any of them in another.
	Path string `json:"path" jsonschema:"required"`
	// Reason is for the person who asks why.
	Reason string `json:"reason,omitempty"`
}

// Skew lets clusters hold different versions at a key path while an upgrade
// goes from one to the next. The path may differ between clusters without being
// listed in perCluster.
type Skew struct {
	// Path is a glob over key paths; each path that it names is looked at by
	// itself.
	Path string `json:"path" jsonschema:"required"`
	// Versions is how many different versions there may be at once. Default 2.
	Versions int `json:"versions,omitempty"`
	// Apart is how far two neighbouring versions may be apart: "patch", the
	// same minor version; "minor", the same or the next minor version; "major",
	// the same or the next major version. Default minor.
	Apart string `json:"apart,omitempty" jsonschema:"enum=patch,enum=minor,enum=major"`
	// Oldest is the oldest version that any cluster may hold.
	Oldest string `json:"oldest,omitempty"`
	// Reason is for the person who asks why.
	Reason string `json:"reason,omitempty"`
}

// ListKey names the field that tells the items of a list apart.
type ListKey struct {
	// Path is the key path of the list, a glob.
	Path string `json:"path" jsonschema:"required"`
	// Key is the field: a string, number or boolean in every item.
	Key string `json:"key" jsonschema:"required"`
}

// Rule is a statement about the values of all clusters, in CEL.
type Rule struct {
	// Name is unique in the Gate.
	Name string `json:"name" jsonschema:"required"`
	// Expr is a CEL expression over clusters, a map from a cluster's name to
	// its merged values. It is true where the rule holds; a list of strings is
	// taken as one finding each, an empty string or list as none.
	Expr string `json:"expr" jsonschema:"required"`
	// Message says what to do when the rule does not hold.
	Message string `json:"message,omitempty"`
}

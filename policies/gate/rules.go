package gate

import (
	"strings"
	"time"

	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/finding"
)

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
	// the paths it names may not stand at any of them in another. What is written
	// alike is the same value, 1 and "1", and so is what differs in case alone.
	Path string `json:"path" jsonschema:"required"`
	// Reason is for the person who asks why.
	Reason string `json:"reason,omitempty"`
}

// Skew lets clusters hold different versions at a key path while an upgrade
// goes from one to the next. The path may differ between clusters without being
// listed in perCluster.
type Skew struct {
	// Path is a glob over key paths; each path that it names is looked at by
	// itself. Where one cluster holds a version, every cluster must; with a glob,
	// a cluster may lack a part above the path that perCluster lets it lack.
	Path string `json:"path" jsonschema:"required"`
	// Versions is how many different versions there may be at once. Default 2.
	Versions int `json:"versions,omitempty"`
	// Apart is how far two neighbouring versions may be apart: "patch", the
	// same minor version; "minor", the same or the next minor version, where the
	// first minor version of a major one is next to every one of the major before:
	// 2.0 to 1.2 as to 1.9; "major", the same or the next major version. Default
	// minor.
	Apart string `json:"apart,omitempty" jsonschema:"enum=patch,enum=minor,enum=major"`
	// Oldest is the oldest version that any cluster may hold.
	Oldest string `json:"oldest,omitempty"`
	// Reason is for the person who asks why.
	Reason string `json:"reason,omitempty"`
}

// Forbidden says what must not stand in the values of any cluster.
type Forbidden struct {
	// What is forbidden: "secrets", credentials in plain text, by the form of
	// well-known tokens and by keys that name a secret; "latest", images whose
	// tag is latest, or that are a reference without a tag; "unpinned", images
	// without a whole digest.
	What string `json:"what" jsonschema:"required,enum=secrets,enum=latest,enum=unpinned"`
	// Paths are globs of the key paths at which, and below which, it is
	// forbidden. Default: everywhere.
	Paths []string `json:"paths,omitempty"`
	// Except are globs of the key paths at which, and below which, it may stand;
	// "$secrets.<name>" for a Secret of spec.secrets.
	Except []string `json:"except,omitempty"`
	// Reason is for the person who asks why.
	Reason string `json:"reason,omitempty"`
}

// Match holds the values of every cluster against a JSON Schema.
type Match struct {
	// Schema is the file of the schema, relative to the Gate file, or "chart" for
	// the values.schema.json of the chart and its subcharts. That of a chart which
	// the Gate renders is held without being listed, as Helm does.
	Schema string `json:"schema" jsonschema:"required"`
	// Path is the key path whose value must meet it, of plain names. Default: the
	// values as a whole.
	Path string `json:"path,omitempty"`
}

// SchemaOfChart is the word for the chart's own schema in a Match.
const SchemaOfChart = "chart"

// ListKey names the field that tells the items of a list apart.
type ListKey struct {
	// Path is the key path of the list, a glob.
	Path string `json:"path" jsonschema:"required"`
	// Key is the field: a string, number or boolean in every item.
	Key string `json:"key" jsonschema:"required"`
}

// Rule is a statement about the values, in CEL. With cluster, old or new in it,
// it is asked for each cluster, otherwise once.
type Rule struct {
	// Name is unique in the Gate.
	Name string `json:"name" jsonschema:"required"`
	// Expr is a CEL expression over clusters, a map from a cluster's name to
	// its merged values; gate, with the fields name, ns, reference and clusters;
	// and, for each cluster, its name in cluster, its merged values in new and
	// those that passed before in old. It is true where the rule holds; a list
	// of strings is taken as one finding each, an empty string or list as none.
	Expr string `json:"expr" jsonschema:"required"`
	// Message says what to do when the rule does not hold.
	Message string `json:"message,omitempty"`

	// Program is Expr, compiled when the Gate was read.
	Program *expr.Program `json:"-"`
}

// Waiver lets one finding be, for a reason and until a day.
type Waiver struct {
	// Rule is the identity of the finding's rule: "identical",
	// "mattermost/no-server-downgrade".
	Rule string `json:"rule" jsonschema:"required"`
	// Path is the finding's key path, none when it has none.
	Path string `json:"path,omitempty"`
	// Says is a text that stands in the finding's message, where a rule has
	// several findings at one path.
	Says string `json:"says,omitempty"`
	// Reason is for the person who asks why.
	Reason string `json:"reason" jsonschema:"required"`
	// Until is the last day on which it holds, in UTC: "2026-12-31". The plugin
	// knows no day: while rendering, a waiver holds whatever the day.
	Until string `json:"until" jsonschema:"required"`

	// Position is where it stands in the Gate file.
	Position finding.Position `json:"-"`
}

// day is how Until is written.
const day = "2006-01-02"

// Expired reports whether the waiver's last day is over at that time.
func (w Waiver) Expired(now time.Time) bool {
	until, err := time.Parse(day, w.Until)
	return err != nil || !now.Before(until.AddDate(0, 0, 1))
}

// Covers reports whether the waiver is for that finding.
func (w Waiver) Covers(f finding.Finding) bool {
	return w.Rule == f.Rule && w.Path == f.Path && strings.Contains(f.Message, w.Says)
}

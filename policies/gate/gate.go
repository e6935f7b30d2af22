// Package gate is the Gate file, syncgate.yaml: what one application must pass
// before, while and after it is synced. It holds the types, decodes them
// strictly from YAML with the place of every mistake, and finds the Gates of a
// repository. It reads through fs.FS only: a folder, a Git tree and an archive
// in memory are all the same to it.
package gate

import "github.com/syncgate/syncgate/policies/packs"

// What a Gate file must say of itself, and the name it is found by.
const (
	APIVersion = "syncgate.dev/v1alpha1"
	Kind       = "Gate"
	FileName   = "syncgate.yaml"
)

// Gate is what one application must pass: its clusters, values, rules, checks
// and what to do when a check fails after the sync.
type Gate struct {
	// APIVersion is "syncgate.dev/v1alpha1".
	APIVersion string `json:"apiVersion" jsonschema:"required"`
	// Kind is "Gate".
	Kind string `json:"kind" jsonschema:"required"`
	// Metadata names the Gate.
	Metadata Metadata `json:"metadata" jsonschema:"required"`
	// Spec is what the application must pass.
	Spec Spec `json:"spec" jsonschema:"required"`

	// File is the path of the Gate file in the tree it was loaded from, with
	// slashes; every relative path in the Gate is relative to its folder.
	File string `json:"-"`
	// Packs are the packs that spec.packs names, in its order.
	Packs []*packs.Pack `json:"-"`
}

// Metadata names the Gate. The name is unique in a repository.
type Metadata struct {
	// Name is a DNS label: it becomes part of branch, Job and object names.
	Name string `json:"name" jsonschema:"required"`
}

// Spec is the body of a Gate.
type Spec struct {
	// Source says what is rendered for a cluster.
	Source Source `json:"source,omitempty"`
	// Namespace is where the application runs, when a check does not say.
	Namespace string `json:"namespace,omitempty"`
	// Packs are sets of rules, list keys and check presets to use: the name of a
	// built-in one, or the path of a pack's file or folder in the repository,
	// relative to the Gate file. A path has a slash or ends in ".yaml".
	Packs []string `json:"packs,omitempty"`
	// Clusters are the places where the application runs, at least one. With
	// clustersFrom they may be left out; when they are listed, exactly these
	// must be found there.
	Clusters []Cluster `json:"clusters,omitempty"`
	// ClustersFrom takes the clusters and their values from the objects that
	// deliver the application.
	ClustersFrom []ClustersFrom `json:"clustersFrom,omitempty"`
	// Reference is the cluster that is right where clusters differ. Default: the
	// value that most clusters hold counts as the right one.
	Reference string `json:"reference,omitempty"`
	// Files are other configuration files that are compared beside the values.
	Files []File `json:"files,omitempty"`
	// Secrets are Secrets that every cluster must have in the repository, with
	// the same keys.
	Secrets []Secret `json:"secrets,omitempty"`
	// PerCluster lists the key paths that may differ between clusters.
	// Everything else must be identical.
	PerCluster []PerCluster `json:"perCluster,omitempty"`
	// ListKeys say by which field the items of a list are told apart, so that
	// they are compared by name and not by position.
	ListKeys []ListKey `json:"listKeys,omitempty"`
	// Required are the key paths that every cluster must set to a value that
	// is not null and not empty.
	Required []string `json:"required,omitempty"`
	// Unique are the key paths at which no two clusters may hold the same value:
	// addresses, buckets, databases.
	Unique []Unique `json:"unique,omitempty"`
	// Skew are the key paths at which clusters may hold different versions for
	// as long as an upgrade goes from one to the next.
	Skew []Skew `json:"skew,omitempty"`
	// Forbidden is what must not stand in the values.
	Forbidden []Forbidden `json:"forbidden,omitempty"`
	// Matches are JSON Schemas that the values must meet.
	Matches []Match `json:"matches,omitempty"`
	// Rules are the Gate's own statements about the values, in CEL.
	Rules []Rule `json:"rules,omitempty"`
	// Waivers let single findings be until a day.
	Waivers []Waiver `json:"waivers,omitempty"`
	// PreSync is asked before anything is applied.
	PreSync Phase `json:"preSync,omitempty"`
	// PostSync is asked once everything is applied.
	PostSync Phase `json:"postSync,omitempty"`
	// Revert says what happens when PostSync does not pass.
	Revert Revert `json:"revert,omitempty"`
	// Bypass says what happens when a sync went past this Gate's hooks.
	Bypass Bypass `json:"bypass,omitempty"`
	// Guards are fields of objects in the cluster that may change only as a
	// passed Run of this Gate has them; the admission webhook refuses the rest.
	Guards []Guard `json:"guards,omitempty"`
}

// Source is exactly one of its fields. Without any, the Gate only guards
// values and cannot be rendered.
type Source struct {
	// Helm renders a chart that lies in the repository.
	Helm *Helm `json:"helm,omitempty"`
	// Kustomize renders a Kustomization.
	Kustomize *Directory `json:"kustomize,omitempty"`
	// Plain renders a folder of manifests as they are.
	Plain *Directory `json:"plain,omitempty"`
}

// Helm renders a chart that lies in the repository. Its values.yaml is the
// first layer of every cluster's values.
type Helm struct {
	// Chart is the chart's folder, relative to the Gate file.
	Chart string `json:"chart" jsonschema:"required"`
	// ReleaseName defaults to the Application's name.
	ReleaseName string `json:"releaseName,omitempty"`
	// Namespace defaults to spec.namespace, then to the Application's.
	Namespace string `json:"namespace,omitempty"`
	// SkipCRDs leaves the chart's crds/ folder out.
	SkipCRDs bool `json:"skipCRDs,omitempty"`
}

// Directory renders a folder: a Kustomization, or plain manifests.
type Directory struct {
	// Path is relative to the Gate file; "${cluster}" stands for the
	// cluster's name.
	Path string `json:"path" jsonschema:"required"`
}

// Cluster is one place where the application runs.
type Cluster struct {
	// Name is unique in the Gate; the server knows the cluster by it.
	Name string `json:"name" jsonschema:"required"`
	// Values are values files relative to the Gate file, later ones win.
	Values []string `json:"values,omitempty"`
	// Namespace overrides spec.namespace here.
	Namespace string `json:"namespace,omitempty"`

	// Release is what spec.clustersFrom found for the cluster; nil without it.
	Release *Release `json:"-"`
}

// Phase is a list of checks and how long to go on asking them.
type Phase struct {
	// Deadline ends the Run as Expired when a check still waits then.
	// Default 30m.
	Deadline Duration `json:"deadline,omitempty"`
	// Interval is the time between two questions of a check that waits.
	// Default 10s.
	Interval Duration `json:"interval,omitempty"`
	// FreshFor is how long a passed Run of the same revision answers for a
	// new attempt. Default 15m before the sync, 0 after it.
	FreshFor Duration `json:"freshFor,omitempty"`
	// Checks must all pass.
	Checks []Check `json:"checks,omitempty"`
}

// Bypass says what happens when the server sees that a sync went past the
// hooks, which it can where it watches Argo CD's Applications.
type Bypass struct {
	// Validate asks the postSync checks all the same, and reverts when they do
	// not pass. Without it, the bypass is only reported.
	Validate bool `json:"validate,omitempty"`
}

// Revert says whether, where and with what a failed change is undone.
type Revert struct {
	// Disabled turns the revert pull request off; failures are only reported.
	Disabled bool `json:"disabled,omitempty"`
	// Branch is the branch that is synced, and the base of the pull request.
	// Default: the branch the server has for the repository.
	Branch string `json:"branch,omitempty"`
	// Paths are more guarded files, globs relative to the Gate file. The
	// values files of every cluster and the source's folder always are.
	Paths []string `json:"paths,omitempty"`
	// Labels are put on the pull request beside "syncgate".
	Labels []string `json:"labels,omitempty"`
	// Gate names the PreSync checks that a revert still needs. Default: none,
	// so that what is broken does not stand in the way of its own repair. The
	// rules, and what the server requires, are always asked. A revert is what
	// gives every guarded file back as it was in the last revision that passed
	// on the cluster, after what was applied since has failed there.
	Gate []string `json:"gate,omitempty"`
}

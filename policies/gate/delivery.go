package gate

import (
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/values"
)

// ClustersFrom names objects in the repository that deliver the application:
// Argo CD's Applications and ApplicationSets, or Flux's HelmReleases. Each
// gives a cluster, with its values as that tool merges them.
type ClustersFrom struct {
	// Files are YAML files with the objects, and with the ConfigMaps and Secrets
	// that a HelmRelease names: globs relative to the Gate file. "${cluster}"
	// stands for the cluster's name and matches a part of one folder's or file's
	// name; what a glob without it names belongs to every cluster.
	Files []string `json:"files,omitempty"`
	// Kustomizations are folders with a kustomization.yaml that build the
	// objects, globs as in files.
	Kustomizations []string `json:"kustomizations,omitempty"`
	// Kind keeps the objects of one kind: Application, ApplicationSet or
	// HelmRelease. Needed when there are several kinds.
	Kind string `json:"kind,omitempty" jsonschema:"enum=Application,enum=ApplicationSet,enum=HelmRelease"`
	// Name keeps the objects of that name, a glob: "mattermost-${cluster}". Of an
	// ApplicationSet it is the name of the Applications it makes.
	Name string `json:"name,omitempty"`
	// Source picks one of several sources of an Application: by its name, its
	// chart or its path. Needed when several could be Helm charts.
	Source string `json:"source,omitempty"`
	// Repository is this repository's URL as the objects write it. Needed when
	// Applications name several Git repositories, and when a HelmRelease has its
	// chart in a GitRepository that is among the objects.
	Repository string `json:"repository,omitempty"`
	// ArgoClusters are the clusters that Argo CD knows, for the cluster
	// generator of an ApplicationSet, which asks Argo CD and not Git.
	ArgoClusters []ArgoCluster `json:"argoClusters,omitempty"`
	// Variables says what "${NAME}" in a HelmRelease means when a Flux
	// Kustomization substitutes it after the build: the value of each name,
	// in which "${cluster}" stands for the cluster's name. A name that is not
	// listed is an error, unless it has a default and others are listed; where
	// none is substituted, list it as NAME: ${NAME}.
	Variables map[string]string `json:"variables,omitempty"`
}

// ArgoCluster is what Argo CD knows of a cluster.
type ArgoCluster struct {
	// Name is the cluster's name in Argo CD.
	Name string `json:"name" jsonschema:"required"`
	// Server is its URL.
	Server string `json:"server,omitempty"`
	// Project is the project it is bound to.
	Project string `json:"project,omitempty"`
	// Labels are those of its Secret.
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations are those of its Secret.
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Release is what an object in the repository says is installed on a cluster.
type Release struct {
	// Object names the object: "Application argocd/mattermost-eu", and Position
	// is where it stands.
	Object   string
	Position finding.Position
	// Name and Namespace are those of the Helm release.
	Name, Namespace string
	// Chart is the chart's folder in the tree, "" when the chart does not lie in
	// the repository.
	Chart string
	// Defaults are values files that take the place of the chart's values.yaml,
	// nil when that one stays.
	Defaults []string
	// SkipCRDs leaves the chart's crds/ folder out.
	SkipCRDs bool
	// Layers are the values, the weakest first.
	Layers []Layer
	// Source is what is delivered: where the chart comes from, its version, and
	// what is named but cannot be read. It is compared as "$source".
	Source *values.Node
	// Files are the files of the tree that say all this.
	Files []string
	// Patterns are those by which files of Layers were found, as doublestar reads
	// them: a file that comes later belongs to the release as well.
	Patterns []string
}

// Layer is values that one part of an object gives. It has exactly one of File,
// Values and Set, or it has Opaque.
type Layer struct {
	// Name says what it is: "values file", "valuesObject", "parameter".
	Name string
	// File is a values file of the tree, still to be read.
	File string
	// Values are given in place.
	Values *values.Node
	// Set is set over what weaker layers give.
	Set []values.Assignment
	// Opaque names what cannot be read in Git, a Secret: what it sets is not
	// known. Where it is known which key it sets, Set says that as an Unknown.
	Opaque string
}

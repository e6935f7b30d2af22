package gate

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/syncgate/syncgate/policies/tree"
)

// File is a configuration file that every cluster has one of. It is compared
// beside the values, under "$files" and its name.
type File struct {
	// Name is unique among the files of the Gate.
	Name string `json:"name" jsonschema:"required"`
	// Path is relative to the Gate file; "${cluster}" stands for the cluster's
	// name. By the end of its name: YAML and JSON are compared key by key, several
	// objects under their kinds and names, other documents as a list; lines of
	// NAME=VALUE by name; anything else as one text. YAML that cannot be read is
	// an error.
	Path string `json:"path" jsonschema:"required"`
	// Optional allows a cluster to have no such file; that some have one and
	// others do not is a difference all the same.
	Optional bool `json:"optional,omitempty"`
}

// Secret is a Secret that every cluster must have in the repository, not to be
// read there: as SealedSecret, as ExternalSecret or encrypted by SOPS, in its
// namespace. That it is there and which keys it has is compared, under
// "$secrets" and its name. A Secret in plain text is a finding.
type Secret struct {
	// Name is the Secret's name on the clusters; for a file that SOPS encrypted
	// and that is no Kubernetes object, any name.
	Name string `json:"name" jsonschema:"required"`
	// Path names the files it may stand in, a glob relative to the Gate file;
	// "${cluster}" stands for the cluster's name.
	Path string `json:"path" jsonschema:"required"`
	// Namespace the Secret is in: that of the HelmRelease, where it takes values from
	// it. Default: the Gate's on the cluster.
	Namespace string `json:"namespace,omitempty"`
}

// besideName is a name that key paths and CEL take without quotes.
var besideName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][-_A-Za-z0-9]{0,252}$`) })

// beside looks at what is compared beside the values.
func (d *decoder) beside(g *Gate) {
	seen := map[string]string{}
	for i, f := range g.Spec.Files {
		field := fmt.Sprintf("spec.files[%d]", i)
		d.expect(field+".name", besideName().MatchString(f.Name), fmt.Sprintf("expected letters, digits, '-' and '_', found %.80q", f.Name), "give it a short name")
		d.unique(seen, field+".name", f.Name)
		_, err := tree.Join(g.Dir(), f.Path)
		d.expectNoError(field+".path", err, "correct the path")
	}
	seen = map[string]string{}
	for i, s := range g.Spec.Secrets {
		field := fmt.Sprintf("spec.secrets[%d]", i)
		d.expect(field+".name", s.Name != "" && len(s.Name) <= 253, "expected the name of a Secret", "name it")
		d.unique(seen, field+".name", s.Name)
		_, err := tree.Join(g.Dir(), s.Path)
		d.expectNoError(field+".path", err, "correct the glob")
		d.expect(field+".namespace", s.Namespace == "" || dnsLabel.MatchString(s.Namespace),
			fmt.Sprintf("expected the name of a namespace, found %.80q", s.Namespace), "correct it, or leave it out")
	}
}

// For is a path or glob of the Gate for one cluster, as a path of the tree.
func (g *Gate) For(rel, cluster string) (string, error) {
	return g.Resolve(strings.ReplaceAll(rel, clusterMark, cluster))
}

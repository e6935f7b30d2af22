package checks

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/syncgate/syncgate/hooks/check"
)

// request is what was asked of an API server, as RBAC sees it.
type request struct {
	verb      string
	resource  string // "pods", "volumesnapshots.snapshot.storage.k8s.io"
	namespace string // "" for objects of the whole cluster
	name      string // "" for all
}

func (r request) String() string {
	s := r.verb + " " + r.resource
	if r.name != "" {
		s += " " + r.name
	}
	if r.namespace != "" {
		s += " in namespace " + r.namespace
	}
	return s
}

// failed says what could not be asked. All of it is Unknown: the engine asks
// again. Where the server is not allowed to ask, it says what to grant.
func (r request) failed(t check.Target, err error) error {
	if !apierrors.IsForbidden(err) {
		return fmt.Errorf("%s at cluster %s: %w", r, t.Change.Cluster, err)
	}
	grant := "a ClusterRole"
	if r.namespace != "" {
		grant = "a Role in namespace " + r.namespace
	}
	return fmt.Errorf("%s at cluster %s: not allowed: grant the server verb %q on resource %q by %s there: %w",
		r, t.Change.Cluster, r.verb, r.resource, grant, err)
}

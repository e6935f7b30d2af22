package checks

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/syncgate/syncgate/hooks/check"
)

// kindsFor is how long a cluster's answer about its kinds is kept, and
// maxKinds how many answers are.
const (
	kindsFor = 5 * time.Minute
	maxKinds = 1000
)

// kinds finds the resource of a kind in a cluster, and remembers what it
// found. That a cluster has no such kind is not remembered. Safe for
// concurrent use.
type kinds struct {
	mu    sync.Mutex
	known map[kindKey]knownKind
}

type kindKey struct{ cluster, apiVersion, kind string }

type knownKind struct {
	resource   schema.GroupVersionResource
	namespaced bool
	until      time.Time
}

func newKinds() *kinds { return &kinds{known: map[kindKey]knownKind{}} }

// name is the resource as RBAC names it.
func (k knownKind) name() string {
	if k.resource.Group == "" {
		return k.resource.Resource
	}
	return k.resource.Resource + "." + k.resource.Group
}

// find asks the cluster about one group version. fresh asks even when the
// answer is known. An error says what the cluster has in place of the kind.
func (k *kinds) find(t check.Target, apiVersion, kind string, fresh bool) (knownKind, error) {
	key := kindKey{t.Change.Cluster, apiVersion, kind}
	now := time.Now()
	k.mu.Lock()
	known, ok := k.known[key]
	k.mu.Unlock()
	if ok && !fresh && now.Before(known.until) {
		return known, nil
	}
	known, err := discover(t, apiVersion, kind)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, key)
	if err != nil {
		return knownKind{}, err
	}
	if len(k.known) >= maxKinds {
		clear(k.known)
	}
	known.until = now.Add(kindsFor)
	k.known[key] = known
	return known, nil
}

func discover(t check.Target, apiVersion, kind string) (knownKind, error) {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return knownKind{}, fmt.Errorf("read apiVersion %.200q: %w", apiVersion, err)
	}
	list, err := t.Kube.Discovery().ServerResourcesForGroupVersion(apiVersion)
	switch {
	case apierrors.IsNotFound(err):
		return knownKind{}, fmt.Errorf("find kind %s of %s: cluster %s serves no %s: install its CustomResourceDefinition or correct apiVersion", kind, apiVersion, t.Change.Cluster, apiVersion)
	case err != nil:
		return knownKind{}, fmt.Errorf("find kind %s of %s at cluster %s: %w", kind, apiVersion, t.Change.Cluster, err)
	}
	var others []string
	for _, r := range list.APIResources {
		if strings.Contains(r.Name, "/") {
			continue
		}
		if r.Kind == kind {
			return knownKind{resource: gv.WithResource(r.Name), namespaced: r.Namespaced}, nil
		}
		others = append(others, r.Kind)
	}
	return knownKind{}, fmt.Errorf("find kind %s of %s: cluster %s has no such kind there, it has %s: correct kind", kind, apiVersion, t.Change.Cluster, listOr(others, "none"))
}

func listOr(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return list(names)
}

// missingObject reports that err says "no such object", and not "no such
// resource", which API servers answer with the same code.
func missingObject(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	if details == nil || details.Name == "" {
		return false
	}
	for _, c := range details.Causes {
		if c.Type == metav1.CauseTypeUnexpectedServerResponse {
			return false
		}
	}
	return true
}

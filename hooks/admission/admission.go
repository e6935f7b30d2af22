// Package admission decides what an API server asks before it changes a
// guarded object: a change of a guarded field is let through when a passed,
// fresh Run covers the value that the field is to have. It answers from memory
// alone; who runs the Runs keeps the Index current. What is not known is
// refused.
package admission

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/policies/gate"
)

// NamespaceLabel is the label, with LabelValue, that has a namespace's objects
// asked about. The webhook's configuration selects by it.
const (
	NamespaceLabel = "syncgate.dev/guard"
	LabelValue     = "enabled"
)

// Key names a Gate on a cluster. Repository is the server's own name of it.
type Key struct{ Repository, Gate, Cluster string }

// Guard is a guard of a Gate on one cluster.
type Guard struct {
	Kind schema.GroupVersionKind
	// Namespace of the objects; Name of the one, "" for all of the kind.
	Namespace, Name string
	Fields          []Field
}

// Field is a guarded field.
type Field struct {
	Path string
	// Unset is what it means that the object does not have it.
	Unset string
	steps []step
}

// NewGuard is the guard that a Gate, or the server's configuration, describes.
func NewGuard(g gate.Guard, namespace string) (Guard, error) {
	gv, err := schema.ParseGroupVersion(g.APIVersion)
	if err != nil {
		return Guard{}, fmt.Errorf("read guard of %s: %w", g.Kind, err)
	}
	if namespace == "" {
		return Guard{}, fmt.Errorf("read guard of %s: expected to know the namespace of the guarded objects, found none; set spec.namespace of the Gate", g.Kind)
	}
	out := Guard{Kind: gv.WithKind(g.Kind), Namespace: namespace, Name: g.Name}
	for _, f := range g.Fields {
		segments, err := f.Segments()
		if err != nil {
			return Guard{}, fmt.Errorf("read guard of %s: %w", g.Kind, err)
		}
		out.Fields = append(out.Fields, Field{Path: f.Path, Unset: f.Unset, steps: stepsOf(segments)})
	}
	return out, nil
}

// Target is what a guard's values are kept under.
func (g Guard) Target() Target { return Target{g.Kind.GroupKind(), g.Name} }

// matches reports whether g guards the object, in whatever version.
func (g Guard) matches(r *Request) bool {
	return g.Kind.GroupKind() == r.Kind.GroupKind() && g.Namespace == r.Namespace && (g.Name == "" || g.Name == r.Name)
}

// Target is a kind of objects, or one of them when Name is not "".
type Target struct {
	Kind schema.GroupKind
	Name string
}

// Values are what a revision makes of guarded fields, by their paths.
type Values map[Target]map[string]string

// Cover is a Run that lets guarded fields take values.
type Cover struct {
	Run      string
	Phase    hooks.Phase
	Revision string
	Verdict  hooks.Verdict
	// Until is when it ends; for a baseline it does not matter.
	Until  time.Time
	Values Values
}

// Seen is the newest Run of a Gate on a cluster, for people.
type Seen struct {
	Run      string
	Phase    hooks.Phase
	Revision string
	Verdict  hooks.Verdict
	Reason   string
	Ended    time.Time
	// FreshUntil is how long it covers, when it passed.
	FreshUntil time.Time
}

// State is what is known of a Gate on a cluster. It must not be changed once it
// is in the Index.
type State struct {
	// Proved are the guards of the newest revision that passed there: a later
	// one removes them only by passing itself. Head are those of the branch's
	// newest revision, which hold as soon as they are merged.
	Proved, Head []Guard
	// Gone is true when the branch's newest revision has no such Gate.
	Gone bool
	// Covers are the Runs that let something through.
	Covers []Cover
	// Baseline is the newest revision that was good after its sync: an object
	// that is made anew may be as it says.
	Baseline *Cover
	Newest   *Seen
	// Trouble says why the Gate's guards could not be found out, "" when they
	// could.
	Trouble string
}

// Required is a guard that the server's configuration has, whatever Gates say.
// Runs of its Gate cover it.
type Required struct {
	Repository, Gate string
	// Clusters it holds on; all when there are none.
	Clusters []string
	Guard    Guard
}

func (r Required) on(cluster string) bool {
	for _, c := range r.Clusters {
		if c == cluster {
			return true
		}
	}
	return len(r.Clusters) == 0
}

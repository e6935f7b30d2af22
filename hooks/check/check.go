// Package check is what it means to ask the world one question. It holds the
// interface, what a check is given and what it answers; the checks themselves
// are in package checks, and the engine asks them. It is apart from package
// hooks so that the client in the hook Job links no Kubernetes client.
package check

import (
	"context"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/policies/gate"
)

// Check asks the world one question about a Target.
type Check interface {
	// Evaluate asks once and returns soon; whoever calls it asks again. The
	// engine fills in Result.Check, At and Asked. An error means that the
	// answer could not be found out: it becomes Unknown, never Fail. Evaluate
	// must be safe to repeat: what it does to the world it does once per
	// Target, however often it is called.
	Evaluate(ctx context.Context, t Target) (Answer, error)
}

// Answer is what a Check found out.
type Answer struct {
	Status   hooks.Status
	Reason   string
	Evidence []hooks.Evidence
	// Backup is set by a check that proved one.
	Backup *hooks.Backup
}

// Target is what a Check looks at.
type Target struct {
	Change hooks.Change
	// Namespace is the Gate's namespace on this cluster.
	Namespace string
	// Values are the cluster's merged values at the Change's revision.
	Values map[string]any
	// Kube and Dynamic speak to the Change's cluster.
	Kube    kubernetes.Interface
	Dynamic dynamic.Interface
}

// Checks makes a Check from its entry in the Gate, whose "${…}" are not yet
// filled in. An error says which field is wrong and what was expected.
type Checks func(spec gate.Check) (Check, error)

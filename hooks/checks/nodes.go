package checks

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/gate"
)

// maxNodes is how many nodes are looked at; pageSize is how many objects one
// request lists.
const (
	maxNodes = 20_000
	pageSize = 500
)

// nodes asks whether the nodes can take pods: Ready, and not cordoned. A node
// that is not may come back, so the answer is never Fail.
type nodes struct{ spec gate.NodesCheck }

func newNodes(spec gate.NodesCheck) (check.Check, error) {
	if spec.MinReady < 0 {
		return nil, fmt.Errorf("minReady: expected 0 or more, found %d", spec.MinReady)
	}
	return nodes{spec}, validSelector(spec.Selector)
}

// validSelector looks at selectors that are not to be filled in first.
func validSelector(s string) error {
	if expr.HasExpressions(s) {
		return texts("selector", s)
	}
	if _, err := labels.Parse(s); err != nil {
		return fmt.Errorf("selector %q: expected a label selector such as \"app=mattermost\": %w", s, err)
	}
	return nil
}

// Evaluate implements check.Check.
func (n nodes) Evaluate(ctx context.Context, t check.Target) (check.Answer, error) {
	selector, err := fill(ctx, t, "selector", n.spec.Selector)
	if err != nil {
		return check.Answer{}, err
	}
	all, err := listNodes(ctx, t, selector)
	if err != nil {
		return check.Answer{}, err
	}
	what := "nodes of cluster " + t.Change.Cluster
	if selector != "" {
		what += " with " + selector
	}
	ready := 0
	var bad []string
	var evidence []hooks.Evidence
	for i := range all {
		state := nodeState(&all[i])
		if state == "" {
			ready++
			continue
		}
		bad = append(bad, all[i].Name)
		evidence = append(evidence, hooks.Evidence{Object: "node " + all[i].Name, Fact: state})
	}
	want := n.spec.MinReady
	if want == 0 {
		want = max(len(all), 1)
	}
	switch {
	case len(all) == 0:
		return answer(hooks.Wait, nil, "%s: expected at least %d Ready, found no such node: correct the selector or add nodes", what, want), nil
	case ready < want:
		if len(bad) == 0 {
			return answer(hooks.Wait, nil, "%s: expected at least %d Ready, found %d: add nodes or lower minReady", what, want, ready), nil
		}
		return answer(hooks.Wait, evidence, "%s: expected %d Ready and open for pods, found %d of %d; look at %s (kubectl describe node)", what, want, ready, len(all), list(bad)), nil
	case len(bad) > 0:
		return answer(hooks.Pass, evidence, "%s: %d of %d are Ready, at least %d are asked for; not: %s", what, ready, len(all), want, list(bad)), nil
	}
	return answer(hooks.Pass, nil, "%s: all %d are Ready", what, ready), nil
}

// nodeState says why a node takes no pods, "" if it does.
func nodeState(n *corev1.Node) string {
	var facts []string
	switch c := nodeCondition(n, corev1.NodeReady); {
	case c == nil:
		facts = append(facts, "has no Ready condition")
	case c.Status != corev1.ConditionTrue:
		facts = append(facts, fmt.Sprintf("Ready is %s since %s: %s: %s", c.Status, c.LastTransitionTime.UTC().Format("2006-01-02 15:04:05Z"), c.Reason, line(c.Message, 300)))
	}
	if n.Spec.Unschedulable {
		facts = append(facts, "is cordoned: kubectl uncordon "+n.Name)
	}
	if n.DeletionTimestamp != nil {
		facts = append(facts, "is being deleted")
	}
	return strings.Join(facts, "; ")
}

func nodeCondition(n *corev1.Node, kind corev1.NodeConditionType) *corev1.NodeCondition {
	for i := range n.Status.Conditions {
		if n.Status.Conditions[i].Type == kind {
			return &n.Status.Conditions[i]
		}
	}
	return nil
}

func listNodes(ctx context.Context, t check.Target, selector string) ([]corev1.Node, error) {
	ask := request{verb: "list", resource: "nodes"}
	var all []corev1.Node
	opts := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	for {
		page, err := t.Kube.CoreV1().Nodes().List(ctx, opts)
		if err != nil {
			return nil, ask.failed(t, err)
		}
		if all = append(all, page.Items...); len(all) > maxNodes {
			return nil, fmt.Errorf("%s at cluster %s: more than %d nodes (limit maxNodes): give a narrower selector", ask, t.Change.Cluster, maxNodes)
		}
		if page.Continue == "" {
			return all, nil
		}
		opts.Continue = page.Continue
	}
}

package checks

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/gate"
)

// resource asks one object, of any kind, by CEL. An expression that cannot be
// evaluated, because a field is not there, is Unknown and not "no".
type resource struct {
	spec             gate.ResourceCheck
	kinds            *kinds
	pass, fail, show *expr.Program
	absent           hooks.Status
}

func newResource(kinds *kinds) func(gate.ResourceCheck) (check.Check, error) {
	return func(spec gate.ResourceCheck) (check.Check, error) {
		r := &resource{spec: spec, kinds: kinds}
		for _, f := range []struct{ name, value string }{
			{"apiVersion", spec.APIVersion}, {"kind", spec.Kind}, {"name", spec.Name}, {"pass", spec.Pass},
		} {
			if strings.TrimSpace(f.value) == "" {
				return nil, fmt.Errorf("%s: expected a value, found nothing", f.name)
			}
		}
		switch spec.Absent {
		case "", "Wait":
			r.absent = hooks.Wait
		case "Fail":
			r.absent = hooks.Fail
		case "Pass":
			r.absent = hooks.Pass
		default:
			return nil, fmt.Errorf("absent: expected Fail, Wait or Pass, found %.80q", spec.Absent)
		}
		if err := texts("namespace", spec.Namespace, "name", spec.Name); err != nil {
			return nil, err
		}
		if err := r.compile(); err != nil {
			return nil, err
		}
		return r, nil
	}
}

func (r *resource) compile() (err error) {
	vars := names("object")
	if r.pass, err = expr.CompileBool(r.spec.Pass, vars...); err != nil {
		return fmt.Errorf("pass: %w", err)
	}
	if r.spec.Fail != "" {
		if r.fail, err = expr.CompileBool(r.spec.Fail, vars...); err != nil {
			return fmt.Errorf("fail: %w", err)
		}
	}
	if r.spec.Show != "" {
		if r.show, err = expr.Compile(r.spec.Show, vars...); err != nil {
			return fmt.Errorf("show: %w", err)
		}
	}
	return nil
}

// Evaluate implements check.Check.
func (r *resource) Evaluate(ctx context.Context, t check.Target) (check.Answer, error) {
	name, err := fill(ctx, t, "name", r.spec.Name)
	if err != nil {
		return check.Answer{}, err
	}
	object, label, err := r.get(ctx, t, name)
	if err != nil {
		return check.Answer{}, err
	}
	if object == nil {
		if r.absent == hooks.Pass {
			return answer(hooks.Pass, nil, "%s in cluster %s: there is none, as is allowed", label, t.Change.Cluster), nil
		}
		return answer(r.absent, nil, "%s in cluster %s: expected the object, found none: create it or correct the name", label, t.Change.Cluster), nil
	}
	return r.judge(ctx, t, object, label)
}

// get is the object, nil if there is none, and what to call it.
func (r *resource) get(ctx context.Context, t check.Target, name string) (object *unstructured.Unstructured, label string, err error) {
	kind, err := r.kinds.find(t, r.spec.APIVersion, r.spec.Kind, false)
	if err != nil {
		return nil, "", err
	}
	ask := request{verb: "get", resource: kind.name(), name: name}
	client := dynamic.ResourceInterface(t.Dynamic.Resource(kind.resource))
	label = strings.ToLower(r.spec.Kind) + " " + name
	if kind.namespaced {
		if ask.namespace, err = inNamespace(ctx, t, r.spec.Namespace); err != nil {
			return nil, "", err
		}
		client = t.Dynamic.Resource(kind.resource).Namespace(ask.namespace)
		label = strings.ToLower(r.spec.Kind) + " " + ask.namespace + "/" + name
	}
	object, err = client.Get(ctx, name, metav1.GetOptions{})
	switch {
	case err == nil:
		return object, label, nil
	case !missingObject(err):
		return nil, "", ask.failed(t, err)
	}
	// The kind itself may be gone since it was looked up: that is no answer
	// about the object.
	if _, err := r.kinds.find(t, r.spec.APIVersion, r.spec.Kind, true); err != nil {
		return nil, "", err
	}
	return nil, label, nil
}

func (r *resource) judge(ctx context.Context, t check.Target, object *unstructured.Unstructured, label string) (check.Answer, error) {
	in := vars(t)
	in["object"] = withoutSecrets(object).Object
	evidence := []hooks.Evidence{{Object: label, Fact: r.shown(ctx, in)}}
	failed := false
	if r.fail != nil {
		var err error
		if failed, err = r.fail.Bool(ctx, in); err != nil {
			return unclear(evidence, label, "fail", r.spec.Fail, err)
		}
	}
	if failed {
		return answer(hooks.Fail, evidence, "%s in cluster %s: expected %s, found that %s: %s", label, t.Change.Cluster, line(r.spec.Pass, 300), line(r.spec.Fail, 200), line(evidence[0].Fact, 200)), nil
	}
	passed, err := r.pass.Bool(ctx, in)
	if err != nil {
		return unclear(evidence, label, "pass", r.spec.Pass, err)
	}
	if passed {
		return answer(hooks.Pass, evidence, "%s in cluster %s: %s holds", label, t.Change.Cluster, line(r.spec.Pass, 300)), nil
	}
	return answer(hooks.Wait, evidence, "%s in cluster %s: expected %s, which does not hold yet: %s; wait, or look at what works on it", label, t.Change.Cluster, line(r.spec.Pass, 300), line(evidence[0].Fact, 200)), nil
}

// unclear is the error of an expression that could not be evaluated, with what
// was seen.
func unclear(evidence []hooks.Evidence, label, field, src string, err error) (check.Answer, error) {
	return check.Answer{Evidence: bounded(evidence)}, fmt.Errorf("%s: evaluate %s %q: %w; guard fields that may be missing with has(…)", label, field, line(src, 300), err)
}

// shown is the text of show, or else the object's state as most kinds keep it.
func (r *resource) shown(ctx context.Context, in map[string]any) string {
	if r.show == nil {
		object, _ := in["object"].(map[string]any)
		generation, _, _ := unstructured.NestedInt64(object, "metadata", "generation")
		text := fmt.Sprintf("generation %d", generation)
		if observed, ok, _ := unstructured.NestedInt64(object, "status", "observedGeneration"); ok {
			text += fmt.Sprintf(", observed %d", observed)
		}
		for _, field := range []string{"phase", "state"} {
			if s, ok, _ := unstructured.NestedString(object, "status", field); ok {
				text += fmt.Sprintf(", %s %s", field, line(s, 100))
			}
		}
		return text
	}
	out, err := r.show.Eval(ctx, in)
	if err != nil {
		return "show cannot be evaluated: " + line(err.Error(), 300)
	}
	return cut(fmt.Sprint(out), maxFact)
}

// withoutSecrets hides what a Secret holds, so that no expression can show it.
func withoutSecrets(o *unstructured.Unstructured) *unstructured.Unstructured {
	if o.GetAPIVersion() != "v1" || o.GetKind() != "Secret" {
		return o
	}
	o = o.DeepCopy()
	for _, field := range []string{"data", "stringData"} {
		data, ok, err := unstructured.NestedMap(o.Object, field)
		if !ok || err != nil {
			continue
		}
		for key := range data {
			data[key] = "<redacted>"
		}
		o.Object[field] = data
	}
	// kubectl apply keeps the whole object here.
	unstructured.RemoveNestedField(o.Object, "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")
	return o
}

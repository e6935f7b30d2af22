package delivery

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	helmyaml "sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/policies/values"
)

// fluxSubstitute is the label or annotation by which an object says that nothing
// in it is substituted: "disabled".
const fluxSubstitute = "kustomize.toolkit.fluxcd.io/substitute"

var (
	// used finds the variables of a text, whatever is done with them.
	used = regexp.MustCompile(`\$\{#?([\p{L}\p{Nd}_]+)`)
	// expression is what is evaluated: "${NAME}", with a default after ":=" or ":-".
	expression = regexp.MustCompile(`^\$\{([\p{L}\p{Nd}_]+)(:[=-]([^}\n]*))?\}`)
)

// substituted is o as Flux's kustomize-controller applies it on a cluster: of
// github.com/fluxcd/pkg/kustomize (SubstituteVariables), which writes the built
// object as YAML, puts the variables into that text and reads it again. So what
// was a string may become something else, and keys are substituted as well.
func (x *expansion) substituted(o *object, cluster string) (*object, error) {
	if o.was != nil || o.keepsVariables() || !mentions(o.node, "$") {
		return o, nil
	}
	p := &postBuild{variables: x.from.Variables, cluster: cluster, most: int(x.limits.WithDefaults().FileSize)}
	if p.nothing() {
		return o, p.unlisted(o)
	}
	text, err := helmyaml.Marshal(o.node.Native())
	if err != nil {
		return nil, o.fail("cannot be written as YAML, into which a Flux Kustomization substitutes: "+err.Error(), "correct the object")
	}
	after, err := p.expand(string(text))
	if err != nil {
		return nil, p.failure(o, err)
	}
	if after == string(text) {
		return o, nil
	}
	doc, err := values.Parse([]byte(after), o.node.File, x.limits)
	if err != nil {
		return nil, o.fail("is no YAML that can be read once its variables are substituted: "+unreadable(err),
			"write what holds a variable so that its value may stand there without quotes: Flux substitutes in the object's text as Kustomize writes it")
	}
	out := *o
	out.node, out.was = p.replaced(o.node, doc), o.node
	out.named = cluster // which the object's own name may have been
	if meta := out.node.Get("metadata"); meta != nil {
		out.name, out.namespace = textOf(meta.Get("name")), textOf(meta.Get("namespace"))
	}
	return &out, nil
}

// unreadable is what is wrong with a text, without the place in it: nobody has
// that text before them.
func unreadable(err error) string {
	var e *values.Error
	if errors.As(err, &e) {
		return e.Problem
	}
	return err.Error()
}

// keepsVariables reports whether the object says that nothing is substituted.
func (o *object) keepsVariables() bool {
	for _, where := range []string{"labels", "annotations"} {
		if n := at(o.node, []string{"metadata", where, fluxSubstitute}); n != nil && textOf(n) == "disabled" {
			return true
		}
	}
	return false
}

// mentions reports whether a key or string below n has part in it.
func mentions(n *values.Node, part string) bool { return holder(n, part) != nil }

// holder is the first value whose text, or key, has part in it, nil when there
// is none.
func holder(n *values.Node, part string) *values.Node {
	if n.Kind == values.String && strings.Contains(n.Text, part) {
		return n
	}
	for _, f := range n.Fields {
		if strings.Contains(f.Key, part) {
			return f.Value
		}
		if found := holder(f.Value, part); found != nil {
			return found
		}
	}
	for _, item := range n.Items {
		if found := holder(item, part); found != nil {
			return found
		}
	}
	return nil
}

// postBuild is what a Flux Kustomization substitutes on one cluster.
type postBuild struct {
	variables map[string]string
	cluster   string
	most      int // bytes of the text
}

// nothing reports whether the Gate says of no name that it is substituted. Flux
// leaves all texts alone when it has no variables, "$$" included.
func (p *postBuild) nothing() bool {
	for name, value := range p.variables {
		if strings.ReplaceAll(value, clusterMark, p.cluster) != "${"+name+"}" {
			return false
		}
	}
	return true
}

// unlisted refuses a name that may be substituted after all.
func (p *postBuild) unlisted(o *object) error {
	var failed error
	check := func(n *values.Node, text string) {
		for _, m := range used.FindAllStringSubmatch(text, -1) {
			if _, ok := p.variables[m[1]]; !ok && failed == nil {
				shown := m[0]
				if strings.Contains(text, shown+"}") {
					shown += "}"
				}
				failed = p.failure(o, &expressionError{text: shown, name: m[1], at: n})
			}
		}
	}
	var walk func(n *values.Node)
	walk = func(n *values.Node) {
		if n.Kind == values.String {
			check(n, n.Text)
		}
		for _, f := range n.Fields {
			check(f.Value, f.Key)
			walk(f.Value)
		}
		for _, item := range n.Items {
			walk(item)
		}
	}
	walk(o.node)
	return failed
}

// expressionError is one that cannot be evaluated here.
type expressionError struct {
	text string
	name string       // the variable that is not listed, "" when the form is not known
	at   *values.Node // where it stands, nil when that is to be looked for
}

// Error is for failure, which knows the object.
func (e *expressionError) Error() string { return "cannot evaluate " + e.text }

// failure is the error to tell people.
func (p *postBuild) failure(o *object, err error) error {
	var bad *expressionError
	if !errors.As(err, &bad) {
		return o.fail(err.Error(), "shorten the values of variables in spec.clustersFrom")
	}
	at := bad.at
	if at == nil {
		at = holder(o.node, bad.text)
	}
	if bad.name == "" {
		return o.failAt(at, fmt.Sprintf("has %.80q, of which Flux makes something that is not worked out here: only ${NAME}, ${NAME:=default} and ${NAME:-default} are, with a plain text as default", bad.text),
			`write it in one of these forms, or "$${" for the text "${"; an object of which nothing is substituted says so by the annotation `+fluxSubstitute+": disabled")
	}
	return o.failAt(at, fmt.Sprintf("has %.80q, which a Flux Kustomization may substitute by a value that is not known here", bad.text),
		fmt.Sprintf("list %s in variables of spec.clustersFrom; when nothing is substituted, as %q", bad.name, "${"+bad.name+"}"))
}

// expand puts the variables into a text, as github.com/fluxcd/pkg/envsubst does:
// "$$" is "$", and "$" before anything but "{" is itself.
func (p *postBuild) expand(text string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 || i+1 == len(text) {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:i])
		switch text[i+1] {
		case '$':
			b.WriteByte('$')
			text = text[i+2:]
		case '{':
			value, length, err := p.value(text[i:])
			if err != nil {
				return "", err
			}
			b.WriteString(value)
			text = text[i+length:]
		default:
			b.WriteByte('$')
			text = text[i+1:]
		}
		if b.Len() > p.most {
			return "", fmt.Errorf("limit fileSize=%d hit: the object is larger once its variables are substituted", p.most)
		}
	}
	return b.String(), nil
}

// value is what the expression at the beginning of text comes to, and how long
// the expression is.
func (p *postBuild) value(text string) (value string, length int, err error) {
	m := expression.FindStringSubmatch(text)
	if len(m) == 0 || strings.Contains(m[3], "${") {
		shown, _, _ := strings.Cut(text, "\n")
		if end := strings.IndexByte(shown, '}'); end >= 0 {
			shown = shown[:end+1]
		}
		return "", 0, &expressionError{text: shown}
	}
	value, listed := p.variables[m[1]]
	if !listed && m[2] == "" {
		return "", 0, &expressionError{text: m[0], name: m[1]}
	}
	if value = p.text(value); value == "" { // whether it is set or not, in Flux
		value = m[3]
	}
	return value, len(m[0]), nil
}

// text is what a variable's value comes to on the cluster. Flux takes line ends
// out.
func (p *postBuild) text(value string) string {
	return strings.ReplaceAll(strings.ReplaceAll(value, clusterMark, p.cluster), "\n", "")
}

// replaced is what became of a value, with the places it had before. What did not
// change is shared.
func (p *postBuild) replaced(was, is *values.Node) *values.Node {
	switch {
	case was.Kind != is.Kind:
	case was.Kind == values.Map:
		return p.replacedMap(was, is)
	case was.Kind == values.List:
		out := *was
		out.Items = make([]*values.Node, len(is.Items))
		same := len(is.Items) == len(was.Items)
		for i, item := range is.Items {
			if i < len(was.Items) {
				out.Items[i] = p.replaced(was.Items[i], item)
				same = same && out.Items[i] == was.Items[i]
			} else {
				out.Items[i] = moved(item, was)
			}
		}
		if same {
			return was
		}
		return &out
	case was.Num == is.Num && was.Text == is.Text:
		return was
	}
	return moved(is, was)
}

func (p *postBuild) replacedMap(was, is *values.Node) *values.Node {
	before := map[string]*values.Node{}
	for _, f := range was.Fields {
		if strings.Contains(f.Key, "$") {
			if key, err := p.expand(f.Key); err == nil {
				before[key] = f.Value
			}
		}
	}
	out := newMap(was)
	same := len(is.Fields) == len(was.Fields)
	for _, f := range is.Fields {
		old := was.Get(f.Key)
		if old == nil {
			old, same = before[f.Key], false
		}
		v := f.Value
		if old != nil {
			v = p.replaced(old, f.Value)
		} else {
			v = moved(v, was)
		}
		same = same && v == old
		out.Fields = append(out.Fields, values.Field{Key: f.Key, Value: v})
	}
	if same {
		return was
	}
	return out
}

// moved puts a value that is nobody else's yet, and all below it, to a place.
func moved(n, to *values.Node) *values.Node {
	n.File, n.Line, n.Column = to.File, to.Line, to.Column
	for _, f := range n.Fields {
		moved(f.Value, to)
	}
	for _, item := range n.Items {
		moved(item, to)
	}
	return n
}

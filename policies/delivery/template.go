package delivery

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/syncgate/syncgate/policies/values"
)

// The bounds of a template.
const (
	maxTemplate = 64 << 10 // bytes of its text
	maxRendered = 1 << 20  // bytes of what it gives
	maxRanges   = 2        // loops in one another
)

// renderer puts parameters into the strings of an ApplicationSet.
type renderer struct {
	object     *object
	goTemplate bool
	options    []string
}

// text is the string n with the parameters put in.
func (r *renderer) text(n *values.Node, params map[string]any) (string, error) {
	if !strings.Contains(n.Text, "{{") {
		return n.Text, nil
	}
	if len(n.Text) > maxTemplate {
		return "", r.object.failAt(n, fmt.Sprintf("limit template=%d bytes hit: the template has %d", maxTemplate, len(n.Text)), "shorten it")
	}
	if !r.goTemplate {
		return r.plain(n, params)
	}
	out, err := r.goText(n.Text, params)
	if err != nil {
		remedy := "correct it"
		if strings.Contains(err.Error(), "not defined") {
			remedy += "; beside what Go knows there are the functions " + strings.Join(functionNames(), ", ")
		}
		return "", r.object.failAt(n, "go template: "+problemOf(err), remedy)
	}
	return out, nil
}

// problemOf is a template's error on one line, which names the place in it.
func problemOf(err error) string {
	return strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "template: :")
}

var hasTag = regexp.MustCompile(".*{{.*}}.*")

// plain replaces {{name}} by the parameter of the name. A name that there is
// not stays as it is, as in Argo CD.
func (r *renderer) plain(n *values.Node, params map[string]any) (string, error) {
	text := n.Text
	if !hasTag.MatchString(text) {
		return text, nil
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{{")
		b.WriteString(before)
		if !ok {
			break
		}
		tag, after, ok := strings.Cut(rest, "}}")
		if !ok {
			return "", r.object.failAt(n, `template: "{{" is not closed`, "close it")
		}
		v, known := params[strings.TrimSpace(tag)].(string)
		if !known {
			v = "{{" + tag + "}}"
		}
		b.WriteString(v)
		text = after
		if b.Len() > maxRendered {
			return "", r.object.failAt(n, fmt.Sprintf("limit rendered=%d bytes hit: the template gives more", maxRendered), "shorten it")
		}
	}
	return b.String(), nil
}

// goText executes a Go template.
func (r *renderer) goText(text string, params map[string]any) (string, error) {
	calls := 0
	t, err := template.New("").Funcs(functions(&calls)).Parse(text)
	if err != nil {
		return "", err
	}
	if err := bounded(t); err != nil {
		return "", err
	}
	for _, option := range r.options {
		if option != "missingkey=error" && option != "missingkey=default" && option != "missingkey=invalid" && option != "missingkey=zero" {
			return "", fmt.Errorf("goTemplateOptions: unknown option %q", option)
		}
		t = t.Option(option)
	}
	var out limitedBuffer
	if err := t.Execute(&out, params); err != nil {
		return "", err
	}
	return out.String(), nil
}

// limitedBuffer ends a template that gives too much.
type limitedBuffer struct{ bytes.Buffer }

// Write implements io.Writer.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxRendered {
		return 0, fmt.Errorf("limit rendered=%d bytes hit", maxRendered)
	}
	return b.Buffer.Write(p)
}

// bounded refuses what could make a template run long: templates that call
// templates, and loops in loops in loops.
func bounded(t *template.Template) error {
	for _, each := range t.Templates() {
		if each.Name() != t.Name() {
			return errors.New("defines a template, which is not supported here")
		}
	}
	if t.Tree == nil || t.Root == nil {
		return nil
	}
	return boundedList(t.Root, 0)
}

func boundedList(list *parse.ListNode, ranges int) error {
	if list == nil {
		return nil
	}
	for _, n := range list.Nodes {
		var err error
		switch n := n.(type) {
		case *parse.TemplateNode:
			err = errors.New("calls a template, which is not supported here")
		case *parse.RangeNode:
			if ranges == maxRanges {
				return fmt.Errorf("limit ranges=%d hit: loops nest deeper", maxRanges)
			}
			err = errors.Join(boundedList(n.List, ranges+1), boundedList(n.ElseList, ranges))
		case *parse.IfNode:
			err = errors.Join(boundedList(n.List, ranges), boundedList(n.ElseList, ranges))
		case *parse.WithNode:
			err = errors.Join(boundedList(n.List, ranges), boundedList(n.ElseList, ranges))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

package policies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/schema"
	"github.com/syncgate/syncgate/policies/values"
)

// maxSchema is the most bytes of a schema's file.
const maxSchema = 4 << 20

// inspection looks at the values of each cluster by itself: what is forbidden
// in them, and which schemas they must meet.
type inspection struct {
	src     *source
	rules   rules.Options
	matches []match
	ofChart bool // the charts' own schemas are held
	said    [][]finding.Said
	plain   *rules.ForbiddenRule // of Secrets beside the values, nil without any

	mu      sync.Mutex
	schemas map[string]*onceSchema // those of charts, by their files
}

// match is a schema of the Gate and the fields down to the value it is for.
type match struct {
	schema *schema.Schema
	path   []string
}

// onceSchema is a schema that is compiled by whoever asks first.
type onceSchema struct {
	once   sync.Once
	schema *schema.Schema
	err    error
}

func newInspection(g *gate.Gate, src *source, about rules.Options) (*inspection, error) {
	in := &inspection{src: src, rules: about, said: make([][]finding.Said, len(g.Spec.Clusters)), schemas: map[string]*onceSchema{}}
	in.ofChart = g.Spec.Source.Helm != nil
	var err error
	if in.plain, err = plainSecrets(g); err != nil {
		return nil, fmt.Errorf("read spec.forbidden of %s: %w", g.File, err)
	}
	for _, m := range g.Spec.Matches {
		if m.Schema == gate.SchemaOfChart {
			in.ofChart = true
			continue
		}
		file, err := g.Resolve(m.Schema)
		if err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		data, err := src.tree.Read(file, maxSchema)
		if err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		s, err := schema.Compile(file, data)
		if err != nil {
			return nil, err
		}
		one := match{schema: s}
		if m.Path != "" {
			glob, err := keypath.Parse(m.Path)
			if err != nil {
				return nil, fmt.Errorf("read schema's path: %w", err)
			}
			one.path, _ = glob.Fields()
		}
		in.matches = append(in.matches, one)
	}
	return in, nil
}

// worker is for one goroutine.
func (in *inspection) worker() *rules.Inspector {
	if len(in.rules.Forbidden) == 0 {
		return nil
	}
	return rules.NewInspector(in.rules.Forbidden, in.rules.ListKeys)
}

// look takes in the values of a cluster, alone and with what is compared beside
// them.
func (in *inspection) look(i int, m merged, with *values.Node, w *rules.Inspector) error {
	if w != nil {
		in.said[i] = w.Look(with)
	}
	for _, name := range m.open {
		in.said[i] = append(in.said[i], finding.Said{
			Rule: rules.Identical, Skip: name + ": what it sets, where stronger values do not, is not known to any rule",
		})
	}
	if in.plain != nil {
		in.said[i] = append(in.said[i], in.secrets(with)...)
	}
	for _, one := range in.matches {
		if err := in.hold(i, m.values, one); err != nil {
			return err
		}
	}
	if !in.ofChart {
		return nil
	}
	chart, err := in.src.chart(i)
	if err != nil || chart == nil {
		return err
	}
	all, err := chart.Schemas(m.user)
	if err != nil {
		return err
	}
	for _, s := range all {
		compiled, err := in.compiled(s)
		if err != nil {
			return err
		}
		if err := in.hold(i, m.values, match{compiled, s.Path}); err != nil {
			return err
		}
	}
	return nil
}

func (in *inspection) compiled(s values.Schema) (*schema.Schema, error) {
	in.mu.Lock()
	c := in.schemas[s.File]
	if c == nil {
		c = &onceSchema{}
		in.schemas[s.File] = c
	}
	in.mu.Unlock()
	c.once.Do(func() { c.schema, c.err = schema.Compile(s.File, s.Data) })
	return c.schema, c.err
}

// hold holds the value at the match's path against its schema. A value that is
// not there meets every schema: required says that it must be.
func (in *inspection) hold(i int, root *values.Node, m match) error {
	n := root.At(m.path)
	if n == nil {
		return nil
	}
	open := in.unknown(i, m, n)
	problems, err := m.schema.Check(n.Native())
	for _, p := range problems {
		if open[strings.Join(p.Path, "\x00")] {
			continue // of what is not known
		}
		path, at := place(n, p.Path)
		if p.Field != "" {
			_, at = place(n, append(slices.Clone(p.Path), p.Field))
		}
		names := make([]string, 0, len(m.path)+len(path))
		for _, f := range m.path {
			names = append(names, keypath.Field(f))
		}
		in.said[i] = append(in.said[i], finding.Said{
			Rule: rules.Matches, Path: keypath.Format(append(names, path...)), At: at,
			Problem: p.What, Fix: "correct the value so that it meets " + m.schema.Name(),
		})
	}
	return err
}

// unknown are the paths below n of what cannot be read in Git, each of which is
// said to be held against no schema.
func (in *inspection) unknown(i int, m match, n *values.Node) map[string]bool {
	var open map[string]bool
	var walk func(n *values.Node, path []string)
	walk = func(n *values.Node, path []string) {
		if n.Unknown {
			if open == nil {
				open = map[string]bool{}
			}
			open[strings.Join(path, "\x00")] = true
			in.said[i] = append(in.said[i], finding.Said{
				Rule: rules.Matches, Skip: strings.Join(slices.Concat(m.path, path), ".") + " is " + n.Text + ", which cannot be read in Git",
			})
		}
		for _, f := range n.Fields {
			walk(f.Value, append(path[:len(path):len(path)], f.Key))
		}
		for j, item := range n.Items {
			walk(item, append(path[:len(path):len(path)], strconv.Itoa(j)))
		}
	}
	walk(n, nil)
	return open
}

// place is the key path of the value that names lead to, and where it stands,
// or the nearest one above it.
func place(n *values.Node, names []string) (path []string, at finding.Position) {
	at = n.Position()
	for _, name := range names {
		var next *values.Node
		if n != nil && n.Kind == values.List {
			i, err := strconv.Atoi(name)
			if err == nil && i >= 0 && i < len(n.Items) {
				next = n.Items[i]
			}
			path = append(path, keypath.Index(max(i, 0)))
		} else {
			if n != nil {
				next = n.Get(name)
			}
			path = append(path, keypath.Field(name))
		}
		if next != nil {
			at = next.Position()
		}
		n = next
	}
	return path, at
}

// findings are what was said of all clusters, and what could not be asked.
func (in *inspection) findings(g *gate.Gate) ([]finding.Finding, []finding.Skipped) {
	var all finding.Gathering
	for i, c := range g.Spec.Clusters {
		for _, s := range in.said[i] {
			all.Add(c.Name, s)
		}
	}
	found := all.Findings()
	for i := range found {
		found[i].Gate, found[i].GateFile = g.Metadata.Name, g.File
	}
	return found, all.Skipped()
}

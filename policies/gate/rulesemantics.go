package gate

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/packs"
	"github.com/syncgate/syncgate/policies/version"
)

func (d *decoder) paths(g *Gate) {
	check := func(field, path string) {
		_, err := keypath.Parse(path)
		d.expectNoError(field, err, `write a key path such as "ingress.host", "resources.**" or "env[name=X].value"`)
	}
	for i, p := range g.Spec.PerCluster {
		check(fmt.Sprintf("spec.perCluster[%d].path", i), p.Path)
	}
	for i, k := range g.Spec.ListKeys {
		check(fmt.Sprintf("spec.listKeys[%d].path", i), k.Path)
		d.expect(fmt.Sprintf("spec.listKeys[%d].key", i), k.Key != "", "expected the name of a field, found an empty string", "name the field that tells the items apart")
	}
	for i, p := range g.Spec.Required {
		field := fmt.Sprintf("spec.required[%d]", i)
		check(field, p)
	}
	for i, u := range g.Spec.Unique {
		check(fmt.Sprintf("spec.unique[%d].path", i), u.Path)
	}
	for i, s := range g.Spec.Skew {
		field := fmt.Sprintf("spec.skew[%d]", i)
		check(field+".path", s.Path)
		d.enums(field, reflect.ValueOf(s))
		if _, ok := version.Parse(s.Oldest); s.Oldest != "" {
			d.expect(field+".oldest", ok, fmt.Sprintf("expected a version, found %.60q", s.Oldest), `write a version such as "11.7.0"`)
		}
	}
}

func (d *decoder) rules(g *Gate) {
	seen := map[string]string{}
	for i, r := range g.Spec.Rules {
		field := fmt.Sprintf("spec.rules[%d]", i)
		d.label(field+".name", r.Name)
		d.unique(seen, field+".name", r.Name)
		env, err := d.environment(packs.RuleVariables()...)
		if err == nil {
			g.Spec.Rules[i].Program, err = env.Compile(r.Expr)
		}
		d.expectNoError(field+".expr", err, "correct the CEL expression; its variables are "+strings.Join(packs.RuleVariables(), ", "))
	}
}

func (d *decoder) inspections(g *Gate) {
	for i, f := range g.Spec.Forbidden {
		field := fmt.Sprintf("spec.forbidden[%d]", i)
		d.enums(field, reflect.ValueOf(f))
		for kind, globs := range map[string][]string{"paths": f.Paths, "except": f.Except} {
			for j, text := range globs {
				_, err := keypath.Parse(text)
				d.expectNoError(fmt.Sprintf("%s.%s[%d]", field, kind, j), err, `write a key path such as "image" or "**.env"`)
			}
		}
	}
	for i, m := range g.Spec.Matches {
		field := fmt.Sprintf("spec.matches[%d]", i)
		if m.Schema != SchemaOfChart {
			_, err := g.Resolve(m.Schema)
			d.expectNoError(field+".schema", err, "correct the path")
		}
		if m.Path == "" {
			continue
		}
		glob, err := keypath.Parse(m.Path)
		d.expectNoError(field+".path", err, `write a key path such as "ingress"`)
		_, plain := glob.Fields()
		d.expect(field+".path", err != nil || plain && m.Schema != SchemaOfChart,
			fmt.Sprintf("expected a key path of plain names, for a schema of a file, found %q", m.Path), "name the fields down to the value, or leave it out")
	}
}

func (d *decoder) waivers(g *Gate) {
	for i := range g.Spec.Waivers {
		w := &g.Spec.Waivers[i]
		field := fmt.Sprintf("spec.waivers[%d]", i)
		n := d.at(field)
		w.Position = finding.Position{File: d.file, Line: n.Line, Column: n.Column}
		d.expect(field+".rule", w.Rule != "", "expected the identity of a rule, found an empty string", "write the rule that the finding names")
		d.expect(field+".rule", w.Rule != "waivers" && w.Rule != "limits",
			fmt.Sprintf("expected a rule over values, found %q, whose findings cannot be waived", w.Rule), "correct what that finding names")
		d.expect(field+".reason", strings.TrimSpace(w.Reason) != "", "expected a reason, found an empty string", "say why the finding may be")
		_, err := time.Parse(day, w.Until)
		d.expect(field+".until", err == nil, fmt.Sprintf("expected a day, found %.40q", w.Until), `write the last day on which it holds, "2026-12-31"`)
	}
}

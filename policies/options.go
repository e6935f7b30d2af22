package policies

import (
	"cmp"
	"fmt"

	"github.com/syncgate/syncgate/policies/delivery"
	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/packs"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/version"
)

// ruleOptions is what the Gate and its packs ask of the values. target is the
// file that a value missing in a cluster would be written to.
func ruleOptions(g *gate.Gate, target func(cluster int) string) (rules.Options, error) {
	o := rules.Options{Gate: g.Metadata.Name, GateFile: g.File}
	for i, c := range g.Spec.Clusters {
		o.Clusters = append(o.Clusters, c.Name)
		o.Files = append(o.Files, target(i))
		if c.Name == g.Spec.Reference {
			o.Reference = i + 1
		}
	}
	var err error
	for _, p := range g.Spec.PerCluster {
		if o.PerCluster, err = appendGlob(o.PerCluster, p.Path); err != nil {
			return o, fmt.Errorf("read spec.perCluster of %s: %w", g.File, err)
		}
	}
	for _, p := range g.Spec.Required {
		if o.Required, err = appendGlob(o.Required, p); err != nil {
			return o, fmt.Errorf("read spec.required of %s: %w", g.File, err)
		}
	}
	for _, u := range g.Spec.Unique {
		if o.Unique, err = appendGlob(o.Unique, u.Path); err != nil {
			return o, fmt.Errorf("read spec.unique of %s: %w", g.File, err)
		}
	}
	for _, s := range g.Spec.Skew {
		if o.Skew, err = appendSkew(o.Skew, s); err != nil {
			return o, fmt.Errorf("read spec.skew of %s: %w", g.File, err)
		}
	}
	if o.Forbidden, err = forbidden(g); err != nil {
		return o, fmt.Errorf("read spec.forbidden of %s: %w", g.File, err)
	}
	for _, k := range g.Spec.ListKeys {
		if o.ListKeys, err = appendListKey(o.ListKeys, k.Path, k.Key); err != nil {
			return o, fmt.Errorf("read spec.listKeys of %s: %w", g.File, err)
		}
	}
	for _, r := range g.Spec.Rules {
		if r.Program == nil { // the Gate was not decoded
			if r.Program, err = expr.Compile(r.Expr, packs.RuleVariables()...); err != nil {
				return o, fmt.Errorf("read rule %s of %s: %w", r.Name, g.File, err)
			}
		}
		o.Rules = append(o.Rules, rules.Rule{ID: "cel/" + r.Name, Expr: r.Expr, Message: r.Message, Program: r.Program})
	}
	o.About = map[string]any{"name": g.Metadata.Name, "ns": g.Spec.Namespace, "reference": g.Spec.Reference, "clusters": o.Clusters}
	if err := addBeside(&o, g); err != nil {
		return o, err
	}
	err = addPacks(&o, g)
	return o, err
}

// addBeside adds what the rules must know of what stands beside the values.
func addBeside(o *rules.Options, g *gate.Gate) error {
	var err error
	for _, s := range g.Spec.Secrets {
		// Of a Secret that is elsewhere or in plain text there is a finding of its own.
		for _, below := range []string{delivery.SecretPlain + ".**", delivery.SecretElsewhere} {
			if o.PerCluster, err = appendGlob(o.PerCluster, fmt.Sprintf("%s[%q].%s", secretsKey, s.Name, below)); err != nil {
				return fmt.Errorf("read spec.secrets of %s: %w", g.File, err)
			}
		}
		if o.ListKeys, err = appendListKey(o.ListKeys, fmt.Sprintf("%s[%q].keys", secretsKey, s.Name), "name"); err != nil {
			return fmt.Errorf("read spec.secrets of %s: %w", g.File, err)
		}
	}
	return nil
}

// addPacks adds what the Gate's packs know. The Gate's own list keys come
// first, so that they win.
func addPacks(o *rules.Options, g *gate.Gate) error {
	for _, p := range g.Packs {
		for _, k := range p.ListKeys {
			var err error
			if o.ListKeys, err = appendListKey(o.ListKeys, k.Path, k.Key); err != nil {
				return fmt.Errorf("read pack %s: %w", p.Name, err)
			}
		}
		for _, r := range p.Rules {
			o.Rules = append(o.Rules, rules.Rule{ID: p.Name + "/" + r.Name, Expr: r.Expr, Message: r.Message, Program: r.Program})
		}
	}
	return nil
}

func forbidden(g *gate.Gate) (list []rules.ForbiddenRule, err error) {
	for _, f := range g.Spec.Forbidden {
		r := rules.ForbiddenRule{What: f.What}
		for _, p := range f.Paths {
			if r.Paths, err = appendGlob(r.Paths, p); err != nil {
				return nil, err
			}
		}
		for _, p := range f.Except {
			if r.Except, err = appendGlob(r.Except, p); err != nil {
				return nil, err
			}
		}
		// What is known of Secrets and sources stands under their names and is
		// none itself.
		for _, p := range []string{secretsKey, sourceKey} {
			if r.Except, err = appendGlob(r.Except, p); err != nil {
				return nil, err
			}
		}
		list = append(list, r)
	}
	return list, nil
}

func appendGlob(list []keypath.Glob, text string) ([]keypath.Glob, error) {
	g, err := keypath.Parse(text)
	return append(list, g), err
}

func appendListKey(list []rules.ListKey, path, key string) ([]rules.ListKey, error) {
	g, err := keypath.Parse(path)
	return append(list, rules.ListKey{Path: g, Key: key}), err
}

func appendSkew(list []rules.SkewRule, s gate.Skew) ([]rules.SkewRule, error) {
	g, err := keypath.Parse(s.Path)
	r := rules.SkewRule{Path: g, Versions: cmp.Or(s.Versions, 2), Apart: cmp.Or(s.Apart, version.ApartMinor)}
	if v, ok := version.Parse(s.Oldest); ok {
		r.Oldest = &v
	}
	return append(list, r), err
}

package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/syncgate/syncgate/hooks/admission"
	"github.com/syncgate/syncgate/hooks/store"
	"github.com/syncgate/syncgate/policies/gate"
)

// guarded is what a revision says of the guarded objects on a cluster.
type guarded struct {
	// guards are the Gate's own; values also those of the guards that the
	// server's configuration has for it.
	guards   []admission.Guard
	values   admission.Values
	freshFor time.Duration
}

// guarded reads what the key's revision says.
func (c *covers) guarded(ctx context.Context, repo *Repository, k store.Key) (guarded, error) {
	k.Phase = ""
	if g, ok := c.known.Get(k); ok {
		return g.(guarded), nil
	}
	s, err := c.e.gates.load(ctx, repo, k.Revision, k.Gate)
	if err != nil {
		return guarded{}, err
	}
	g, err := c.evaluate(ctx, s, k)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx) // what was cut off may look like no value
	}
	if err == nil {
		c.known.Add(k, g)
	}
	return g, err
}

func (c *covers) evaluate(ctx context.Context, s *snapshot, k store.Key) (guarded, error) {
	g := guarded{values: admission.Values{}, freshFor: s.gate.Spec.PreSync.FreshFor.Or(defaultFreshFor)}
	vars, err := c.e.guardVariables(ctx, s, k)
	if err != nil {
		if unread(err) {
			return g, err
		}
		// The Run that passed at this revision had the values; whatever this
		// is, nothing is covered by it.
		c.e.log.WarnContext(ctx, "values of a guarded revision cannot be merged", "gate", k.Gate, "cluster", k.Cluster, "revision", k.Revision, "error", err)
	}
	for i, spec := range s.gate.Spec.Guards {
		guard, err := admission.NewGuard(spec, s.gate.Namespace(k.Cluster))
		if err != nil {
			return g, fmt.Errorf("%s: spec.guards[%d]: %w", s.gate.File, i, err)
		}
		g.guards = append(g.guards, guard)
		c.fill(ctx, guardOf{spec, guard.Target()}, vars, g.values)
	}
	for _, required := range c.e.opts.Minimums.Guards {
		if !required.of(k) {
			continue
		}
		guard, err := admission.NewGuard(required.Guard, required.Namespace)
		if err != nil {
			return g, fmt.Errorf("required guard: %w", err)
		}
		c.fill(ctx, guardOf{required.Guard, guard.Target()}, vars, g.values)
	}
	return g, nil
}

type guardOf struct {
	spec   gate.Guard
	target admission.Target
}

// fill adds what the values make of the guard's fields. A field whose
// expression cannot be evaluated has no value, and nothing covers it.
func (c *covers) fill(ctx context.Context, g guardOf, vars map[string]any, into admission.Values) {
	if vars == nil {
		return
	}
	if into[g.target] == nil {
		into[g.target] = map[string]string{}
	}
	for _, f := range g.spec.Fields {
		t, err := c.env.CompileTemplate(f.Value)
		var value string
		if err == nil {
			value, err = t.Fill(ctx, vars)
		}
		if err != nil {
			c.e.log.WarnContext(ctx, "a guarded field has no value at a revision, and nothing covers it",
				"gate", vars["gate"], "cluster", vars["cluster"], "revision", vars["revision"], "kind", g.spec.Kind, "path", f.Path, "error", err)
			continue
		}
		if value == "" {
			value = f.Unset
		}
		into[g.target][f.Path] = value
	}
}

// guardVariables are the variables of a guard's templates.
func (e *Engine) guardVariables(ctx context.Context, s *snapshot, k store.Key) (map[string]any, error) {
	v, err := s.clusterValues(ctx, k.Cluster, e.opts.Policies)
	if err != nil {
		return nil, err
	}
	values := v.Merged
	if values == nil {
		values = map[string]any{}
	}
	return map[string]any{
		"values": values, "cluster": k.Cluster, "ns": s.gate.Namespace(k.Cluster), "revision": k.Revision, "gate": k.Gate,
	}, nil
}

// fillable refuses a Gate of whose guards a field has no value on the cluster:
// its Run would pass and cover nothing.
func (e *Engine) fillable(ctx context.Context, s *snapshot, k store.Key) error {
	if e.covers == nil || len(s.gate.Spec.Guards) == 0 {
		return nil
	}
	vars, err := e.guardVariables(ctx, s, k)
	if err != nil {
		return err
	}
	for i, g := range s.gate.Spec.Guards {
		if _, err := admission.NewGuard(g, s.gate.Namespace(k.Cluster)); err != nil {
			return fmt.Errorf("%s: spec.guards[%d]: %w", s.gate.File, i, err)
		}
		for j, f := range g.Fields {
			t, err := e.covers.env.CompileTemplate(f.Value)
			if err == nil {
				_, err = t.Fill(ctx, vars)
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				return fmt.Errorf("%s: spec.guards[%d].fields[%d].value, for %s: %w", s.gate.File, i, j, f.Path, err)
			}
		}
	}
	return nil
}

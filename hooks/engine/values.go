package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/store"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/finding"
)

// valuesHold asks whether the Gate's rules hold at the revision, whatever
// rendered it, and against what passed before on the Change's cluster.
type valuesHold struct {
	e    *Engine
	s    *snapshot
	repo *Repository
	run  store.Stored
}

// Evaluate implements check.Check.
func (v valuesHold) Evaluate(ctx context.Context, t check.Target) (check.Answer, error) {
	before, from, err := v.e.before(ctx, v.repo, v.run)
	if err != nil {
		return check.Answer{}, err
	}
	opts := v.e.opts.Policies
	opts.Now = v.e.now()
	opts.Baseline = func(cluster string) policies.Baseline {
		if cluster != t.Change.Cluster {
			return policies.Baseline{} // the Change is not about it
		}
		return before
	}
	r, err := v.s.evaluate(ctx, t.Change.Cluster+"\x00"+from, opts)
	if err != nil {
		return check.Answer{}, fmt.Errorf("validate values at %.12s: %w", t.Change.Revision, err)
	}
	a := check.Answer{Status: hooks.Pass, Reason: fmt.Sprintf("every rule of %s holds at %.12s", v.s.gate.File, t.Change.Revision)}
	if n := len(r.Findings); n > 0 {
		a.Status = hooks.Fail
		a.Reason = fmt.Sprintf("%d findings at %.12s, the first: %s; %s", n, t.Change.Revision, r.Findings[0].Message, r.Findings[0].Fix)
	} else if len(r.Skipped) > 0 {
		a.Reason = fmt.Sprintf("every rule of %s that could be asked holds at %.12s; %d could not be asked", v.s.gate.File, t.Change.Revision, len(r.Skipped))
	}
	for _, f := range r.Findings {
		a.Evidence = append(a.Evidence, hooks.Evidence{Object: strings.TrimSpace(f.Rule + " " + f.Path), Fact: f.Message + "\n" + places(f)})
	}
	for _, s := range r.Skipped {
		a.Evidence = append(a.Evidence, hooks.Evidence{Object: s.Rule, Fact: "not asked: " + s.Reason})
	}
	for _, w := range r.Waived {
		a.Evidence = append(a.Evidence, hooks.Evidence{
			Object: strings.TrimSpace(w.Finding.Rule + " " + w.Finding.Path),
			Fact:   fmt.Sprintf("waived until %s (%s): %s", w.Until, w.Reason, w.Finding.Message),
		})
	}
	return a, nil
}

// before is what passed last on the Run's cluster, by time and not by history:
// that is what runs there. from is its revision, "" when there is none.
func (e *Engine) before(ctx context.Context, repo *Repository, r store.Stored) (b policies.Baseline, from string, err error) {
	passed, err := e.store.Baselines(ctx, r.Key(), 1)
	if err != nil {
		return b, "", err
	}
	if len(passed) == 0 {
		b.None = fmt.Sprintf("no revision of gate %s has passed after its sync on cluster %s yet", r.Change.Gate, r.Change.Cluster)
		return b, "", nil
	}
	from = passed[0].Revision
	s, err := e.gates.load(ctx, repo, from, r.Change.Gate)
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		b.None = fmt.Sprintf("revision %.12s, which passed last on cluster %s, cannot be read any more: %v", from, r.Change.Cluster, refused)
	case err != nil:
		return b, "", fmt.Errorf("read revision %.12s, which passed last on cluster %s: %w", from, r.Change.Cluster, err)
	default:
		b.FS, b.Gate = s.tree, s.gate
	}
	return b, from, nil
}

// evaluate is what the Gate's rules say. The answer is kept for a day: for the
// same baseline nothing but the day changes it.
func (s *snapshot) evaluate(ctx context.Context, baseline string, opts policies.Options) (policies.Result, error) {
	key := baseline + "\x00" + opts.Now.UTC().Format(time.DateOnly)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.results[key]; ok {
		return r, nil
	}
	r, err := policies.Evaluate(ctx, s.tree, s.gate, opts)
	if err == nil {
		if len(s.results) >= maxResults {
			clear(s.results)
		}
		s.results[key] = r
	}
	return r, err
}

func places(f finding.Finding) string {
	var b strings.Builder
	for _, h := range f.Holdings {
		value := h.Value
		if h.Missing {
			value = "not set"
		}
		var where []string
		for _, p := range h.Places {
			where = append(where, fmt.Sprintf("%s (%s:%d)", p.Cluster, p.Position.File, p.Position.Line))
		}
		fmt.Fprintf(&b, "%s: %s\n", value, list(where))
	}
	return strings.TrimRight(b.String(), "\n")
}

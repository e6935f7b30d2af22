package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/store"
)

// The names of what is asked beside the Gate's checks.
const (
	// valuesCheck holds the rules against the values at the revision.
	valuesCheck = "values"
	// gateCheck is Unknown while the checks cannot even be made: Git or the
	// cluster cannot be reached.
	gateCheck = "gate"
)

// errDeadline is why a question was given up when the Run's time was over.
var errDeadline = errors.New("the deadline came before the answer")

// question is a check to ask, and its place among the Run's.
type question struct {
	name     string
	position int
	check    check.Check
	// settled is an answer that holds for the whole Run: nothing but a new
	// revision changes what the rules say of the values.
	settled bool
	// costly is a check that proved a backup. It is not asked in every round:
	// proving may mean reading the whole backup.
	costly bool
	// asked is how often it was asked before.
	asked int
}

// round is one time of asking a Run's checks.
type round struct {
	e      *Engine
	run    store.Stored
	target check.Target
	ask    []question
	// newest is each check's newest Result, by name.
	newest map[string]hooks.Result
}

// decision is what a round came to. An empty verdict means: not yet.
type decision struct {
	verdict hooks.Verdict
	reason  string
}

// newRound prepares to ask. An error means that it could not be found out what
// to ask, or whom.
func (e *Engine) newRound(ctx context.Context, r store.Stored) (*round, time.Duration, error) {
	repo, ok := e.repos[r.Repository]
	if !ok {
		return nil, defaultInterval, fmt.Errorf("the server no longer has a repository named %q; put it back into its configuration", r.Repository)
	}
	s, err := e.gates.load(ctx, repo, r.Change.Revision, r.Change.Gate)
	if err != nil {
		return nil, defaultInterval, err
	}
	phase, checks := e.phase(s.gate, r.Change.Phase)
	interval := phase.Interval.Or(defaultInterval)
	checks, reverts, err := e.spare(ctx, repo, s, r.Key(), checks)
	if err != nil {
		return nil, interval, err
	}
	values, err := s.clusterValues(ctx, r.Change.Cluster, e.opts.Policies)
	if err != nil {
		return nil, interval, fmt.Errorf("merge values of cluster %s: %w", r.Change.Cluster, err)
	}
	kube, dyn, err := e.opts.Clusters.Clients(r.Change.Cluster)
	if err != nil {
		return nil, interval, fmt.Errorf("reach cluster %s: %w", r.Change.Cluster, err)
	}
	rd := &round{e: e, run: r, newest: map[string]hooks.Result{}, target: check.Target{
		Change: r.Change, Namespace: s.gate.Namespace(r.Change.Cluster), Values: values.Merged, Kube: kube, Dynamic: dyn,
	}}
	for _, res := range r.Results {
		rd.newest[res.Check] = res
	}
	if r.Change.Phase == hooks.PreSync {
		rd.add(valuesCheck, valuesHold{e: e, s: s, repo: repo, run: r})
	}
	if reverts.proved() {
		rd.add(revertCheck, reverts)
	}
	for _, c := range checks {
		chk, err := e.opts.Checks(c.spec)
		if err != nil {
			return nil, interval, fmt.Errorf("make check %q: %w", c.name, err)
		}
		rd.add(c.name, chk)
	}
	return rd, interval, nil
}

func (rd *round) add(name string, c check.Check) {
	q := question{name: name, position: len(rd.ask), check: c}
	if was, ok := rd.newest[name]; ok && was.Status == hooks.Pass {
		q.settled = name == valuesCheck
		q.costly = was.Backup != nil
	}
	rd.ask = append(rd.ask, q)
}

// decide asks and judges. Every check is asked in every round, so that the
// evidence of a verdict is whole and of one time; a backup that is proved is
// asked again only once everything else holds, since all must hold together.
// save keeps each answer as it comes. An error means that the asking itself was
// broken off: nothing is known of this round.
func (rd *round) decide(ctx context.Context, save func(context.Context, int, hooks.Result) error) (decision, error) {
	if err := rd.askAll(ctx, save, func(q question) bool { return !q.settled && !q.costly }); err != nil {
		return decision{}, err
	}
	if d := rd.judge(); d.verdict != hooks.Passed {
		return d, nil
	}
	if err := rd.askAll(ctx, save, func(q question) bool { return q.costly }); err != nil {
		return decision{}, err
	}
	return rd.judge(), nil
}

func (rd *round) askAll(ctx context.Context, save func(context.Context, int, hooks.Result) error, which func(question) bool) error {
	type answered struct {
		q question
		r hooks.Result
	}
	var chosen []question
	for _, q := range rd.ask {
		if which(q) {
			q.asked = rd.newest[q.name].Asked
			chosen = append(chosen, q)
		}
	}
	answers := make(chan answered, len(chosen))
	// Go blocks at the limit, so the asking runs beside the saving.
	go func() {
		var group errgroup.Group
		group.SetLimit(rd.e.opts.Limits.Checks)
		for _, q := range chosen {
			group.Go(func() error {
				answers <- answered{q, rd.askOne(ctx, q)}
				return nil
			})
		}
	}()
	var failed error
	for range chosen {
		a := <-answers
		if interrupted(ctx) {
			continue // the process is ending: that is no answer
		}
		if was, ok := rd.newest[a.q.name]; ok && cutOff(ctx, a.r) {
			rd.newest[a.q.name] = was // its last answer stands
			continue
		}
		rd.newest[a.q.name] = a.r
		if failed == nil {
			failed = save(context.WithoutCancel(ctx), a.q.position, a.r)
		}
	}
	if interrupted(ctx) {
		return context.Cause(ctx)
	}
	return failed
}

// interrupted reports that ctx ended for another reason than the Run's
// deadline.
func interrupted(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), errDeadline)
}

// cutOff reports an answer that only says that the time was over.
func cutOff(ctx context.Context, r hooks.Result) bool {
	return r.Status == hooks.Unknown && errors.Is(context.Cause(ctx), errDeadline)
}

// askOne asks one check. Whatever goes wrong is Unknown.
func (rd *round) askOne(ctx context.Context, q question) (res hooks.Result) {
	limit := rd.e.opts.Limits.CheckTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within the limit of %s", limit))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			rd.e.log.ErrorContext(ctx, "check panicked", "run", rd.run.ID, "check", q.name,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			res = hooks.Result{Status: hooks.Unknown, Reason: "the check broke down, which is a mistake in Syncgate: the server's log has the details"}
		}
		res.Check, res.At, res.Asked = q.name, rd.e.now().UTC().Truncate(time.Microsecond), q.asked+1
		bound(&res)
	}()
	a, err := q.check.Evaluate(ctx, rd.target)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return hooks.Result{Status: hooks.Unknown, Reason: err.Error(), Evidence: a.Evidence}
	}
	res = hooks.Result{Status: a.Status, Reason: a.Reason, Evidence: a.Evidence, Backup: a.Backup}
	switch a.Status {
	case hooks.Pass:
	case hooks.Fail, hooks.Wait, hooks.Unknown:
		res.Backup = nil // what did not pass proves nothing
	default:
		res = hooks.Result{Status: hooks.Unknown, Reason: fmt.Sprintf("the check answered %.40q, which is no status", a.Status)}
	}
	return res
}

// judge says what the newest Results come to.
func (rd *round) judge() decision {
	var failed, open []hooks.Result
	for _, q := range rd.ask {
		r, ok := rd.newest[q.name]
		switch {
		case !ok:
			open = append(open, hooks.Result{Check: q.name, Status: hooks.Unknown, Reason: "not asked yet"})
		case r.Status == hooks.Pass:
		case r.Status == hooks.Fail:
			failed = append(failed, r)
		default:
			open = append(open, r)
		}
	}
	switch {
	case len(failed) > 0:
		return decision{hooks.Failed, oneLine(failed)}
	case len(open) > 0:
		return decision{}
	case len(rd.ask) == 0:
		return decision{hooks.Passed, "the gate asks no checks here"}
	default:
		return decision{hooks.Passed, fmt.Sprintf("all of %d checks passed", len(rd.ask))}
	}
}

// oneLine is the first Result in one line, and the names of the others.
func oneLine(rs []hooks.Result) string {
	s := fmt.Sprintf("%s: %s: %s", rs[0].Check, rs[0].Status, rs[0].Reason)
	if len(rs) == 1 {
		return s
	}
	names := make([]string, 0, len(rs)-1)
	for _, r := range rs[1:] {
		names = append(names, fmt.Sprintf("%s (%s)", r.Check, r.Status))
	}
	return s + "; also " + list(names)
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
	"github.com/syncgate/syncgate/policies/gate"
)

// Submit gives the Run that answers the Change, for the subject who posted it.
// The same attempt always gets its own Run. A new attempt joins an unfinished
// Run of the same gate, cluster, revision and phase, or takes a passed one
// that is fresh; otherwise it gets a new Run. fresh reports the last case.
func (e *Engine) Submit(ctx context.Context, c hooks.Change, subject string) (run hooks.Run, fresh bool, err error) {
	if err := c.Validate(); err != nil {
		return run, false, refuse(hooks.CodeInvalidChange, "correct the hook Job's arguments", "%v", err)
	}
	repo, err := e.repository(c.Repository)
	if err != nil {
		return run, false, err
	}
	k := store.KeyOf(repo.Name, c)
	// Whoever comes back gets an answer also when Git cannot be reached.
	if r, err := e.store.ByAttempt(ctx, k, c.Attempt); err == nil || !errors.Is(err, store.ErrNotFound) {
		return r.Run, false, err
	}
	plan, err := e.plan(ctx, repo, k)
	if err != nil {
		return run, false, err
	}
	plan.superseded = e.older.atDoor(ctx, repo, k, c.TargetRevision)
	var r store.Stored
	err = e.store.InTx(ctx, func(tx *store.Tx) error {
		r, fresh, err = e.place(ctx, tx, k, c, plan)
		if err != nil {
			return err
		}
		if k.Phase == hooks.PostSync || k.Phase == hooks.PreSync && r.Verdict.LetsGo() {
			if err := e.overtake(ctx, tx, k); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, store.AuditEntry{At: e.now(), Action: "change", Subject: subject, Cluster: c.Cluster, Run: r.ID,
			Detail: fmt.Sprintf("%s of gate %s at %s, attempt %s, run number %d", c.Phase, c.Gate, c.Revision, c.Attempt, r.Number)})
	})
	if err != nil {
		return run, false, err
	}
	e.changed(ctx, k)
	e.older.overtakeWaits(ctx, repo, k)
	if fresh {
		e.log.InfoContext(ctx, "run accepted", "run", r.ID, "gate", c.Gate, "cluster", c.Cluster,
			"revision", c.Revision, "phase", string(c.Phase), "number", r.Number)
		e.hub.signal(r.ID)
	}
	return r.Run, fresh, nil
}

// plan is what a new Run of a key would be.
type plan struct {
	deadline, freshFor time.Duration
	note               string
	// superseded is why the revision is not what will be synced, "" when it is.
	superseded string
}

// plan reads the Gate and makes its checks once, so that what cannot be
// evaluated is refused at the door with its reason, and not waited for.
func (e *Engine) plan(ctx context.Context, repo *Repository, k store.Key) (plan, error) {
	s, err := e.gates.load(ctx, repo, k.Revision, k.Gate)
	if err != nil {
		return plan{}, err
	}
	if err := onBranch(ctx, repo, k.Revision); err != nil {
		return plan{}, err
	}
	if _, err := s.gate.Cluster(k.Cluster); err != nil {
		return plan{}, refuse(hooks.CodeInvalidChange, "correct the cluster's name in the Application, or add it to "+s.gate.File, "%v", err)
	}
	if err := e.evaluable(ctx, s, k); err != nil {
		return plan{}, err
	}
	phase, checks := e.phase(s.gate, k.Phase)
	for _, c := range checks {
		if _, err := e.opts.Checks(c.spec); err != nil {
			return plan{}, refuse(hooks.CodeInvalidChange, "correct the check in "+s.gate.File+" and commit",
				"%s: %s check %q: %v", s.gate.File, k.Phase, c.name, err)
		}
	}
	checks, reverts, err := e.spare(ctx, repo, s, k, checks)
	if err != nil {
		return plan{}, err
	}
	p := plan{
		deadline: min(phase.Deadline.Or(defaultDeadline), e.opts.Limits.MaxDeadline),
		freshFor: time.Duration(phase.FreshFor),
	}
	names := make([]string, 0, len(checks)+1)
	if k.Phase == hooks.PreSync {
		p.freshFor = e.freshFor(phase.FreshFor.Or(defaultFreshFor))
		names = append(names, valuesCheck)
	}
	for _, c := range checks {
		names = append(names, c.name)
	}
	switch {
	case k.Phase == hooks.SyncFail:
		p.note = "the sync failed"
	case len(checks) == 0:
		p.note = fmt.Sprintf("gate %s asks no checks in %s", k.Gate, k.Phase)
	default:
		p.note = fmt.Sprintf("gate %s asks %d checks in %s: %s", k.Gate, len(names), k.Phase, list(names))
	}
	if note := reverts.note(k.Revision); note != "" {
		p.note += "; " + cut(note, maxReason)
	}
	return p, nil
}

// onBranch refuses a revision that is not on the branch which is synced. Forges
// give the commits of forks, by SHA, as if they were the repository's own:
// their Gate was reviewed by nobody and may ask for nothing. For the same
// reason it is not the Gate that says which branch that is.
func onBranch(ctx context.Context, repo *Repository, revision string) error {
	head, err := repo.Git.Branch(ctx, repo.Branch)
	if errors.Is(err, gitops.ErrNoBranch) {
		return refuse(hooks.CodeInvalidChange, "correct the repository's branch in the server's configuration",
			"repository %s: expected its branch %s, found no such branch", repo.Name, repo.Branch)
	}
	if err != nil {
		return fmt.Errorf("read branch %s of repository %s: %w", repo.Branch, repo.Name, err)
	}
	on, err := repo.Git.IsAncestor(ctx, revision, head)
	if err != nil {
		return fmt.Errorf("look for revision %.12s on branch %s of repository %s: %w", revision, repo.Branch, repo.Name, err)
	}
	if !on {
		return refuse(hooks.CodeInvalidChange,
			"merge it into that branch; if Applications follow another one, name that as the repository's branch in the server's configuration",
			"revision %.12s of repository %s: expected a commit of branch %s, found it elsewhere", revision, repo.Name, repo.Branch)
	}
	return nil
}

// evaluable refuses what can never be evaluated at this revision: values that
// cannot be merged, rules that break. That a rule does not hold is a finding,
// and for the Run to tell.
func (e *Engine) evaluable(ctx context.Context, s *snapshot, k store.Key) error {
	if k.Phase == hooks.SyncFail {
		return nil
	}
	_, err := s.clusterValues(ctx, k.Cluster, e.opts.Policies)
	if err == nil && k.Phase == hooks.PreSync {
		_, err = s.evaluate(ctx, "", e.opts.Policies)
	}
	if err == nil && k.Phase == hooks.PreSync {
		err = e.fillable(ctx, s, k)
	}
	if err == nil || unread(err) {
		return err
	}
	return refuse(hooks.CodeInvalidChange, "correct it and commit; `syncgate validate` shows the same",
		"values at revision %.12s cannot be evaluated: %v", k.Revision, err)
}

// place finds or makes the attempt's Run.
func (e *Engine) place(ctx context.Context, tx *store.Tx, k store.Key, c hooks.Change, p plan) (store.Stored, bool, error) {
	if r, err := tx.ByAttempt(ctx, k, c.Attempt); err == nil || !errors.Is(err, store.ErrNotFound) {
		return r, false, err
	}
	now := e.now().UTC()
	newest, err := tx.Newest(ctx, k)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return newest, false, err
	}
	if err == nil {
		join, err := joins(ctx, tx, newest, p, now)
		if err != nil {
			return newest, false, err
		}
		if join {
			return newest, false, tx.Join(ctx, k, c.Attempt, newest.ID, now)
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return newest, false, fmt.Errorf("make run: %w", err)
	}
	r := store.Stored{Repository: k.Repository, Run: hooks.Run{
		ID: id.String(), Change: c, Number: newest.Number + 1, Started: now.Truncate(time.Microsecond),
		Deadline: now.Add(p.deadline).Truncate(time.Microsecond),
	}}
	// The URL is kept as the server has it, whatever the Job's spelling.
	r.Change.Repository = e.repos[k.Repository].URLs[0]
	if err := tx.InsertRun(ctx, r); err != nil {
		return r, false, err
	}
	if err := tx.Join(ctx, k, c.Attempt, r.ID, now); err != nil {
		return r, false, err
	}
	if _, err := tx.Append(ctx, r.ID, hooks.Event{At: now, Note: p.note}); err != nil {
		return r, false, err
	}
	if p.superseded != "" {
		return e.placeSuperseded(ctx, tx, r, p, now)
	}
	if _, err := e.river.InsertTx(ctx, tx.SQL(), runArgs{RunID: r.ID}, nil); err != nil {
		return r, false, fmt.Errorf("queue run: %w", err)
	}
	return r, true, nil
}

// joins reports whether a new attempt gets the key's newest Run: it goes on, or
// its verdict holds for the attempt too. A preSync that passed does not once
// another revision was let onto the cluster: its backup may be from before
// that.
func joins(ctx context.Context, tx *store.Tx, newest store.Stored, p plan, now time.Time) (bool, error) {
	switch {
	case !newest.Done():
		return true, nil
	case newest.Verdict == hooks.Superseded:
		return p.superseded != "", nil
	case !answers(newest, now, p.freshFor):
		return false, nil
	case newest.Change.Phase != hooks.PreSync || newest.Verdict == hooks.Overridden:
		return true, nil
	}
	other, err := tx.LetGoElsewhere(ctx, newest.Key(), newest.Ended)
	return !other, err
}

// placeSuperseded ends a new Run where it begins: no check is asked, and no
// snapshot taken, for what will not be synced.
func (e *Engine) placeSuperseded(ctx context.Context, tx *store.Tx, r store.Stored, p plan, now time.Time) (store.Stored, bool, error) {
	d := decision{hooks.Superseded, p.superseded}
	if _, err := e.conclude(ctx, tx, r, d, followUp{}, now.Truncate(time.Microsecond)); err != nil {
		return r, false, err
	}
	r, err := tx.Run(ctx, r.ID)
	return r, true, err
}

func (e *Engine) repository(rawURL string) (*Repository, error) {
	if r, ok := e.urls[canonicalURL(rawURL)]; ok {
		return r, nil
	}
	var known []string
	for i := range e.opts.Repositories {
		known = append(known, canonicalURL(e.opts.Repositories[i].URLs[0]))
	}
	return nil, refuse(hooks.CodeUnknownRepo, "add the repository to the server's configuration, or its URL to the repository's aliases",
		"the server reads no repository %s; there are: %s", canonicalURL(rawURL), list(known))
}

// canonicalURL is a repository's URL without what does not tell it apart:
// scheme, user, default port, a trailing "/" or ".git", case of the host.
func canonicalURL(raw string) string {
	raw = strings.TrimSpace(raw)
	host, path := "", raw
	if u, err := url.Parse(raw); err == nil && u.Scheme != "" && (u.Host != "" || u.Scheme == "file") {
		host, path = u.Host, u.Path
		for _, port := range []string{":443", ":80", ":22"} {
			host = strings.TrimSuffix(host, port)
		}
	} else if before, after, ok := strings.Cut(raw, ":"); ok && !strings.Contains(before, "/") && !strings.HasPrefix(after, "//") {
		// user@host:path, as ssh writes it
		host, path = before[strings.LastIndex(before, "@")+1:], after
	} else if _, after, ok := strings.Cut(raw, "@"); ok {
		path = after // whatever it is, what stands before may be a password
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	return strings.ToLower(host) + "/" + path
}

// named is a check and the name that is its own among the Run's.
type named struct {
	name string
	spec gate.Check
	// required is true of what the server's configuration asks.
	required bool
}

// phase is the Gate's phase with the checks that are always asked put first.
func (e *Engine) phase(g *gate.Gate, p hooks.Phase) (gate.Phase, []named) {
	var (
		phase   gate.Phase
		minimum []gate.Check
	)
	switch p {
	case hooks.PreSync:
		phase, minimum = g.Spec.PreSync, e.opts.Minimums.PreSync
	case hooks.PostSync:
		phase, minimum = g.Spec.PostSync, e.opts.Minimums.PostSync
	default:
		return phase, nil
	}
	taken := map[string]bool{valuesCheck: true, gateCheck: true, revertCheck: true}
	var out []named
	add := func(prefix string, specs []gate.Check) {
		for _, s := range specs {
			name := prefix + s.Name
			for taken[name] {
				name += "'"
			}
			taken[name] = true
			out = append(out, named{name, s, prefix != ""})
		}
	}
	add("required/", minimum)
	add("", phase.Checks)
	return phase, out
}

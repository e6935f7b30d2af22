package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// What a Notice of an operation that asked its gate is called.
const (
	gatePassed = "GatePassed" // it was let go, and was good after the sync
	// a person let it go, or let it be, where the checks did not
	gateOverridden = "GateOverridden"
	gateHeld       = "GateHeld"   // preSync did not let it go
	gateFailed     = "GateFailed" // it was let go, and was not good after the sync
)

// maxOutcome is how long the reason in a Notice is at most, in bytes, so that
// an Event (1,024) has room for the addresses behind it.
const maxOutcome = 560

// outcome says what came of an operation whose hooks asked: Argo CD itself shows
// no more than that a Job failed. nil when no Run of it has ended, or that is no
// news any more.
func (e *Engine) outcome(ctx context.Context, op gitops.Operation, at *operated) (*gitops.Notice, error) {
	if e.now().Sub(op.Finished) > noticeFor {
		return nil, nil //nolint:nilnil // told, or too late to tell
	}
	var passed []string
	var last store.Stored
	overridden := false
	for _, phase := range []hooks.Phase{hooks.PreSync, hooks.PostSync} {
		if _, checks := e.phase(at.gate, phase); len(checks) == 0 {
			continue
		}
		r, err := e.askedBy(ctx, op, at.key, phase)
		if err != nil {
			return nil, err
		}
		switch {
		case r == nil || r.Verdict == "":
			return nil, nil //nolint:nilnil // it ended before: a hook of somebody else failed, or a person stopped it
		case !r.Verdict.LetsGo():
			return e.notLetGo(*r), nil
		}
		overridden = overridden || r.Verdict == hooks.Overridden
		passed, last = append(passed, fmt.Sprintf("%s %s", phase, r.Verdict)+decidedBy(*r)), *r
	}
	if len(passed) == 0 || !op.Applied {
		return nil, nil //nolint:nilnil // nothing of it is ours to tell
	}
	n := &gitops.Notice{Reason: gatePassed}
	if overridden {
		n.Warning, n.Reason = true, gateOverridden
	}
	n.Message = fmt.Sprintf("revision %.12s of gate %s on cluster %s: %s; %s",
		at.key.Revision, at.key.Gate, at.key.Cluster, strings.Join(passed, ", "), e.whereRun(last))
	return n, nil
}

// maxWhy is how much of the reason of an override a Notice has, in bytes.
const maxWhy = 200

// decidedBy is who overrode a Run, and why.
func decidedBy(r store.Stored) string {
	if r.Override == nil {
		return ""
	}
	return fmt.Sprintf(" by %s (%s)", r.Override.By, cut(r.Override.Reason, maxWhy))
}

// askedBy is the newest Run of a phase that the operation's hook asked for, nil
// when it asked for none.
func (e *Engine) askedBy(ctx context.Context, op gitops.Operation, k store.Key, phase hooks.Phase) (*store.Stored, error) {
	k.Phase = phase
	n, err := e.store.AttemptsSince(ctx, k, op.Started.Add(-clockSkew))
	if err != nil || n == 0 {
		return nil, err
	}
	r, err := e.store.Newest(ctx, k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // removed for its age
	}
	if err != nil {
		return nil, err
	}
	return &r, nil
}

func (e *Engine) notLetGo(r store.Stored) *gitops.Notice {
	n := &gitops.Notice{Warning: r.Verdict != hooks.Superseded, Reason: gateHeld}
	if r.Change.Phase == hooks.PostSync {
		n.Reason = gateFailed
	}
	n.Message = fmt.Sprintf("%s of revision %.12s of gate %s on cluster %s: %s: %s; %s", r.Change.Phase, r.Change.Revision,
		r.Change.Gate, r.Change.Cluster, r.Verdict, cut(r.Reason, maxOutcome), e.whereRun(r))
	if r.Revert != nil && r.Revert.URL != "" {
		n.Message += "; revert: " + r.Revert.URL
	}
	return n
}

// Why says why a Run does not let its sync go on, for the hook Job that waited
// for it: a reason in one word and a message of one line, both empty for a Run
// that lets it go on or goes on itself.
func (e *Engine) Why(ctx context.Context, id string) (reason, message string, err error) {
	r, err := e.store.Run(ctx, id)
	if err != nil || !r.Done() || r.Verdict.LetsGo() {
		return "", "", err
	}
	next := "nothing was applied"
	if r.Change.Phase == hooks.PostSync {
		next = "the change is applied"
	}
	return "Syncgate" + string(r.Verdict), fmt.Sprintf("syncgate: %s; %s", e.notLetGo(r).Message, next), nil
}

// whereRun is where a Run can be read.
func (e *Engine) whereRun(r store.Stored) string { return cmp.Or(e.runURL(r.ID), "run "+r.ID) }

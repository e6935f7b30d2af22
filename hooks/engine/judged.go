package engine

import (
	"cmp"
	"context"
	"fmt"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// gateChanged is a Notice that another gate judged an Application than before.
const gateChanged = "GateChanged"

// rejudged says that another gate let the operation go than the Application's
// operation before: whoever writes Applications can name a gate that asks for
// less. nil when it is the same one, or the first.
func (e *Engine) rejudged(ctx context.Context, op gitops.Operation, source int, at *operated) (*gitops.Notice, error) {
	applied, err := op.Applied, error(nil)
	if !applied {
		k := at.key
		k.Phase = hooks.PreSync
		applied, err = e.wentOn(ctx, op, k)
	}
	if err != nil || !applied || op.ApplicationID == "" {
		return nil, err
	}
	k := at.key
	now := fmt.Sprintf("gate %s on cluster %s (repository %s)", k.Gate, k.Cluster, k.Repository)
	before := ""
	err = e.store.InTx(ctx, func(tx *store.Tx) (err error) {
		before, err = tx.SeeJudged(ctx, store.Judged{Application: op.ApplicationID, Source: source, Operation: op.ID, Gate: now}, e.now())
		return err
	})
	if err != nil || before == "" || before == now {
		return nil, err
	}
	n := &gitops.Notice{Warning: true, Reason: gateChanged, Message: cut(fmt.Sprintf(
		"a sync by %s to %.12s was judged by %s, and those of this Application before it by %s: unless that was meant, put its source and the plugin's parameters back, and sync",
		operator(op), k.Revision, now, before), maxReason)}
	return e.tell(ctx, op, told{id: op.ID + " gate " + fmt.Sprint(source), cluster: k.Cluster, notice: n})
}

// operator is who asked for an operation, for people.
func operator(op gitops.Operation) string {
	if op.Automated {
		return "Argo CD itself"
	}
	return cmp.Or(op.By, "somebody")
}

// told is a Notice about a cluster, and what tells it from every other.
type told struct {
	id, cluster string
	notice      *gitops.Notice
}

// tell writes a Notice down once, and gives it back for as long as it is news.
func (e *Engine) tell(ctx context.Context, op gitops.Operation, t told) (*gitops.Notice, error) {
	n, first := t.notice, false
	err := e.store.InTx(ctx, func(tx *store.Tx) (err error) {
		if first, err = tx.SeeOperation(ctx, t.id, e.now()); err != nil || !first {
			return err
		}
		return tx.Audit(ctx, store.AuditEntry{At: e.now(), Action: "bypass", Subject: operator(op), Cluster: t.cluster,
			Detail: fmt.Sprintf("Application %s: %s", op.Application, n.Message)})
	})
	if err != nil {
		return nil, err
	}
	if first {
		e.log.WarnContext(ctx, "operation without its gate", "application", op.Application, "reason", n.Reason, "message", n.Message)
	} else if e.now().Sub(op.Finished) > noticeFor {
		return nil, nil //nolint:nilnil // it has been told
	}
	return n, nil
}

package server

import (
	"context"
	"errors"
	"sync"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/explain"
)

// Explainer has hook Jobs say why they fail. It returns at once, and nothing
// rests on what comes of it.
type Explainer interface {
	Explain(w explain.Waiter, why explain.Why)
}

// EnableExplaining has e tell the Jobs that wait here. It is called before the
// first request.
func (s *Server) EnableExplaining(e Explainer) { s.explainer = e }

// explaining is what the verdict of a Run means for the caller's Job, once.
func (s *Server) explaining(who Caller, run hooks.Run) func(hooks.Verdict) {
	var once sync.Once
	return func(v hooks.Verdict) {
		if v.LetsGo() {
			return
		}
		once.Do(func() {
			s.explain(who, run.Change, func(ctx context.Context) (w explain.Words, err error) {
				w.Reason, w.Message, err = s.engine.Why(ctx, run.ID)
				return w, err
			})
		})
	}
}

// explainRefusal has the caller's Job say what the engine did, where the client
// in it does not try again.
func (s *Server) explainRefusal(who Caller, change hooks.Change, err error) {
	var r *engine.RefusedError
	if !errors.As(err, &r) {
		return
	}
	words := explain.Words{Reason: "SyncgateRefused", Message: "syncgate: " + r.Message + "; " + r.Remedy}
	s.explain(who, change, func(context.Context) (explain.Words, error) { return words, nil })
}

func (s *Server) explain(who Caller, change hooks.Change, why explain.Why) {
	if s.explainer != nil && who.Allowed && who.Namespace != "" && who.Pod != "" && who.PodUID != "" {
		s.explainer.Explain(explain.Waiter{Change: change, Namespace: who.Namespace, Pod: who.Pod, UID: who.PodUID}, why)
	}
}

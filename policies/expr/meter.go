package expr

import (
	"context"
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/interpreter"
)

// checkEvery is how much cost goes by between two looks at the context.
const checkEvery = 512

// meterName is the variable under which an evaluation finds its meter. No
// expression can name it.
const meterName = "#meter"

// meter is the activation of one evaluation and counts what it costs. CEL's own
// counting walks through everything evaluated so far at each step, which makes
// a loop over some ten thousand values take seconds.
type meter struct {
	ctx   context.Context //nolint:containedctx // lives as long as one evaluation
	vars  map[string]any
	spent int
	check int
}

var _ cel.Activation = (*meter)(nil)

// ResolveName finds a variable. CEL asks for "#interrupted" at each turn of a
// loop.
func (m *meter) ResolveName(name string) (any, bool) {
	switch name {
	case "#interrupted":
		m.spend(1)
		return false, true
	case meterName:
		return m, true
	}
	v, ok := m.vars[name]
	return v, ok
}

// Parent is nil: there is nothing around a meter.
func (m *meter) Parent() cel.Activation { return nil }

// spend adds to the cost. At the limit, or when the context is done, it ends
// the evaluation by the panic that CEL's evaluator turns into its error: an
// error value could be swallowed by "||".
func (m *meter) spend(cost int) {
	m.spent += cost
	if m.spent > CostLimit {
		panic(interpreter.EvalCancelledError{Cause: interpreter.CostLimitExceeded, Message: fmt.Sprintf("limit cost=%d hit", CostLimit)})
	}
	if m.spent < m.check {
		return
	}
	m.check = m.spent + checkEvery
	if m.ctx.Err() != nil {
		panic(interpreter.EvalCancelledError{Cause: interpreter.ContextCancelled, Message: "context is done"})
	}
}

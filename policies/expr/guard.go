package expr

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// workPerCost is how much work a unit of cost stands for: bytes of text read or
// made, items of a list looked at.
const workPerCost = 16

// maxWork is more work than any evaluation may do.
const maxWork = CostLimit*workPerCost + 1

// works says how much work one call of a function is, for the functions whose
// work grows with their arguments. It is weighed before the call: what would
// not fit in memory is never begun.
func works() map[string]func(args []ref.Val) int {
	reads := func(args []ref.Val) int {
		sum := 0
		for _, a := range args {
			sum += scalarWeight(a)
		}
		return sum
	}
	pairs := func(args []ref.Val) int { return product(length(args[0]), length(args[len(args)-1])) }
	table := map[string]func(args []ref.Val) int{
		"join":    joined,
		"replace": replaced,
		"format":  func(args []ref.Val) int { return weight(args[0]) + weight(args[1]) },
		"lists.range": func(args []ref.Val) int {
			n, _ := args[0].(types.Int)
			return int(min(max(n, 0), maxWork))
		},
		"sets.contains":   pairs,
		"sets.equivalent": func(args []ref.Val) int { return product(2*length(args[0]), length(args[1])) },
		"sets.intersects": pairs,
		"distinct":        func(args []ref.Val) int { return product(length(args[0]), length(args[0])) },
		"sort":            func(args []ref.Val) int { return product(length(args[0]), 32) },
		"flatten":         func(args []ref.Val) int { return weight(args[0]) },
		operators.In:      func(args []ref.Val) int { return listLength(args[1]) },
	}
	for _, name := range []string{
		operators.Add, "matches", "contains", "startsWith", "endsWith", "indexOf", "lastIndexOf", "split",
		"lowerAscii", "upperAscii", "reverse", "trim", "strings.quote", "substring", "charAt", "string", "bytes", "size",
		"semver", "isSemver", "quantity", "isQuantity",
	} {
		table[name] = reads
	}
	return table
}

// guardCalls makes those functions pay for their work before they begin it.
func guardCalls(env *cel.Env) (cel.ProgramOption, error) {
	table := works()
	bindings := map[string]*functions.Overload{}
	for name := range table {
		decl := env.Functions()[name]
		if decl == nil {
			return nil, fmt.Errorf("guard CEL function %s: there is none", name)
		}
		all, err := decl.Bindings()
		if err != nil {
			return nil, fmt.Errorf("guard CEL function %s: %w", name, err)
		}
		for _, b := range all {
			bindings[b.Operator] = b
		}
	}
	return cel.CustomDecorator(func(i interpreter.Interpretable) (interpreter.Interpretable, error) {
		call, ok := i.(interpreter.InterpretableCall)
		if ok && (call.Function() == operators.Equals || call.Function() == operators.NotEquals) {
			return &equality{InterpretableCall: call, args: call.Args()}, nil
		}
		if !ok || table[call.Function()] == nil {
			return i, nil
		}
		binding := bindings[call.OverloadID()]
		if binding == nil {
			binding = bindings[call.Function()]
		}
		if binding == nil {
			return nil, fmt.Errorf("guard CEL function %s: overload %q has no binding", call.Function(), call.OverloadID())
		}
		return &guardedCall{InterpretableCall: call, args: call.Args(), work: table[call.Function()], binding: binding}, nil
	}), nil
}

// guardedCall is a call that pays first.
type guardedCall struct {
	interpreter.InterpretableCall
	args    []interpreter.Interpretable
	work    func([]ref.Val) int
	binding *functions.Overload
}

// Eval evaluates the arguments, weighs them and makes the call.
func (g *guardedCall) Eval(vars interpreter.Activation) ref.Val {
	args := make([]ref.Val, len(g.args))
	for i, a := range g.args {
		args[i] = a.Eval(vars)
		if types.IsUnknownOrError(args[i]) {
			return args[i]
		}
	}
	if looksInside(g.Function(), args) {
		if unknown := unknownIn(vars, args...); unknown != nil {
			return unknown
		}
	}
	if m, ok := vars.ResolveName(meterName); ok {
		m.(*meter).spend(1 + g.work(args)/workPerCost)
	}
	return types.LabelErrNode(g.ID(), g.call(args))
}

func (g *guardedCall) call(args []ref.Val) ref.Val {
	b := g.binding
	if b.OperandTrait != 0 && !args[0].Type().HasTrait(b.OperandTrait) {
		return types.NewErr("no such overload: %s", g.Function())
	}
	switch {
	case len(args) == 1 && b.Unary != nil:
		return b.Unary(args[0])
	case len(args) == 2 && b.Binary != nil:
		return b.Binary(args[0], args[1])
	case b.Function != nil:
		return b.Function(args...)
	}
	return types.NewErr("no such overload: %s", g.Function())
}

func product(a, b int) int {
	if a > maxWork || b > maxWork {
		return maxWork
	}
	return min(a*b, maxWork)
}

func length(v ref.Val) int {
	if s, ok := v.(traits.Sizer); ok {
		if n, ok := s.Size().(types.Int); ok {
			return int(n)
		}
	}
	return 0
}

// listLength is 0 for a map, where a look-up does not depend on the size.
func listLength(v ref.Val) int {
	if _, ok := v.(traits.Lister); ok {
		return length(v)
	}
	return 0
}

func text(v ref.Val) string {
	s, _ := v.(types.String)
	return string(s)
}

func joined(args []ref.Val) int {
	separator := 0
	if len(args) > 1 {
		separator = len(text(args[1]))
	}
	return weight(args[0]) + product(length(args[0]), separator)
}

func replaced(args []ref.Val) int {
	s, from, to := text(args[0]), text(args[1]), ""
	if len(args) > 2 {
		to = text(args[2])
	}
	return len(s) + product(strings.Count(s, from), len(to))
}

// scalarWeight is the number of bytes of a text, 0 for anything else.
func scalarWeight(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	}
	return 0
}

// weight is about the number of bytes that v takes when it is written out, not
// followed beyond the limit.
func weight(v ref.Val) int {
	switch v := v.(type) {
	case types.String, types.Bytes:
		return scalarWeight(v)
	case traits.Mapper:
		sum := 1
		for it := v.Iterator(); it.HasNext() == types.True && sum < maxWork; {
			k := it.Next()
			sum += weight(k) + weight(v.Get(k))
		}
		return sum
	case traits.Lister:
		sum := 1
		for it := v.Iterator(); it.HasNext() == types.True && sum < maxWork; {
			sum += weight(it.Next())
		}
		return sum
	default:
		return 16
	}
}

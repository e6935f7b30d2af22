package expr

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// workLimit is what one call of an extension function may make or look at:
// bytes of a string, items of a list, pairs of two lists. CEL counts the cost
// of such a call only once it is over.
const workLimit = 4 << 20

// guards say how much work a call of an extension function would be.
func guards() map[string]func(args []ref.Val) int {
	pairs := func(args []ref.Val) int { return product(length(args[0]), length(args[len(args)-1])) }
	return map[string]func(args []ref.Val) int{
		"join":    func(args []ref.Val) int { return joined(args) },
		"replace": replaced,
		"format":  func(args []ref.Val) int { return weight(args[0]) + weight(args[1]) },
		"lists.range": func(args []ref.Val) int {
			n, _ := args[0].(types.Int)
			return int(min(max(n, 0), workLimit+1))
		},
		"distinct":        func(args []ref.Val) int { return product(length(args[0]), length(args[0])) },
		"sets.contains":   pairs,
		"sets.equivalent": pairs,
		"sets.intersects": pairs,
	}
}

// guardCalls makes those functions refuse work over the limit before they
// begin it.
func guardCalls(env *cel.Env) (cel.ProgramOption, error) {
	table := guards()
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
		return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(),
			guarded(call.Function(), table[call.Function()], binding)), nil
	}), nil
}

func guarded(name string, work func([]ref.Val) int, binding *functions.Overload) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		for _, a := range args {
			if types.IsUnknownOrError(a) {
				return a
			}
		}
		if work(args) > workLimit {
			return types.NewErr("limit work=%d hit: %s() would make or look at more", workLimit, name)
		}
		switch {
		case len(args) == 1 && binding.Unary != nil:
			return binding.Unary(args[0])
		case len(args) == 2 && binding.Binary != nil:
			return binding.Binary(args[0], args[1])
		case binding.Function != nil:
			return binding.Function(args...)
		}
		return types.NewErr("no such overload")
	}
}

func product(a, b int) int {
	if a > workLimit || b > workLimit {
		return workLimit + 1
	}
	return min(a*b, workLimit+1)
}

func length(v ref.Val) int {
	if s, ok := v.(traits.Sizer); ok {
		if n, ok := s.Size().(types.Int); ok {
			return int(n)
		}
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

// weight is about the number of characters that v takes when it is written
// out, not followed beyond the limit.
func weight(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	case traits.Mapper:
		sum := 1
		for it := v.Iterator(); it.HasNext() == types.True && sum <= workLimit; {
			k := it.Next()
			sum += weight(k) + weight(v.Get(k))
		}
		return sum
	case traits.Lister:
		sum := 1
		for it := v.Iterator(); it.HasNext() == types.True && sum <= workLimit; {
			sum += weight(it.Next())
		}
		return sum
	default:
		return 16
	}
}

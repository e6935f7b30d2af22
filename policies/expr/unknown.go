package expr

import (
	"errors"

	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// HasUnknown is the variable by which an evaluation is told that there may be
// values of Unknown in its variables. No expression can name it.
const HasUnknown = "#unknown"

// Unknown is the value of what cannot be read, of which text says where it is
// from. has() finds it; an expression that needs to know it fails.
func Unknown(text string) any { return types.WrapErr(&unknownError{text}) }

// unknownError says what an expression would have to know.
type unknownError struct{ text string }

// Error is one line.
func (e *unknownError) Error() string { return "needs " + e.text + ", which cannot be read in Git" }

// equality compares two values. CEL takes an error in a map or list for equal, or
// for different, by the side on which it stands.
type equality struct {
	interpreter.InterpretableCall
	args []interpreter.Interpretable
}

// Eval evaluates both sides and compares them.
func (e *equality) Eval(vars interpreter.Activation) ref.Val {
	left, right := e.args[0].Eval(vars), e.args[1].Eval(vars)
	for _, v := range []ref.Val{left, right} {
		if types.IsUnknownOrError(v) {
			return v
		}
	}
	if unknown := unknownIn(vars, left, right); unknown != nil {
		return unknown
	}
	equal := types.Equal(left, right)
	if e.Function() == operators.NotEquals {
		return types.Bool(equal != types.True)
	}
	return equal
}

// looksInside reports whether a function's answer depends on the items of the
// maps and lists that it is given.
func looksInside(function string, args []ref.Val) bool {
	switch function {
	case "join", "format", "sets.contains", "sets.equivalent", "sets.intersects", "distinct", "sort":
		return true
	case operators.In:
		_, list := args[1].(traits.Lister)
		return list
	}
	return false
}

// unknownIn is the first value of Unknown in some values, nil when there is none.
func unknownIn(vars interpreter.Activation, all ...ref.Val) ref.Val {
	if _, ok := vars.ResolveName(HasUnknown); !ok {
		return nil
	}
	for _, v := range all {
		if found := findUnknown(v); found != nil {
			return found
		}
	}
	return nil
}

func findUnknown(v ref.Val) ref.Val {
	switch v := v.(type) {
	case *types.Err:
		return v
	case *types.Optional:
		if v.HasValue() {
			return findUnknown(v.GetValue())
		}
	case traits.Mapper:
		for it := v.Iterator(); it.HasNext() == types.True; {
			if found := findUnknown(v.Get(it.Next())); found != nil {
				return found
			}
		}
	case traits.Lister:
		for it := v.Iterator(); it.HasNext() == types.True; {
			if found := findUnknown(it.Next()); found != nil {
				return found
			}
		}
	}
	return nil
}

// unknownReason is what an evaluation needed and could not know, "" when it failed
// for another reason.
func unknownReason(err error) string {
	var unknown *unknownError
	if errors.As(err, &unknown) {
		return unknown.Error()
	}
	return ""
}

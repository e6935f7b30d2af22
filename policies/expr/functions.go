package expr

import (
	"fmt"
	"reflect"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/syncgate/syncgate/policies/version"
)

// The names are those of Kubernetes' own CEL libraries. They are bound here
// because the library package links the API server's metrics and authorizers
// into every program that names it.

// opaque is a CEL value that only functions look into.
type opaque[T any] struct {
	t *cel.Type
	v T
	// compare is below 0 when a is less than b.
	compare func(a, b T) int
}

// ConvertToNative gives the Go value and nothing else.
func (o opaque[T]) ConvertToNative(want reflect.Type) (any, error) {
	if reflect.TypeFor[T]().AssignableTo(want) {
		return o.v, nil
	}
	return nil, fmt.Errorf("expected %s, found %s", want, o.t)
}

// ConvertToType knows the value's own type only.
func (o opaque[T]) ConvertToType(want ref.Type) ref.Val {
	switch want.TypeName() {
	case o.t.TypeName():
		return o
	case types.TypeType.TypeName():
		return o.t
	}
	return types.NewErr("no such overload")
}

// Equal is true for the same version or amount, however it is written.
func (o opaque[T]) Equal(other ref.Val) ref.Val {
	b, ok := other.(opaque[T])
	return types.Bool(ok && o.compare(o.v, b.v) == 0)
}

// Type is the value's CEL type.
func (o opaque[T]) Type() ref.Type { return o.t }

// Value is the Go value.
func (o opaque[T]) Value() any { return o.v }

// ownFunctions are the functions beside CEL's own: versions and quantities.
func ownFunctions() []cel.EnvOption {
	semver := cel.OpaqueType("syncgate.Semver")
	toVersion := func(s string) (ref.Val, bool) {
		v, ok := version.Parse(s)
		return opaque[version.Version]{semver, v, version.Version.Compare}, ok
	}
	quantity := cel.OpaqueType("syncgate.Quantity")
	toQuantity := func(s string) (ref.Val, bool) {
		q, err := resource.ParseQuantity(s)
		return opaque[resource.Quantity]{quantity, q, func(a, b resource.Quantity) int { return a.Cmp(b) }}, err == nil
	}
	opts := append(parser("semver", "isSemver", semver, toVersion), parser("quantity", "isQuantity", quantity, toQuantity)...)
	opts = append(opts, comparisons(
		comparison("semver", semver, version.Version.Compare),
		comparison("quantity", quantity, func(a, b resource.Quantity) int { return a.Cmp(b) }),
	)...)
	number := func(name string, of func(version.Version) uint64) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload("semver_"+name, []*cel.Type{semver}, cel.IntType,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return types.Int(of(v.(opaque[version.Version]).v)) })))
	}
	return append(opts,
		number("major", version.Version.Major), number("minor", version.Version.Minor), number("patch", version.Version.Patch),
		cel.Function("asApproximateFloat", cel.MemberOverload("quantity_as_float", []*cel.Type{quantity}, cel.DoubleType,
			cel.UnaryBinding(func(v ref.Val) ref.Val {
				q := v.(opaque[resource.Quantity]).v
				return types.Double(q.AsApproximateFloat64())
			}))))
}

// parser is the function that makes a value of a text, and the one that says
// whether this can be done.
func parser(name, ask string, t *cel.Type, parse func(string) (ref.Val, bool)) []cel.EnvOption {
	one := []*cel.Type{cel.StringType}
	return []cel.EnvOption{
		cel.Function(name, cel.Overload("string_to_"+name, one, t, cel.UnaryBinding(func(v ref.Val) ref.Val {
			if out, ok := parse(text(v)); ok {
				return out
			}
			return types.NewErr("the text is no %s", name)
		}))),
		cel.Function(ask, cel.Overload("is_"+name, one, cel.BoolType, cel.UnaryBinding(func(v ref.Val) ref.Val {
			_, ok := parse(text(v))
			return types.Bool(ok)
		}))),
	}
}

// ordered is how the values of one type are compared.
type ordered struct {
	name    string
	t       *cel.Type
	compare func(a, b ref.Val) int
}

func comparison[T any](name string, t *cel.Type, compare func(a, b T) int) ordered {
	return ordered{name, t, func(a, b ref.Val) int { return compare(a.(opaque[T]).v, b.(opaque[T]).v) }}
}

// comparisons are isLessThan, isGreaterThan and compareTo of those types.
func comparisons(all ...ordered) []cel.EnvOption {
	member := func(function string, gives *cel.Type, of func(int) ref.Val) cel.EnvOption {
		overloads := make([]cel.FunctionOpt, 0, len(all))
		for _, o := range all {
			overloads = append(overloads, cel.MemberOverload(o.name+"_"+function, []*cel.Type{o.t, o.t}, gives,
				cel.BinaryBinding(func(a, b ref.Val) ref.Val { return of(o.compare(a, b)) })))
		}
		return cel.Function(function, overloads...)
	}
	return []cel.EnvOption{
		member("isLessThan", cel.BoolType, func(n int) ref.Val { return types.Bool(n < 0) }),
		member("isGreaterThan", cel.BoolType, func(n int) ref.Val { return types.Bool(n > 0) }),
		member("compareTo", cel.IntType, func(n int) ref.Val { return types.Int(n) }),
	}
}

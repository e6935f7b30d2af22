// Package expr is the program's one CEL environment: the standard library and
// macros, optional types, the strings, lists, sets and math extensions, and
// versions and quantities.
// Programs are compiled once, limited in cost, stopped by their context and
// safe for concurrent use. Nothing is set up before the first expression.
package expr

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"
	"github.com/google/cel-go/interpreter"
)

// The limits of an expression. Errors name them with their value.
const (
	// CostLimit is what one evaluation may cost: one for each turn of a loop
	// and each call of a function that reads text or lists, and one for each 16
	// bytes or items that it reads or makes.
	CostLimit = 2_000_000
	// SizeLimit is the most bytes of an expression.
	SizeLimit = 16 << 10
	// NestingLimit is how deep all(), map() and their kind may nest.
	NestingLimit = 5
)

// ErrCost is wrapped by the error of an evaluation that hits CostLimit.
var ErrCost = errors.New("expression costs too much")

// Program is a compiled expression.
type Program struct {
	src     string
	program cel.Program
	uses    map[string]bool
}

// Uses reports whether the expression looks at the variable of that name.
func (p *Program) Uses(variable string) bool { return p.uses[variable] }

// CompileError says where and why an expression does not compile.
type CompileError struct {
	// Line and Column count from 1 in the expression.
	Line, Column int
	Message      string
}

// Error is one line.
func (e *CompileError) Error() string {
	if e.Line > 1 {
		return fmt.Sprintf("line %d, character %d of the expression: %s", e.Line, e.Column, e.Message)
	}
	return fmt.Sprintf("character %d of the expression: %s", e.Column, e.Message)
}

// Env is a set of variables to compile expressions with. It is made once for
// many expressions: making it costs more than compiling one. It is safe for
// concurrent use.
type Env struct {
	env   *cel.Env
	guard cel.ProgramOption
}

// NewEnv makes an Env in which every name of vars is a variable of any type.
func NewEnv(vars ...string) (*Env, error) {
	opts := []cel.EnvOption{
		cel.OptionalTypes(), cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(SizeLimit), cel.ParserRecursionLimit(100),
		cel.ASTValidators(cel.ValidateComprehensionNestingLimit(NestingLimit)),
		ext.Strings(), ext.Lists(), ext.Sets(), ext.Math(),
	}
	opts = append(opts, ownFunctions()...)
	for _, v := range vars {
		opts = append(opts, cel.Variable(v, cel.DynType))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("make CEL environment: %w", err)
	}
	guard, err := guardCalls(env)
	if err != nil {
		return nil, err
	}
	return &Env{env: env, guard: guard}, nil
}

// Compile compiles src, in which every name of vars is a variable of any type.
// Mistakes in the expression are *CompileError.
func Compile(src string, vars ...string) (*Program, error) {
	e, err := NewEnv(vars...)
	if err != nil {
		return nil, err
	}
	return e.Compile(src)
}

// CompileBool is Compile for an expression that must be true or false.
func CompileBool(src string, vars ...string) (*Program, error) {
	e, err := NewEnv(vars...)
	if err != nil {
		return nil, err
	}
	return e.CompileBool(src)
}

// Compile compiles src. Mistakes in the expression are *CompileError.
func (e *Env) Compile(src string) (*Program, error) {
	p, _, err := e.compile(src)
	return p, err
}

// CompileBool is Compile for an expression that must be true or false.
func (e *Env) CompileBool(src string) (*Program, error) {
	p, out, err := e.compile(src)
	if err != nil {
		return nil, err
	}
	if out.Kind() != types.BoolKind && out.Kind() != types.DynKind {
		return nil, &CompileError{1, 1, "expected true or false, found an expression that gives " + out.String()}
	}
	return p, nil
}

func (e *Env) compile(src string) (*Program, *cel.Type, error) {
	if len(src) > SizeLimit {
		return nil, nil, &CompileError{1, 1, fmt.Sprintf("limit expressionSize=%d hit: it has %d bytes", SizeLimit, len(src))}
	}
	if strings.TrimSpace(src) == "" {
		return nil, nil, &CompileError{1, 1, "expected an expression, found nothing"}
	}
	ast, issues := e.env.Compile(src)
	if issues.Err() != nil {
		return nil, nil, compileError(issues.Errors())
	}
	if cost, err := e.env.EstimateCost(ast, noEstimates{}); err == nil && cost.Min > CostLimit {
		return nil, nil, &CompileError{1, 1, fmt.Sprintf("limit cost=%d hit: it costs at least %d", CostLimit, cost.Min)}
	}
	program, err := e.env.Program(ast, e.guard, cel.InterruptCheckFrequency(1))
	if err != nil {
		return nil, nil, &CompileError{1, 1, strings.Join(strings.Fields(err.Error()), " ")}
	}
	p := &Program{src: src, program: program, uses: map[string]bool{}}
	for _, r := range ast.NativeRep().ReferenceMap() {
		if r.Name != "" {
			p.uses[r.Name] = true
		}
	}
	return p, ast.OutputType(), nil
}

func compileError(all []*common.Error) error {
	first := all[0]
	message := strings.Join(strings.Fields(first.Message), " ")
	if strings.Contains(message, "comprehension exceeds nesting limit") {
		message = fmt.Sprintf("limit nesting=%d hit: loops nest deeper", NestingLimit)
	}
	return &CompileError{first.Location.Line(), first.Location.Column() + 1, message}
}

// noEstimates leaves every size open: only what is certain counts.
type noEstimates struct{}

func (noEstimates) EstimateSize(checker.AstNode) *checker.SizeEstimate { return nil }

func (noEstimates) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// Eval evaluates p. The answer is made of nil, bool, int64, uint64, float64,
// string, []byte, time.Time, time.Duration, []any and map[string]any. Errors
// name no value of in.
func (p *Program) Eval(ctx context.Context, in map[string]any) (any, error) {
	out, err := p.eval(ctx, in)
	if err != nil {
		return nil, err
	}
	v, err := native(out)
	if err != nil {
		return nil, fmt.Errorf("evaluate expression: %w", err)
	}
	return v, nil
}

// Bool evaluates p; an answer that is not true or false is an error.
func (p *Program) Bool(ctx context.Context, in map[string]any) (bool, error) {
	out, err := p.eval(ctx, in)
	if err != nil {
		return false, err
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("evaluate expression: expected true or false, found %s", out.Type().TypeName())
	}
	return bool(b), nil
}

func (p *Program) eval(ctx context.Context, in map[string]any) (ref.Val, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("evaluate expression: %w", err)
	}
	out, _, err := p.program.Eval(&meter{ctx: ctx, vars: in})
	var stopped interpreter.EvalCancelledError
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("evaluate expression: %w", ctx.Err())
	case errors.As(err, &stopped):
		return nil, fmt.Errorf("evaluate expression: %w: limit cost=%d hit; look at fewer values in one expression", ErrCost, CostLimit)
	case unknownReason(err) != "":
		return nil, errors.New("evaluate expression: it " + unknownReason(err))
	default:
		return nil, errors.New("evaluate expression: " + p.reason(err.Error()))
	}
}

// reason is what may be told of an evaluation error: CEL's messages quote
// values, and a value may be a secret.
func (p *Program) reason(message string) string {
	for _, kind := range []string{"no such key: ", "no such attribute(s): "} {
		if _, name, ok := strings.Cut(message, kind); ok {
			if p.mentions(name) {
				return kind + name + " (has() tells whether a field is there)"
			}
			return strings.TrimSuffix(kind, ": ")
		}
	}
	for _, known := range []string{
		"no such overload", "division by zero", "modulus by zero", "integer overflow", "index out of bounds",
		"optional.none() dereference", "the text is no semver", "the text is no quantity",
	} {
		if strings.Contains(message, known) {
			return known
		}
	}
	return "a conversion or function refused its argument"
}

// mentions reports whether every part of a dotted name stands in the source,
// so that telling it tells nothing new.
func (p *Program) mentions(name string) bool {
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == ',' || r == ' ' }) {
		if !strings.Contains(p.src, part) {
			return false
		}
	}
	return true
}

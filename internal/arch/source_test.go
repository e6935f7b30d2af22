package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The hard limits. The linter asks for less (60 lines a function); these are
// for what a linter's exception would let through.
const (
	maxFileLines     = 400
	maxFunctionLines = 80
	maxParameters    = 4
	maxMethods       = 3
)

// drivers are the blank imports there may be: database/sql knows its drivers
// no other way.
var drivers = []string{"embed", "modernc.org/sqlite"}

func TestSources(t *testing.T) {
	for _, p := range list(t, "./...") {
		if len(p.GoFiles) == 0 {
			continue
		}
		fset, files := parse(t, p)
		for _, v := range slices.Concat(comment(p, files), sizes(fset, files), shapes(fset, files)) {
			t.Error(v)
		}
	}
}

// parse reads the files that are built into the package, without its tests and
// without what a tool wrote.
func parse(t *testing.T, p pkg) (*token.FileSet, []*ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parse %s: %v", p.ImportPath, err)
		}
		if !ast.IsGenerated(f) {
			files = append(files, f)
		}
	}
	return fset, files
}

var packageComment = regexp.MustCompile(`^(Package|Command) \S+ `)

// comment asks for one package comment that says what the package is.
func comment(p pkg, files []*ast.File) []string {
	var found int
	for _, f := range files {
		if f.Doc != nil && packageComment.MatchString(f.Doc.Text()) {
			found++
		}
	}
	if found != 1 && len(files) > 0 {
		return []string{fmt.Sprintf("%s: expected one package comment, \"Package … is …\" or \"Command … does …\", found %d", p.ImportPath, found)}
	}
	return nil
}

// sizes lists the files and functions that are too long.
func sizes(fset *token.FileSet, files []*ast.File) []string {
	var bad []string
	for _, f := range files {
		if n := fset.Position(f.FileEnd).Line; n > maxFileLines {
			bad = append(bad, fmt.Sprintf("%s: a file of %d lines; the limit is %d", where(fset, f.Pos()), n, maxFileLines))
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1; n > maxFunctionLines {
				bad = append(bad, fmt.Sprintf("%s: func %s has %d lines; the limit is %d", where(fset, fn.Pos()), fn.Name.Name, n, maxFunctionLines))
			}
		}
	}
	return bad
}

// shapes lists init functions, blank imports, constructors with too many
// parameters and interfaces with too many methods.
func shapes(fset *token.FileSet, files []*ast.File) []string {
	var bad []string
	report := func(at token.Pos, format string, args ...any) {
		bad = append(bad, where(fset, at)+": "+fmt.Sprintf(format, args...))
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				path := strings.Trim(n.Path.Value, `"`)
				if n.Name != nil && n.Name.Name == "_" && !slices.Contains(drivers, path) {
					report(n.Pos(), "blank import of %s: wire it where it can be seen", path)
				}
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					report(n.Pos(), "func init: wire it where it can be seen")
				}
				if constructor(n) && n.Type.Params.NumFields() > maxParameters {
					report(n.Pos(), "func %s takes %d parameters; beyond %d use an Options struct", n.Name.Name, n.Type.Params.NumFields(), maxParameters)
				}
			case *ast.TypeSpec:
				if i, ok := n.Type.(*ast.InterfaceType); ok && methods(i) > maxMethods {
					report(n.Pos(), "interface %s has %d methods; the limit is %d", n.Name.Name, methods(i), maxMethods)
				}
			}
			return true
		})
	}
	return bad
}

// methods counts those that stand in the interface itself: one that is put
// together from small ones is small to whoever asks for a part of it.
func methods(i *ast.InterfaceType) int {
	n := 0
	for _, m := range i.Methods.List {
		n += len(m.Names)
	}
	return n
}

func constructor(fn *ast.FuncDecl) bool {
	return fn.Recv == nil && (fn.Name.Name == "New" || strings.HasPrefix(fn.Name.Name, "New") && ast.IsExported(fn.Name.Name))
}

// where is a position relative to the module's root.
func where(fset *token.FileSet, at token.Pos) string {
	p := fset.Position(at)
	if root, err := filepath.Abs("../.."); err == nil {
		if rel, err := filepath.Rel(root, p.Filename); err == nil {
			p.Filename = filepath.ToSlash(rel)
		}
	}
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

func TestSourceRulesBite(t *testing.T) {
	long := strings.Repeat("\t_ = 1\n", maxFunctionLines)
	tests := []struct {
		name, src string
		want      int
	}{
		{"fine", "// Package x is fine.\npackage x\n\nimport _ \"embed\"\n\nfunc New(a, b int, c, d string) {}\n", 0},
		{"no comment", "package x\n", 1},
		{"comment says nothing", "// x\npackage x\n", 1},
		{"init", "// Package x is x.\npackage x\n\nfunc init() {}\n", 1},
		{"method init", "// Package x is x.\npackage x\n\ntype t int\n\nfunc (t) init() {}\n", 0},
		{"blank import", "// Package x is x.\npackage x\n\nimport _ \"image/png\"\n", 1},
		{"long function", "// Package x is x.\npackage x\n\nfunc f() {\n" + long + "}\n", 1},
		{"long file", "// Package x is x.\npackage x\n" + strings.Repeat("\n", maxFileLines), 1},
		{"many parameters", "// Package x is x.\npackage x\n\nfunc NewX(a, b, c, d, e int) {}\n", 1},
		{"many methods", "// Package x is x.\npackage x\n\ntype I interface{ A(); B(); C(); D() }\n", 1},
		{"interface of interfaces", "// Package x is x.\npackage x\n\ntype I interface{ A; B; C; D }\n", 0},
		{"generated", "// Code generated by x. DO NOT EDIT.\n\npackage x\n\nfunc init() {}\n", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, "x.go", tt.src, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			var files []*ast.File
			if !ast.IsGenerated(f) {
				files = append(files, f)
			}
			got := slices.Concat(comment(pkg{ImportPath: "x"}, files), sizes(fset, files), shapes(fset, files))
			if len(got) != tt.want {
				t.Errorf("expected %d violations, found %q", tt.want, got)
			}
		})
	}
}

package reference

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// structType is a Go struct as its YAML sees it.
type structType struct {
	name   string
	doc    string
	fields []field
	// paths are where it stands in a Gate, ".spec.source.helm".
	paths []string
}

// field is one key.
type field struct {
	goName   string
	key      string
	doc      string
	kind     string // for people: "string", "list of strings", "map"
	of       string // the struct it holds, "" for a scalar
	list     bool
	required bool
	enum     []string
}

// parseTypes reads every struct of the package in dir.
func parseTypes(t *testing.T, dir string) map[string]*structType {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	structs := make(map[string]*structType)
	aliases := make(map[string]string) // named types of strings and durations
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.TYPE {
				continue
			}
			for _, spec := range gen.Specs {
				ts := spec.(*ast.TypeSpec)
				switch typ := ts.Type.(type) {
				case *ast.StructType:
					structs[ts.Name.Name] = &structType{name: ts.Name.Name, doc: words(gen.Doc.Text()), fields: parseFields(t, typ)}
				case *ast.Ident:
					aliases[ts.Name.Name] = "string"
				case *ast.SelectorExpr:
					aliases[ts.Name.Name] = strings.ToLower(ts.Name.Name)
				}
			}
		}
	}
	for _, s := range structs {
		for i := range s.fields {
			if alias, ok := aliases[s.fields[i].of]; ok {
				s.fields[i].kind, s.fields[i].of = alias, ""
			}
		}
	}
	return structs
}

func parseFields(t *testing.T, typ *ast.StructType) []field {
	t.Helper()
	var fields []field
	for _, f := range typ.Fields.List {
		if f.Tag == nil || len(f.Names) != 1 {
			continue
		}
		raw, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		tag := reflect.StructTag(raw)
		key, _, _ := strings.Cut(tag.Get("json"), ",")
		if key == "" || key == "-" {
			continue
		}
		out := field{goName: f.Names[0].Name, key: key, doc: words(f.Doc.Text())}
		for option := range strings.SplitSeq(tag.Get("jsonschema"), ",") {
			if option == "required" {
				out.required = true
			}
			if value, ok := strings.CutPrefix(option, "enum="); ok {
				out.enum = append(out.enum, value)
			}
		}
		out.kind, out.of, out.list = kindOf(t, f.Type)
		fields = append(fields, out)
	}
	return fields
}

func kindOf(t *testing.T, typ ast.Expr) (kind, of string, list bool) {
	t.Helper()
	switch typ := typ.(type) {
	case *ast.Ident:
		switch typ.Name {
		case "string":
			return "string", "", false
		case "int", "int64":
			return "integer", "", false
		case "bool":
			return "boolean", "", false
		}
		return "map", typ.Name, false
	case *ast.StarExpr:
		return kindOf(t, typ.X)
	case *ast.ArrayType:
		kind, of, _ := kindOf(t, typ.Elt)
		return "list of " + kind + "s", of, true
	case *ast.MapType:
		kind, _, _ := kindOf(t, typ.Value)
		return "map of " + kind + "s", "", false
	}
	t.Fatalf("a field of type %T: teach kindOf to name it", typ)
	return "", "", false
}

// reachable are the structs from Gate on, in the order a reader meets them.
func reachable(types map[string]*structType) []*structType {
	var order []*structType
	var visit func(name, path string)
	visit = func(name, path string) {
		s := types[name]
		if s == nil {
			return
		}
		if short, ok := inCheck(path); ok {
			path = short
		}
		if slices.Contains(s.paths, path) {
			return
		}
		if s.paths = append(s.paths, path); len(s.paths) == 1 {
			order = append(order, s)
		}
		for _, f := range s.fields {
			if f.of != "" {
				visit(f.of, path+"."+f.key+suffix(f))
			}
		}
	}
	visit("Gate", "")
	return order
}

func suffix(f field) string {
	if f.list {
		return "[]"
	}
	return ""
}

// inCheck shortens a path inside a check: checks are the same in every phase.
func inCheck(path string) (string, bool) {
	i := strings.LastIndex(path, "checks[]")
	if i < 0 || i+len("checks[]") == len(path) {
		return "", false
	}
	return path[i:], true
}

var (
	defaultIs = regexp.MustCompile(`\s*\bDefault:? ("[^"]*"|.+?)\.(?:\s|$)`)
	defaultTo = regexp.MustCompile(`\bdefaults to (.+?)\.(?:\s|$)`)
)

// meaning parts a comment into what the field means and its default.
func meaning(doc string) (text, def string) {
	if m := defaultIs.FindStringSubmatch(doc); m != nil {
		return strings.TrimSpace(defaultIs.ReplaceAllString(doc, " ")), m[1]
	}
	if m := defaultTo.FindStringSubmatch(doc); m != nil {
		return doc, m[1]
	}
	return doc, ""
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }

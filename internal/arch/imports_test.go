package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/syncgate/syncgate"

// pkg is what `go list` tells of a package.
type pkg struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	// Deps are all packages that the package links, near and far.
	Deps []string
}

// rooms says which rooms the code of a room may import, beside itself and
// internal. A folder that is not listed is not a room yet: name it here first.
var rooms = map[string][]string{
	"policies": {},
	"plugin":   {"policies"},
	"gitops":   {"policies"},
	"hooks":    {"gitops", "policies"},
	"cmd":      {"plugin", "hooks", "gitops", "policies"},
	"internal": {},
	// Charts and examples are read by tests; what Go they hold is embedding.
	"charts":   {},
	"examples": {},
	"docs":     {},
	// The test parts may use everything and are used by tests only.
	"test": {"cmd", "plugin", "hooks", "gitops", "policies", "charts", "examples"},
}

// confined says where alone an import path, or what lies below it, may be
// imported.
var confined = map[string][]string{
	"github.com/argoproj":              {"gitops/argocd", "plugin/cmpserver"},
	"github.com/google/go-github/v60":  {"gitops/forge"},
	"github.com/bradleyfalzon":         {"gitops/forge"},
	"github.com/minio/minio-go/v7":     {"hooks/backup"},
	"github.com/gin-gonic/gin":         {"hooks/server", "hooks/page"},
	"github.com/google/cel-go":         {"policies/expr"},
	"modernc.org/sqlite":               {"hooks/store"},
	"helm.sh/helm/v3/pkg/engine":       {"plugin/render"},
	"sigs.k8s.io/kustomize/api/krusty": {"policies/kustomize"},
	"github.com/riverqueue/river":      {"hooks"},
}

// frontal is all that the program which gives the last answer may link beside the
// standard library: all that it links costs every commit hook its start.
var frontal = []string{
	"github.com/spf13/cobra",
	"github.com/spf13/pflag",
	"golang.org/x/sys/unix",
	"golang.org/x/term",
	"golang.org/x/text",
	module + "/cmd/internal/cli",
	module + "/cmd/internal/validate",
	module + "/cmd/syncgate",
	module + "/internal/rootfs",
	module + "/policies/cache",
	module + "/policies/finding",
	module + "/policies/provenance",
	module + "/policies/report",
	module + "/policies/tree",
}

// heavy is what the command line must not link, near or far: each costs every
// validate and every hook Job its start.
var heavy = []string{
	"github.com/argoproj",
	"github.com/gin-gonic/gin",
	"github.com/riverqueue/river",
	"modernc.org/sqlite",
	"github.com/minio/minio-go",
	"github.com/google/go-github",
	"github.com/bradleyfalzon",
	"k8s.io/client-go",
	"k8s.io/api",
	"k8s.io/kubernetes",
	"helm.sh/helm/v3/pkg/engine",
	"helm.sh/helm/v3/pkg/chartutil",
	"sigs.k8s.io/controller-runtime",
}

func TestImportsPointOneWay(t *testing.T) {
	pkgs := list(t, "./...")
	if len(pkgs) == 0 {
		t.Fatal("go list names no package")
	}
	for _, v := range direction(pkgs, rooms) {
		t.Error(v)
	}
}

func TestLibrariesStayInTheirRoom(t *testing.T) {
	for _, v := range strays(list(t, "./..."), confined) {
		t.Error(v)
	}
}

func TestFrontLinksNextToNothing(t *testing.T) {
	for _, dep := range linked(t, "./cmd/syncgate") {
		domain, _, _ := strings.Cut(dep, "/")
		if strings.Contains(domain, ".") && !slices.ContainsFunc(frontal, func(may string) bool { return under(dep, may) }) {
			t.Errorf("cmd/syncgate links %s; leave what needs it to cmd/syncgate-cli", dep)
		}
	}
}

func TestCommandLineLinksNothingHeavy(t *testing.T) {
	for _, dep := range linked(t, "./cmd/syncgate-cli") {
		for _, h := range heavy {
			if under(dep, h) {
				t.Errorf("cmd/syncgate-cli links %s; find the way with `go mod why` or `go list -deps`, and move what needs it to another program in cmd", dep)
			}
		}
	}
}

// linked are the packages that a program links.
func linked(t *testing.T, program string) []string {
	t.Helper()
	pkgs := list(t, program)
	if len(pkgs) != 1 || len(pkgs[0].Deps) == 0 {
		t.Fatalf("go list %s: expected one package with its dependencies, found %d", program, len(pkgs))
	}
	return pkgs[0].Deps
}

// direction lists the imports between rooms that are not allowed.
func direction(pkgs []pkg, allowed map[string][]string) []string {
	var bad []string
	for _, p := range pkgs {
		from := room(p.ImportPath)
		may, known := allowed[from]
		if !known {
			bad = append(bad, fmt.Sprintf("%s: %q is no room; add it to the table with what it may import", p.ImportPath, from))
			continue
		}
		may = append(slices.Clone(may), from, "internal")
		inTests := append(slices.Clone(may), "test")
		bad = append(bad, wrong(p.ImportPath, p.Imports, may)...)
		bad = append(bad, wrong(p.ImportPath+" (test)", slices.Concat(p.TestImports, p.XTestImports), inTests)...)
	}
	return bad
}

func wrong(who string, imports, may []string) []string {
	var bad []string
	for _, imp := range imports {
		if to := room(imp); to != "" && !slices.Contains(may, to) {
			bad = append(bad, fmt.Sprintf("%s imports %s: it may import %s only", who, imp, strings.Join(may, ", ")))
		}
	}
	return bad
}

// strays lists the imports of confined libraries outside their folder. Tests
// may use what they like: a conformance test speaks to both ends.
func strays(pkgs []pkg, confined map[string][]string) []string {
	var bad []string
	for _, p := range pkgs {
		for _, imp := range p.Imports {
			for lib, homes := range confined {
				if under(imp, lib) && room(p.ImportPath) != "test" && !slices.ContainsFunc(homes, func(home string) bool {
					return under(p.ImportPath, module+"/"+home)
				}) {
					bad = append(bad, fmt.Sprintf("%s imports %s: only %s may", p.ImportPath, imp, strings.Join(homes, " and ")))
				}
			}
		}
	}
	slices.Sort(bad)
	return bad
}

// room is the first folder of a package of this module, "" for any other.
func room(importPath string) string {
	rest, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

// under reports whether an import path is parent or lies below it.
func under(importPath, parent string) bool {
	return importPath == parent || strings.HasPrefix(importPath, parent+"/")
}

// list runs `go list` in the module's root and leaves out folders that hold no
// Go file for this platform.
func list(t *testing.T, pattern string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports,Deps", pattern)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", pattern, err, stderr.Bytes())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("decode go list's answer: %v", err)
		}
		if len(p.GoFiles)+len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 {
			pkgs = append(pkgs, p)
		}
	}
}

func TestDirectionBites(t *testing.T) {
	tests := []struct {
		name string
		pkg  pkg
		want int
	}{
		{"inwards", pkg{ImportPath: module + "/hooks/engine", Imports: []string{"fmt", module + "/gitops", module + "/internal/x"}}, 0},
		{"outwards", pkg{ImportPath: module + "/policies/gate", Imports: []string{module + "/hooks"}}, 1},
		{"sideways", pkg{ImportPath: module + "/plugin", Imports: []string{module + "/gitops/git"}}, 1},
		{"product uses test parts", pkg{ImportPath: module + "/gitops/git", Imports: []string{module + "/test/harness"}}, 1},
		{"test uses test parts", pkg{ImportPath: module + "/gitops/git", TestImports: []string{module + "/test/harness"}}, 0},
		{"test turns outwards", pkg{ImportPath: module + "/gitops/git", XTestImports: []string{module + "/hooks"}}, 1},
		{"unknown room", pkg{ImportPath: module + "/util"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := direction([]pkg{tt.pkg}, rooms); len(got) != tt.want {
				t.Errorf("expected %d violations, found %q", tt.want, got)
			}
		})
	}
}

func TestStraysBite(t *testing.T) {
	tests := []struct {
		name string
		pkg  pkg
		want int
	}{
		{"at home", pkg{ImportPath: module + "/gitops/argocd", Imports: []string{"github.com/argoproj/argo-cd/v2/common"}}, 0},
		{"away", pkg{ImportPath: module + "/hooks/clusters", Imports: []string{"github.com/argoproj/argo-cd/v2/common"}}, 1},
		{"name alike", pkg{ImportPath: module + "/hooks/clusters", Imports: []string{"github.com/argoprojects/x"}}, 0},
		{"in a test", pkg{ImportPath: module + "/hooks/clusters", TestImports: []string{"github.com/argoproj/argo-cd/v2/common"}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strays([]pkg{tt.pkg}, confined); len(got) != tt.want {
				t.Errorf("expected %d violations, found %q", tt.want, got)
			}
		})
	}
}

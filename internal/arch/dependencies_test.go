package arch

import (
	"os"
	"regexp"
	"testing"

	"golang.org/x/mod/modfile"
)

var dependencyRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .+ \\| .+ \\| .+ \\|$")

// TestDependenciesAreExplained holds docs/dependencies.md and go.mod together.
func TestDependenciesAreExplained(t *testing.T) {
	data, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range dependencyRow.FindAllSubmatch(doc, -1) {
		rows[string(m[1])] = true
	}
	required := map[string]bool{}
	for _, r := range mod.Require {
		required[r.Mod.Path] = true
		if !r.Indirect && !rows[r.Mod.Path] {
			t.Errorf("docs/dependencies.md has no row for %s: say why it is needed, whether it is alive, and its licence", r.Mod.Path)
		}
	}
	for path := range rows {
		if !required[path] {
			t.Errorf("docs/dependencies.md explains %s, which go.mod does not require any more", path)
		}
	}
}

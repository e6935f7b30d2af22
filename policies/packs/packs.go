// Package packs holds what Syncgate knows of applications, as data: rules over
// values, the keys that tell list items apart, and presets of checks. A pack
// is a YAML file that is built into the program; the core knows no
// application.
package packs

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/expr"
)

//go:embed *.yaml
var files embed.FS

// Pack is one pack.
type Pack struct {
	// Name is what a Gate calls it.
	Name string `yaml:"name"`
	// Description is one line for people.
	Description string `yaml:"description"`
	// ListKeys say by which field the items of a list are told apart.
	ListKeys []ListKey `yaml:"listKeys"`
	// Rules are statements over clusters, in CEL.
	Rules []Rule `yaml:"rules"`
	// Presets are checks by name; each is the body of a check without its
	// name.
	Presets map[string]Preset `yaml:"presets"`
	// Guards are guards of objects by name; each is the body of a guard.
	Guards map[string]Guard `yaml:"guards"`
	// Parts are the programs of the application whose versions count, and
	// Changes what may change about them from one revision to the next.
	Parts   []Part   `yaml:"parts"`
	Changes []Change `yaml:"changes"`
	// Cases are the pack's own tests.
	Cases []Case `yaml:"cases"`

	// File is where the pack was read from; its name for one that is built in.
	File string `yaml:"-"`
}

// ListKey names the field that tells the items of a list apart.
type ListKey struct {
	Path   string `yaml:"path"`
	Key    string `yaml:"key"`
	Source string `yaml:"source"`
}

// Rule is a statement about the values, in CEL: see RuleVariables.
type Rule struct {
	Name    string `yaml:"name"`
	Expr    string `yaml:"expr"`
	Message string `yaml:"message"`
	Source  string `yaml:"source"`

	// Program is Expr, compiled.
	Program *expr.Program `yaml:"-"`
}

// Preset is a check that a Gate can use.
type Preset struct {
	// Description says what it asks; Source where that comes from.
	Description string `yaml:"description"`
	Source      string `yaml:"source"`
	// Check is the check's body, a map of one kind.
	Check yaml.Node `yaml:"check"`
}

// Guard is a guard of objects that a Gate can use.
type Guard struct {
	// Description says what it guards; Source where that comes from.
	Description string `yaml:"description"`
	Source      string `yaml:"source"`
	// Guard is the guard's body.
	Guard yaml.Node `yaml:"guard"`
}

// Names are the packs there are, sorted.
func Names() []string {
	entries, _ := fs.ReadDir(files, ".")
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// loaded are the built-in packs that were asked for, each read once: many Gates
// use the same.
//
//nolint:gochecknoglobals // what is read is part of the program
var loaded sync.Map // of func() (*Pack, error), by name

// Load is the built-in pack of that name, which nobody may change; the error lists
// the packs there are.
func Load(name string) (*Pack, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("expected one of the packs %s, found %q", strings.Join(Names(), ", "), name)
	}
	read, _ := loaded.LoadOrStore(name, sync.OnceValues(func() (*Pack, error) {
		data, err := files.ReadFile(name + ".yaml")
		if err != nil {
			return nil, fmt.Errorf("load pack %s: %w", name, err)
		}
		return Decode(data, name)
	}))
	return read.(func() (*Pack, error))()
}

// find is what a use names, "<pack>/<name>"; the error lists what there is.
func find[T any](l *Loader, use string, in func(*Pack) map[string]T) (none T, err error) {
	pack, name, ok := strings.Cut(use, "/")
	if !ok {
		return none, fmt.Errorf("expected <pack>/<preset>, found %q", use)
	}
	p, err := l.named(pack)
	if err != nil {
		return none, err
	}
	found, ok := in(p)[name]
	if ok {
		return found, nil
	}
	names := make([]string, 0, len(in(p)))
	for n := range in(p) {
		names = append(names, pack+"/"+n)
	}
	slices.Sort(names)
	if len(names) == 0 {
		return none, fmt.Errorf("expected what pack %s has, which is nothing of this kind, found %q", pack, use)
	}
	return none, fmt.Errorf("expected one of %s, found %q", strings.Join(names, ", "), use)
}

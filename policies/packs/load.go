package packs

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/tree"
)

// FileName is the file of a pack in a folder of its own.
const FileName = "pack.yaml"

// maxPack is the most bytes of a pack's file.
const maxPack = 1 << 20

// Loader reads packs: those that are built in, and those of a repository. It
// reads each once.
type Loader struct {
	tree  *tree.Tree // nil: there is no repository
	dir   string
	read  map[string]*Pack
	files bool
}

// NewLoader makes a Loader of paths relative to folder dir of the tree. Without
// a tree it knows the built-in packs only.
func NewLoader(t *tree.Tree, dir string) *Loader {
	return &Loader{tree: t, dir: dir, read: map[string]*Pack{}}
}

// Read reports whether a file of the repository was asked for.
func (l *Loader) Read() bool { return l.files }

// IsPath reports whether a Gate's word for a pack is the path of a file or
// folder and not the name of a built-in pack.
func IsPath(word string) bool { return strings.Contains(word, "/") || strings.HasSuffix(word, ".yaml") }

// Load reads the pack that a Gate names: a built-in one, or the file or folder
// of a pack in the repository.
func (l *Loader) Load(word string) (*Pack, error) {
	if p := l.read[word]; p != nil {
		return p, nil
	}
	p, err := l.load(word)
	if err == nil {
		l.read[word] = p
	}
	return p, err
}

func (l *Loader) load(word string) (*Pack, error) {
	if !IsPath(word) {
		return Load(word)
	}
	if l.tree == nil {
		return nil, fmt.Errorf("load pack %s: expected a built-in pack (%s): a file cannot be read here", word, strings.Join(Names(), ", "))
	}
	file, err := tree.Join(l.dir, word)
	if err != nil {
		return nil, fmt.Errorf("load pack %s: %w", word, err)
	}
	if path.Ext(file) != ".yaml" {
		file = path.Join(file, FileName)
	}
	l.files = true
	data, err := l.tree.Read(file, maxPack)
	if err != nil {
		return nil, fmt.Errorf("load pack %s: %w", word, err)
	}
	return Decode(data, file)
}

// FindPreset is the preset that a check's use names, "<pack>/<preset>", among
// the built-in packs and those that were loaded; the error lists what there is.
func (l *Loader) FindPreset(use string) (Preset, error) {
	return find(l, use, func(p *Pack) map[string]Preset { return p.Presets })
}

// FindGuard is the guard that a guard's use names, "<pack>/<guard>", among the
// same; the error lists what there is.
func (l *Loader) FindGuard(use string) (Guard, error) {
	return find(l, use, func(p *Pack) map[string]Guard { return p.Guards })
}

// named is the pack of that name that was loaded, else the built-in one.
func (l *Loader) named(name string) (*Pack, error) {
	for _, p := range l.read {
		if p.Name == name {
			return p, nil
		}
	}
	return l.Load(name)
}

// Decode reads a pack from the bytes of file, strictly.
func Decode(data []byte, file string) (*Pack, error) {
	var p Pack
	if err := yaml.Load(data, &p, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("read pack %s: %w", file, err)
	}
	p.File = file
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("read pack %s: %w", file, err)
	}
	return &p, nil
}

// label is what packs and what is in them may be called.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// check says what is wrong with a pack.
func (p *Pack) check() error {
	var wrong []error
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if !label.MatchString(p.Name) || p.Description == "" {
		fail("expected a name of lower-case letters, digits and '-' and a description, found %q, %q", p.Name, p.Description)
	}
	if slices.Contains(reserved(), p.Name) {
		fail("expected a name of its own, found %q, which stands for the Gate's own rules", p.Name)
	}
	for _, k := range p.ListKeys {
		if _, err := keypath.Parse(k.Path); err != nil || k.Key == "" {
			fail("list key %q: expected a key path and a field, found %q", k.Path, k.Key)
		}
	}
	names := map[string]bool{}
	take := func(name string) {
		if !label.MatchString(name) || names[name] {
			fail("rule %q: expected a name of its own, of lower-case letters, digits and '-'", name)
		}
		names[name] = true
	}
	var env *expr.Env
	for i, r := range p.Rules {
		take(r.Name)
		if env == nil {
			var err error
			if env, err = expr.NewEnv(RuleVariables()...); err != nil {
				return err
			}
		}
		program, err := env.Compile(r.Expr)
		if err != nil {
			fail("rule %s: %w", r.Name, err)
		}
		p.Rules[i].Program = program
	}
	for _, c := range p.Changes {
		take(c.Name)
	}
	return errors.Join(append(wrong, p.checkChanges())...)
}

// reserved are the first words of the identities of rules that are no pack's.
func reserved() []string { return []string{"cel", "forbidden"} }

// RuleVariables are the variables of every CEL rule. With cluster, old or new
// in it, a rule is asked for each cluster.
func RuleVariables() []string { return []string{"clusters", "gate", "cluster", "old", "new"} }

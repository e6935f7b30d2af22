package gate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/packs"
)

// Guard names objects of the Gate's namespace, and the fields of them that may
// change only as a passed Run has them. It may start from a preset of a pack
// and change it.
type Guard struct {
	// Use names a guard of a pack, "<pack>/<guard>"; the fields that are set
	// here are laid over it.
	Use string `json:"use,omitempty"`
	// APIVersion of the objects, "apps/v1". It is the version by which the
	// webhook must send them.
	APIVersion string `json:"apiVersion" jsonschema:"required"`
	// Kind of the objects.
	Kind string `json:"kind" jsonschema:"required"`
	// Name of the one object that is guarded. Default: every object of the
	// kind in the namespace.
	Name string `json:"name,omitempty"`
	// Fields are guarded together: they may become what one Run has for all of
	// them, at least one.
	Fields []GuardField `json:"fields" jsonschema:"required"`
}

// GuardField is a field of an object and what the values say it is to be.
type GuardField struct {
	// Path is the field's key path in the object, without stars:
	// "spec.version", "spec.template.spec.containers[name=app].image". It may
	// lead to text, a number or a boolean, not into metadata or status.
	Path string `json:"path" jsonschema:"required"`
	// Value is what a revision makes of the field: text with "${…}" over the
	// cluster's merged values, as in checks.
	Value string `json:"value" jsonschema:"required"`
	// Unset is what the field means where the object does not have it.
	// Default: the empty text.
	Unset string `json:"unset,omitempty"`
}

const (
	maxGuards      = 50
	maxGuardFields = 20
)

// A count in an expression is that many copies of it, so these are only compiled
// where a Gate has guards.
//
//nolint:gochecknoglobals // never change
var (
	apiVersionForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	})
	kindForm       = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,62}$`) })
	objectNameForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`) })
)

// Validate names the mistakes of a guard, each with the field it stands in,
// the problem and a remedy. compile tries the CEL of a template.
func (g Guard) Validate(compile func(template string) error, wrong func(field, problem, remedy string)) {
	if !apiVersionForm().MatchString(g.APIVersion) {
		wrong("apiVersion", fmt.Sprintf("expected \"group/version\" or \"version\", found %.80q", g.APIVersion), `write for example "apps/v1"`)
	}
	if !kindForm().MatchString(g.Kind) {
		wrong("kind", fmt.Sprintf("expected a kind, found %.80q", g.Kind), `write for example "Deployment"`)
	}
	if g.Name != "" && !objectNameForm().MatchString(g.Name) {
		wrong("name", fmt.Sprintf("expected an object's name, found %.80q", g.Name), "correct the name, or leave it out for every object of the kind")
	}
	if n := len(g.Fields); n == 0 || n > maxGuardFields {
		wrong("fields", fmt.Sprintf("limit guardFields=%d: expected at least one and not more, found %d", maxGuardFields, n), "name the fields that hold the version")
	}
	seen := map[string]bool{}
	for i, f := range g.Fields {
		at := fmt.Sprintf("fields[%d]", i)
		if _, err := f.Segments(); err != nil {
			wrong(at+".path", err.Error(), `write a key path such as "spec.version"`)
		} else if seen[f.Path] {
			wrong(at+".path", fmt.Sprintf("expected a path of its own, found %q again", f.Path), "remove one of the two")
		}
		seen[f.Path] = true
		if err := compile(f.Value); err != nil {
			wrong(at+".value", err.Error(), "correct the expression; its variables are "+strings.Join(TemplateVariables(), ", "))
		}
	}
}

// Resolve is the guard laid over the preset it uses, for guards that were not
// decoded with a Gate.
func (g Guard) Resolve() (Guard, error) {
	if g.Use == "" {
		return g, nil
	}
	preset, err := packs.NewLoader(nil, ".").FindGuard(g.Use)
	if err != nil {
		return g, err
	}
	body := &preset.Guard
	var under Guard
	var plain any
	if err := body.Decode(&plain); err != nil {
		return g, fmt.Errorf("read guard %s: %w", g.Use, err)
	}
	text, err := json.Marshal(plain)
	if err == nil {
		err = json.Unmarshal(text, &under)
	}
	if err != nil {
		return g, fmt.Errorf("read guard %s: %w", g.Use, err)
	}
	g.APIVersion, g.Kind, g.Name = cmp.Or(g.APIVersion, under.APIVersion), cmp.Or(g.Kind, under.Kind), cmp.Or(g.Name, under.Name)
	if len(g.Fields) == 0 {
		g.Fields = under.Fields
	}
	return g, nil
}

// Segments are the segments of the field's path.
func (f GuardField) Segments() ([]string, error) {
	glob, err := keypath.Parse(f.Path)
	if err != nil {
		return nil, err
	}
	segments, exact := glob.Exact()
	switch {
	case !exact:
		return nil, fmt.Errorf("expected the path of one field, found %q, which has a star", f.Path)
	case slices.Contains([]string{"metadata", "status", "apiVersion", "kind"}, segments[0]):
		return nil, fmt.Errorf("expected a field that says what the object is to be, found %q", f.Path)
	}
	return segments, nil
}

// guards holds the Gate's guards against their rules.
func (d *decoder) guards(g *Gate) {
	n := len(g.Spec.Guards)
	if n == 0 {
		return
	}
	d.expect("spec.guards", n <= maxGuards, fmt.Sprintf("limit guards=%d hit: found %d", maxGuards, n), "keep those that hold a version")
	for _, c := range g.Spec.Clusters {
		if g.Namespace(c.Name) == "" {
			d.fail(d.at("spec.guards"), "spec.guards", "expected to know the namespace of the guarded objects, found none for cluster "+c.Name, "set spec.namespace")
			break
		}
	}
	compile := func(template string) error {
		env, err := d.environment(TemplateVariables()...)
		if err == nil {
			_, err = env.CompileTemplate(template)
		}
		return err
	}
	for i, guard := range g.Spec.Guards {
		field := fmt.Sprintf("spec.guards[%d]", i)
		guard.Validate(compile, func(inner, problem, remedy string) {
			inner = join(field, inner)
			d.fail(d.at(inner), inner, problem, remedy)
		})
	}
}

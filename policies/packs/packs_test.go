package packs_test

import (
	"strings"
	"testing"

	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/packs"
)

func TestEveryPackIsWhole(t *testing.T) {
	if len(packs.Names()) < 2 {
		t.Fatalf("want at least two packs, got %v", packs.Names())
	}
	for _, name := range packs.Names() {
		t.Run(name, func(t *testing.T) {
			p, err := packs.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			if p.Name != name || p.Description == "" {
				t.Errorf("want name %q and a description, got %q, %q", name, p.Name, p.Description)
			}
			for _, k := range p.ListKeys {
				if _, err := keypath.Parse(k.Path); err != nil || k.Key == "" || k.Source == "" {
					t.Errorf("list key %+v: %v", k, err)
				}
			}
			for _, r := range p.Rules {
				if _, err := expr.Compile(r.Expr, packs.RuleVariables()...); err != nil || r.Name == "" || r.Message == "" || r.Source == "" {
					t.Errorf("rule %+v: %v", r, err)
				}
			}
			for preset, c := range p.Presets {
				if c.Description == "" || c.Source == "" || len(c.Check.Content) != 2 {
					t.Errorf("preset %s: want a description, a source and one kind", preset)
				}
			}
			for guard, g := range p.Guards {
				if g.Description == "" || g.Source == "" || len(g.Guard.Content) == 0 {
					t.Errorf("guard %s: want a description, a source and a body", guard)
				}
			}
		})
	}
}

func TestFindPresetListsWhatThereIs(t *testing.T) {
	for use, want := range map[string]string{
		"settled":         "<pack>/<preset>",
		"nope/settled":    "mattermost",
		"mattermost/nope": "mattermost/settled",
	} {
		if _, err := packs.NewLoader(nil, ".").FindPreset(use); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, got %v", use, want, err)
		}
	}
	if _, err := packs.NewLoader(nil, ".").FindPreset("mattermost/settled"); err != nil {
		t.Error(err)
	}
	for use, want := range map[string]string{"mattermost/nope": "mattermost/server", "deployment/server": "nothing of this kind"} {
		if _, err := packs.NewLoader(nil, ".").FindGuard(use); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, got %v", use, want, err)
		}
	}
}

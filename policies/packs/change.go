package packs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/version"
)

// Part is a program of the application whose version counts: the server, its
// operator.
type Part struct {
	// Name is what changes call it.
	Name string `yaml:"name"`
	// Description is for people: "the Mattermost server".
	Description string `yaml:"description"`
	// Places say where its version stands in the values; the first at which a
	// cluster has one counts.
	Places []Place `yaml:"places"`
}

// Place says where a part's version stands in the values of one chart.
type Place struct {
	// Chart is the chart's name. Where the chart is a subchart, the paths are
	// those below that name.
	Chart string `yaml:"chart"`
	// Version is the key path of the version or tag, and Image that of the
	// image without it.
	Version string `yaml:"version"`
	Image   string `yaml:"image"`
	// DefaultImage runs where Image is not set.
	DefaultImage string `yaml:"defaultImage"`
	// AppVersion is true when the chart's appVersion is this part's version.
	AppVersion bool `yaml:"appVersion"`
	// Source says where this comes from.
	Source string `yaml:"source"`
}

// Change is a statement about what may change from the revision that passed
// last to the next. It has exactly one of the kinds.
type Change struct {
	Name string `yaml:"name"`
	// NoDowngrade names a part whose version never goes back.
	NoDowngrade string `yaml:"noDowngrade"`
	// SameImage names a part that goes on running the image of the same name,
	// from whichever registry.
	SameImage string `yaml:"sameImage"`
	// ChartFits names a part whose chart and version go together.
	ChartFits string `yaml:"chartFits"`
	// Separate are parts of which at most one changes its version at once, in
	// this order.
	Separate []string `yaml:"separate"`
	// Steps bound how far a part's version may go in one change.
	Steps *Steps `yaml:"steps"`
	// BadPairs are upgrades that are known to fail.
	BadPairs *BadPairs `yaml:"badPairs"`
	// Message says what to do when it does not hold, Source where it comes
	// from.
	Message string `yaml:"message"`
	Source  string `yaml:"source"`
}

// Steps bound how far a version may go: at most to the next of the lines.
type Steps struct {
	Part string `yaml:"part"`
	// Lines are minor versions, "11.7", in ascending order.
	Lines []string `yaml:"lines"`
}

// BadPairs are upgrades of a part that are known to fail.
type BadPairs struct {
	Part  string `yaml:"part"`
	Pairs []Pair `yaml:"pairs"`
}

// Pair is an upgrade that is known to fail. From and To are ranges,
// ">=11.7.0, <11.7.3".
type Pair struct {
	From   string `yaml:"from"`
	To     string `yaml:"to"`
	Reason string `yaml:"reason"`
	// Instead is what to do in place of it.
	Instead string `yaml:"instead"`
	Source  string `yaml:"source"`
}

// Kind is the name of the one kind that is set, "" when it is not one.
func (c Change) Kind() string {
	var kinds []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"noDowngrade", c.NoDowngrade != ""}, {"sameImage", c.SameImage != ""}, {"chartFits", c.ChartFits != ""},
		{"separate", len(c.Separate) > 0}, {"steps", c.Steps != nil}, {"badPairs", c.BadPairs != nil},
	} {
		if k.set {
			kinds = append(kinds, k.name)
		}
	}
	if len(kinds) != 1 {
		return ""
	}
	return kinds[0]
}

// parts are the parts that the change speaks of.
func (c Change) parts() []string {
	switch c.Kind() {
	case "noDowngrade":
		return []string{c.NoDowngrade}
	case "sameImage":
		return []string{c.SameImage}
	case "chartFits":
		return []string{c.ChartFits}
	case "steps":
		return []string{c.Steps.Part}
	case "badPairs":
		return []string{c.BadPairs.Part}
	default:
		return c.Separate
	}
}

// check says what is wrong with a pack's parts and changes.
func (p *Pack) checkChanges() error {
	var wrong []error
	parts := map[string]bool{}
	for _, part := range p.Parts {
		if part.Name == "" || part.Description == "" || len(part.Places) == 0 || parts[part.Name] {
			wrong = append(wrong, fmt.Errorf("part %q: expected a name of its own, a description and places", part.Name))
		}
		parts[part.Name] = true
		for _, place := range part.Places {
			for _, path := range []string{place.Version, place.Image} {
				if _, err := keypath.Parse(path); err != nil || strings.ContainsAny(path, "*[") {
					wrong = append(wrong, fmt.Errorf("part %s: expected key paths of plain names as version and image, found %q", part.Name, path))
				}
			}
		}
	}
	for _, c := range p.Changes {
		if c.Kind() == "" {
			wrong = append(wrong, fmt.Errorf("change %q: expected exactly one of noDowngrade, sameImage, chartFits, separate, steps and badPairs", c.Name))
			continue
		}
		for _, name := range c.parts() {
			if !parts[name] {
				wrong = append(wrong, fmt.Errorf("change %s: expected a part of the pack, found %q", c.Name, name))
			}
		}
		wrong = append(wrong, c.checkVersions()...)
	}
	return errors.Join(wrong...)
}

func (c Change) checkVersions() (wrong []error) {
	if c.Steps != nil {
		ascending := slices.IsSortedFunc(c.Steps.Lines, func(a, b string) int {
			x, okA := version.Parse(a)
			y, okB := version.Parse(b)
			if !okA || !okB {
				wrong = append(wrong, fmt.Errorf("change %s: expected versions as lines, found %q, %q", c.Name, a, b))
				return 0
			}
			return x.Compare(y)
		})
		if !ascending || len(c.Steps.Lines) == 0 {
			wrong = append(wrong, fmt.Errorf("change %s: expected lines in ascending order, found %v", c.Name, c.Steps.Lines))
		}
	}
	if c.BadPairs != nil {
		for _, pair := range c.BadPairs.Pairs {
			for _, r := range []string{pair.From, pair.To} {
				if _, err := version.ParseRange(r); err != nil {
					wrong = append(wrong, fmt.Errorf("change %s: expected a range of versions, found %q: %w", c.Name, r, err))
				}
			}
		}
	}
	return wrong
}

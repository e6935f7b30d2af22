// Package draft writes a first Gate for a repository: it looks for what
// delivers an application to several clusters, tries what it finds, and lists
// the key paths that differ today for a person to confirm. A draft that does
// not hold is never given.
package draft

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/rules"
)

// The bounds of a draft.
const (
	maxCandidates = 50   // ways that are tried
	maxPaths      = 1000 // key paths that are listed
	maxRounds     = 20   // times a candidate is validated
)

// Draft is a Gate that holds today.
type Draft struct {
	// File is where the Gate belongs in the tree, and Text what it says.
	File string
	Text []byte
	// Gate is what Text says.
	Gate *gate.Gate
	// Found says what the Gate is made of, and Left what else there is, and what
	// was not understood. Both are for people.
	Found, Left []string
	// covers reports of a file whether the Gate reads it to compare it.
	covers func(name string) bool
}

// NothingError says that nothing in a folder delivers to several clusters.
type NothingError struct {
	Dir string
	// Elsewhere says where the Gate is, or could be, of what objects of the folder
	// install.
	Elsewhere []string
	// Left is what was found and not understood.
	Left []string
}

// Error is one line.
func (e *NothingError) Error() string {
	found := "find clusters under " + e.Dir + ": found no Applications, ApplicationSets, HelmReleases, overlays, charts or values files of two clusters or more"
	if len(e.Elsewhere) > 0 {
		return found + "; but " + strings.Join(e.Elsewhere, "; ")
	}
	return found + "; write a syncgate.yaml by hand, or name the folder that has them"
}

// Make drafts a Gate for what lies in folder dir. When nothing there delivers to
// several clusters, it is for the application of the folder's name, wherever
// that is: values of clusters often lie apart from the chart. name is the Gate's
// name; "" means one that follows from the folder's, at the root from the
// application's.
func Make(ctx context.Context, fsys fs.FS, dir, name string) (Draft, error) {
	s, err := look(ctx, fsys, dir)
	if err != nil {
		return Draft{}, err
	}
	blank := gate.Gate{APIVersion: gate.APIVersion, Kind: gate.Kind, File: path.Join(dir, gate.FileName)}
	if blank.Metadata.Name = name; name == "" && dir != "." {
		blank.Metadata.Name = label(path.Base(dir))
	}
	made, left, err := s.choose(ctx, fsys, blank)
	if err == nil && len(made) == 0 && dir != "." {
		nothing := &NothingError{Dir: dir, Elsewhere: s.elsewhere(fsys), Left: slices.Concat(s.puzzles, left, s.apps)}
		if s, err = look(ctx, fsys, "."); err != nil {
			nothing.Left = append(nothing.Left, oneLine(err))
			return Draft{}, nothing
		}
		s.gateDir, s.only = dir, label(path.Base(dir))
		if made, left, err = s.choose(ctx, fsys, blank); err == nil && len(made) == 0 {
			return Draft{}, nothing
		}
		left = append(left, fmt.Sprintf("to confirm: %s has no clusters, so what is called %s elsewhere is taken", dir, s.only))
	}
	left = slices.Concat(s.puzzles, left)
	switch {
	case err != nil:
		return Draft{}, err
	case len(made) == 0:
		return Draft{}, &NothingError{Dir: dir, Elsewhere: s.elsewhere(fsys), Left: slices.Concat(left, s.apps)}
	case len(made) > 1:
		return Draft{}, s.several(made, left)
	}
	d, c := made[0].draft, made[0].candidate
	d.File, d.Found = blank.File, append([]string{c.about}, d.Found...)
	if c.score == 0 {
		left = append(left, "to confirm: these are clusters; nothing but how alike they are says so")
	}
	d.Left = slices.Concat(left, c.left, s.uncovered(c, d.covers))
	return *d, nil
}

func oneLine(err error) string {
	const most = 400
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

var notLabel = regexp.MustCompile(`[^a-z0-9]+`)

// label is a DNS label made of a text.
func label(text string) string {
	l := strings.Trim(notLabel.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if len(l) > 63 {
		l = strings.Trim(l[:63], "-")
	}
	if l == "" {
		return "app"
	}
	return l
}

// try lists what differs between the clusters of g until it holds.
func try(ctx context.Context, fsys fs.FS, g *gate.Gate) (*Draft, error) {
	d := &Draft{Gate: g}
	full, err := policies.Expand(ctx, fsys, g, policies.Options{})
	if err != nil {
		return nil, err
	}
	if len(full.Spec.Clusters) < 2 {
		return nil, fmt.Errorf("gives %d cluster, and there is nothing to compare with less than two", len(full.Spec.Clusters))
	}
	compared := *full
	compared.Spec.Source = gate.Source{} // what is rendered is not all compared
	if d.covers, err = compared.Guarded(); err != nil {
		return nil, err
	}
	var names []string
	for _, c := range full.Spec.Clusters {
		names = append(names, c.Name)
	}
	d.Found = append(d.Found, fmt.Sprintf("clusters: %s", some(names)))
	shown := map[string]string{} // what each path holds today
	for range maxRounds {
		found, err := policies.Validate(ctx, fsys, g, policies.Options{})
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			d.Text = write(g, names, shown)
			if _, err := gate.Decode(d.Text, g.File); err != nil {
				return nil, fmt.Errorf("write gate: %w", err)
			}
			return d, nil
		}
		if err := d.allow(ctx, fsys, found, shown); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("limit rounds=%d hit: it still differs", maxRounds)
}

// allow adds to the Gate what makes the findings go.
func (d *Draft) allow(ctx context.Context, fsys fs.FS, found []finding.Finding, shown map[string]string) error {
	for _, f := range found {
		if f.Rule != rules.Identical {
			return fmt.Errorf("rule %s: %s", f.Rule, f.Message)
		}
		if f.Path == "" {
			continue // more than are shown
		}
		if list, ok := listOf(f.Path); ok && !slices.ContainsFunc(d.Gate.Spec.ListKeys, func(k gate.ListKey) bool { return k.Path == list }) {
			if d.keyed(ctx, fsys, list) {
				return nil // look again, item by item
			}
		}
		if shown[f.Path] == "" {
			shown[f.Path] = holdings(f)
			d.Gate.Spec.PerCluster = append(d.Gate.Spec.PerCluster, gate.PerCluster{Path: f.Path, Reason: reason})
		}
	}
	if n := len(d.Gate.Spec.PerCluster); n > maxPaths {
		return fmt.Errorf("limit paths=%d hit: %d key paths differ, which is more than a person can confirm", maxPaths, n)
	}
	return nil
}

// reason stands where a person has to say one.
const reason = "differs today"

// listOf is the list that a path leads through by an index, the outermost.
func listOf(text string) (string, bool) {
	i := strings.Index(text, "[")
	for i >= 0 {
		end := strings.IndexByte(text[i:], ']')
		if end > 1 && strings.Trim(text[i+1:i+end], "0123456789") == "" {
			return text[:i], i > 0
		}
		next := strings.Index(text[i+1:], "[")
		if next < 0 {
			return "", false
		}
		i += 1 + next
	}
	return "", false
}

// keyed tells the items of a list apart by their names, when they have any.
func (d *Draft) keyed(ctx context.Context, fsys fs.FS, list string) bool {
	if _, err := keypath.Parse(list); err != nil {
		return false
	}
	with := *d.Gate
	with.Spec.ListKeys = append(slices.Clip(with.Spec.ListKeys), gate.ListKey{Path: list, Key: "name"})
	found, err := policies.Validate(ctx, fsys, &with, policies.Options{})
	if err != nil || slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Rule == rules.ListKeys }) {
		return false
	}
	*d.Gate = with
	return true
}

// holdings is what clusters hold, on one line.
func holdings(f finding.Finding) string {
	const most, each = 3, 40
	var parts []string
	for i, h := range f.Holdings {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(f.Holdings)-i))
			break
		}
		value := h.Value
		if h.Missing {
			value = "not set"
		}
		if r := []rune(value); len(r) > each {
			value = string(r[:each]) + "…"
		}
		var who []string
		for _, p := range h.Places {
			who = append(who, p.Cluster)
		}
		parts = append(parts, some(who)+": "+value)
	}
	return strings.Join(parts, "; ")
}

func some(names []string) string {
	const most = 3
	if len(names) > most+1 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/packs"
	"github.com/syncgate/syncgate/policies/values"
	"github.com/syncgate/syncgate/policies/version"
)

// versions asks about a part whose version has changed and can be read on both
// sides. That it cannot be read is told once.
func (j judge) versions(part string, ask func(move) []finding.Said) []finding.Said {
	m := j.move(part)
	switch {
	case m.old == nil && m.new == nil:
		return skip("there is no version of %s in the values", m.part.Description)
	case m.old == nil:
		return skip("there was no version of %s in the values before", m.part.Description)
	case m.new != nil && m.old.text == m.new.text:
		return nil
	case m.new != nil && m.old.known && m.new.known:
		return ask(m)
	}
	key := j.cluster.Name + "\x00" + part
	if j.told[key] {
		return skip("the version of %s cannot be read", m.part.Description)
	}
	j.told[key] = true
	at := m.old
	if m.new != nil {
		at = m.new
	}
	found := at.problem("expected a version of %s that can be compared, found %s before and %s now", m.part.Description, m.old.show(), m.new.show())
	found[0].Fix = `write the version, "1.2.3" or with the digest behind it, "1.2.3@sha256:…"`
	return found
}

func (j judge) noDowngrade(m move) []finding.Said {
	if m.new.version.Compare(m.old.version) >= 0 {
		return nil
	}
	return m.new.problem("expected %s or later of %s, which ran before, found %s", m.old.show(), m.part.Description, m.new.show())
}

// steps finds the line after the old version's own; the new one may not be
// beyond it.
func (j judge) steps(s *packs.Steps, m move) []finding.Said {
	from, to := lineOf(m.old.version), lineOf(m.new.version)
	if to.Compare(from) <= 0 {
		return nil
	}
	for _, text := range s.Lines {
		line, ok := version.Parse(text)
		if !ok || line.Compare(from) <= 0 {
			continue
		}
		if to.Compare(line) <= 0 {
			return nil
		}
		found := m.new.problem("expected %s to go from %s to %s at most, found %s", m.part.Description, m.old.show(), text, m.new.show())
		found[0].Fix = fmt.Sprintf("go to the newest %s first, and on from there in a change of its own", text)
		return found
	}
	return skip("of steps beyond %s the pack knows nothing", s.Lines[len(s.Lines)-1])
}

// lineOf is a version without its patch.
func lineOf(v version.Version) version.Version {
	line, _ := version.Parse(fmt.Sprintf("%d.%d", v.Major(), v.Minor()))
	return line
}

func (j judge) badPairs(b *packs.BadPairs, m move) (found []finding.Said) {
	for _, p := range b.Pairs {
		from, errFrom := version.ParseRange(p.From)
		to, errTo := version.ParseRange(p.To)
		if errFrom != nil || errTo != nil || !from.Has(m.old.version) || !to.Has(m.new.version) {
			continue // ranges were checked when the pack was read
		}
		v := m.new.problem("expected no upgrade of %s that is known to fail, found %s to %s: %s", m.part.Description, m.old.show(), m.new.show(), words(p.Reason))
		v[0].Fix = words(p.Instead)
		found = append(found, v...)
	}
	return found
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }

func (j judge) sameImage(m move) []finding.Said {
	switch {
	case m.old == nil || m.new == nil || m.old.image == "" || m.new.image == "":
		return skip("the image of %s is not in the values before and now", m.part.Description)
	case baseName(m.old.image) == baseName(m.new.image):
		return nil
	}
	return m.new.problem("expected the image %s of %s, which ran before, found %s", baseName(m.old.image), m.part.Description, baseName(m.new.image))
}

func (j judge) separate(parts []string) []finding.Said {
	var changed []string
	var last *spot
	for _, name := range parts {
		if m := j.move(name); m.changed() {
			changed = append(changed, fmt.Sprintf("%s from %s to %s", m.part.Description, m.old.show(), m.new.show()))
			last = m.new
		}
	}
	if len(changed) < 2 {
		return nil
	}
	return last.problem("expected one of them to change at once, found %s", strings.Join(changed, " and "))
}

// chartFits asks about the charts whose appVersion is the part's version: an
// appVersion changes with the chart's version, and the values follow it.
func (j judge) chartFits(m move) []finding.Said {
	if m.new == nil || !m.new.place.AppVersion {
		return skip("the version of %s is not tied to a chart here", m.part.Description)
	}
	if m.new.unread {
		return skip("the version of %s is %s, which cannot be read in Git", m.part.Description, m.new.text)
	}
	was, okOld := identity(j.cluster.OldCharts, m.new.place.Chart)
	is, okNew := identity(j.cluster.NewCharts, m.new.place.Chart)
	switch {
	case !okOld || !okNew:
		return skip("chart %s is not in the repository before and now", m.new.place.Chart)
	case was.AppVersion == is.AppVersion:
		return nil
	case was.Version == is.Version:
		return []finding.Said{{
			Problem: fmt.Sprintf("expected the appVersion %s of chart %s %s, found %s: a chart's version names one appVersion", was.AppVersion, is.Name, is.Version, is.AppVersion),
			Value:   fmt.Sprintf("%.60q", is.AppVersion), At: finding.Position{File: is.File}, Fix: "take the chart as it was released, with the version that belongs to it",
		}}
	case m.changed() || sameRelease(m.new, is.AppVersion):
		return nil
	}
	return m.new.problem("expected %s at %s, for which chart %s %s is made, found that the values keep %s",
		m.part.Description, is.AppVersion, is.Name, is.Version, m.new.show())
}

func sameRelease(s *spot, appVersion string) bool {
	v, ok := version.Parse(appVersion)
	return ok && s.known && v.Compare(s.version) == 0
}

func identity(charts []values.Identity, name string) (values.Identity, bool) {
	i := slices.IndexFunc(charts, func(c values.Identity) bool { return c.Name == name })
	if i < 0 {
		return values.Identity{}, false
	}
	return charts[i], true
}

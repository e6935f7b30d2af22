package draft

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
)

// mark stands for the cluster's name.
const mark = "${cluster}"

// candidate is a Gate that may do.
type candidate struct {
	about string
	gate  gate.Gate
	// tier is the kind of reading, app the application's name, "" when nothing
	// says it, and score how likely it is: 1, 0 when only its form speaks for it, -1 when
	// what would be clusters are applications.
	tier, app string
	score     int
	// main are the files and objects that are a cluster's own.
	main []string
	// again is true for another way to read what the candidate before it reads.
	again bool
	// What it does not read is of interest in the folder in, and in the folders
	// below and under them; left is known to be left out, or guessed.
	in          string
	below, left []string
}

// candidates are the ways to read the folder, the likeliest first.
func (s *survey) candidates() []candidate {
	var all []candidate
	for _, tier := range []struct {
		name string
		list []candidate
	}{
		{"ApplicationSets", s.applicationSets()},
		{"Applications", s.applications()},
		{"overlays", s.builtReleases()},
		{"HelmReleases", s.releases()},
		{"charts", s.umbrellas()},
		{"folders", s.folders()},
		{"values files", s.valuesFolders()},
	} {
		for _, c := range tier.list {
			switch c.tier = tier.name; {
			case c.score < 0:
				s.apps = append(s.apps, "not used: "+c.about+": these are applications, by their charts' or their folder's name")
			case s.only == "" || s.only == label(c.app):
				all = append(all, c)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return b.score - a.score })
	if len(all) > maxCandidates {
		s.puzzles = append(s.puzzles, fmt.Sprintf("limit candidates=%d hit: %d more ways to read this are not tried; name a folder nearer to the application", maxCandidates, len(all)-maxCandidates))
		all = all[:maxCandidates]
	}
	return all
}

// rel is a path of the tree as the Gate writes it, from its own folder.
func (s *survey) rel(name string) string {
	rel, err := filepath.Rel(filepath.FromSlash(s.gateDir), filepath.FromSlash(name))
	if err != nil {
		return name // both are relative to the root, so there always is a way
	}
	return filepath.ToSlash(rel)
}

func (s *survey) of(kind string) []seenObject {
	var list []seenObject
	for _, o := range s.objects {
		if o.kind == kind {
			list = append(list, o)
		}
	}
	return list
}

func from(f gate.ClustersFrom) gate.Gate {
	return gate.Gate{Spec: gate.Spec{ClustersFrom: []gate.ClustersFrom{f}}}
}

func (s *survey) applicationSets() []candidate {
	var all []candidate
	for _, o := range s.of("ApplicationSet") {
		about := fmt.Sprintf("ApplicationSet %s in %s", o.name, o.file)
		base := gate.ClustersFrom{Files: []string{s.rel(o.file)}, Kind: "ApplicationSet"}
		c := candidate{about: about, gate: from(base), app: o.name, score: 1, main: []string{o.id()}}
		all = append(all, c)
		for _, name := range []string{o.name + "-" + mark, mark + "-" + o.name} {
			named := base
			named.Name = name
			c.about, c.gate, c.again = about+", Applications "+name, from(named), true
			all = append(all, c)
		}
	}
	return all
}

// applications are Applications whose names differ in one part.
func (s *survey) applications() []candidate {
	var all []candidate
	groups := map[string][]seenObject{}
	for _, o := range s.of("Application") {
		parts := strings.Split(o.name, "-")
		for i := range parts {
			stem := strings.Join(slices.Concat(parts[:i], []string{mark}, parts[i+1:]), "-")
			groups[stem] = append(groups[stem], o)
		}
	}
	apartAs := map[string]bool{} // those of which others of the name go elsewhere
	for _, list := range groups {
		for _, o := range list {
			apartAs[o.id()] = apartAs[o.id()] || len(list) > 1 && apart(list)
		}
	}
	for stem, list := range groups {
		if len(list) < 2 {
			continue
		}
		f := gate.ClustersFrom{Kind: "Application", Name: stem}
		c := candidate{about: fmt.Sprintf("%d Applications %s", len(list), stem), app: label(strings.ReplaceAll(stem, mark, "")), score: 1}
		for _, o := range list {
			c.main = append(c.main, o.id())
			if file := s.rel(o.file); !slices.Contains(f.Files, file) {
				f.Files = append(f.Files, file)
			}
		}
		if !apart(list) && slices.ContainsFunc(list, func(o seenObject) bool { return apartAs[o.id()] }) {
			c.score = 0 // applications of one cluster have names like these too
		}
		c.gate = from(f)
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b candidate) int {
		// More of them first; of as many the one whose stem is longer.
		x, y := len(a.gate.Spec.ClustersFrom[0].Files), len(b.gate.Spec.ClustersFrom[0].Files)
		if x != y {
			return y - x
		}
		return strings.Compare(b.about, a.about)
	})
	return all
}

// apart reports whether every Application goes to another cluster.
func apart(list []seenObject) bool {
	to := map[string]bool{}
	for _, o := range list {
		to[o.to] = true
	}
	return len(to) == len(list)
}

// builtReleases are HelmReleases and Applications that overlays build.
func (s *survey) builtReleases() []candidate {
	if len(s.of("HelmRelease"))+len(s.of("Application")) == 0 {
		return nil
	}
	names := map[string][]string{}
	var ids []string
	for _, o := range slices.Concat(s.of("HelmRelease"), s.of("Application")) {
		names[o.name] = append(names[o.name], o.id())
		ids = append(ids, o.id())
	}
	var all []candidate
	for _, p := range patterns(s.overlays, s.dir) {
		f := gate.ClustersFrom{Kustomizations: []string{s.rel(p.text)}}
		c := candidate{about: fmt.Sprintf("what %d Kustomize overlays %s build", len(p.clusters), p.text), gate: from(f), app: s.appOf(p.text), main: ids}
		if c.score = 1; s.axis(p) < 0 {
			c.score = -1
		}
		all = append(all, c)
		about := c.about
		for _, name := range slices.Sorted(maps.Keys(names)) {
			f.Name = name
			c.about, c.gate, c.app, c.main, c.again = about+" as "+name, from(f), name, names[name], true
			all = append(all, c)
		}
	}
	return all
}

// releases are HelmReleases of one name in the files of several clusters.
func (s *survey) releases() []candidate {
	var all []candidate
	byName := map[string][]seenObject{}
	var names []string
	for _, o := range s.of("HelmRelease") {
		if byName[o.name] == nil {
			names = append(names, o.name)
		}
		byName[o.name] = append(byName[o.name], o)
	}
	slices.Sort(names)
	for _, name := range names {
		var files []string
		for _, o := range byName[name] {
			files = append(files, o.file)
		}
		for _, p := range patterns(files, s.dir) {
			f := gate.ClustersFrom{Files: []string{s.rel(p.text)}, Name: name}
			if strings.Contains(path.Dir(p.text), mark) {
				f.Files[0] = s.rel(path.Join(path.Dir(p.text), "*.yaml"))
			}
			for _, file := range s.shared(byName[name], p) {
				f.Files = append(f.Files, s.rel(file))
			}
			c := candidate{about: fmt.Sprintf("HelmReleases %s in %s", name, p.text), gate: from(f), app: name, score: 1}
			for _, o := range byName[name] {
				c.main = append(c.main, o.id())
			}
			all = append(all, c)
		}
	}
	return all
}

// shared are the files of the ConfigMaps that releases need and that lie
// elsewhere.
func (s *survey) shared(releases []seenObject, p pattern) []string {
	var files []string
	for _, r := range releases {
		for _, name := range r.needs {
			for _, o := range s.of("ConfigMap") {
				if o.name == name && !p.covers(o.file) && !slices.Contains(files, o.file) {
					files = append(files, o.file)
				}
			}
		}
	}
	return files
}

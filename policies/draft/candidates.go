package draft

import (
	"fmt"
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
	// again is true for another way to read what the candidate before it reads.
	again bool
	// What it does not read is of interest in the folder in, and in the folders
	// below and under them; left is known to be left out, or guessed.
	in          string
	below, left []string
}

// candidates are the ways to read the folder, the likeliest first.
func (s *survey) candidates() []candidate {
	all := slices.Concat(s.applicationSets(), s.applications(), s.builtReleases(), s.releases(), s.umbrellas(), s.folders(), s.valuesFolders())
	return all[:min(len(all), maxCandidates)]
}

// rel is a path of the tree as the Gate writes it.
func (s *survey) rel(name string) string {
	rel, err := filepath.Rel(filepath.FromSlash(s.dir), filepath.FromSlash(name))
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
		all = append(all, candidate{about: about, gate: from(base)})
		for _, name := range []string{o.name + "-" + mark, mark + "-" + o.name} {
			named := base
			named.Name = name
			all = append(all, candidate{about: about + ", Applications " + name, gate: from(named), again: true})
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
	for stem, list := range groups {
		if len(list) < 2 {
			continue
		}
		f := gate.ClustersFrom{Kind: "Application", Name: stem}
		for _, o := range list {
			if file := s.rel(o.file); !slices.Contains(f.Files, file) {
				f.Files = append(f.Files, file)
			}
		}
		all = append(all, candidate{about: fmt.Sprintf("%d Applications %s", len(list), stem), gate: from(f)})
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

// builtReleases are HelmReleases and Applications that overlays build.
func (s *survey) builtReleases() []candidate {
	if len(s.of("HelmRelease"))+len(s.of("Application")) == 0 {
		return nil
	}
	var all []candidate
	for _, p := range patterns(s.overlays, s.dir) {
		all = append(all, candidate{
			about: fmt.Sprintf("what %d Kustomize overlays %s build", len(p.clusters), p.text),
			gate:  from(gate.ClustersFrom{Kustomizations: []string{s.rel(p.text)}}),
		})
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
			all = append(all, candidate{about: fmt.Sprintf("HelmReleases %s in %s", name, p.text), gate: from(f)})
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

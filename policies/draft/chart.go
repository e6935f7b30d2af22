package draft

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// helmChart is a chart that lies in the repository.
type helmChart struct {
	dir, name string
	// needs are its dependencies, each with where it comes from.
	needs []string
	// templates is true when it has some of its own.
	templates bool
}

// defaults is the file that Helm itself takes for the defaults of a chart.
const defaults = "values.yaml"

// inChart reports whether a folder of a chart holds what is no values file of
// a cluster. ci has values that the chart is tested with.
func inChart(name string) bool {
	return slices.Contains([]string{"templates", "charts", "crds", "ci", "tests"}, name)
}

// addChart reads the Chart.yaml of a folder.
func (s *survey) addChart(t *tree.Tree, dir string) {
	c := helmChart{dir: dir}
	if _, err := fs.Stat(t.FS(), path.Join(dir, "templates")); err == nil {
		c.templates = true
	}
	file := path.Join(dir, "Chart.yaml")
	data, err := t.Read(file, maxFile)
	var docs []*values.Node
	if err == nil {
		docs, err = values.Documents(data, file, values.Limits{FileSize: maxFile})
	}
	if err != nil {
		s.puzzles = append(s.puzzles, "not read: "+oneLine(err))
	}
	for _, doc := range docs {
		c.name = text(doc, "name")
		if list := at(doc, "dependencies"); list != nil {
			for _, item := range list.Items {
				c.needs = append(c.needs, text(item, "name")+" "+text(item, "repository"))
			}
		}
	}
	slices.Sort(c.needs)
	s.charts = append(s.charts, c)
}

// chartIn is the chart whose folder is dir, nil when there is none.
func (s *survey) chartIn(dir string) *helmChart {
	for i, c := range s.charts {
		if c.dir == dir {
			return &s.charts[i]
		}
	}
	return nil
}

// chartNamed is the folder of the only chart of an application's name, or "".
func (s *survey) chartNamed(app string) string {
	var dirs []string
	for _, c := range s.charts {
		if app != "" && (c.name == app || path.Base(c.dir) == app) {
			dirs = append(dirs, c.dir)
		}
	}
	if len(dirs) == 1 {
		return dirs[0]
	}
	return ""
}

// chartOf is the chart that values of app below folder home belong to: the one
// around them, else the one of the application's name, else the only one in the
// nearest folder that has any, unless that has another application's name. It
// says what of that a person has to confirm; dir is "" when there is none.
func (s *survey) chartOf(home, app string) (dir string, left []string) {
	for at := home; ; at = path.Dir(at) {
		if s.chartIn(at) != nil {
			return at, nil
		}
		if at == s.dir || at == "." {
			break
		}
	}
	if dir := s.chartNamed(app); dir != "" {
		return dir, nil
	}
	for at := home; ; at = path.Dir(at) {
		var below []string
		for _, c := range s.charts {
			if within(c.dir, at) {
				below = append(below, c.dir)
			}
		}
		switch {
		case len(below) == 1 && (app == "" || s.appOf(below[0]) == "" || s.appOf(below[0]) == app):
			return below[0], []string{"to confirm: chart " + below[0] + ", the only one near " + home}
		case len(below) > 0:
			return "", []string{"to confirm: no source, since none of these charts is sure to be the one: " + some(below)}
		case at == s.dir || at == ".":
			return "", []string{"to confirm: no source, only values, since there is no chart below " + at}
		}
	}
}

// within reports whether a path is folder dir or lies below it.
func within(name, dir string) bool {
	return dir == "." || name == dir || strings.HasPrefix(name, dir+"/")
}

// together is the folder that all the files lie below.
func together(files []string) string {
	dir := path.Dir(files[0])
	for _, f := range files {
		for !within(f, dir) {
			dir = path.Dir(dir)
		}
	}
	return dir
}

// umbrellas are folders of clusters that each are a chart: one without
// templates, with the same dependencies as the others. A chart with templates is
// an application, whatever library it shares with others.
func (s *survey) umbrellas() []candidate {
	var all []candidate
	var dirs []string
	for _, c := range s.charts {
		if !c.templates && len(c.needs) > 0 {
			dirs = append(dirs, c.dir)
		}
	}
	for _, p := range patterns(dirs, s.dir) {
		first := s.chartIn(p.of(p.clusters[0]))
		if slices.ContainsFunc(p.clusters, func(c string) bool { return !slices.Equal(s.chartIn(p.of(c)).needs, first.needs) }) {
			continue
		}
		all = append(all, s.umbrella(p))
	}
	return all
}

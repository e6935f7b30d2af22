package draft

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
)

// chosen is a candidate that holds.
type chosen struct {
	candidate
	draft *Draft
}

// choose tries the candidates. It gives one for each application: what a better
// one reads already is another way to say the same, unless both are as likely.
func (s *survey) choose(ctx context.Context, fsys fs.FS, blank gate.Gate) (made []chosen, left []string, err error) {
	held := false // the candidate of which the next ones are another way
	for _, c := range s.candidates() {
		if c.again && held {
			continue
		}
		g := blank
		if g.Spec = c.gate.Spec; g.Metadata.Name == "" {
			g.Metadata.Name = label(c.app)
		}
		d, err := try(ctx, fsys, &g)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if !c.again {
			held = err == nil
		}
		switch {
		case err != nil && c.again:
		case err != nil && len(made) > 0 && read(made, c.main):
			left = append(left, "also there, and not used: "+c.about)
		case err != nil:
			left = append(left, fmt.Sprintf("not usable: %s: %s", c.about, oneLine(err)))
		case s.another(made, &c, d):
			made = append(made, chosen{c, d})
		case !c.again:
			left = append(left, "also there, and not used: "+c.about)
		}
	}
	return made, left, nil
}

// read reports whether those that are made read all the files of another.
func read(made []chosen, main []string) bool {
	return !slices.ContainsFunc(main, func(id string) bool {
		return !slices.ContainsFunc(made, func(m chosen) bool { return m.draft.covers(fileOf(id)) })
	})
}

// another reports whether c is of another application than those that are made.
// What is less likely than these is not.
func (s *survey) another(made []chosen, c *candidate, d *Draft) bool {
	c.main = slices.DeleteFunc(slices.Clone(c.main), func(id string) bool { return !d.covers(fileOf(id)) })
	for _, m := range made {
		if c.score < m.score {
			return false
		}
		same := slices.ContainsFunc(c.main, func(id string) bool {
			object := strings.Contains(id, "#")
			return slices.Contains(m.main, id) || !object && m.draft.covers(id)
		})
		if same && (c.again || c.tier != m.tier || c.app == m.app) {
			return false
		}
	}
	return true
}

// fileOf is the file of what a candidate is made of: a file, or an object
// "file#kind/name".
func fileOf(id string) string {
	file, _, _ := strings.Cut(id, "#")
	return file
}

// home is the folder that all of its own files lie below.
func (c *candidate) home() string {
	if len(c.main) == 0 {
		return "."
	}
	var files []string
	for _, id := range c.main {
		files = append(files, fileOf(id))
	}
	return together(files)
}

// SeveralError says that a folder has several applications, of which a Gate
// guards one.
type SeveralError struct {
	Dir string
	// Apps tells of each what was found and what to call for it.
	Apps []string
	// Left is what else was found.
	Left []string
}

// Error is one line.
func (e *SeveralError) Error() string {
	return fmt.Sprintf("find clusters under %s: expected one application, found %d; a Gate guards one, so call init for the one that is meant", e.Dir, len(e.Apps))
}

// several tells of applications that were found together.
func (s *survey) several(made []chosen, left []string) error {
	e := &SeveralError{Dir: s.gateDir, Left: left}
	for i, m := range made {
		name := m.app
		if name == "" {
			name = "without a name"
		}
		e.Apps = append(e.Apps, fmt.Sprintf("%s: %s; %s", name, m.about, s.call(made, i)))
	}
	slices.Sort(e.Apps)
	return e
}

// call is what to do for one application of several: its chart's folder, since
// init looks for the name elsewhere, the folder that has it alone, else a new one
// of its name.
func (s *survey) call(made []chosen, i int) string {
	name := made[i].app
	alone := func(dir string) bool {
		return dir != s.dir && !slices.ContainsFunc(made, func(m chosen) bool { return m.about != made[i].about && within(m.home(), dir) })
	}
	home, chart := made[i].home(), s.chartNamed(name)
	switch {
	case chart != "" && !within(chart, home) && s.only == "":
		return "syncgate init " + chart
	case alone(home):
		// Its chart may lie beside its values.
		for up := path.Dir(home); alone(up) && s.chartIn(home) == nil && !word(applicationWords, path.Base(up)); up = path.Dir(up) {
			home = up
		}
		return "syncgate init " + home
	case name == "" || s.only != "":
		return "write its Gate by hand"
	}
	dir := path.Join("gates", label(name))
	return fmt.Sprintf("mkdir -p %s && syncgate init %s", dir, dir)
}

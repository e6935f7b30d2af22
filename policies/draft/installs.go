package draft

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/values"
)

// installs are the folders that an Application or ApplicationSet installs, as
// far as the object says it: of a path with a template in it, the folders that
// its Git generators look through.
func installs(doc *values.Node) []string {
	var all []string
	add := func(n *values.Node) {
		if p := text(n, "path"); p != "" {
			p, _, _ = strings.Cut(p, "*")
			if !strings.Contains(p, "{{") {
				all = append(all, strings.TrimPrefix(path.Clean(p), "/"))
			}
		}
	}
	each := func(n *values.Node, add func(*values.Node)) {
		if n != nil {
			for _, item := range n.Items {
				add(item)
			}
		}
	}
	for _, spec := range []*values.Node{at(doc, "spec"), at(doc, "spec", "template", "spec")} {
		add(at(spec, "source"))
		each(at(spec, "sources"), add)
	}
	each(at(doc, "spec", "generators"), func(g *values.Node) { each(at(g, "git", "directories"), add) })
	return all
}

// elsewhere says of objects that give no Gate where that of what they install is,
// or could be.
func (s *survey) elsewhere(fsys fs.FS) []string {
	var all []string
	for _, o := range s.objects {
		for _, dir := range o.installs {
			if info, err := fs.Stat(fsys, dir); err != nil || !info.IsDir() {
				continue // of another repository
			}
			line := fmt.Sprintf("%s %s installs %s", o.kind, o.name, dir)
			if file := guards(fsys, dir); file != "" && file != path.Join(s.dir, gate.FileName) {
				line += ", which the Gate " + file + " guards"
			} else if !within(dir, s.dir) {
				line += ": call syncgate init " + dir
			} else {
				continue
			}
			if !slices.Contains(all, line) {
				all = append(all, line)
			}
		}
	}
	return all
}

// guards is the Gate file of a folder: in it, or in the nearest one above.
func guards(fsys fs.FS, dir string) string {
	for ; ; dir = path.Dir(dir) {
		file := path.Join(dir, gate.FileName)
		if _, err := fs.Stat(fsys, file); err == nil {
			return file
		}
		if dir == "." {
			return ""
		}
	}
}

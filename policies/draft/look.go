package draft

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// The bounds of looking around.
const (
	maxEntries = 200_000
	maxFiles   = 20_000
	maxFile    = 1 << 20
)

// survey is what lies in a folder.
type survey struct {
	dir string
	// gateDir is where the Gate will lie, and only the one application that is
	// looked for, "" for any.
	gateDir, only string

	objects []seenObject
	// plain are YAML files without Kubernetes objects, manifests those with
	// some, defaults the values.yaml of charts; overlays are folders.
	plain, manifests, defaults, overlays []string
	charts                               []helmChart
	puzzles                              []string
	// keys are the outermost of plain files, apps what is taken for applications.
	keys map[string][]string
	apps []string
}

// seenObject is an Application, ApplicationSet or HelmRelease.
type seenObject struct {
	kind, name, file string
	needs            []string // ConfigMaps that it takes values from
	to               string   // where an Application goes
	installs         []string // folders that an Application or ApplicationSet installs
}

// id tells the object apart from all others.
func (o seenObject) id() string { return o.file + "#" + o.kind + "/" + o.name }

// look reads the YAML files below dir. What cannot be read is a puzzle.
func look(ctx context.Context, fsys fs.FS, dir string) (*survey, error) {
	s := &survey{dir: dir, gateDir: dir, keys: map[string][]string{}}
	t := tree.New(fsys)
	entries, files := 0, 0
	err := fs.WalkDir(fsys, dir, func(name string, entry fs.DirEntry, err error) error {
		switch entries++; {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entries > maxEntries:
			return fmt.Errorf("limit entries=%d hit at %s; name a folder nearer to the application", maxEntries, name)
		case entry.IsDir():
			return s.folder(t, name, entry)
		case !entry.Type().IsRegular():
			return nil
		}
		switch ext := path.Ext(name); {
		case ext != ".yaml" && ext != ".yml", entry.Name() == gate.FileName, strings.HasPrefix(entry.Name(), "kustomization."),
			entry.Name() == "Chart.yaml", entry.Name() == "gotk-components.yaml", entry.Name() == "gotk-sync.yaml": // Flux itself
			return nil
		case entry.Name() == defaults && s.chartIn(path.Dir(name)) != nil:
			s.defaults = append(s.defaults, name)
			return nil
		}
		if files++; files > maxFiles {
			return fmt.Errorf("limit files=%d hit at %s; name a folder nearer to the application", maxFiles, name)
		}
		s.file(t, name)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for clusters under %s: %w", dir, err)
	}
	return s, nil
}

// folder notes what a folder is, and leaves out what is no part of a Gate.
func (s *survey) folder(t *tree.Tree, name string, entry fs.DirEntry) error {
	base := entry.Name()
	if name != s.dir && (strings.HasPrefix(base, ".") || base == "node_modules" || inChart(base) && s.chartIn(path.Dir(name)) != nil) {
		return fs.SkipDir
	}
	for _, file := range []string{"Chart.yaml", "kustomization.yaml", "kustomization.yml"} {
		if _, err := fs.Stat(t.FS(), path.Join(name, file)); err != nil {
			continue
		}
		if file == "Chart.yaml" {
			s.addChart(t, name)
		} else {
			s.overlays = append(s.overlays, name)
		}
	}
	return nil
}

// file reads one YAML file.
func (s *survey) file(t *tree.Tree, name string) {
	data, err := t.Read(name, maxFile)
	if err != nil {
		s.puzzles = append(s.puzzles, "not read: "+oneLine(err))
		return
	}
	docs, err := values.Documents(data, name, values.Limits{FileSize: maxFile})
	if err != nil {
		if !bytes.Contains(data, []byte("{{")) { // a template is no puzzle
			s.puzzles = append(s.puzzles, "not read: "+oneLine(err))
		}
		return
	}
	manifest := false
	for _, doc := range docs {
		kind, version := text(doc, "kind"), text(doc, "apiVersion")
		manifest = manifest || kind != "" && version != ""
		known := kind == "Application" || kind == "ApplicationSet"
		if known && strings.HasPrefix(version, "argoproj.io/") || kind == "HelmRelease" && strings.HasPrefix(version, "helm.toolkit.fluxcd.io/") {
			s.objects = append(s.objects, seenObject{
				kind: kind, name: text(doc, "metadata", "name"), file: name, needs: needs(doc),
				to:       text(doc, "spec", "destination", "name") + text(doc, "spec", "destination", "server"),
				installs: installs(doc),
			})
		}
		if kind == "ConfigMap" {
			s.objects = append(s.objects, seenObject{kind: kind, name: text(doc, "metadata", "name"), file: name})
		}
	}
	switch {
	case manifest:
		s.manifests = append(s.manifests, name)
	case len(docs) == 1:
		s.plain = append(s.plain, name)
		s.keys[name] = outermost(docs[0])
	}
}

// outermost are the keys of a document.
func outermost(doc *values.Node) []string {
	if doc == nil || doc.Kind != values.Map {
		return nil
	}
	var keys []string
	for _, f := range doc.Fields {
		keys = append(keys, f.Key)
	}
	return keys
}

// uncovered says which files near a candidate the Gate does not read.
func (s *survey) uncovered(c candidate, covers func(name string) bool) []string {
	const most = 10
	var left []string
	for _, file := range slices.Concat(s.plain, s.manifests) {
		near := path.Dir(file) == c.in || slices.ContainsFunc(c.below, func(dir string) bool { return within(file, dir) })
		if near && !covers(file) {
			left = append(left, "not covered: "+file)
		}
	}
	slices.Sort(left)
	if len(left) > most {
		left = append(left[:most], fmt.Sprintf("not covered: %d more files beside these", len(left)-most))
	}
	return left
}

// needs are the ConfigMaps that a HelmRelease takes values from.
func needs(doc *values.Node) []string {
	list := at(doc, "spec", "valuesFrom")
	if list == nil {
		return nil
	}
	var all []string
	for _, item := range list.Items {
		if text(item, "kind") == "ConfigMap" {
			all = append(all, text(item, "name"))
		}
	}
	return all
}

func at(n *values.Node, path ...string) *values.Node {
	for _, key := range path {
		if n == nil || n.Kind != values.Map {
			return nil
		}
		n = n.Get(key)
	}
	return n
}

func text(n *values.Node, path ...string) string {
	if n = at(n, path...); n != nil && n.Kind == values.String {
		return n.Text
	}
	return ""
}

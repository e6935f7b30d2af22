package delivery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// clusterMark stands for the cluster's name in a glob.
const clusterMark = "${cluster}"

// glob is a pattern that may say where the cluster's name stands. "**" is any
// number of folders, "*" and "?" stay in one, brackets are as in path.Match.
type glob struct {
	text string
	re   *regexp.Regexp
}

// compile reads a glob over paths, or with sep "." over names, in which a star
// stops at nothing.
func compile(text, sep string) (glob, error) {
	var b strings.Builder
	b.WriteString("^")
	inPath := sep == "/"
	one := "."
	if inPath {
		one = "[^/]"
	}
	for rest := text; rest != ""; {
		switch {
		case strings.HasPrefix(rest, clusterMark):
			b.WriteString(`([a-z0-9][-a-z0-9]*)`)
			rest = rest[len(clusterMark):]
		case inPath && strings.HasPrefix(rest, "**/"):
			b.WriteString(`(?:[^/]+/)*`)
			rest = rest[3:]
		case inPath && rest == "**":
			b.WriteString(`.*`)
			rest = ""
		case rest[0] == '*':
			b.WriteString(one + "*")
			rest = rest[1:]
		case rest[0] == '?':
			b.WriteString(one)
			rest = rest[1:]
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			if end < 2 {
				return glob{}, fmt.Errorf("glob %q: expected a closing bracket with something in it, found none", text)
			}
			class := strings.ReplaceAll(strings.ReplaceAll(rest[1:end], `\`, `\\`), "[", `\[`)
			b.WriteString("[" + class + "]")
			rest = rest[end+1:]
		default:
			b.WriteString(regexp.QuoteMeta(rest[:1]))
			rest = rest[1:]
		}
	}
	re, err := regexp.Compile("(?s)" + b.String() + "$")
	if err != nil {
		return glob{}, fmt.Errorf("glob %q: malformed", text)
	}
	return glob{text, re}, nil
}

// match reports whether the glob names s, and what "${cluster}" stands for.
func (g glob) match(s string) (cluster string, ok bool) {
	m := g.re.FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	for i, part := range m[1:] {
		if i > 0 && part != cluster {
			return "", false
		}
		cluster = part
	}
	return cluster, true
}

// root is the folder that everything the glob names lies below.
func (g glob) root() string {
	end := strings.IndexAny(g.text, "*?[$")
	if end < 0 {
		return g.text
	}
	slash := strings.LastIndexByte(g.text[:end], '/')
	if slash < 0 {
		return "."
	}
	return g.text[:slash]
}

// place is a file or folder that a glob names.
type place struct {
	path, cluster string
}

// find lists what globs relative to the Gate name, each once, sorted.
func (x *expansion) find(field string, globs []string, folders bool) ([]place, error) {
	seen := map[string]string{}
	var all []place
	for i, text := range globs {
		at := fmt.Sprintf("%s.%s[%d]", x.field, field, i)
		joined, err := tree.Join(x.gate.Dir(), text)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", at, x.gate.File, err)
		}
		g, err := compile(joined, "/")
		if err != nil {
			return nil, x.gateError(at+": "+err.Error(), "correct the glob")
		}
		found, err := x.walk(g, folders)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			what := "file"
			if folders {
				what = "folder with a kustomization.yaml"
			}
			return nil, x.gateError(fmt.Sprintf("%s: %s names no %s", at, text, what), "correct the path, which is relative to the Gate file")
		}
		for _, p := range found {
			if old, ok := seen[p.path]; ok && (old == p.cluster || p.cluster == "") {
				continue
			}
			seen[p.path] = p.cluster
			all = append(all, p)
		}
		if len(all) > maxFiles {
			return nil, x.gateError(fmt.Sprintf("limit files=%d hit: %s finds more", maxFiles, x.field), "name fewer files")
		}
	}
	slices.SortFunc(all, func(a, b place) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

// walk lists what one glob names. Folders that begin with a dot are left out.
func (x *expansion) walk(g glob, folders bool) ([]place, error) {
	root := path.Clean(g.root())
	var found []place
	seen := 0
	err := fs.WalkDir(x.tree.FS(), root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > maxEntries {
			return x.gateError(fmt.Sprintf("limit entries=%d hit below %s", maxEntries, root), "begin the glob with a folder")
		}
		if entry.IsDir() && name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		if entry.IsDir() != folders {
			return nil
		}
		if cluster, ok := g.match(name); ok && (!folders || hasKustomization(x.tree, name)) {
			found = append(found, place{name, cluster})
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for %s: %w", g.text, err)
	}
	return found, nil
}

func hasKustomization(t *tree.Tree, dir string) bool {
	for _, base := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		if info, err := fs.Stat(t.FS(), path.Join(dir, base)); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

// isFolder reports whether a folder lies at name.
func isFolder(t *tree.Tree, name string) bool {
	info, err := fs.Stat(t.FS(), name)
	return err == nil && info.IsDir()
}

// exists reports whether a regular file lies at name.
func exists(t *tree.Tree, name string) bool {
	real, err := t.Real(name)
	if err != nil {
		return false
	}
	info, err := fs.Stat(t.FS(), real)
	return err == nil && info.Mode().IsRegular()
}

// read gathers the objects of the entry's files and kustomizations.
func (x *expansion) read(ctx context.Context) error {
	files, err := x.find("files", x.from.Files, false)
	if err != nil {
		return err
	}
	for _, p := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := x.readFile(p); err != nil {
			return err
		}
	}
	folders, err := x.find("kustomizations", x.from.Kustomizations, true)
	if err != nil {
		return err
	}
	for _, p := range folders {
		if err := x.readKustomization(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (x *expansion) readFile(p place) error {
	data, err := x.tree.Read(p.path, x.limits.WithDefaults().FileSize)
	if err != nil {
		return err
	}
	docs, err := values.Documents(data, p.path, x.limits)
	if err != nil {
		return err
	}
	for _, doc := range docs {
		x.objects = append(x.objects, newObjects(doc, object{source: data, cluster: p.cluster, files: []string{p.path}})...)
	}
	if len(x.objects) > maxObjects {
		return x.gateError(fmt.Sprintf("limit objects=%d hit: %s finds more", maxObjects, x.field), "name fewer files")
	}
	return nil
}

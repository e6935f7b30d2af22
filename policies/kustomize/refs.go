package kustomize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/internal/yamlnode"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// Kustomize takes what looks like a URL for one, fetches files by HTTP and
// clones repositories with git. It cannot be told not to, so every reference
// is looked at before it runs.

// user is how Kustomize knows an SCP-style address, git@host:org/repo.
var user = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*@`)

// isRemote reports whether Kustomize would take ref for something to fetch.
func isRemote(ref string) bool {
	ref = strings.ToLower(strings.TrimSpace(ref))
	for {
		rest, ok := strings.CutPrefix(ref, "git::")
		if !ok {
			break
		}
		ref = rest
	}
	for _, prefix := range []string{"http:", "https:", "ssh:", "file:", "git:", "github.com/", "github.com:"} {
		if strings.HasPrefix(ref, prefix) {
			return true
		}
	}
	return user.MatchString(ref)
}

// mayBeRemote is isRemote for text in which a reference may hide anywhere.
func mayBeRemote(text string) bool {
	lower := strings.ToLower(text)
	return isRemote(text) || strings.Contains(lower, "://") || strings.Contains(lower, "git::") || strings.Contains(lower, "github.com")
}

// referring reports whether a field of a kustomization, or of the configuration
// of a built-in generator or transformer, names files, folders or repositories.
func referring(key string) bool {
	switch key {
	case "resources", "components", "bases", "crds", "configurations", "generators", "transformers", "validators",
		"patches", "patchesStrategicMerge", "patchesJson6902", "replacements", "path", "paths",
		"files", "env", "envs", "openapi", "helmCharts", "helmChartInflationGenerator", "repo":
		return true
	}
	return false
}

// maxRefNodes is how many nodes of one kustomization, aliases written out, are
// looked at.
const maxRefNodes = 1_000_000

// refCheck looks at the references of one kustomization tree.
type refCheck struct {
	r    *reader
	seen map[seen]bool
	// nodes that have been looked at.
	nodes int
}

// seen is a folder or file, and whether it was looked at as configuration.
type seen struct {
	path   string
	config bool
}

// checkKustomization refuses a kustomization at dir that refers, near or far,
// to anything that is not in the repository.
func checkKustomization(ctx context.Context, r *reader, dir string) error {
	return (&refCheck{r: r, seen: map[seen]bool{}}).dir(ctx, dir, false)
}

// dir looks at the kustomization in a folder. config is true when what it
// builds configures generators or transformers, which read files in turn.
func (c *refCheck) dir(ctx context.Context, dir string, config bool) error {
	if ctx.Err() != nil {
		return stopped(ctx, c.r.where)
	}
	if c.seen[seen{dir, config}] {
		return nil
	}
	c.seen[seen{dir, config}] = true
	name, data, err := c.kustomization(dir)
	if err != nil {
		return err
	}
	doc, err := c.parse(name, data, config)
	if err != nil {
		return err
	}
	for _, field := range []string{"resources", "components", "bases", "generators", "transformers", "validators"} {
		list := yamlnode.Find(doc, field)
		if list == nil || list.Kind != yaml.SequenceNode {
			continue
		}
		asConfig := config || field == "generators" || field == "transformers" || field == "validators"
		for _, entry := range list.Content {
			if err := c.entry(ctx, name, yamlnode.Follow(entry), asConfig); err != nil {
				return err
			}
		}
	}
	return nil
}

// kustomization finds the kustomization file of a folder.
func (c *refCheck) kustomization(dir string) (string, []byte, error) {
	for _, base := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		name := path.Join(dir, base)
		data, err := c.r.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return name, data, err
	}
	return "", nil, &tree.Error{
		Path: dir, Problem: "expected a folder with a kustomization.yaml, found none",
		Remedy: "add it, or correct the path that leads here; what is not in the repository is not fetched",
	}
}

// entry looks at what one entry of resources, generators and their like refers
// to.
func (c *refCheck) entry(ctx context.Context, from string, entry *yaml.Node, config bool) error {
	if config && strings.Contains(entry.Value, "\n") { // written out in place
		return c.config(from, []byte(entry.Value))
	}
	to, err := tree.Join(path.Dir(from), entry.Value)
	if err != nil {
		return &RefError{
			File: from, Line: entry.Line, Column: entry.Column,
			Problem: fmt.Sprintf("names %q, which is no path inside of the repository", shorten(entry.Value, 200)),
			Remedy:  "give a path relative to this file, with slashes, that stays inside",
		}
	}
	target, err := c.r.tree.Real(to)
	if err != nil {
		return fmt.Errorf("%s:%d:%d: %w", from, entry.Line, entry.Column, err)
	}
	info, err := fs.Stat(c.r.tree.FS(), target)
	if err != nil {
		return &RefError{
			File: from, Line: entry.Line, Column: entry.Column,
			Problem: "names " + to + ", which is not in the repository",
			Remedy:  "add it, or correct the path; nothing is fetched while rendering",
		}
	}
	switch {
	case info.IsDir():
		return c.dir(ctx, target, config)
	case config && !c.seen[seen{target, true}]:
		c.seen[seen{target, true}] = true
		data, err := c.r.read(target)
		if err != nil {
			return err
		}
		return c.config(target, data)
	}
	return nil
}

// config looks at the configuration of generators or transformers.
func (c *refCheck) config(name string, data []byte) error {
	for from := 0; from < len(data); {
		end := from + values.DocumentEnd(data[from:])
		if len(bytes.TrimSpace(data[from:end])) > 0 {
			if _, err := c.parse(name, data[from:end], true); err != nil {
				return err
			}
		}
		from = end
	}
	return nil
}

// parse reads a document and refuses remote references in it.
func (c *refCheck) parse(name string, data []byte, config bool) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Load(data, &doc); err != nil {
		return nil, syntax(name, err)
	}
	n := &doc
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		n = doc.Content[0]
	}
	suspect := isRemote
	if config {
		suspect = mayBeRemote
	}
	return n, c.local(name, n, config, suspect)
}

// local refuses remote references at or below n; named is true below a field
// that names files.
func (c *refCheck) local(file string, n *yaml.Node, named bool, suspect func(string) bool) error {
	if c.nodes++; c.nodes > maxRefNodes {
		return &LimitError{Limit: "kustomizationNodes", Value: maxRefNodes, Where: file, Remedy: "write out what the aliases stand for, or build a smaller kustomization"}
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if err := c.local(file, n.Content[i+1], named || referring(n.Content[i].Value), suspect); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if err := c.local(file, item, named, suspect); err != nil {
				return err
			}
		}
	case yaml.AliasNode:
		return c.local(file, n.Alias, named, suspect)
	case yaml.ScalarNode:
		// "key=path" is how generators rename a file.
		_, renamed, _ := strings.Cut(n.Value, "=")
		if named && (suspect(n.Value) || suspect(renamed)) {
			return &RefError{
				File: file, Line: n.Line, Column: n.Column,
				Problem: fmt.Sprintf("refers to %q, which is remote", shorten(n.Value, 200)),
				Remedy:  "commit a copy to the repository and refer to that; nothing is fetched while rendering",
			}
		}
	default: // nothing else has content
	}
	return nil
}

func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

func syntax(name string, err error) error {
	e := &RefError{File: name, Line: 1, Column: 1, Problem: "is not valid YAML: " + err.Error(), Remedy: "correct the YAML"}
	var at *yaml.LoadError
	if errors.As(err, &at) {
		e.Line, e.Column, e.Problem = at.Mark.Line, at.Mark.Column, "is not valid YAML: "+at.Message
	}
	return e
}

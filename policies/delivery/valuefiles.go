package delivery

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// valuesEntry is what one entry of helm.valueFiles names.
type valuesEntry struct {
	at    *values.Node
	files []string // paths in the tree, in the order in which Helm gets them
	found bool     // by a pattern
}

// valueFiles are the values files of the source in the order in which Helm gets
// them: of Argo CD 3.5, reposerver/repository (getResolvedValueFiles). A file that is
// named outright is left out of what patterns find. Each file is taken once, where it is
// found first.
func (a *argoSource) valueFiles() ([]string, error) {
	var entries []valuesEntry
	outright := map[string]string{} // what is named without a pattern, by the file it is
	for _, n := range a.spec.texts("helm", "valueFiles") {
		e, err := a.valuesEntry(n)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
		for _, name := range e.files {
			if real, err := a.x.tree.Real(name); err != nil {
				return nil, err
			} else if !e.found {
				outright[real] = name
			}
		}
	}
	var all []string
	taken := map[string]int{}
	for _, e := range entries {
		for _, name := range e.files {
			real, err := a.x.tree.Real(name)
			if err != nil {
				return nil, err
			}
			direct, named := outright[real]
			at, again := taken[real]
			switch {
			case e.found && named && direct != name:
				return nil, a.fail(e.at, fmt.Sprintf("finds the values file %s, which %s is a symbolic link to", name, direct), "name the file itself")
			case e.found && named, e.found && again:
				continue
			case again && at != len(all)-1:
				return nil, a.fail(e.at, fmt.Sprintf("names the values file %s again after others: Argo CD before 3.4 gives it to Helm twice, later ones where it comes first", name), "name it once")
			case again:
				continue
			}
			taken[real] = len(all)
			all = append(all, name)
		}
	}
	return all, nil
}

// valuesEntry finds what one entry names. It has no files when they are missing and
// may be.
func (a *argoSource) valuesEntry(n *values.Node) (valuesEntry, error) {
	e := valuesEntry{at: n}
	name, err := a.resolve(n)
	if err != nil {
		return e, err
	}
	if e.found = strings.ContainsAny(name, "*?["); e.found {
		e.files, err = a.matching(n, name)
		return e, err
	}
	if exists(a.x.tree, name) {
		e.files = []string{name}
		return e, nil
	}
	if a.spec.flag("helm", "ignoreMissingValueFiles") {
		if !a.x.tree.Holds(name) {
			return e, a.fail(n, fmt.Sprintf("names the values file %s, which may be missing, and the part of the repository that is here does not show whether it is", name), "have its folder sent as well")
		}
		a.files = append(a.files, name) // it may come
		return e, nil
	}
	return e, a.fail(n, fmt.Sprintf("names the values file %s, which is not in the repository", name),
		"add it, correct the path, or set ignoreMissingValueFiles; when it lies in another repository, list the clusters and their values files in spec.clusters")
}

// matching are the files that a pattern names. Argo CD takes it for a pattern since
// 3.4, and for the name of one file before: what the two make of it must be the same, or
// the older ones must refuse it.
func (a *argoSource) matching(n *values.Node, pattern string) ([]string, error) {
	if strings.ContainsAny(pattern, "{}") {
		return nil, a.fail(n, fmt.Sprintf("names values files by the pattern %s, and Argo CD's documentation knows no braces in one", pattern), "write an entry for each alternative")
	}
	if exists(a.x.tree, pattern) {
		return nil, a.fail(n, fmt.Sprintf("names %s, which is a file, and a pattern to Argo CD since 3.4", pattern), "rename the file")
	}
	found, err := a.x.globbed(pattern)
	var known *tree.Error
	switch {
	case errors.Is(err, errTooMany):
		return nil, a.fail(n, fmt.Sprintf("limit entries=%d hit: the pattern %s looks at more files and folders", maxEntries, pattern), "begin it with a folder, or name the files")
	case errors.Is(err, errPart):
		return nil, a.fail(n, fmt.Sprintf("names values files by the pattern %s: %v", pattern, err), "have them sent whole, or name the files")
	case errors.As(err, &known):
		return nil, err
	case err != nil:
		return nil, a.fail(n, fmt.Sprintf("names values files by the pattern %s: %v", pattern, err), "correct the pattern, or name the files")
	}
	a.patterns = append(a.patterns, pattern)
	switch missing := a.spec.flag("helm", "ignoreMissingValueFiles"); {
	case len(found) == 0 && !missing:
		return nil, a.fail(n, fmt.Sprintf("names values files by the pattern %s, which matches no file of the repository", pattern),
			"add one, or correct the pattern; when they lie in another repository, list the clusters and their values files in spec.clusters")
	case len(found) > 0 && missing:
		return nil, a.fail(n, fmt.Sprintf("names values files by the pattern %s (found: %s) together with ignoreMissingValueFiles: Argo CD before 3.4 leaves them out, later ones take them", pattern, some(found)),
			"name the files; or remove ignoreMissingValueFiles, so that Argo CD before 3.4 refuses the pattern")
	}
	for _, name := range found {
		if real, err := a.x.tree.Real(name); err != nil {
			return nil, err
		} else if real != name {
			return nil, a.fail(n, fmt.Sprintf("finds %s by the pattern %s through a symbolic link", name, pattern), "name the files")
		}
		if !exists(a.x.tree, name) {
			return nil, a.fail(n, fmt.Sprintf("finds %s by the pattern %s, which is no file", name, pattern), "let the pattern end in the names of files, as in *.yaml")
		}
	}
	return found, nil
}

// resolve is the path in the tree that a text of the source names: relative to
// the chart, from the root after "/", in another source after "$ref".
func (a *argoSource) resolve(n *values.Node) (string, error) {
	text := n.Text
	dir := a.dir
	first, rest, _ := strings.Cut(text, "/")
	if ref := a.refs[first]; ref != nil {
		if !a.x.here.is(a.spec.below(ref).text("repoURL")) {
			return "", a.fail(n, fmt.Sprintf("names %.200s, and %s is another repository than this one", text, first),
				"say this repository's URL in repository of spec.clustersFrom, or list the clusters and their values files in spec.clusters")
		}
		dir, text = ".", rest
	} else if strings.Contains(text, "://") {
		return "", a.fail(n, fmt.Sprintf("names %.200s, which is remote", text), "commit a copy and name that; nothing is fetched here")
	}
	text, err := a.expand(n, text)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(text, "/") {
		dir, text = ".", strings.TrimLeft(text, "/")
	}
	if strings.HasPrefix(first, "$") && a.refs[first] == nil && !strings.HasPrefix(first, "$ARGOCD_") {
		return "", a.fail(n, fmt.Sprintf("names %.200s, and no source of it has the ref %.80q", n.Text, first[1:]), "correct it, or add the source")
	}
	if dir == "" {
		return "", a.fail(n, fmt.Sprintf("names the values file %.200s of a chart that is not in the repository", text),
			`name it by "$ref/…" in a source that is this repository, or commit the chart`)
	}
	name, err := tree.Join(dir, text)
	if err != nil {
		return "", a.fail(n, fmt.Sprintf("names %.200q, which is no path inside of the repository", n.Text), "correct it")
	}
	return name, nil
}

// expand puts Argo CD's build variables into a text.
func (a *argoSource) expand(n *values.Node, text string) (string, error) {
	var unknown string
	f := a.app.fields()
	out := os.Expand(text, func(name string) string {
		switch name {
		case "$":
			return "$"
		case "ARGOCD_APP_NAME":
			return a.app.name
		case "ARGOCD_APP_NAMESPACE":
			return f.text("spec", "destination", "namespace")
		case "ARGOCD_APP_SOURCE_REPO_URL":
			return a.spec.text("repoURL")
		case "ARGOCD_APP_SOURCE_PATH":
			return a.spec.text("path")
		case "ARGOCD_APP_SOURCE_TARGET_REVISION":
			return a.spec.text("targetRevision")
		}
		if strings.HasPrefix(name, "ARGOCD_") || strings.HasPrefix(name, "KUBE_") {
			unknown = name
		}
		return ""
	})
	if unknown != "" {
		return "", a.fail(n, fmt.Sprintf("uses $%s, which is known to Argo CD alone", unknown), "write the value out")
	}
	return out, nil
}

package draft

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
)

// writer writes a Gate as people do.
type writer struct{ strings.Builder }

func (w *writer) line(indent int, format string, args ...any) {
	w.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

// write is the text of g. shown says what clusters hold today.
func write(g *gate.Gate, clusters []string, shown map[string]string) []byte {
	w := &writer{}
	w.line(0, "# A first Gate, made by `syncgate init` of what there is. Look it through: what")
	w.line(0, "# perCluster lists differs today. Keep what may, with the reason, and correct the")
	w.line(0, "# values of the rest; everything that is not listed must be the same.")
	w.line(0, "apiVersion: %s", gate.APIVersion)
	w.line(0, "kind: %s", gate.Kind)
	w.line(0, "metadata:")
	w.line(1, "name: %s", quoted(g.Metadata.Name))
	w.line(0, "spec:")
	w.source(g.Spec.Source)
	for i, f := range g.Spec.ClustersFrom {
		if i == 0 {
			w.line(1, "clustersFrom:")
		}
		w.clustersFrom(f)
	}
	w.line(1, "clusters:")
	if len(g.Spec.ClustersFrom) > 0 {
		w.line(2, "# Exactly these must be found: a cluster that gets lost is not passed over.")
		for _, name := range clusters {
			w.line(2, "- name: %s", quoted(name))
		}
	}
	for _, c := range g.Spec.Clusters {
		w.line(2, "- name: %s", quoted(c.Name))
		if len(c.Values) > 0 {
			w.line(3, "values: %s", flow(c.Values))
		}
	}
	w.files(g.Spec.Files)
	if len(g.Spec.PerCluster) > 0 {
		w.line(1, "perCluster:")
	}
	for _, p := range g.Spec.PerCluster {
		w.line(2, "# %s", plain(shown[p.Path]))
		w.line(2, "- path: %s", quoted(p.Path))
		w.line(3, "reason: %s", quoted(p.Reason))
	}
	if len(g.Spec.ListKeys) > 0 {
		w.line(1, "listKeys:")
	}
	for _, k := range g.Spec.ListKeys {
		w.line(2, "- path: %s", quoted(k.Path))
		w.line(3, "key: %s", quoted(k.Key))
	}
	return []byte(w.String())
}

func (w *writer) source(s gate.Source) {
	switch {
	case s.Helm != nil:
		w.line(1, "source:")
		w.line(2, "helm:")
		w.line(3, "chart: %s", quoted(s.Helm.Chart))
	case s.Kustomize != nil:
		w.line(1, "source:")
		w.line(2, "kustomize:")
		w.line(3, "path: %s", quoted(s.Kustomize.Path))
	case s.Plain != nil:
		w.line(1, "source:")
		w.line(2, "plain:")
		w.line(3, "path: %s", quoted(s.Plain.Path))
	}
}

func (w *writer) clustersFrom(f gate.ClustersFrom) {
	first := "- "
	field := func(name, value string) {
		w.line(2, "%s%s: %s", first, name, value)
		first = "  "
	}
	if len(f.Files) > 0 {
		field("files", flow(f.Files))
	}
	if len(f.Kustomizations) > 0 {
		field("kustomizations", flow(f.Kustomizations))
	}
	if f.Kind != "" {
		field("kind", f.Kind)
	}
	if f.Name != "" {
		field("name", quoted(f.Name))
	}
}

func (w *writer) files(files []gate.File) {
	if len(files) > 0 {
		w.line(1, "files:")
	}
	for _, f := range files {
		w.line(2, "- name: %s", quoted(f.Name))
		w.line(3, "path: %s", quoted(f.Path))
		if f.Optional {
			w.line(3, "optional: true")
		}
	}
}

// plain is text that may stand in a comment.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// quoted is a text as YAML.
func quoted(text string) string {
	const word = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./"
	letters := strings.Trim(text, "0123456789.-+_eExXoO") != ""
	switch strings.ToLower(text) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n", "":
		letters = false
	}
	if letters && strings.Trim(text, word) == "" && !strings.HasPrefix(text, "-") && !strings.HasPrefix(text, ".") {
		return text
	}
	if letters && strings.Trim(text, word+" ") == "" && text[0] != '-' && text == strings.TrimSpace(text) {
		return text
	}
	return strconv.Quote(text)
}

// flow is a list on one line.
func flow(list []string) string {
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = quoted(s)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

package policies

import (
	"path"
	"strings"

	"github.com/syncgate/syncgate/policies/delivery"
	"github.com/syncgate/syncgate/policies/values"
)

// readConfiguration reads a file by what its name says it is.
func readConfiguration(data []byte, name string, limits values.Limits) (*values.Node, error) {
	switch ext := path.Ext(name); ext {
	case ".yaml", ".yml", ".json":
		docs, err := values.Written(data, name, limits)
		if err != nil {
			return nil, err
		}
		return ofDocuments(docs, name), nil
	case ".env", ".properties", ".ini", ".conf":
		if n := readLines(string(data), name, ext == ".env"); n != nil {
			return n, nil
		}
	}
	return &values.Node{Kind: values.String, Text: string(data), File: name, Line: 1, Column: 1}, nil
}

// ofDocuments is what a file's documents come to: the only one, the objects
// under their kinds and names, or a list of them where not each has its own.
func ofDocuments(docs []*values.Node, name string) *values.Node {
	switch len(docs) {
	case 0:
		return values.Overlay()
	case 1:
		if n := docs[0]; n.Kind == values.Map || n.Kind == values.List {
			n.Line, n.Column = 0, 0 // the file as a whole
		}
		return docs[0]
	}
	all := &values.Node{Kind: values.Map, File: name}
	for _, doc := range docs {
		title := ""
		if doc.Kind == values.Map {
			title = delivery.Title(doc)
		}
		if title == "" || all.Get(title) != nil {
			return &values.Node{Kind: values.List, Items: docs, File: name}
		}
		all = all.With(title, doc)
	}
	return all
}

// readLines reads lines of NAME=VALUE; nil when others are among them. A shell
// may read them, where exports is true, that takes an "export" before the name.
func readLines(text, name string, exports bool) *values.Node {
	all := &values.Node{Kind: values.Map, File: name}
	number := uint32(0)
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' || line[0] == '!' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if words := strings.Fields(key); exports && len(words) == 2 && words[0] == "export" {
			key = words[1]
		}
		if !ok || key == "" || all.Get(key) != nil {
			return nil
		}
		all = all.With(key, &values.Node{Kind: values.String, Text: strings.TrimSpace(value), File: name, Line: number, Column: 1})
	}
	return all
}

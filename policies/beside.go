package policies

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/syncgate/syncgate/policies/delivery"
	"github.com/syncgate/syncgate/policies/values"
)

// The fields under which what is not a value is compared beside the values.
const (
	sourceKey  = "$source"  // what delivers them
	filesKey   = "$files"   // other configuration files
	secretsKey = "$secrets" // Secrets, by what can be seen of them
)

// beside puts what is compared beside the values of a cluster to them. layer is
// what it put there.
func (s *source) beside(i int, merged *values.Node) (with, layer *values.Node, err error) {
	c := s.gate.Spec.Clusters[i]
	layer = values.Overlay()
	if c.Release != nil && c.Release.Source != nil {
		layer = layer.With(sourceKey, c.Release.Source)
	}
	if len(s.gate.Spec.Files) > 0 {
		files, err := s.besideFiles(c.Name)
		if err != nil {
			return nil, nil, err
		}
		layer = layer.With(filesKey, files)
	}
	if len(s.gate.Spec.Secrets) > 0 {
		secrets, err := s.besideSecrets(c.Name)
		if err != nil {
			return nil, nil, err
		}
		layer = layer.With(secretsKey, secrets)
	}
	for _, f := range layer.Fields {
		if n := merged.Get(f.Key); n != nil {
			return nil, nil, &values.Error{
				Position: n.Position(), Key: f.Key, Problem: "this key is taken: what is not a value is compared under it",
				Remedy: "give the value another name",
			}
		}
		merged = merged.With(f.Key, f.Value)
	}
	if len(layer.Fields) == 0 {
		return merged, nil, nil
	}
	err = merged.CheckSize(s.limits)
	return merged, layer, err
}

// besideFiles are the other configuration files of a cluster.
func (s *source) besideFiles(cluster string) (*values.Node, error) {
	all := &values.Node{Kind: values.Map, File: s.gate.File}
	for _, f := range s.gate.Spec.Files {
		name, err := s.gate.For(f.Path, cluster)
		if err != nil {
			return nil, fmt.Errorf("find file %s of cluster %s: %w", f.Name, cluster, err)
		}
		data, err := s.tree.Read(name, s.limits.FileSize)
		if f.Optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n, err := readConfiguration(data, name, s.limits)
		if err != nil {
			return nil, err
		}
		all = all.With(f.Name, n)
	}
	return all, nil
}

// readConfiguration reads a file by what its name says it is.
func readConfiguration(data []byte, name string, limits values.Limits) (*values.Node, error) {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		docs, err := values.Documents(data, name, limits)
		if err != nil || len(docs) == 1 {
			return first(docs), err
		}
		return byObject(docs, name)
	case ".env", ".properties", ".ini", ".conf":
		if n := readLines(string(data), name); n != nil {
			return n, nil
		}
	}
	return &values.Node{Kind: values.String, Text: string(data), File: name, Line: 1, Column: 1}, nil
}

func first(docs []*values.Node) *values.Node {
	if len(docs) == 0 {
		return values.Overlay()
	}
	return docs[0]
}

// byObject puts the objects of a file under their kinds and names.
func byObject(docs []*values.Node, name string) (*values.Node, error) {
	all := &values.Node{Kind: values.Map, File: name}
	for _, doc := range docs {
		title := delivery.Title(doc)
		if title == "" || all.Get(title) != nil {
			return nil, &values.Error{
				Position: doc.Position(), Problem: "expected several YAML documents to be Kubernetes objects, each of a kind and name of its own",
				Remedy: "part the file into several",
			}
		}
		all = all.With(title, doc)
	}
	return all, nil
}

// readLines reads lines of NAME=VALUE; nil when others are among them.
func readLines(text, name string) *values.Node {
	all := &values.Node{Kind: values.Map, File: name}
	number := uint32(0)
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' || line[0] == '!' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if key = strings.TrimSpace(key); !ok || key == "" || all.Get(key) != nil {
			return nil
		}
		all = all.With(key, &values.Node{Kind: values.String, Text: strings.TrimSpace(value), File: name, Line: number, Column: 1})
	}
	return all
}

// besideSecrets are the Secrets of a cluster, by what can be seen of them.
func (s *source) besideSecrets(cluster string) (*values.Node, error) {
	all := &values.Node{Kind: values.Map, File: s.gate.File}
	for _, want := range s.gate.Spec.Secrets {
		glob, err := s.gate.For(want.Path, cluster)
		if err != nil {
			return nil, fmt.Errorf("find secret %s of cluster %s: %w", want.Name, cluster, err)
		}
		n, err := s.secret(glob, want.Name, s.gate.Namespace(cluster))
		if err != nil {
			return nil, err
		}
		if n != nil {
			all = all.With(want.Name, n)
		}
	}
	return all, nil
}

// secret is what can be seen of a Secret, nil when no file has it.
func (s *source) secret(glob, name, namespace string) (*values.Node, error) {
	files, err := delivery.Files(s.tree, glob)
	if err != nil {
		return nil, err
	}
	var found, elsewhere *values.Node
	for _, file := range files {
		if ext := path.Ext(file); ext != ".yaml" && ext != ".yml" && ext != ".json" {
			continue
		}
		data, err := s.tree.Read(file, s.limits.FileSize)
		if err != nil {
			return nil, err
		}
		if !bytes.Contains(data, []byte(name)) && !bytes.Contains(data, []byte("sops")) {
			continue
		}
		docs, err := values.Documents(data, file, s.limits)
		if err != nil {
			return nil, err
		}
		for _, doc := range docs {
			all, err := delivery.SeenOfSecret(doc, name, namespace)
			if err != nil {
				return nil, err
			}
			for _, seen := range all {
				switch {
				case seen.Get(delivery.SecretElsewhere) != nil:
					elsewhere = seen
				case found != nil:
					return nil, twice(name, seen, found)
				default:
					found = seen
				}
			}
		}
	}
	if found == nil {
		return elsewhere, nil
	}
	return found, nil
}

func twice(name string, seen, found *values.Node) error {
	return &values.Error{
		Position: seen.Position(), Problem: fmt.Sprintf("secret %s is there twice, first in %s", name, found.Position()),
		Remedy: "keep one, or narrow its path in spec.secrets",
	}
}

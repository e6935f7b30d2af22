package policies

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"

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

// besideSecrets are the Secrets of a cluster, by what can be seen of them.
func (s *source) besideSecrets(cluster string) (*values.Node, error) {
	all := &values.Node{Kind: values.Map, File: s.gate.File}
	for _, want := range s.gate.Spec.Secrets {
		glob, err := s.gate.For(want.Path, cluster)
		if err != nil {
			return nil, fmt.Errorf("find secret %s of cluster %s: %w", want.Name, cluster, err)
		}
		n, err := s.secret(glob, want.Name, cmp.Or(want.Namespace, s.gate.Namespace(cluster)))
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

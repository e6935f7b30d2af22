package cmpserver

import (
	"crypto/sha256"
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/internal/lru"
	"github.com/syncgate/syncgate/plugin/render"
)

// convertedBytes bounds what the converter keeps: the CRDs of a few operators,
// or the objects of some ten thousand documents.
const convertedBytes = 24 << 20

// converter turns YAML documents into JSON, which is what the repo-server
// expects, and keeps it by the sum of the document: most are the same from one
// revision to the next, and from one cluster to the next.
type converter struct {
	known *lru.Cache[string]
}

func newConverter(most int) *converter {
	return &converter{known: lru.New[string](most)}
}

// manifests are the objects as JSON, one each.
func (c *converter) manifests(objects []render.Object) ([]string, error) {
	out := make([]string, 0, len(objects))
	for _, o := range objects {
		text, err := c.convert(o)
		if err != nil {
			return nil, fmt.Errorf("convert %s from %s to JSON: %w", o.Head, o.Source, err)
		}
		out = append(out, text)
	}
	return out, nil
}

func (c *converter) convert(o render.Object) (string, error) {
	key := lru.Key(o.Sum)
	if key == (lru.Key{}) {
		key = sha256.Sum256(o.Data)
	}
	if text, ok := c.known.Get(key); ok {
		return text, nil
	}
	// The line feed that ends a document in a stream ends its last block scalar too.
	text, err := yaml.YAMLToJSON(append(o.Data[:len(o.Data):len(o.Data)], '\n'))
	if err != nil {
		return "", err
	}
	c.known.Put(key, string(text), len(text))
	return string(text), nil
}

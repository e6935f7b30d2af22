package cmpserver

import (
	"container/list"
	"crypto/sha256"
	"fmt"
	"sync"

	"sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/plugin/render"
)

// convertedBytes bounds what the converter keeps: CRDs of a few operators.
const convertedBytes = 24 << 20

// worthKeeping is the size from which a document is kept: only CRDs and their
// kind are both large and the same from one revision to the next.
const worthKeeping = 8 << 10

// converter turns YAML documents into JSON, which is what the repo-server
// expects, and keeps large ones by the sum of their content.
type converter struct {
	most int

	mu    sync.Mutex
	size  int
	order *list.List // of *converted, newest first
	known map[[sha256.Size]byte]*list.Element
}

type converted struct {
	sum  [sha256.Size]byte
	json string
}

func newConverter(most int) *converter {
	return &converter{most: most, order: list.New(), known: map[[sha256.Size]byte]*list.Element{}}
}

// manifests are the objects as JSON, one each.
func (c *converter) manifests(objects []render.Object) ([]string, error) {
	out := make([]string, 0, len(objects))
	for _, o := range objects {
		// The line feed that ends a document in a stream ends its last block
		// scalar too.
		text, err := c.convert(append(o.Data[:len(o.Data):len(o.Data)], '\n'))
		if err != nil {
			return nil, fmt.Errorf("convert %s from %s to JSON: %w", o.Head, o.Source, err)
		}
		out = append(out, text)
	}
	return out, nil
}

func (c *converter) convert(doc []byte) (string, error) {
	if len(doc) < worthKeeping {
		text, err := yaml.YAMLToJSON(doc)
		return string(text), err
	}
	sum := sha256.Sum256(doc)
	if text, ok := c.get(sum); ok {
		return text, nil
	}
	text, err := yaml.YAMLToJSON(doc)
	if err != nil {
		return "", err
	}
	c.put(sum, string(text))
	return string(text), nil
}

func (c *converter) get(sum [sha256.Size]byte) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.known[sum]
	if !ok {
		return "", false
	}
	c.order.MoveToFront(e)
	return e.Value.(*converted).json, true
}

func (c *converter) put(sum [sha256.Size]byte, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.known[sum]; ok || len(text) > c.most {
		return
	}
	c.known[sum] = c.order.PushFront(&converted{sum: sum, json: text})
	for c.size += len(text); c.size > c.most; {
		last := c.order.Back()
		old := c.order.Remove(last).(*converted)
		delete(c.known, old.sum)
		c.size -= len(old.json)
	}
}

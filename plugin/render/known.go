package render

import (
	"crypto/sha256"
	"strings"

	"github.com/syncgate/syncgate/internal/lru"
)

// knownBytes bounds what is kept of documents that were read before.
const knownBytes = 4 << 20

// heads keeps what tells objects apart, by the sum of their documents. Only
// documents without a fault are kept: an error names the file and the line, and
// these do not follow from the content.
type heads struct {
	known *lru.Cache[told]
}

// told is what a document says, without its text and its place.
type told struct {
	head  Head
	items []Head
}

func newHeads() *heads { return &heads{known: lru.New[told](knownBytes)} }

// object is d.object, read once for equal documents.
func (h *heads) object(d document, limits Limits) (o Object, ok bool, err error) {
	key := keyOf(d)
	if t, known := h.known.Get(key); known {
		return Object{Head: t.head, Items: t.items, Source: d.file, Data: d.text()}, true, nil
	}
	o, ok, err = d.object(limits)
	if !ok || err != nil {
		return o, ok, err
	}
	t := told{head: o.clone()}
	size := t.head.size()
	for _, item := range o.Items {
		item = item.clone()
		t.items = append(t.items, item)
		size += item.size()
	}
	h.known.Put(key, t, size)
	return o, ok, nil
}

// keyOf is the sum of all that the reading of a document follows from.
func keyOf(d document) lru.Key {
	sum := sha256.New()
	if d.strict {
		sum.Write([]byte("strict\n"))
	} else {
		sum.Write([]byte("helm's\n"))
	}
	sum.Write(d.data)
	return lru.Key(sum.Sum(nil))
}

// clone is h without a hold on the document's text.
func (h Head) clone() Head {
	out := Head{
		APIVersion: strings.Clone(h.APIVersion), Kind: strings.Clone(h.Kind),
		Namespace: strings.Clone(h.Namespace), Name: strings.Clone(h.Name),
	}
	if h.Annotations != nil {
		out.Annotations = make(map[string]string, len(h.Annotations))
		for k, v := range h.Annotations {
			out.Annotations[strings.Clone(k)] = strings.Clone(v)
		}
	}
	return out
}

// size is about how many bytes h takes.
func (h Head) size() int {
	const own, each = 128, 64
	n := own + len(h.APIVersion) + len(h.Kind) + len(h.Namespace) + len(h.Name)
	for k, v := range h.Annotations {
		n += each + len(k) + len(v)
	}
	return n
}

package render

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/releaseutil"

	"github.com/syncgate/syncgate/internal/lru"
)

// sortedBytes bounds what is kept of files that were cut before.
const sortedBytes = 2 << 20

// sorter cuts what templates give into documents, as Helm does, and puts them
// in Helm's order. What Helm says of a file is kept by the sum of its content.
type sorter struct {
	known *lru.Cache[[]piece]
	order map[string]int // of kinds
}

// piece is a document of a file, by its place in the text.
type piece struct {
	kind     string
	hook     bool
	from, to int
}

func newSorter() *sorter {
	s := &sorter{known: lru.New[[]piece](sortedBytes), order: map[string]int{}}
	for i, kind := range releaseutil.InstallOrder {
		s.order[kind] = i
	}
	return s
}

// documents are those of all files, in the order in which `helm template`
// prints them: by kind, then the hooks by kind; equal kinds by file.
func (s *sorter) documents(files map[string]string) ([]document, error) {
	type sorted struct {
		piece
		doc document
	}
	var all []sorted
	for _, name := range slices.Sorted(maps.Keys(files)) {
		pieces, err := s.cut(name, files[name])
		if err != nil {
			return nil, err
		}
		for _, p := range pieces {
			all = append(all, sorted{p, document{file: name, line: 1, data: []byte(files[name][p.from:p.to]), rendered: true}})
		}
	}
	slices.SortStableFunc(all, func(a, b sorted) int {
		if a.hook != b.hook {
			if b.hook {
				return -1
			}
			return 1
		}
		return s.compare(a.kind, b.kind)
	})
	docs := make([]document, len(all))
	for i, one := range all {
		docs[i] = one.doc
	}
	return docs, nil
}

// compare is Helm's order: kinds that it does not know come last, by name.
func (s *sorter) compare(a, b string) int {
	at, known := s.order[a]
	other, otherKnown := s.order[b]
	switch {
	case known && otherKnown:
		return cmp.Compare(at, other)
	case known:
		return -1
	case otherKnown:
		return 1
	}
	return strings.Compare(a, b)
}

// cut has Helm cut one file. An error is not kept: it names the file.
func (s *sorter) cut(name, text string) ([]piece, error) {
	key := lru.Key(sha256.Sum256([]byte(text)))
	if pieces, ok := s.known.Get(key); ok {
		return pieces, nil
	}
	hooks, manifests, err := releaseutil.SortManifests(map[string]string{name: text}, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	pieces := make([]piece, 0, len(manifests)+len(hooks))
	size := 0
	add := func(kind, content string, hook bool) error {
		from := strings.Index(text, content) // anywhere: equal texts are equal documents
		if from < 0 {
			return fmt.Errorf("cut %s into documents: one of them is not part of it", name)
		}
		pieces = append(pieces, piece{strings.Clone(kind), hook, from, from + len(content)})
		size += 64 + len(kind)
		return nil
	}
	for _, m := range manifests {
		if err := add(m.Head.Kind, m.Content, false); err != nil {
			return nil, err
		}
	}
	for _, h := range hooks {
		if err := add(h.Kind, h.Manifest, true); err != nil {
			return nil, err
		}
	}
	s.known.Put(key, pieces, size)
	return pieces, nil
}

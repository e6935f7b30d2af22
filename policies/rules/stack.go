package rules

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/values"
)

// Stacks looks key paths up in the values of clusters, layer by layer. Paths
// and what is redacted are those of findings. It is safe for concurrent use.
type Stacks struct {
	listKeys []ListKey
	key      [32]byte // of the digests
}

// NewStacks makes Stacks that tell the items of lists apart by listKeys.
func NewStacks(listKeys []ListKey) (*Stacks, error) {
	s := &Stacks{listKeys: listKeys}
	if _, err := rand.Read(s.key[:]); err != nil {
		return nil, fmt.Errorf("make key for values: %w", err)
	}
	return s, nil
}

// Spot is a key path that a layer of one cluster's values sets.
type Spot struct {
	// Path is the key path as text, and Segments as its steps.
	Path     string
	Segments []string
	// Merged is what the cluster holds there, nil when nothing.
	Merged *Held
	// Layers say what each layer has there, in the order they were given; nil
	// for a layer that says nothing of the path.
	Layers []*Held
}

// Held is a value at a path, fit to be shown.
type Held struct {
	// Value is the value as JSON, shortened, without secrets.
	Value string
	// Secret is true when the value, a scalar, is not shown.
	Secret bool
	// Digest is the same for equal values, also for secret ones. It is keyed:
	// it tells nothing of the value, and means nothing to other Stacks.
	Digest string
	// Kind is the value's kind.
	Kind values.Kind
	// Position is where it stands.
	Position finding.Position
	// Above is the path above at which the layer has a value that leaves no
	// room for this path: null, a scalar, a list without that item. Empty when
	// the value stands at the path itself.
	Above string
}

// Find looks up what a glob names in the layers of a cluster, the weakest
// first, and in what they merged to. At most the first most spots are returned,
// sorted by segments; more is how many there are beside them.
func (s *Stacks) Find(layers []*values.Node, merged *values.Node, glob keypath.Glob, most int) (spots []Spot, more int) {
	look := &lookup{Stacks: s, visit: func(path []string, at level) bool {
		if glob.Match(path) {
			if len(spots) < most {
				spots = append(spots, s.spot(path, at))
			} else {
				more++
			}
		}
		return glob.Leads(path)
	}}
	nodes := append(slices.Clone(layers), merged)
	look.walk(nil, level{nodes: nodes, above: make([]blocker, len(nodes))})
	return spots, more
}

// PathSet is some key paths that are looked up together.
type PathSet struct{ whole, leads map[string]bool }

// NewPathSet is the set of paths, each given as its segments.
func NewPathSet(paths [][]string) PathSet {
	s := PathSet{whole: map[string]bool{}, leads: map[string]bool{}}
	for _, p := range paths {
		s.whole[keypath.Format(p)] = true
		for i := range p {
			s.leads[keypath.Format(p[:i])] = true
		}
	}
	return s
}

// FindAll is Find for the paths of a set.
func (s *Stacks) FindAll(layers []*values.Node, merged *values.Node, paths PathSet) []Spot {
	var spots []Spot
	look := &lookup{Stacks: s, visit: func(path []string, at level) bool {
		text := keypath.Format(path)
		if paths.whole[text] {
			spots = append(spots, s.spot(path, at))
		}
		return paths.leads[text]
	}}
	nodes := append(slices.Clone(layers), merged)
	look.walk(nil, level{nodes: nodes, above: make([]blocker, len(nodes))})
	return spots
}

// Paths are the key paths of merged values, at most most of them.
func (s *Stacks) Paths(merged *values.Node, most int) []string {
	var paths []string
	look := &lookup{Stacks: s, visit: func(path []string, _ level) bool {
		if len(path) > 0 && len(paths) < most {
			paths = append(paths, keypath.Format(path))
		}
		return len(paths) < most
	}}
	look.walk(nil, level{nodes: []*values.Node{merged}, above: make([]blocker, 1)})
	return paths
}

// level is one path in all layers at once; the last node is the merged one.
type level struct {
	nodes []*values.Node // nil where a layer has nothing
	above []blocker
	hide  bool
}

// blocker is a value above a path that leaves no room for it.
type blocker struct {
	node *values.Node
	path string
	hide bool
}

// lookup is one walk over the layers.
type lookup struct {
	*Stacks
	// visit says whether to go on below.
	visit func(path []string, at level) bool
}

func (l *lookup) walk(path []string, at level) {
	if len(path) > 0 && !l.visit(path, at) {
		return
	}
	for _, b := range l.below(path, at) {
		l.walk(append(path[:len(path):len(path)], b.segment), b.level)
	}
}

// child is one step below a level.
type child struct {
	segment string
	level   level
}

// below are the steps below a level, each once, sorted.
func (s *Stacks) below(path []string, at level) []child {
	key, keyed := s.listKey(path)
	var all []child
	index := map[string]int{}
	add := func(layer int, segment, field string, n *values.Node) {
		i, ok := index[segment]
		if !ok {
			i = len(all)
			index[segment] = i
			next := level{nodes: make([]*values.Node, len(at.nodes)), above: slices.Clone(at.above), hide: at.hide}
			if field != "" || segment == keypath.Field("") {
				next.hide = hiddenField(at, field)
			}
			all = append(all, child{segment, next})
		}
		if all[i].level.nodes[layer] == nil { // of items with one key the first counts, as in findings
			all[i].level.nodes[layer] = n
		}
	}
	for layer, n := range at.nodes {
		if n == nil {
			continue
		}
		for _, f := range n.Fields {
			add(layer, keypath.Field(f.Key), f.Key, f.Value)
		}
		for i, v := range n.Items {
			segment := keypath.Index(i)
			if keyed {
				name, ok := keyOf(v, key)
				if !ok {
					continue
				}
				segment = keypath.Item(key, name)
			}
			add(layer, segment, "", v)
		}
	}
	for _, c := range all {
		c.level.block(path, at)
	}
	slices.SortFunc(all, func(a, b child) int { return strings.Compare(a.segment, b.segment) })
	return all
}

// block notes which layers have a value at path, but no room for what is below.
func (l level) block(path []string, at level) {
	for layer, n := range at.nodes {
		if n != nil && l.nodes[layer] == nil && n.Kind != values.Map {
			l.above[layer] = blocker{n, keypath.Format(path), at.hide}
		}
	}
}

func (s *Stacks) listKey(path []string) (string, bool) {
	for _, k := range s.listKeys {
		if k.Path.Match(path) {
			return k.Key, true
		}
	}
	return "", false
}

// hiddenField judges a field as a Worker does, from all layers together: one
// may name the secret whose value another one holds.
func hiddenField(at level, field string) bool {
	hide := at.hide
	switch secrecyOf(field) {
	case secret:
		hide = field != "key" || slices.ContainsFunc(at.nodes, func(n *values.Node) bool {
			return n != nil && n.Get(field) != nil && !plainKey(n)
		})
	case plain:
		hide = false
	case unsaid:
	}
	return hide || field == "value" && slices.ContainsFunc(at.nodes, namesSecret)
}

func (s *Stacks) spot(path []string, at level) Spot {
	out := Spot{Path: keypath.Format(path), Segments: path}
	for layer, n := range at.nodes {
		var held *Held
		switch above := at.above[layer]; {
		case n != nil:
			held = &Held{Value: shorten(s.text(path, at, layer, maxValue)), Secret: isHidden(n, at.hide), Digest: s.digest(n), Kind: n.Kind, Position: n.Position()}
		case above.node != nil:
			held = &Held{Above: above.path, Digest: s.digest(above.node), Kind: above.node.Kind, Position: above.node.Position()}
			held.Value = blockText(above)
		}
		if layer == len(at.nodes)-1 {
			if held != nil && held.Above == "" {
				out.Merged = held
			}
			break
		}
		out.Layers = append(out.Layers, held)
	}
	return out
}

// blockText is what stands above a path, in short.
func blockText(b blocker) string {
	if b.node.Kind == values.List {
		return fmt.Sprintf("[%d items]", len(b.node.Items))
	}
	return shorten(scalarText(b.node, b.hide))
}

// text writes what a layer has at a path as JSON, without secrets, and stops
// soon after most characters.
func (s *Stacks) text(path []string, at level, layer, most int) string {
	n := at.nodes[layer]
	if n.Kind != values.Map && n.Kind != values.List {
		return scalarText(n, at.hide)
	}
	open, closing := "{", "}"
	if n.Kind == values.List {
		open, closing = "[", "]"
	}
	var b strings.Builder
	b.WriteString(open)
	first := true
	for _, c := range s.below(path, at) {
		if c.level.nodes[layer] == nil {
			continue
		}
		if !first {
			b.WriteString(",")
		}
		first = false
		if b.Len() > most {
			b.WriteString("…")
			break
		}
		if n.Kind == values.Map {
			b.WriteString(quote(c.segment) + ":")
		}
		b.WriteString(s.text(append(path[:len(path):len(path)], c.segment), c.level, layer, most-b.Len()))
	}
	return b.String() + closing
}

// isHidden reports whether n, at a path that hide is said of, is a secret.
func isHidden(n *values.Node, hide bool) bool {
	if n.Unknown {
		return false // what stands there is where it is from
	}
	return hide || n.Secret || n.Kind == values.String && isCredential(n.Text)
}

// scalarText is a scalar as JSON, redacted where a finding would redact it.
func scalarText(n *values.Node, hide bool) string {
	hide = isHidden(n, hide)
	switch {
	case hide && n.Kind != values.Bool && !isEmpty(n):
		return redacted
	case n.Written() != "":
		return n.Written()
	case n.Kind == values.Bool && n.Num != 0:
		return "true"
	case n.Kind == values.Bool:
		return "false"
	case n.Kind == values.Number:
		return numberText(wholeText(n), n.Num)
	case n.Unknown:
		return n.Text
	case n.Kind == values.String:
		return quote(n.Text)
	default:
		return "null"
	}
}

// digest is a keyed hash over the whole value.
func (s *Stacks) digest(n *values.Node) string {
	mac := hmac.New(sha256.New, s.key[:])
	writeDigest(mac, n)
	return string(mac.Sum(nil))
}

// writeDigest writes kind, lengths and content, so that no two different values
// are written alike. A hash never returns an error.
func writeDigest(h hash.Hash, n *values.Node) {
	number := func(v uint64) { _, _ = h.Write(binary.BigEndian.AppendUint64(nil, v)) }
	text := func(v string) {
		number(uint64(len(v)))
		_, _ = io.WriteString(h, v)
	}
	if n.Unknown {
		number(unknownKind)
	}
	number(uint64(n.Kind))
	switch n.Kind {
	case values.Bool, values.Number:
		number(math.Float64bits(n.Num))
		text(wholeText(n))
		text(n.Written())
	case values.String:
		text(n.Text)
		text(n.Written())
	case values.List:
		number(uint64(len(n.Items)))
		for _, item := range n.Items {
			writeDigest(h, item)
		}
	case values.Map:
		fields := slices.Clone(n.Fields)
		slices.SortFunc(fields, func(a, b values.Field) int { return strings.Compare(a.Key, b.Key) })
		number(uint64(len(fields)))
		for _, f := range fields {
			text(f.Key)
			writeDigest(h, f.Value)
		}
	case values.Null:
	}
}

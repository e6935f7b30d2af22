package rules

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/values"
)

// packer writes values down small: clusters mostly hold the same texts, and each
// is kept once. A cluster of some hundred leaves takes one or two KiB, where its
// values as maps take some dozen.
type packer struct {
	ids    map[string]uint64
	texts  []string
	buffer []byte
	// unknown is true once a value was written that cannot be read in Git.
	unknown bool
}

// unknownKind is written in place of the kind of such a value.
const unknownKind = 0xff

// packed is the values of one cluster, written down by one packer.
type packed struct {
	by   *packer
	data []byte
}

func newPacker() *packer { return &packer{ids: map[string]uint64{}} }

// pack writes n down.
func (p *packer) pack(n *values.Node) packed {
	p.buffer = p.buffer[:0]
	p.write(n)
	return packed{p, slices.Clone(p.buffer)}
}

func (p *packer) write(n *values.Node) {
	if n.Unknown {
		p.unknown = true
		p.buffer = append(p.buffer, unknownKind)
		p.text(n.Text)
		return
	}
	p.buffer = append(p.buffer, byte(n.Kind))
	switch n.Kind {
	case values.Bool:
		p.buffer = append(p.buffer, byte(n.Num))
	case values.Number:
		p.buffer = binary.LittleEndian.AppendUint64(p.buffer, math.Float64bits(n.Num))
	case values.String:
		p.text(n.Text)
	case values.List:
		p.buffer = binary.AppendUvarint(p.buffer, uint64(len(n.Items)))
		for _, item := range n.Items {
			p.write(item)
		}
	case values.Map:
		p.buffer = binary.AppendUvarint(p.buffer, uint64(len(n.Fields)))
		for _, f := range n.Fields {
			p.text(f.Key)
			p.write(f.Value)
		}
	case values.Null:
	}
}

func (p *packer) text(s string) {
	id, ok := p.ids[s]
	if !ok {
		s = strings.Clone(s) // not to hold on to the whole file
		id = uint64(len(p.texts))
		p.ids[s] = id
		p.texts = append(p.texts, s)
	}
	p.buffer = binary.AppendUvarint(p.buffer, id)
}

// values are the values as NativeMap of their node gives them, made anew; what
// cannot be read makes an expression that needs it fail.
func (p packed) values() map[string]any {
	if p.by == nil {
		return map[string]any{}
	}
	u := unpacker{texts: p.by.texts, data: p.data}
	m, ok := u.read().(map[string]any)
	if !ok {
		return map[string]any{}
	}
	return m
}

// unpacker reads what a packer wrote, which it trusts.
type unpacker struct {
	texts []string
	data  []byte
}

func (u *unpacker) read() any {
	kind := values.Kind(u.data[0])
	u.data = u.data[1:]
	if kind == unknownKind {
		return expr.Unknown(u.texts[u.number()])
	}
	switch kind {
	case values.Bool:
		b := u.data[0] != 0
		u.data = u.data[1:]
		return b
	case values.Number:
		bits := binary.LittleEndian.Uint64(u.data)
		u.data = u.data[8:]
		return math.Float64frombits(bits)
	case values.String:
		return u.texts[u.number()]
	case values.List:
		list := make([]any, u.number())
		for i := range list {
			list[i] = u.read()
		}
		return list
	case values.Map:
		n := u.number()
		m := make(map[string]any, n)
		for range n {
			key := u.texts[u.number()]
			m[key] = u.read()
		}
		return m
	case values.Null:
	}
	return nil
}

func (u *unpacker) number() uint64 {
	n, size := binary.Uvarint(u.data)
	u.data = u.data[size:]
	return n
}

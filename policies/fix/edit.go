package fix

import (
	"errors"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/values"
)

// maxToken is how many bytes a value may have that is written elsewhere.
const maxToken = 4 << 10

// edit puts a text in the place of some bytes.
type edit struct {
	start, end int
	with       string
}

func (e edit) apply(data []byte) []byte {
	out := make([]byte, 0, len(data)+len(e.with))
	out = append(out, data[:e.start]...)
	out = append(out, e.with...)
	return append(out, data[e.end:]...)
}

// scalar is a value as it is written somewhere.
type scalar struct {
	token string
	node  yaml.Node
	// tokens are those of the scalars in a map or list; nil for a scalar.
	tokens map[*yaml.Node]string
}

// scalarAt is the value that stands at a place.
func scalarAt(data []byte, at finding.Position, limits values.Limits) (scalar, error) {
	t, at, err := documentAt(data, at, limits)
	if err != nil {
		return scalar{}, err
	}
	s, err := t.find(at)
	if err != nil {
		return scalar{}, err
	}
	start, end, err := t.token(s.value)
	if err != nil {
		return scalar{}, err
	}
	return t.scalar(s.value, start, end)
}

// scalar is what stands from start to end.
func (t *text) scalar(n *yaml.Node, start, end int) (scalar, error) {
	token := string(t.data[start:end])
	if len(token) > maxToken {
		return scalar{}, errors.New("the value is longer than " + strconv.Itoa(maxToken) + " bytes")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return !strconv.IsPrint(r) || r == unicode.ReplacementChar }) {
		return scalar{}, errors.New("the value has characters that cannot be seen")
	}
	node := yaml.Node{Kind: yaml.ScalarNode, Tag: n.ShortTag(), Value: n.Value, Style: n.Style &^ yaml.FlowStyle}
	return scalar{token: token, node: node}, nil
}

// replaceAt is the edit that gives the value at a place another one.
func replaceAt(data []byte, at finding.Position, with scalar, limits values.Limits) (edit, error) {
	t, at, err := documentAt(data, at, limits)
	if err != nil {
		return edit{}, err
	}
	s, err := t.find(at)
	if err != nil {
		return edit{}, err
	}
	start, end, err := t.token(s.value)
	if err != nil {
		return edit{}, err
	}
	*s.value = with.node
	return t.inFile(t.checked(edit{start, end, with.token}))
}

// checked is e, when it makes of the document what t.root says by now, and only
// that.
func (t *text) checked(e edit) (edit, error) {
	after, err := readText(e.apply(t.data), t.limits)
	if err != nil || !same(t.root, after.root) {
		return edit{}, errors.New("as it is written the value would not fit there")
	}
	return e, nil
}

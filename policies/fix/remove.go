package fix

import (
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/values"
)

// removeAt is the edit that takes the entry of a map, or the item of a list, out
// that stands at a place. A map or list is never left empty: that would be null,
// and take away what a chart sets there.
func removeAt(data []byte, at finding.Position, item bool, limits values.Limits) (edit, error) {
	t, at, err := documentAt(data, at, limits)
	if err != nil {
		return edit{}, err
	}
	s, err := t.findAs(at, item)
	if err != nil {
		return edit{}, err
	}
	if s.parent.Style&yaml.FlowStyle != 0 {
		return edit{}, errors.New("it stands in a map or list on one line")
	}
	first, column, err := t.begin(s)
	if err != nil {
		return edit{}, err
	}
	start, _, _ := t.line(first)
	end := t.after(s.value, column)
	size := 1
	if s.key != nil {
		size = 2
	}
	if s.parent != t.root && len(s.parent.Content) == size {
		return edit{}, errors.New("it is the only entry of its map or list, which would be left as null")
	}
	if s.parent.Content = slices.Delete(s.parent.Content, s.at, s.at+size); len(s.parent.Content) == 0 {
		t.root = nil
	}
	return t.inFile(t.checked(edit{start: start, end: end}))
}

// begin is the line on which an entry or item begins, and the column of its key
// or dash. Nothing else may stand on that line.
func (t *text) begin(s spot) (line, column int, err error) {
	if s.value.Kind == yaml.ScalarNode || s.value.Kind == yaml.AliasNode {
		if _, _, err := t.token(s.value); err != nil {
			return 0, 0, err
		}
	}
	node := s.value
	if s.key != nil {
		node = s.key
		if s.key.Kind != yaml.ScalarNode {
			return 0, 0, errors.New("its key is no plain name")
		}
	}
	start, _, _ := t.line(node.Line)
	at, ok := t.offset(node)
	if !ok {
		return 0, 0, errors.New("the value was not found at its place")
	}
	lead := strings.TrimPrefix(string(t.data[start:at]), bom)
	if s.key == nil {
		lead = strings.TrimRight(lead, " ")
		if !strings.HasSuffix(lead, "-") {
			return 0, 0, errors.New("its dash does not stand on its line")
		}
		lead = strings.TrimSuffix(lead, "-")
	}
	if strings.Trim(lead, " ") != "" {
		return 0, 0, errors.New("something else stands on its line")
	}
	return node.Line, len(lead) + 1, nil
}

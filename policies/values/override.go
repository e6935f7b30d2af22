package values

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/syncgate/syncgate/policies/finding"
)

// maxOverride is the most bytes of a value that is given as text.
const maxOverride = 4096

// Override is a layer with one value, at the fields that lead to it, which
// takes the place of the scalar that merged has there. The text is read as the
// kind of value that it replaces, so that nothing turns from a number into a
// string. origin stands where others have their file.
func Override(merged *Node, fields []string, text, origin string) (*Node, error) {
	fail := func(problem, remedy string) error {
		return &Error{Position: finding.Position{File: origin}, Problem: problem, Remedy: remedy}
	}
	if len(text) > maxOverride {
		return nil, fail(fmt.Sprintf("limit parameterValueBytes=%d hit", maxOverride), "write the value to a values file")
	}
	old := merged.At(fields)
	if old == nil {
		return nil, fail("the cluster has no value there", "name a value that the chart or a values file sets, or add it there")
	}
	value := &Node{Kind: old.Kind, File: origin}
	switch old.Kind {
	case String:
		value.Text = text
	case Bool:
		if text != "true" && text != "false" {
			return nil, fail("expected true or false, as the value that it replaces", "write true or false")
		}
		if text == "true" {
			value.Num = 1
		}
	case Number:
		n, err := number(text)
		if err != nil {
			return nil, fail("expected a number, as the value that it replaces", "write a number such as 3 or 0.5")
		}
		value.Num = n
	default:
		return nil, fail("expected to replace a string, a number or true or false, found "+old.Kind.String()+" there",
			"name a value below it, or change it in a values file")
	}
	for i := len(fields) - 1; i >= 0; i-- {
		outer := emptyMap(origin)
		outer.add(fields[i], value)
		value = outer
	}
	return value, nil
}

// number reads a number as JSON writes it.
func number(text string) (float64, error) {
	var n json.Number
	if err := json.Unmarshal([]byte(text), &n); err != nil || n.String() != text {
		return 0, strconv.ErrSyntax
	}
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) {
		return 0, strconv.ErrRange
	}
	return f, nil
}

// At is the value that the fields of maps lead to, nil when there is none.
func (n *Node) At(fields []string) *Node {
	for _, f := range fields {
		if n == nil || n.Kind != Map {
			return nil
		}
		n = n.Get(f)
	}
	return n
}

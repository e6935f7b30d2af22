package rules

import (
	"math"
	"slices"
	"strconv"

	"github.com/syncgate/syncgate/policies/values"
)

// wholeText is the text of a whole number that a parameter set, which Helm prints
// in full, when it prints the same number from a file in another way: 1e+06. For
// all other nodes it is empty, so that numbers which are printed alike are equal.
func wholeText(n *values.Node) string {
	if n.Kind != values.Number || n.Text == "" || n.Text == printed(n.Num) {
		return ""
	}
	return n.Text
}

// printed is a number of a file as a template prints it.
func printed(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// numberText is a number as JSON has it.
func numberText(whole string, f float64) string {
	if whole != "" {
		return whole
	}
	return values.FormatNumber(f)
}

// tellApart says how Helm prints the numbers of files that are written as one of
// a parameter is; list has the groups as they are shown.
func (c *comparer) tellApart(groups []group, list []shown) {
	number := func(g group) (datum, bool) {
		if g.value < firstFree || c.datums[g.value].kind != values.Number || c.datums[g.value].hidden {
			return datum{}, false
		}
		return c.datums[g.value], true
	}
	whole := slices.ContainsFunc(groups, func(g group) bool {
		d, ok := number(g)
		return ok && d.text != ""
	})
	for i, g := range groups {
		d, ok := number(g)
		f := math.Float64frombits(d.num)
		if whole && ok && d.text == "" && printed(f) != values.FormatNumber(f) {
			list[i].value += " (from a file, which Helm prints as " + printed(f) + ")"
			list[i].inexact = true
		}
	}
}

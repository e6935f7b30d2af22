package fix

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/values"
)

// text is one YAML document as it stands in a file, and what it means.
type text struct {
	data   []byte
	limits values.Limits
	root   *yaml.Node // nil when there is nothing in it
}

// bom is the mark that some editors put before a file; columns do not count it.
const bom = "\ufeff"

// readText parses a document. Line breaks that not every reader takes for one
// are refused: places would not be certain.
func readText(data []byte, limits values.Limits) (*text, error) {
	s := string(data)
	if !utf8.ValidString(s) || strings.ContainsAny(s, "\u0085\u2028\u2029") || strings.Contains(strings.ReplaceAll(s, "\r\n", ""), "\r") {
		return nil, errors.New("the file has line breaks or bytes that not every reader takes for the same")
	}
	root, err := values.ReadNode(data, "", limits)
	if err != nil {
		return nil, fmt.Errorf("the file cannot be parsed: %w", err)
	}
	return &text{data: data, limits: limits, root: root}, nil
}

// document is a YAML document in a file.
type document struct {
	*text
	start int // byte of the file
	lines int // of the file before it
}

// documentAt parses the document of a file in which a line stands. Places in it
// are those of the file.
func documentAt(data []byte, at finding.Position, limits values.Limits) (document, finding.Position, error) {
	d := document{}
	for {
		rest := data[d.start:]
		end := values.DocumentEnd(rest)
		lines := bytes.Count(rest[:end], []byte("\n"))
		if end == len(rest) || at.Line <= d.lines+lines {
			t, err := readText(rest[:end:end], limits)
			at.Line -= d.lines
			d.text = t
			return d, at, err
		}
		d.start += end
		d.lines += lines
	}
}

// inFile is an edit of the document as one of the file.
func (d document) inFile(e edit, err error) (edit, error) {
	e.start += d.start
	e.end += d.start
	return e, err
}

// line is where a line, from 1, begins and ends without its break.
func (t *text) line(n int) (start, end int, ok bool) {
	for range n - 1 {
		i := bytes.IndexByte(t.data[start:], '\n')
		if i < 0 {
			return 0, 0, false
		}
		start += i + 1
	}
	if i := bytes.IndexByte(t.data[start:], '\n'); i >= 0 {
		end = start + i
	} else {
		end = len(t.data)
	}
	if end > start && t.data[end-1] == '\r' {
		end--
	}
	return start, end, n > 0
}

// lines is the number of lines.
func (t *text) lines() int { return bytes.Count(t.data, []byte("\n")) + 1 }

// offset is the byte at which a node begins.
func (t *text) offset(n *yaml.Node) (int, bool) { return t.offsetOf(n.Line, n.Column) }

// offsetOf is the byte at a line and column.
func (t *text) offsetOf(line, column int) (int, bool) {
	at, end, ok := t.line(line)
	if !ok || column < 1 {
		return 0, false
	}
	if line == 1 && bytes.HasPrefix(t.data, []byte(bom)) {
		at += len(bom)
	}
	for range column - 1 {
		if at >= end {
			return 0, false
		}
		_, size := utf8.DecodeRune(t.data[at:end])
		at += size
	}
	return at, true
}

// place is the line and column of a byte.
func place(data []byte, offset int) finding.Position {
	before := data[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	line := bytes.TrimPrefix(before[start:], []byte(bom))
	return finding.Position{Line: bytes.Count(before, []byte("\n")) + 1, Column: utf8.RuneCount(line) + 1}
}

// newline is the break that ends lines around a byte.
func (t *text) newline() string {
	if i := bytes.IndexByte(t.data, '\n'); i > 0 && t.data[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// token is the scalar that n writes on one line of its own: where it begins and
// ends. What is written in another way is refused.
func (t *text) token(n *yaml.Node) (start, end int, err error) {
	switch {
	case n.Kind == yaml.AliasNode:
		return 0, 0, errors.New("an alias stands there")
	case n.Kind != yaml.ScalarNode:
		return 0, 0, errors.New("a map or a list stands there")
	case n.Anchor != "":
		return 0, 0, errors.New("the value has an anchor, which other places refer to")
	case n.Style&yaml.TaggedStyle != 0:
		return 0, 0, errors.New("the value has a tag")
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return 0, 0, errors.New("the value is a block of lines")
	}
	start, ok := t.offset(n)
	_, eol, known := t.line(n.Line)
	if !ok || !known {
		return 0, 0, errors.New("the value was not found at its place")
	}
	rest := t.data[start:eol]
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		end = quotedEnd(rest, '\'')
	case n.Style&yaml.DoubleQuotedStyle != 0:
		end = quotedEnd(rest, '"')
	case n.Value != "" && bytes.HasPrefix(rest, []byte(n.Value)):
		end = len(n.Value)
	}
	if end <= 0 {
		return 0, 0, errors.New("the value does not stand on one line")
	}
	return start, start + end, nil
}

// quotedEnd is the length of the quoted text that s begins with, 0 when it does
// not end there.
func quotedEnd(s []byte, quote byte) int {
	if len(s) == 0 || s[0] != quote {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == '"':
			i++
		case s[i] != quote:
		case quote == '\'' && i+1 < len(s) && s[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return 0
}

// spot is a value in a document.
type spot struct {
	value  *yaml.Node
	key    *yaml.Node // nil in a list
	parent *yaml.Node
	at     int // of the key, or the item, in the parent's content
}

// written are the styles in which even the empty text stands somewhere.
const written = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// find is the value that stands at a place: a scalar at its own, and nothing, a
// map and a list at that of their key. What lies in an anchored node is refused.
func (t *text) find(at finding.Position) (spot, error) { return t.findAs(at, false) }

// findAs is find; with item it is the item of a list that stands there, and not
// what its first key holds.
func (t *text) findAs(at finding.Position, item bool) (spot, error) {
	if t.root == nil {
		return spot{}, errors.New("the document is empty")
	}
	var found spot
	var anchored bool
	var walk func(n *yaml.Node, inAnchor bool)
	walk = func(n *yaml.Node, inAnchor bool) {
		inAnchor = inAnchor || n.Anchor != ""
		step := 1
		if n.Kind == yaml.MappingNode {
			step = 2
		}
		for i := 0; i+step <= len(n.Content); i += step {
			v := n.Content[i+step-1]
			var key *yaml.Node
			if step == 2 {
				key = n.Content[i]
			}
			here := v
			if v.Kind != yaml.ScalarNode && v.Kind != yaml.AliasNode || v.Value == "" && v.Style&written == 0 {
				here = cmp.Or(key, v)
			}
			if here.Line == at.Line && here.Column == at.Column && (found.value == nil || !item && (v.Kind == yaml.ScalarNode || found.key == nil)) {
				found, anchored = spot{v, key, n, i}, inAnchor
			}
			if v.Kind != yaml.AliasNode {
				walk(v, inAnchor)
			}
		}
	}
	walk(t.root, false)
	switch {
	case found.value == nil, item && found.key != nil:
		return spot{}, errors.New("no value was found at its place; it may stand in a block of lines")
	case anchored:
		return spot{}, errors.New("the value lies in a node with an anchor, which other places refer to")
	}
	return found, nil
}

// same reports whether two documents mean the same and are written the same
// way, comments and places aside.
func same(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Value != b.Value || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) || a.ShortTag() != b.ShortTag() || a.Style != b.Style {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// after is where the line after all that belongs to a node begins: what is in
// it, and the lines that go on deeper than a column.
func (t *text) after(m *yaml.Node, column int) int {
	last := lastLine(m)
	for n := last + 1; n <= t.lines(); n++ {
		start, end, ok := t.line(n)
		if !ok {
			break
		}
		line := string(t.data[start:end])
		depth := len(line) - len(strings.TrimLeft(line, " "))
		if strings.TrimSpace(line) == "" {
			continue
		}
		if depth < column {
			break
		}
		last = n
	}
	if start, _, ok := t.line(last + 1); ok {
		return start
	}
	return len(t.data)
}

func lastLine(n *yaml.Node) int {
	line := n.Line
	if n.Kind == yaml.AliasNode {
		return line
	}
	for _, c := range n.Content {
		line = max(line, lastLine(c))
	}
	return line
}

package values

import (
	"strings"
	"unicode/utf8"
)

// quick reads the plain part of YAML that nearly every values file keeps to:
// block maps and lists, scalars on one line, literal blocks, flow collections
// of plain words. No two YAML readers differ on it, so that what it reads needs
// no second opinion. Whatever else it meets, mistakes too, it leaves to decode.
type quick struct {
	text   string
	file   string
	limits Limits
	at     int    // start of the line that comes next
	line   uint32 // number of the line being read
	stack  []frame
	slab   []Node
	nodes  int
}

// frame is a collection that is being read.
type frame struct {
	indent int
	node   *Node
	// open is true while a key or a dash waits for its value.
	open         bool
	key          string
	line, column uint32
}

// readQuick is the root of text, or false when text is not plain enough.
func readQuick(text, file string, limits Limits) (*Node, bool) {
	q := &quick{text: text, file: file, limits: limits, stack: make([]frame, 0, 16)}
	root := q.node(Map, 0, 0)
	q.stack = append(q.stack, frame{indent: -1, node: root, open: true})
	content := false
	for {
		line, ok := q.next()
		if !ok {
			break
		}
		body := strings.TrimLeft(line, " ")
		if body == "" || body[0] == '#' {
			if !printable(body) {
				return nil, false
			}
			continue
		}
		if line == "---" && !content {
			content = true
			continue
		}
		content = true
		if !printable(body) || !q.entry(len(line)-len(body), body) {
			return nil, false
		}
	}
	q.closeTo(-1)
	top := root.Get("")
	if top == nil {
		return emptyMap(file), true
	}
	return top, top.Kind == Map
}

// next is the next line without its line feed.
func (q *quick) next() (string, bool) {
	if q.at >= len(q.text) {
		return "", false
	}
	rest := q.text[q.at:]
	end := strings.IndexByte(rest, '\n')
	if end < 0 {
		end = len(rest)
	}
	q.at += end + 1
	q.line++
	return rest[:end], true
}

// printable reports whether s holds only characters that every version of YAML
// takes for plain text: no tab, no control character, no line break of YAML 1.1.
func printable(s string) bool {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == 0x7f {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if ascii {
		return true
	}
	for _, r := range s {
		switch {
		case r == utf8.RuneError, r >= 0x80 && r < 0xa1, r == 0x2028, r == 0x2029, r == 0xfeff, r >= 0xfffe && r <= 0xffff:
			return false
		}
	}
	return true
}

func (q *quick) node(kind Kind, line, column uint32) *Node {
	if len(q.slab) == 0 {
		q.slab = make([]Node, 64)
	}
	n := &q.slab[0]
	q.slab = q.slab[1:]
	n.Kind, n.File, n.Line, n.Column = kind, q.file, line, column
	q.nodes++
	return n
}

func (q *quick) top() *frame { return &q.stack[len(q.stack)-1] }

// closeTo ends every collection that is indented deeper than indent, giving
// null to a key or dash that still waits.
func (q *quick) closeTo(indent int) {
	for q.top().indent > indent {
		q.fill()
		q.stack = q.stack[:len(q.stack)-1]
	}
}

// fill gives null to the key or dash of the innermost collection that waits.
func (q *quick) fill() {
	if top := q.top(); top.open {
		q.put(q.node(Null, top.line, top.column))
	}
}

// put gives v to the key or dash that waits.
func (q *quick) put(v *Node) {
	top := q.top()
	top.open = false
	if top.node.Kind == List {
		top.node.Items = append(top.node.Items, v)
		return
	}
	top.node.add(top.key, v)
}

// push starts a collection as the value of the key or dash that waits.
func (q *quick) push(kind Kind, indent int) {
	top := q.top()
	n := q.node(kind, top.line, top.column)
	q.put(n)
	q.stack = append(q.stack, frame{indent: indent, node: n})
}

// entry reads one line of content.
func (q *quick) entry(indent int, body string) bool {
	q.closeTo(indent)
	dash := body[0] == '-' && (len(body) == 1 || body[1] == ' ')
	kind := Map
	if dash {
		kind = List
	}
	top := q.top()
	switch {
	case top.indent < indent:
		if !top.open || len(q.stack) > q.limits.Depth {
			return false
		}
		if top.node.Kind == List {
			top.line, top.column = q.line, uint32(indent)+1
		}
		q.push(kind, indent)
	case dash && top.node.Kind == Map:
		// A list may stand as deep as the key it belongs to.
		if !top.open {
			return false
		}
		q.push(List, indent)
	case !dash && top.node.Kind == List:
		q.fill()
		q.stack = q.stack[:len(q.stack)-1]
		if top = q.top(); top.indent != indent || top.node.Kind != Map {
			return false
		}
	default:
		q.fill()
	}
	if dash {
		return q.item(indent, body)
	}
	return q.field(indent, body)
}

// item reads "- …"; the innermost collection is its list.
func (q *quick) item(indent int, body string) bool {
	rest := strings.TrimLeft(body[1:], " ")
	column := indent + len(body) - len(rest)
	top := q.top()
	top.open, top.line, top.column = true, q.line, uint32(column)+1
	switch {
	case rest == "":
		top.column = uint32(indent) + 1
		return true
	case rest[0] == '-' && (len(rest) == 1 || rest[1] == ' '):
		if len(q.stack) > q.limits.Depth {
			return false
		}
		q.push(List, column)
		return q.item(column, rest)
	}
	if _, _, ok := cutKey(rest); ok {
		if len(q.stack) > q.limits.Depth {
			return false
		}
		q.push(Map, column)
		return q.field(column, rest)
	}
	return q.value(rest, column)
}

// field reads "key: …"; the innermost collection is its map.
func (q *quick) field(indent int, body string) bool {
	key, rest, ok := cutKey(body)
	if !ok || len(key) > q.limits.KeyLength {
		return false
	}
	top := q.top()
	if top.node.find(key) >= 0 {
		return false
	}
	top.open, top.key, top.line, top.column = true, key, q.line, uint32(indent)+1
	value := strings.TrimLeft(rest, " ")
	if value == "" || value[0] == '#' && len(value) < len(rest) {
		return true
	}
	return q.value(value, indent+len(body)-len(value))
}

// cutKey parts "key: rest". The key has no space in it, or is quoted.
func cutKey(s string) (key, rest string, ok bool) {
	end := 0
	switch c := s[0]; {
	case c == '"' || c == '\'':
		i := strings.IndexByte(s[1:], c)
		if i < 0 || strings.IndexByte(s[1:i+1], '\\') >= 0 {
			return "", "", false
		}
		key, end = s[1:i+1], i+2
	case isWord(c) && c != '-' && c != '.' && c != '/':
		for end < len(s) && isWord(s[end]) {
			end++
		}
		plain := resolvePlain(s[:end])
		if plain.keyless {
			return "", "", false
		}
		key = plain.key
	default:
		return "", "", false
	}
	if end >= len(s) || s[end] != ':' || end > 128 || end+1 < len(s) && s[end+1] != ' ' {
		return "", "", false
	}
	return key, s[end+1:], true
}

// isWord reports whether c may stand anywhere in a plain word.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '_' || c == '-' || c == '.' || c == '/'
}

package values

import "strings"

// value reads what stands after a key or a dash and gives it to it. column
// counts from 0.
func (q *quick) value(s string, column int) bool {
	if q.nodes > q.limits.Leaves {
		return false
	}
	switch s[0] {
	case '|', '>':
		return q.block(s, column)
	case '[', '{':
		return q.flow(s, column)
	}
	v, rest, ok := q.scalar(s, column)
	if !ok || !isEnd(rest) {
		return false
	}
	q.put(v)
	return true
}

// isEnd reports whether nothing but a comment follows on the line.
func isEnd(rest string) bool {
	trimmed := strings.TrimLeft(rest, " ")
	return trimmed == "" || trimmed[0] == '#' && len(trimmed) < len(rest)
}

// scalar reads a plain or quoted scalar; rest is what follows it on the line.
func (q *quick) scalar(s string, column int) (v *Node, rest string, ok bool) {
	switch s[0] {
	case '\'':
		return q.single(s, column)
	case '"':
		return q.double(s, column)
	}
	end, ok := plainEnd(s)
	if !ok {
		return nil, "", false
	}
	v, ok = q.plain(s[:end], column)
	return v, s[end:], ok
}

// plain makes a node of a plain scalar.
func (q *quick) plain(s string, column int) (*Node, bool) {
	r := resolvePlain(s)
	if r.num-r.num != 0 { // infinite, or not a number: Helm refuses them
		return nil, false
	}
	v := q.node(r.kind, q.line, uint32(column)+1)
	v.Num, v.Text = r.num, r.text
	return v, true
}

// plainEnd is where the plain scalar at the start of s ends, without the spaces
// before a comment.
func plainEnd(s string) (int, bool) {
	switch c := s[0]; {
	case isWord(c) && c != '-', c == '+', c == '(', c == '$', c == '=', c == '~', c == '^', c >= 0x80:
	case c == '-' && len(s) > 1 && s[1] != ' ':
	default:
		return 0, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '#':
			if s[i-1] == ' ' {
				return len(strings.TrimRight(s[:i], " ")), true
			}
		case ':':
			if i+1 == len(s) || s[i+1] == ' ' {
				return 0, false
			}
		}
	}
	return len(strings.TrimRight(s, " ")), true
}

// single reads a single-quoted scalar.
func (q *quick) single(s string, column int) (v *Node, rest string, ok bool) {
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			i++
			continue
		}
		v = q.node(String, q.line, uint32(column)+1)
		v.Text = s[1:i]
		if strings.IndexByte(v.Text, '\'') >= 0 {
			v.Text = strings.ReplaceAll(v.Text, "''", "'")
		}
		return v, s[i+1:], true
	}
	return nil, "", false
}

// double reads a double-quoted scalar with the commonest escapes.
func (q *quick) double(s string, column int) (v *Node, rest string, ok bool) {
	escaped := false
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
			if i == len(s) || strings.IndexByte(`\"nt`, s[i]) < 0 {
				return nil, "", false
			}
			escaped = true
		case '"':
			v = q.node(String, q.line, uint32(column)+1)
			v.Text = s[1:i]
			if escaped {
				v.Text = unescape(v.Text)
			}
			return v, s[i+1:], true
		}
	}
	return nil, "", false
}

func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// block reads the lines of a "|" or ">" block, with or without "-". Of folded
// ones only those whose lines simply follow each other.
func (q *quick) block(header string, column int) bool {
	keep, rest := "\n", header[1:]
	if strings.HasPrefix(rest, "-") {
		keep, rest = "", rest[1:]
	}
	if !isEnd(rest) {
		return false
	}
	v := q.node(String, q.line, uint32(column)+1)
	lines, ok := q.blockLines()
	if !ok || len(lines) == 0 || q.at > len(q.text) {
		return false // empty, or ends without a line feed
	}
	between := "\n"
	if header[0] == '>' {
		between = " "
		for len(lines) > 1 && lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		for _, line := range lines {
			if line == "" || line[0] == ' ' || line[len(line)-1] == ' ' {
				return false
			}
		}
	}
	v.Text = strings.TrimRight(strings.Join(lines, between), "\n") + keep
	q.put(v)
	return true
}

// blockLines are the lines of a block, without their indentation.
func (q *quick) blockLines() (lines []string, ok bool) {
	outer, indent := q.top().indent, -1
	for q.at < len(q.text) {
		at, number := q.at, q.line
		line, _ := q.next()
		body := strings.TrimLeft(line, " ")
		if body == "" && line != "" || !printable(body) {
			return nil, false // spaces alone on a line: left to decode
		}
		if body != "" && indent < 0 {
			indent = len(line) - len(body)
		}
		if body != "" && (indent <= outer || len(line)-len(body) < indent) {
			q.at, q.line = at, number
			break
		}
		if indent < 0 {
			return nil, false // begins with an empty line
		}
		if line != "" {
			line = line[indent:]
		}
		lines = append(lines, line)
	}
	return lines, true
}

// flow reads "[a, b]" and "{a: b, c: d}" of words and quoted scalars.
func (q *quick) flow(s string, column int) bool {
	kind, end := List, byte(']')
	if s[0] == '{' {
		kind, end = Map, '}'
	}
	top := q.top()
	line, col := top.line, top.column
	if top.node.Kind == List {
		line, col = q.line, uint32(column)+1
	}
	n := q.node(kind, line, col)
	rest := strings.TrimLeft(s[1:], " ")
	for first := true; rest == "" || rest[0] != end; first = false {
		if !first {
			after, ok := strings.CutPrefix(rest, ",")
			if !ok || !strings.HasPrefix(after, " ") {
				return false
			}
			rest = strings.TrimLeft(after, " ")
		}
		var ok bool
		if rest, ok = q.flowEntry(n, rest, column+len(s)-len(rest)); !ok {
			return false
		}
		rest = strings.TrimLeft(rest, " ")
	}
	if !isEnd(rest[1:]) {
		return false
	}
	q.put(n)
	return true
}

// flowEntry reads one item or field into n.
func (q *quick) flowEntry(n *Node, s string, column int) (rest string, ok bool) {
	if s == "" {
		return "", false
	}
	key := ""
	keyColumn := column
	if n.Kind == Map {
		k, after, ok := cutKey(s)
		if !ok || len(k) > q.limits.KeyLength || n.find(k) >= 0 {
			return "", false
		}
		value := strings.TrimLeft(after, " ")
		if value == "" {
			return "", false
		}
		key, column, s = k, keyColumn+len(s)-len(value), value
	}
	var v *Node
	if s[0] == '"' || s[0] == '\'' {
		v, rest, ok = q.scalar(s, column)
	} else {
		end := 0
		for end < len(s) && isWord(s[end]) {
			end++
		}
		if end == 0 || s[0] == '-' && (end == 1 || !isWord(s[1])) {
			return "", false
		}
		v, ok = q.plain(s[:end], column)
		rest = s[end:]
	}
	if !ok || q.nodes > q.limits.Leaves {
		return "", false
	}
	if n.Kind == Map {
		n.add(key, v)
	} else {
		n.Items = append(n.Items, v)
	}
	return rest, true
}

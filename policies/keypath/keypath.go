// Package keypath names places in merged values, and globs over them.
//
// A path is a list of segments: a field's name, "[name=X]" for the item of a
// list whose field name is X, "[3]" for the item at an index. As text the
// segments are joined by dots: mattermostEnv[name=MM_X].value. A field whose
// name holds a dot, a bracket, a quote or a star is written ["like.this"].
package keypath

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Item is the segment of a list's item that is told apart by a field.
func Item(key, value string) string { return "[" + key + "=" + value + "]" }

// Index is the segment of a list's item that is told apart by its place.
func Index(i int) string { return "[" + strconv.Itoa(i) + "]" }

// Field is the segment of a map's field.
func Field(name string) string {
	if name == "" || strings.ContainsAny(name, `.[]"*`) {
		return "[" + strconv.Quote(name) + "]"
	}
	return name
}

// Format is a path as text.
func Format(segments []string) string {
	var b strings.Builder
	for i, s := range segments {
		if i > 0 && s[0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(s)
	}
	return b.String()
}

// Glob is a pattern of paths: "*" is one segment or a part of one, "**" any
// number of segments, also none, "[*]" any item of a list.
type Glob struct {
	text     string
	segments []string
}

// maxGlob bounds a glob's text and maxDeep the number of its "**", each of
// which multiplies the work of a match.
const (
	maxGlob = 1024
	maxDeep = 4
)

// Parse reads a glob.
func Parse(text string) (Glob, error) {
	if len(text) > maxGlob {
		return Glob{}, fmt.Errorf("expected a key path of at most %d bytes, found %d", maxGlob, len(text))
	}
	g := Glob{text: text}
	rest, deep := text, 0
	for rest != "" || len(g.segments) == 0 {
		segment, after, err := next(rest)
		if err != nil {
			return Glob{}, fmt.Errorf("read key path %q: %w", text, err)
		}
		if segment == "**" {
			deep++
		}
		g.segments = append(g.segments, segment)
		rest = after
	}
	if deep > maxDeep {
		return Glob{}, fmt.Errorf("read key path %q: expected at most %d \"**\", found %d", text, maxDeep, deep)
	}
	return g, nil
}

// Exact are the segments of a glob that names one path, and reports whether it
// does: it has no star.
func (g Glob) Exact() (segments []string, ok bool) {
	for _, s := range g.segments {
		if strings.Contains(s, "*") && !strings.HasPrefix(s, `["`) {
			return nil, false
		}
	}
	return append([]string(nil), g.segments...), true
}

// String is the glob as it was written.
func (g Glob) String() string { return g.text }

// Fields are the names of the fields that lead to the one place in maps that g
// names; ok is false when it has stars or an item of a list.
func (g Glob) Fields() (names []string, ok bool) {
	for _, s := range g.segments {
		if quoted, found := strings.CutPrefix(s, `["`); found {
			name, err := strconv.Unquote(`"` + strings.TrimSuffix(quoted, "]"))
			if err != nil {
				return nil, false
			}
			names = append(names, name)
			continue
		}
		if s[0] == '[' || strings.Contains(s, "*") {
			return nil, false
		}
		names = append(names, s)
	}
	return names, true
}

// next parts the first segment of a path from the rest.
func next(s string) (segment, rest string, err error) {
	if s == "" {
		return "", "", errors.New(`expected a name, found nothing; write a key path such as "ingress.host"`)
	}
	if s[0] == '[' {
		segment, rest, err = bracket(s)
	} else {
		end := strings.IndexAny(s, ".[")
		if end < 0 {
			end = len(s)
		}
		segment, rest = s[:end], s[end:]
		if segment == "" {
			return "", "", errors.New(`expected a name between two dots, found none`)
		}
		if strings.ContainsAny(segment, `]"`) {
			return "", "", fmt.Errorf("expected a name, found %q; write [\"…\"] around a name with such characters", segment)
		}
	}
	if err != nil {
		return "", "", err
	}
	if strings.HasPrefix(rest, ".") {
		if rest = rest[1:]; rest == "" {
			return "", "", errors.New("expected a name after the last dot, found none")
		}
	}
	return segment, rest, nil
}

// bracket reads "[…]": an item, or a quoted name.
func bracket(s string) (segment, rest string, err error) {
	if strings.HasPrefix(s, `["`) {
		quoted, err := strconv.QuotedPrefix(s[1:])
		if err != nil || !strings.HasPrefix(s[1+len(quoted):], "]") {
			return "", "", fmt.Errorf(`expected ["name"], found %q`, s)
		}
		name, err := strconv.Unquote(quoted)
		if err != nil {
			return "", "", fmt.Errorf(`expected ["name"], found %q`, s)
		}
		return Field(name), s[len(quoted)+2:], nil
	}
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return "", "", errors.New(`expected a "]" that closes "[", found none`)
	}
	inner := s[1:end]
	key, _, keyed := strings.Cut(inner, "=")
	_, notNumber := strconv.ParseUint(inner, 10, 31)
	if inner != "*" && notNumber != nil && (!keyed || key == "") {
		return "", "", fmt.Errorf("expected [key=value], [*] or an index, found [%s]", inner)
	}
	return s[:end+1], s[end+1:], nil
}

// Match reports whether the glob names the path.
func (g Glob) Match(path []string) bool { return match(g.segments, path) }

// MatchBelow reports whether the glob names the path or one above it.
func (g Glob) MatchBelow(path []string) bool {
	for n := 1; n <= len(path); n++ {
		if match(g.segments, path[:n]) {
			return true
		}
	}
	return false
}

func match(glob, path []string) bool {
	for i, g := range glob {
		if g == "**" {
			for n := 0; n <= len(path)-i; n++ {
				if match(glob[i+1:], path[i+n:]) {
					return true
				}
			}
			return false
		}
		if i >= len(path) || !matchSegment(g, path[i]) {
			return false
		}
	}
	return len(glob) == len(path)
}

func matchSegment(glob, segment string) bool {
	switch {
	case glob == segment:
		return true
	case strings.HasPrefix(glob, `["`):
		return false // a quoted name has no stars
	case glob == "[*]":
		return segment[0] == '[' && !strings.HasPrefix(segment, `["`)
	case glob == "*":
		return segment[0] != '[' || strings.HasPrefix(segment, `["`)
	case !strings.Contains(glob, "*") || (glob[0] == '[') != (segment[0] == '['):
		return false
	}
	return matchStars(strings.Split(glob, "*"), segment)
}

// matchStars matches the texts between stars from left to right.
func matchStars(texts []string, s string) bool {
	first, last := texts[0], texts[len(texts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, t := range texts[1 : len(texts)-1] {
		at := strings.Index(s, t)
		if at < 0 {
			return false
		}
		s = s[at+len(t):]
	}
	return true
}

// Leads reports whether the glob may name a path below this one.
func (g Glob) Leads(path []string) bool {
	for i, s := range path {
		if i >= len(g.segments) {
			return false
		}
		if g.segments[i] == "**" {
			return true
		}
		if !matchSegment(g.segments[i], s) {
			return false
		}
	}
	return len(path) < len(g.segments)
}

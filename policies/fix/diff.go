package fix

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/secrets"
	"github.com/syncgate/syncgate/policies/values"
)

// contextLines are the unchanged lines around a change. Fewer are shown where
// they hold a secret; one at least must be there for a diff that applies.
const contextLines = 3

// redacted stands for the text of a secret.
const redacted = "<redacted>"

// differ writes diffs without what is secret in them.
type differ struct {
	limits   values.Limits
	detector *secrets.Detector
}

// diff is what makes a file another one, as a unified diff. whole is false when
// a line next to a change holds a secret and is redacted: no tool can apply the
// diff then.
func (d differ) diff(name string, before, after []byte) (text string, whole bool, err error) {
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.ContainsAny(name, `"\`) {
		return "", false, errors.New("the name of " + fmt.Sprintf("%q", name) + " cannot stand in a diff")
	}
	end := ""
	if strings.Contains(name, " ") {
		end = "\t" // as git does: the name would end at the blank
	}
	old, err := d.secretsOf(before)
	if err != nil {
		return "", false, err
	}
	renewed, err := d.secretsOf(after)
	if err != nil {
		return "", false, err
	}
	edits := udiff.Lines(string(before), string(after))
	for context := contextLines; context >= 1; context-- {
		text, err = udiff.ToUnified("a/"+name+end, "b/"+name+end, string(before), edits, context)
		if err != nil {
			return "", false, fmt.Errorf("write diff of %s: %w", name, err)
		}
		shown, clean := d.redact(text, old, renewed)
		if clean {
			return text, true, nil
		}
		text = shown
	}
	return text, false, nil
}

// lineSecrets says where the lines of a file hold secrets.
type lineSecrets struct {
	from   map[int]int  // the byte of a line from which on it is secret
	parsed map[int]bool // lines on which a value begins: their secrets are known
}

// secretsOf finds the secrets of a file by its keys and values.
func (d differ) secretsOf(data []byte) (lineSecrets, error) {
	docs, err := values.Documents(data, "", d.limits)
	if err != nil {
		return lineSecrets{}, fmt.Errorf("find secrets in the file: %w", err)
	}
	s := lineSecrets{map[int]int{}, map[int]bool{}}
	var hidden []*values.Node
	var walk func(n *values.Node)
	walk = func(n *values.Node) {
		s.parsed[int(n.Line)] = true
		if kind := n.Get("kind"); kind != nil && kind.Text == "Secret" {
			hidden = append(hidden, rules.Hidden(n.AsSecret())...)
		}
		for _, f := range n.Fields {
			walk(f.Value)
		}
		for _, item := range n.Items {
			walk(item)
		}
	}
	for _, doc := range docs {
		walk(doc)
		hidden = append(hidden, rules.Hidden(doc)...)
	}
	used := slices.Sorted(maps.Keys(s.parsed))
	lines := strings.Split(string(data), "\n")
	for _, n := range hidden {
		line := int(n.Line)
		if line < 1 || line > len(lines) {
			continue
		}
		from := columnByte(lines[line-1], int(n.Column))
		if had, there := s.from[line]; !there || from < had {
			s.from[line] = from
		}
		// Up to the next value: the secret may have several lines.
		last := len(lines)
		if next, _ := slices.BinarySearch(used, line+1); next < len(used) {
			last = used[next] - 1
		}
		for l := line + 1; l <= last; l++ {
			s.from[l] = 0
		}
	}
	return s, nil
}

// columnByte is the byte of a line at which a column begins.
func columnByte(line string, column int) int {
	s := strings.TrimPrefix(line, bom)
	at := len(line) - len(s)
	for i := range s {
		if column--; column == 0 {
			return at + i
		}
	}
	return len(line)
}

var (
	hunkHead = regexp.MustCompile(`^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@`)
	keyed    = regexp.MustCompile(`([A-Za-z0-9_.-]+)["']?\s*[:=]\s*`)
)

// redact takes out what is secret in the lines of a diff, and reports whether
// there was nothing.
func (d differ) redact(diff string, before, after lineSecrets) (string, bool) {
	lines := strings.SplitAfter(diff, "\n")
	clean, old, renewed := true, 0, 0
	for i, line := range lines {
		if m := hunkHead.FindStringSubmatch(line); m != nil {
			old, renewed = number(m[1]), number(m[2])
			continue
		}
		if i < 2 || line == "" || line[0] == '\\' {
			continue
		}
		body := strings.TrimRight(line[1:], "\r\n")
		var shown string
		if line[0] == '+' {
			shown = d.line(body, renewed, after)
		} else {
			shown = d.line(body, old, before)
			old++
		}
		if line[0] != '-' {
			renewed++
		}
		if shown != body {
			clean = false
			lines[i] = line[:1] + shown + line[1+len(body):]
		}
	}
	return strings.Join(lines, ""), clean
}

// number reads the digits that an expression found.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// line is a line of a file as it may be shown. Where no value begins, in a
// comment or a block of lines, the text alone says what is secret.
func (d differ) line(s string, number int, in lineSecrets) string {
	if strings.TrimSpace(s) == "" {
		return s
	}
	if from, ok := in.from[number]; ok {
		return s[:min(from, len(s))] + redacted
	}
	text := s
	if in.parsed[number] {
		_, text, _ = strings.Cut(s, " #")
	}
	lead := s[:len(s)-len(text)]
	if d.secret(text) {
		return lead + redacted
	}
	for _, m := range keyed.FindAllStringSubmatchIndex(text, -1) {
		if value := text[m[1]:]; value != "" && rules.Shown(text[m[2]:m[3]], value) != value {
			return lead + text[:m[1]] + redacted
		}
	}
	return s
}

// secret reports whether a text is a secret by its form.
func (d differ) secret(s string) bool {
	return rules.Shown("", s) != s || d.detector.Detect(s) != ""
}

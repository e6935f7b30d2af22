package values

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
)

// maxDocuments is how many YAML documents one file may have.
const maxDocuments = 1000

// Documents reads a file of YAML documents, as kubectl does: parted by lines
// that begin with "---". Documents without content are left out.
func Documents(data []byte, file string, limits Limits) ([]*Node, error) {
	var docs []*Node
	limits = limits.WithDefaults()
	err := eachDocument(data, file, limits, func(data []byte, part Part) error {
		n, err := ParsePart(data, part, limits)
		if err == nil && len(n.Fields) > 0 {
			docs = append(docs, n)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return docs, nil
}

// eachDocument calls read with every document of a file, and where it stands.
func eachDocument(data []byte, file string, limits Limits, read func([]byte, Part) error) error {
	if int64(len(data)) > limits.FileSize {
		return limitError(finding.Position{File: file}, "", "fileSize", int(limits.FileSize), fmt.Sprintf("the file has %d bytes", len(data)))
	}
	line, count := uint32(0), 0
	for len(data) > 0 {
		if count >= maxDocuments {
			return limitError(finding.Position{File: file}, "", "documents", maxDocuments, "the file has more YAML documents")
		}
		end := DocumentEnd(data)
		if err := read(data[:end], Part{File: file, Line: line}); err != nil {
			return err
		}
		count++
		line += uint32(bytes.Count(data[:end], []byte("\n")))
		data = data[end:]
	}
	return nil
}

// DocumentEnd is where the first document of data ends: before the next line
// that begins with "---", which is the first of the document after it.
func DocumentEnd(data []byte) int {
	for at := 0; ; {
		next := bytes.IndexByte(data[at:], '\n')
		if next < 0 {
			return len(data)
		}
		at += next + 1
		rest := data[at:]
		if bytes.HasPrefix(rest, []byte("---")) && (len(rest) == 3 || bytes.IndexByte([]byte(" \t\r\n"), rest[3]) >= 0) {
			return at
		}
	}
}

// Part says where a text that is parsed by itself stands in a file.
type Part struct {
	File string
	// Line and Column are how many lines and columns come before its own.
	Line, Column uint32
	// Fixed is a place that everything in the text gets, for a text whose lines
	// are not those of the file.
	Fixed *finding.Position
}

// ParsePart is Parse for a part of a file: places are those of the file.
func ParsePart(data []byte, part Part, limits Limits) (*Node, error) {
	n, err := Parse(data, part.File, limits)
	if err != nil {
		return nil, part.correct(err)
	}
	if part.Line > 0 || part.Column > 0 || part.Fixed != nil {
		n.move(part)
	}
	return n, nil
}

// correct puts the place that an error names to where it is in the file.
func (p Part) correct(err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Position = p.position(e.Position)
	}
	return err
}

func (p Part) position(at finding.Position) finding.Position {
	switch {
	case p.Fixed != nil:
		return *p.Fixed
	case at.Line > 0:
		at.Line += int(p.Line)
		if at.Column > 0 {
			at.Column += int(p.Column)
		}
	}
	return at
}

// move puts n, which is nobody else's yet, and all below it to its place.
func (n *Node) move(part Part) {
	at := part.position(n.Position())
	n.File, n.Line, n.Column = at.File, uint32(at.Line), uint32(at.Column)
	for i := range n.Fields {
		n.Fields[i].Value.move(part)
	}
	for _, item := range n.Items {
		item.move(part)
	}
}

// Block says where the text of a string stands in the file it was read from.
// The lines of a literal block ("|") are lines of the file; any other string is
// all at the place of its scalar.
func Block(n *Node, source []byte) Part {
	at := n.Position()
	fixed := Part{File: n.File, Fixed: &at}
	if n.Line == 0 {
		return fixed
	}
	lines := strings.Split(string(source), "\n")
	// The scalar is where its "|" is, or where its key is.
	for opener := int(n.Line); opener <= int(n.Line)+1 && opener < len(lines); opener++ {
		if !opensBlock(lines[opener-1]) {
			continue
		}
		if indent, ok := blockIndent(lines[opener:], n.Text); ok {
			return Part{File: n.File, Line: uint32(opener), Column: uint32(indent)}
		}
	}
	return fixed
}

// opensBlock reports whether a literal block may begin after the line.
func opensBlock(line string) bool {
	line, _, _ = strings.Cut(line, " #")
	line = strings.TrimRight(line, " \r")
	i := strings.LastIndexByte(line, '|')
	return i >= 0 && len(line)-i <= 3 && strings.Trim(line[i+1:], "+-123456789") == ""
}

// blockIndent is by how much lines are indented beyond those of text, false
// when they are others.
func blockIndent(lines []string, text string) (int, bool) {
	want := strings.Split(strings.TrimRight(text, "\n"), "\n")
	indent := -1
	for i, w := range want {
		if i >= len(lines) {
			return 0, false
		}
		have := strings.TrimSuffix(lines[i], "\r")
		if w == "" {
			if strings.Trim(have, " ") != "" {
				return 0, false
			}
			continue
		}
		if indent < 0 {
			indent = len(have) - len(w)
		}
		if indent < 0 || len(have) < indent || strings.Trim(have[:indent], " ") != "" || have[indent:] != w {
			return 0, false
		}
	}
	return max(indent, 0), indent >= 0
}

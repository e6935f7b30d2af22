package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// clean makes s safe to print in one line of a terminal or a log: everything
// that is not printable (control characters, line breaks, marks that reorder
// or hide text, bytes that are no UTF-8) is written as a Go escape.
func clean(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return cleanSlow(s)
		}
	}
	return s
}

func cleanSlow(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		i += n
	}
	return b.String()
}

// cleanLines is clean for text that may have several lines: the breaks between
// them stay, empty lines go, and at most limit lines are kept.
func cleanLines(s string, limit int) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(s, "\t", "    "), "\n") {
		line = strings.TrimRight(line, " \r")
		if line == "" {
			continue
		}
		if len(lines) == limit {
			return append(lines, "…")
		}
		lines = append(lines, shorten(clean(line), maxText))
	}
	return lines
}

// cells is the number of terminal columns that a clean string takes.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	switch {
	case r < utf8.RuneSelf:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	if kind := width.LookupRune(r).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// shorten cuts a clean string to at most limit columns; "…" stands for the rest.
func shorten(s string, limit int) string {
	if cells(s) <= limit {
		return s
	}
	n := 0
	for i, r := range s {
		if n+runeCells(r) > limit-1 {
			return s[:i] + "…"
		}
		n += runeCells(r)
	}
	return s
}

// shortenFront is shorten, but keeps the end, where a path says the most.
func shortenFront(s string, limit int) string {
	if cells(s) <= limit {
		return s
	}
	n := 0
	for i := len(s); i > 0; {
		r, size := utf8.DecodeLastRuneInString(s[:i])
		if n+runeCells(r) > limit-1 {
			return "…" + s[i:]
		}
		n += runeCells(r)
		i -= size
	}
	return s
}

// pad fills a clean string with spaces up to n columns.
func pad(s string, n int) string {
	if d := n - cells(s); d > 0 {
		return s + strings.Repeat(" ", d)
	}
	return s
}

// wrap breaks a clean string at spaces into lines of at most limit columns; a
// word that is longer is broken where the line ends.
func wrap(s string, limit int) []string {
	var lines []string
	line, used := "", 0
	flush := func() {
		lines = append(lines, line)
		line, used = "", 0
	}
	for _, word := range strings.Fields(s) {
		n := cells(word)
		if used > 0 && used+1+n > limit {
			flush()
		}
		for n > limit {
			head := cut(word, limit)
			line = head
			flush()
			word = word[len(head):]
			n = cells(word)
		}
		if used > 0 {
			line += " "
			used++
		}
		line += word
		used += n
	}
	if used > 0 || len(lines) == 0 {
		flush()
	}
	return lines
}

// cut is the longest prefix of s of at most limit columns, and at least one rune.
func cut(s string, limit int) string {
	n := 0
	for i, r := range s {
		if i > 0 && n+runeCells(r) > limit {
			return s[:i]
		}
		n += runeCells(r)
	}
	return s
}

// list joins clean names, at most limit columns wide: "eu, us and 997 more". One
// name at least is there, cut if need be.
func list(names []string, limit int) string {
	if len(names) == 0 {
		return ""
	}
	whole := strings.Join(names, ", ")
	if len(names) <= 12 && cells(whole) <= limit {
		return whole
	}
	for n := min(len(names)-1, 8); n > 0; n-- {
		s := fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
		if cells(s) <= limit {
			return s
		}
	}
	if len(names) == 1 {
		return shorten(names[0], limit)
	}
	tail := fmt.Sprintf(" and %d more", len(names)-1)
	return shorten(names[0], limit-cells(tail)) + tail
}

// count says n things in words: "1 finding", "2 findings".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

package revert

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What reaches a pull request may come from a log, a cluster or a server that
// went mad. All of it is shown in code, where GitHub looks for no mention, no
// reference, no HTML and no Markdown; these functions see to it that nothing
// gets out of there.

// plain keeps what can be seen: no control characters but tabs and newlines,
// no broken UTF-8, nothing that turns the direction of writing.
func plain(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "�"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return '�'
		}
		return r
	}, s)
}

// disarm keeps a text from being taken for a mark of ours, wherever a squashed
// merge may carry it.
func disarm(s string) string {
	s = strings.ReplaceAll(s, "<!-- syncgate:", "<! -- syncgate:")
	s = strings.ReplaceAll(s, revertsTrailer+":", revertsTrailer+" :")
	return strings.ReplaceAll(s, gateTrailer+":", gateTrailer+" :")
}

// oneLine is s on one line, at most n bytes.
func oneLine(s string, n int) string {
	return cut(strings.Join(strings.Fields(plain(s)), " "), n)
}

// cut shortens s to at most n bytes, between characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const mark = "…"
	n = max(0, n-len(mark))
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}

// cutLines shows the lines that fit into n bytes and counts the others.
func cutLines(lines []string, n int) string {
	var b strings.Builder
	for i, l := range lines {
		l = plain(l)
		if b.Len()+len(l)+1 > n {
			if i == 0 {
				b.WriteString(cut(l, max(0, n-60)) + "\n")
				i++
			}
			if i < len(lines) {
				fmt.Fprintf(&b, "… %d more lines are not shown", len(lines)-i)
			}
			break
		}
		b.WriteString(l + "\n")
	}
	return b.String()
}

// fenced is s as a code block whose fence is longer than any in it.
func fenced(s string) string {
	s = strings.TrimRight(disarm(plain(s)), "\n")
	fence := strings.Repeat("`", max(3, longestRun(s)+1))
	return fence + "text\n" + s + "\n" + fence + "\n\n"
}

// code is s as inline code.
func code(s string) string {
	s = disarm(strings.Join(strings.Fields(plain(s)), " "))
	if s == "" {
		s = " "
	}
	ticks := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		return ticks + " " + s + " " + ticks
	}
	return ticks + s + ticks
}

func longestRun(s string) int {
	longest, run := 0, 0
	for _, c := range s {
		if c != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// link is a URL to click if it is one, else code.
func link(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.ContainsAny(s, "<>()[]`\"'\\ \t\r\n@") {
		return code(cut(s, 500))
	}
	return "<" + s + ">"
}

// quiet keeps a mention from being one where there is no code: in titles.
func quiet(s string) string { return strings.ReplaceAll(disarm(s), "@", "@\u200b") }

// bound is the last resort against a body that GitHub would refuse.
func bound(s string) string { return cut(s, maxBody) }

// shell is s as one word of a shell's command line.
func shell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

package docs

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The measures of the picture, in pixels. textLength below makes a monospaced
// font of any width fit.
const (
	cellWidth  = 8.2
	lineHeight = 19
	margin     = 18
	titleBar   = 34
)

var escape = regexp.MustCompile("\x1b\\[([0-9]*)m")

// picture draws what a terminal shows, escapes for colour included, as an SVG
// that needs no script and no font of its own.
func picture(title, text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	columns := 80
	for _, line := range lines {
		columns = max(columns, utf8.RuneCountInString(escape.ReplaceAllString(line, "")))
	}
	width := float64(columns)*cellWidth + 2*margin
	height := titleBar + margin + len(lines)*lineHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(title))
	b.WriteString(`<style>
.t{font:13.5px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d8dee9;white-space:pre}
.c1{font-weight:700;fill:#fff}.c2{fill:#8b949e}.c31{fill:#ff7b72}.c32{fill:#7ee787}.c33{fill:#e3b341}.p{fill:#79c0ff}
</style>
`)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%d" rx="9" fill="#0d1117"/>`+"\n", width, height)
	for i, color := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="17" r="5.5" fill="%s"/>`+"\n", 20+i*19, color)
	}
	for i, line := range lines {
		y := titleBar + margin/2 + i*lineHeight + 8
		writeSpans(&b, line, y)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// writeSpans writes one line of the terminal, a span for each colour.
func writeSpans(b *strings.Builder, line string, y int) {
	class, column := "", 0
	span := func(s string) {
		if n := utf8.RuneCountInString(s); n > 0 {
			if strings.TrimSpace(s) != "" {
				fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%d" textLength="%.1f" xml:space="preserve">%s</text>`+"\n",
					strings.TrimSpace("t "+class), margin+float64(column)*cellWidth, y, float64(n)*cellWidth, html.EscapeString(s))
			}
			column += n
		}
	}
	if rest, ok := strings.CutPrefix(line, "$ "); ok {
		class = "p"
		span("$ ")
		class, line = "c1", rest
	}
	for {
		at := escape.FindStringSubmatchIndex(line)
		if at == nil {
			span(line)
			return
		}
		span(line[:at[0]])
		class = ""
		if code := line[at[2]:at[3]]; code != "" && code != "0" {
			class = "c" + code
		}
		line = line[at[1]:]
	}
}

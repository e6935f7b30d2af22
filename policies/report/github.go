package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
)

// writeGitHub writes workflow commands, which a runner of GitHub Actions shows
// as annotations on the lines of a pull request.
func writeGitHub(w io.Writer, r Report) error {
	b := bufio.NewWriter(w)
	for _, p := range r.Problems {
		command(b, p.Position, "syncgate: could not tell", message(p))
	}
	for _, g := range r.Gates {
		for _, p := range g.Problems {
			pos := p.Position
			if pos.File == "" {
				pos.File = g.File
			}
			command(b, pos, clean("syncgate "+gateName(g)+": could not tell"), message(p))
		}
		for _, f := range g.Findings {
			command(b, Primary(f), clean("syncgate "+gateName(g)+": "+subject(f)), strings.Join(Details(f), "\n"))
		}
	}
	for _, g := range r.Gates {
		for _, line := range aside(g) {
			fmt.Fprintf(b, "syncgate %s: %s\n", clean(gateName(g)), line)
		}
	}
	fmt.Fprintf(b, "syncgate: %s\n", summary(r))
	return b.Flush()
}

// message is a problem's text without its place, which is a property.
func message(p Problem) string {
	return strings.Join(cleanLines(p.Message, maxLines), "\n")
}

// command writes one error annotation. What stands in it is escaped, so that
// no value can begin a command of its own.
func command(w io.Writer, pos finding.Position, title, message string) {
	props := make([]string, 0, 4)
	if pos.File != "" {
		props = append(props, "file="+escapeProperty(clean(pos.File)))
	}
	if pos.Line > 0 {
		props = append(props, "line="+strconv.Itoa(pos.Line))
		if pos.Column > 0 {
			props = append(props, "col="+strconv.Itoa(pos.Column))
		}
	}
	props = append(props, "title="+escapeProperty(title))
	fmt.Fprintf(w, "::error %s::%s\n", strings.Join(props, ","), escapeData(message))
}

// escapeData and escapeProperty follow the runner's own unescaping, in
// actions/toolkit packages/core/src/command.ts.
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

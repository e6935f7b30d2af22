package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
)

// MaxMarkdown is the most bytes of what is written as Markdown: GitHub takes
// no longer summary of a check run.
const MaxMarkdown = 65_535

// maxColumnsMarkdown is how many clusters have a column of their own.
const maxColumnsMarkdown = 6

// writeMarkdown writes what a pull request, a job's summary or an issue shows.
func writeMarkdown(w io.Writer, r Report) error {
	_, err := io.WriteString(w, Markdown(r, MaxMarkdown))
	return err
}

// Markdown is r in GitHub's Markdown, at most most bytes of it: what does not
// fit is counted at the end. Nothing in a value is taken for markup.
func Markdown(r Report, most int) string {
	d := &page{most: most}
	d.block(fmt.Sprintf("### %s %s\n", emblem(r.Verdict()), summary(r)))
	for _, p := range r.Problems {
		d.block("- could not tell: " + Literal(strings.Join(problemLines(p), " ")) + "\n")
	}
	for _, g := range r.Gates {
		d.gate(g)
	}
	return d.text("findings")
}

// MatrixMarkdown is m in GitHub's Markdown, at most most bytes of it.
func MatrixMarkdown(m Matrix, most int) string {
	d := &page{most: most}
	for _, p := range m.Problems {
		d.block("- could not tell: " + Literal(strings.Join(problemLines(p), " ")) + "\n")
	}
	for _, g := range m.Gates {
		name := g.Name
		if name == "" {
			name = g.File
		}
		d.block("#### " + Literal(name) + ": " + g.title() + "\n")
		for _, p := range g.Problems {
			d.block("- could not tell: " + Literal(strings.Join(problemLines(p), " ")) + "\n")
		}
		d.matrix(g)
	}
	return d.text("differences")
}

func emblem(v Verdict) string {
	switch v {
	case Holds:
		return "✅"
	case Finds:
		return "❌"
	case Unknown:
	}
	return "❔"
}

// page gathers blocks of Markdown while they fit.
type page struct {
	b    strings.Builder
	most int
	left int // blocks that did not fit
}

// tailRoom is left for the line that counts what did not fit.
const tailRoom = 120

// block adds a whole block, or counts it.
func (d *page) block(s string) bool {
	if d.left > 0 || d.b.Len()+len(s) > d.most-tailRoom {
		d.left++
		return false
	}
	d.b.WriteString(s)
	return true
}

func (d *page) text(what string) string {
	if d.left > 0 {
		fmt.Fprintf(&d.b, "\n… and %d more lines or %s that do not fit into %d bytes.\n", d.left, what, d.most)
	}
	return d.b.String()
}

func (d *page) gate(g Gate) {
	d.block(fmt.Sprintf("\n#### %s %s\n\n", emblem(g.Verdict()), Literal(gateName(g))))
	for _, p := range g.Problems {
		d.block("- could not tell: " + Literal(strings.Join(problemLines(p), " ")) + "\n")
	}
	for _, f := range g.Findings {
		d.finding(f)
	}
	if lines := aside(g); len(lines) > 0 {
		var b strings.Builder
		b.WriteString("\n<details><summary>waived, or not asked</summary>\n\n")
		for _, line := range lines {
			b.WriteString("- " + Literal(line) + "\n")
		}
		b.WriteString("\n</details>\n")
		d.block(b.String())
	}
}

// finding writes one finding: what does not hold, who holds what, and the fix.
func (d *page) finding(f finding.Finding) {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n\n%s\n\n", Literal(subject(f)), Literal(shorten(clean(f.Message), maxText)))
	shown, left := groups(f)
	if len(shown) > 0 {
		b.WriteString("| clusters | value | where |\n|---|---|---|\n")
		for _, g := range shown {
			odd := ""
			if g.odd {
				odd = " ⬅ odd one out"
			}
			fmt.Fprintf(&b, "| %s | %s%s | %s |\n", Literal(list(g.clusters, maxValue)), code(shorten(g.value, maxValue)), odd, code(g.where))
		}
		if len(left) > 0 {
			fmt.Fprintf(&b, "\n%s\n", Literal(rest(left)))
		}
		b.WriteString("\n")
	}
	if f.Fix != "" {
		fmt.Fprintf(&b, "Fix: %s\n\n", Literal(shorten(clean(f.Fix), maxText)))
	}
	if f.Diff != "" {
		b.WriteString(fencedDiff(f.Diff))
	}
	d.block(b.String())
}

// matrix writes a row a path; with few clusters a column each.
func (d *page) matrix(g MatrixGate) {
	if len(g.Rows) == 0 {
		return
	}
	wide := len(g.Clusters) <= maxColumnsMarkdown
	head := "\n| | path |"
	rule := "|---|---|"
	if wide {
		for _, c := range g.Clusters {
			head += " " + Literal(clean(c)) + " |"
			rule += "---|"
		}
	} else {
		head, rule = head+" values |", rule+"---|"
	}
	if !d.block(head + "\n" + rule + "\n") {
		return
	}
	const most = 60 // columns of a value
	for _, r := range g.Rows {
		line := "| "
		if len(r.Broken) > 0 {
			line += "❌"
		}
		line += " | " + code(clean(r.Path)) + " |"
		if wide {
			held := cellsOf(r)
			for _, c := range g.Clusters {
				line += " " + code(shorten(held[c].value, most)) + " |"
			}
		} else {
			all := valuesOf(r)
			var parts []string
			for i, h := range all {
				if i == maxHoldings {
					parts = append(parts, "and "+count(len(all)-i, "more value"))
					break
				}
				parts = append(parts, code(shorten(h.value, most))+" in "+Literal(list(h.clusters, most)))
			}
			line += " " + strings.Join(parts, "; ") + " |"
		}
		d.block(line + "\n")
	}
	if g.More > 0 {
		d.block(fmt.Sprintf("\nAt least %s.\n", count(g.More, "more difference")))
	}
	d.block("\n")
}

// fencedDiff is a diff as a block of code, whose fence is longer than any in it.
func fencedDiff(diff string) string {
	fence := "```"
	for strings.Contains(diff, fence) {
		fence += "`"
	}
	var b strings.Builder
	b.WriteString(fence + "diff\n")
	for line := range strings.Lines(diff) {
		b.WriteString(clean(strings.TrimRight(line, "\r\n")) + "\n")
	}
	return b.String() + fence + "\n\n"
}

// Literal is clean text in which nothing is markup: HTML, mentions, references
// and emphasis are shown as they are.
func Literal(s string) string {
	var b strings.Builder
	s = clean(s)
	for i, r := range s {
		switch {
		case r == '@' || r == '#':
			b.WriteRune(r)
			b.WriteString("\u2060") // a word joiner: neither mention nor reference
		case strings.ContainsRune("\\`*_{}[]<>()!|~&$", r), r == ':' && i+1 < len(s) && s[i+1] != ' ': // an address, an emoji
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// code is clean text as code, in a cell too: a pipe would end the cell even
// there, and a longer fence than any in the text keeps backquotes.
func code(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ReplaceAll(clean(s), "|", `\|`)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.TrimSpace(s) == "" {
		s = " " + s + " "
	}
	return fence + s + fence
}

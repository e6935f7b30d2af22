package story

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// width is how many columns the story needs at most.
const width = 100

// The colors, as terminals know them.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	reset = "\x1b[0m"
)

// screen is where the story is told. Several goroutines may write to it.
type screen struct {
	mu    sync.Mutex
	w     io.Writer
	color bool
	start time.Time
	steps int
	// commanded is true when the last line was a command.
	commanded bool
	// shorten replaces folders by what stands for them in the commands.
	shorten *strings.Replacer
}

func newScreen(w io.Writer, color bool, shorten *strings.Replacer) *screen {
	return &screen{w: w, color: color, start: time.Now(), shorten: shorten}
}

// step begins the next numbered part of the story.
func (s *screen) step(title string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps++
	head := fmt.Sprintf("%d. %s", s.steps, title)
	at := fmt.Sprintf("%3.0f s", time.Since(s.start).Seconds())
	gap := max(2, width-utf8.RuneCountInString(head)-len(at))
	s.line("")
	s.line(s.paint(bold, head) + strings.Repeat(" ", gap) + s.paint(dim, at))
}

// title is a line that no number leads.
func (s *screen) title(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line("")
	s.line(s.paint(bold, text))
}

// say tells something, wrapped.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range wrap(s.short(fmt.Sprintf(format, args...)), width-3) {
		s.line("   " + line)
	}
}

// item is one line of a list, the first word set apart.
func (s *screen) item(name, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const column = 16
	for i, line := range wrap(s.short(fmt.Sprintf(format, args...)), width-3-column) {
		label := ""
		if i == 0 {
			label = name
		}
		s.line("   " + s.paint(bold, fmt.Sprintf("%-*s", column, label)) + line)
	}
}

// good says that something went as it should.
func (s *screen) good(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, line := range wrap(s.short(fmt.Sprintf(format, args...)), width-5) {
		mark := " "
		if i == 0 {
			mark = "✓"
		}
		s.line("   " + s.paint(green, mark) + " " + line)
	}
}

// command shows a command as it could be typed: words are quoted where a shell
// needs it, and never broken.
func (s *screen) command(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, word := range words {
		words[i] = s.short(word)
	}
	lines := fill(words, width-9)
	if !s.commanded {
		s.line("")
	}
	defer func() { s.commanded = true }()
	for i, line := range lines {
		lead, end := "   $ ", ""
		if i > 0 {
			lead = "       "
		}
		if i < len(lines)-1 {
			end = " \\"
		}
		s.line(s.paint(cyan, lead+line+end))
	}
}

// output is where what a command says goes: set off, and no wider than the
// screen.
func (s *screen) output() *framed { return &framed{screen: s} }

// quote shows text as output would.
func (s *screen) quote(text string) {
	f := s.output()
	_, _ = f.Write([]byte(text))
	f.end()
}

func (s *screen) short(text string) string {
	if s.shorten == nil {
		return text
	}
	return s.shorten.Replace(text)
}

func (s *screen) line(text string) {
	s.commanded = false
	_, _ = fmt.Fprintln(s.w, strings.TrimRight(text, " "))
}

func (s *screen) paint(color, text string) string {
	if !s.color || text == "" {
		return text
	}
	return color + text + reset
}

// framed writes whole lines with a bar before each.
type framed struct {
	screen *screen
	mu     sync.Mutex
	part   []byte
}

// Write takes a part of the output.
func (f *framed) Write(data []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.part = append(f.part, data...)
	for {
		line, rest, ok := bytes.Cut(f.part, []byte("\n"))
		if !ok {
			return len(data), nil
		}
		f.print(string(line))
		f.part = rest
	}
}

// end prints what has no line end.
func (f *framed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.part) > 0 {
		f.print(string(f.part))
	}
	f.part = nil
}

// print prints one line. Long ones go on in the next, below the text of the
// first, as far as that leaves room.
func (f *framed) print(line string) {
	s := f.screen
	s.mu.Lock()
	defer s.mu.Unlock()
	line = s.short(strings.ReplaceAll(line, "\t", "    "))
	for _, part := range hang(line, width-5) {
		s.line("   " + s.paint(dim, "│") + " " + part)
	}
}

// leadForm is what further parts of a long line are set in by: the space it
// begins with, and the time before that.
var leadForm = regexp.MustCompile(`^(\d\d:\d\d:\d\d)? *`)

// hang breaks a line at spaces into parts of at most n columns.
func hang(line string, n int) []string {
	indent := strings.Repeat(" ", min(n/2, len(leadForm.FindString(line))+2))
	var parts []string
	for utf8.RuneCountInString(line) > n {
		runes := []rune(line)
		at := n
		for at > n/2 && runes[at] != ' ' {
			at--
		}
		if runes[at] != ' ' {
			at = n
		}
		parts = append(parts, strings.TrimRight(string(runes[:at]), " "))
		line = indent + strings.TrimLeft(string(runes[at:]), " ")
	}
	return append(parts, line)
}

// wrap breaks text at spaces into lines of at most n columns, where a word
// allows it.
func wrap(text string, n int) []string { return fill(strings.Fields(text), n) }

// fill puts words into lines of at most n columns.
func fill(words []string, n int) []string {
	var lines []string
	line := ""
	for _, word := range words {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > n:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

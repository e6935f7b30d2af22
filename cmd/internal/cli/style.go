package cli

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/syncgate/syncgate/policies/report"
)

// Style is how a table looks on w: colors and narrow lines are for terminals.
// NO_COLOR, set to anything, asks for none (no-color.org).
func Style(w io.Writer) report.Style {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return report.Style{}
	}
	var s report.Style
	s.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.Width = width
	}
	return s
}

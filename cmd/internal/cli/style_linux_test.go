package cli

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/syncgate/syncgate/policies/report"
)

// terminal opens a pseudo-terminal of that many columns.
func terminal(t *testing.T, columns uint16) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("needs pseudo-terminals (/dev/ptmx): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return tty
}

func TestStyle(t *testing.T) {
	tty := terminal(t, 72)
	file, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tests := []struct {
		name, noColor, term string
		got                 func() report.Style
		want                report.Style
	}{
		{"a terminal", "", "xterm", func() report.Style { return Style(tty) }, report.Style{Color: true, Width: 72}},
		{"NO_COLOR", "1", "xterm", func() report.Style { return Style(tty) }, report.Style{Width: 72}},
		{"a dumb terminal", "", "dumb", func() report.Style { return Style(tty) }, report.Style{Width: 72}},
		{"a file", "", "xterm", func() report.Style { return Style(file) }, report.Style{}},
		{"no file at all", "", "xterm", func() report.Style { return Style(new(bytes.Buffer)) }, report.Style{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", tt.noColor)
			t.Setenv("TERM", tt.term)
			if got := tt.got(); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Selection is what the commands that look at Gates have in common: which ones,
// and how the answer is written.
type Selection struct {
	Root, Gate, Output string
	// Workers is how many files are parsed at once; 0 is one for each processor.
	Workers int
}

// Flags adds the flags to f, which name the formats that there are: the first is the
// default.
func (s *Selection) Flags(f *pflag.FlagSet, formats []string) {
	f.StringVarP(&s.Output, "output", "o", formats[0], "one of "+strings.Join(formats, ", "))
	f.StringVar(&s.Gate, "gate", "", "only the Gate of this name")
	f.StringVar(&s.Root, "root", "", "the repository's root (default: the nearest folder above the first PATH with .git, else the current folder)")
	f.IntVar(&s.Workers, "workers", 0, "how many files are parsed at once (default: one for each processor)")
}

// Check refuses what cannot be meant.
func (s *Selection) Check(formats []string) error {
	switch {
	case !slices.Contains(formats, s.Output):
		return Usage(fmt.Errorf("--output: expected one of %s, found %q", strings.Join(formats, ", "), s.Output))
	case s.Workers < 0:
		return Usage(fmt.Errorf("--workers: expected a number from 0, found %d", s.Workers))
	}
	return nil
}

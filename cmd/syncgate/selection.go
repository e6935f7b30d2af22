package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/syncgate/syncgate/cmd/internal/cli"
)

// selection is what the commands that look at Gates have in common: which ones,
// and how the answer is written.
type selection struct {
	root, gate, output string
	workers            int
}

func (s *selection) flags(f *pflag.FlagSet, formats []string) {
	f.StringVarP(&s.output, "output", "o", formats[0], "one of "+strings.Join(formats, ", "))
	f.StringVar(&s.gate, "gate", "", "only the Gate of this name")
	f.StringVar(&s.root, "root", "", "the repository's root (default: the nearest folder above the first PATH with .git, else the current folder)")
	f.IntVar(&s.workers, "workers", 0, "how many files are parsed at once (default: one for each processor)")
}

func (s *selection) check(formats []string) error {
	switch {
	case !slices.Contains(formats, s.output):
		return cli.Usage(fmt.Errorf("--output: expected one of %s, found %q", strings.Join(formats, ", "), s.output))
	case s.workers < 0:
		return cli.Usage(fmt.Errorf("--workers: expected a number from 0, found %d", s.workers))
	}
	return nil
}

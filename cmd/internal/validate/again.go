package validate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/syncgate/syncgate/cmd/internal/cli"
)

// Main is the program syncgate: the last answer of `validate` while nothing that it
// looked at has changed, and else the program that evaluates, which takes the place
// of this one. It returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	code, rest, done := again(args, stdout, stderr)
	if done {
		return code
	}
	err := cli.Become(Program, rest)
	fmt.Fprintf(stderr, "%s: %v\n", frontProgram, err)
	return cli.Unknown
}

// again gives the last answer. Where it does not, for whatever reason, nothing is
// written: rest are the arguments for the program that evaluates, which says what is
// wrong with them. Revisions are left to that program: Git takes longer than its start.
func again(args []string, stdout, stderr io.Writer) (code int, rest []string, done bool) {
	if len(args) == 0 || args[0] != "validate" {
		return 0, args, false
	}
	var opts Options
	var log cli.LogOptions
	f := pflag.NewFlagSet("validate", pflag.ContinueOnError)
	f.Usage = func() {} // help is the other program's
	opts.Flags(f)
	log.Flags(f)
	if f.Parse(args[1:]) != nil || opts.Check() != nil || !opts.Cached() || opts.Asked || opts.Base != "" {
		return 0, args, false
	}
	logger, err := log.Logger(stderr)
	if err != nil {
		return 0, args, false
	}
	repo, paths, err := cli.OpenRepository(opts.Root, f.Args())
	if err != nil {
		return 0, args, false
	}
	defer repo.Close()
	programs, err := Programs(frontProgram)
	if err != nil {
		return 0, args, false
	}
	last, err := OpenAnswers(Question{
		Programs: programs, Root: repo.Name(), Paths: paths, Gate: opts.Gate, Diffs: opts.Diffs(), Now: time.Now(),
	})
	if err != nil {
		return 0, args, false
	}
	// No signal is caught: there is nothing to put in order.
	r, ok := last.Last(context.Background(), repo.FS(), nil)
	if !ok {
		return 0, slices.Insert(slices.Clone(args), 1, "--"+asked), false
	}
	LogAgain(logger, r)
	err = opts.Write(stdout, r)
	var exit cli.ExitError
	switch {
	case errors.As(err, &exit):
		return int(exit), nil, true
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v\n", frontProgram, err)
		return cli.Unknown, nil, true
	}
	return 0, nil, true
}

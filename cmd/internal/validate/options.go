// Package validate is `syncgate validate` as far as no Gate is evaluated: its flags,
// the answers that were kept, and how they are given again. Two programs link it, so
// that the one which is enough while nothing has changed starts fast.
package validate

import (
	"errors"
	"io"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/policies/report"
)

// Options are the flags of "syncgate validate".
type Options struct {
	cli.Selection
	// Base is what passed before: a revision or a folder, "" for none.
	Base string
	// Diff shows diffs in the table; Fix writes them, or prints them with DryRun.
	Diff, Fix, DryRun bool
	// NoCache evaluates anew and keeps nothing.
	NoCache bool
	// Asked is true when the cache was asked before, and had no answer.
	Asked bool
}

// asked is the flag by which one program tells the other what it knows already.
const asked = "cache-asked"

// Flags adds the flags to f.
func (o *Options) Flags(f *pflag.FlagSet) {
	o.Selection.Flags(f, report.Formats())
	f.StringVar(&o.Base, "base", "", "what passed before: a revision of the repository, or, written with a leading ./, ../ or /, a folder that holds what --root holds now")
	f.BoolVar(&o.Diff, "diff", false, "show the diffs that make findings hold in the table, too")
	f.BoolVar(&o.Fix, "fix", false, "write what makes findings hold into the values files, then validate again")
	f.BoolVar(&o.DryRun, "dry-run", false, "with --fix: print what would be written as a diff, and write nothing")
	f.BoolVar(&o.NoCache, "no-cache", false, "evaluate anew even when nothing has changed, and keep no answer")
	f.BoolVar(&o.Asked, asked, false, "evaluate anew, and keep the answer")
	if err := f.MarkHidden(asked); err != nil {
		panic(err) // the name is misspelled
	}
}

// Check refuses what cannot be meant.
func (o *Options) Check() error {
	if err := o.Selection.Check(report.Formats()); err != nil {
		return err
	}
	if o.DryRun && !o.Fix {
		return cli.Usage(errors.New("--dry-run: expected --fix with it"))
	}
	return nil
}

// Cached reports whether the answer may be one that was kept, and is kept.
func (o *Options) Cached() bool { return !o.NoCache && !o.Fix }

// Diffs reports whether the diffs are shown or written: they take as long again as
// the findings.
func (o *Options) Diffs() bool {
	return o.Diff || o.Fix || o.Output == "json" || o.Output == "markdown"
}

// Write writes r as the flags say, and ends the program with the code of its verdict.
func (o *Options) Write(w io.Writer, r report.Report) error {
	r.Style = cli.Style(w)
	r.Style.Diffs = o.Diff
	if err := report.Write(w, o.Output, r); err != nil {
		return err
	}
	return Verdict(r.Verdict())
}

// LogLooked tells that Gates were looked at.
func LogLooked(log *slog.Logger, r report.Report) {
	log.Info("looked at gates", "gates", len(r.Gates), "findings", r.Findings(), "verdict", r.Verdict(), "elapsed", r.Elapsed)
}

// LogAgain tells that r is the last answer.
func LogAgain(log *slog.Logger, r report.Report) {
	log.Debug("nothing that was looked at has changed", "findings", r.Findings())
	LogLooked(log, r)
}

// Verdict ends the program with the code of a verdict.
func Verdict(v report.Verdict) error {
	switch v {
	case report.Holds:
		return nil
	case report.Finds:
		return cli.ExitError(cli.No)
	default:
		return cli.ExitError(cli.Unknown)
	}
}

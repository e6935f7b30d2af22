package review

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/report"
)

// What of a summary, which has forge.MaxSummary bytes, each part gets at most.
const (
	findingsBytes = 36_000
	matrixBytes   = 18_000
	notesBytes    = 8_000
)

// maxMatrix is of how many clusters a matrix is shown: of more it could not be
// read there, and the verdict would have to wait for it.
const maxMatrix = 64

// maxGates is how many Gates of a repository are looked at.
const maxGates = 1_000

// judge makes the report of a subject. An error means that it could not be done
// now; what is wrong with the repository is told in the report.
func (r *Reviewer) judge(ctx context.Context, repo Repository, s subject) (forge.Report, error) {
	out := forge.Report{Head: s.head, Name: CheckName, Status: forge.Completed, ExternalID: s.id}
	head, err := repo.Git.Tree(ctx, s.head)
	if errors.Is(err, gitops.ErrNoRevision) {
		out.Conclusion, out.Title = forge.Cancelled, "The commit is not in the repository any more"
		return out, nil
	}
	if err != nil {
		return out, err
	}
	var base fs.FS
	var changed []string
	if s.base != "" {
		if base, err = repo.Git.Tree(ctx, s.base); err == nil {
			changed, err = repo.Git.Changed(ctx, s.base, s.head)
		}
		if errors.Is(err, gitops.ErrNoRevision) {
			base, err = nil, nil // forced away: then every Gate is looked at, without rules over the change
		}
		if err != nil {
			return out, err
		}
	}
	j := &judgement{reviewer: r, head: head, base: base, baseName: fmt.Sprintf("%.12s", s.base), changed: changed}
	if err := j.look(ctx); err != nil {
		return out, err
	}
	j.write(&out)
	return out, nil
}

// judgement is what is found out about one subject.
type judgement struct {
	reviewer   *Reviewer
	head, base fs.FS
	baseName   string
	changed    []string

	report  report.Report
	matrix  report.Matrix
	gates   int // that were looked at
	notes   []string
	loosens bool
}

func (j *judgement) look(ctx context.Context) error {
	files, err := gate.Find(j.head, ".")
	if err != nil {
		j.report.Problems = append(j.report.Problems, report.Problem{Message: err.Error()})
		return ctx.Err() // it is told, unless it was cut off
	}
	if len(files) > maxGates {
		j.report.Problems = append(j.report.Problems, report.Problem{Message: fmt.Sprintf(
			"limit gates=%d hit: the repository has %d; the others were not looked at", maxGates, len(files))})
		files = files[:maxGates]
	}
	for _, file := range files {
		if err := j.gate(ctx, file); err != nil {
			return err
		}
	}
	return j.removed(ctx, files)
}

// gate judges one Gate, if the change touches it: if it changes a file that was
// read to judge it, at the head or where the change began.
func (j *judgement) gate(ctx context.Context, file string) error {
	opts := j.reviewer.opts
	head := newRecorder(j.head)
	o := report.Options{Paths: []string{file}, Version: opts.Version, Policies: opts.Policies, Diffs: true}
	o.Policies.Now = opts.Now()
	var base *recorder
	if j.base != nil {
		base = newRecorder(j.base)
		o.Base, o.BaseName = base, j.baseName
	}
	found := report.Collect(ctx, head, o)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("judge %s: %w", file, context.Cause(ctx))
	}
	for _, r := range []*recorder{head, base} {
		if r != nil && r.failed() != nil {
			return r.failed() // of Git, and not of what is in it
		}
	}
	j.gates++
	if !j.touched(head, base) {
		return nil
	}
	j.report.Gates = append(j.report.Gates, found.Gates...)
	j.report.Problems = append(j.report.Problems, found.Problems...)
	j.report.Elapsed += found.Elapsed
	if len(found.Gates) == 1 && found.Gates[0].Clusters <= maxMatrix {
		m := report.Differ(ctx, head, report.Options{Paths: []string{file}, Policies: o.Policies})
		j.matrix.Gates = append(j.matrix.Gates, m.Gates...)
	}
	return j.loosened(ctx, file, found)
}

func (j *judgement) touched(head, base *recorder) bool {
	if j.base == nil {
		return true
	}
	return slices.ContainsFunc(j.changed, func(p string) bool { return head.saw(p) || base.saw(p) })
}

// removed notes the Gates that the change takes away.
func (j *judgement) removed(ctx context.Context, files []string) error {
	if j.base == nil {
		return nil
	}
	old, err := gate.Find(j.base, ".")
	if err != nil {
		return nil //nolint:nilerr // what is not readable where it began holds nothing
	}
	for _, file := range old {
		if slices.Contains(files, file) || !slices.Contains(j.changed, file) {
			continue
		}
		j.loosens = true
		name := file
		if g, err := gate.Load(j.base, file); err == nil {
			name = "gate " + g.Metadata.Name + " (" + file + ")"
		}
		j.notes = append(j.notes, name+" is removed, or moved: where it was, nothing is held any more.")
	}
	return ctx.Err()
}

// conclude is what the judgement comes to.
func (j *judgement) conclude() (forge.Conclusion, string) {
	switch n := j.report.Findings(); {
	case len(j.report.Gates) == 0 && len(j.report.Problems) == 0 && j.loosens:
		return forge.Neutral, "Gates are removed; none is left to hold this change"
	case len(j.report.Gates) == 0 && len(j.report.Problems) == 0:
		return forge.Neutral, fmt.Sprintf("No gate reads what this changes (of %d)", j.gates)
	case j.report.Verdict() == report.Unknown:
		return forge.Failure, "Could not tell: " + firstProblem(j.report)
	case n > 0:
		return forge.Failure, headline(j.report, n)
	}
	return forge.Success, "Values agree: " + plural(len(j.report.Gates), "gate")
}

func firstProblem(r report.Report) string {
	problems := r.Problems
	for _, g := range r.Gates {
		problems = append(problems, g.Problems...)
	}
	if len(problems) == 0 {
		return "see below"
	}
	text, _, _ := strings.Cut(problems[0].Message, "\n")
	if at := problems[0].Position.String(); at != "" {
		text = at + ": " + text
	}
	return text
}

func headline(r report.Report, n int) string {
	for _, g := range r.Gates {
		if len(g.Findings) == 0 {
			continue
		}
		about := g.Findings[0].Rule
		if p := g.Findings[0].Path; p != "" {
			about += " " + p
		}
		if n == 1 {
			return fmt.Sprintf("1 finding in gate %s: %s", g.Name, about)
		}
		return fmt.Sprintf("%d findings, the first in gate %s: %s", n, g.Name, about)
	}
	return plural(n, "finding")
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// write fills the report in.
func (j *judgement) write(out *forge.Report) {
	out.Conclusion, out.Title = j.conclude()
	var b strings.Builder
	if len(j.notes) > 0 {
		b.WriteString("> [!WARNING]\n> **This change lets go of what was held.** A person should want that.\n\n")
		for i, note := range j.notes {
			line := "- " + report.Literal(note) + "\n"
			if b.Len()+len(line) > notesBytes {
				fmt.Fprintf(&b, "- … and %d more\n", len(j.notes)-i)
				break
			}
			b.WriteString(line)
		}
		b.WriteByte('\n')
	}
	if len(j.report.Gates)+len(j.report.Problems) > 0 {
		b.WriteString(report.Markdown(j.report, findingsBytes))
	} else {
		b.WriteString("No gate reads a file that this changes, so there is nothing to hold it against.\n")
	}
	if slices.ContainsFunc(j.matrix.Gates, func(g report.MatrixGate) bool { return len(g.Rows) > 0 }) {
		b.WriteString("\n### Where clusters differ\n\n" + report.MatrixMarkdown(j.matrix, matrixBytes))
	}
	b.WriteString("\n### What to do\n\n" + advice(out.Conclusion))
	out.Summary = b.String()
	out.Annotations = annotations(j.report)
}

func advice(c forge.Conclusion) string {
	switch c {
	case forge.Success:
		return "Nothing. What only the clusters can tell (backups, pods, preflight) is asked before the sync.\n"
	case forge.Neutral:
		return "Nothing.\n"
	default:
		return "Correct what is said above; `syncgate validate --base <target branch>` says the same on a laptop, and " +
			"`syncgate validate --fix` writes what has one answer. A push is judged again by itself.\n"
	}
}

// annotations are the findings and problems at their lines.
func annotations(r report.Report) []forge.Annotation {
	var out []forge.Annotation
	for _, g := range r.Gates {
		for _, p := range g.Problems {
			at := p.Position
			if at.File == "" {
				at.File = g.File
			}
			out = append(out, annotation(at.File, at.Line, at.Column, "could not tell", p.Message))
		}
		for _, f := range g.Findings {
			at := report.Primary(f)
			if path.IsAbs(at.File) || at.File == "" {
				at.File, at.Line, at.Column = g.File, 0, 0
			}
			title := f.Rule
			if f.Path != "" {
				title += " " + f.Path
			}
			out = append(out, annotation(at.File, at.Line, at.Column, title, strings.Join(report.Details(f), "\n")))
		}
	}
	return out
}

func annotation(file string, line, column int, title, message string) forge.Annotation {
	return forge.Annotation{
		Path: file, StartLine: line, EndLine: line, StartColumn: column, EndColumn: column,
		Level: forge.LevelFailure, Title: title, Message: message,
	}
}

package review

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
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
	j := &judgement{reviewer: r, head: newRecorder(head), baseName: fmt.Sprintf("%.12s", s.base), named: map[string]string{}}
	if err := j.begin(ctx, repo, s); err != nil {
		return out, err
	}
	if err := j.look(ctx); err != nil {
		return out, err
	}
	j.write(&out)
	return out, nil
}

// begin reads where the change began. Without that no rule over a change can be
// asked, and what the change takes away cannot be seen: it could not be told.
func (j *judgement) begin(ctx context.Context, repo Repository, s subject) error {
	if s.base == "" {
		if s.alone {
			return nil
		}
		j.problem("find where %s began: it has no commit in common with its target; rebase it", s.about)
		return nil
	}
	base, err := repo.Git.Tree(ctx, s.base)
	if err == nil {
		j.changed, err = repo.Git.Changed(ctx, s.base, s.head)
	}
	switch {
	case errors.Is(err, gitops.ErrNoRevision):
		j.problem("read %.12s, where %s began: the repository does not have it any more; push again", s.base, s.about)
		return nil
	case err != nil:
		return err
	}
	j.base = newRecorder(base)
	return nil
}

// judgement is what is found out about one subject.
type judgement struct {
	reviewer *Reviewer
	// base is nil where nothing is known of where the change began.
	head, base *recorder
	baseName   string
	changed    []string
	named      map[string]string // names of Gates to their files

	report  report.Report
	matrix  report.Matrix
	gates   int // that were looked at
	loosens []loosening
}

// loosening is what the change takes out of what was held, and where.
type loosening struct{ file, text string }

func (j *judgement) problem(format string, args ...any) {
	j.report.Problems = append(j.report.Problems, report.Problem{Message: fmt.Sprintf(format, args...)})
}

// broke is why Git could not give what was asked of it: that is tried again, and
// is no fault of what is in it.
func (j *judgement) broke(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := j.head.failed(); err != nil || j.base == nil {
		return err
	}
	return j.base.failed()
}

func (j *judgement) look(ctx context.Context) error {
	files, err := gate.Find(j.head, ".")
	if broke := j.broke(ctx); broke != nil {
		return broke
	}
	if err != nil {
		j.problem("%v", err)
		return nil
	}
	if len(files) > maxGates {
		j.problem("limit gates=%d hit: the repository has %d; the others were not looked at", maxGates, len(files))
		files = files[:maxGates]
	}
	for _, file := range files {
		if err := j.gate(ctx, file); err != nil {
			return err
		}
	}
	return j.removed(ctx, files)
}

// gate judges one Gate, if the change touches it: if it changes a file that is
// read to judge it, at the head or where the change began.
func (j *judgement) gate(ctx context.Context, file string) error {
	opts := j.reviewer.opts
	head := j.head.again()
	o := survey.Options{Paths: []string{file}, Version: opts.Version, Policies: opts.Policies, Diffs: true}
	o.Policies.Now = opts.Now()
	base := j.base
	if base != nil {
		base = base.again()
		o.Base, o.BaseName = base, j.baseName
	}
	found, _ := survey.Collect(ctx, head, o)
	if err := j.broke(ctx); err != nil {
		return fmt.Errorf("judge %s: %w", file, err)
	}
	j.gates++
	// Of a Gate that cannot be judged it is not known what it reads.
	if j.hasOwnName(found, file) && found.Verdict() != report.Unknown && !j.touched(head, base) {
		return nil
	}
	j.report.Gates = append(j.report.Gates, found.Gates...)
	j.report.Problems = append(j.report.Problems, found.Problems...)
	j.report.Elapsed += found.Elapsed
	if len(found.Gates) == 1 && found.Gates[0].Clusters <= maxMatrix {
		m := survey.Differ(ctx, head, survey.Options{Paths: []string{file}, Policies: o.Policies})
		j.matrix.Gates = append(j.matrix.Gates, m.Gates...)
	}
	j.loosened(ctx, file, found)
	return j.broke(ctx)
}

// hasOwnName is false of a Gate whose name another one has; that is added to what
// was found, as validate says it, which sees them together.
func (j *judgement) hasOwnName(found report.Report, file string) bool {
	if len(found.Gates) != 1 || found.Gates[0].Name == "" {
		return true
	}
	g := &found.Gates[0]
	other, taken := j.named[g.Name]
	j.named[g.Name] = file
	if taken {
		g.Problems = append(g.Problems, survey.NameTaken(g.Name, file, other))
	}
	return !taken
}

func (j *judgement) touched(head, base *recorder) bool {
	if base == nil {
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
	if broke := j.broke(ctx); broke != nil {
		return broke
	}
	if err != nil {
		j.problem("find the gates that there were at %s: %v", j.baseName, err)
		return nil
	}
	for _, file := range old {
		if slices.Contains(files, file) || !slices.Contains(j.changed, file) {
			continue
		}
		name := file
		if g, err := gate.Load(j.base, file); err == nil {
			name = "gate " + g.Metadata.Name + " (" + file + ")"
		}
		j.loosens = append(j.loosens, loosening{text: name + " is removed, or moved: where it was, nothing is held any more."})
	}
	return j.broke(ctx)
}

// conclude is what the judgement comes to.
func (j *judgement) conclude() (forge.Conclusion, string) {
	switch n := j.report.Findings(); {
	case len(j.report.Gates) == 0 && len(j.report.Problems) == 0 && len(j.loosens) > 0:
		return forge.Neutral, "Gates are removed: nothing is left to hold this change"
	case len(j.report.Gates) == 0 && len(j.report.Problems) == 0:
		return forge.Neutral, fmt.Sprintf("No gate reads what this changes (of %d)", j.gates)
	case j.report.Verdict() == report.Unknown:
		return forge.Failure, "Could not tell: " + firstProblem(j.report)
	case n > 0:
		return forge.Failure, headline(j.report, n)
	}
	title := "Values agree: " + plural(len(j.report.Gates), "gate")
	if len(j.loosens) > 0 {
		title = "Values agree, and this lets go of what was held: see the summary"
	}
	return forge.Success, title
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
	if len(j.loosens) > 0 {
		b.WriteString("> [!WARNING]\n> **This change lets go of what was held.** A person should want that.\n\n")
		for i, l := range j.loosens {
			line := "- " + report.Literal(l.text) + "\n"
			if b.Len()+len(line) > notesBytes {
				fmt.Fprintf(&b, "- … and %d more\n", len(j.loosens)-i)
				break
			}
			b.WriteString(line)
		}
		b.WriteByte('\n')
	}
	switch {
	case len(j.report.Gates)+len(j.report.Problems) > 0:
		b.WriteString(report.Markdown(j.report, findingsBytes))
	case j.gates > 0:
		b.WriteString("No gate that there is reads a file that this changes.\n")
	default:
		b.WriteString("There is no gate.\n")
	}
	if slices.ContainsFunc(j.matrix.Gates, func(g report.MatrixGate) bool { return len(g.Rows) > 0 }) {
		b.WriteString("\n### Where clusters differ\n\n" + report.MatrixMarkdown(j.matrix, matrixBytes))
	}
	b.WriteString("\n### What to do\n\n" + advice(out.Conclusion))
	out.Summary = b.String()
	out.Annotations = j.annotations()
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

// annotations are the findings and problems at their lines, and what is let go
// of at the Gate that held it.
func (j *judgement) annotations() []forge.Annotation {
	var out []forge.Annotation
	for _, g := range j.report.Gates {
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
	for _, l := range j.loosens {
		if l.file != "" {
			a := annotation(l.file, 1, 0, "lets go of what was held", l.text)
			a.Level = forge.LevelWarning
			out = append(out, a)
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

package forge

import "context"

// Reporter tells whoever looks at a commit, or at the pull request it is the
// head of, what was found about it.
type Reporter interface {
	// Publish makes r the report of its name on its head: it makes the check
	// run, or brings the one that is there up to date. It may be called any
	// number of times, also with another status or after a failed call: there
	// is never a second one to be seen. Where the token may have no check
	// runs, a commit status stands in, which has room for the title only.
	//
	// An error is a *LimitedError (call again, not before its Until),
	// ErrRefused (a permission is missing, there is no such commit, or the
	// report itself is wrong), or transient.
	Publish(ctx context.Context, r Report) (Publication, error)
}

// Report is what is to be seen on a commit. The zero value of a field leaves it
// out, where it is not said to be required.
type Report struct {
	// Head is the full SHA of the commit. Required.
	Head string
	// Name is the check's: people see it, and branch protection requires it by
	// name. Required, at most MaxReportName bytes.
	Name string
	// Status is how far it is. Required. Conclusion is required with Completed,
	// and must be empty without it.
	Status     ReportStatus
	Conclusion Conclusion
	// Title is one line: what came of it. Required; longer than MaxTitle bytes
	// it is cut.
	Title string
	// Summary is Markdown. Longer than MaxSummary bytes it is cut after a line,
	// and says so.
	Summary string
	// Annotations are shown at their lines in the order given; beyond
	// MaxAnnotations they are left out, and the summary says how many. They
	// belong to a completed report: before that they are not sent.
	Annotations []Annotation
	// DetailsURL is where there is more to read, https or http.
	DetailsURL string
	// ExternalID comes back with the request to run again (webhook.Event), at
	// most MaxExternalID bytes without spaces. Give it what finds the subject
	// again, such as "pull/12".
	ExternalID string
}

// The bounds of a report. Those of the summary, of an annotation and of a
// request are GitHub's own.
const (
	MaxReportName  = 100
	MaxTitle       = 255
	MaxSummary     = 65_535 // bytes; GitHub counts characters
	MaxAnnotations = 500    // ten requests; nobody reads more
	MaxExternalID  = 100
)

// ReportStatus is how far a report is.
type ReportStatus string

// The states of a report.
const (
	Queued     ReportStatus = "queued"
	InProgress ReportStatus = "in_progress"
	Completed  ReportStatus = "completed"
)

// Conclusion is what a completed report came to.
type Conclusion string

// The conclusions. Where only a commit status is possible, Success, Neutral and
// Skipped are "success", Failure and ActionRequired are "failure", and the rest
// is "error".
const (
	Success        Conclusion = "success"
	Failure        Conclusion = "failure" // the answer is no
	Neutral        Conclusion = "neutral" // nothing to say; branch protection lets it pass
	Skipped        Conclusion = "skipped" // nothing was asked; branch protection lets it pass
	ActionRequired Conclusion = "action_required"
	Cancelled      Conclusion = "cancelled"
	TimedOut       Conclusion = "timed_out" // could not be found out
)

// Level is how much an annotation matters.
type Level string

// The levels.
const (
	LevelNotice  Level = "notice"
	LevelWarning Level = "warning"
	LevelFailure Level = "failure"
)

// Annotation is said at lines of a file of the commit.
type Annotation struct {
	// Path of the file from the root of the repository, with "/".
	Path string
	// StartLine and EndLine count from 1; 0 is 1, and StartLine.
	StartLine, EndLine int
	// StartColumn and EndColumn count from 1 and are used where both lines are
	// the same; 0 leaves them out.
	StartColumn, EndColumn int
	Level                  Level
	Title                  string
	Message                string // plain text
}

// Publication is where a report is to be seen.
type Publication struct {
	As  PublishedAs
	URL string
}

// PublishedAs is the form in which a report is published.
type PublishedAs string

// The forms.
const (
	AsCheckRun PublishedAs = "CheckRun"
	AsStatus   PublishedAs = "CommitStatus"
)

package forge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxAnnotationText = 60_000 // bytes of an annotation's message; GitHub: 64 KB
	maxDescription    = 140    // characters of a commit status
)

var (
	shaForm      = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	externalForm = regexp.MustCompile(`^[[:graph:]]*$`)
)

// check says what is wrong with a report; that is a mistake of its maker.
func (r *Report) check() error {
	switch {
	case !shaForm.MatchString(r.Head):
		return fmt.Errorf("expected the head's full SHA, found %.80q", r.Head)
	case r.Name == "" || len(r.Name) > MaxReportName:
		return fmt.Errorf("expected a name of 1 to %d bytes, found %d", MaxReportName, len(r.Name))
	case r.Title == "":
		return errors.New("expected a title, found none")
	case r.Status != Queued && r.Status != InProgress && r.Status != Completed:
		return fmt.Errorf("expected status %s, %s or %s, found %.40q", Queued, InProgress, Completed, r.Status)
	case (r.Status == Completed) != (r.Conclusion != ""):
		return fmt.Errorf("expected a conclusion with status %s and with no other, found status %s and conclusion %.40q", Completed, r.Status, r.Conclusion)
	case r.Conclusion != "" && stateOf(r.Conclusion) == "":
		return fmt.Errorf("expected a conclusion such as %s or %s, found %.40q", Success, Failure, r.Conclusion)
	case len(r.ExternalID) > MaxExternalID || !externalForm.MatchString(r.ExternalID):
		return fmt.Errorf("expected an external ID of at most %d printable characters without spaces, found %.120q", MaxExternalID, r.ExternalID)
	}
	if u, err := url.Parse(r.DetailsURL); r.DetailsURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("expected a details URL of https or http, found %.200q", r.DetailsURL)
	}
	for i, a := range r.Annotations {
		if a.Path == "" || strings.HasPrefix(a.Path, "/") || a.Level != LevelNotice && a.Level != LevelWarning && a.Level != LevelFailure {
			return fmt.Errorf("annotation %d: expected a path from the repository's root and a level, found %.200q and %.40q", i, a.Path, a.Level)
		}
	}
	return nil
}

// bounded is the report within GitHub's bounds.
func (r Report) bounded() Report {
	r.Title = cutText(strings.Join(strings.Fields(r.Title), " "), MaxTitle)
	if r.Status != Completed {
		r.Annotations = nil
	}
	if n := len(r.Annotations); n > MaxAnnotations {
		r.Annotations = r.Annotations[:MaxAnnotations]
		r.Summary += fmt.Sprintf("\n\n%d annotations are left out: the limit is %d.\n", n-MaxAnnotations, MaxAnnotations)
		if len(r.Summary) > MaxSummary {
			// What is left out must be said even where the rest is cut.
			r.Summary = fmt.Sprintf("%d annotations are left out: the limit is %d.\n\n", n-MaxAnnotations, MaxAnnotations) + r.Summary
		}
	}
	if r.Summary == "" {
		r.Summary = r.Title // a check run must have one
	}
	r.Summary = cutMarkdown(r.Summary, MaxSummary)
	return r
}

// cutText cuts to at most limit bytes, between characters.
func cutText(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	const dots = "…"
	end := limit - len(dots)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + dots
}

// cutMarkdown cuts to at most limit bytes after a line, closes a code block
// that was cut, and says that it was.
func cutMarkdown(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	const fence = "```"
	note := fmt.Sprintf("\n\n**Cut here: the limit is %d bytes.**\n", limit)
	s = s[:limit-len(note)-len(fence)-1]
	if end := strings.LastIndexByte(s, '\n'); end > 0 {
		s = s[:end]
	}
	open := false
	for line := range strings.Lines(s) {
		if strings.HasPrefix(strings.TrimLeft(line, " "), fence) {
			open = !open
		}
	}
	s = strings.ToValidUTF8(s, "")
	if open {
		s += "\n" + fence
	}
	return s + note
}

// apiAnnotation is an annotation as GitHub takes it.
type apiAnnotation struct {
	Path        string
	Start, End  int
	StartColumn int
	EndColumn   int
	Level       Level
	Title       string
	Message     string
}

func apiAnnotations(in []Annotation) []apiAnnotation {
	out := make([]apiAnnotation, 0, len(in))
	for _, a := range in {
		o := apiAnnotation{
			Path: a.Path, Start: max(a.StartLine, 1), Level: a.Level,
			Title: cutText(a.Title, MaxTitle), Message: cutText(a.Message, maxAnnotationText),
		}
		o.End = max(a.EndLine, o.Start)
		if o.Message == "" {
			o.Message = o.Title
		}
		if o.Start == o.End && a.StartColumn > 0 {
			o.StartColumn, o.EndColumn = a.StartColumn, max(a.EndColumn, a.StartColumn)
		}
		out = append(out, o)
	}
	return out
}

// digest tells one list of annotations from another.
func digest(list []apiAnnotation) string {
	b, err := json.Marshal(list)
	if err != nil {
		panic(err) // text and numbers: it cannot be
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// ExternalID is what a Report's was, of a check run's.
func ExternalID(ofRun string) string {
	id, _, _ := strings.Cut(ofRun, " ")
	if id == noExternalID {
		return ""
	}
	return id
}

const noExternalID = "-"

// externalID carries the digest of the annotations that the check run gets:
// GitHub adds what an update brings to what is there, and so what is there must
// be known.
func externalID(r Report, digest string) string {
	id := r.ExternalID
	if id == "" {
		id = noExternalID
	}
	return id + " " + digest
}

// stateOf is the state of a commit status, "" for what is no conclusion.
func stateOf(c Conclusion) string {
	switch c {
	case Success, Neutral, Skipped:
		return "success"
	case Failure, ActionRequired:
		return "failure"
	case Cancelled, TimedOut:
		return "error"
	default:
		return ""
	}
}

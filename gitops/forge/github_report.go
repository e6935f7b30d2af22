package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"
)

const (
	annotationsBatch = 50        // annotations of one request
	checksAgain      = time.Hour // until a token that may have no check runs is tried again
)

// reports is what publishing has to remember.
type reports struct {
	// mu lets one report be published at a time: GitHub asks for that, and two
	// would not find each other's check run.
	mu sync.Mutex
	// statusUntil is how long commit statuses stand in for check runs.
	statusUntil time.Time
}

var _ Reporter = (*GitHub)(nil)

// Publish implements Reporter.
func (g *GitHub) Publish(ctx context.Context, r Report) (Publication, error) {
	if err := r.check(); err != nil {
		return Publication{}, fmt.Errorf("publish report in %s: %w: %w", g.name, ErrRefused, err)
	}
	r = r.bounded()
	g.reports.mu.Lock()
	defer g.reports.mu.Unlock()
	if time.Now().After(g.reports.statusUntil) {
		p, err := g.publishCheck(ctx, r)
		if !withoutChecks(err) {
			return p, err
		}
		g.reports.statusUntil = time.Now().Add(checksAgain)
		g.log.WarnContext(ctx, "no check runs with this token; commit statuses stand in, without annotations and summary",
			"again", g.reports.statusUntil, "error", err)
	}
	return g.publishStatus(ctx, r)
}

// withoutChecks tells the answers to a token that may have no check runs: only
// GitHub Apps can, and some tokens may not even see them.
func withoutChecks(err error) bool {
	var api *APIError
	return errors.As(err, &api) && (api.Status == http.StatusForbidden || api.Status == http.StatusNotFound)
}

// publishCheck makes the check run or brings it up to date. What a lost answer
// leaves is found again.
func (g *GitHub) publishCheck(ctx context.Context, r Report) (out Publication, err error) {
	list := apiAnnotations(r.Annotations)
	err = g.again(ctx, func() error {
		run, err := g.findCheck(ctx, r)
		if err != nil {
			return err
		}
		run, err = g.bringCheck(ctx, run, r, list)
		out = Publication{As: AsCheckRun, URL: run.GetHTMLURL()}
		return err
	})
	return out, err
}

// findCheck is the newest check run of the report's name and head, nil when
// there is none.
func (g *GitHub) findCheck(ctx context.Context, r Report) (*github.CheckRun, error) {
	opts := &github.ListCheckRunsOptions{CheckName: &r.Name, Filter: github.String("latest"), ListOptions: github.ListOptions{PerPage: 100}}
	if g.opts.App != 0 {
		opts.AppID = &g.opts.App
	}
	var found *github.ListCheckRunsResults
	err := g.call(ctx, operation{verb: "list check runs", needs: "checks: read"}, func(ctx context.Context) (err error) {
		found, _, err = g.client.Checks.ListCheckRunsForRef(ctx, g.opts.Owner, g.opts.Repo, r.Head, opts)
		if err == nil && found.Total == nil {
			return errors.New("expected check runs, found an empty answer")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var newest *github.CheckRun
	for _, run := range found.CheckRuns {
		if run.GetName() == r.Name && run.GetHeadSHA() == r.Head && run.GetID() > newest.GetID() {
			newest = run
		}
	}
	return newest, nil
}

// bringCheck makes run, nil for none, what the report says. Annotations are
// only ever added by GitHub: those of the same list that are there are not sent
// again, and a run with others is left behind by a new one, which GitHub then
// shows instead.
func (g *GitHub) bringCheck(ctx context.Context, run *github.CheckRun, r Report, list []apiAnnotation) (*github.CheckRun, error) {
	there, sum := run.GetOutput().GetAnnotationsCount(), digest(list)
	_, was, _ := strings.Cut(run.GetExternalID(), " ")
	if r.Status != Completed && there > 0 {
		list, sum = nil, was
	} else if there > 0 {
		if was != sum || there > len(list) {
			run = nil
		} else {
			list = list[there:]
		}
	}
	id := externalID(r, sum)
	if len(list) == 0 && same(run, r, id) {
		return run, nil
	}
	for {
		n := min(len(list), annotationsBatch)
		part, err := g.sendCheck(ctx, run, r, checkPart{id: id, annotations: list[:n], last: n == len(list)})
		if err != nil {
			return run, err
		}
		if run, list = part, list[n:]; len(list) == 0 {
			return run, nil
		}
	}
}

// same reports whether the run is what the report says already.
func same(run *github.CheckRun, r Report, id string) bool {
	return run != nil && run.GetStatus() == string(r.Status) && run.GetConclusion() == string(r.Conclusion) &&
		run.GetExternalID() == id && run.GetDetailsURL() == r.DetailsURL &&
		run.GetOutput().GetTitle() == r.Title && run.GetOutput().GetSummary() == r.Summary
}

// checkPart is what one call brings of a report.
type checkPart struct {
	id          string
	annotations []apiAnnotation
	last        bool // the run is what the report says after it
}

// sendCheck makes the run, where it is nil, or changes it. The verdict comes
// with the last part: until then nobody should take the run for whole.
func (g *GitHub) sendCheck(ctx context.Context, run *github.CheckRun, r Report, p checkPart) (*github.CheckRun, error) {
	out := &github.CheckRunOutput{Title: &r.Title, Summary: &r.Summary}
	for _, a := range p.annotations {
		out.Annotations = append(out.Annotations, a.github())
	}
	status, conclusion := github.String(string(InProgress)), (*string)(nil)
	if p.last {
		status = github.String(string(r.Status))
		if r.Conclusion != "" {
			conclusion = github.String(string(r.Conclusion))
		}
	}
	var details *string
	if r.DetailsURL != "" {
		details = &r.DetailsURL
	}
	var sent *github.CheckRun
	op := operation{verb: "create check run", needs: "checks: write", once: true}
	if run != nil {
		op.verb = "update check run"
	}
	err := g.call(ctx, op, func(ctx context.Context) (err error) {
		if run == nil {
			sent, _, err = g.client.Checks.CreateCheckRun(ctx, g.opts.Owner, g.opts.Repo, github.CreateCheckRunOptions{
				Name: r.Name, HeadSHA: r.Head, DetailsURL: details, ExternalID: &p.id, Status: status, Conclusion: conclusion, Output: out,
			})
		} else {
			sent, _, err = g.client.Checks.UpdateCheckRun(ctx, g.opts.Owner, g.opts.Repo, run.GetID(), github.UpdateCheckRunOptions{
				Name: r.Name, DetailsURL: details, ExternalID: &p.id, Status: status, Conclusion: conclusion, Output: out,
			})
		}
		if err == nil && sent.GetID() == 0 {
			return errors.New("expected a check run, found an empty answer")
		}
		return err
	})
	return sent, err
}

func (a apiAnnotation) github() *github.CheckRunAnnotation {
	out := &github.CheckRunAnnotation{
		Path: &a.Path, StartLine: &a.Start, EndLine: &a.End, AnnotationLevel: github.String(string(a.Level)), Message: &a.Message,
	}
	if a.Title != "" {
		out.Title = &a.Title
	}
	if a.StartColumn > 0 {
		out.StartColumn, out.EndColumn = &a.StartColumn, &a.EndColumn
	}
	return out
}

// publishStatus says the title as a commit status, unless it is said already.
// The last status of a name is the one that counts.
func (g *GitHub) publishStatus(ctx context.Context, r Report) (Publication, error) {
	state := "pending"
	if r.Status == Completed {
		state = stateOf(r.Conclusion)
	}
	s := &github.RepoStatus{State: &state, Context: &r.Name, Description: github.String(cutRunes(r.Title, maxDescription))}
	if r.DetailsURL != "" {
		s.TargetURL = &r.DetailsURL
	}
	there, err := g.findStatus(ctx, r)
	if err != nil {
		return Publication{}, err
	}
	if there == nil || there.GetState() != state || there.GetDescription() != s.GetDescription() || there.GetTargetURL() != s.GetTargetURL() {
		err = g.call(ctx, operation{verb: "create commit status", needs: "statuses: write"}, func(ctx context.Context) error {
			_, _, err := g.client.Repositories.CreateStatus(ctx, g.opts.Owner, g.opts.Repo, r.Head, s)
			return err
		})
	}
	return Publication{As: AsStatus, URL: r.DetailsURL}, err
}

func (g *GitHub) findStatus(ctx context.Context, r Report) (*github.RepoStatus, error) {
	opts := &github.ListOptions{PerPage: 100}
	for range maxPages {
		var all *github.CombinedStatus
		var resp *github.Response
		err := g.call(ctx, operation{verb: "list commit statuses", needs: "statuses: read"}, func(ctx context.Context) (err error) {
			all, resp, err = g.client.Repositories.GetCombinedStatus(ctx, g.opts.Owner, g.opts.Repo, r.Head, opts)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, s := range all.Statuses {
			if s.GetContext() == r.Name {
				return s, nil
			}
		}
		if opts.Page = resp.NextPage; opts.Page == 0 {
			break
		}
	}
	return nil, nil
}

// cutRunes cuts to at most limit characters.
func cutRunes(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return s
}

package gitops_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/test/githubd"
)

// published is a check run as GitHub shows it.
type published struct {
	Name, Status, Conclusion, Title, Summary string
	ExternalID, DetailsURL                   string
	Annotations                              []string // "path:line title"
}

// checkRuns are the check runs of a commit that GitHub shows.
func (a *appWorld) checkRuns(sha string) (out []published) {
	a.t.Helper()
	var list struct {
		CheckRuns []struct {
			ID                       int64
			Name, Status, Conclusion string
			ExternalID               string `json:"external_id"`
			DetailsURL               string `json:"details_url"`
			Output                   struct{ Title, Summary string }
		} `json:"check_runs"`
	}
	a.get("commits/"+sha+"/check-runs", &list)
	for _, c := range list.CheckRuns {
		p := published{Name: c.Name, Status: c.Status, Conclusion: c.Conclusion, Title: c.Output.Title, Summary: c.Output.Summary,
			ExternalID: forge.ExternalID(c.ExternalID), DetailsURL: c.DetailsURL}
		for page := 1; ; page++ {
			var annotations []struct {
				Path, Title string
				Line        int `json:"start_line"`
			}
			a.get(fmt.Sprintf("check-runs/%d/annotations?per_page=100&page=%d", c.ID, page), &annotations)
			for _, n := range annotations {
				p.Annotations = append(p.Annotations, fmt.Sprintf("%s:%d %s", n.Path, n.Line, n.Title))
			}
			if len(annotations) < 100 {
				break
			}
		}
		out = append(out, p)
	}
	return out
}

// get asks the API as a person.
func (a *appWorld) get(path string, into any) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.url+a.api+"/repos/acme/fleet/"+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		a.t.Fatalf("GET %s: %d %v %s", path, resp.StatusCode, err, b)
	}
	if err := json.Unmarshal(b, into); err != nil {
		a.t.Fatal(err)
	}
}

// writes counts the calls that change something since the last time.
func (a *appWorld) writes() (out []string) {
	for _, c := range a.d.Calls() {
		if c.Method != http.MethodGet && !strings.Contains(c.Path, "access_tokens") {
			out = append(out, c.Method+" "+strings.TrimPrefix(strings.TrimPrefix(c.Path, "/api/v3"), "/repos/acme/fleet/"))
		}
	}
	return out
}

func (a *appWorld) publish(g *forge.GitHub, r forge.Report) forge.Publication {
	a.t.Helper()
	p, err := g.Publish(a.t.Context(), r)
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

// report is a failed one with n annotations.
func report(head string, n int) (forge.Report, []string) {
	r := forge.Report{
		Head: head, Name: "syncgate", Status: forge.Completed, Conclusion: forge.Failure, Title: "2 gates do not hold",
		Summary: "| gate | |\n|---|---|\n| chat | findings |\n", DetailsURL: "https://gate.example/reviews/1", ExternalID: "pull/1",
	}
	var lines []string
	for i := range n {
		r.Annotations = append(r.Annotations, forge.Annotation{Path: "clusters/us/values.yaml", StartLine: i + 1, StartColumn: 3, EndColumn: 9,
			Level: forge.LevelFailure, Title: fmt.Sprint("finding ", i), Message: "expected 1, found 2"})
		lines = append(lines, fmt.Sprintf("clusters/us/values.yaml:%d finding %d", i+1, i))
	}
	return r, lines
}

func shown(r forge.Report, lines []string) []published {
	return []published{{Name: r.Name, Status: string(r.Status), Conclusion: string(r.Conclusion), Title: r.Title, Summary: r.Summary,
		ExternalID: r.ExternalID, DetailsURL: r.DetailsURL, Annotations: lines}}
}

func TestReportIsOneCheckRun(t *testing.T) {
	for _, k := range []kind{onGitHub, onEnterprise} {
		t.Run(string(k), func(t *testing.T) {
			a := newAppWorld(t, k)
			head := a.src.Commit("one", map[string]string{"a": "1\n"})
			g := a.forge(a.token)
			done, lines := report(head, 120)
			going := done
			going.Status, going.Conclusion, going.Title, going.Annotations = forge.InProgress, "", "Looking", nil

			a.publish(g, going)
			if d := cmp.Diff(shown(going, nil), a.checkRuns(head)); d != "" {
				t.Errorf("while it is under way (-want +got):\n%s", d)
			}
			a.writes()
			p := a.publish(g, done)
			if d := cmp.Diff(shown(done, lines), a.checkRuns(head)); d != "" || p.As != forge.AsCheckRun || !strings.Contains(p.URL, "/runs/") {
				t.Errorf("%+v (-want +got):\n%s", p, d)
			}
			if n := len(a.writes()); n != 3 {
				t.Errorf("%d calls for 120 annotations, want 3", n)
			}
			// Again, by another process, it is there already.
			a.publish(a.forge(a.token), done)
			if w := a.writes(); len(w) > 0 {
				t.Errorf("the same again: %v", w)
			}
			// Run again: the same run goes back and comes to another verdict.
			a.publish(g, going)
			good := done
			good.Conclusion, good.Title = forge.Success, "Everything holds"
			a.publish(g, good)
			if d := cmp.Diff(shown(good, lines), a.checkRuns(head)); d != "" {
				t.Errorf("run again (-want +got):\n%s", d)
			}
		})
	}
}

// What GitHub cannot take away is left behind: one check run is shown, with
// the annotations that hold now.
func TestReportWithOtherAnnotations(t *testing.T) {
	a := newAppWorld(t, onGitHub)
	head := a.src.Commit("one", map[string]string{"a": "1\n"})
	g := a.forge(a.token)
	first, _ := report(head, 3)
	a.publish(g, first)
	second, lines := report(head, 2)
	a.publish(g, second)
	a.publish(g, second)
	if d := cmp.Diff(shown(second, lines), a.checkRuns(head)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	none, _ := report(head, 0)
	none.Conclusion = forge.Success
	a.publish(g, none)
	if d := cmp.Diff(shown(none, nil), a.checkRuns(head)); d != "" {
		t.Errorf("without any (-want +got):\n%s", d)
	}
}

// Whatever fails at whatever call, what is published in the end is the same.
func TestReportThroughFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault githubd.Fault
	}{
		{"created, and the answer lost", githubd.Fault{Method: "POST", Path: "check-runs$", Times: 1, Apply: true, Status: http.StatusBadGateway, Message: "Server Error"}},
		{"not created", githubd.Fault{Method: "POST", Path: "check-runs$", Times: 2, Status: http.StatusBadGateway, Message: "Server Error"}},
		{"updated, and the answer lost", githubd.Fault{Method: "PATCH", Path: "check-runs/", Times: 1, Apply: true, Status: http.StatusServiceUnavailable, Message: "Server Error"}},
		{"second update lost", githubd.Fault{Method: "PATCH", Path: "check-runs/", Skip: 1, Times: 1, Apply: true, Status: http.StatusServiceUnavailable, Message: "Server Error"}},
		{"not found out", githubd.Fault{Method: "GET", Path: "check-runs$", Times: 2, Status: http.StatusInternalServerError, Message: "Server Error"}},
		{"a short limit", githubd.Fault{Method: "PATCH", Path: "check-runs/", Times: 1, Kind: "secondaryLimit", RetryAfter: 1}},
		{"too many", githubd.Fault{Method: "POST", Path: "check-runs$", Times: 1, Kind: "tooMany", RetryAfter: 1}},
		{"no token", githubd.Fault{Method: "POST", Path: "access_tokens$", Times: 1, Status: http.StatusBadGateway, Message: "Server Error"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAppWorld(t, onGitHub)
			head := a.src.Commit("one", map[string]string{"a": "1\n"})
			a.d.Fail(tt.fault)
			r, lines := report(head, 120)
			a.publish(a.forge(a.token), r)
			if d := cmp.Diff(shown(r, lines), a.checkRuns(head)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A process that dies between two parts leaves a run that is not whole, and not
// completed; the next process adds the rest.
func TestReportGoesOn(t *testing.T) {
	a := newAppWorld(t, onGitHub)
	head := a.src.Commit("one", map[string]string{"a": "1\n"})
	a.d.Fail(githubd.Fault{Method: "PATCH", Path: "check-runs/", Skip: 1, Status: http.StatusInternalServerError, Message: "Server Error"})
	r, lines := report(head, 150)
	if _, err := a.forge(a.token).Publish(t.Context(), r); err == nil {
		t.Fatal("published through a fault")
	}
	if got := a.checkRuns(head); len(got) != 1 || got[0].Status != "in_progress" || got[0].Conclusion != "" || len(got[0].Annotations) != 100 {
		t.Fatalf("after the first process: %+v", got)
	}
	a.d.Heal()
	a.publish(a.forge(a.token), r)
	if d := cmp.Diff(shown(r, lines), a.checkRuns(head)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A long limit is for the caller to wait for.
func TestReportIsLimited(t *testing.T) {
	a := newAppWorld(t, onGitHub)
	head := a.src.Commit("one", map[string]string{"a": "1\n"})
	a.d.Fail(githubd.Fault{Method: "POST", Path: "check-runs$", Kind: "secondaryLimit", RetryAfter: 600})
	r, _ := report(head, 1)
	_, err := a.forge(a.token).Publish(t.Context(), r)
	var limited *forge.LimitedError
	if !errors.As(err, &limited) || time.Until(limited.Until) < 9*time.Minute {
		t.Fatalf("got %v, want to be told to wait ten minutes", err)
	}
}

// Without check runs a commit status says it, once, and check runs are not
// tried again at once.
func TestReportAsCommitStatus(t *testing.T) {
	person := func(context.Context) (string, error) { return token, nil }
	for _, tt := range []struct {
		name  string
		token func(context.Context) (string, error)
		fault *githubd.Fault
	}{
		{"a person's token", person, nil},
		{"an App without the permission", nil, &githubd.Fault{Path: "check-runs", Status: http.StatusForbidden, Message: "Resource not accessible by integration"}},
		{"no such call", nil, &githubd.Fault{Path: "check-runs", Status: http.StatusNotFound, Message: "Not Found"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAppWorld(t, onGitHub)
			head := a.src.Commit("one", map[string]string{"a": "1\n"})
			if tt.token == nil {
				tt.token = a.token
			}
			if tt.fault != nil {
				a.d.Fail(*tt.fault)
			}
			g := a.forge(tt.token)
			done, _ := report(head, 120)
			done.Title = strings.Repeat("ä", 90) + strings.Repeat("b", 60)
			going := done
			going.Status, going.Conclusion, going.Annotations = forge.Queued, "", nil
			a.publish(g, going)
			for range 3 {
				if p := a.publish(g, done); p.As != forge.AsStatus || p.URL != done.DetailsURL {
					t.Errorf("published %+v", p)
				}
			}
			var tries int
			var statuses []string
			for _, c := range a.d.Calls() {
				if strings.Contains(c.Path, "check-runs") {
					tries++
				} else if c.Method == http.MethodPost && strings.Contains(c.Path, "/statuses/") {
					statuses = append(statuses, c.Path)
				}
			}
			if len(statuses) != 2 || tries > 2 {
				t.Errorf("%d statuses made, check runs tried %d times; want 2, and once", len(statuses), tries)
			}
			a.d.Heal()
			var got struct {
				State    string
				Statuses []struct {
					State, Context, Description string
					TargetURL                   string `json:"target_url"`
				}
			}
			a.get("commits/"+head+"/status", &got)
			if len(got.Statuses) != 1 || got.State != "failure" || got.Statuses[0].Context != "syncgate" ||
				got.Statuses[0].TargetURL != done.DetailsURL || got.Statuses[0].Description != strings.Repeat("ä", 90)+strings.Repeat("b", 49)+"…" {
				t.Errorf("status %+v", got)
			}
		})
	}
}

// What cannot be published at all says why.
func TestReportRefused(t *testing.T) {
	a := newAppWorld(t, onGitHub)
	head := a.src.Commit("one", map[string]string{"a": "1\n"})
	good, _ := report(head, 1)
	for _, tt := range []struct {
		name   string
		change func(*forge.Report)
		why    string
	}{
		{"no such commit", func(r *forge.Report) { r.Head = strings.Repeat("1", 40) }, "No commit found"},
		{"half a SHA", func(r *forge.Report) { r.Head = head[:12] }, "full SHA"},
		{"no conclusion", func(r *forge.Report) { r.Conclusion = "" }, "conclusion"},
		{"conclusion too early", func(r *forge.Report) { r.Status = forge.Queued }, "conclusion"},
		{"details by another scheme", func(r *forge.Report) { r.DetailsURL = "javascript:alert(1)" }, "https or http"},
		{"external ID with spaces", func(r *forge.Report) { r.ExternalID = "a b" }, "external ID"},
		{"annotation without a path", func(r *forge.Report) { r.Annotations = []forge.Annotation{{Level: forge.LevelNotice}} }, "annotation 0"},
	} {
		r := good
		tt.change(&r)
		if _, err := a.forge(a.token).Publish(t.Context(), r); !errors.Is(err, forge.ErrRefused) || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: got %v, want ErrRefused with %q", tt.name, err, tt.why)
		}
	}
	if got := a.checkRuns(head); len(got) > 0 {
		t.Errorf("published %+v", got)
	}
}

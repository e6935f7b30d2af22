package githubd

import (
	"net/http"
	"slices"
	"strconv"
)

type status struct {
	id                          int64
	sha, state, context, author string
	text, target                string
	at                          string
}

type checkRun struct {
	id                     int64
	sha, name, status      string
	conclusion, externalID string
	details                string
	started, completed     string
	title, summary, text   string
	annotations            []any
	app                    int64
}

// suite is the ID of a check run's suite: that of its App on its commit.
func (c *checkRun) suite() int64 { return numberOf(c.sha + strconv.FormatInt(c.app, 10)) }

func (r *request) status(st *status) object {
	return object{
		"id": st.id, "node_id": nodeID("Status", st.id), "url": r.repoAPI() + "/statuses/" + st.sha, "state": st.state,
		"description": orNil(st.text), "target_url": orNil(st.target), "context": st.context, "avatar_url": nil,
		"created_at": st.at, "updated_at": st.at, "creator": r.user(st.author),
	}
}

func createStatus(r *request) (int, any) {
	var in struct {
		State, Context, Description string
		TargetURL                   string `json:"target_url"`
	}
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	sha := r.PathValue("sha")
	if r.repo.kind(sha) != "commit" {
		return http.StatusUnprocessableEntity, message("No commit found for SHA: " + sha)
	}
	if !slices.Contains([]string{"error", "failure", "pending", "success"}, in.State) {
		return http.StatusUnprocessableEntity, invalid("Status", "state", "custom", "state is not included in the list")
	}
	if in.Context == "" {
		in.Context = "default"
	}
	st := &status{
		id: r.s.id(), sha: sha, state: in.State, context: in.Context, text: in.Description, target: in.TargetURL,
		author: r.login, at: now(),
	}
	r.repo.statuses = append(r.repo.statuses, st)
	return http.StatusCreated, r.status(st)
}

func listStatuses(r *request, sha string) (int, any) {
	list := []any{}
	for _, st := range slices.Backward(r.repo.statuses) {
		if st.sha == sha {
			list = append(list, r.status(st))
		}
	}
	return http.StatusOK, r.page(list)
}

func combinedStatus(r *request, sha string) (int, any) {
	list, seen, state := []any{}, map[string]bool{}, "success"
	for _, st := range slices.Backward(r.repo.statuses) {
		if st.sha != sha || seen[st.context] {
			continue
		}
		seen[st.context] = true
		o := r.status(st)
		delete(o, "creator")
		list = append(list, o)
		switch {
		case st.state == "failure" || st.state == "error":
			state = "failure"
		case st.state == "pending" && state == "success":
			state = "pending"
		}
	}
	if len(list) == 0 {
		state = "pending"
	}
	return http.StatusOK, object{
		"state": state, "statuses": list, "sha": sha, "total_count": len(list), "repository": r.repository(),
		"commit_url": r.repoAPI() + "/commits/" + sha, "url": r.repoAPI() + "/commits/" + sha + "/status",
	}
}

func (r *request) check(c *checkRun) object {
	api := r.repoAPI() + "/check-runs/" + strconv.FormatInt(c.id, 10)
	return object{
		"id": c.id, "node_id": nodeID("CheckRun", c.id), "head_sha": c.sha, "name": c.name, "external_id": orNil(c.externalID),
		"url": api, "html_url": r.repoHTML() + "/runs/" + strconv.FormatInt(c.id, 10), "details_url": orNil(c.details),
		"status": c.status, "conclusion": orNil(c.conclusion), "started_at": orNil(c.started), "completed_at": orNil(c.completed),
		"check_suite": object{"id": c.suite()}, "app": r.app(c.app), "pull_requests": r.pullsOf(c.sha),
		"output": object{
			"title": orNil(c.title), "summary": orNil(c.summary), "text": orNil(c.text),
			"annotations_count": len(c.annotations), "annotations_url": api + "/annotations",
		},
	}
}

// checkInput is what creates or changes a check run.
type checkInput struct {
	Name, Status, Conclusion string
	HeadSHA                  string `json:"head_sha"`
	DetailsURL               string `json:"details_url"`
	ExternalID               string `json:"external_id"`
	StartedAt                string `json:"started_at"`
	CompletedAt              string `json:"completed_at"`
	Output                   *struct {
		Title, Summary, Text string
		Annotations          []map[string]any
	}
}

// apply changes c; its problem is GitHub's answer.
func (in checkInput) apply(c *checkRun) any {
	if in.Output != nil && len(in.Output.Annotations) > 50 {
		return invalid("CheckRun", "annotations", "custom", "Only 50 annotations are allowed per request")
	}
	for _, f := range []struct {
		from string
		to   *string
	}{
		{in.Name, &c.name}, {in.Status, &c.status}, {in.DetailsURL, &c.details}, {in.ExternalID, &c.externalID},
		{in.StartedAt, &c.started}, {in.CompletedAt, &c.completed},
	} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	if in.Status != "" && in.Status != "completed" {
		c.conclusion, c.completed = "", ""
	}
	if in.Conclusion != "" {
		c.conclusion, c.status = in.Conclusion, "completed"
		if c.completed == "" {
			c.completed = now()
		}
	}
	if in.Output != nil {
		c.title, c.summary, c.text = in.Output.Title, in.Output.Summary, in.Output.Text
		for _, a := range in.Output.Annotations { // they are only ever added
			c.annotations = append(c.annotations, a)
		}
	}
	return nil
}

func createCheck(r *request) (int, any) {
	if problem := r.asAppOf(r.appID); problem != nil {
		return http.StatusForbidden, problem
	}
	var in checkInput
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	switch {
	case in.Name == "":
		return http.StatusUnprocessableEntity, invalid("CheckRun", "name", "missing_field", "")
	case r.repo.kind(in.HeadSHA) != "commit":
		return http.StatusUnprocessableEntity, message("No commit found for SHA: " + in.HeadSHA)
	}
	c := &checkRun{id: r.s.id(), sha: in.HeadSHA, status: "queued", started: now(), app: r.appID}
	if problem := in.apply(c); problem != nil {
		return http.StatusUnprocessableEntity, problem
	}
	r.repo.checks = append(r.repo.checks, c)
	return http.StatusCreated, r.check(c)
}

func (r *request) findCheck() *checkRun {
	for _, c := range r.repo.checks {
		if strconv.FormatInt(c.id, 10) == r.PathValue("id") {
			return c
		}
	}
	return nil
}

func getCheck(r *request) (int, any) {
	c := r.findCheck()
	if c == nil {
		return http.StatusNotFound, notFound()
	}
	return http.StatusOK, r.check(c)
}

func updateCheck(r *request) (int, any) {
	c := r.findCheck()
	if c == nil {
		return http.StatusNotFound, notFound()
	}
	if problem := r.asAppOf(c.app); problem != nil {
		return http.StatusForbidden, problem
	}
	var in checkInput
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	if problem := in.apply(c); problem != nil {
		return http.StatusUnprocessableEntity, problem
	}
	return http.StatusOK, r.check(c)
}

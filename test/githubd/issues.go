package githubd

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// issue is an issue, or the part of a pull request that is one.
type issue struct {
	id               int64
	number           int
	title, body      string
	state            string
	author           string
	labels           []*label
	created, updated string
	closed           string
	pull             *pull
}

func (i *issue) close() { i.state, i.closed, i.updated = "closed", now(), now() }

type comment struct {
	id               int64
	number           int
	author, body     string
	created, updated string
}

type label struct {
	id                int64
	name, color, text string
}

func (r *request) newIssue(title, body string) *issue {
	r.repo.numbers++
	i := &issue{id: r.s.id(), number: r.repo.numbers, title: title, body: body, state: "open", author: r.login, created: now(), updated: now()}
	r.repo.issues = append(r.repo.issues, i)
	return i
}

func (r *request) issue(i *issue) object {
	n := strconv.Itoa(i.number)
	api, html := r.repoAPI()+"/issues/"+n, r.repoHTML()+"/issues/"+n
	o := object{
		"id": i.id, "node_id": nodeID("Issue", i.id), "number": i.number, "url": api, "repository_url": r.repoAPI(),
		"labels_url": api + "/labels{/name}", "comments_url": api + "/comments", "events_url": api + "/events",
		"html_url": html, "state": i.state, "title": i.title, "body": i.body, "user": r.user(i.author),
		"labels": r.labelList(i.labels), "assignee": nil, "assignees": []any{}, "milestone": nil, "locked": false,
		"comments": len(r.repo.commentsOf(i.number)), "closed_at": orNil(i.closed), "created_at": i.created,
		"updated_at": i.updated, "author_association": "CONTRIBUTOR", "state_reason": nil,
	}
	if i.pull != nil {
		html := r.repoHTML() + "/pull/" + n
		o["html_url"] = html
		o["pull_request"] = object{
			"url": r.repoAPI() + "/pulls/" + n, "html_url": html, "diff_url": html + ".diff", "patch_url": html + ".patch",
			"merged_at": orNil(i.pull.mergedAt),
		}
	}
	return o
}

func (r *request) labelList(labels []*label) []any {
	list := []any{}
	for _, l := range labels {
		list = append(list, object{
			"id": l.id, "node_id": nodeID("Label", l.id), "name": l.name, "color": l.color, "default": false,
			"description": l.text, "url": r.repoAPI() + "/labels/" + url.PathEscape(l.name),
		})
	}
	return list
}

func (r *request) findIssue() *issue {
	n := atoi(r.PathValue("number"))
	for _, i := range r.repo.issues {
		if i.number == n {
			return i
		}
	}
	return nil
}

func listIssues(r *request) (int, any) {
	q := r.URL.Query()
	state := q.Get("state")
	if state == "" {
		state = "open"
	}
	list := []any{}
	for _, i := range r.repo.issues {
		if state != "all" && state != i.state {
			continue
		}
		if want := q.Get("labels"); want != "" && !slices.ContainsFunc(i.labels, func(l *label) bool { return l.name == want }) {
			continue
		}
		list = append(list, r.issue(i))
	}
	if q.Get("direction") != "asc" {
		reverse(list)
	}
	return http.StatusOK, r.page(list)
}

func createIssue(r *request) (int, any) {
	var in struct {
		Title, Body string
		Labels      []string
	}
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	if in.Title == "" {
		return http.StatusUnprocessableEntity, invalid("Issue", "title", "missing_field", "")
	}
	if utf8.RuneCountInString(in.Body) > maxText {
		return http.StatusUnprocessableEntity, invalid("Issue", "body", "custom", "body is too long (maximum is 65536 characters)")
	}
	i := r.newIssue(in.Title, in.Body)
	i.labels = r.labelsNamed(nil, in.Labels)
	return http.StatusCreated, r.issue(i)
}

func getIssue(r *request) (int, any) {
	i := r.findIssue()
	if i == nil {
		return http.StatusNotFound, notFound()
	}
	return http.StatusOK, r.issue(i)
}

func updateIssue(r *request) (int, any) {
	i := r.findIssue()
	if i == nil {
		return http.StatusNotFound, notFound()
	}
	var in struct {
		Title, Body, State *string
		Labels             *[]string
	}
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	if problem := r.change(i, in.Title, in.Body, in.State); problem != nil {
		return http.StatusUnprocessableEntity, problem
	}
	if in.Labels != nil {
		i.labels = r.labelsNamed(nil, *in.Labels)
	}
	return http.StatusOK, r.issue(i)
}

// change updates what issues and pull requests have in common.
func (r *request) change(i *issue, title, body, state *string) any {
	if body != nil && utf8.RuneCountInString(*body) > maxText {
		return invalid("Issue", "body", "custom", "body is too long (maximum is 65536 characters)")
	}
	if state != nil && *state == "open" && i.state == "closed" && i.pull != nil {
		if i.pull.mergedAt != "" || r.repo.branch(i.pull.head) == "" {
			return invalid("PullRequest", "state", "invalid", "state cannot be changed. The branch has been deleted or merged.")
		}
	}
	if title != nil {
		i.title = *title
	}
	if body != nil {
		i.body = *body
	}
	if state != nil && *state != i.state {
		i.state, i.closed = *state, ""
		if *state == "closed" {
			i.close()
		}
	}
	i.updated = now()
	return nil
}

func (r *repository) commentsOf(number int) []*comment {
	var list []*comment
	for _, c := range r.comments {
		if c.number == number {
			list = append(list, c)
		}
	}
	return list
}

func (r *request) comment(c *comment) object {
	api := r.repoAPI() + "/issues/comments/" + strconv.FormatInt(c.id, 10)
	issueAPI := r.repoAPI() + "/issues/" + strconv.Itoa(c.number)
	return object{
		"id": c.id, "node_id": nodeID("IssueComment", c.id), "url": api, "issue_url": issueAPI, "body": c.body,
		"html_url":   r.repoHTML() + "/issues/" + strconv.Itoa(c.number) + "#issuecomment-" + strconv.FormatInt(c.id, 10),
		"user":       r.user(c.author),
		"created_at": c.created, "updated_at": c.updated, "author_association": "CONTRIBUTOR",
	}
}

func listComments(r *request) (int, any) {
	i := r.findIssue()
	if i == nil {
		return http.StatusNotFound, notFound()
	}
	list := []any{}
	for _, c := range r.repo.commentsOf(i.number) {
		list = append(list, r.comment(c))
	}
	return http.StatusOK, r.page(list)
}

func createComment(r *request) (int, any) {
	i := r.findIssue()
	if i == nil {
		return http.StatusNotFound, notFound()
	}
	var in struct{ Body string }
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	switch {
	case strings.TrimSpace(in.Body) == "":
		return http.StatusUnprocessableEntity, invalid("IssueComment", "body", "missing_field", "")
	case utf8.RuneCountInString(in.Body) > maxText:
		return http.StatusUnprocessableEntity, invalid("IssueComment", "body", "custom", "body is too long (maximum is 65536 characters)")
	}
	c := &comment{id: r.s.id(), number: i.number, author: r.login, body: in.Body, created: now(), updated: now()}
	r.repo.comments = append(r.repo.comments, c)
	return http.StatusCreated, r.comment(c)
}

func updateComment(r *request) (int, any) {
	for _, c := range r.repo.comments {
		if strconv.FormatInt(c.id, 10) != r.PathValue("id") {
			continue
		}
		var in struct{ Body string }
		if err := r.decode(&in); err != nil {
			return http.StatusBadRequest, message("Problems parsing JSON")
		}
		c.body, c.updated = in.Body, now()
		return http.StatusOK, r.comment(c)
	}
	return http.StatusNotFound, notFound()
}

// labelsNamed adds labels to have; those that the repository lacks are made.
func (r *request) labelsNamed(have []*label, names []string) []*label {
	for _, n := range names {
		if slices.ContainsFunc(have, func(l *label) bool { return strings.EqualFold(l.name, n) }) {
			continue
		}
		i := slices.IndexFunc(r.repo.labels, func(l *label) bool { return strings.EqualFold(l.name, n) })
		if i < 0 {
			i = len(r.repo.labels)
			r.repo.labels = append(r.repo.labels, &label{id: r.s.id(), name: n, color: "ededed"})
		}
		have = append(have, r.repo.labels[i])
	}
	return have
}

func listIssueLabels(r *request) (int, any) {
	i := r.findIssue()
	if i == nil {
		return http.StatusNotFound, notFound()
	}
	return http.StatusOK, r.page(r.labelList(i.labels))
}

func addLabels(r *request) (int, any) {
	i := r.findIssue()
	if i == nil {
		return http.StatusNotFound, notFound()
	}
	var in any // {"labels": [...]}, or the list alone
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	if o, ok := in.(map[string]any); ok {
		in = o["labels"]
	}
	list, _ := in.([]any)
	var names []string
	for _, l := range list {
		name, ok := l.(string)
		if !ok || name == "" {
			return http.StatusUnprocessableEntity, invalid("Label", "name", "invalid", "")
		}
		names = append(names, name)
	}
	i.labels = r.labelsNamed(i.labels, names)
	return http.StatusOK, r.labelList(i.labels)
}

func removeLabel(r *request) (int, any) {
	i := r.findIssue()
	if i == nil {
		return http.StatusNotFound, notFound()
	}
	n := len(i.labels)
	i.labels = slices.DeleteFunc(i.labels, func(l *label) bool { return l.name == r.PathValue("l") })
	if len(i.labels) == n {
		return http.StatusNotFound, message("Label does not exist")
	}
	return http.StatusOK, r.labelList(i.labels)
}

func listLabels(r *request) (int, any) { return http.StatusOK, r.page(r.labelList(r.repo.labels)) }

func createLabel(r *request) (int, any) {
	var in struct{ Name, Color, Description string }
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	if slices.ContainsFunc(r.repo.labels, func(l *label) bool { return strings.EqualFold(l.name, in.Name) }) {
		return http.StatusUnprocessableEntity, invalid("Label", "name", "already_exists", "")
	}
	l := r.labelsNamed(nil, []string{in.Name})[0]
	if in.Color != "" {
		l.color = in.Color
	}
	l.text = in.Description
	return http.StatusCreated, r.labelList([]*label{l})[0]
}

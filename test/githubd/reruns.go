package githubd

import (
	"net/http"
	"slices"
	"strconv"
)

// asAppOf is GitHub's answer to who may not have the check runs of an App: once
// there are Apps, only they have any, each its own.
func (r *request) asAppOf(app int64) any {
	switch {
	case len(r.s.opts.Apps) == 0:
		return nil
	case r.appID == 0:
		return message("You must authenticate via a GitHub App.")
	case r.appID != app:
		return message("Invalid app_id `" + strconv.FormatInt(app, 10) + "` - check run can only be modified by the GitHub App that created it.")
	}
	return nil
}

// listChecks lists the check runs of a commit; by default the latest of each
// App and name alone.
func listChecks(r *request, sha string) (int, any) {
	q := r.URL.Query()
	type key struct {
		app  int64
		name string
	}
	list, seen := []any{}, map[key]bool{}
	for _, c := range slices.Backward(r.repo.checks) {
		if c.sha != sha || q.Get("check_name") != "" && q.Get("check_name") != c.name ||
			q.Get("app_id") != "" && q.Get("app_id") != strconv.FormatInt(c.app, 10) ||
			q.Get("status") != "" && q.Get("status") != c.status {
			continue
		}
		if k := (key{c.app, c.name}); q.Get("filter") == "all" || !seen[k] {
			seen[k] = true
			list = append(list, r.check(c))
		}
	}
	return http.StatusOK, object{"total_count": len(list), "check_runs": r.page(list)}
}

func listAnnotations(r *request) (int, any) {
	c := r.findCheck()
	if c == nil {
		return http.StatusNotFound, notFound()
	}
	list := []any{}
	for _, a := range c.annotations {
		o := object{"start_column": nil, "end_column": nil, "title": nil, "raw_details": nil,
			"blob_href": r.repoHTML() + "/blob/" + c.sha}
		for k, v := range a.(map[string]any) {
			o[k] = v
		}
		list = append(list, o)
	}
	return http.StatusOK, r.page(list)
}

func rerequestCheck(r *request) (int, any) {
	c := r.findCheck()
	if c == nil {
		return http.StatusNotFound, notFound()
	}
	run := r.check(c)
	run["check_suite"] = r.suite(c)
	if run["details_url"] == nil { // GitHub names the App's own page
		run["details_url"] = r.repoHTML()
	}
	r.post("check_run", "rerequested", object{"check_run": run})
	return http.StatusCreated, object{}
}

func rerequestSuite(r *request) (int, any) {
	for _, c := range r.repo.checks {
		if strconv.FormatInt(c.suite(), 10) == r.PathValue("id") {
			r.post("check_suite", "rerequested", object{"check_suite": r.suite(c)})
			return http.StatusCreated, object{}
		}
	}
	return http.StatusNotFound, notFound()
}

// suite is the suite of a check run, as events have it.
func (r *request) suite(c *checkRun) object {
	api := r.repoAPI() + "/check-suites/" + strconv.FormatInt(c.suite(), 10)
	o := object{
		"id": c.suite(), "node_id": nodeID("CheckSuite", c.suite()), "head_branch": nil, "head_sha": c.sha, "status": "queued",
		"conclusion": nil, "url": api, "before": nil, "after": nil, "pull_requests": r.pullsOf(c.sha), "app": r.app(max(c.app, 1)),
		"created_at": now(), "updated_at": now(), "latest_check_runs_count": 1, "check_runs_url": api + "/check-runs", "head_commit": r.simpleCommit(c.sha),
	}
	for _, p := range r.repo.pulls {
		if p.headSHA == c.sha && p.fork == nil {
			o["head_branch"] = p.head
		}
	}
	return o
}

// pullsOf are the open pull requests that a commit is the head of, in the
// short form; GitHub does not name those of forks.
func (r *request) pullsOf(sha string) []any {
	list := []any{}
	repo := object{"id": numberOf(r.repo.owner + "/" + r.repo.name), "url": r.repoAPI(), "name": r.repo.name}
	for _, p := range r.repo.pulls {
		if p.state == "open" && p.headSHA == sha && p.fork == nil {
			list = append(list, object{
				"id": p.id, "number": p.number, "url": r.repoAPI() + "/pulls/" + strconv.Itoa(p.number),
				"head": object{"ref": p.head, "sha": p.headSHA, "repo": repo}, "base": object{"ref": p.base, "sha": p.baseSHA, "repo": repo},
			})
		}
	}
	return list
}

func (r *request) simpleCommit(sha string) object {
	c, err := r.repo.commit(sha)
	if err != nil {
		return nil
	}
	return object{
		"id": sha, "tree_id": c.tree, "message": c.message, "timestamp": c.committed,
		"author":    object{"name": c.authorName, "email": c.authorEmail},
		"committer": object{"name": c.committerName, "email": c.committerEmail},
	}
}

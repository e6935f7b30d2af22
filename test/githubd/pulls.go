package githubd

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxText is GitHub's bound on a body, in characters.
const maxText = 65_536

// pull is what a pull request has beside its issue.
type pull struct {
	*issue
	head, base       string // branch names
	headSHA, baseSHA string
	mergedAt         string
	mergeSHA         string
	mergedBy         string
	fork             *repository // that the head is of, nil for the same
}

// headBranch is what the head's branch points at, "" when it is gone.
func (r *request) headBranch(p *pull) string {
	if p.fork != nil {
		return p.fork.branch(p.head)
	}
	return r.repo.branch(p.head)
}

// syncPulls takes over what a push did: heads that moved, branches that are
// gone, heads that were merged.
func (r *request) syncPulls() {
	for _, p := range r.repo.pulls {
		if p.state != "open" {
			continue
		}
		base := r.repo.branch(p.base)
		head, was := r.headBranch(p), p.headSHA
		if head != "" && head != was && r.keepHead(p) == nil {
			p.headSHA = head
			r.pullEvent(p, "synchronize", object{"before": was, "after": head})
		}
		if base != "" {
			p.baseSHA = base
		}
		switch {
		case base != "" && r.repo.isAncestor(p.headSHA, base):
			p.close()
			p.mergedAt, p.mergedBy, p.mergeSHA = now(), r.login, base
			r.pullEvent(p, "closed", nil)
		case head == "":
			p.close()
			r.pullEvent(p, "closed", nil)
		}
	}
}

func (r *request) pull(p *pull, long bool) object {
	api := r.repoAPI() + "/pulls/" + strconv.Itoa(p.number)
	issueAPI := r.repoAPI() + "/issues/" + strconv.Itoa(p.number)
	html := r.repoHTML() + "/pull/" + strconv.Itoa(p.number)
	side := func(of *repository, ref, sha string) object {
		if of == nil {
			of = r.repo
		}
		in := *r
		in.repo = of
		return object{"label": of.owner + ":" + ref, "ref": ref, "sha": sha, "user": r.user(of.owner), "repo": in.repository()}
	}
	statuses := r.repoAPI() + "/statuses/" + p.headSHA
	o := object{
		"id": p.id, "node_id": nodeID("PullRequest", p.id), "number": p.number, "url": api, "html_url": html,
		"diff_url": html + ".diff", "patch_url": html + ".patch", "issue_url": issueAPI, "commits_url": api + "/commits",
		"review_comments_url": api + "/comments", "review_comment_url": r.repoAPI() + "/pulls/comments{/number}",
		"comments_url": issueAPI + "/comments", "statuses_url": statuses, "state": p.state, "locked": false,
		"title": p.title, "body": p.body, "user": r.user(p.author), "labels": r.labelList(p.labels), "milestone": nil,
		"created_at": p.created, "updated_at": p.updated, "closed_at": orNil(p.closed), "merged_at": orNil(p.mergedAt),
		"merge_commit_sha": orNil(p.mergeSHA), "assignee": nil, "draft": false, "auto_merge": nil,
		"author_association": "CONTRIBUTOR", "head": side(p.fork, p.head, p.headSHA), "base": side(nil, p.base, p.baseSHA),
		"_links": object{
			"self": object{"href": api}, "html": object{"href": html}, "issue": object{"href": issueAPI},
			"comments": object{"href": issueAPI + "/comments"}, "commits": object{"href": api + "/commits"},
			"statuses": object{"href": statuses}, "review_comments": object{"href": api + "/comments"},
			"review_comment": object{"href": r.repoAPI() + "/pulls/comments{/number}"},
		},
	}
	if !long {
		return o
	}
	_, mergeable := r.repo.merge(p.baseSHA, p.headSHA)
	o["merged"], o["mergeable"], o["mergeable_state"], o["merged_by"] = p.mergedAt != "", mergeable, "clean", nil
	if !mergeable {
		o["mergeable_state"] = "dirty"
	}
	if p.mergedBy != "" {
		o["merged_by"] = r.user(p.mergedBy)
	}
	adds, dels := 0, 0
	files := r.files(r.repo.mergeBase(p.baseSHA, p.headSHA), p.headSHA)
	for _, f := range files {
		adds, dels = adds+f.(object)["additions"].(int), dels+f.(object)["deletions"].(int)
	}
	o["comments"], o["review_comments"], o["maintainer_can_modify"] = len(r.repo.commentsOf(p.number)), 0, false
	o["commits"], o["additions"], o["deletions"], o["changed_files"] = r.repo.count(p.baseSHA, p.headSHA), adds, dels, len(files)
	return o
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func listPulls(r *request) (int, any) {
	q := r.URL.Query()
	state, head := q.Get("state"), q.Get("head")
	if state == "" {
		state = "open"
	}
	list := []any{}
	for _, p := range r.repo.pulls {
		if state != "all" && state != p.state ||
			head != "" && head != r.repo.owner+":"+p.head ||
			q.Get("base") != "" && q.Get("base") != p.base {
			continue
		}
		list = append(list, r.pull(p, false))
	}
	if q.Get("direction") != "asc" { // newest first unless told otherwise
		reverse(list)
	}
	return http.StatusOK, r.page(list)
}

func reverse(list []any) {
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
}

func createPull(r *request) (int, any) {
	var in struct{ Title, Head, Base, Body string }
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	const unprocessable = http.StatusUnprocessableEntity
	p := &pull{head: in.Head, base: in.Base}
	if owner, branch, ok := strings.Cut(in.Head, ":"); ok {
		if p.head = branch; owner != r.repo.owner {
			p.fork = r.s.find(owner, r.repo.name)
		}
	}
	head := p.head
	headSHA, baseSHA := r.headBranch(p), r.repo.branch(in.Base)
	switch {
	case in.Title == "":
		return unprocessable, invalid("PullRequest", "title", "missing_field", "")
	case baseSHA == "":
		return unprocessable, invalid("PullRequest", "base", "invalid", "")
	case headSHA == "":
		return unprocessable, invalid("PullRequest", "head", "invalid", "")
	case utf8.RuneCountInString(in.Body) > maxText:
		return unprocessable, invalid("PullRequest", "body", "custom", "body is too long (maximum is 65536 characters)")
	}
	for _, other := range r.repo.pulls {
		if other.state == "open" && other.head == head && other.base == in.Base && other.fork == p.fork {
			return unprocessable, invalid("PullRequest", "", "custom", "A pull request already exists for "+r.repo.owner+":"+head+".")
		}
	}
	if r.repo.isAncestor(headSHA, baseSHA) {
		return unprocessable, invalid("PullRequest", "", "custom", "No commits between "+in.Base+" and "+head)
	}
	p.issue, p.headSHA, p.baseSHA = r.newIssue(in.Title, in.Body), headSHA, baseSHA
	p.pull = p
	if err := r.keepHead(p); err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	r.repo.pulls = append(r.repo.pulls, p)
	r.pullEvent(p, "opened", nil)
	return http.StatusCreated, r.pull(p, true)
}

func (r *request) findPull() *pull {
	n := atoi(r.PathValue("number"))
	for _, p := range r.repo.pulls {
		if p.number == n {
			return p
		}
	}
	return nil
}

func getPull(r *request) (int, any) {
	p := r.findPull()
	if p == nil {
		return http.StatusNotFound, notFound()
	}
	return http.StatusOK, r.pull(p, true)
}

func updatePull(r *request) (int, any) {
	p := r.findPull()
	if p == nil {
		return http.StatusNotFound, notFound()
	}
	var in struct{ Title, Body, State, Base *string }
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	if in.Base != nil {
		if r.repo.branch(*in.Base) == "" {
			return http.StatusUnprocessableEntity, invalid("PullRequest", "base", "invalid", "")
		}
		was := p.base
		p.base, p.baseSHA = *in.Base, r.repo.branch(*in.Base)
		defer r.pullEvent(p, "edited", object{"changes": object{"base": object{"ref": object{"from": was}, "sha": object{"from": p.baseSHA}}}})
	}
	before := p.state
	if problem := r.change(p.issue, in.Title, in.Body, in.State); problem != nil {
		return http.StatusUnprocessableEntity, problem
	}
	if p.state != before {
		r.pullEvent(p, map[string]string{"open": "reopened", "closed": "closed"}[p.state], nil)
	}
	return http.StatusOK, r.pull(p, true)
}

func pullFiles(r *request) (int, any) {
	p := r.findPull()
	if p == nil {
		return http.StatusNotFound, notFound()
	}
	return http.StatusOK, r.page(r.files(r.repo.mergeBase(p.baseSHA, p.headSHA), p.headSHA))
}

func mergePull(r *request) (int, any) {
	p := r.findPull()
	if p == nil {
		return http.StatusNotFound, notFound()
	}
	var in struct {
		Title   string `json:"commit_title"`
		Message string `json:"commit_message"`
		SHA     string
		Method  string `json:"merge_method"`
	}
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	if in.SHA != "" && in.SHA != p.headSHA {
		return http.StatusConflict, message("Head branch was modified. Review and try the merge again.")
	}
	tree, clean := r.repo.merge(p.baseSHA, p.headSHA)
	if p.state != "open" || !clean || in.Method == "rebase" {
		return http.StatusMethodNotAllowed, message("Pull Request is not mergeable")
	}
	title, text := fmt.Sprintf("Merge pull request #%d from %s/%s", p.number, r.repo.owner, p.head), p.title
	args := []string{"commit-tree", tree, "-F", "-", "-p", p.baseSHA}
	if in.Method == "squash" {
		title, text = fmt.Sprintf("%s (#%d)", p.title, p.number), p.body
	} else {
		args = append(args, "-p", p.headSHA)
	}
	if in.Title != "" {
		title = in.Title
	}
	if in.Message != "" {
		text = in.Message
	}
	out, err := r.repo.git([]byte(title+"\n\n"+text), nil, args...)
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	sha := strings.TrimSpace(out)
	if err := r.repo.setRef("heads/"+p.base, sha, p.baseSHA); err != nil {
		return http.StatusConflict, message("Base branch was modified. Review and try the merge again.")
	}
	r.repo.signed[sha] = true
	p.close()
	p.mergedAt, p.mergedBy, p.mergeSHA = now(), r.login, sha
	r.pullEvent(p, "closed", nil)
	return http.StatusOK, object{"sha": sha, "merged": true, "message": "Pull Request successfully merged"}
}

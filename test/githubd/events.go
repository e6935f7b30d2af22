package githubd

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	hookTimeout = time.Minute // GitHub gives up after ten seconds; a busy machine may need more
	maxAnswer   = 1 << 20
)

const noCommit = "0000000000000000000000000000000000000000"

// branches are the branches and what they point at.
func (r *repository) branches() map[string]string {
	out, err := r.git(nil, nil, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads/")
	heads := map[string]string{}
	if err != nil {
		return heads
	}
	for line := range strings.Lines(out) {
		if sha, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			heads[name] = sha
		}
	}
	return heads
}

// notice finds out what was done to the repository since the last time, by
// whatever way, and sends events of it.
func (r *request) notice() {
	if len(r.s.hooks) > 0 {
		was, is := r.repo.heads, r.repo.branches()
		r.repo.heads = is
		for _, name := range changed(was, is) {
			r.pushed(name, was[name], is[name])
		}
	}
	r.syncPulls()
}

func changed(was, is map[string]string) (names []string) {
	for name, sha := range is {
		if was[name] != sha {
			names = append(names, name)
		}
	}
	for name := range was {
		if is[name] == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// noticed is notice around a push, by Git itself or by hand.
func (s *Server) noticed(r *http.Request, owner, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	req := &request{Request: r, s: s, base: "http://" + r.Host}
	req.login, _ = s.login(r)
	if req.repo = s.find(owner, name); req.repo != nil {
		req.notice()
	}
}

// Notice looks at what was done to a repository past the Server, and sends
// events of it. r is any request to the Server, which says who and where.
func (s *Server) Notice(r *http.Request, owner, name string) { s.noticed(r, owner, name) }

func (r *request) pushed(branch, before, after string) {
	created, deleted := before == "", after == ""
	if created {
		before = noCommit
	}
	if deleted {
		after = noCommit
	}
	payload := object{
		"ref": "refs/heads/" + branch, "before": before, "after": after, "created": created, "deleted": deleted, "forced": false,
		"base_ref": nil, "compare": r.repoHTML() + "/compare/" + before[:12] + "..." + after[:12], "commits": []any{}, "head_commit": nil,
		"pusher": object{"name": r.login, "email": r.login + "@example.com"},
	}
	r.post("push", "", payload)
}

// pullEvent sends what happened to a pull request.
func (r *request) pullEvent(p *pull, action string, more object) {
	if len(r.s.hooks) == 0 {
		return
	}
	o := r.pull(p, true)
	o["assignees"], o["requested_reviewers"], o["requested_teams"], o["active_lock_reason"] = []any{}, []any{}, []any{}, nil
	payload := object{"number": p.number, "pull_request": o}
	for k, v := range more {
		payload[k] = v
	}
	r.post("pull_request", action, payload)
}

// keepHead keeps refs/pull/N/head where the head is, and takes over the
// commits of a fork.
func (r *request) keepHead(p *pull) error {
	from := r.repo.dir
	if p.fork != nil {
		from = p.fork.dir
	}
	_, err := r.repo.git(nil, nil, "fetch", "--quiet", "--no-tags", from,
		"+refs/heads/"+p.head+":refs/pull/"+strconv.Itoa(p.number)+"/head")
	return err
}

// QueueMerge puts an open pull request into the merge queue: what it would
// merge is a branch of its own, and checks of that are asked for. r is any
// request to the Server.
func (s *Server) QueueMerge(r *http.Request, owner, name string, number int) (sha string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	req := &request{Request: r, s: s, base: "http://" + r.Host, login: "github-merge-queue[bot]"}
	if req.repo = s.find(owner, name); req.repo == nil {
		return "", fmt.Errorf("queue merge: no repository %s/%s", owner, name)
	}
	req.notice()
	i := slices.IndexFunc(req.repo.pulls, func(p *pull) bool { return p.number == number && p.state == "open" })
	if i < 0 {
		return "", fmt.Errorf("queue merge: no open pull request %d", number)
	}
	p := req.repo.pulls[i]
	tree, clean := req.repo.merge(p.baseSHA, p.headSHA)
	if !clean {
		return "", fmt.Errorf("queue merge: pull request %d conflicts", number)
	}
	out, err := req.repo.git(nil, nil, "commit-tree", tree, "-p", p.baseSHA, "-p", p.headSHA, "-m", fmt.Sprintf("Merge pull request #%d", number))
	if err != nil {
		return "", fmt.Errorf("queue merge: %w", err)
	}
	sha = strings.TrimSpace(out)
	branch := fmt.Sprintf("gh-readonly-queue/%s/pr-%d-%s", p.base, number, p.baseSHA)
	if err := req.repo.setRef("heads/"+branch, sha, req.repo.branch(branch)); err != nil {
		return "", fmt.Errorf("queue merge: %w", err)
	}
	req.notice()
	req.post("merge_group", "checks_requested", object{"merge_group": object{
		"head_sha": sha, "head_ref": "refs/heads/" + branch, "base_sha": p.baseSHA, "base_ref": "refs/heads/" + p.base,
		"head_commit": req.simpleCommit(sha),
	}})
	return sha, nil
}

package githubd

import (
	"encoding/base64"
	"net/http"
	"path"
	"strings"
)

func rateLimit(*request) (int, any) {
	core := object{"limit": 5000, "used": 1, "remaining": 4999, "reset": 4102444800}
	return http.StatusOK, object{"resources": object{"core": core, "search": core}, "rate": core}
}

func getRepository(r *request) (int, any) { return http.StatusOK, r.repository() }

func getBranch(r *request) (int, any) {
	name := r.PathValue("branch")
	sha := r.repo.branch(name)
	if sha == "" {
		return http.StatusNotFound, message("Branch not found")
	}
	c, err := r.repo.commit(sha)
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	url := r.repoAPI() + "/branches/" + escapePath(name)
	return http.StatusOK, object{
		"name": name, "commit": r.commit(c), "protected": false,
		"_links":     object{"self": url, "html": r.repoHTML() + "/tree/" + escapePath(name)},
		"protection": object{"enabled": false}, "protection_url": url + "/protection",
	}
}

func getContents(r *request) (int, any) {
	ref := r.URL.Query().Get("ref")
	if ref == "" {
		ref = r.repo.defaultBranch()
	}
	name := strings.Trim(r.PathValue("path"), "/")
	sha := r.repo.resolve(ref + ":" + name)
	switch r.repo.kind(sha) {
	case "blob":
		out, err := r.repo.git(nil, nil, "cat-file", "blob", sha)
		if err != nil {
			return http.StatusInternalServerError, message(err.Error())
		}
		o := r.entry(ref, name, sha, "file", len(out))
		o["content"], o["encoding"] = base64.StdEncoding.EncodeToString([]byte(out)), "base64"
		return http.StatusOK, o
	case "tree":
		_, tree := r.treeObject(http.StatusOK, sha, false)
		list := []any{}
		for _, e := range tree.(object)["tree"].([]any) {
			e := e.(object)
			kind, size := "file", 0
			switch e["type"] {
			case "tree":
				kind = "dir"
			case "blob":
				size = e["size"].(int)
			}
			list = append(list, r.entry(ref, path.Join(name, e["path"].(string)), e["sha"].(string), kind, size))
		}
		return http.StatusOK, list
	}
	return http.StatusNotFound, notFound()
}

func (r *request) entry(ref, name, sha, kind string, size int) object {
	under := "blobs"
	if kind == "dir" {
		under = "trees"
	}
	self := r.repoAPI() + "/contents/" + escapePath(name) + "?ref=" + ref
	git := r.repoAPI() + "/git/" + under + "/" + sha
	html := r.repoHTML() + "/blob/" + ref + "/" + escapePath(name)
	return object{
		"type": kind, "size": size, "name": path.Base(name), "path": name, "sha": sha, "url": self, "git_url": git,
		"html_url": html, "download_url": r.repoHTML() + "/raw/" + ref + "/" + escapePath(name),
		"_links": object{"self": self, "git": git, "html": html},
	}
}

func compare(r *request) (int, any) {
	from, to, ok := strings.Cut(r.PathValue("basehead"), "...")
	base, head := r.repo.resolve(from+"^{commit}"), r.repo.resolve(to+"^{commit}")
	if !ok || base == "" || head == "" {
		return http.StatusNotFound, notFound()
	}
	fork := r.repo.mergeBase(base, head)
	if fork == "" {
		return http.StatusNotFound, message("No common ancestor between " + from + " and " + to)
	}
	ahead, behind := r.repo.count(base, head), r.repo.count(head, base)
	state := "identical"
	switch {
	case ahead > 0 && behind > 0:
		state = "diverged"
	case ahead > 0:
		state = "ahead"
	case behind > 0:
		state = "behind"
	}
	baseCommit, err := r.repo.commit(base)
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	forkCommit, err := r.repo.commit(fork)
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	html := r.repoHTML() + "/compare/" + base + "..." + head
	return http.StatusOK, object{
		"url": r.repoAPI() + "/compare/" + base + "..." + head, "html_url": html, "permalink_url": html,
		"diff_url": html + ".diff", "patch_url": html + ".patch", "base_commit": r.commit(baseCommit),
		"merge_base_commit": r.commit(forkCommit), "status": state, "ahead_by": ahead, "behind_by": behind,
		"total_commits": ahead, "commits": r.commitList(r.repo.list(base, head)), "files": r.files(fork, head),
	}
}

func (r *request) commitList(shas []string) []any {
	list := []any{}
	for _, sha := range shas {
		if c, err := r.repo.commit(sha); err == nil {
			list = append(list, r.commit(c))
		}
	}
	return list
}

// commitsOf serves what lies under /commits/: a commit, its statuses, its
// check runs, and its pull requests. The revision may hold slashes.
func commitsOf(r *request) (int, any) {
	rest := r.PathValue("rest")
	for suffix, h := range map[string]func(*request, string) (int, any){
		"/status": combinedStatus, "/statuses": listStatuses, "/check-runs": listChecks, "/pulls": pullsOf,
	} {
		if rev, ok := strings.CutSuffix(rest, suffix); ok {
			sha := r.repo.resolve(rev + "^{commit}")
			if sha == "" {
				return http.StatusUnprocessableEntity, message("No commit found for SHA: " + rev)
			}
			return h(r, sha)
		}
	}
	sha := r.repo.resolve(rest + "^{commit}")
	if sha == "" {
		return http.StatusUnprocessableEntity, message("No commit found for SHA: " + rest)
	}
	c, err := r.repo.commit(sha)
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	o := r.commit(c)
	if len(c.parents) > 0 {
		o["files"] = r.files(c.parents[0], sha)
	}
	return http.StatusOK, o
}

func pullsOf(r *request, sha string) (int, any) {
	list := []any{}
	for _, p := range r.repo.pulls {
		if p.headSHA == sha || r.repo.isAncestor(sha, p.headSHA) && !r.repo.isAncestor(sha, p.baseSHA) {
			list = append(list, r.pull(p, false))
		}
	}
	return http.StatusOK, r.page(list)
}

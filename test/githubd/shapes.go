package githubd

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/url"
	"strings"
	"time"
)

// object is a JSON object of the API.
type object = map[string]any

func now() string { return time.Now().UTC().Format(time.RFC3339) }

func nodeID(kind string, id any) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%v", kind, id))
}

// numberOf gives a name a number that stays.
func numberOf(name string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int64(h.Sum32())
}

func (r *request) user(login string) object {
	api := r.base + "/users/" + url.PathEscape(login)
	return object{
		"login": login, "id": numberOf(login), "node_id": nodeID("User", login), "type": "User", "site_admin": false,
		"avatar_url": r.base + "/avatars/" + login, "gravatar_id": "", "url": api, "html_url": r.base + "/" + login,
		"followers_url": api + "/followers", "following_url": api + "/following{/other_user}",
		"gists_url": api + "/gists{/gist_id}", "starred_url": api + "/starred{/owner}{/repo}",
		"subscriptions_url": api + "/subscriptions", "organizations_url": api + "/orgs", "repos_url": api + "/repos",
		"events_url": api + "/events{/privacy}", "received_events_url": api + "/received_events",
	}
}

func (r *request) repoAPI() string  { return r.base + "/repos/" + r.repo.owner + "/" + r.repo.name }
func (r *request) repoHTML() string { return r.base + "/" + r.repo.owner + "/" + r.repo.name }

// repository is the long form, which the short forms are contained in.
func (r *request) repository() object {
	api, html, full := r.repoAPI(), r.repoHTML(), r.repo.owner+"/"+r.repo.name
	open := 0
	for _, i := range r.repo.issues {
		if i.state == "open" {
			open++
		}
	}
	o := object{
		"id": numberOf(full), "node_id": nodeID("Repository", full), "name": r.repo.name, "full_name": full,
		"owner": r.user(r.repo.owner), "private": true, "html_url": html, "description": nil, "fork": false, "url": api,
		"git_url": "git://" + r.Host + "/" + full + ".git", "ssh_url": "git@" + r.Host + ":" + full + ".git",
		"clone_url": html + ".git", "svn_url": html, "mirror_url": nil, "homepage": nil, "language": nil, "license": nil,
		"forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "subscribers_count": 0,
		"network_count": 0, "size": 0, "open_issues": open, "open_issues_count": open,
		"default_branch": r.repo.defaultBranch(), "has_issues": true, "has_projects": false, "has_wiki": false,
		"has_pages": false, "has_downloads": false, "has_discussions": false, "archived": false, "disabled": false,
		"visibility": "private", "topics": []any{}, "pushed_at": now(), "created_at": now(), "updated_at": now(),
	}
	for key, path := range map[string]string{
		"archive": "/{archive_format}{/ref}", "assignees": "/assignees{/user}", "blobs": "/git/blobs{/sha}",
		"branches": "/branches{/branch}", "collaborators": "/collaborators{/collaborator}", "comments": "/comments{/number}",
		"commits": "/commits{/sha}", "compare": "/compare/{base}...{head}", "contents": "/contents/{+path}",
		"contributors": "/contributors", "deployments": "/deployments", "downloads": "/downloads", "events": "/events",
		"forks": "/forks", "git_commits": "/git/commits{/sha}", "git_refs": "/git/refs{/sha}", "git_tags": "/git/tags{/sha}",
		"issue_comment": "/issues/comments{/number}", "issue_events": "/issues/events{/number}", "issues": "/issues{/number}",
		"keys": "/keys{/key_id}", "labels": "/labels{/name}", "languages": "/languages", "merges": "/merges",
		"milestones": "/milestones{/number}", "notifications": "/notifications{?since,all,participating}",
		"pulls": "/pulls{/number}", "releases": "/releases{/id}", "stargazers": "/stargazers", "statuses": "/statuses/{sha}",
		"subscribers": "/subscribers", "subscription": "/subscription", "tags": "/tags", "teams": "/teams",
		"trees": "/git/trees{/sha}", "hooks": "/hooks",
	} {
		o[key+"_url"] = api + path
	}
	return o
}

func (r *request) gitCommit(c commit) object {
	api := r.repoAPI()
	return object{
		"sha": c.sha, "node_id": nodeID("Commit", c.sha), "url": api + "/git/commits/" + c.sha,
		"html_url": r.repoHTML() + "/commit/" + c.sha, "message": c.message,
		"author":    object{"name": c.authorName, "email": c.authorEmail, "date": c.authored},
		"committer": object{"name": c.committerName, "email": c.committerEmail, "date": c.committed},
		"tree":      object{"sha": c.tree, "url": api + "/git/trees/" + c.tree},
		"parents":   r.parents(c, "/git/commits/"), "verification": r.verification(c),
	}
}

func (r *request) parents(c commit, under string) []any {
	parents := []any{}
	for _, p := range c.parents {
		parents = append(parents, object{"sha": p, "url": r.repoAPI() + under + p, "html_url": r.repoHTML() + "/commit/" + p})
	}
	return parents
}

// verification says that GitHub signed what was made over the API without an
// author of its own.
func (r *request) verification(c commit) object {
	if !r.repo.signed[c.sha] {
		return object{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
	}
	return object{"verified": true, "reason": "valid", "signature": "-----BEGIN PGP SIGNATURE-----", "payload": "tree " + c.tree, "verified_at": c.committed}
}

// commit is the form of the repository's API, which has files beside.
func (r *request) commit(c commit) object {
	api := r.repoAPI()
	url := api + "/commits/" + c.sha
	return object{
		"sha": c.sha, "node_id": nodeID("Commit", c.sha), "url": url, "html_url": r.repoHTML() + "/commit/" + c.sha,
		"comments_url": url + "/comments", "author": nil, "committer": nil, "parents": r.parents(c, "/commits/"),
		"commit": object{
			"author":    object{"name": c.authorName, "email": c.authorEmail, "date": c.authored},
			"committer": object{"name": c.committerName, "email": c.committerEmail, "date": c.committed},
			"message":   c.message, "comment_count": 0, "url": api + "/git/commits/" + c.sha,
			"tree": object{"sha": c.tree, "url": api + "/git/trees/" + c.tree}, "verification": r.verification(c),
		},
	}
}

// files are the files that differ, as diff entries.
func (r *request) files(from, to string) []any {
	list := []any{}
	raw, err := r.repo.git(nil, nil, "diff-tree", "-r", "-z", "--raw", "--numstat", "--no-renames", "--no-abbrev", from, to)
	if err != nil {
		return list
	}
	stat := map[string]object{}
	var names []string
	fields := strings.Split(strings.TrimSuffix(raw, "\x00"), "\x00")
	for i := 0; i < len(fields); i++ {
		if f, ok := strings.CutPrefix(fields[i], ":"); ok { // ":mode mode id id X", path
			part := strings.Fields(f)
			i++
			state := map[string]string{"A": "added", "D": "removed", "M": "modified", "T": "changed"}[part[4]]
			id := part[3]
			if state == "removed" {
				id = part[2]
			}
			names = append(names, fields[i])
			stat[fields[i]] = object{"sha": id, "filename": fields[i], "status": state}
			continue
		}
		n := strings.SplitN(fields[i], "\t", 3) // added, deleted, path
		if len(n) == 3 && stat[n[2]] != nil {
			add, del := atoi(n[0]), atoi(n[1])
			o, esc := stat[n[2]], escapePath(n[2])
			o["additions"], o["deletions"], o["changes"] = add, del, add+del
			o["blob_url"] = r.repoHTML() + "/blob/" + to + "/" + esc
			o["raw_url"] = r.repoHTML() + "/raw/" + to + "/" + esc
			o["contents_url"] = r.repoAPI() + "/contents/" + esc + "?ref=" + to
		}
	}
	for _, n := range names {
		list = append(list, stat[n])
	}
	return list
}

func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

func atoi(s string) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// page cuts a list to the page that is asked for and sets the Link header.
func (r *request) page(list []any) []any {
	q := r.URL.Query()
	per, page := atoi(q.Get("per_page")), atoi(q.Get("page"))
	if per < 1 || per > 100 {
		per = 30
	}
	page = max(page, 1)
	from, to := min((page-1)*per, len(list)), min(page*per, len(list))
	if to < len(list) {
		q.Set("page", fmt.Sprint(page+1))
		next := r.base + r.URL.Path + "?" + q.Encode()
		q.Set("page", fmt.Sprint((len(list)+per-1)/per))
		r.link = fmt.Sprintf(`<%s>; rel="next", <%s?%s>; rel="last"`, next, r.base+r.URL.Path, q.Encode())
	}
	return append([]any{}, list[from:to]...)
}

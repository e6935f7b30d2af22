package githubd

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func (r *request) refObject(ref, sha string) object {
	kind := r.repo.kind(sha)
	return object{
		"ref": ref, "node_id": nodeID("Ref", ref), "url": r.repoAPI() + "/git/" + ref,
		"object": object{"sha": sha, "type": kind, "url": r.repoAPI() + "/git/" + kind + "s/" + sha},
	}
}

func getRef(r *request) (int, any) {
	name := r.PathValue("ref")
	sha := r.repo.ref(name)
	if sha == "" {
		return http.StatusNotFound, notFound()
	}
	return http.StatusOK, r.refObject("refs/"+name, sha)
}

func matchingRefs(r *request) (int, any) {
	out, err := r.repo.git(nil, nil, "for-each-ref", "--format=%(objectname) %(refname)")
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	list := []any{}
	for line := range strings.Lines(out) {
		sha, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(ref, "refs/"+r.PathValue("ref")) {
			list = append(list, r.refObject(ref, sha))
		}
	}
	return http.StatusOK, list
}

func createRef(r *request) (int, any) {
	var in struct{ Ref, SHA string }
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	name, ok := strings.CutPrefix(in.Ref, "refs/")
	switch {
	case !ok || strings.Count(in.Ref, "/") < 2:
		return http.StatusUnprocessableEntity, message("Reference name must start with 'refs/' and have at least two slashes.")
	case r.repo.kind(in.SHA) == "":
		return http.StatusUnprocessableEntity, message("Object does not exist")
	case r.repo.ref(name) != "":
		return http.StatusUnprocessableEntity, message("Reference already exists")
	}
	if err := r.repo.setRef(name, in.SHA, ""); err != nil {
		return http.StatusUnprocessableEntity, message("Reference update failed")
	}
	return http.StatusCreated, r.refObject(in.Ref, in.SHA)
}

func updateRef(r *request) (int, any) {
	var in struct {
		SHA   string
		Force bool
	}
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	name := r.PathValue("ref")
	old := r.repo.ref(name)
	switch {
	case old == "":
		return http.StatusUnprocessableEntity, message("Reference does not exist")
	case r.repo.kind(in.SHA) == "":
		return http.StatusUnprocessableEntity, message("Object does not exist")
	case !in.Force && !r.repo.isAncestor(old, in.SHA):
		return http.StatusUnprocessableEntity, message("Update is not a fast forward")
	}
	if err := r.repo.setRef(name, in.SHA, old); err != nil {
		return http.StatusConflict, message("Reference update failed")
	}
	r.syncPulls()
	return http.StatusOK, r.refObject("refs/"+name, in.SHA)
}

func deleteRef(r *request) (int, any) {
	name := r.PathValue("ref")
	if r.repo.ref(name) == "" {
		return http.StatusUnprocessableEntity, message("Reference does not exist")
	}
	if _, err := r.repo.git(nil, nil, "update-ref", "-d", "refs/"+name); err != nil {
		return http.StatusConflict, message("Reference update failed")
	}
	r.syncPulls()
	return http.StatusNoContent, nil
}

func getGitCommit(r *request) (int, any) {
	sha := r.PathValue("sha")
	if r.repo.kind(sha) != "commit" {
		return http.StatusNotFound, notFound()
	}
	c, err := r.repo.commit(sha)
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	return http.StatusOK, r.gitCommit(c)
}

func createCommit(r *request) (int, any) {
	type person struct{ Name, Email, Date string }
	var in struct {
		Message, Tree     string
		Parents           []string
		Author, Committer *person
	}
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	if r.repo.kind(in.Tree) != "tree" {
		return http.StatusUnprocessableEntity, message("Tree SHA does not exist")
	}
	args := []string{"commit-tree", in.Tree, "-F", "-"}
	for _, p := range in.Parents {
		if r.repo.kind(p) != "commit" {
			return http.StatusUnprocessableEntity, message("Parent SHA does not exist or is not a commit object")
		}
		args = append(args, "-p", p)
	}
	env := []string{"GIT_AUTHOR_NAME=" + r.login, "GIT_AUTHOR_EMAIL=" + r.login + "@users.noreply.github.com"}
	if in.Author != nil {
		env = []string{"GIT_AUTHOR_NAME=" + in.Author.Name, "GIT_AUTHOR_EMAIL=" + in.Author.Email}
	}
	out, err := r.repo.git([]byte(in.Message), env, args...)
	if err != nil {
		return http.StatusUnprocessableEntity, message(err.Error())
	}
	sha := strings.TrimSpace(out)
	if in.Author == nil && in.Committer == nil {
		r.repo.signed[sha] = true
	}
	c, err := r.repo.commit(sha)
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	return http.StatusCreated, r.gitCommit(c)
}

func getTree(r *request) (int, any) {
	sha := r.repo.resolve(r.PathValue("sha") + "^{tree}")
	if sha == "" {
		return http.StatusNotFound, notFound()
	}
	return r.treeObject(http.StatusOK, sha, r.URL.Query().Get("recursive") != "")
}

func (r *request) treeObject(code int, sha string, recursive bool) (int, any) {
	args := []string{"ls-tree", "-z", "-l", sha}
	if recursive {
		args = []string{"ls-tree", "-z", "-l", "-r", "-t", sha}
	}
	out, err := r.repo.git(nil, nil, args...)
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	list := []any{}
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		head, path, ok := strings.Cut(line, "\t")
		f := strings.Fields(head) // mode, type, ID, size
		if !ok || len(f) != 4 {
			continue
		}
		e := object{"path": path, "mode": f[0], "type": f[1], "sha": f[2]}
		if f[1] != "commit" {
			e["url"] = r.repoAPI() + "/git/" + f[1] + "s/" + f[2]
		}
		if f[1] == "blob" {
			e["size"] = atoi(f[3])
		}
		list = append(list, e)
	}
	return code, object{"sha": sha, "url": r.repoAPI() + "/git/trees/" + sha, "truncated": false, "tree": list}
}

// treeEntry is an entry of a tree to make. A SHA that is null deletes.
type treeEntry struct {
	Path, Mode, Type string
	SHA, Content     *string
}

var modeForm = regexp.MustCompile(`^(100644|100755|040000|160000|120000)$`)

func createTree(r *request) (int, any) {
	var in struct {
		BaseTree string `json:"base_tree"`
		Tree     []treeEntry
	}
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	if len(in.Tree) == 0 {
		return http.StatusUnprocessableEntity, message("Invalid tree info")
	}
	dir, err := os.MkdirTemp("", "githubd-")
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	defer os.RemoveAll(dir)
	env := []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
	if in.BaseTree != "" {
		if _, err := r.repo.git(nil, env, "read-tree", in.BaseTree); err != nil {
			return http.StatusUnprocessableEntity, message("base_tree is not a valid tree oid")
		}
	}
	var lines strings.Builder
	for _, e := range in.Tree {
		line, problem := r.treeLine(in.BaseTree, e)
		if problem != "" {
			return http.StatusUnprocessableEntity, message(problem)
		}
		lines.WriteString(line)
	}
	if _, err := r.repo.git([]byte(lines.String()), env, "update-index", "-z", "--index-info"); err != nil {
		return http.StatusUnprocessableEntity, message("tree.path contains a malformed path component")
	}
	out, err := r.repo.git(nil, env, "write-tree")
	if err != nil {
		return http.StatusUnprocessableEntity, message("Invalid tree info")
	}
	return r.treeObject(http.StatusCreated, strings.TrimSpace(out), false)
}

// treeLine is the entry for git update-index, or what is wrong with it.
func (r *request) treeLine(base string, e treeEntry) (line, problem string) {
	if !modeForm.MatchString(e.Mode) {
		return "", "tree.mode must be one of 100644, 100755, 040000, 160000, 120000"
	}
	if !fs.ValidPath(e.Path) || e.Path == "." {
		return "", "tree.path contains a malformed path component"
	}
	switch {
	case e.Content != nil && e.SHA != nil:
		return "", "Must supply either tree.sha or tree.content, not both"
	case e.Content != nil:
		out, err := r.repo.git([]byte(*e.Content), nil, "hash-object", "-w", "--stdin")
		if err != nil {
			return "", err.Error()
		}
		return fmt.Sprintf("%s %s\t%s\x00", e.Mode, strings.TrimSpace(out), e.Path), ""
	case e.SHA != nil:
		if e.Mode != "160000" && r.repo.kind(*e.SHA) != "blob" {
			return "", "tree.sha " + *e.SHA + " is not a valid blob"
		}
		return fmt.Sprintf("%s %s\t%s\x00", e.Mode, *e.SHA, e.Path), ""
	}
	if base == "" || r.repo.resolve(base+":"+e.Path) == "" {
		return "", "GitRPC::BadObjectState"
	}
	return fmt.Sprintf("0 %s\t%s\x00", strings.Repeat("0", 40), e.Path), ""
}

func getBlob(r *request) (int, any) {
	sha := r.PathValue("sha")
	if r.repo.kind(sha) != "blob" {
		return http.StatusNotFound, notFound()
	}
	out, err := r.repo.git(nil, nil, "cat-file", "blob", sha)
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	return http.StatusOK, object{
		"sha": sha, "node_id": nodeID("Blob", sha), "size": len(out), "url": r.repoAPI() + "/git/blobs/" + sha,
		"content": base64.StdEncoding.EncodeToString([]byte(out)), "encoding": "base64",
	}
}

func createBlob(r *request) (int, any) {
	var in struct{ Content, Encoding string }
	if err := r.decode(&in); err != nil {
		return http.StatusBadRequest, message("Problems parsing JSON")
	}
	content := []byte(in.Content)
	if in.Encoding == "base64" {
		var err error
		if content, err = base64.StdEncoding.DecodeString(in.Content); err != nil {
			return http.StatusUnprocessableEntity, message("content is not valid Base64")
		}
	}
	out, err := r.repo.git(content, nil, "hash-object", "-w", "--stdin")
	if err != nil {
		return http.StatusInternalServerError, message(err.Error())
	}
	sha := strings.TrimSpace(out)
	return http.StatusCreated, object{"sha": sha, "url": r.repoAPI() + "/git/blobs/" + sha}
}

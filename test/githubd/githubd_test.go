package githubd_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/test/githubd"
	"github.com/syncgate/syncgate/test/githubd/npm"
	"github.com/syncgate/syncgate/test/githubd/openapi"
	"github.com/syncgate/syncgate/test/gitops/source"
)

var loadSpec = sync.OnceValues(func() (*openapi.Spec, error) {
	return openapi.Load(context.Background(), filepath.Join("..", "..", ".cache", "githubd"))
})

// hub is a githubd with one repository, o/r, every call of which is held
// against GitHub's description.
type hub struct {
	t   *testing.T
	d   *githubd.Server
	url string
	src *source.Repo
}

func newHub(t *testing.T) *hub {
	t.Helper()
	spec, err := loadSpec()
	if errors.Is(err, npm.ErrMissing) && os.Getenv("CI") == "" {
		t.Skip("GitHub's OpenAPI description comes from npm, which is not installed")
	}
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "o"), 0o755); err != nil {
		t.Fatal(err)
	}
	src := source.New(t, filepath.Join(root, "o", "r.git"))
	d := githubd.New(githubd.Options{Root: root, Tokens: map[string]string{"s3cr3t": "gate-bot"}})
	srv := httptest.NewServer(spec.Wrap(d, func(err error) { t.Error(err) }))
	t.Cleanup(srv.Close)
	return &hub{t: t, d: d, url: srv.URL, src: src}
}

// call makes one call and returns status and answer.
func (h *hub) call(method, path string, body any) (int, any) {
	h.t.Helper()
	var b bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			h.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, &b)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer s3cr3t")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer any
	if resp.StatusCode != http.StatusNoContent {
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			h.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return resp.StatusCode, answer
}

// want makes a call that must answer with the status.
func (h *hub) want(status int, method, path string, body any) any {
	h.t.Helper()
	got, answer := h.call(method, path, body)
	if got != status {
		h.t.Fatalf("%s %s = %d %v, want %d", method, path, got, answer, status)
	}
	return answer
}

// at digs into an answer.
func at(v any, keys ...any) any {
	for _, k := range keys {
		switch k := k.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			v = m[k]
		case int:
			l, ok := v.([]any)
			if !ok || k >= len(l) {
				return nil
			}
			v = l[k]
		}
	}
	return v
}

type o = map[string]any

func TestGitData(t *testing.T) {
	h := newHub(t)
	head := h.src.Commit("one", map[string]string{"a.yaml": "1\n", "d/b.yaml": "2\n", "d/c.yaml": "3\n"})
	repo := h.want(200, "GET", "/repos/o/r", nil)
	if at(repo, "default_branch") != "main" {
		t.Errorf("default branch %v", at(repo, "default_branch"))
	}
	h.want(404, "GET", "/repos/o/nope", nil)
	h.want(404, "GET", "/repos/o/r/git/ref/heads/nope", nil)
	if got := at(h.want(200, "GET", "/repos/o/r/git/ref/heads/main", nil), "object", "sha"); got != head {
		t.Errorf("main is %v, want %s", got, head)
	}
	blob := h.want(201, "POST", "/repos/o/r/git/blobs", o{"content": base64.StdEncoding.EncodeToString([]byte("x\x00y")), "encoding": "base64"})
	if got := at(h.want(200, "GET", fmt.Sprint("/repos/o/r/git/blobs/", at(blob, "sha")), nil), "content"); got != base64.StdEncoding.EncodeToString([]byte("x\x00y")) {
		t.Errorf("blob = %v", got)
	}
	tree := h.want(201, "POST", "/repos/o/r/git/trees", o{"base_tree": h.src.Tree("main"), "tree": []o{
		{"path": "a.yaml", "mode": "100644", "type": "blob", "content": "new\n"},
		{"path": "d/b.yaml", "mode": "100644", "type": "blob", "sha": nil},
		{"path": "e/bin", "mode": "100755", "type": "blob", "sha": at(blob, "sha")},
	}})
	for _, bad := range []o{
		{"path": "x", "mode": "100644", "type": "blob", "sha": strings.Repeat("1", 40)},
		{"path": "nope", "mode": "100644", "type": "blob", "sha": nil},
		{"path": "../x", "mode": "100644", "type": "blob", "content": "x"},
	} {
		h.want(422, "POST", "/repos/o/r/git/trees", o{"base_tree": h.src.Tree("main"), "tree": []o{bad}})
	}
	commit := h.want(201, "POST", "/repos/o/r/git/commits", o{"message": "two\n\nbody", "tree": at(tree, "sha"), "parents": []string{head}})
	if at(commit, "verification", "verified") != true {
		t.Error("a commit without an author of its own is not signed")
	}
	sha := at(commit, "sha").(string)
	h.want(201, "POST", "/repos/o/r/git/refs", o{"ref": "refs/heads/x/y", "sha": sha})
	again := h.want(422, "POST", "/repos/o/r/git/refs", o{"ref": "refs/heads/x/y", "sha": head})
	if at(again, "message") != "Reference already exists" {
		t.Errorf("second time: %v", again)
	}
	if got := h.src.Bare("show", "x/y:a.yaml"); got != "new" {
		t.Errorf("a.yaml = %q", got)
	}
	if got := h.src.Bare("ls-tree", "-r", "--name-only", "x/y"); got != "a.yaml\nd/c.yaml\ne/bin" {
		t.Errorf("files %q", got)
	}
	h.want(422, "PATCH", "/repos/o/r/git/refs/heads/main", o{"sha": h.src.Bare("commit-tree", h.src.Tree("main"), "-m", "unrelated")})
	h.want(200, "PATCH", "/repos/o/r/git/refs/heads/main", o{"sha": sha})
	compared := h.want(200, "GET", "/repos/o/r/compare/"+head+"...main", nil)
	if at(compared, "status") != "ahead" || at(compared, "ahead_by") != 1.0 || len(at(compared, "files").([]any)) != 3 {
		t.Errorf("compare: %v, %v, %v", at(compared, "status"), at(compared, "ahead_by"), at(compared, "files"))
	}
	h.want(200, "GET", "/repos/o/r/commits/"+sha, nil)
	h.want(200, "GET", "/repos/o/r/branches/main", nil)
	h.want(200, "GET", "/repos/o/r/git/commits/"+sha, nil)
	h.want(200, "GET", "/repos/o/r/git/trees/"+sha+"?recursive=1", nil)
	h.want(200, "GET", "/repos/o/r/git/matching-refs/heads/", nil)
	h.want(200, "GET", "/repos/o/r/contents/d/c.yaml", nil)
	h.want(200, "GET", "/repos/o/r/contents/d", nil)
	h.want(404, "GET", "/repos/o/r/contents/nope", nil)
	h.want(204, "DELETE", "/repos/o/r/git/refs/heads/x/y", nil)
	h.want(422, "DELETE", "/repos/o/r/git/refs/heads/x/y", nil)
	h.want(200, "GET", "/rate_limit", nil)
}

func TestPulls(t *testing.T) {
	h := newHub(t)
	h.src.Commit("one", map[string]string{"a.yaml": "1\n"})
	for _, branch := range []string{"f1", "f2", "f3"} {
		h.src.Git("checkout", "--quiet", "-B", branch, "main")
		h.src.Commit(branch, map[string]string{branch + ".yaml": "1\n"})
	}
	pulls := "/repos/o/r/pulls"
	first := h.want(201, "POST", pulls, o{"title": "First", "head": "f1", "base": "main", "body": "text"})
	dup := h.want(422, "POST", pulls, o{"title": "Again", "head": "o:f1", "base": "main"})
	if got := at(dup, "errors", 0, "message"); got != "A pull request already exists for o:f1." {
		t.Errorf("second pull request: %v", dup)
	}
	h.want(422, "POST", pulls, o{"title": "x", "head": "nope", "base": "main"})
	h.want(422, "POST", pulls, o{"title": "x", "head": "main", "base": "main"})
	h.want(422, "POST", pulls, o{"title": "x", "head": "f2", "base": "main", "body": strings.Repeat("ä", 65_537)})
	h.want(201, "POST", pulls, o{"title": "Second", "head": "f2", "base": "main", "body": strings.Repeat("ä", 65_536)})
	h.want(201, "POST", pulls, o{"title": "Third", "head": "f3", "base": "main"})
	list := h.want(200, "GET", pulls+"?state=all&head=o:f1", nil)
	if len(list.([]any)) != 1 || at(list, 0, "number") != at(first, "number") {
		t.Errorf("list by head: %v", list)
	}
	h.want(200, "GET", pulls+"/1", nil)
	h.want(404, "GET", pulls+"/99", nil)
	if got := at(h.want(200, "GET", pulls+"/1/files", nil), 0, "filename"); got != "f1.yaml" {
		t.Errorf("files of the first: %v", got)
	}
	h.want(200, "PATCH", pulls+"/1", o{"title": "New title"})
	h.want(200, "PUT", pulls+"/1/merge", o{"merge_method": "squash"})
	if got := h.src.Bare("log", "-1", "--format=%s", "main"); got != "New title (#1)" {
		t.Errorf("squashed as %q", got)
	}
	h.want(405, "PUT", pulls+"/1/merge", o{})
	h.want(200, "PUT", pulls+"/2/merge", o{})
	if got := at(h.want(200, "GET", pulls+"/2", nil), "merged"); got != true {
		t.Errorf("merged = %v", got)
	}
	// A branch that is deleted by a push closes its pull request.
	h.src.Git("push", "--quiet", "origin", ":f3")
	if got := at(h.want(200, "GET", pulls+"/3", nil), "state"); got != "closed" {
		t.Errorf("state after the branch is gone: %v", got)
	}
	h.want(422, "PATCH", pulls+"/3", o{"state": "open"})
}

func TestIssuesAndChecks(t *testing.T) {
	h := newHub(t)
	sha := h.src.Commit("one", map[string]string{"a.yaml": "1\n"})
	issues := "/repos/o/r/issues"
	for i := range 3 {
		h.want(201, "POST", issues, o{"title": fmt.Sprint("Issue ", i), "body": "b", "labels": []string{"syncgate"}})
	}
	h.want(422, "POST", issues, o{"title": "x", "body": strings.Repeat("x", 65_537)})
	h.want(200, "GET", issues+"/1", nil)
	if got := at(h.want(200, "GET", issues+"?labels=syncgate&per_page=2", nil), 0, "title"); got != "Issue 2" {
		t.Errorf("newest first: %v", got)
	}
	if got := h.want(200, "GET", issues+"?labels=syncgate&per_page=2&page=2", nil).([]any); len(got) != 1 {
		t.Errorf("second page: %d", len(got))
	}
	if got := h.want(200, "GET", issues+"?labels=other", nil).([]any); len(got) != 0 {
		t.Errorf("other label: %d", len(got))
	}
	h.want(200, "PATCH", issues+"/1", o{"state": "closed"})
	h.want(200, "PATCH", issues+"/1", o{"state": "open"})
	c := h.want(201, "POST", issues+"/1/comments", o{"body": "hello"})
	h.want(200, "GET", issues+"/1/comments", nil)
	h.want(200, "PATCH", fmt.Sprintf("%s/comments/%.0f", issues, at(c, "id")), o{"body": "hello again"})
	h.want(404, "POST", issues+"/9/comments", o{"body": "x"})
	h.want(200, "POST", issues+"/1/labels", o{"labels": []string{"new", "syncgate"}})
	h.want(200, "GET", issues+"/1/labels", nil)
	h.want(200, "DELETE", issues+"/1/labels/new", nil)
	h.want(404, "DELETE", issues+"/1/labels/new", nil)
	h.want(200, "GET", "/repos/o/r/labels", nil)
	h.want(201, "POST", "/repos/o/r/labels", o{"name": "made", "color": "00ff00"})
	h.want(422, "POST", "/repos/o/r/labels", o{"name": "made"})

	h.want(201, "POST", "/repos/o/r/statuses/"+sha, o{"state": "pending", "context": "syncgate"})
	h.want(201, "POST", "/repos/o/r/statuses/"+sha, o{"state": "success", "context": "syncgate", "description": "fine"})
	if got := at(h.want(200, "GET", "/repos/o/r/commits/"+sha+"/status", nil), "state"); got != "success" {
		t.Errorf("combined status %v", got)
	}
	h.want(200, "GET", "/repos/o/r/commits/main/statuses", nil)
	run := h.want(201, "POST", "/repos/o/r/check-runs", o{"name": "syncgate", "head_sha": sha, "status": "in_progress"})
	path := fmt.Sprintf("/repos/o/r/check-runs/%.0f", at(run, "id"))
	h.want(200, "PATCH", path, o{"status": "completed", "conclusion": "failure", "output": o{"title": "t", "summary": "s"}})
	h.want(200, "GET", path, nil)
	if got := at(h.want(200, "GET", "/repos/o/r/commits/"+sha+"/check-runs", nil), "total_count"); got != 1.0 {
		t.Errorf("check runs %v", got)
	}
}

func TestFaults(t *testing.T) {
	h := newHub(t)
	h.src.Commit("one", map[string]string{"a.yaml": "1\n"})
	h.d.Calls()
	h.d.Fail(githubd.Fault{Method: "GET", Path: "^/repos/o/r$", Skip: 1, Times: 2, Status: 502, Message: "Server Error"})
	var got []int
	for range 4 {
		code, _ := h.call("GET", "/repos/o/r", nil)
		got = append(got, code)
	}
	if d := cmp.Diff([]int{200, 502, 502, 200}, got); d != "" {
		t.Errorf("codes (-want +got):\n%s", d)
	}
	h.d.Fail(githubd.Fault{Method: "POST", Path: "/issues$", Times: 1, Apply: true, Status: 502, Message: "Server Error"})
	h.want(502, "POST", "/repos/o/r/issues", o{"title": "done all the same"})
	if list := h.want(200, "GET", "/repos/o/r/issues", nil).([]any); len(list) != 1 {
		t.Errorf("%d issues, want the one whose answer was lost", len(list))
	}
	for kind, want := range map[string]int{"rateLimit": 403, "secondaryLimit": 403, "tooMany": 429} {
		h.d.Fail(githubd.Fault{Times: 1, Kind: kind, RetryAfter: 7})
		h.want(want, "GET", "/repos/o/r", nil)
	}
	if n := len(h.d.Calls()); n != 9 {
		t.Errorf("%d calls counted, want 9", n)
	}
	resp, err := http.Get(h.url + "/repos/o/r")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d", resp.StatusCode)
	}
}

func TestControlOverHTTP(t *testing.T) {
	h := newHub(t)
	h.src.Commit("one", map[string]string{"a.yaml": "1\n"})
	for _, step := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/_control/faults", `{"path":"(","status":500}`, 400},
		{"POST", "/_control/faults", `{"path":"^/repos","status":503,"message":"down"}`, 204},
		{"GET", "/repos/o/r", "", 503},
		{"DELETE", "/_control/faults", "", 204},
		{"GET", "/repos/o/r", "", 200},
		{"GET", "/_control/calls", "", 200},
		{"GET", "/_control/nope", "", 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), step.method, h.url+step.path, strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer s3cr3t")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != step.want {
			t.Errorf("%s %s = %d, want %d", step.method, step.path, resp.StatusCode, step.want)
		}
	}
}

func TestSmartHTTP(t *testing.T) {
	h := newHub(t)
	h.src.Commit("one", map[string]string{"a.yaml": "1\n"})
	if out, err := h.src.Try("-c", "credential.helper=", "ls-remote", h.url+"/o/r.git"); err == nil {
		t.Errorf("without a token: %s", out)
	}
	auth := "http.extraHeader=Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("x:s3cr3t"))
	dir := filepath.Join(t.TempDir(), "clone")
	if out, err := h.src.Try("-c", auth, "clone", "--quiet", h.url+"/o/r.git", dir); err != nil {
		t.Fatalf("clone: %v\n%s", err, out)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "a.yaml")); err != nil || string(b) != "1\n" {
		t.Errorf("a.yaml = %q, %v", b, err)
	}
	if out, err := h.src.Try("-C", dir, "-c", auth, "push", "--quiet", "origin", "HEAD:refs/heads/pushed"); err != nil {
		t.Errorf("push: %v\n%s", err, out)
	}
	h.want(200, "GET", "/repos/o/r/git/ref/heads/pushed", nil)
}

// The description must be able to find fault, or holding answers against it
// says nothing.
func TestDescriptionFindsFault(t *testing.T) {
	h := newHub(t)
	h.src.Commit("one", map[string]string{"a.yaml": "1\n"})
	spec, err := loadSpec()
	if err != nil {
		t.Fatal(err)
	}
	good, err := json.Marshal(h.want(201, "POST", "/repos/o/r/issues", o{"title": "t"}))
	if err != nil {
		t.Fatal(err)
	}
	without := bytes.ReplaceAll(good, []byte(`"html_url"`), []byte(`"html"`))
	tests := map[string]struct {
		err  error
		want string
	}{
		"as it should be":    {spec.Response("POST", "/repos/o/r/issues", 201, good), ""},
		"field missing":      {spec.Response("POST", "/repos/o/r/issues", 201, without), "html_url"},
		"wrong type":         {spec.Response("GET", "/repos/o/r/git/ref/heads/a/b", 200, []byte(`{"ref":1}`)), "/ref"},
		"unknown call":       {spec.Response("GET", "/repos/o/r/nonsense", 200, []byte(`{}`)), "no such call"},
		"unknown answer":     {spec.Response("GET", "/repos/o/r/issues/1", 299, []byte(`{}`)), "no such answer"},
		"error without text": {spec.Response("GET", "/repos/o/r/pulls", 502, []byte(`{}`)), "expected an error with a message"},
		"body that is none":  {spec.Response("DELETE", "/repos/o/r/git/refs/heads/x", 204, []byte(`{}`)), "no body"},
		"wrong request":      {spec.Request("POST", "/repos/o/r/git/refs", []byte(`{"ref":"x"}`)), "sha"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.want == "" && tt.err != nil || tt.want != "" && (tt.err == nil || !strings.Contains(tt.err.Error(), tt.want)) {
				t.Errorf("error = %v, want one with %q", tt.err, tt.want)
			}
		})
	}
}

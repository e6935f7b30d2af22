package githubd_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/test/githubd"
	"github.com/syncgate/syncgate/test/gitops/source"
)

// hooked is a hub that sends events, whose signature and form are checked.
func hooked(t *testing.T) *hub {
	t.Helper()
	h := newHub(t)
	h.src.Commit("one", map[string]string{"a": "1\n"})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte("shared"))
		mac.Write(body)
		if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); err != nil || r.Header.Get("X-Hub-Signature-256") != want || r.Header.Get("X-GitHub-Delivery") == "" {
			t.Errorf("%v, header %v", err, r.Header)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(srv.Close)
	h.d.AddHook(githubd.Hook{URL: srv.URL, Secret: "shared", Installation: 42})
	return h
}

// events are what was sent since the last time, held against GitHub's
// description.
func (h *hub) events() (names []string, payloads []any) {
	h.t.Helper()
	spec, err := loadSpec()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, d := range h.d.Deliveries() {
		if d.Status != http.StatusAccepted || d.Err != nil {
			h.t.Errorf("%s: %d %v", d.Event, d.Status, d.Err)
		}
		if err := spec.Event(d.Event, d.Action, d.Payload); err != nil {
			h.t.Error(err)
		}
		var p any
		if err := json.Unmarshal(d.Payload, &p); err != nil {
			h.t.Fatal(err)
		}
		if at(p, "installation", "id") != 42.0 {
			h.t.Errorf("%s: installation %v", d.Event, at(p, "installation"))
		}
		names, payloads = append(names, strings.TrimSuffix(d.Event+" "+d.Action, " ")), append(payloads, p)
	}
	return names, payloads
}

func TestEventsOfPullRequests(t *testing.T) {
	h := hooked(t)
	expect := func(want ...string) []any {
		t.Helper()
		got, payloads := h.events()
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("events (-want +got):\n%s", d)
		}
		return payloads
	}
	h.src.Git("remote", "set-url", "origin", strings.Replace(h.url, "http://", "http://x:s3cr3t@", 1)+"/o/r.git")
	h.src.Git("checkout", "--quiet", "-b", "raise")
	first := h.src.Commit("two", map[string]string{"a": "2\n"})
	if got := at(expect("push")[0], "after"); got != first {
		t.Errorf("push of %v, want %s", got, first)
	}
	h.want(201, "POST", "/repos/o/r/pulls", o{"title": "Raise", "head": "raise", "base": "main"})
	if got := at(expect("pull_request opened")[0], "pull_request", "head", "sha"); got != first {
		t.Errorf("opened with %v, want %s", got, first)
	}
	second := h.src.Commit("three", map[string]string{"a": "3\n"})
	payloads := expect("push", "pull_request synchronize")
	if at(payloads[1], "before") != first || at(payloads[1], "after") != second || h.src.Bare("rev-parse", "refs/pull/1/head") != second {
		t.Errorf("synchronize %v", payloads[1])
	}
	h.want(200, "PATCH", "/repos/o/r/pulls/1", o{"state": "closed"})
	h.want(200, "PATCH", "/repos/o/r/pulls/1", o{"state": "open"})
	expect("pull_request closed", "pull_request reopened")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	queued, err := h.d.QueueMerge(req, "o", "r", 1)
	if err != nil {
		t.Fatal(err)
	}
	payloads = expect("push", "merge_group checks_requested")
	if at(payloads[1], "merge_group", "head_sha") != queued {
		t.Errorf("merge group %v", payloads[1])
	}
	h.want(200, "PUT", "/repos/o/r/pulls/1/merge", o{})
	expect("pull_request closed", "push")
}

func TestEventsOfAFork(t *testing.T) {
	h := hooked(t)
	root := filepath.Dir(filepath.Dir(h.src.Dir))
	if err := os.Mkdir(filepath.Join(root, "mallory"), 0o755); err != nil {
		t.Fatal(err)
	}
	fork := source.New(t, filepath.Join(root, "mallory", "r.git"))
	fork.Git("fetch", "--quiet", h.src.Dir, "main")
	fork.Git("reset", "--quiet", "--hard", "FETCH_HEAD")
	sha := fork.Commit("mine", map[string]string{"a": "9\n"})
	h.want(201, "POST", "/repos/o/r/pulls", o{"title": "Mine", "head": "mallory:main", "base": "main"})
	_, payloads := h.events()
	if len(payloads) != 1 || at(payloads[0], "pull_request", "head", "repo", "full_name") != "mallory/r" ||
		at(payloads[0], "pull_request", "base", "repo", "full_name") != "o/r" || h.src.Bare("rev-parse", "refs/pull/1/head") != sha {
		t.Errorf("got %v", payloads)
	}
}

func TestEventsOfReruns(t *testing.T) {
	h := hooked(t)
	sha := h.src.Git("rev-parse", "main")
	run := h.want(201, "POST", "/repos/o/r/check-runs", o{"name": "syncgate", "head_sha": sha, "status": "completed", "conclusion": "failure",
		"external_id": "pull/1 x", "output": o{"title": "t", "summary": "s", "annotations": []any{
			o{"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "m"}}}})
	h.want(201, "POST", fmt.Sprintf("/repos/o/r/check-runs/%.0f/rerequest", at(run, "id")), nil)
	h.want(201, "POST", fmt.Sprintf("/repos/o/r/check-suites/%.0f/rerequest", at(run, "check_suite", "id")), nil)
	names, payloads := h.events()
	if d := cmp.Diff([]string{"check_run rerequested", "check_suite rerequested"}, names); d != "" || at(payloads[0], "check_run", "external_id") != "pull/1 x" {
		t.Errorf("(-want +got):\n%s\n%v", d, payloads)
	}
	list := h.want(200, "GET", fmt.Sprintf("/repos/o/r/check-runs/%.0f/annotations", at(run, "id")), nil)
	if at(list, 0, "message") != "m" {
		t.Errorf("annotations %v", list)
	}
}

package webhook_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/gitops/forge/webhook"
)

var (
	a = strings.Repeat("a", 40)
	b = strings.Repeat("b", 40)
	z = strings.Repeat("0", 40)
)

const (
	fleet = `"repository": {"id": 7, "full_name": "acme/fleet", "clone_url": "https://github.com/acme/fleet.git"}, "installation": {"id": 42}`
	own   = `"repo": {"id": 7, "full_name": "acme/fleet"}`
	other = `"repo": {"id": 8, "full_name": "mallory/fleet"}`
)

func header(event string) http.Header {
	return http.Header{"X-Github-Event": {event}, "X-Github-Delivery": {"d-1"}, "Content-Type": {"application/json"}}
}

// body is a payload with A, B and Z for SHAs and $FLEET, $OWN and $OTHER for
// repositories.
func body(s string) string {
	return strings.NewReplacer("$A", a, "$B", b, "$Z", z, "$FLEET", fleet, "$OWN", own, "$OTHER", other).Replace(s)
}

func pullRequest(action, headRepo string) string {
	return body(`{"action": "` + action + `", $FLEET, "pull_request": {"number": 5,
		"head": {"ref": "raise", "sha": "$A", ` + headRepo + `}, "base": {"ref": "main", "sha": "$B", $OWN}}}`)
}

func TestDecode(t *testing.T) {
	said := func(ev webhook.Event) webhook.Event {
		ev.Delivery, ev.Repository, ev.CloneURL, ev.Installation = "d-1", "acme/fleet", "https://github.com/acme/fleet.git", 42
		return ev
	}
	head, base := webhook.Ref{SHA: a, Ref: "refs/heads/raise"}, webhook.Ref{SHA: b, Ref: "refs/heads/main"}
	for _, tt := range []struct {
		name, event, payload string
		want                 webhook.Event
	}{
		{"opened", "pull_request", pullRequest("opened", own),
			said(webhook.Event{Kind: webhook.PullRequest, Action: "opened", Number: 5, Head: head, Base: base})},
		{"of a fork", "pull_request", pullRequest("synchronize", other),
			said(webhook.Event{Kind: webhook.PullRequest, Action: "synchronize", Number: 5, Head: head, Base: base, Fork: true})},
		{"of a fork that is gone", "pull_request", pullRequest("reopened", `"repo": null`),
			said(webhook.Event{Kind: webhook.PullRequest, Action: "reopened", Number: 5, Head: head, Base: base, Fork: true})},
		{"another base", "pull_request", strings.Replace(pullRequest("edited", own), "{", `{"changes": {"base": {"ref": {"from": "old"}}},`, 1),
			said(webhook.Event{Kind: webhook.PullRequest, Action: "edited", Number: 5, Head: head, Base: base})},
		{"merge group", "merge_group", body(`{"action": "checks_requested", $FLEET, "merge_group": {"head_sha": "$A",
			"head_ref": "refs/heads/gh-readonly-queue/main/pr-5-x", "base_sha": "$B", "base_ref": "refs/heads/main"}}`),
			said(webhook.Event{Kind: webhook.MergeGroup, Action: "checks_requested", Base: base,
				Head: webhook.Ref{SHA: a, Ref: "refs/heads/gh-readonly-queue/main/pr-5-x"}})},
		{"push", "push", body(`{$FLEET, "ref": "refs/heads/main", "before": "$B", "after": "$A"}`),
			said(webhook.Event{Kind: webhook.Push, Head: webhook.Ref{SHA: a, Ref: "refs/heads/main"}, Base: base})},
		{"push of a new branch", "push", body(`{$FLEET, "ref": "refs/heads/main", "before": "$Z", "after": "$A"}`),
			said(webhook.Event{Kind: webhook.Push, Head: webhook.Ref{SHA: a, Ref: "refs/heads/main"}, Base: webhook.Ref{Ref: "refs/heads/main"}})},
		{"check run again", "check_run", body(`{"action": "rerequested", $FLEET, "check_run": {"name": "syncgate", "head_sha": "$A", "external_id": "pull/5 0123",
			"check_suite": {"head_branch": "raise"}, "pull_requests": [{"number": 5, "head": {"ref": "raise", "sha": "$A", $OWN}, "base": {"ref": "main", "sha": "$B", $OWN}}]}}`),
			said(webhook.Event{Kind: webhook.Rerun, Action: "rerequested", Number: 5, Head: head, Base: base, Check: "syncgate", ExternalID: "pull/5"})},
		{"check run of a fork again", "check_run", body(`{"action": "rerequested", $FLEET, "check_run": {"name": "syncgate", "head_sha": "$A", "external_id": "- 0123",
			"check_suite": {"head_branch": null}, "pull_requests": []}}`),
			said(webhook.Event{Kind: webhook.Rerun, Action: "rerequested", Head: webhook.Ref{SHA: a}, Check: "syncgate"})},
		{"check suite again, of two pull requests", "check_suite", body(`{"action": "rerequested", $FLEET, "check_suite": {"head_sha": "$A", "head_branch": "raise", "pull_requests": [
			{"number": 5, "head": {"ref": "raise", "sha": "$A", $OWN}, "base": {"ref": "main", "sha": "$B", $OWN}},
			{"number": 6, "head": {"ref": "raise", "sha": "$A", $OWN}, "base": {"ref": "next", "sha": "$B", $OWN}}]}}`),
			said(webhook.Event{Kind: webhook.Rerun, Action: "rerequested", Head: head})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Name = tt.event
			got, err := webhook.Decode(header(tt.event), []byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			h := header(tt.event)
			h.Set("Content-Type", "application/x-www-form-urlencoded")
			form, err := webhook.Decode(h, []byte(url.Values{"payload": {tt.payload}}.Encode()))
			if d := cmp.Diff(tt.want, form); err != nil || d != "" {
				t.Errorf("as a form: %v (-want +got):\n%s", err, d)
			}
		})
	}
}

func TestDecodeIgnores(t *testing.T) {
	for _, tt := range []struct{ name, event, payload, why string }{
		{"ping", "ping", `{"zen": "Keep it logically awesome."}`, "events of this name"},
		{"an event to come", "merge_parade", `{}`, "events of this name"},
		{"closed", "pull_request", pullRequest("closed", own), "this action"},
		{"title edited", "pull_request", pullRequest("edited", own), "not its base"},
		{"merge group gone", "merge_group", `{"action": "destroyed"}`, "this action"},
		{"button", "check_run", `{"action": "requested_action"}`, "this action"},
		{"first suite", "check_suite", `{"action": "requested"}`, "this action"},
		{"tag", "push", body(`{$FLEET, "ref": "refs/tags/v1", "before": "$Z", "after": "$A"}`), "no branch"},
		{"branch deleted", "push", body(`{$FLEET, "ref": "refs/heads/x", "before": "$A", "after": "$Z"}`), "deleted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := webhook.Decode(header(tt.event), []byte(tt.payload))
			if err != nil || got.Kind != webhook.Ignored || !strings.Contains(got.Reason, tt.why) {
				t.Errorf("got %+v, %v; want it ignored: %s", got, err, tt.why)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := pullRequest("opened", own)
	for _, tt := range []struct{ name, event, payload, why string }{
		{"no event", "", good, "X-GitHub-Event"},
		{"event that is none", "pull_request\n", good, "X-GitHub-Event"},
		{"no JSON", "ping", `nope`, "JSON object"},
		{"half of it", "ping", `{"zen": `, "not well formed"},
		{"list", "pull_request", `[]`, "JSON object"},
		{"other types", "pull_request", `{"action": 1}`, "not what was expected"},
		{"no repository", "pull_request", `{"action": "opened"}`, "repository"},
		{"name that is none", "pull_request", strings.Replace(good, "acme/fleet", "acme/../fleet", 1), "full_name"},
		{"URL with a password", "pull_request", strings.Replace(good, "https://", "https://u:p@", 1), "clone_url"},
		{"URL of a file", "pull_request", strings.Replace(good, "https://github.com", "file://", 1), "clone_url"},
		{"no pull request", "pull_request", body(`{"action": "opened", $FLEET}`), "found none"},
		{"number", "pull_request", strings.Replace(good, `"number": 5`, `"number": 0`, 1), "number above 0"},
		{"short SHA", "pull_request", strings.Replace(good, a, "aaaa", 1), "pull_request.head"},
		{"SHA that is an option", "pull_request", strings.Replace(good, a, "--upload-pack=x", 1), "full SHA"},
		{"no branch", "pull_request", strings.Replace(good, `"raise"`, `""`, 1), "pull_request.head"},
		{"branch with a line break", "pull_request", strings.Replace(good, `"raise"`, `"a\nb"`, 1), "name of a branch"},
		{"base elsewhere", "pull_request", strings.Replace(good, `"sha": "`+b+`", `+own, `"sha": "`+b+`", `+other, 1), "base.repo"},
		{"push without ref", "push", body(`{$FLEET, "before": "$B", "after": "$A"}`), "a ref"},
		{"check run without a name", "check_run", body(`{"action": "rerequested", $FLEET, "check_run": {"head_sha": "$A"}}`), "check_run.name"},
		{"merge group without head", "merge_group", body(`{"action": "checks_requested", $FLEET}`), "merge_group.head"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := webhook.Decode(header(tt.event), []byte(tt.payload))
			if err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("got %+v, %v; want an error with %q", got, err, tt.why)
			}
		})
	}
	for name, change := range map[string]func(http.Header){
		"no delivery":   func(h http.Header) { h.Del("X-GitHub-Delivery") },
		"long delivery": func(h http.Header) { h.Set("X-GitHub-Delivery", strings.Repeat("x", 65)) },
		"XML":           func(h http.Header) { h.Set("Content-Type", "application/xml") },
		"form":          func(h http.Header) { h.Set("Content-Type", "application/x-www-form-urlencoded") },
	} {
		h := header("pull_request")
		change(h)
		if got, err := webhook.Decode(h, []byte(good)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

func TestVerify(t *testing.T) {
	old, next := []byte(strings.Repeat("o", 32)), []byte(strings.Repeat("n", 32))
	text := []byte(`{"zen": "Design for failure."}`)
	verify := func(signature string) error {
		sum, err := webhook.Signature(http.Header{"X-Hub-Signature-256": {signature}})
		if err != nil {
			return err
		}
		return webhook.Verify([][]byte{next, old}, sum, text)
	}
	for _, secret := range [][]byte{old, next} {
		if err := verify(webhook.Sign(secret, text)); err != nil {
			t.Errorf("while one secret replaces the other: %v", err)
		}
	}
	good := webhook.Sign(old, text)
	for name, signature := range map[string]string{
		"another secret": webhook.Sign([]byte("third"), text), "another body": webhook.Sign(old, text[1:]), "empty": "",
		"no prefix": strings.TrimPrefix(good, "sha256="), "short": good[:len(good)-2], "long": good + "00",
		"other algorithm": strings.Replace(good, "sha256", "sha1", 1), "not hexadecimal": good[:len(good)-1] + "x",
	} {
		if err := verify(signature); !errors.Is(err, webhook.ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", name, err)
		}
	}
	_, err := webhook.Signature(http.Header{"X-Hub-Signature": {"sha1=aa"}})
	if !errors.Is(err, webhook.ErrSignature) || !strings.Contains(err.Error(), "SHA-1") {
		t.Errorf("SHA-1 alone: %v", err)
	}
	if _, err := webhook.Signature(http.Header{"X-Hub-Signature-256": {good, good}}); !errors.Is(err, webhook.ErrSignature) {
		t.Errorf("two signatures: %v", err)
	}
	// The example of GitHub's own documentation.
	if got := webhook.Sign([]byte("It's a Secret to Everybody"), []byte("Hello, World!")); got != "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17" {
		t.Errorf("signature %s", got)
	}
}

func TestParseSecrets(t *testing.T) {
	line := strings.Repeat("x", 32)
	for _, tt := range []struct {
		name, file string
		want       int
		why        string
	}{
		{"one", line + "\n", 1, ""},
		{"two while they are rotated", "  " + line + "\n\n" + line + "y", 2, ""},
		{"none", " \n", 0, "empty file"},
		{"short", "hunter2", 0, "at least 32 bytes"},
		{"many", strings.Repeat(line+"\n", 5), 0, "at most 4"},
	} {
		got, err := webhook.ParseSecrets([]byte(tt.file))
		if len(got) != tt.want || (err == nil) != (tt.why == "") || err != nil && (!strings.Contains(err.Error(), tt.why) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %d secrets, %v", tt.name, len(got), err)
		}
	}
}

// What is decoded is well formed, whatever was sent.
func FuzzDecode(f *testing.F) {
	for event, payload := range map[string]string{
		"pull_request": pullRequest("opened", own), "push": body(`{$FLEET, "ref": "refs/heads/main", "before": "$B", "after": "$A"}`),
		"merge_group": body(`{"action": "checks_requested", $FLEET, "merge_group": {"head_sha": "$A", "head_ref": "refs/heads/q", "base_sha": "$B", "base_ref": "refs/heads/main"}}`),
		"check_run":   body(`{"action": "rerequested", $FLEET, "check_run": {"name": "n", "head_sha": "$A", "external_id": "pull/5 0"}}`),
		"check_suite": body(`{"action": "rerequested", $FLEET, "check_suite": {"head_sha": "$A", "head_branch": "x", "pull_requests": [{}]}}`),
	} {
		f.Add(event, "application/json", payload)
		f.Add(event, "application/x-www-form-urlencoded", url.Values{"payload": {payload}}.Encode())
	}
	f.Fuzz(func(t *testing.T, event, contentType, payload string) {
		h := http.Header{}
		h.Set("X-GitHub-Event", event)
		h.Set("X-GitHub-Delivery", "d-1")
		h.Set("Content-Type", contentType)
		ev, err := webhook.Decode(h, []byte(payload))
		if err != nil {
			if ev != (webhook.Event{}) {
				t.Errorf("an error, and %+v", ev)
			}
			return
		}
		if ev.Kind == webhook.Ignored {
			if ev.Reason == "" {
				t.Error("ignored without a reason")
			}
			return
		}
		u, err := url.Parse(ev.CloneURL)
		if err != nil || u.Host == "" || u.User != nil || len(ev.Head.SHA) < 40 || strings.Trim(ev.Head.SHA, "0123456789abcdef") != "" ||
			ev.Number < 0 || strings.ContainsAny(ev.Head.Ref+ev.Base.Ref, " \n\x00") || strings.ContainsAny(ev.ExternalID, " ") {
			t.Errorf("not well formed: %+v", ev)
		}
		if ev.Kind != webhook.Rerun && (ev.Head.Ref == "" || ev.Base.Ref == "") || ev.Kind == webhook.PullRequest && ev.Number == 0 {
			t.Errorf("not whole: %+v", ev)
		}
	})
}

package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/syncgate/syncgate/gitops/forge"
)

var (
	eventForm    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	deliveryForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
	actionForm   = regexp.MustCompile(`^[a-z0-9_]{0,64}$`)
	nameForm     = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}$`)
	shaForm      = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// maxRef is how long a reference or the name of a check may be, in bytes.
const maxRef = 1024

// Decode reads a delivery whose signature is good. Events that Syncgate does
// nothing for are Ignored; an error says what is malformed in one that it
// should understand.
func Decode(h http.Header, body []byte) (Event, error) {
	ev := Event{Name: h.Get(HeaderEvent), Delivery: h.Get(HeaderDelivery)}
	if !eventForm.MatchString(ev.Name) {
		return Event{}, fmt.Errorf("decode delivery: expected the event's name in %s, found %.80q", HeaderEvent, ev.Name)
	}
	if !deliveryForm.MatchString(ev.Delivery) {
		return Event{}, fmt.Errorf("decode delivery: expected the delivery's identity in %s, found %.80q", HeaderDelivery, ev.Delivery)
	}
	text, err := payload(h, body)
	if err != nil {
		return Event{}, fmt.Errorf("decode delivery %s: %w", ev.Delivery, err)
	}
	if err := ev.read(text); err != nil {
		return Event{}, fmt.Errorf("decode %s of delivery %s: %w", ev.Name, ev.Delivery, err)
	}
	return ev, nil
}

// payload is the JSON object in a body of either of GitHub's content types.
func payload(h http.Header, body []byte) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/json":
	case err == nil && kind == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil || len(form["payload"]) != 1 {
			return nil, errors.New("expected a form with one field \"payload\"")
		}
		body = []byte(form.Get("payload"))
	default:
		return nil, fmt.Errorf("expected Content-Type application/json or application/x-www-form-urlencoded, found %.80q", h.Get("Content-Type"))
	}
	if body = bytes.TrimSpace(body); len(body) == 0 || body[0] != '{' {
		return nil, errors.New("expected a JSON object, found something else")
	}
	return body, nil
}

// common is what deliveries share.
type common struct {
	Action       string      `json:"action"`
	Repository   *repository `json:"repository"`
	Installation *struct {
		ID int64 `json:"id"`
	} `json:"installation"`
}

type repository struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
	CloneURL string `json:"clone_url"`
}

// read fills in what the payload says.
func (ev *Event) read(text []byte) error {
	decode, known := map[string]func(*Event, *repository, []byte) error{
		"pull_request": (*Event).pullRequest,
		"merge_group":  (*Event).mergeGroup,
		"push":         (*Event).push,
		"check_run":    (*Event).checkRun,
		"check_suite":  (*Event).checkSuite,
	}[ev.Name]
	if !known {
		if !json.Valid(text) {
			return errors.New("the JSON is not well formed")
		}
		ev.ignore("nothing is done for events of this name")
		return nil
	}
	var c common
	if err := unmarshal(text, &c); err != nil {
		return err
	}
	if !actionForm.MatchString(c.Action) {
		return fmt.Errorf("expected an action, found %.80q", c.Action)
	}
	if ev.Action = c.Action; !wanted(ev.Name, ev.Action) {
		ev.ignore("nothing is done for this action")
		return nil
	}
	if c.Repository == nil || c.Repository.ID <= 0 || !nameForm.MatchString(c.Repository.FullName) {
		return errors.New("expected repository with id and full_name, owner/name")
	}
	if u, err := url.Parse(c.Repository.CloneURL); err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("expected repository.clone_url, https://host/owner/name.git")
	}
	ev.Repository, ev.CloneURL = c.Repository.FullName, c.Repository.CloneURL
	if c.Installation != nil {
		ev.Installation = c.Installation.ID
	}
	return decode(ev, c.Repository, text)
}

// wanted reports whether something is done for an action of an event that is
// known. A push has none.
func wanted(name, action string) bool {
	switch name {
	case "pull_request":
		return action == "opened" || action == "reopened" || action == "synchronize" || action == "ready_for_review" || action == "edited"
	case "merge_group":
		return action == "checks_requested"
	case "check_run", "check_suite":
		return action == "rerequested"
	default:
		return true
	}
}

func (ev *Event) ignore(why string) { ev.Kind, ev.Reason = Ignored, why }

func unmarshal(text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the JSON is not what was expected: %w", err)
	}
	return nil
}

// side is the head or the base of a pull request.
type side struct {
	Ref  string      `json:"ref"`
	SHA  string      `json:"sha"`
	Repo *repository `json:"repo"`
}

// pull is a pull request, also as a check run names it.
type pull struct {
	Number int  `json:"number"`
	Head   side `json:"head"`
	Base   side `json:"base"`
}

func (ev *Event) pullRequest(repo *repository, text []byte) error {
	var p struct {
		PullRequest *pull `json:"pull_request"`
		Changes     struct {
			Base json.RawMessage `json:"base"`
		} `json:"changes"`
	}
	if err := unmarshal(text, &p); err != nil {
		return err
	}
	if ev.Action == "edited" && p.Changes.Base == nil {
		ev.ignore("the pull request was edited, and not its base")
		return nil
	}
	ev.Kind = PullRequest
	if p.PullRequest == nil {
		return errors.New("expected pull_request, found none")
	}
	return ev.ofPull("pull_request", repo, *p.PullRequest)
}

// ofPull takes number, head and base of a pull request of repo.
func (ev *Event) ofPull(at string, repo *repository, p pull) (err error) {
	if p.Number <= 0 {
		return fmt.Errorf("expected %s.number above 0, found %d", at, p.Number)
	}
	if p.Base.Repo == nil || p.Base.Repo.ID != repo.ID {
		return fmt.Errorf("expected %s.base.repo to be the repository", at)
	}
	ev.Number, ev.Fork = p.Number, p.Head.Repo == nil || p.Head.Repo.ID != repo.ID
	if ev.Head, err = newRef(at+".head", p.Head.SHA, branchRef(p.Head.Ref)); err != nil {
		return err
	}
	ev.Base, err = newRef(at+".base", p.Base.SHA, branchRef(p.Base.Ref))
	return err
}

func (ev *Event) mergeGroup(_ *repository, text []byte) (err error) {
	var p struct {
		MergeGroup struct {
			HeadSHA string `json:"head_sha"`
			HeadRef string `json:"head_ref"`
			BaseSHA string `json:"base_sha"`
			BaseRef string `json:"base_ref"`
		} `json:"merge_group"`
	}
	if err := unmarshal(text, &p); err != nil {
		return err
	}
	ev.Kind = MergeGroup
	if ev.Head, err = newRef("merge_group.head", p.MergeGroup.HeadSHA, branchRef(p.MergeGroup.HeadRef)); err != nil {
		return err
	}
	ev.Base, err = newRef("merge_group.base", p.MergeGroup.BaseSHA, branchRef(p.MergeGroup.BaseRef))
	return err
}

func (ev *Event) push(_ *repository, text []byte) (err error) {
	var p struct {
		Ref    string `json:"ref"`
		Before string `json:"before"`
		After  string `json:"after"`
	}
	if err := unmarshal(text, &p); err != nil {
		return err
	}
	switch {
	case !strings.HasPrefix(p.Ref, "refs/heads/"):
		if !strings.HasPrefix(p.Ref, "refs/") {
			return fmt.Errorf("expected a ref, found %.80q", p.Ref)
		}
		ev.ignore("what was pushed is no branch")
		return nil
	case zero(p.After):
		ev.ignore("the branch was deleted")
		return nil
	}
	ev.Kind = Push
	if ev.Head, err = newRef("after", p.After, p.Ref); err != nil {
		return err
	}
	if zero(p.Before) {
		ev.Base = Ref{Ref: p.Ref}
		return nil
	}
	ev.Base, err = newRef("before", p.Before, p.Ref)
	return err
}

func zero(sha string) bool { return sha != "" && strings.Trim(sha, "0") == "" }

func (ev *Event) checkRun(repo *repository, text []byte) error {
	var p struct {
		CheckRun struct {
			Name       string `json:"name"`
			HeadSHA    string `json:"head_sha"`
			ExternalID string `json:"external_id"`
			Pulls      []pull `json:"pull_requests"`
			Suite      struct {
				HeadBranch string `json:"head_branch"`
			} `json:"check_suite"`
		} `json:"check_run"`
	}
	if err := unmarshal(text, &p); err != nil {
		return err
	}
	r := p.CheckRun
	if r.Name == "" || len(r.Name) > maxRef || len(r.ExternalID) > maxRef {
		return fmt.Errorf("expected check_run.name, and it and external_id of at most %d bytes", maxRef)
	}
	ev.Check, ev.ExternalID = r.Name, forge.ExternalID(r.ExternalID)
	return ev.rerun(repo, Ref{SHA: r.HeadSHA, Ref: r.Suite.HeadBranch}, r.Pulls)
}

func (ev *Event) checkSuite(repo *repository, text []byte) error {
	var p struct {
		CheckSuite struct {
			HeadSHA    string `json:"head_sha"`
			HeadBranch string `json:"head_branch"`
			Pulls      []pull `json:"pull_requests"`
		} `json:"check_suite"`
	}
	if err := unmarshal(text, &p); err != nil {
		return err
	}
	return ev.rerun(repo, Ref{SHA: p.CheckSuite.HeadSHA, Ref: p.CheckSuite.HeadBranch}, p.CheckSuite.Pulls)
}

// rerun is about a commit, and about the pull request that it is the head of if
// there is no doubt which.
func (ev *Event) rerun(repo *repository, head Ref, pulls []pull) (err error) {
	ev.Kind = Rerun
	var of []pull
	for _, p := range pulls {
		if p.Base.Repo != nil && p.Base.Repo.ID == repo.ID && p.Head.SHA == head.SHA {
			of = append(of, p)
		}
	}
	if len(of) == 1 {
		return ev.ofPull("pull_requests[0]", repo, of[0])
	}
	if head.Ref == "" { // of a fork
		if !shaForm.MatchString(head.SHA) {
			return fmt.Errorf("expected head_sha, a full SHA, found %.80q", head.SHA)
		}
		ev.Head = Ref{SHA: head.SHA}
		return nil
	}
	ev.Head, err = newRef("head", head.SHA, branchRef(head.Ref))
	return err
}

// branchRef is the whole reference of a branch, which payloads name by halves.
func branchRef(name string) string {
	if name == "" || strings.HasPrefix(name, "refs/") {
		return name
	}
	return "refs/heads/" + name
}

func newRef(at, sha, ref string) (Ref, error) {
	if !shaForm.MatchString(sha) {
		return Ref{}, fmt.Errorf("expected a full SHA in %s, found %.80q", at, sha)
	}
	if !strings.HasPrefix(ref, "refs/") || len(ref) > maxRef || strings.ContainsFunc(ref, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Ref{}, fmt.Errorf("expected the name of a branch in %s, found %.80q", at, ref)
	}
	return Ref{SHA: sha, Ref: ref}, nil
}

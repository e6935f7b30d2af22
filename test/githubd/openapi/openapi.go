// Package openapi holds calls and answers against GitHub's official OpenAPI
// description, which comes from npm (@octokit/openapi) at a pinned version and
// checksum.
package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	_ "embed"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/syncgate/syncgate/test/githubd/npm"
)

var (
	//go:embed package.json
	packageJSON []byte
	//go:embed package-lock.json
	packageLock []byte
)

const version = "23.0.2"

// Spec is the part of GitHub's API that githubd plays.
type Spec struct {
	routes []route
	events map[string]*openapi3.Operation // by name, and "-" and action
}

type route struct {
	method  string
	pattern string
	form    *regexp.Regexp
	op      *openapi3.Operation
}

// Load reads the description from the cache folder; when it is not there, npm
// fetches it first. npm.ErrMissing when there is none.
func Load(ctx context.Context, cache string) (*Spec, error) {
	file := filepath.Join(cache, "openapi@"+version, "api.github.com.json")
	// The whole package unpacks to 400 MB; one file of it is kept.
	f := npm.File{JSON: packageJSON, Lock: packageLock, Path: filepath.Join("@octokit", "openapi", "generated", filepath.Base(file))}
	if err := npm.Fetch(ctx, f, file); err != nil {
		return nil, fmt.Errorf("load GitHub's OpenAPI description: %w", err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("load GitHub's OpenAPI description: %w", err)
	}
	return parse(b)
}

// kept are the paths that githubd plays: loading all 800 takes long.
var kept = regexp.MustCompile(`^/(rate_limit|app/installations/\{installation_id\}/access_tokens|repos/\{owner\}/\{repo\}(|/(installation|branches/\{branch\}|contents/.*|compare/.*|commits/[^/]*(|/status|/statuses|/check-runs|/pulls)|` +
	`git/.*|pulls(|/\{pull_number\}(|/files|/merge))|issues(|/comments/\{comment_id\}|/\{issue_number\}(|/comments|/labels(|/\{name\})))|labels|statuses/.*|check-runs(|/\{check_run_id\}(|/annotations|/rerequest))|check-suites/\{check_suite_id\}/rerequest)))$`)

// keptEvents are those that githubd sends.
var keptEvents = regexp.MustCompile(`^(push|pull-request-(opened|synchronize|closed|reopened|edited)|merge-group-checks-requested|check-(run|suite)-rerequested)$`)

func parse(b []byte) (*Spec, error) {
	var doc map[string]json.RawMessage
	var paths, events map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(b, &doc), json.Unmarshal(doc["paths"], &paths), json.Unmarshal(doc["x-webhooks"], &events)); err != nil {
		return nil, fmt.Errorf("decode OpenAPI description: %w", err)
	}
	for p := range paths {
		if !kept.MatchString(p) {
			delete(paths, p)
		}
	}
	for name, item := range events {
		if keptEvents.MatchString(name) {
			paths["/x-webhooks/"+name] = item
		}
	}
	delete(doc, "webhooks")
	delete(doc, "x-webhooks")
	var err error
	if doc["paths"], err = json.Marshal(paths); err != nil {
		return nil, fmt.Errorf("reduce OpenAPI description: %w", err)
	}
	if b, err = json.Marshal(doc); err != nil {
		return nil, fmt.Errorf("reduce OpenAPI description: %w", err)
	}
	full, err := openapi3.NewLoader().LoadFromData(b)
	if err != nil {
		return nil, fmt.Errorf("load OpenAPI description: %w", err)
	}
	spec := &Spec{events: map[string]*openapi3.Operation{}}
	for pattern, item := range full.Paths.Map() {
		if event, ok := strings.CutPrefix(pattern, "/x-webhooks/"); ok {
			spec.events[event] = item.Post
			continue
		}
		form := regexp.MustCompile("^" + parameters.ReplaceAllStringFunc(regexp.QuoteMeta(pattern), wild) + "$")
		for method, op := range item.Operations() {
			spec.routes = append(spec.routes, route{method, pattern, form, op})
		}
	}
	return spec, nil
}

var parameters = regexp.MustCompile(`\\\{[a-z_]+\\\}`)

// wild is the form of a parameter: some hold slashes.
func wild(p string) string {
	switch strings.Trim(p, `\{}`) {
	case "ref", "path", "branch", "basehead":
		return ".+"
	}
	return "[^/]+"
}

// find takes the most specific route: the one with the fewest parameters.
func (s *Spec) find(method, path string) *route {
	var best *route
	for i := range s.routes {
		r := &s.routes[i]
		if r.method != method || !r.form.MatchString(path) {
			continue
		}
		if best == nil || len(parameters.FindAllString(regexp.QuoteMeta(r.pattern), -1)) < len(parameters.FindAllString(regexp.QuoteMeta(best.pattern), -1)) ||
			strings.Count(r.pattern, "/") > strings.Count(best.pattern, "/") {
			best = r
		}
	}
	return best
}

// common tells whether any call may get the answer; the description leaves most
// of them out.
func common(status int) bool {
	return slices.Contains([]int{401, 403, 404, 409, 410, 422, 429, 500, 502, 503}, status)
}

// Request says how a call's body differs from the description.
func (s *Spec) Request(method, path string, body []byte) error {
	r := s.find(method, path)
	if r == nil {
		return fmt.Errorf("%s %s: the description has no such call", method, path)
	}
	if len(body) == 0 {
		return nil
	}
	if r.op.RequestBody == nil {
		return fmt.Errorf("%s %s: the description has no body", method, r.pattern)
	}
	return visit(method+" "+r.pattern+": request", r.op.RequestBody.Value.Content.Get("application/json"), body)
}

// Response says how an answer differs from the description.
func (s *Spec) Response(method, path string, status int, body []byte) error {
	r := s.find(method, path)
	if r == nil {
		return fmt.Errorf("%s %s: the description has no such call", method, path)
	}
	what := fmt.Sprintf("%s %s: %d", method, r.pattern, status)
	ref := r.op.Responses.Status(status)
	if ref == nil {
		if common(status) {
			return isError(what, body)
		}
		return fmt.Errorf("%s: the description has no such answer", what)
	}
	media := ref.Value.Content.Get("application/json")
	if media == nil {
		if len(body) > 0 && status < 400 {
			return fmt.Errorf("%s: the description has no body, found %.200s", what, body)
		}
		return nil
	}
	return visit(what, media, body)
}

// Event says how the payload of a webhook differs from the description.
func (s *Spec) Event(name, action string, payload []byte) error {
	key := strings.TrimSuffix(strings.ReplaceAll(name+"-"+action, "_", "-"), "-")
	op := s.events[key]
	if op == nil || op.RequestBody == nil {
		return fmt.Errorf("%s: the description has no such event", key)
	}
	return visit("event "+key, op.RequestBody.Value.Content.Get("application/json"), payload)
}

// isError checks the form that every error has.
func isError(what string, body []byte) error {
	var e struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Message == "" {
		return fmt.Errorf("%s: expected an error with a message, found %.200s", what, body)
	}
	return nil
}

func visit(what string, media *openapi3.MediaType, body []byte) error {
	if media == nil || media.Schema == nil {
		return fmt.Errorf("%s: the description has no JSON here", what)
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := media.Schema.Value.VisitJSON(v, openapi3.MultiErrors()); err != nil {
		return fmt.Errorf("%s: %s", what, short(err))
	}
	return nil
}

// short leaves the schemas out, which run to thousands of lines.
func short(err error) string {
	var multi openapi3.MultiError
	if errors.As(err, &multi) {
		var parts []string
		for _, e := range multi {
			parts = append(parts, short(e))
		}
		return strings.Join(parts, "; ")
	}
	var s *openapi3.SchemaError
	if errors.As(err, &s) {
		msg := "/" + strings.Join(s.JSONPointer(), "/") + ": " + s.Reason
		if s.Origin != nil {
			msg += " (" + short(s.Origin) + ")"
		}
		return msg
	}
	return fmt.Sprintf("%.300s", err.Error())
}

// Wrap checks every call of the API that goes through h and its answer, and
// tells report what differs. prefix is "/api/v3" for Enterprise.
func (s *Spec) Wrap(h http.Handler, report func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/api/v3")
		if !strings.HasPrefix(path, "/repos/") && !strings.HasPrefix(path, "/app/") && path != "/rate_limit" {
			h.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			report(err)
		}
		if err := s.Request(r.Method, path, body); err != nil {
			report(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if err := s.Response(r.Method, path, rec.Code, rec.Body.Bytes()); err != nil {
			report(err)
		}
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

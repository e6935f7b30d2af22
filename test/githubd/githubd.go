// Package githubd is a small stateful front with GitHub's REST API over real
// bare Git repositories, for tests and the demo. References, commits, trees
// and blobs are Git's own; pull requests, issues, comments, labels, statuses
// and check runs live in memory. It also serves the repositories over smart
// HTTP. Faults can be asked for, and every call is counted. Its answers are
// held against GitHub's official OpenAPI description (see package openapi).
//
// It is a test part: nothing in the product knows it.
package githubd

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// maxBody is GitHub's bound on a request, about.
const maxBody = 40 << 20

// Options of a Server.
type Options struct {
	// Root holds the bare repositories, as <owner>/<name>.git.
	Root string
	// Tokens maps each valid token to the login it stands for. Bearer and
	// basic authentication (as password) are taken. None: everybody is "tester".
	Tokens map[string]string
	// Apps are the GitHub Apps that there are.
	Apps []App
	// Log gets each call at debug level. Nil: nothing is logged.
	Log *slog.Logger
}

// Server is an http.Handler that plays GitHub. It serves its API at / and at
// /api/v3/, as github.com and GitHub Enterprise do, the repositories at
// /<owner>/<name>.git, and the tests' controls at /_control/.
type Server struct {
	opts Options
	log  *slog.Logger
	api  *http.ServeMux

	mu     sync.Mutex // guards all state, and the references of all repositories
	repos  map[string]*repository
	lastID int64
	faults []*Fault
	calls  []Call
	hooks  []Hook

	tokenMu sync.Mutex
	tokens  map[string]installationToken

	posts postman
}

// repository is what GitHub knows beside Git.
type repository struct {
	owner, name string
	dir         string
	numbers     int
	pulls       []*pull
	issues      []*issue // of pull requests too
	comments    []*comment
	labels      []*label
	statuses    []*status
	checks      []*checkRun
	signed      map[string]bool   // commits that GitHub made itself
	heads       map[string]string // as they were last looked at
}

// New makes a Server.
func New(opts Options) *Server {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{opts: opts, log: opts.Log, repos: map[string]*repository{}, api: http.NewServeMux(), tokens: map[string]installationToken{}}
	s.posts.idle.L = &s.posts.mu
	s.routes()
	return s
}

func (s *Server) routes() {
	for pattern, h := range map[string]func(*request) (int, any){
		"GET /rate_limit":                                         rateLimit,
		"GET /repos/{owner}/{repo}":                               getRepository,
		"GET /repos/{owner}/{repo}/branches/{branch...}":          getBranch,
		"GET /repos/{owner}/{repo}/contents/{path...}":            getContents,
		"GET /repos/{owner}/{repo}/compare/{basehead...}":         compare,
		"GET /repos/{owner}/{repo}/commits/{rest...}":             commitsOf,
		"GET /repos/{owner}/{repo}/git/ref/{ref...}":              getRef,
		"GET /repos/{owner}/{repo}/git/matching-refs/{ref...}":    matchingRefs,
		"POST /repos/{owner}/{repo}/git/refs":                     createRef,
		"PATCH /repos/{owner}/{repo}/git/refs/{ref...}":           updateRef,
		"DELETE /repos/{owner}/{repo}/git/refs/{ref...}":          deleteRef,
		"GET /repos/{owner}/{repo}/git/commits/{sha}":             getGitCommit,
		"POST /repos/{owner}/{repo}/git/commits":                  createCommit,
		"GET /repos/{owner}/{repo}/git/trees/{sha}":               getTree,
		"POST /repos/{owner}/{repo}/git/trees":                    createTree,
		"GET /repos/{owner}/{repo}/git/blobs/{sha}":               getBlob,
		"POST /repos/{owner}/{repo}/git/blobs":                    createBlob,
		"GET /repos/{owner}/{repo}/pulls":                         listPulls,
		"POST /repos/{owner}/{repo}/pulls":                        createPull,
		"GET /repos/{owner}/{repo}/pulls/{number}":                getPull,
		"PATCH /repos/{owner}/{repo}/pulls/{number}":              updatePull,
		"GET /repos/{owner}/{repo}/pulls/{number}/files":          pullFiles,
		"PUT /repos/{owner}/{repo}/pulls/{number}/merge":          mergePull,
		"GET /repos/{owner}/{repo}/issues":                        listIssues,
		"POST /repos/{owner}/{repo}/issues":                       createIssue,
		"GET /repos/{owner}/{repo}/issues/{number}":               getIssue,
		"PATCH /repos/{owner}/{repo}/issues/{number}":             updateIssue,
		"GET /repos/{owner}/{repo}/issues/{number}/comments":      listComments,
		"POST /repos/{owner}/{repo}/issues/{number}/comments":     createComment,
		"PATCH /repos/{owner}/{repo}/issues/comments/{id}":        updateComment,
		"GET /repos/{owner}/{repo}/issues/{number}/labels":        listIssueLabels,
		"POST /repos/{owner}/{repo}/issues/{number}/labels":       addLabels,
		"DELETE /repos/{owner}/{repo}/issues/{number}/labels/{l}": removeLabel,
		"GET /repos/{owner}/{repo}/labels":                        listLabels,
		"POST /repos/{owner}/{repo}/labels":                       createLabel,
		"POST /repos/{owner}/{repo}/statuses/{sha}":               createStatus,
		"POST /repos/{owner}/{repo}/check-runs":                   createCheck,
		"GET /repos/{owner}/{repo}/check-runs/{id}":               getCheck,
		"PATCH /repos/{owner}/{repo}/check-runs/{id}":             updateCheck,
		"GET /repos/{owner}/{repo}/check-runs/{id}/annotations":   listAnnotations,
		"POST /repos/{owner}/{repo}/check-runs/{id}/rerequest":    rerequestCheck,
		"POST /repos/{owner}/{repo}/check-suites/{id}/rerequest":  rerequestSuite,
	} {
		s.api.HandleFunc(pattern, s.handle(h))
	}
	s.api.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.write(w, r, http.StatusNotFound, notFound()) })
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/_control/"):
		s.control(w, r)
	case gitPath.MatchString(r.URL.Path):
		s.serveGit(w, r)
	default:
		if rest, ok := strings.CutPrefix(r.URL.Path, "/api/v3"); ok {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = rest, strings.TrimPrefix(r.URL.RawPath, "/api/v3")
		}
		s.serveAPI(w, r)
	}
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	fault := s.record(r)
	if fault != nil && fault.Kind == "none" {
		fault = nil
	}
	if fault != nil && !fault.Apply {
		s.writeFault(w, r, fault)
		return
	}
	if appRoute.MatchString(r.URL.Path) {
		s.serveApp(w, r)
		return
	}
	if _, ok := s.login(r); !ok {
		s.write(w, r, http.StatusUnauthorized, message("Bad credentials"))
		return
	}
	if fault != nil { // it is done, and the answer is lost
		s.api.ServeHTTP(discard{http.Header{}}, r)
		s.writeFault(w, r, fault)
		return
	}
	s.api.ServeHTTP(w, r)
}

// login is whom the request's token stands for.
func (s *Server) login(r *http.Request) (string, bool) {
	token := tokenOf(r)
	if _, ok := s.granted(token); ok {
		return "syncgate[bot]", true
	}
	if len(s.opts.Tokens) == 0 {
		return "tester", true
	}
	login, ok := s.opts.Tokens[token]
	return login, ok && token != ""
}

func tokenOf(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		_, token, _ = r.BasicAuth()
	}
	return token
}

// request is one call of the API to a repository.
type request struct {
	*http.Request
	s     *Server
	repo  *repository
	login string
	appID int64  // of an App's token
	base  string // scheme and host, and /api/v3 for Enterprise
	link  string // the Link header of a page
}

var repoName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// handle finds the repository and runs h alone.
func (s *Server) handle(h func(*request) (int, any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		req := &request{Request: r, s: s, base: "http://" + r.Host}
		req.login, _ = s.login(r)
		if t, ok := s.granted(tokenOf(r)); ok {
			req.appID = t.app.ID
		}
		if owner := r.PathValue("owner"); owner != "" {
			if req.repo = s.find(owner, r.PathValue("repo")); req.repo == nil || !s.sees(r, owner, r.PathValue("repo")) {
				s.write(w, r, http.StatusNotFound, notFound())
				return
			}
			req.notice() //nolint:contextcheck // req has it
		}
		code, answer := h(req)
		if req.repo != nil && r.Method != http.MethodGet {
			req.notice() //nolint:contextcheck // req has it
		}
		if req.link != "" {
			w.Header().Set("Link", req.link)
		}
		s.write(w, r, code, answer)
	}
}

func (s *Server) find(owner, name string) *repository {
	key := owner + "/" + name
	if repo := s.repos[key]; repo != nil {
		return repo
	}
	dir := filepath.Join(s.opts.Root, owner, name+".git")
	if !repoName.MatchString(owner) || !repoName.MatchString(name) || strings.HasPrefix(name, ".") {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err != nil {
		return nil
	}
	s.repos[key] = &repository{owner: owner, name: name, dir: dir, signed: map[string]bool{}}
	return s.repos[key]
}

// decode reads the request's body.
func (r *request) decode(into any) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("decode body: %w", err)
	}
	return nil
}

func (s *Server) id() int64 { s.lastID++; return s.lastID }

func (s *Server) write(w http.ResponseWriter, r *http.Request, code int, answer any) {
	s.log.Debug("githubd", "method", r.Method, "path", r.URL.Path, "status", code)
	h := w.Header()
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	if h.Get("X-RateLimit-Limit") == "" {
		h.Set("X-RateLimit-Limit", "5000")
		h.Set("X-RateLimit-Remaining", "4999")
		h.Set("X-RateLimit-Reset", "4102444800")
	}
	if answer == nil {
		w.WriteHeader(code)
		return
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // the client went away
}

// discard is the answer that nobody gets.
type discard struct{ header http.Header }

// Header implements http.ResponseWriter.
func (d discard) Header() http.Header { return d.header }

// Write implements http.ResponseWriter.
func (d discard) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (d discard) WriteHeader(int) {}

var gitPath = regexp.MustCompile(`^/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+\.git/(info/refs|git-upload-pack|git-receive-pack|HEAD|objects/.*)$`)

// serveGit hands over to `git http-backend`.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	login, ok := s.login(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="githubd"`)
		http.Error(w, "a valid token is needed", http.StatusUnauthorized)
		return
	}
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
	owner, name := parts[0], strings.TrimSuffix(parts[1], ".git")
	if !s.sees(r, owner, name) {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodPost && parts[2] == "git-receive-pack" {
		s.noticed(r, owner, name)       //nolint:contextcheck // r has it
		defer s.noticed(r, owner, name) //nolint:contextcheck // r has it
	}
	bin, err := exec.LookPath("git")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := &cgi.Handler{
		Path: bin, Args: []string{"http-backend"}, Root: "/", Stderr: io.Discard,
		Env: []string{
			"GIT_PROJECT_ROOT=" + s.opts.Root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + login,
			"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
			// The backend reads the protocol version of the client from here.
			"GIT_PROTOCOL=" + r.Header.Get("Git-Protocol"),
			"GIT_CONFIG_COUNT=3",
			"GIT_CONFIG_KEY_0=uploadpack.allowFilter", "GIT_CONFIG_VALUE_0=true",
			"GIT_CONFIG_KEY_1=uploadpack.allowAnySHA1InWant", "GIT_CONFIG_VALUE_1=true",
			"GIT_CONFIG_KEY_2=http.receivepack", "GIT_CONFIG_VALUE_2=true",
		},
	}
	h.ServeHTTP(w, r)
}

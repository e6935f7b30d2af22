package githubd

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

// App is a GitHub App. Once there is one, only Apps may have check runs.
type App struct {
	ID  int64
	Key *rsa.PublicKey
	// Installations are the repositories, "owner/name", by the ID of the
	// installation that sees them.
	Installations map[int64][]string
	// TokenLife is how long a token is good. Default an hour.
	TokenLife time.Duration
}

// installationToken is a token that an App got for an installation.
type installationToken struct {
	app   *App
	repos []string
	until time.Time
}

// appRoute are the calls that an App makes with its own key.
var appRoute = regexp.MustCompile(`^/(app/installations/[0-9]+/access_tokens|repos/[^/]+/[^/]+/installation)$`)

// asApp is the App that signed the call, or what is wrong.
func (s *Server) asApp(r *http.Request) (*App, string) {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	var app *App
	claims := &jwt.RegisteredClaims{}
	_, err := jwt.ParseWithClaims(bearer, claims, func(*jwt.Token) (any, error) {
		for i := range s.opts.Apps {
			if a := &s.opts.Apps[i]; strconv.FormatInt(a.ID, 10) == claims.Issuer {
				app = a
				return a.Key, nil
			}
		}
		return nil, fmt.Errorf("no App %q", claims.Issuer)
	}, jwt.WithValidMethods([]string{"RS256"}))
	switch {
	case err != nil:
		return nil, "A JSON web token could not be decoded"
	case claims.ExpiresAt == nil || time.Until(claims.ExpiresAt.Time) > 10*time.Minute:
		return nil, "'Expiration time' claim ('exp') is too far in the future"
	}
	return app, ""
}

// serveApp answers the calls that are signed with an App's key.
func (s *Server) serveApp(w http.ResponseWriter, r *http.Request) {
	app, problem := s.asApp(r)
	if app == nil {
		s.write(w, r, http.StatusUnauthorized, message(problem))
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	req := &request{Request: r, s: s, base: "http://" + r.Host}
	if parts[0] == "repos" {
		for id, repos := range app.Installations {
			if slices.Contains(repos, parts[1]+"/"+parts[2]) {
				s.write(w, r, http.StatusOK, req.installation(app, id))
				return
			}
		}
		s.write(w, r, http.StatusNotFound, notFound())
		return
	}
	id, _ := strconv.ParseInt(parts[2], 10, 64)
	repos, ok := app.Installations[id]
	if !ok || r.Method != http.MethodPost {
		s.write(w, r, http.StatusNotFound, notFound())
		return
	}
	code, answer := req.grant(app, repos)
	s.write(w, r, code, answer)
}

// grant gives a token for the repositories that the body names, all by
// default.
func (r *request) grant(app *App, repos []string) (int, any) {
	var in struct{ Repositories []string }
	if r.ContentLength != 0 {
		if err := r.decode(&in); err != nil {
			return http.StatusBadRequest, message("Problems parsing JSON")
		}
	}
	t := installationToken{app: app, repos: repos}
	if in.Repositories != nil {
		t.repos = nil
		for _, name := range in.Repositories {
			i := slices.IndexFunc(repos, func(full string) bool { return strings.HasSuffix(full, "/"+name) })
			if i < 0 {
				return http.StatusUnprocessableEntity, message("There is at least one repository that does not exist or is not accessible to the parent installation.")
			}
			t.repos = append(t.repos, repos[i])
		}
	}
	life := app.TokenLife
	if life == 0 {
		life = time.Hour
	}
	t.until = time.Now().Add(life)
	token := "ghs_" + rand.Text()
	r.s.tokenMu.Lock()
	defer r.s.tokenMu.Unlock()
	r.s.tokens[token] = t
	return http.StatusCreated, object{
		"token": token, "expires_at": t.until.UTC().Format(time.RFC3339), "permissions": object{"checks": "write", "contents": "write"},
		"repository_selection": "selected",
	}
}

func (r *request) installation(app *App, id int64) object {
	api := fmt.Sprintf("%s/app/installations/%d", r.base, id)
	return object{
		"id": id, "account": r.user("acme"), "repository_selection": "selected", "access_tokens_url": api + "/access_tokens",
		"repositories_url": r.base + "/installation/repositories", "html_url": fmt.Sprintf("%s/settings/installations/%d", r.base, id),
		"app_id": app.ID, "app_slug": "syncgate", "target_id": numberOf("acme"), "target_type": "Organization",
		"permissions": object{"checks": "write"}, "events": []any{"pull_request"}, "created_at": now(), "updated_at": now(),
		"single_file_name": nil, "suspended_by": nil, "suspended_at": nil,
	}
}

// granted is the installation token that a call comes with.
func (s *Server) granted(token string) (installationToken, bool) {
	s.tokenMu.Lock()
	defer s.tokenMu.Unlock()
	t, ok := s.tokens[token]
	return t, ok && time.Now().Before(t.until)
}

// sees reports whether the token of a call is good for the repository.
func (s *Server) sees(r *http.Request, owner, name string) bool {
	t, ok := s.granted(tokenOf(r))
	return !ok || slices.Contains(t.repos, owner+"/"+name)
}

func (r *request) app(id int64) any {
	if id == 0 {
		return nil
	}
	return object{
		"id": id, "slug": "syncgate", "node_id": nodeID("App", id), "owner": r.user("acme"), "name": "Syncgate", "description": nil,
		"external_url": r.base + "/syncgate", "html_url": r.base + "/apps/syncgate", "created_at": now(), "updated_at": now(),
		"permissions": object{"checks": "write"}, "events": []any{"pull_request"},
	}
}

// Package server is the gate server's HTTP API. It takes a Change from a hook
// Job, answers with the Run that evaluates it, and streams the Run's events.
// It bounds what comes in, asks the cluster whose token it is, and leaves the
// rest to the engine.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine"
)

// ErrToken says that a token is not good on a cluster, or that there is no such
// cluster: a stranger is not told which.
var ErrToken = errors.New("token not accepted")

// Caller is who sent a request.
type Caller struct {
	// Name is the user name the cluster gave.
	Name string
	// Allowed is true when the server's configuration lets the caller speak
	// for the cluster.
	Allowed bool
	// Namespace, Pod and PodUID are those of the pod that the caller's token is
	// bound to; empty when it is bound to none.
	Namespace, Pod, PodUID string
	// User is all that the cluster says of the caller.
	User authenticationv1.UserInfo
}

// Authenticator asks a cluster whose token it is, and what that one may do.
type Authenticator interface {
	// Authenticate answers ErrToken, wrapped, when the token is not good for
	// audience hooks.TokenAudience there. Any other error means that it could
	// not be found out.
	Authenticate(ctx context.Context, cluster, token string) (Caller, error)
	// MayOverride reports whether the cluster's own access rules let the
	// caller override the gate there, and why, where the cluster says so. An
	// error means that it could not be found out.
	MayOverride(ctx context.Context, cluster string, caller Caller, gate string) (may bool, why string, err error)
}

// Limits bound what the server does at once. A field that is 0 takes its
// default.
type Limits struct {
	// Streams is how many event streams may be open. Default 1000.
	Streams int
	// StreamsPerCaller is how many of them one caller may have. Default 100.
	StreamsPerCaller int
	// Rate is how many requests a second one caller may send for long, Burst
	// how many at once. Default 20 and 100.
	Rate, Burst int
	// Reviews is how many tokens a second are taken to their cluster, all
	// callers together. Default 50.
	Reviews int
	// RequestTimeout bounds a request that is no stream. Default 75s.
	RequestTimeout time.Duration
	// StreamTimeout ends a stream, so that its caller comes back with a token
	// that is good then. Default 10m.
	StreamTimeout time.Duration
	// Heartbeat is the time between two signs of life on a stream. Default
	// 15s, which the client relies on.
	Heartbeat time.Duration
	// TokenCache is how long a token that was good is not taken to its
	// cluster again. Default 30s.
	TokenCache time.Duration
	// Reviewing is how many admission reviews are read at one moment. Default
	// 64.
	Reviewing int
}

func (l *Limits) defaults() {
	def(&l.Streams, 1000)
	def(&l.StreamsPerCaller, 100)
	def(&l.Rate, 20)
	def(&l.Burst, 100)
	def(&l.Reviews, 50)
	def(&l.RequestTimeout, 75*time.Second)
	def(&l.StreamTimeout, 10*time.Minute)
	def(&l.Heartbeat, 15*time.Second)
	def(&l.TokenCache, 30*time.Second)
	def(&l.Reviewing, 64)
}

func def[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Server answers the API.
type Server struct {
	engine  *engine.Engine
	auth    *authenticator
	limits  Limits
	callers *callers
	streams *streams
	log     *slog.Logger
	closing chan struct{}
	// admission is nil when it is not enabled; reviewing has a place for each
	// review.
	admission *Admission
	reviewing chan struct{}
	// webhooks is nil when none are taken.
	webhooks *Webhooks
	// explainer is nil when hook Jobs are not told why they fail.
	explainer Explainer
}

// New makes the API's handler. Close ends its streams, which http.Server's
// Shutdown waits for.
func New(e *engine.Engine, auth Authenticator, limits Limits, log *slog.Logger) *Server {
	limits.defaults()
	return &Server{
		engine: e, auth: newAuthenticator(auth, e, limits, log), limits: limits, log: log,
		callers: newCallers(limits), streams: newStreams(limits), closing: make(chan struct{}),
	}
}

// Close ends the open streams; their clients come back to the next server.
func (s *Server) Close() { close(s.closing) }

// Handler is the HTTP side of s.
func (s *Server) Handler() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.HandleMethodNotAllowed = true
	g.RedirectTrailingSlash = false
	_ = g.SetTrustedProxies(nil) // nobody's word for the peer's address; nil cannot fail
	g.Use(s.logged, s.recovered)
	g.NoRoute(func(c *gin.Context) {
		fail(c, http.StatusNotFound, hooks.Problem{Code: hooks.CodeUnknownPath, Message: "there is nothing at this path", Remedy: "see the API's reference"})
	})
	g.NoMethod(func(c *gin.Context) {
		fail(c, http.StatusMethodNotAllowed, hooks.Problem{Code: hooks.CodeBadRequest, Message: "this path does not know the method", Remedy: "see the API's reference"})
	})
	g.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	g.GET("/readyz", s.ready)
	g.POST(hooks.PathChanges, s.timed, s.postChange)
	g.POST(hooks.PathOverrides, s.timed, s.postOverride)
	g.GET(hooks.PathOverrides, s.timed, s.listOverrides)
	g.POST(hooks.PathOverrides+"/:id"+hooks.PathRevoke, s.timed, s.revokeOverride)
	g.GET(hooks.PathRuns, s.timed, s.listRuns)
	g.GET(hooks.PathRuns+"/:id", s.timed, s.getRun)
	g.GET(hooks.PathRuns+"/:id/events", s.events)
	if s.webhooks != nil {
		g.POST(hooks.PathGitHub, s.receive)
	}
	s.admissionRoutes(g)
	return g
}

// HTTP is an http.Server for s with the timeouts it needs.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func (s *Server) ready(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), 5*time.Second)
	defer cancel()
	if err := s.engine.Ready(ctx); err != nil {
		s.log.WarnContext(ctx, "not ready", "error", err)
		c.String(http.StatusServiceUnavailable, "the database does not answer\n")
		return
	}
	c.String(http.StatusOK, "ok\n")
}

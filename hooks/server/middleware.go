package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/syncgate/syncgate/hooks"
)

// subjectKey is where the caller's name lies in a request's context.
const subjectKey = "subject"

// logged writes one line a request. Neither headers nor bodies are in it.
func (s *Server) logged(c *gin.Context) {
	start := time.Now()
	c.Next()
	level := slog.LevelInfo
	if p := c.FullPath(); p == "/healthz" || p == "/readyz" {
		level = slog.LevelDebug
	}
	if strings.HasPrefix(c.FullPath(), hooks.PathAdmission) && c.Writer.Status() == http.StatusOK {
		level = slog.LevelDebug // there are hundreds a second; what is refused is in the audit log
	}
	if c.Writer.Status() >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	s.log.Log(c.Request.Context(), level, "request", "method", c.Request.Method, "path", shownPath(c.Request),
		"status", c.Writer.Status(), "subject", c.GetString(subjectKey), "elapsed", time.Since(start).String())
}

// recovered turns a panic into an answer.
func (s *Server) recovered(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		s.log.ErrorContext(c.Request.Context(), "request panicked", "path", shownPath(c.Request), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		if c.Writer.Written() {
			c.Abort()
			return
		}
		internal(c)
	}()
	c.Next()
}

// timed bounds a request that is no stream.
func (s *Server) timed(c *gin.Context) {
	ctx, cancel := context.WithTimeoutCause(c.Request.Context(), s.limits.RequestTimeout,
		fmt.Errorf("no answer within the limit of %s", s.limits.RequestTimeout))
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

func fail(c *gin.Context, status int, p hooks.Problem) {
	c.AbortWithStatusJSON(status, hooks.ProblemBody{Error: p})
}

func limited(c *gin.Context, message string) {
	c.Header("Retry-After", "2")
	fail(c, http.StatusTooManyRequests, hooks.Problem{Code: hooks.CodeRateLimited, Message: message, Remedy: "wait a moment and try again"})
}

func unavailable(c *gin.Context, message string) {
	fail(c, http.StatusServiceUnavailable, hooks.Problem{Code: hooks.CodeUnavailable, Message: message,
		Remedy: "try again; the server's log says what it could not reach"})
}

func internal(c *gin.Context) {
	fail(c, http.StatusInternalServerError, hooks.Problem{Code: hooks.CodeInternal, Message: "the request broke down, which is a mistake in Syncgate",
		Remedy: "try again, and report what the server's log says"})
}

package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/cache"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/store"
)

const (
	maxTokens = 2048     // tokens kept as good
	maxToken  = 16 << 10 // bytes
)

// errBusy says that too many tokens are under review.
var errBusy = errors.New("too many tokens to review")

// authenticator remembers good tokens for a short time, and bounds what
// strangers can make the clusters and the audit log do.
type authenticator struct {
	next    Authenticator
	engine  *engine.Engine
	keep    time.Duration
	good    *cache.LRUExpireCache
	reviews *rate.Limiter
	audits  *rate.Limiter
	skipped atomic.Int64
	log     *slog.Logger
}

func newAuthenticator(next Authenticator, e *engine.Engine, l Limits, log *slog.Logger) *authenticator {
	return &authenticator{
		next: next, engine: e, keep: l.TokenCache, log: log,
		good:    cache.NewLRUExpireCache(maxTokens),
		reviews: rate.NewLimiter(rate.Limit(l.Reviews), l.Reviews),
		audits:  rate.NewLimiter(1, 60),
	}
}

func (a *authenticator) authenticate(ctx context.Context, cluster, token string) (Caller, error) {
	if token == "" || len(token) > maxToken {
		return Caller{}, fmt.Errorf("%w: expected a bearer token of 1 to %d bytes, found %d", ErrToken, maxToken, len(token))
	}
	key := sha256.Sum256([]byte(cluster + "\x00" + token))
	if c, ok := a.good.Get(key); ok {
		return c.(Caller), nil
	}
	if !a.reviews.Allow() {
		return Caller{}, errBusy
	}
	c, err := a.next.Authenticate(ctx, cluster, token)
	if err != nil {
		return Caller{}, err
	}
	a.good.Add(key, c, a.keep)
	return c, nil
}

// audit keeps a refusal. Strangers can cause it, so it is bounded: what is left
// out is counted in the next line.
func (a *authenticator) audit(ctx context.Context, entry store.AuditEntry) {
	if a.mayAudit(ctx, &entry) {
		a.write(ctx, entry)
	}
}

// auditLater is audit for those who cannot wait for the database.
func (a *authenticator) auditLater(ctx context.Context, entry store.AuditEntry) {
	if a.mayAudit(ctx, &entry) {
		go a.write(ctx, entry) // as many as the rate lets through
	}
}

func (a *authenticator) mayAudit(ctx context.Context, entry *store.AuditEntry) bool {
	a.log.WarnContext(ctx, "request refused", "action", entry.Action, "subject", entry.Subject, "cluster", entry.Cluster, "detail", entry.Detail)
	if !a.audits.Allow() {
		a.skipped.Add(1)
		return false
	}
	if n := a.skipped.Swap(0); n > 0 {
		entry.Detail += fmt.Sprintf(" (and %d more refusals before this one)", n)
	}
	return true
}

func (a *authenticator) write(ctx context.Context, entry store.AuditEntry) {
	if err := a.engine.Audit(context.WithoutCancel(ctx), entry); err != nil {
		a.log.ErrorContext(ctx, "audit not written", "error", err)
	}
}

// caller is who sent the request, who may speak for the cluster. Otherwise it
// has answered the request and reports false.
func (s *Server) caller(c *gin.Context, cluster string) (Caller, bool) {
	who, ok := s.known(c, cluster)
	if !ok {
		return who, false
	}
	if !who.Allowed {
		s.auth.audit(c.Request.Context(), store.AuditEntry{Action: "authorize", Subject: who.Name, Cluster: cluster, Detail: "not among the cluster's hook subjects"})
		fail(c, http.StatusForbidden, hooks.Problem{
			Code:    hooks.CodeForbidden,
			Message: fmt.Sprintf("%s may not speak for cluster %q", who.Name, cluster),
			Remedy:  "run the hook Job under a ServiceAccount that the server's configuration lists in the cluster's hookSubjects, or list this one",
		})
		return who, false
	}
	return who, true
}

// known is who sent the request, whatever they may do on the cluster.
// Otherwise it has answered the request and reports false.
func (s *Server) known(c *gin.Context, cluster string) (Caller, bool) {
	ctx := c.Request.Context()
	token, _ := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer ")
	who, err := s.auth.authenticate(ctx, cluster, strings.TrimSpace(token))
	switch {
	case errors.Is(err, ErrToken):
		s.auth.audit(ctx, store.AuditEntry{Action: "authenticate", Cluster: cluster, Detail: fmt.Sprintf("from %s: %v", c.RemoteIP(), err)})
		c.Header("WWW-Authenticate", `Bearer realm="syncgate"`)
		fail(c, http.StatusUnauthorized, hooks.Problem{
			Code:    hooks.CodeUnauthenticated,
			Message: fmt.Sprintf("the token is not good for cluster %q", cluster),
			Remedy:  "send that cluster's ServiceAccount token, not expired, for audience " + hooks.TokenAudience + "; the server's log says what was wrong, for instance that it does not know the cluster",
		})
		return who, false
	case errors.Is(err, errBusy):
		limited(c, "the server reviews too many tokens at the moment")
		return who, false
	case err != nil:
		s.log.WarnContext(ctx, "token not reviewed", "cluster", cluster, "error", err)
		unavailable(c, fmt.Sprintf("could not find out whose token it is on cluster %q", cluster))
		return who, false
	}
	c.Set(subjectKey, who.Name)
	if !s.callers.allow(who.Name + "\x00" + cluster) {
		limited(c, fmt.Sprintf("%s sends more requests than the limit of %d a second", who.Name, s.limits.Rate))
		return who, false
	}
	return who, true
}

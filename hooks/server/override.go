package server

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// postOverride lets a Change go on for a person whom the cluster's own access
// rules allow that. Refusals are in the audit log as well.
func (s *Server) postOverride(c *gin.Context) {
	req, ok := body(c, hooks.DecodeOverrideRequest, "correct the arguments of `syncgate override`")
	if !ok {
		return
	}
	who, ok := s.known(c, req.Cluster)
	if !ok || !s.mayOverride(c, who, req) {
		return
	}
	run, err := s.engine.Override(c.Request.Context(), req, who.Name)
	if err != nil {
		s.refused(c, err)
		return
	}
	c.JSON(http.StatusOK, run)
}

func (s *Server) mayOverride(c *gin.Context, who Caller, req hooks.OverrideRequest) bool {
	ctx := c.Request.Context()
	may, why, err := s.auth.next.MayOverride(ctx, req.Cluster, who, req.Gate)
	if err != nil {
		s.log.WarnContext(ctx, "access not reviewed", "cluster", req.Cluster, "subject", who.Name, "error", err)
		unavailable(c, fmt.Sprintf("could not find out whether %s may override gate %s on cluster %q", who.Name, req.Gate, req.Cluster))
		return false
	}
	if may {
		return true
	}
	detail := fmt.Sprintf("may not override gate %s at %s", req.Gate, req.Revision)
	if why != "" {
		detail += fmt.Sprintf(": %.200s", why)
	}
	s.auth.audit(ctx, store.AuditEntry{Action: "override", Subject: who.Name, Cluster: req.Cluster, Detail: detail})
	fail(c, http.StatusForbidden, hooks.Problem{
		Code:    hooks.CodeForbidden,
		Message: fmt.Sprintf("%s may not override gate %s on cluster %q", who.Name, req.Gate, req.Cluster),
		Remedy: fmt.Sprintf("ask somebody who may, or bind a ClusterRole that allows the verb override on gates.syncgate.dev, name %s, on that cluster; "+
			"`kubectl auth can-i override gates.syncgate.dev/%s` says who may", req.Gate, req.Gate),
	})
	return false
}

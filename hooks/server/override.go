package server

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

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
	if !ok || !s.mayOverride(c, who, wish{req.Cluster, req.Gate, fmt.Sprintf("override gate %s at %s", req.Gate, req.Revision)}) {
		return
	}
	run, err := s.engine.Override(c.Request.Context(), req, who.Name)
	if err != nil {
		s.refused(c, err)
		return
	}
	c.JSON(http.StatusOK, run)
}

// listOverrides lists what is overridden, for those who may override it.
func (s *Server) listOverrides(c *gin.Context) {
	cluster, gate := c.Query("cluster"), c.Query("gate")
	who, ok := s.known(c, cluster)
	if !ok {
		return
	}
	all := c.Query("all")
	if gate == "" || all != "" && all != "true" && all != "false" {
		fail(c, http.StatusBadRequest, hooks.Problem{Code: hooks.CodeBadRequest,
			Message: fmt.Sprintf("expected ?cluster=NAME&gate=NAME, and all as true or false, found gate %.80q, all %.40q", gate, all), Remedy: "correct the query"})
		return
	}
	if !s.mayOverride(c, who, wish{cluster, gate, "list the overrides of gate " + gate}) {
		return
	}
	runs, err := s.engine.Overridden(c.Request.Context(), cluster, gate, all == "true")
	if err != nil {
		s.refused(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"runs": runs})
}

// revokeOverride ends an override, for those who may override the same gate.
func (s *Server) revokeOverride(c *gin.Context) {
	req, ok := body(c, hooks.DecodeRevokeRequest, "correct the arguments of `syncgate override revoke`")
	if !ok {
		return
	}
	who, ok := s.known(c, req.Cluster)
	if !ok {
		return
	}
	// Which gate it is, the Run says; what is no Run of the cluster, the engine.
	run, err := hooks.Run{}, store.ErrNotFound
	if id, parse := uuid.Parse(c.Param("id")); parse == nil {
		run, err = s.engine.Run(c.Request.Context(), id.String())
	}
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		s.refused(c, err)
		return
	case err != nil || run.Change.Cluster != req.Cluster:
		fail(c, http.StatusNotFound, hooks.Problem{Code: hooks.CodeUnknownRun,
			Message: fmt.Sprintf("cluster %q has no run %.80q", req.Cluster, c.Param("id")), Remedy: "take the id from `syncgate override list`"})
		return
	case !s.mayOverride(c, who, wish{req.Cluster, run.Change.Gate, "revoke the override of run " + run.ID}):
		return
	}
	if run, err = s.engine.Revoke(c.Request.Context(), run.ID, req, who.Name); err != nil {
		s.refused(c, err)
		return
	}
	c.JSON(http.StatusOK, run)
}

// wish is what somebody wants who must be allowed to override a gate for it.
type wish struct{ cluster, gate, what string }

// mayOverride asks the cluster. Otherwise it has answered the request and reports
// false.
func (s *Server) mayOverride(c *gin.Context, who Caller, w wish) bool {
	ctx := c.Request.Context()
	may, why, err := s.auth.next.MayOverride(ctx, w.cluster, who, w.gate)
	if err != nil {
		s.log.WarnContext(ctx, "access not reviewed", "cluster", w.cluster, "subject", who.Name, "error", err)
		unavailable(c, fmt.Sprintf("could not find out whether %s may override gate %s on cluster %q", who.Name, w.gate, w.cluster))
		return false
	}
	if may {
		return true
	}
	detail := "may not " + w.what
	if why != "" {
		detail += fmt.Sprintf(": %.200s", why)
	}
	s.auth.audit(ctx, store.AuditEntry{Action: "override", Subject: who.Name, Cluster: w.cluster, Detail: detail})
	fail(c, http.StatusForbidden, hooks.Problem{
		Code:    hooks.CodeForbidden,
		Message: fmt.Sprintf("%s may not override gate %s on cluster %q", who.Name, w.gate, w.cluster),
		Remedy: fmt.Sprintf("ask somebody who may, or bind a ClusterRole that allows the verb override on gates.syncgate.dev, name %s, on that cluster; "+
			"`kubectl auth can-i override gates.syncgate.dev/%s` says who may", w.gate, w.gate),
	})
	return false
}

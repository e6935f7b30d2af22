package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/store"
)

// maxList is how many Runs one answer lists.
const maxList = 100

// postChange takes a Change. 202 when it made a Run, 200 when it found one.
func (s *Server) postChange(c *gin.Context) {
	change, ok := body(c, hooks.DecodeChange, "correct the hook Job's arguments")
	if !ok {
		return
	}
	who, ok := s.caller(c, change.Cluster)
	if !ok {
		return
	}
	run, fresh, err := s.engine.Submit(c.Request.Context(), change, who.Name)
	if err != nil {
		s.explainRefusal(who, change, err)
		s.refused(c, err)
		return
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusAccepted
	}
	c.JSON(status, run)
}

// body is the request's body, decoded. Otherwise it has answered the request
// and reports false.
func body[T any](c *gin.Context, decode func(io.Reader) (T, error), remedy string) (T, bool) {
	var none T
	if kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || kind != "application/json" {
		fail(c, http.StatusUnsupportedMediaType, hooks.Problem{Code: hooks.CodeBadRequest,
			Message: "expected Content-Type application/json", Remedy: "send JSON"})
		return none, false
	}
	v, err := decode(http.MaxBytesReader(c.Writer, c.Request.Body, hooks.MaxChange))
	var size *http.MaxBytesError
	switch {
	case errors.As(err, &size):
		fail(c, http.StatusRequestEntityTooLarge, hooks.Problem{Code: hooks.CodeTooLarge,
			Message: fmt.Sprintf("the body is longer than the limit of %d bytes", hooks.MaxChange), Remedy: "send one object"})
		return none, false
	case err != nil:
		fail(c, http.StatusBadRequest, hooks.Problem{Code: hooks.CodeBadRequest, Message: err.Error(), Remedy: remedy})
		return none, false
	}
	return v, true
}

// refused answers with what the engine said.
func (s *Server) refused(c *gin.Context, err error) {
	var r *engine.RefusedError
	if !errors.As(err, &r) {
		s.log.WarnContext(c.Request.Context(), "request not done", "error", err)
		unavailable(c, err.Error())
		return
	}
	status := http.StatusUnprocessableEntity
	switch r.Code {
	case hooks.CodeUnknownGate, hooks.CodeUnknownRevision, hooks.CodeUnknownRepo, hooks.CodeUnknownRun:
		status = http.StatusNotFound
	}
	fail(c, status, r.Problem)
}

// run is the Run of the path's id, for a caller who may speak for its cluster.
// A caller who names the cluster in the query is told that there is no such
// Run; anybody else only learns that the token is no good.
func (s *Server) run(c *gin.Context) (hooks.Run, Caller, bool) {
	run, err := hooks.Run{}, store.ErrNotFound
	if id, parse := uuid.Parse(c.Param("id")); parse == nil {
		run, err = s.engine.Run(c.Request.Context(), id.String())
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.log.ErrorContext(c.Request.Context(), "run not read", "error", err)
		unavailable(c, "the run could not be read")
		return run, Caller{}, false
	}
	cluster := c.Query("cluster")
	if cluster == "" {
		cluster = run.Change.Cluster
	}
	who, ok := s.caller(c, cluster)
	if !ok {
		return run, who, false
	}
	if err != nil || run.Change.Cluster != cluster {
		fail(c, http.StatusNotFound, hooks.Problem{Code: hooks.CodeUnknownRun,
			Message: fmt.Sprintf("cluster %q has no run %.80q", cluster, c.Param("id")), Remedy: "post the change again"})
		return run, who, false
	}
	return run, who, true
}

func (s *Server) getRun(c *gin.Context) {
	if run, _, ok := s.run(c); ok {
		c.JSON(http.StatusOK, run)
	}
}

// listRuns lists the newest Runs of the cluster that the query names.
func (s *Server) listRuns(c *gin.Context) {
	cluster := c.Query("cluster")
	if _, ok := s.caller(c, cluster); !ok {
		return
	}
	limit, err := maxList, error(nil)
	if q := c.Query("limit"); q != "" {
		limit, err = strconv.Atoi(q)
	}
	if err != nil || limit < 1 || limit > maxList {
		fail(c, http.StatusBadRequest, hooks.Problem{Code: hooks.CodeBadRequest,
			Message: fmt.Sprintf("limit: expected a number from 1 to %d, found %.40q", maxList, c.Query("limit")), Remedy: "correct the query"})
		return
	}
	runs, err := s.engine.Runs(c.Request.Context(), store.Filter{
		Cluster: cluster, Gate: c.Query("gate"), Revision: c.Query("revision"), Phase: hooks.Phase(c.Query("phase")), Limit: limit,
	})
	if err != nil {
		s.refused(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"runs": runs})
}

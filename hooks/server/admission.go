package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/admission"
	"github.com/syncgate/syncgate/hooks/store"
)

// Admission is what the admission webhook of the clusters asks.
type Admission struct {
	Index *admission.Index
	// Clusters are those whose API servers may ask, by name.
	Clusters map[string]*APIServer
}

// EnableAdmission serves admission webhooks. It is called before Handler.
func (s *Server) EnableAdmission(a Admission) {
	s.admission = &a
	s.reviewing = make(chan struct{}, s.limits.Reviewing)
}

// admissionRoutes are there when admission is enabled.
func (s *Server) admissionRoutes(g *gin.Engine) {
	if s.admission == nil {
		return
	}
	g.POST(hooks.PathAdmission+"/:cluster", s.timed, s.review)
	g.POST(hooks.PathAdmission+"/:cluster/:token", s.timed, s.review)
}

// review answers an AdmissionReview from memory. Whatever is wrong with the
// request is no answer: the API server then does what failurePolicy says.
func (s *Server) review(c *gin.Context) {
	ctx, cluster := c.Request.Context(), c.Param("cluster")
	if err := s.admission.Clusters[cluster].authenticate(c.Request, c.Param("token")); err != nil {
		s.auth.audit(ctx, store.AuditEntry{Action: "authenticate", Cluster: cluster, Detail: fmt.Sprintf("admission, from %s: %v", c.RemoteIP(), err)})
		fail(c, http.StatusUnauthorized, hooks.Problem{Code: hooks.CodeUnauthenticated, Message: "not accepted as this cluster's API server",
			Remedy: "see admission.clusters in the server's configuration; the server's log says what was wrong"})
		return
	}
	select {
	case s.reviewing <- struct{}{}:
		defer func() { <-s.reviewing }()
	case <-ctx.Done():
		limited(c, fmt.Sprintf("more reviews are under way than the limit of %d", cap(s.reviewing)))
		return
	}
	r, ok := decodeReview(c)
	if !ok {
		return
	}
	d := s.admission.Index.Review(cluster, r)
	s.noteReview(ctx, cluster, r, d)
	out, err := admission.Encode(r.UID, d)
	if err != nil {
		s.log.ErrorContext(ctx, "review not answered", "error", err)
		internal(c)
		return
	}
	c.Data(http.StatusOK, "application/json", out)
}

// decodeReview reads the request. Otherwise it has answered it and reports
// false.
func decodeReview(c *gin.Context) (*admission.Request, bool) {
	if kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || kind != "application/json" {
		fail(c, http.StatusUnsupportedMediaType, hooks.Problem{Code: hooks.CodeBadRequest,
			Message: "expected Content-Type application/json", Remedy: "send an AdmissionReview as JSON"})
		return nil, false
	}
	if c.Request.ContentLength > admission.MaxReview {
		tooLarge(c)
		return nil, false
	}
	body, err := readBody(c)
	var size *http.MaxBytesError
	switch {
	case errors.As(err, &size):
		tooLarge(c)
		return nil, false
	case err != nil:
		fail(c, http.StatusBadRequest, hooks.Problem{Code: hooks.CodeBadRequest, Message: "the body could not be read", Remedy: "send it again"})
		return nil, false
	}
	r, err := admission.Decode(body)
	if err != nil {
		fail(c, http.StatusBadRequest, hooks.Problem{Code: hooks.CodeBadRequest, Message: err.Error(), Remedy: "send an AdmissionReview of admission.k8s.io/v1"})
		return nil, false
	}
	return r, true
}

// readBody reads the body within its limit, at once when its length is told.
func readBody(c *gin.Context) ([]byte, error) {
	r := http.MaxBytesReader(c.Writer, c.Request.Body, admission.MaxReview)
	if n := c.Request.ContentLength; n > 0 {
		body := make([]byte, n)
		_, err := io.ReadFull(r, body)
		return body, err
	}
	return io.ReadAll(r)
}

func tooLarge(c *gin.Context) {
	fail(c, http.StatusRequestEntityTooLarge, hooks.Problem{Code: hooks.CodeTooLarge,
		Message: fmt.Sprintf("the review is longer than the limit of %d bytes", admission.MaxReview), Remedy: "make the object smaller"})
}

// noteReview keeps what was refused, and what an override let through, in the
// audit log, beside the answer and at a bounded rate. What is only tried (dry
// run) leaves nothing behind.
func (s *Server) noteReview(ctx context.Context, cluster string, r *admission.Request, d admission.Decision) {
	if d.Allowed && d.Warning == "" || r.DryRun {
		return
	}
	entry := store.AuditEntry{Action: "admission", Subject: r.User, Cluster: cluster, Detail: d.Message}
	if d.Allowed {
		entry.Detail = fmt.Sprintf("%s of %s %s/%s: %s", strings.ToLower(string(r.Operation)), r.Kind.Kind, r.Namespace, r.Name, d.Warning)
	}
	s.auth.auditLater(context.WithoutCancel(ctx), entry)
}

// shownPath is a request's path without the token that one to admission may
// have in it.
func shownPath(r *http.Request) string {
	rest, ok := strings.CutPrefix(r.URL.Path, hooks.PathAdmission+"/")
	if !ok {
		return r.URL.Path
	}
	if cluster, _, more := strings.Cut(rest, "/"); more {
		return hooks.PathAdmission + "/" + cluster + "/<redacted>"
	}
	return r.URL.Path
}

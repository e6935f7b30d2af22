package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"

	"github.com/syncgate/syncgate/gitops/forge/webhook"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

const (
	// maxDeliveries is how much of deliveries is in memory at one moment.
	maxDeliveries = 4 * webhook.MaxBody
	// deliveryTimeout bounds a delivery: its sender waits ten seconds, and does
	// not try again by itself.
	deliveryTimeout = 9 * time.Second
)

// Webhooks knows deliveries by their signature. The file of its secrets is read
// again when it changes; one that cannot be read, once it has started, leaves
// what was.
type Webhooks struct {
	file    string
	secrets watched[[][]byte]
	room    *semaphore.Weighted
}

// NewWebhooks reads the secrets, one a line: two while one replaces the other.
func NewWebhooks(secretFile string) (*Webhooks, error) {
	w := &Webhooks{file: secretFile, secrets: watched[[][]byte]{parse: webhook.ParseSecrets}, room: semaphore.NewWeighted(maxDeliveries)}
	if secretFile == "" {
		return nil, errors.New("read webhook secret: expected a file, found none")
	}
	if _, err := w.secrets.read(secretFile); err != nil {
		return nil, fmt.Errorf("read webhook secret: %w", err)
	}
	return w, nil
}

// EnableWebhooks serves GitHub's deliveries. It is called before Handler.
func (s *Server) EnableWebhooks(w *Webhooks) { s.webhooks = w }

// receive takes a delivery: it is authenticated, decoded and put into the queue,
// and nothing else, for its sender waits.
func (s *Server) receive(c *gin.Context) {
	c.Set(subjectKey, "github")
	ctx, cancel := context.WithTimeoutCause(c.Request.Context(), deliveryTimeout, fmt.Errorf("no answer within the limit of %s", deliveryTimeout))
	defer cancel()
	body, done, ok := s.authentic(ctx, c)
	if !ok {
		return
	}
	defer done()
	ev, err := webhook.Decode(c.Request.Header, body)
	if err != nil {
		s.log.WarnContext(ctx, "delivery malformed", "error", err)
		fail(c, http.StatusBadRequest, hooks.Problem{Code: hooks.CodeBadRequest, Message: err.Error(), Remedy: "send a delivery as GitHub does"})
		return
	}
	got, err := s.engine.Receive(ctx, ev)
	if err != nil {
		s.log.ErrorContext(ctx, "delivery not taken", "error", err)
		unavailable(c, "the delivery could not be kept")
		return
	}
	answer := hooks.Reception{Status: hooks.Ignored, Reason: got.Reason}
	switch {
	case got.Accepted:
		answer.Status = hooks.Accepted
	case got.Seen:
		answer.Status = hooks.AlreadySeen
	}
	s.log.InfoContext(ctx, "delivery", "delivery", ev.Delivery, "event", ev.Name, "action", ev.Action,
		"repository", ev.Repository, "came_to", answer.Status, "reason", answer.Reason)
	c.JSON(http.StatusAccepted, answer)
}

// authentic reads a delivery and checks its signature, before anything of it is
// decoded. Otherwise it has answered it and reports false. done gives the room
// of the body back.
func (s *Server) authentic(ctx context.Context, c *gin.Context) (body []byte, done func(), ok bool) {
	signature, err := webhook.Signature(c.Request.Header)
	if err != nil {
		s.notAuthentic(ctx, c, err)
		return nil, nil, false
	}
	size := c.Request.ContentLength
	if size > webhook.MaxBody {
		deliveryTooLarge(c)
		return nil, nil, false
	}
	if size < 0 {
		size = webhook.MaxBody
	}
	if err := s.webhooks.room.Acquire(ctx, size); err != nil {
		limited(c, fmt.Sprintf("more deliveries are under way than the limit of %d bytes", maxDeliveries))
		return nil, nil, false
	}
	done = func() { s.webhooks.room.Release(size) }
	if body, ok = readDelivery(c); !ok {
		done()
		return nil, nil, false
	}
	secrets, err := s.webhooks.secrets.read(s.webhooks.file)
	if err == nil {
		err = webhook.Verify(secrets, signature, body)
	}
	if err != nil {
		done()
		s.notAuthentic(ctx, c, err)
		return nil, nil, false
	}
	return body, done, true
}

// notAuthentic answers a delivery that anybody may have sent.
func (s *Server) notAuthentic(ctx context.Context, c *gin.Context, why error) {
	s.auth.audit(ctx, store.AuditEntry{Action: "webhook", Detail: fmt.Sprintf("GitHub, from %s: %v", c.RemoteIP(), why)})
	fail(c, http.StatusUnauthorized, hooks.Problem{Code: hooks.CodeUnauthenticated, Message: "not accepted as a delivery of GitHub",
		Remedy: "set the webhook's secret to one that the server has; the server's log says what was wrong"})
}

// readDelivery reads the body within its limit and time.
func readDelivery(c *gin.Context) ([]byte, bool) {
	// A recorder in a test has no deadlines; every connection has.
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(deliveryTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, webhook.MaxBody))
	var size *http.MaxBytesError
	switch {
	case err == nil:
		return body, true
	case errors.As(err, &size):
		deliveryTooLarge(c)
	case errors.Is(err, os.ErrDeadlineExceeded):
		fail(c, http.StatusRequestTimeout, hooks.Problem{Code: hooks.CodeBadRequest,
			Message: fmt.Sprintf("the body did not come within the limit of %s", deliveryTimeout), Remedy: "send it again"})
	default:
		fail(c, http.StatusBadRequest, hooks.Problem{Code: hooks.CodeBadRequest, Message: "the body could not be read", Remedy: "send it again"})
	}
	return nil, false
}

func deliveryTooLarge(c *gin.Context) {
	fail(c, http.StatusRequestEntityTooLarge, hooks.Problem{Code: hooks.CodeTooLarge,
		Message: fmt.Sprintf("the delivery is longer than the limit of %d bytes", webhook.MaxBody), Remedy: "GitHub sends none that long"})
}

package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/syncgate/syncgate/hooks"
)

const (
	// eventBatch is how many events are read from the database at once.
	eventBatch = 200
	// writeTimeout is how long a client may take to read what is sent.
	writeTimeout = 30 * time.Second
)

// events streams a Run's events after the one the client has seen last, until
// nothing more is to come.
func (s *Server) events(c *gin.Context) {
	run, who, ok := s.run(c)
	if !ok {
		return
	}
	after, err := lastEvent(c)
	if err != nil {
		fail(c, http.StatusBadRequest, hooks.Problem{Code: hooks.CodeBadRequest, Message: err.Error(), Remedy: "send the id of the last event that was read"})
		return
	}
	done, ok := s.streams.open(who.Name)
	if !ok {
		limited(c, fmt.Sprintf("more event streams are open than the limits of %d in all and %d for one caller",
			s.limits.Streams, s.limits.StreamsPerCaller))
		return
	}
	defer done()
	c.Header("Content-Type", "text/event-stream")
	c.Header("Cache-Control", "no-store")
	c.Header("X-Accel-Buffering", "no") // a proxy must hand events on as they come
	c.Status(http.StatusOK)
	decided := s.explaining(who, run)
	if run.Done() {
		decided(run.Verdict) // which the client may have had from a server before this one
	}
	if err := s.stream(c, run.ID, after, decided); err != nil {
		s.log.DebugContext(c.Request.Context(), "stream ended", "run", run.ID, "error", err)
	}
}

func lastEvent(c *gin.Context) (int64, error) {
	text := c.GetHeader("Last-Event-ID")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("Last-Event-ID: expected a number, found %.40q", text)
	}
	return n, nil
}

// stream sends a Run's events after one. decided is called with the verdict
// before the client has it.
func (s *Server) stream(c *gin.Context, run string, after int64, decided func(hooks.Verdict)) error {
	signal, stop := s.engine.Watch(run)
	defer stop()
	ctx := c.Request.Context()
	w := &eventWriter{c: c, rc: http.NewResponseController(c.Writer), decided: decided}
	// The server's read timeout is for requests; it would end a stream too.
	if err := w.rc.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("stream events: %w", err)
	}
	heartbeat := time.NewTicker(s.limits.Heartbeat)
	defer heartbeat.Stop()
	end := time.NewTimer(s.limits.StreamTimeout)
	defer end.Stop()
	if err := w.write(": %s\n\n", run); err != nil { // the headers are out at once
		return err
	}
	for {
		// The Run is read before its events: what ended it is among them then.
		now, err := s.engine.Run(ctx, run)
		if err != nil {
			return err
		}
		if after, err = s.send(c, w, run, after); err != nil {
			return err
		}
		if now.Done() && !now.RevertPending() {
			return nil
		}
		select {
		case <-signal:
		case <-heartbeat.C:
			err = w.write(": waiting\n\n")
		case <-end.C:
			return nil
		case <-s.closing:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// send writes every event after the one numbered after, and returns the number
// of the last.
func (s *Server) send(c *gin.Context, w *eventWriter, run string, after int64) (int64, error) {
	for {
		events, err := s.engine.Events(c.Request.Context(), run, after, eventBatch)
		if err != nil {
			return after, err
		}
		for _, e := range events {
			text, err := json.Marshal(e)
			if err != nil {
				return after, fmt.Errorf("encode event: %w", err)
			}
			if e.Verdict != nil {
				w.decided(e.Verdict.Verdict)
			}
			if err := w.write("id: %d\ndata: %s\n\n", e.Seq, text); err != nil {
				return after, err
			}
			after = e.Seq
		}
		if len(events) < eventBatch {
			return after, nil
		}
	}
}

// eventWriter sends at once what it is given.
type eventWriter struct {
	c  *gin.Context
	rc *http.ResponseController
	// decided is called with the verdict right before it is written.
	decided func(hooks.Verdict)
}

func (w *eventWriter) write(format string, args ...any) error {
	if err := w.rc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if _, err := fmt.Fprintf(w.c.Writer, format, args...); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if err := w.rc.Flush(); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

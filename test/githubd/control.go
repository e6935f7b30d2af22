package githubd

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// Call is one call of the API.
type Call struct {
	Method string `json:"method"`
	Path   string `json:"path"`
}

// Fault makes calls fail.
type Fault struct {
	// Method and Path, a regular expression, choose the calls. Empty: all.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Skip lets that many matching calls through first.
	Skip int `json:"skip,omitempty"`
	// Times is how many calls fail. 0: all from then on.
	Times int `json:"times,omitempty"`
	// Apply carries the call out, and then answers with the fault.
	Apply bool `json:"apply,omitempty"`
	// Kind is "status" (the default), "rateLimit", "secondaryLimit", "tooMany"
	// (429), or "none": the call goes on, after Do.
	Kind string `json:"kind,omitempty"`
	// Status and Message are the answer of kind status.
	Status  int    `json:"status,omitempty"`
	Message string `json:"message,omitempty"`
	// RetryAfter in seconds is sent with a limit; below 0 it is left out.
	RetryAfter int `json:"retryAfter,omitempty"`
	// Permissions is sent as X-Accepted-GitHub-Permissions.
	Permissions string `json:"permissions,omitempty"`
	// Do runs before the answer, for what happens meanwhile.
	Do func() `json:"-"`

	form *regexp.Regexp
}

// Fail adds a fault.
func (s *Server) Fail(f Fault) {
	f.form = regexp.MustCompile(f.Path)
	if f.Times == 0 {
		f.Times = -1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal removes all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Calls are the calls since the last time it was asked.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// record counts a call and finds out whether it is to fail.
func (s *Server) record(r *http.Request) *Fault {
	s.mu.Lock()
	s.calls = append(s.calls, Call{Method: r.Method, Path: r.URL.Path})
	var hit *Fault
	for _, f := range s.faults {
		if f.Times == 0 || f.Method != "" && f.Method != r.Method || !f.form.MatchString(r.URL.Path) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		hit = f
		break
	}
	s.mu.Unlock()
	if hit != nil && hit.Do != nil {
		hit.Do()
	}
	return hit
}

func (s *Server) writeFault(w http.ResponseWriter, r *http.Request, f *Fault) {
	const docs = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"
	h := w.Header()
	if f.Permissions != "" {
		h.Set("X-Accepted-GitHub-Permissions", f.Permissions)
	}
	if f.RetryAfter >= 0 && f.Kind != "" && f.Kind != "status" {
		h.Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	switch f.Kind {
	case "rateLimit":
		h.Del("Retry-After")
		h.Set("X-RateLimit-Limit", "5000")
		h.Set("X-RateLimit-Remaining", "0")
		h.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Duration(f.RetryAfter)*time.Second).Unix(), 10))
		s.write(w, r, http.StatusForbidden, map[string]any{"message": "API rate limit exceeded for user ID 1.", "documentation_url": docs})
	case "secondaryLimit":
		s.write(w, r, http.StatusForbidden, map[string]any{
			"message":           "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
			"documentation_url": docs + "#about-secondary-rate-limits",
		})
	case "tooMany":
		s.write(w, r, http.StatusTooManyRequests, map[string]any{"message": "Too many requests", "documentation_url": docs})
	default:
		s.write(w, r, f.Status, map[string]any{"message": f.Message, "documentation_url": "https://docs.github.com/rest"})
	}
}

// control is the same over HTTP: POST a Fault to /_control/faults, DELETE them
// there, GET /_control/calls.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "POST /_control/faults":
		var f Fault
		err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&f)
		if err == nil {
			_, err = regexp.Compile(f.Path)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.Fail(f)
		w.WriteHeader(http.StatusNoContent)
	case "DELETE /_control/faults":
		s.Heal()
		w.WriteHeader(http.StatusNoContent)
	case "GET /_control/calls":
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Calls())
	default:
		http.NotFound(w, r)
	}
}

func message(m string) map[string]any {
	return map[string]any{"message": m, "documentation_url": "https://docs.github.com/rest"}
}

func notFound() map[string]any { return message("Not Found") }

// invalid is GitHub's validation error. A code of "custom" comes with a
// message.
func invalid(resource, field, code, text string) map[string]any {
	e := map[string]any{"resource": resource, "code": code}
	if field != "" {
		e["field"] = field
	}
	if text != "" {
		e["message"] = text
	}
	m := message("Validation Failed")
	m["errors"] = []any{e}
	return m
}

package githubd

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// Hook is where a Server sends its events.
type Hook struct {
	URL    string
	Secret string
	// Form sends them as a form.
	Form bool
	// Installation is named in each event; 0 is a webhook of the repository.
	Installation int64
	// Client sends; nil: the default one.
	Client *http.Client
}

// Delivery is an event that was sent, and what came of it.
type Delivery struct {
	ID, Event, Action string
	Payload           []byte
	Status            int
	Answer            string
	Err               error

	hook Hook
}

// postman sends deliveries one after the other, in their order.
type postman struct {
	mu      sync.Mutex
	idle    sync.Cond
	queue   []func() Delivery
	sent    []Delivery
	running bool
}

// AddHook sends all that happens from now on.
func (s *Server) AddHook(h Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(s.hooks, h)
	dirs, _ := filepath.Glob(filepath.Join(s.opts.Root, "*", "*.git")) // the pattern is good
	for _, dir := range dirs {
		owner, name := filepath.Base(filepath.Dir(dir)), strings.TrimSuffix(filepath.Base(dir), ".git")
		if repo := s.find(owner, name); repo != nil && repo.heads == nil {
			repo.heads = repo.branches()
		}
	}
}

// Deliveries waits until all is sent, and gives what was sent since the last
// time it was asked.
func (s *Server) Deliveries() []Delivery {
	p := &s.posts
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.running {
		p.idle.Wait()
	}
	sent := p.sent
	p.sent = nil
	return sent
}

// Redeliver sends a delivery again, as it was, with its identity.
func (s *Server) Redeliver(ctx context.Context, d Delivery) {
	s.posts.add(ctx, Delivery{ID: d.ID, Event: d.Event, Action: d.Action, Payload: d.Payload, hook: d.hook})
}

// post sends an event of the repository to every hook.
func (r *request) post(event, action string, payload object) {
	for _, h := range r.s.hooks {
		p := object{"repository": r.repository(), "sender": r.user(r.login)}
		if action != "" {
			p["action"] = action
		}
		if h.Installation != 0 {
			p["installation"] = object{"id": h.Installation, "node_id": nodeID("Installation", h.Installation)}
		}
		for k, v := range payload {
			p[k] = v
		}
		b, err := json.Marshal(p)
		if err != nil {
			panic(err) // it is made of what JSON has
		}
		r.s.posts.add(r.Context(), Delivery{ID: uuid.NewString(), Event: event, Action: action, Payload: b, hook: h})
	}
}

// add has a delivery sent, whether or not the call that caused it lasts.
func (p *postman) add(ctx context.Context, d Delivery) {
	ctx = context.WithoutCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, func() Delivery {
		d.Status, d.Answer, d.Err = d.send(ctx)
		return d
	})
	if !p.running {
		p.running = true
		go p.run()
	}
}

func (p *postman) run() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 {
		send := p.queue[0]
		p.queue = p.queue[1:]
		p.mu.Unlock()
		d := send()
		p.mu.Lock()
		p.sent = append(p.sent, d)
	}
	p.running = false
	p.idle.Broadcast()
}

func (d *Delivery) send(ctx context.Context) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	body, kind := d.Payload, "application/json"
	if d.hook.Form {
		body, kind = []byte(url.Values{"payload": {string(body)}}.Encode()), "application/x-www-form-urlencoded"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.hook.URL, bytes.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("make delivery: %w", err)
	}
	mac := hmac.New(sha256.New, []byte(d.hook.Secret))
	mac.Write(body)
	for k, v := range map[string]string{
		"Content-Type": kind, "User-Agent": "GitHub-Hookshot/githubd", "X-GitHub-Event": d.Event, "X-GitHub-Delivery": d.ID,
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		req.Header.Set(k, v)
	}
	client := d.hook.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("send delivery: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, string(answer), err
}

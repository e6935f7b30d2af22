package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/syncgate/syncgate/hooks"
)

// What a server may send at most, in bytes.
const (
	maxRun     = 8 << 20
	maxRuns    = 64 << 20
	maxProblem = 64 << 10
	maxToken   = 64 << 10
)

func httpClient(caFile string) (*http.Client, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read CA file %s: expected certificates in PEM, found none", caFile)
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:           http.ProxyFromEnvironment,
			TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			// The server may have to fetch the revision before it answers.
			ResponseHeaderTimeout: 90 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ForceAttemptHTTP2:     true,
		},
		// A redirect would carry the token to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func (w *waiter) post(ctx context.Context, _ backoff.BackOff) (hooks.Run, error) {
	body, err := json.Marshal(w.opts.Change)
	if err != nil {
		return hooks.Run{}, backoff.Permanent(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	req, err := w.request(ctx, http.MethodPost, hooks.PathChanges, bytes.NewReader(body))
	if err != nil {
		return hooks.Run{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := w.do(req, http.StatusOK, http.StatusAccepted)
	if err != nil {
		return hooks.Run{}, err
	}
	defer res.Body.Close()
	var run hooks.Run
	if err := json.NewDecoder(io.LimitReader(res.Body, maxRun)).Decode(&run); err != nil {
		return run, fmt.Errorf("read run: %w", err)
	}
	if run.ID == "" {
		return run, errors.New("read run: expected an id, found none: is this a gate server?")
	}
	return run, nil
}

// events opens the Run's event stream after the newest event seen.
func (w *waiter) events(ctx context.Context) (io.ReadCloser, error) {
	path := hooks.PathRuns + "/" + url.PathEscape(w.run) + "/events"
	req, err := w.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = url.Values{"cluster": {w.opts.Change.Cluster}}.Encode()
	req.Header.Set("Accept", "text/event-stream")
	if w.seq > 0 {
		req.Header.Set("Last-Event-ID", strconv.FormatInt(w.seq, 10))
	}
	res, err := w.do(req, http.StatusOK)
	if err != nil {
		return nil, err
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind != "text/event-stream" {
		_ = res.Body.Close()
		return nil, fmt.Errorf("follow events: expected text/event-stream, found %.80q", kind)
	}
	return res.Body, nil
}

func (w *waiter) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	token, err := readToken(w.opts.TokenFile)
	if err != nil {
		return nil, err // the kubelet may be writing it: try again
	}
	req, err := http.NewRequestWithContext(ctx, method, w.base.JoinPath(path).String(), body)
	if err != nil {
		return nil, backoff.Permanent(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("User-Agent", "syncgate-hook")
	return req, nil
}

func readToken(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read token: %w; mount a projected ServiceAccount token for audience %q there", err, hooks.TokenAudience)
	}
	defer f.Close()
	return ReadToken(f, file)
}

// ReadToken reads one bearer token and nothing else from r; name stands for r
// in errors.
func ReadToken(r io.Reader, name string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxToken))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsAny(token, "\r\n\x00 ") {
		// Its text stays out of the message.
		return "", fmt.Errorf("read token %s: expected one token, found %d bytes of something else", name, len(b))
	}
	return token, nil
}

// do sends the request. A refusal that will not change is a permanent error.
func (w *waiter) do(req *http.Request, want ...int) (*http.Response, error) {
	res, err := w.http.Do(req)
	if err != nil {
		if badCertificate(err) {
			err = backoff.Permanent(fmt.Errorf("%w; give the server's CA with --ca-file", err))
		}
		return nil, err
	}
	for _, code := range want {
		if res.StatusCode == code {
			return res, nil
		}
	}
	defer res.Body.Close()
	return nil, refusal(res)
}

func badCertificate(err error) bool {
	var verify *tls.CertificateVerificationError
	return errors.As(err, &verify)
}

// refusal turns an answer that is no success into an error.
func refusal(res *http.Response) error {
	err := problem(res)
	switch {
	case err.Code == hooks.CodeUnknownRun:
		return backoff.Permanent(errGone)
	case res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusServiceUnavailable:
		if s, convErr := strconv.Atoi(res.Header.Get("Retry-After")); convErr == nil && s > 0 && s <= 300 {
			return &retryAfterError{error: err, RetryAfterError: &backoff.RetryAfterError{Duration: time.Duration(s) * time.Second}}
		}
		return err
	case res.StatusCode >= 500, res.StatusCode == http.StatusRequestTimeout:
		return err
	default:
		return backoff.Permanent(err)
	}
}

// retryAfterError keeps the server's words beside the wait it asks for.
type retryAfterError struct {
	error
	*backoff.RetryAfterError
}

func (r *retryAfterError) Error() string   { return r.error.Error() }
func (r *retryAfterError) Unwrap() []error { return []error{r.error, r.RetryAfterError} }

// RefusalError is the server's word that it does not do what it was asked.
type RefusalError struct {
	Status int
	hooks.Problem
}

func (r *RefusalError) Error() string {
	s := fmt.Sprintf("the server says %d %s: %s", r.Status, r.Code, clean(r.Message))
	if r.Remedy != "" {
		s += "; " + clean(r.Remedy)
	}
	return s
}

func problem(res *http.Response) *RefusalError {
	r := &RefusalError{Status: res.StatusCode}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	var body hooks.ProblemBody
	if err != nil || json.Unmarshal(text, &body) != nil || body.Error.Code == "" {
		// A proxy in between, or no gate server at all.
		r.Code, r.Message = "unexpected_answer", fmt.Sprintf("%s %.200q", res.Status, text)
		r.Remedy = "check that --server is the gate server's address"
		return r
	}
	r.Problem = body.Error
	return r
}

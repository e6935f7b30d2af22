package checks

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/gate"
)

// The bounds of one HTTP question.
const (
	defaultHTTPTimeout = 10 * time.Second
	maxHTTPTimeout     = time.Minute
	maxBody            = 1 << 20  // bytes
	maxHeaders         = 64 << 10 // bytes
	maxRedirects       = 5
	maxURL             = 4096 // bytes
	maxSentHeaders     = 32
)

const defaultAssert = "status >= 200 && status < 300"

// httpCheck asks a URL. A site that cannot be reached, or answers otherwise
// than asserted, may yet do so: Wait. What leaves open who answered, or what,
// is an error: an address that may not be asked, a certificate that is not the
// site's, a body over the limit.
type httpCheck struct {
	spec    gate.HTTPCheck
	method  string
	assert  *expr.Program
	timeout time.Duration
	client  *http.Client
}

func newHTTP(o HTTPOptions) func(gate.HTTPCheck) (check.Check, error) {
	// One client for all checks of the server.
	client := newClient(o)
	return func(spec gate.HTTPCheck) (check.Check, error) {
		c := &httpCheck{spec: spec, method: spec.Method, client: client, timeout: spec.Timeout.Or(defaultHTTPTimeout)}
		if c.method == "" {
			c.method = http.MethodGet
		}
		if c.method != http.MethodGet && c.method != http.MethodHead {
			return nil, fmt.Errorf("method: expected GET or HEAD, found %.40q: a check changes nothing", spec.Method)
		}
		if c.timeout > maxHTTPTimeout {
			return nil, fmt.Errorf("timeout: expected at most %s, found %s", maxHTTPTimeout, c.timeout)
		}
		if len(spec.Headers) > maxSentHeaders {
			return nil, fmt.Errorf("headers: expected at most %d, found %d", maxSentHeaders, len(spec.Headers))
		}
		if err := texts("url", spec.URL); err != nil {
			return nil, err
		}
		for name, value := range spec.Headers {
			if err := texts("headers "+name, value); err != nil {
				return nil, err
			}
			if !httpguts.ValidHeaderFieldName(name) {
				return nil, fmt.Errorf("headers: expected a header's name, found %.80q", name)
			}
		}
		if !expr.HasExpressions(spec.URL) {
			if _, err := readURL(spec.URL); err != nil {
				return nil, err
			}
		}
		src := spec.Assert
		if strings.TrimSpace(src) == "" {
			src = defaultAssert
		}
		c.spec.Assert = src
		var err error
		if c.assert, err = expr.CompileBool(src, names("status", "headers", "body", "json")...); err != nil {
			return nil, fmt.Errorf("assert: %w", err)
		}
		return c, nil
	}
}

func readURL(s string) (*url.URL, error) {
	if len(s) > maxURL {
		return nil, fmt.Errorf("url: %d bytes, limit maxURL %d", len(s), maxURL)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("url: expected a URL such as https://chat.example.com/api/v4/system/ping, found one that does not parse")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, fmt.Errorf("url: expected http:// or https:// and a host, found %.200q", shownURL(u))
	case u.User != nil:
		return nil, fmt.Errorf("url: expected no user and password in it, found them for host %s: use a header", u.Host)
	}
	return u, nil
}

// shownURL is a URL without what may be secret in it.
func shownURL(u *url.URL) string {
	s := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		s += "?…"
	}
	return cut(s, 300)
}

// Evaluate implements check.Check.
func (c *httpCheck) Evaluate(ctx context.Context, t check.Target) (check.Answer, error) {
	req, shown, err := c.request(ctx, t)
	if err != nil {
		return check.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.client.Do(req.WithContext(ctx))
	if err != nil {
		return c.unreached(shown, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return c.unreached(shown, err)
	case len(body) > maxBody:
		return check.Answer{}, fmt.Errorf("%s %s: the body has more than %d bytes (limit maxBody): ask a smaller resource or use HEAD", c.method, shown, maxBody)
	}
	return c.judge(ctx, t, shown, resp, body)
}

func (c *httpCheck) request(ctx context.Context, t check.Target) (*http.Request, string, error) {
	s, err := fill(ctx, t, "url", c.spec.URL)
	if err != nil {
		return nil, "", err
	}
	u, err := readURL(s)
	if err != nil {
		return nil, "", err
	}
	req, err := http.NewRequestWithContext(ctx, c.method, u.String(), nil)
	if err != nil {
		return nil, "", fmt.Errorf("build request for %s: %w", shownURL(u), err)
	}
	req.Header.Set("User-Agent", "syncgate")
	for name, value := range c.spec.Headers {
		if value, err = fill(ctx, t, "headers "+name, value); err != nil {
			return nil, "", err
		}
		if !httpguts.ValidHeaderFieldValue(value) {
			return nil, "", fmt.Errorf("headers: %s: expected a header's value, found one with characters that none can have", name)
		}
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	return req, shownURL(u), nil
}

// unreached sorts what went wrong before there was an answer. The errors of
// net/http quote the whole URL, which is left out.
func (c *httpCheck) unreached(shown string, err error) (check.Answer, error) {
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var refused *refusedError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &refused):
		return check.Answer{}, fmt.Errorf("%s %s: %w", c.method, shown, refused)
	case errors.As(err, &invalid), errors.As(err, &host), errors.As(err, &authority):
		return check.Answer{}, fmt.Errorf("%s %s: the certificate does not prove the site: %w: renew it, or give the server its authority", c.method, shown, err)
	case errors.Is(err, context.Canceled):
		return check.Answer{}, fmt.Errorf("%s %s: %w", c.method, shown, err)
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %s", c.timeout)
	}
	reason := line(err.Error(), 300)
	return answer(hooks.Wait, []hooks.Evidence{{Object: c.method + " " + shown, Fact: reason}},
		"%s %s: expected an answer, found none (%s): see whether the site runs and can be reached from the server", c.method, shown, reason), nil
}

func (c *httpCheck) judge(ctx context.Context, t check.Target, shown string, resp *http.Response, body []byte) (check.Answer, error) {
	in := vars(t)
	headers := map[string]any{}
	for name, values := range resp.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	in["status"], in["headers"], in["body"], in["json"] = int64(resp.StatusCode), headers, strings.ToValidUTF8(string(body), "�"), decoded(body)
	fact := seen(resp, body)
	evidence := []hooks.Evidence{{Object: c.method + " " + shown, Fact: fact}}
	ok, err := c.assert.Bool(ctx, in)
	switch {
	case err != nil:
		return check.Answer{Evidence: evidence}, fmt.Errorf("%s %s: answered %s; evaluate assert %q: %w; guard fields that may be missing with has(…)", c.method, shown, fact, line(c.spec.Assert, 200), err)
	case !ok:
		return answer(hooks.Wait, evidence, "%s %s: expected %s, found %s: wait, or look at the site", c.method, shown, line(c.spec.Assert, 300), fact), nil
	}
	return answer(hooks.Pass, evidence, "%s %s: %s; %s holds", c.method, shown, fact, line(c.spec.Assert, 300)), nil
}

// decoded is the body as JSON, nil if it is none.
func decoded(body []byte) any {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return nil
	}
	return v
}

// seen describes a response without its content, which may be secret.
func seen(resp *http.Response, body []byte) string {
	text := fmt.Sprintf("status %d, %d bytes", resp.StatusCode, len(body))
	// Those that help a reader and hold no secret.
	for _, name := range [...]string{"Content-Type", "X-Version-Id", "Retry-After"} {
		if v := resp.Header.Get(name); v != "" {
			text += fmt.Sprintf(", %s %s", name, line(v, 100))
		}
	}
	if resp.StatusCode/100 == 3 {
		if u, err := resp.Location(); err == nil {
			text += ", a redirect to " + shownURL(u) + " that is not followed (another host, or too many)"
		}
	}
	return text
}

// newClient builds the client that all http checks share: bounded, without
// cookies, and stopping at redirects to another host.
func newClient(o HTTPOptions) *http.Client {
	transport := &http.Transport{}
	if o.Transport != nil {
		transport = o.Transport.Clone()
	}
	transport.DialContext = newDialer(o.AllowHosts).dial
	transport.DialTLSContext = nil
	// Every question is asked anew, also of a site behind a load balancer.
	transport.DisableKeepAlives = true
	transport.MaxResponseHeaderBytes = maxHeaders
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			first := via[0].URL
			sameHost := req.URL.Host == first.Host || (req.URL.Hostname() == first.Hostname() && first.Scheme == "http" && req.URL.Scheme == "https")
			downgrade := via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http"
			if len(via) > maxRedirects || !sameHost || downgrade || req.URL.User != nil {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/syncgate/syncgate/hooks"
)

// OverrideOptions say what a person overrides, and at whom.
type OverrideOptions struct {
	// Server is the gate server's base URL.
	Server string
	// Token is the person's, of the cluster, for audience syncgate.
	Token string
	// CAFile holds more certificates to trust, in PEM; "" for the system's.
	CAFile  string
	Request hooks.OverrideRequest
	// Timeout bounds the whole call. Default 1m.
	Timeout time.Duration
}

// Override asks the server to let a Change go on, once, and answers with the
// Run that holds the decision. A *RefusalError is the server's no; after any
// other error nobody knows whether it was done, and asking again does no harm.
func Override(ctx context.Context, opts OverrideOptions) (hooks.Run, error) {
	if err := opts.Request.Validate(); err != nil {
		return hooks.Run{}, err
	}
	base, err := serverURL(opts.Server)
	if err != nil {
		return hooks.Run{}, err
	}
	hc, err := httpClient(opts.CAFile)
	if err != nil {
		return hooks.Run{}, err
	}
	defer hc.CloseIdleConnections()
	timeout := opts.Timeout
	if timeout <= 0 {
		timeout = time.Minute
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	return override(ctx, hc, base, opts)
}

func override(ctx context.Context, hc *http.Client, base *url.URL, opts OverrideOptions) (hooks.Run, error) {
	var run hooks.Run
	body, err := json.Marshal(opts.Request)
	if err != nil {
		return run, fmt.Errorf("write override: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base.JoinPath(hooks.PathOverrides).String(), bytes.NewReader(body))
	if err != nil {
		return run, fmt.Errorf("write override: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+opts.Token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "syncgate-override")
	res, err := hc.Do(req)
	if err != nil {
		if badCertificate(err) {
			err = fmt.Errorf("%w; give the server's CA with --ca-file", err)
		}
		return run, fmt.Errorf("override at %s: %w", base.Redacted(), err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return run, problem(res)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxRun)).Decode(&run); err != nil {
		return run, fmt.Errorf("read run: %w", err)
	}
	if run.Verdict != hooks.Overridden || run.Override == nil {
		return run, fmt.Errorf("read run: expected verdict %s with who decided it, found %q: is this a gate server?", hooks.Overridden, run.Verdict)
	}
	return run, nil
}

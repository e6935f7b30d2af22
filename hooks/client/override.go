package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/syncgate/syncgate/hooks"
)

// Person says who asks, and whom.
type Person struct {
	// Server is the gate server's base URL.
	Server string
	// Token is the person's, of the cluster, for audience syncgate.
	Token string
	// CAFile holds more certificates to trust, in PEM; "" for the system's.
	CAFile string
	// Timeout bounds a whole call. Default 1m.
	Timeout time.Duration
}

// Override asks the server to let a Change go on, once, and answers with the
// Run that holds the decision. A *RefusalError is the server's no; after any
// other error nobody knows whether it was done, and asking again does no harm.
func Override(ctx context.Context, p Person, req hooks.OverrideRequest) (hooks.Run, error) {
	if err := req.Validate(); err != nil {
		return hooks.Run{}, err
	}
	return p.overridden(ctx, "override", []string{hooks.PathOverrides}, req)
}

// Revoke asks the server to end an override, of the Run with the id, and answers
// with that Run. Its errors are those of Override.
func Revoke(ctx context.Context, p Person, id string, req hooks.RevokeRequest) (hooks.Run, error) {
	if err := req.Validate(); err != nil {
		return hooks.Run{}, err
	}
	run, err := p.overridden(ctx, "revoke", []string{hooks.PathOverrides, url.PathEscape(id), hooks.PathRevoke}, req)
	if err == nil && run.Override.Revoked == nil {
		err = fmt.Errorf("read run: expected an override that is revoked, found one that ends at %s: is this a gate server?", run.Override.Until)
	}
	return run, err
}

// Overrides are the overridden Runs of a gate on a cluster, the newest first:
// those that hold, or with all also those that have ended.
func Overrides(ctx context.Context, p Person, cluster, gate string, all bool) ([]hooks.Run, error) {
	var list struct {
		Runs []hooks.Run `json:"runs"`
	}
	query := url.Values{"cluster": {cluster}, "gate": {gate}, "all": {strconv.FormatBool(all)}}
	err := p.call(ctx, call{"list overrides", http.MethodGet, []string{hooks.PathOverrides}, query, nil}, &list)
	return list.Runs, err
}

// overridden sends a request whose answer is an overridden Run.
func (p Person) overridden(ctx context.Context, what string, path []string, req any) (run hooks.Run, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return run, fmt.Errorf("write request: %w", err)
	}
	if err := p.call(ctx, call{what, http.MethodPost, path, nil, body}, &run); err != nil {
		return run, err
	}
	if run.Verdict != hooks.Overridden || run.Override == nil {
		return run, fmt.Errorf("read run: expected verdict %s with who decided it, found %q: is this a gate server?", hooks.Overridden, run.Verdict)
	}
	return run, nil
}

// call is one request of a person.
type call struct {
	what, method string
	path         []string
	query        url.Values
	body         []byte
}

// call does it, once, and reads the answer into out.
func (p Person) call(ctx context.Context, c call, out any) error {
	base, err := serverURL(p.Server)
	if err != nil {
		return err
	}
	hc, err := httpClient(p.CAFile)
	if err != nil {
		return err
	}
	defer hc.CloseIdleConnections()
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = time.Minute
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	target := base.JoinPath(c.path...)
	target.RawQuery = c.query.Encode()
	req, err := http.NewRequestWithContext(ctx, c.method, target.String(), bytes.NewReader(c.body))
	if err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+p.Token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "syncgate-override")
	res, err := hc.Do(req)
	if err != nil {
		if badCertificate(err) {
			err = fmt.Errorf("%w; give the server's CA with --ca-file", err)
		}
		return fmt.Errorf("%s at %s: %w", c.what, base.Redacted(), err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return problem(res)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxRuns)).Decode(out); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

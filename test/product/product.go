// Package product is Syncgate as tests and the demo meet it: its programs built
// from this tree, its chart installed, its server asked whether it is ready.
package product

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/tools"
)

// The programs that serve. They are started by these names and not through
// syncgate, which becomes them: tests measure and kill them, and nothing else.
const (
	ServerProgram = "syncgate-server"
	PluginProgram = "syncgate-cmp-server"
)

// Build builds every program into dir, as `make build` does and in the build
// cache that it shares.
func Build(ctx context.Context, dir string) error {
	root, err := tools.Root()
	if err != nil {
		return fmt.Errorf("build Syncgate: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", dir+string(os.PathSeparator), "./cmd/...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build Syncgate: %w\n%s", err, out)
	}
	return nil
}

// built are the programs that the tests of one binary share.
type built struct {
	once sync.Once
	dir  string
	err  error
}

// The only way by which tests reach what they share is a variable.
//
//nolint:gochecknoglobals // see above
var programs built

// Main is harness.Main for tests that call Programs.
func Main(m *testing.M) int {
	defer func() {
		if programs.dir != "" {
			_ = os.RemoveAll(programs.dir)
		}
	}()
	return harness.Main(m)
}

// Programs is the folder of the programs, built once for all tests of a binary
// whose TestMain calls Main.
func Programs(t testing.TB) string {
	t.Helper()
	programs.once.Do(func() {
		if programs.dir, programs.err = os.MkdirTemp("", "syncgate-programs-"); programs.err == nil {
			// They outlive the test that happens to come first.
			programs.err = Build(context.WithoutCancel(t.Context()), programs.dir)
		}
	})
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return programs.dir
}

// Trusting is a client that trusts the certificates of a file alone.
func Trusting(caFile string) (*http.Client, error) {
	data, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, errors.New("read " + caFile + ": expected certificates in PEM")
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		// A server that is started again is asked anew.
		DisableKeepAlives: true,
	}}, nil
}

// Ready tells whether a URL answers with 200, as harness.Command.Ready asks it.
func Ready(client *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: expected 200, found %s", url, res.Status)
		}
		return nil
	}
}

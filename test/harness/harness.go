// Package harness starts the real servers that tests and the demo run against:
// a Kubernetes control plane, Git over HTTP, an S3 store. Each is a child
// process on a free port of 127.0.0.1, with its output in a file.
//
// A Stage owns children and a folder. What it started is gone when it is
// stopped, and also when the process that owns it ends in any other way: a
// panic, os.Exit, SIGKILL.
//
// A test package that needs a control plane shares one among its tests:
//
//	func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
//
//	func TestPods(t *testing.T) {
//		cp := harness.ForTest(t)
//		...
//	}
//
// Without that TestMain, ForTest starts one for the test alone. Tests that
// share one keep apart by namespace. All are skipped with -short.
package harness

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/syncgate/syncgate/test/tools"
)

// Tool is the path of a program; see tools.Path.
func Tool(ctx context.Context, name string, log io.Writer) (string, error) {
	return tools.Path(ctx, name, log)
}

// Options are what every server can be told. The zero value will do.
type Options struct {
	// Name tells servers apart in logs and folders. Default: what it is.
	Name string
	// Dir is the folder for data and logs, kept when the server stops.
	// Default: a temporary one, removed then.
	Dir string
	// Log hears of the building of tools. Default: os.Stderr.
	Log io.Writer
	// APIServerArgs are more flags of a control plane's API server.
	APIServerArgs []string
}

func (o Options) or(name string) Options {
	if o.Name == "" {
		o.Name = name
	}
	if o.Log == nil {
		o.Log = os.Stderr
	}
	return o
}

// fixture is the control plane that the tests of one binary share.
type fixture struct {
	mu     sync.Mutex
	shared bool
	cp     *ControlPlane
	err    error
}

// The only way by which tests reach what TestMain set up is a variable.
//
//nolint:gochecknoglobals // see above
var tests fixture

// Main runs the tests and then stops the control plane that they shared. It is
// to be called from TestMain, its result given to os.Exit.
func Main(m *testing.M) int {
	tests.mu.Lock()
	tests.shared = true
	tests.mu.Unlock()
	defer func() {
		tests.mu.Lock()
		defer tests.mu.Unlock()
		if tests.cp != nil {
			if err := tests.cp.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, "harness:", err)
			}
		}
	}()
	return m.Run()
}

// ForTest is a running control plane: the one that the tests of this binary
// share when its TestMain calls Main, else one for t alone. It skips t with
// -short and ends it when there is none to be had.
func ForTest(t testing.TB) *ControlPlane {
	t.Helper()
	Real(t)
	tests.mu.Lock()
	defer tests.mu.Unlock()
	if !tests.shared {
		cp, err := StartControlPlane(t.Context(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { noError(t, cp.Stop()) })
		return cp
	}
	if tests.cp == nil && tests.err == nil {
		// The control plane outlives the test that happens to come first.
		tests.cp, tests.err = StartControlPlane(context.WithoutCancel(t.Context()), Options{})
	}
	if tests.err != nil {
		t.Fatal(tests.err)
	}
	return tests.cp
}

// Real skips a test that needs real servers when -short is given.
func Real(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs real servers: left out by -short")
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

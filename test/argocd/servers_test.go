package argocd

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/reposerver/apiclient"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

func hookEnvironment() []string {
	return append(os.Environ(), "SYNCGATE_HOOK_IMAGE=registry.example.com/syncgate:v1", "SYNCGATE_SERVER_URL=https://syncgate.example.com")
}

// startNative starts Syncgate's plugin server on the repo-server's plugins folder.
func startNative(t *testing.T, programs, plugins string, flags ...string) *harness.Process {
	t.Helper()
	socket := filepath.Join(plugins, "syncgate.sock")
	stage, err := harness.NewStage("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, stage.Stop()) })
	p, err := stage.Start(t.Context(), harness.Command{
		Name: "plugin", Path: filepath.Join(programs, product.PluginProgram),
		Args: append([]string{"--plugins-dir", plugins, "--log-level", "debug"}, flags...),
		Env:  hookEnvironment(), Ready: answers(socket),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// startStock starts Argo CD's own plugin server with our plugin.yaml.
func startStock(t *testing.T, programs, plugins, tool string) {
	t.Helper()
	stage, err := harness.NewStage("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, stage.Stop()) })
	config, err := os.ReadFile(filepath.Join("..", "..", "plugin", "plugin.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{stage.Path("config"), stage.Path("work")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(stage.Path("config", "plugin.yaml"), config, 0o644); err != nil {
		t.Fatal(err)
	}
	path, err := harness.Tool(t.Context(), tool, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(plugins, "syncgate.sock")
	_, err = stage.Start(t.Context(), harness.Command{
		Name: "cmp-server", Path: path, Args: []string{"--config-dir-path", stage.Path("config")},
		Env: append(hookEnvironment(), "ARGOCD_BINARY_NAME=argocd-cmp-server", "ARGOCD_PLUGINSOCKFILEPATH="+plugins,
			"ARGOCD_CMP_WORKDIR="+stage.Path("work"), "PATH="+programs+":"+os.Getenv("PATH")),
		Ready: answers(socket),
		Grace: time.Second, // it does not end at the first SIGTERM once it has served
	})
	if err != nil {
		t.Fatal(err)
	}
}

// answers is ready once a server takes connections on the socket; one that a
// killed server left behind does not.
func answers(socket string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", socket)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

func client(t *testing.T, address string) apiclient.RepoServerServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, conn.Close()) })
	return apiclient.NewRepoServerServiceClient(conn)
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}

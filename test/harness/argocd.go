package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/syncgate/syncgate/test/tools"
)

// RepoServer is Argo CD's repo-server, of either major, with a cache of its
// own that speaks Redis's protocol. It speaks gRPC without TLS.
type RepoServer struct {
	// Address is host:port.
	Address string
	// Plugins is the folder where it looks for plugin sockets.
	Plugins string
	Process *Process

	cache *miniredis.Miniredis
	stage *Stage
	once  sync.Once
	done  chan struct{}
}

// StartRepoServer starts the repo-server of Argo CD 2 or 3.
func StartRepoServer(ctx context.Context, major int, opts Options) (*RepoServer, error) {
	tool := fmt.Sprintf("argocd%d", major)
	opts = opts.or(tool)
	path, err := Tool(ctx, tool, opts.Log)
	if err != nil {
		return nil, err
	}
	stage, err := NewStage(opts.Dir)
	if err != nil {
		return nil, err
	}
	cache, err := miniredis.Run()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start cache: %w", err), stage.Stop())
	}
	r := &RepoServer{stage: stage, cache: cache, Plugins: stage.Path("plugins"), done: make(chan struct{})}
	go r.passTime()
	err = WithPorts(2, func(ports []int) error { return r.start(ctx, major, path, ports) })
	if err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	return r, nil
}

// Stop stops it. It may be called again.
func (r *RepoServer) Stop() error {
	err := r.stage.Stop()
	r.once.Do(func() { close(r.done) })
	r.cache.Close()
	return err
}

// passTime lets what the cache holds grow old: it has no clock of its own.
func (r *RepoServer) passTime() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-r.done:
			return
		case <-tick.C:
			r.cache.FastForward(time.Second)
		}
	}
}

func (r *RepoServer) start(ctx context.Context, major int, path string, ports []int) error {
	env, err := r.environment("argocd-repo-server")
	if err != nil {
		return err
	}
	// git asks the program "argocd" for a repository's password. A second start,
	// on another port, finds it there.
	if err := errors.Join(os.MkdirAll(r.stage.Path("bin"), 0o755), os.RemoveAll(r.stage.Path("bin", "argocd"))); err != nil {
		return err
	}
	if err := os.Symlink(path, r.stage.Path("bin", "argocd")); err != nil {
		return err
	}
	if major >= 3 {
		if err := r.installVerifier(ctx); err != nil {
			return err
		}
	}
	var flags []string
	if major >= 3 {
		flags = []string{"--client-ca-path="} // its default does not go with --disable-tls
	}
	r.Address = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	r.Process, err = r.stage.Start(ctx, Command{
		Name: "repo-server", Path: path, Env: env, Dir: r.stage.Dir,
		Args: append([]string{
			"--disable-tls", "--redis", r.cache.Addr(), "--address", "127.0.0.1", "--port", strconv.Itoa(ports[0]),
			"--metrics-address", "127.0.0.1", "--metrics-port", strconv.Itoa(ports[1]), "--revision-cache-expiration", "5s",
		}, flags...),
		Ready: dials(r.Address),
	})
	return err
}

// environment is what a program of Argo CD is started with. Every path that it
// would look for in its image is a folder on the stage.
func (r *RepoServer) environment(program string, more ...string) ([]string, error) {
	env := append(os.Environ(),
		"ARGOCD_BINARY_NAME="+program, "ARGOCD_FAKE_IN_CLUSTER=true", "ARGOCD_GPG_ENABLED=false",
		// A refusal must be seen each time, not kept for an hour after three.
		"ARGOCD_PAUSE_GEN_AFTER_FAILED_ATTEMPTS=0",
		"PATH="+r.stage.Path("bin")+":"+os.Getenv("PATH"),
		"ARGOCD_ASK_PASS_SOCK="+r.stage.Path("ask-pass.sock"), "ARGOCD_PLUGINSOCKFILEPATH="+r.Plugins)
	for _, name := range []string{"TLS_DATA_PATH", "SSH_DATA_PATH", "GNUPGHOME", "GPG_DATA_PATH", "CMP_WORKDIR"} {
		env = append(env, "ARGOCD_"+name+"="+r.stage.Path(name))
		if err := os.MkdirAll(r.stage.Path(name), 0o700); err != nil {
			return nil, err
		}
	}
	return append(env, more...), os.MkdirAll(r.Plugins, 0o755)
}

// installVerifier puts the script that Argo CD 3 looks at commits with, part of
// its module, where it finds it.
func (r *RepoServer) installVerifier(ctx context.Context) error {
	dir, err := argoModule(ctx, 3)
	if err != nil {
		return err
	}
	const script = "git-verify-wrapper.sh"
	text, err := os.ReadFile(filepath.Join(dir, "hack", script))
	if err != nil {
		return err
	}
	return os.WriteFile(r.stage.Path("bin", script), text, 0o755)
}

// argoModule is the folder of the module that an Argo CD is built from.
func argoModule(ctx context.Context, major int) (string, error) {
	root, err := tools.Root()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", fmt.Sprintf("github.com/argoproj/argo-cd/v%d", major))
	cmd.Dir = filepath.Join(root, "test", "tools", fmt.Sprintf("argocd%d", major))
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	dir, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find the module of Argo CD %d: %w", major, err)
	}
	return strings.TrimSpace(string(dir)), nil
}

// dials is ready once address takes connections.
func dials(address string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

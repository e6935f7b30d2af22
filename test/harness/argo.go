package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"k8s.io/client-go/rest"
)

// ArgoNamespace is where an Argo CD keeps its objects.
const ArgoNamespace = "argocd"

// ArgoCD is a whole Argo CD, of either major, as processes: repo-server,
// application-controller and the API server, which asks nobody who he is. Its
// home is a control plane, which it also can deliver to, as "in-cluster".
type ArgoCD struct {
	*RepoServer
	Major int
	// Server is host:port of its API server, without TLS.
	Server string
	// Controller and APIServer are processes, beside the repo-server's.
	Controller, APIServer *Process

	home   *ControlPlane
	binary string
	flags  []string
}

// StartArgoCD installs the CustomResourceDefinitions and the configuration of
// Argo CD 2 or 3 in its home and starts it. More flags of its
// application-controller may be given.
func StartArgoCD(ctx context.Context, home *ControlPlane, major int, opts Options, controller ...string) (*ArgoCD, error) {
	opts = opts.or("argocd")
	binary, err := Tool(ctx, fmt.Sprintf("argocd%d", major), opts.Log)
	if err != nil {
		return nil, err
	}
	a := &ArgoCD{Major: major, home: home, binary: binary, flags: controller}
	if err := InstallArgoSettings(ctx, home, major, ArgoNamespace); err != nil {
		return nil, fmt.Errorf("install Argo CD %d: %w", major, err)
	}
	if a.RepoServer, err = StartRepoServer(ctx, major, opts); err != nil {
		return nil, err
	}
	for _, start := range []func(context.Context) error{a.startController, a.startAPIServer} {
		if err := start(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("start Argo CD %d: %w", major, err), a.Stop())
		}
	}
	return a, nil
}

// AddCluster lets Argo CD deliver to another cluster, by its name.
func (a *ArgoCD) AddCluster(ctx context.Context, name string, cfg *rest.Config) error {
	config, err := json.Marshal(map[string]any{"bearerToken": cfg.BearerToken, "tlsClientConfig": map[string]any{"caData": cfg.CAData}})
	if err != nil {
		return err
	}
	return a.secret(ctx, "cluster", name, map[string]string{"name": name, "server": cfg.Host, "config": string(config)})
}

// AddRepository tells Argo CD how to log in to a repository.
func (a *ArgoCD) AddRepository(ctx context.Context, name, url, user, password string) error {
	return a.secret(ctx, "repository", name, map[string]string{"type": "git", "url": url, "username": user, "password": password})
}

// secret applies a Secret of the kind that Argo CD looks for.
func (a *ArgoCD) secret(ctx context.Context, kind, name string, data map[string]string) error {
	text, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata":   map[string]any{"name": kind + "-" + name, "labels": map[string]string{"argocd.argoproj.io/secret-type": kind}},
		"stringData": data,
	})
	if err != nil {
		return err
	}
	return a.home.ApplyYAML(ctx, text, ApplyOptions{Namespace: ArgoNamespace})
}

func (a *ArgoCD) startController(ctx context.Context) error {
	return WithPorts(1, func(ports []int) (err error) {
		a.Controller, err = a.program(ctx, "argocd-application-controller", ports[0], append([]string{
			"--metrics-port", strconv.Itoa(ports[0]), "--repo-server", a.Address, "--repo-server-plaintext", "--redis", a.cache.Addr(),
			// By default a refresh that fails is not shown for minutes.
			"--repo-error-grace-period-seconds", "0",
			"--app-resync", "15", "--app-resync-jitter", "0", "--self-heal-timeout-seconds", "1",
			"--status-processors", "4", "--operation-processors", "4",
		}, a.flags...)...)
		return err
	})
}

func (a *ArgoCD) startAPIServer(ctx context.Context) error {
	return WithPorts(2, func(ports []int) (err error) {
		a.Server = host + ":" + strconv.Itoa(ports[0])
		a.APIServer, err = a.program(ctx, "argocd-server", ports[0],
			"--address", host, "--port", strconv.Itoa(ports[0]), "--metrics-port", strconv.Itoa(ports[1]),
			"--insecure", "--disable-auth", "--repo-server", a.Address, "--repo-server-plaintext", "--redis", a.cache.Addr())
		return err
	})
}

// program starts one of Argo CD's programs; at the port it says that it is
// well.
func (a *ArgoCD) program(ctx context.Context, name string, port int, args ...string) (*Process, error) {
	env, err := a.environment(name, "KUBECONFIG="+a.home.Kubeconfig)
	if err != nil {
		return nil, err
	}
	return a.stage.Start(ctx, Command{
		Name: name, Path: a.binary, Env: env, Dir: a.stage.Dir,
		Args: append([]string{"--namespace", ArgoNamespace, "--loglevel", "info"}, args...),
		Ready: func(ctx context.Context) error {
			return httpOK(ctx, http.DefaultClient, fmt.Sprintf("http://%s:%d/healthz", host, port))
		},
		ReadyWithin: apiServerReady,
	})
}

// CLI runs Argo CD's command-line tool against its API server and returns what
// it prints. A command that fails is an error with both its outputs.
func (a *ArgoCD) CLI(ctx context.Context, args ...string) (string, error) {
	env, err := a.environment("argocd", "HOME="+a.stage.Path("home"))
	if err != nil {
		return "", err
	}
	var stdout, stderr bytes.Buffer
	code, err := a.stage.Run(ctx, Command{
		Name: "argocd", Path: a.binary, Env: env, Dir: a.stage.Dir, Stdout: &stdout, Stderr: &stderr,
		Args: append([]string{"--server", a.Server, "--plaintext", "--config", a.stage.Path("home", "config")}, args...),
	})
	if err == nil && code != 0 {
		err = fmt.Errorf("argocd %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout.String(), stderr.String())
	}
	return stdout.String(), err
}

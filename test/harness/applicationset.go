package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// ApplicationSetController is Argo CD's controller that makes Applications of
// ApplicationSets, of either major.
type ApplicationSetController struct {
	Process *Process

	stage *Stage
}

// ApplicationSetOptions say what the controller works with.
type ApplicationSetOptions struct {
	Options
	// Major is Argo CD's, 2 or 3.
	Major int
	// Home is the control plane of Argo CD, with its CRDs and settings, and
	// Namespace where they are.
	Home      *ControlPlane
	Namespace string
	// RepoServer is the address of a repo-server without TLS.
	RepoServer string
}

// StartApplicationSetController starts the controller and returns once it
// answers its probe.
func StartApplicationSetController(ctx context.Context, opts ApplicationSetOptions) (*ApplicationSetController, error) {
	tool := fmt.Sprintf("argocd%d", opts.Major)
	opts.Options = opts.or(tool + "-applicationset")
	program, err := Tool(ctx, tool, opts.Log)
	if err != nil {
		return nil, err
	}
	stage, err := NewStage(opts.Dir)
	if err != nil {
		return nil, err
	}
	c := &ApplicationSetController{stage: stage}
	err = WithPorts(3, func(ports []int) (err error) {
		c.Process, err = stage.Start(ctx, applicationSetCommand(opts, program, stage, ports))
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start ApplicationSet controller: %w", err), stage.Stop())
	}
	return c, nil
}

func applicationSetCommand(opts ApplicationSetOptions, program string, stage *Stage, ports []int) Command {
	address := func(i int) string { return net.JoinHostPort(host, strconv.Itoa(ports[i])) }
	return Command{
		Name: "applicationset-controller", Path: program, Dir: stage.Dir,
		Args: []string{
			"--kubeconfig", opts.Home.Kubeconfig, "--namespace", opts.Namespace,
			"--metrics-addr", address(0), "--probe-addr", address(1), "--webhook-addr", address(2),
			"--argocd-repo-server", opts.RepoServer, "--repo-server-plaintext",
		},
		Env: append(os.Environ(), "ARGOCD_BINARY_NAME=argocd-applicationset-controller", "KUBECONFIG="+opts.Home.Kubeconfig,
			"ARGOCD_FAKE_IN_CLUSTER=true", "ARGOCD_GPG_ENABLED=false", "ARGOCD_TLS_DATA_PATH="+stage.Dir, "ARGOCD_SSH_DATA_PATH="+stage.Dir),
		Ready: dials(address(1)),
	}
}

// Stop stops it. It may be called again.
func (c *ApplicationSetController) Stop() error { return c.stage.Stop() }

// argoSettings is the least that Argo CD's servers want to find.
const argoSettings = `
apiVersion: v1
kind: Secret
metadata: {name: argocd-secret, labels: {app.kubernetes.io/part-of: argocd}}
stringData: {server.secretkey: for-tests-only}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: default}
spec:
  sourceRepos: ["*"]
  destinations: [{server: "*", namespace: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
`

// InstallArgoSettings puts Argo CD's CRDs, of either major, and the least of its
// settings into a namespace.
func InstallArgoSettings(ctx context.Context, cp *ControlPlane, major int, namespace string) error {
	if err := cp.Namespace(ctx, namespace); err != nil {
		return err
	}
	dir, err := argoModule(ctx, major)
	if err != nil {
		return err
	}
	for _, name := range []string{"application-crd.yaml", "applicationset-crd.yaml", "appproject-crd.yaml"} {
		data, err := os.ReadFile(filepath.Join(dir, "manifests", "crds", name))
		if err != nil {
			return err
		}
		if err := cp.ApplyYAML(ctx, data, ApplyOptions{}); err != nil {
			return err
		}
	}
	settings := argoSettings
	for _, name := range []string{"argocd-cm", "argocd-cmd-params-cm", "argocd-rbac-cm", "argocd-gpg-keys-cm", "argocd-tls-certs-cm", "argocd-ssh-known-hosts-cm"} {
		settings += fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, labels: {app.kubernetes.io/part-of: argocd}}\n", name)
	}
	return cp.ApplyYAML(ctx, []byte(settings), ApplyOptions{Namespace: namespace})
}

package world

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/harness/kubelet"
)

// Cluster is a control plane with a kubelet and the operator.
type Cluster struct {
	*harness.ControlPlane
	Kubelet *kubelet.Kubelet
	Name    string
	// Way is how the gate server, and nobody else, reaches the API server.
	Way *harness.Relay

	operator *operator
	access   string // kubeconfig of the gate server
}

func (c *Cluster) stop() error {
	var errs []error
	if c.operator != nil {
		c.operator.stop()
	}
	if c.Kubelet != nil {
		errs = append(errs, c.Kubelet.Stop())
	}
	if c.Way != nil {
		errs = append(errs, c.Way.Stop())
	}
	if c.ControlPlane != nil {
		errs = append(errs, c.Stop())
	}
	return errors.Join(errs...)
}

// Neighbour runs in every site's namespace before Mattermost is installed: a
// check of pods waits while there are none at all.
const Neighbour = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: mail}
spec:
  selector: {matchLabels: {app: mail}}
  template:
    metadata: {labels: {app: mail}}
    spec: {containers: [{name: mail, image: "registry.example.com/mail:1"}]}
`

func (w *World) startCluster(ctx context.Context, c *Cluster, opts Options) (err error) {
	if c.ControlPlane, err = harness.StartControlPlane(ctx, harness.Options{Name: c.Name, Dir: w.stage.Path(c.Name)}); err != nil {
		return err
	}
	if err := c.StartControllers(ctx, os.Stderr); err != nil {
		return err
	}
	c.Kubelet, err = kubelet.Start(ctx, c.ControlPlane, kubelet.Options{
		Dir:    w.stage.Path(c.Name, "kubelet"),
		Images: map[string]string{"registry.example.com/syncgate": w.programs, "registry.example.com/shell": "/usr/bin:/bin"},
	})
	if err != nil {
		return err
	}
	crd, err := os.ReadFile(filepath.Join(w.root, "test", "demo", "story", "mattermost-crd.yaml"))
	if err != nil {
		return err
	}
	if err := c.ApplyYAML(ctx, crd, harness.ApplyOptions{}); err != nil {
		return err
	}
	for _, site := range opts.Sites {
		if err := c.Namespace(ctx, site); err != nil {
			return err
		}
		if err := c.ApplyYAML(ctx, []byte(Neighbour), harness.ApplyOptions{Namespace: site}); err != nil {
			return err
		}
	}
	if c.Way, err = harness.StartRelay(strings.TrimPrefix(c.Config.Host, "https://")); err != nil {
		return err
	}
	c.access = w.stage.Path("server", c.Name+".kubeconfig")
	if err := w.installAccount(ctx, c, opts.Sites); err != nil {
		return err
	}
	c.operator = startOperator(ctx, c.ControlPlane)
	return nil
}

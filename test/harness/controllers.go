package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StartControllers starts kube-controller-manager and kube-scheduler: from then
// on Jobs and Deployments make pods, pods get a node, namespaces get their
// ServiceAccount and what is owned goes with its owner. Pods run only where
// there is a kubelet; package kubelet has one. log hears of the building of
// tools.
func (cp *ControlPlane) StartControllers(ctx context.Context, log io.Writer) error {
	manager, err := Tool(ctx, "kube-controller-manager", log)
	if err != nil {
		return err
	}
	scheduler, err := Tool(ctx, "kube-scheduler", log)
	if err != nil {
		return err
	}
	err = WithPorts(1, func(ports []int) (err error) {
		cp.ControllerManager, err = cp.startController(ctx, "kube-controller-manager", manager, ports[0],
			"--root-ca-file="+cp.creds.caFile, "--service-account-private-key-file="+cp.creds.accountKey,
			// On a machine that has other things to do a lease is renewed late.
			"--node-monitor-grace-period=5m", "--kube-api-qps=200", "--kube-api-burst=400",
		)
		return err
	})
	if err != nil {
		return fmt.Errorf("start controllers of %s: %w", cp.Name, err)
	}
	err = WithPorts(1, func(ports []int) (err error) {
		cp.Scheduler, err = cp.startController(ctx, "kube-scheduler", scheduler, ports[0])
		return err
	})
	if err != nil {
		return fmt.Errorf("start controllers of %s: %w", cp.Name, err)
	}
	return cp.awaitControllers(ctx)
}

func (cp *ControlPlane) startController(ctx context.Context, name, path string, port int, args ...string) (*Process, error) {
	address := "https://" + host + ":" + strconv.Itoa(port)
	return cp.stage.Start(ctx, Command{
		Name: name, Path: path,
		Args: append([]string{
			"--kubeconfig=" + cp.Kubeconfig, "--authentication-kubeconfig=" + cp.Kubeconfig, "--authorization-kubeconfig=" + cp.Kubeconfig,
			"--leader-elect=false", "--profiling=false",
			"--bind-address=" + host, "--secure-port=" + strconv.Itoa(port),
			"--tls-cert-file=" + cp.creds.servingCert, "--tls-private-key-file=" + cp.creds.servingKey,
		}, args...),
		Ready: func(ctx context.Context) error {
			client, err := cp.trusting()
			if err != nil {
				return err
			}
			return httpOK(ctx, client, address+"/healthz")
		},
	})
}

// trusting is a client that trusts this control plane's authority, and tells
// nobody who it is.
func (cp *ControlPlane) trusting() (*http.Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(cp.creds.ca) {
		return nil, errors.New("read authority: expected certificates in PEM")
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}, nil
}

// awaitControllers waits until a ConfigMap that a controller makes in every
// namespace is there: pods mount it.
func (cp *ControlPlane) awaitControllers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, defaultReady)
	defer cancel()
	return Eventually(ctx, func(ctx context.Context) error {
		_, err := cp.Kube.CoreV1().ConfigMaps(corev1.NamespaceDefault).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
		return err
	})
}

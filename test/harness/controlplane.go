package harness

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// How long the parts of a control plane may take to start, on a machine that
// has other things to do as well.
const (
	etcdReady      = time.Minute
	apiServerReady = 3 * time.Minute
)

// ControlPlane is etcd and a kube-apiserver, with RBAC, the default admission
// plugins and ServiceAccount tokens. No controllers run until StartControllers:
// what they would do, a test does itself.
type ControlPlane struct {
	// Name is what it was started as.
	Name string
	// Config is the administrator's access, member of system:masters.
	Config *rest.Config
	// Kubeconfig is a file with the same access; its context is called Name.
	Kubeconfig string
	// Kube, Dynamic and Mapper speak as the administrator.
	Kube    kubernetes.Interface
	Dynamic dynamic.Interface
	Mapper  *restmapper.DeferredDiscoveryRESTMapper
	// Etcd and APIServer are the processes.
	Etcd, APIServer *Process
	// ControllerManager and Scheduler run after StartControllers.
	ControllerManager, Scheduler *Process

	stage *Stage
	args  []string // of the API server, more of them
	creds *credentials
}

// StartControlPlane starts a control plane and returns once the API server
// answers that it is ready and has a namespace "default" with its
// ServiceAccount.
func StartControlPlane(ctx context.Context, opts Options) (*ControlPlane, error) {
	opts = opts.or("kubernetes")
	etcd, err := Tool(ctx, "etcd", opts.Log)
	if err != nil {
		return nil, err
	}
	apiServer, err := Tool(ctx, "kube-apiserver", opts.Log)
	if err != nil {
		return nil, err
	}
	stage, err := NewStage(opts.Dir)
	if err != nil {
		return nil, err
	}
	cp := &ControlPlane{Name: opts.Name, stage: stage, args: opts.APIServerArgs}
	if err := cp.start(ctx, etcd, apiServer); err != nil {
		return nil, errors.Join(fmt.Errorf("start control plane %s: %w", opts.Name, err), stage.Stop())
	}
	return cp, nil
}

// Stop stops its processes. It may be called again.
func (cp *ControlPlane) Stop() error { return cp.stage.Stop() }

// Dir is the folder with the data and the logs.
func (cp *ControlPlane) Dir() string { return cp.stage.Dir }

func (cp *ControlPlane) start(ctx context.Context, etcd, apiServer string) error {
	var endpoint string
	err := WithPorts(2, func(ports []int) (err error) {
		endpoint, err = cp.startEtcd(ctx, etcd, ports)
		return err
	})
	if err != nil {
		return err
	}
	creds, err := newCredentials(cp.stage.Path("pki"))
	if err != nil {
		return err
	}
	cp.creds = creds
	err = WithPorts(1, func(ports []int) error {
		cp.Config = creds.config(ports[0])
		return cp.startAPIServer(ctx, apiServer, endpoint, creds, ports[0])
	})
	if err != nil {
		return err
	}
	if err := cp.clients(); err != nil {
		return err
	}
	cp.Kubeconfig = cp.stage.Path("kubeconfig")
	if err := WriteKubeconfig(cp.Kubeconfig, cp.Name, cp.Config); err != nil {
		return err
	}
	return cp.Namespace(ctx, "default")
}

func (cp *ControlPlane) startEtcd(ctx context.Context, path string, ports []int) (endpoint string, err error) {
	client := fmt.Sprintf("http://%s:%d", host, ports[0])
	peer := fmt.Sprintf("http://%s:%d", host, ports[1])
	cp.Etcd, err = cp.stage.Start(ctx, Command{
		Name: "etcd", Path: path,
		Args: []string{
			"--name=default", "--data-dir=" + cp.stage.Path("etcd"),
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=default=" + peer,
			// What a test writes need not outlive the machine.
			"--unsafe-no-fsync", "--log-level=warn",
		},
		Ready:       func(ctx context.Context) error { return httpOK(ctx, http.DefaultClient, client+"/readyz") },
		ReadyWithin: etcdReady,
	})
	return client, err
}

// startAPIServer starts the API server with what makes a start quick: keys
// made beforehand, and no Endpoints of itself to keep.
func (cp *ControlPlane) startAPIServer(ctx context.Context, path, etcd string, c *credentials, port int) error {
	httpClient, err := rest.HTTPClientFor(cp.Config)
	if err != nil {
		return err
	}
	cp.APIServer, err = cp.stage.Start(ctx, Command{
		Name: "kube-apiserver", Path: path,
		Args: append([]string{
			"--etcd-servers=" + etcd,
			"--bind-address=" + host, "--advertise-address=" + host, "--secure-port=" + strconv.Itoa(port),
			"--tls-cert-file=" + c.servingCert, "--tls-private-key-file=" + c.servingKey,
			"--client-ca-file=" + c.caFile, "--requestheader-client-ca-file=" + c.caFile,
			"--cert-dir=" + c.dir,
			"--token-auth-file=" + c.tokenFile, "--authorization-mode=RBAC", "--anonymous-auth=false",
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-signing-key-file=" + c.accountKey, "--service-account-key-file=" + c.accountKey,
			"--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none",
			"--allow-privileged=true", "--profiling=false",
			"--shutdown-delay-duration=0s", "--shutdown-send-retry-after=false",
		}, cp.args...),
		Ready:       func(ctx context.Context) error { return httpOK(ctx, httpClient, cp.Config.Host+"/readyz") },
		ReadyWithin: apiServerReady,
		// Open watches make it linger; what it would finish matters to nobody.
		Grace: 3 * time.Second,
	})
	return err
}

func (cp *ControlPlane) clients() (err error) {
	if cp.Kube, err = kubernetes.NewForConfig(cp.Config); err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	if cp.Dynamic, err = dynamic.NewForConfig(cp.Config); err != nil {
		return fmt.Errorf("make dynamic client: %w", err)
	}
	disco, err := discovery.NewDiscoveryClientForConfig(cp.Config)
	if err != nil {
		return fmt.Errorf("make discovery client: %w", err)
	}
	cp.Mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disco))
	return nil
}

// credentials are the keys and tokens of one API server.
type credentials struct {
	dir                     string
	caFile                  string
	ca                      []byte
	servingCert, servingKey string
	accountKey              string
	tokenFile, adminToken   string
}

func newCredentials(dir string) (*credentials, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make credentials: %w", err)
	}
	ca, err := newAuthority("syncgate-test")
	if err != nil {
		return nil, err
	}
	c := &credentials{
		dir: dir, ca: ca.pem, adminToken: rand.Text(),
		caFile:     filepath.Join(dir, "ca.crt"),
		accountKey: filepath.Join(dir, "serviceaccounts.key"),
		tokenFile:  filepath.Join(dir, "tokens.csv"),
	}
	if c.servingCert, c.servingKey, err = ca.serving(dir); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make ServiceAccount key: %w", err)
	}
	return c, errors.Join(
		writeKey(c.accountKey, key),
		os.WriteFile(c.caFile, ca.pem, 0o644),
		os.WriteFile(c.tokenFile, []byte(c.adminToken+`,admin,admin,"system:masters"`+"\n"), 0o600),
	)
}

// config is the administrator's access. Its rate limit is off: a test that
// waits for its own client measures nothing.
func (c *credentials) config(port int) *rest.Config {
	return &rest.Config{
		Host:            fmt.Sprintf("https://%s:%d", host, port),
		BearerToken:     c.adminToken,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.ca},
		QPS:             -1,
	}
}

// WriteKubeconfig writes access by token as a kubeconfig file, for its owner
// alone, with name as the name of context, cluster and user.
func WriteKubeconfig(file, name string, cfg *rest.Config) error {
	kc := clientcmdapi.NewConfig()
	kc.Clusters[name] = &clientcmdapi.Cluster{Server: cfg.Host, CertificateAuthorityData: cfg.CAData}
	kc.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: cfg.BearerToken}
	kc.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	kc.CurrentContext = name
	if err := clientcmd.WriteToFile(*kc, file); err != nil {
		return fmt.Errorf("write kubeconfig %s: %w", file, err)
	}
	return nil
}

// httpOK asks a URL and is content with 200.
func httpOK(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: expected 200, found %s", url, res.Status)
	}
	return nil
}

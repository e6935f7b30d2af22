// Package clusters knows the clusters that Changes come from and that checks
// ask: from kubeconfig contexts, from inside a cluster, and from Argo CD's own
// cluster Secrets. It also says who a hook Job is, by its ServiceAccount token.
package clusters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/syncgate/syncgate/gitops/argocd"
)

// How this program speaks to API servers.
const (
	userAgent = "syncgate"
	qps       = 50
	burst     = 100
	// timeout bounds one request, the answer's body included.
	timeout = 30 * time.Second
)

// Cluster is one cluster and how to speak to it.
type Cluster struct {
	Name   string
	Config *rest.Config
	// Kube and Dynamic are safe for concurrent use.
	Kube    kubernetes.Interface
	Dynamic dynamic.Interface
	// HookSubjects are the ServiceAccounts, "namespace/name", that may post
	// Changes for the cluster.
	HookSubjects []string
	// Origin says where the cluster was read from.
	Origin string
}

// Registry holds the clusters by name. It is safe for concurrent use.
type Registry struct {
	options []Options
	log     *slog.Logger

	mu       sync.RWMutex
	clusters map[string]*Cluster
	// broken holds why a cluster that is listed somewhere cannot be used.
	broken map[string]error
}

// New builds the registry. Options that are wrong, a name that two entries
// claim and a kubeconfig that cannot be read are errors. A cluster Secret of
// Argo CD that is malformed is logged, and Get says why; the others work. No
// cluster but Argo CD's home is contacted.
func New(ctx context.Context, options []Options, log *slog.Logger) (*Registry, error) {
	if len(options) == 0 {
		return nil, errors.New("read clusters: expected at least one entry, found none")
	}
	for i, o := range options {
		if err := o.Validate(); err != nil {
			return nil, fmt.Errorf("read %s: %s", o.label(i), oneLine(err))
		}
	}
	r := &Registry{options: slices.Clone(options), log: log}
	if err := r.Refresh(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Refresh reads all entries again, so that cluster Secrets which were added,
// changed or removed count. On an error the registry stays as it was.
func (r *Registry) Refresh(ctx context.Context) error {
	next := draft{clusters: map[string]*Cluster{}, broken: map[string]error{}}
	for i, o := range r.options {
		if err := next.entry(ctx, o); err != nil {
			return fmt.Errorf("read %s: %w", o.label(i), err)
		}
	}
	r.mu.Lock()
	old := r.broken
	r.clusters, r.broken = next.clusters, next.broken
	r.mu.Unlock()
	for name, err := range next.broken {
		if before, ok := old[name]; !ok || before.Error() != err.Error() {
			r.log.LogAttrs(ctx, slog.LevelWarn, "cluster cannot be used",
				slog.String("cluster", name), slog.String("error", err.Error()))
		}
	}
	return nil
}

// Get is the cluster a Gate calls name. The error lists the names there are.
func (r *Registry) Get(name string) (*Cluster, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if c, ok := r.clusters[name]; ok {
		return c, nil
	}
	if err, ok := r.broken[name]; ok {
		return nil, fmt.Errorf("get cluster %s: %w", name, err)
	}
	known := "the server knows none"
	if len(r.clusters) > 0 {
		known = "the server knows " + strings.Join(r.names(), ", ")
	}
	if n := len(r.broken); n > 0 {
		known += fmt.Sprintf("; %d more cannot be used, see the server's log", n)
	}
	return nil, fmt.Errorf("get cluster %.80q: no such cluster; %s; add it to the server's configuration or to Argo CD", name, known)
}

// Names are the clusters' names, sorted.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.names()
}

func (r *Registry) names() []string {
	names := make([]string, 0, len(r.clusters))
	for name := range r.clusters {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// draft is a registry that is being read.
type draft struct {
	clusters map[string]*Cluster
	broken   map[string]error
}

func (d draft) entry(ctx context.Context, o Options) error {
	home, origin, err := homeConfig(o)
	if err != nil {
		return err
	}
	if o.Name != "" {
		if err := d.add(o.Name, origin, home, o); err != nil {
			return err
		}
	}
	if o.ArgoCD == nil {
		return nil
	}
	kube, err := kubernetes.NewForConfig(tuned(home))
	if err != nil {
		return fmt.Errorf("build client of %s: %w", origin, err)
	}
	secrets, err := argocd.Clusters(ctx, kube, o.ArgoCD.namespace())
	if err != nil {
		return err
	}
	for _, s := range secrets {
		d.fromArgoCD(s, o)
	}
	return nil
}

// fromArgoCD adds the cluster of a Secret, or remembers why it cannot be used.
// Two Secrets of one name are both unusable: either could be meant.
func (d draft) fromArgoCD(s argocd.Cluster, o Options) {
	name := s.Name
	if name == "" {
		name = "Secret " + s.Secret
	}
	origin := "Argo CD cluster Secret " + s.Secret
	switch {
	case s.Err != nil:
		d.spoil(name, s.Err)
	case !clusterForm.MatchString(name):
		d.spoil(name, fmt.Errorf("%s: a Gate cannot name the cluster %.80q: expected lower-case letters, digits, '-' and '.' in the Secret's key \"name\"", origin, name))
	case s.Config.ExecProvider != nil && !o.AllowExec:
		d.spoil(name, execRefused(origin, s.Config.ExecProvider.Command))
	default:
		if _, broken := d.broken[name]; broken {
			return
		}
		if err := d.add(name, origin, s.Config, o); err != nil {
			d.spoil(name, err)
		}
	}
}

func (d draft) spoil(name string, err error) {
	if before, ok := d.broken[name]; ok {
		err = fmt.Errorf("%w; %w", before, err)
	}
	delete(d.clusters, name)
	d.broken[name] = err
}

func (d draft) add(name, origin string, config *rest.Config, o Options) error {
	if other, ok := d.clusters[name]; ok {
		return fmt.Errorf("the name %s is claimed twice, by %s and by %s: rename one", name, other.Origin, origin)
	}
	if err, ok := d.broken[name]; ok {
		return fmt.Errorf("the name %s is claimed twice, by %s and by a cluster that cannot be used (%w): rename one", name, origin, err)
	}
	c, err := newCluster(name, origin, config, o.HookSubjects)
	if err != nil {
		return err
	}
	d.clusters[name] = c
	return nil
}

func newCluster(name, origin string, config *rest.Config, subjects []string) (*Cluster, error) {
	config = tuned(config)
	// One HTTP client for both, so that they share connections.
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("build client of %s: %w", origin, err)
	}
	kube, err := kubernetes.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("build client of %s: %w", origin, err)
	}
	dyn, err := dynamic.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("build client of %s: %w", origin, err)
	}
	return &Cluster{
		Name: name, Origin: origin, Config: config,
		Kube: kube, Dynamic: dyn,
		HookSubjects: slices.Clone(subjects),
	}, nil
}

func tuned(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst, config.Timeout = qps, burst, timeout
	config.UserAgent = userAgent
	return config
}

// homeConfig is the cluster an entry names by kubeconfig or inCluster.
func homeConfig(o Options) (*rest.Config, string, error) {
	if o.InCluster {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, "", fmt.Errorf("read in-cluster configuration: %w; inCluster works in a pod with a ServiceAccount token only", err)
		}
		return config, "inCluster", nil
	}
	k := *o.Kubeconfig
	origin := "kubeconfig " + k.Path
	if k.Context != "" {
		origin += " context " + k.Context
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: k.Path},
		&clientcmd.ConfigOverrides{CurrentContext: k.Context},
	).ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", origin, err)
	}
	if config.ExecProvider != nil && !o.AllowExec {
		return nil, "", execRefused(origin, config.ExecProvider.Command)
	}
	return config, origin, nil
}

func execRefused(origin, command string) error {
	return fmt.Errorf("%s wants to execute %.80q for credentials, which is not allowed: set allowExec on this entry, or use a token or a certificate", origin, command)
}

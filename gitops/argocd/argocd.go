// Package argocd speaks to Argo CD through Argo CD's own types. It is the only
// package that links them: they are heavy, and a command that runs once per
// Job must not pay for them.
package argocd

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/argoproj/argo-cd/v2/common"
	"github.com/argoproj/argo-cd/v2/util/db"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// MaxClusters is how many cluster Secrets are read at most.
const MaxClusters = 2000

// Cluster is a cluster that Argo CD deploys to. Either Config or Err is set.
type Cluster struct {
	// Name is the name that Argo CD shows; it is the server's address where
	// the Secret gives no name, and "" where it could not be read at all.
	Name string
	// Secret is "namespace/name" of the Secret the cluster was read from.
	Secret string
	// Config is how Argo CD reaches the cluster. It may name a credential
	// plugin to execute (ExecProvider): whoever uses it decides about that.
	Config *rest.Config
	// Err says what is wrong with the Secret, without its content.
	Err error
}

// Clusters reads the cluster Secrets of the Argo CD in namespace, sorted by
// name. A Secret that is malformed is a Cluster with Err and does not hide the
// others; the error is for Secrets that could not be listed, or are too many.
func Clusters(ctx context.Context, kube kubernetes.Interface, namespace string) ([]Cluster, error) {
	selector := common.LabelKeySecretType + "=" + common.LabelValueSecretTypeCluster
	secrets, err := kube.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: selector,
		Limit:         MaxClusters,
	})
	if err != nil {
		return nil, fmt.Errorf("list Argo CD cluster Secrets in namespace %s (label %s): %w", namespace, selector, err)
	}
	if secrets.Continue != "" || len(secrets.Items) > MaxClusters {
		return nil, fmt.Errorf("list Argo CD cluster Secrets in namespace %s: more than %d (limit MaxClusters)", namespace, MaxClusters)
	}
	clusters := make([]Cluster, 0, len(secrets.Items))
	for i := range secrets.Items {
		clusters = append(clusters, fromSecret(&secrets.Items[i]))
	}
	sort.Slice(clusters, func(i, j int) bool {
		a, b := clusters[i], clusters[j]
		if a.Name != b.Name {
			return a.Name < b.Name
		}
		return a.Secret < b.Secret
	})
	return clusters, nil
}

// fromSecret reads one Secret as Argo CD itself does.
func fromSecret(s *corev1.Secret) Cluster {
	c := Cluster{
		Name:   strings.TrimSpace(string(s.Data["name"])),
		Secret: s.Namespace + "/" + s.Name,
	}
	if c.Name == "" {
		c.Name = strings.TrimRight(string(s.Data["server"]), "/")
	}
	config, err := restConfig(s)
	if err != nil {
		c.Err = fmt.Errorf("read Argo CD cluster Secret %s: %w", c.Secret, err)
		return c
	}
	c.Config = config
	return c
}

// restConfig leaves the parsing to Argo CD. Errors of its JSON and URL parsers
// are replaced: they may quote what they could not read.
func restConfig(s *corev1.Secret) (*rest.Config, error) {
	if len(s.Data["server"]) == 0 {
		return nil, errors.New(`key "server": expected the API server's URL, found nothing`)
	}
	cluster, err := db.SecretToCluster(s)
	if err != nil {
		return nil, errors.New(`key "config": expected JSON of Argo CD's ClusterConfig (bearerToken, tlsClientConfig, …), found something that does not decode`)
	}
	config, err := cluster.RawRestConfig()
	switch {
	case errors.Is(err, rest.ErrNotInCluster):
		return nil, fmt.Errorf("key \"server\" is %s, which is this program's own cluster, but the program does not run in one", cluster.Server)
	case err != nil:
		return nil, errors.New(`keys "server" and "config": expected an address, credentials and, if any, a proxy URL that make a client configuration, found ones that do not`)
	}
	if config.Insecure && len(config.CAData) > 0 {
		return nil, errors.New(`key "config": expected either tlsClientConfig.caData or tlsClientConfig.insecure, found both`)
	}
	static := rest.CopyConfig(config)
	static.ExecProvider = nil
	if _, err := rest.HTTPClientFor(static); err != nil {
		return nil, errors.New(`key "config": expected certificates and keys that can be read (tlsClientConfig caData, certData and keyData are base64 of PEM), found ones that cannot`)
	}
	return config, nil
}

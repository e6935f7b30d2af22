package clusters

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Options is one entry of the server's list of clusters: one cluster, or all
// the clusters that an Argo CD knows.
type Options struct {
	// Name is what a Gate calls the cluster. Required, except beside ArgoCD,
	// where it also makes the cluster that Argo CD itself runs in known by
	// this name.
	Name string `json:"name,omitempty"`
	// Kubeconfig reaches the cluster by a kubeconfig file.
	Kubeconfig *KubeconfigOptions `json:"kubeconfig,omitempty"`
	// InCluster reaches the cluster this program runs in, by its own
	// ServiceAccount.
	InCluster bool `json:"inCluster,omitempty"`
	// ArgoCD takes every cluster Secret of an Argo CD. Where it runs is said
	// by Kubeconfig or InCluster.
	ArgoCD *ArgoCDOptions `json:"argoCD,omitempty"`
	// AllowExec lets the kubeconfig or the cluster Secrets name a program
	// that is executed here to get credentials (exec plugins, AWS
	// authentication of Argo CD). Whoever can write them then runs programs
	// as this server, so it must be asked for. The program must be in the
	// server's image.
	AllowExec bool `json:"allowExec,omitempty"`
	// HookSubjects are the ServiceAccounts, "namespace/name", whose tokens
	// may post Changes for the cluster. Required: there is no default.
	HookSubjects []string `json:"hookSubjects"`
}

// KubeconfigOptions name a context of a kubeconfig file.
type KubeconfigOptions struct {
	// Path of the file.
	Path string `json:"path"`
	// Context in it. Default: the file's current context.
	Context string `json:"context,omitempty"`
}

// ArgoCDOptions say where an Argo CD keeps its cluster Secrets.
type ArgoCDOptions struct {
	// Namespace of the Secrets. Default "argocd".
	Namespace string `json:"namespace,omitempty"`
}

func (o ArgoCDOptions) namespace() string {
	if o.Namespace == "" {
		return "argocd"
	}
	return o.Namespace
}

var (
	// clusterForm is what a Change can name.
	clusterForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	subjectForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
)

// Validate says what is wrong with o; it asks nobody.
func (o Options) Validate() error {
	var mistakes []error
	mistake := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	switch {
	case o.Name == "" && o.ArgoCD == nil:
		mistake("name: expected the name that Gates use for the cluster, found nothing")
	case o.Name != "" && !clusterForm.MatchString(o.Name):
		mistake("name: expected lower-case letters, digits, '-' and '.', found %.80q", o.Name)
	}
	switch {
	case o.Kubeconfig == nil && !o.InCluster:
		mistake("expected kubeconfig or inCluster, found neither")
	case o.Kubeconfig != nil && o.InCluster:
		mistake("expected kubeconfig or inCluster, found both")
	case o.Kubeconfig != nil && o.Kubeconfig.Path == "":
		mistake("kubeconfig.path: expected a file, found nothing")
	}
	if len(o.HookSubjects) == 0 {
		mistake(`hookSubjects: expected the ServiceAccounts of the hook Jobs as "namespace/name", found none`)
	}
	for _, s := range o.HookSubjects {
		if !subjectForm.MatchString(s) {
			mistake(`hookSubjects: expected "namespace/name" of a ServiceAccount, found %.80q`, s)
		}
	}
	return errors.Join(mistakes...)
}

// label is what errors call the entry.
func (o Options) label(i int) string {
	if o.Name != "" {
		return fmt.Sprintf("cluster %s (entry %d)", o.Name, i+1)
	}
	return fmt.Sprintf("clusters entry %d", i+1)
}

// oneLine makes joined errors fit into one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

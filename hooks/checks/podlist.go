package checks

import (
	"context"
	"fmt"
	"sort"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/hooks/check"
)

// maxPods is how many pods of one namespace are looked at.
const maxPods = 5000

// hookLabel and hookName mark the pods of this program's own hook Jobs. One of
// them always runs while a check is asked, and one that failed stays behind.
const (
	hookLabel = "app.kubernetes.io/name"
	hookName  = "syncgate-hook"
)

// listPods lists the pods of a namespace by name, without those of this
// program's own hook Jobs.
func listPods(ctx context.Context, t check.Target, namespace, selector string) ([]corev1.Pod, error) {
	ask := request{verb: "list", resource: "pods", namespace: namespace}
	var all []corev1.Pod
	opts := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	for {
		page, err := t.Kube.CoreV1().Pods(namespace).List(ctx, opts)
		if err != nil {
			return nil, ask.failed(t, err)
		}
		for i := range page.Items {
			if !ownHook(&page.Items[i]) {
				all = append(all, page.Items[i])
			}
		}
		if len(all) > maxPods {
			return nil, fmt.Errorf("%s at cluster %s: more than %d pods (limit maxPods): give a selector", ask, t.Change.Cluster, maxPods)
		}
		if page.Continue == "" {
			break
		}
		opts.Continue = page.Continue
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all, nil
}

func ownHook(p *corev1.Pod) bool {
	return p.Labels[hookLabel] == hookName && jobOf(p) != ""
}

// jobOf is the name of the Job that controls p, "" if none does.
func jobOf(p *corev1.Pod) string {
	if o := metav1.GetControllerOf(p); o != nil && o.Kind == "Job" {
		return o.Name
	}
	return ""
}

func podCondition(p *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == kind {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

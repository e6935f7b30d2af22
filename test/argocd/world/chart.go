package world

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/syncgate/syncgate/hooks/admission"
	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

// installAccount puts on a cluster what Syncgate's chart installs where the
// server does not run, and writes the account's kubeconfig.
func (w *World) installAccount(ctx context.Context, c *Cluster, namespaces []string) error {
	if c == w.EU { // whose Applications are watched, once they are there
		if err := c.Namespace(ctx, harness.ArgoNamespace); err != nil {
			return err
		}
	}
	if err := product.Install(ctx, c.ControlPlane, w.chartValues(c, namespaces)); err != nil {
		return err
	}
	return product.WriteAccess(ctx, c.ControlPlane, product.Access{File: c.access, Cluster: c.Name, URL: "https://" + c.Way.Address})
}

func (w *World) chartValues(c *Cluster, namespaces []string) map[string]any {
	var list, oncall []any
	for _, ns := range namespaces {
		list = append(list, ns)
		oncall = append(oncall, map[string]any{"kind": "ServiceAccount", "namespace": ns, "name": OnCall})
	}
	return map[string]any{
		"server": map[string]any{"enabled": false},
		"hooks":  map[string]any{"namespaces": list},
		"rbac": map[string]any{
			"namespaces": list,
			"resources": []any{map[string]any{
				"apiGroups": []any{mattermosts().Group}, "resources": []any{mattermosts().Resource},
			}},
			"applications": map[string]any{"enabled": c == w.EU, "namespace": harness.ArgoNamespace},
			"override":     map[string]any{"enabled": true, "subjects": oncall},
		},
	}
}

// admissionOf has the API server of EU show a token, as one must that can be
// given no credentials.
func (w *World) admissionOf() (config.Admission, error) {
	w.pathToken = rand.Text() + rand.Text()
	file := w.stage.Path("server", "path-token")
	err := os.WriteFile(file, []byte(w.pathToken), 0o600)
	return config.Admission{Clusters: []config.AdmissionCluster{{Name: w.EU.Name, TokenFile: file, TokenInPath: true}}}, err
}

// installWebhook has the API server of EU ask the gate server about guarded
// objects in namespaces that Guard labels.
func (w *World) installWebhook(ctx context.Context, opts Options) error {
	ca, err := os.ReadFile(w.Server.CAFile)
	if err != nil {
		return err
	}
	values := w.chartValues(w.EU, opts.Sites)
	values["admission"] = map[string]any{
		"enabled": true, "cluster": w.EU.Name, "url": w.Server.URL, "ca": string(ca), "pathToken": w.pathToken, "timeoutSeconds": 20,
	}
	return product.Install(ctx, w.EU.ControlPlane, values)
}

// Guard labels the site's namespace on EU, and waits until its API server asks.
func (s *Site) Guard(ctx context.Context) error {
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, admission.NamespaceLabel, admission.LabelValue)
	if _, err := s.w.EU.Kube.CoreV1().Namespaces().Patch(ctx, s.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return err
	}
	probe := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "installation.mattermost.com/v1beta1", "kind": "Mattermost",
		"metadata": map[string]any{"name": "probe"}, "spec": map[string]any{"version": "0"},
	}}
	return harness.Eventually(ctx, func(ctx context.Context) error {
		_, err := s.w.EU.Dynamic.Resource(mattermosts()).Namespace(s.Name).Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return errors.New("the API server does not ask yet")
		}
		if !strings.Contains(err.Error(), "syncgate refuses") {
			return err
		}
		return nil
	})
}

// Edit changes the Mattermost of the Application's cluster as `kubectl edit`
// does.
func (a *App) Edit(ctx context.Context, patch string) error {
	_, err := a.w.Cluster(a.Cluster).Dynamic.Resource(mattermosts()).Namespace(a.Site.Name).
		Patch(ctx, "mattermost", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// AwaitEvent waits for an Event of the Application with a reason and all words.
func (a *App) AwaitEvent(ctx context.Context, reason string, words ...string) (message string, err error) {
	err = harness.Eventually(ctx, func(ctx context.Context) error {
		list, err := a.w.EU.Kube.CoreV1().Events(harness.ArgoNamespace).List(ctx, metav1.ListOptions{
			FieldSelector: "involvedObject.name=" + a.Name + ",source=syncgate",
		})
		if err != nil {
			return err
		}
		var seen []string
		for _, e := range list.Items {
			all := e.Reason == reason
			for _, word := range words {
				all = all && strings.Contains(e.Message, word)
			}
			if all {
				message = e.Message
				return nil
			}
			seen = append(seen, e.Reason+": "+e.Message)
		}
		return fmt.Errorf("events of Application %s: expected %s with %q, found:\n%s", a.Name, reason, words, strings.Join(seen, "\n"))
	})
	return message, err
}

// Operate starts an operation as the UI does, and waits for its end. sync is
// the operation's field of that name.
func (a *App) Operate(ctx context.Context, sync map[string]any) error {
	// Operations are told apart by when they began, in whole seconds.
	time.Sleep(1100 * time.Millisecond)
	before, err := a.Status(ctx)
	if err != nil {
		return err
	}
	// What is left of an operation before must not be merged with this one.
	for _, field := range []string{"dryRun", "resources", "manifests", "syncStrategy"} {
		if _, ok := sync[field]; !ok {
			sync[field] = nil
		}
	}
	text, err := json.Marshal(map[string]any{"operation": map[string]any{"sync": sync, "initiatedBy": map[string]any{"username": Person}}})
	if err != nil {
		return err
	}
	if err := a.Patch(ctx, string(text)); err != nil {
		return err
	}
	_, err = a.Await(ctx, func(s *Status) error {
		o := s.OperationState
		if o == nil || o.Phase == "Running" || before.OperationState != nil && o.StartedAt == before.OperationState.StartedAt {
			return fmt.Errorf("expected that the operation ends, found %+v", o)
		}
		return nil
	})
	return err
}

// Log is the log of a pod.
func (c *Cluster) Log(ctx context.Context, namespace, pod string) (string, error) {
	data, err := c.Kube.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{}).DoRaw(ctx)
	return string(data), err
}

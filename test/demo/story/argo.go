package story

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/syncgate/syncgate/test/harness"
)

// This file does what Argo CD does with a revision: it renders through the
// plugin, runs the PreSync hook, applies, runs the PostSync hook. The kubelet
// is played as well: a hook Job's command runs as a process here.

const hookAnnotation = "argocd.argoproj.io/hook"

// rendered is what the plugin made of a revision for a cluster.
type rendered struct {
	cluster  *standIn
	revision string
	objects  []*unstructured.Unstructured
	hooks    []*unstructured.Unstructured
	jobs     map[string]*batchv1.Job // hooks by Argo CD's name of the phase
}

// generate runs the plugin as Argo CD's sidecar does: on the application's
// folder, told by the environment what it renders.
func (s *Story) generate(k *standIn, revision string) call {
	return call{
		name: "generate", args: []string{"cmp", "generate", filepath.Join(s.repo.argo, folder)}, hide: true,
		env: map[string]string{
			"ARGOCD_APP_NAME":            "mattermost-" + k.Name,
			"ARGOCD_APP_NAMESPACE":       namespace,
			"ARGOCD_APP_REVISION":        revision,
			"ARGOCD_APP_SOURCE_PATH":     folder,
			"ARGOCD_APP_SOURCE_REPO_URL": s.repo.url,
			"ARGOCD_ENV_CLUSTER":         k.Name,
			"KUBE_VERSION":               "1.34.4",
			"SYNCGATE_HOOK_IMAGE":        "syncgate:demo",
			"SYNCGATE_SERVER_URL":        s.url,
			"SYNCGATE_SERVER_CA_FILE":    s.caFile,
		},
	}
}

// render renders a revision for a cluster and parts the hooks from the rest.
func (s *Story) render(ctx context.Context, k *standIn, revision string, quiet bool) (*rendered, error) {
	if err := s.repo.checkout(ctx, revision); err != nil {
		return nil, err
	}
	c := s.generate(k, revision)
	c.quiet = quiet
	ran, err := s.run(ctx, c)
	if err != nil {
		return nil, err
	}
	all, err := harness.Objects([]byte(ran.Stdout))
	if err != nil {
		return nil, fmt.Errorf("read what the plugin rendered: %w", err)
	}
	r := &rendered{cluster: k, revision: revision, jobs: map[string]*batchv1.Job{}}
	for _, obj := range all {
		phase, hook := obj.GetAnnotations()[hookAnnotation]
		if !hook {
			r.objects = append(r.objects, obj)
			continue
		}
		job := &batchv1.Job{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, job); err != nil {
			return nil, fmt.Errorf("read hook Job %s: %w", obj.GetName(), err)
		}
		r.jobs[phase] = job
		r.hooks = append(r.hooks, obj)
	}
	return r, nil
}

// hook runs the hook Job of a phase as the kubelet would: its command, with
// its environment and its projected volume.
func (s *Story) hook(ctx context.Context, r *rendered, phase string, c call) (Ran, error) {
	job, ok := r.jobs[phase]
	if !ok || len(job.Spec.Template.Spec.Containers) != 1 {
		return Ran{}, fmt.Errorf("run %s hook: the plugin rendered no such Job", phase)
	}
	pod := job.Spec.Template
	container := pod.Spec.Containers[0]
	volume, err := s.project(ctx, r.cluster, pod)
	if err != nil {
		return Ran{}, fmt.Errorf("mount the volume of Job %s: %w", job.Name, err)
	}
	mount := container.VolumeMounts[0].MountPath
	vars := strings.NewReplacer("$(SYNCGATE_ATTEMPT)", uuid.NewString(), mount+"/", volume+"/")
	for _, arg := range append(container.Command[1:], container.Args...) {
		c.args = append(c.args, vars.Replace(arg))
	}
	c.name = strings.ToLower(phase) + "-" + r.cluster.Name
	if c.watch == nil {
		c.watch = io.Discard
	}
	return s.run(ctx, c)
}

// project writes the files of a pod's projected volume: a token of its
// ServiceAccount from the cluster, and what its annotations hold.
func (s *Story) project(ctx context.Context, k *standIn, pod corev1.PodTemplateSpec) (string, error) {
	dir := s.stage.Path("pods", k.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, source := range pod.Spec.Volumes[0].Projected.Sources {
		if t := source.ServiceAccountToken; t != nil {
			token, err := k.Token(ctx, namespace, pod.Spec.ServiceAccountName, t.Audience, 0)
			if err != nil {
				return "", err
			}
			if err := os.WriteFile(filepath.Join(dir, t.Path), []byte(token), 0o600); err != nil {
				return "", err
			}
		}
		if d := source.DownwardAPI; d != nil {
			for _, item := range d.Items {
				key := strings.TrimSuffix(strings.TrimPrefix(item.FieldRef.FieldPath, "metadata.annotations['"), "']")
				if err := os.WriteFile(filepath.Join(dir, item.Path), []byte(pod.Annotations[key]), 0o600); err != nil {
					return "", err
				}
			}
		}
	}
	return dir, nil
}

// sync applies what was rendered, without the hooks.
func (r *rendered) sync(ctx context.Context) error {
	return r.cluster.Apply(ctx, r.objects, harness.ApplyOptions{Namespace: namespace, Manager: "argocd-controller"})
}

// tryJobs has the API server check the hook Jobs and keep none.
func (r *rendered) tryJobs(ctx context.Context) error {
	return r.cluster.Apply(ctx, r.hooks, harness.ApplyOptions{Namespace: namespace, DryRun: true})
}

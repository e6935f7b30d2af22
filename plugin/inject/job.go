package inject

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/plugin/render"
	"github.com/syncgate/syncgate/policies/gate"
)

// Argo CD's annotations.
const (
	annotationHook   = "argocd.argoproj.io/hook"
	annotationDelete = "argocd.argoproj.io/hook-delete-policy"
	annotationWave   = "argocd.argoproj.io/sync-wave"
)

// Waves order the hooks of one phase; users' own are small numbers around 0.
// The gate is asked before any of the users' PreSync hooks changes something,
// and after their PostSync hooks have done their part. A failed sync is
// reported before the users' SyncFail hooks, which may fail themselves.
const (
	preSyncWave  = -1_000_000
	postSyncWave = 1_000_000
	syncFailWave = -1_000_000
)

const (
	// defaultDeadline is gate.Phase.Deadline's default.
	defaultDeadline = 30 * time.Minute
	// syncFailDeadline bounds the report of a failed sync, which asks no check.
	syncFailDeadline = 5 * time.Minute
	// clientMargin is how much longer than the phase's deadline the client
	// waits for the verdict: the server starts to count when it has accepted
	// the Change.
	clientMargin = 2 * time.Minute
	// jobMargin is how much longer than the client the Job may live: pulling
	// the image, being scheduled.
	jobMargin = 5 * time.Minute
	// minTokenLife is the least the API server accepts.
	minTokenLife = 10 * time.Minute
	// audience is whom the token is for.
	audience = "syncgate"
	// mountPath is where the token and the CA lie in the Job.
	mountPath = "/var/run/secrets/syncgate"
	// annotationCA carries the CA's certificates into the pod: the downward
	// API makes a file of it, in every namespace and without a ConfigMap.
	annotationCA = "syncgate.dev/ca"
	// annotationLink makes Argo CD show a link beside the Job. The value is
	// "title|URL".
	annotationLink = "link.argocd.argoproj.io/syncgate"
)

// hook is one phase's Job.
type hook struct {
	command  string // of `syncgate hook`
	argo     string // Argo CD's name of the phase
	wave     int
	deadline time.Duration
}

// hooksOf are the hooks of a Gate. Where there is a gate server, a Gate without
// checks has them too: the organisation's minimums are the server's to know,
// and must not be left out with a Gate's last check.
func hooksOf(g *gate.Gate, server bool) []hook {
	pre, post := g.Spec.PreSync, g.Spec.PostSync
	if !server && len(pre.Checks)+len(post.Checks) == 0 {
		return nil
	}
	return []hook{
		{"presync", "PreSync", preSyncWave, pre.Deadline.Or(defaultDeadline)},
		{"postsync", "PostSync", postSyncWave, post.Deadline.Or(defaultDeadline)},
		{"syncfail", "SyncFail", syncFailWave, syncFailDeadline},
	}
}

// document is a Job without the status it does not have yet.
type document struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              batchv1.JobSpec `json:"spec"`
}

// build is the Job of one hook, as text.
func build(g *gate.Gate, h hook, ch Change, cfg Config) (render.Object, error) {
	labels := map[string]string{
		"app.kubernetes.io/name":       "syncgate-hook",
		"app.kubernetes.io/managed-by": "syncgate",
		"syncgate.dev/gate":            g.Metadata.Name,
		"syncgate.dev/phase":           h.command,
	}
	job := document{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Name:        Name(h.command, g.Metadata.Name, ch.Cluster, ch.Revision),
			Namespace:   cfg.Namespace,
			Labels:      labels,
			Annotations: annotations(g, h, ch, cfg),
		},
		Spec: batchv1.JobSpec{
			BackoffLimit:          ptr[int32](0),
			ActiveDeadlineSeconds: ptr(seconds(h.deadline + clientMargin + jobMargin)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: podAnnotations(cfg)},
				Spec:       pod(g, h, ch, cfg),
			},
		},
	}
	text, err := cfg.Written.write(job)
	if err != nil {
		return render.Object{}, fmt.Errorf("write hook Job %s: %w", job.Name, err)
	}
	return render.Object{
		Head: render.Head{
			APIVersion: job.APIVersion, Kind: job.Kind, Namespace: job.Namespace, Name: job.Name,
			Annotations: job.Annotations,
		},
		Source: g.File,
		Data:   text,
	}, nil
}

func annotations(g *gate.Gate, h hook, ch Change, cfg Config) map[string]string {
	a := map[string]string{
		annotationHook:          h.argo,
		annotationDelete:        "BeforeHookCreation",
		annotationWave:          fmt.Sprint(h.wave),
		"syncgate.dev/cluster":  ch.Cluster,
		"syncgate.dev/revision": ch.Revision,
	}
	if cfg.PublicURL != "" {
		a[annotationLink] = "Syncgate run|" + link(g, h, ch, cfg)
	}
	return a
}

// link is the page of the newest Run that the Job will have asked for. What is
// rendered is cached, so the Run is named by what it is about and not by its
// id.
func link(g *gate.Gate, h hook, ch Change, cfg Config) string {
	return strings.TrimRight(cfg.PublicURL, "/") + "/gates/" + url.PathEscape(g.Metadata.Name) + "/" + url.PathEscape(ch.Cluster) +
		"/" + ch.Revision + "/" + strings.ToLower(h.argo[:1]) + h.argo[1:]
}

func podAnnotations(cfg Config) map[string]string {
	if cfg.CA == "" {
		return nil
	}
	return map[string]string{annotationCA: cfg.CA}
}

// pod is what the Job runs, within Kubernetes' "restricted" pod security.
func pod(g *gate.Gate, h hook, ch Change, cfg Config) corev1.PodSpec {
	spec := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		ServiceAccountName:            cmp.Or(cfg.ServiceAccount, DefaultServiceAccount),
		AutomountServiceAccountToken:  ptr(false),
		EnableServiceLinks:            ptr(false),
		TerminationGracePeriodSeconds: ptr[int64](5),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   ptr(true),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name:    "gate",
			Image:   cfg.Image,
			Command: []string{"syncgate", "hook", h.command},
			Args:    arguments(g, h, ch, cfg),
			Env: []corev1.EnvVar{{
				Name:      "SYNCGATE_ATTEMPT",
				ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.uid"}},
			}},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{
					corev1.ResourceCPU:    resource.MustParse("10m"),
					corev1.ResourceMemory: resource.MustParse("32Mi"),
				},
				Limits: corev1.ResourceList{
					corev1.ResourceCPU:    resource.MustParse("500m"),
					corev1.ResourceMemory: resource.MustParse("128Mi"),
				},
			},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr(false),
				ReadOnlyRootFilesystem:   ptr(true),
				RunAsNonRoot:             ptr(true),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
			VolumeMounts:             []corev1.VolumeMount{{Name: "syncgate", MountPath: mountPath, ReadOnly: true}},
		}},
		Volumes: []corev1.Volume{volume(h, cfg)},
	}
	if cfg.PullSecret != "" {
		spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: cfg.PullSecret}}
	}
	return spec
}

// arguments are the flags of `syncgate hook`. Those with a value are one
// argument each, so that no value is taken for a flag.
func arguments(g *gate.Gate, h hook, ch Change, cfg Config) []string {
	args := []string{
		"--server=" + cfg.Server,
		"--repository=" + literal(ch.Repository),
		"--gate=" + g.Metadata.Name,
		"--cluster=" + literal(ch.Cluster),
		"--revision=" + ch.Revision,
		"--token-file=" + mountPath + "/token",
		"--attempt=$(SYNCGATE_ATTEMPT)",
		"--timeout=" + (h.deadline + clientMargin).String(),
	}
	if ch.TargetRevision != "" {
		args = append(args, "--target-revision="+literal(ch.TargetRevision))
	}
	if cfg.CA != "" {
		args = append(args, "--ca-file="+mountPath+"/ca.crt")
	}
	return args
}

// volume holds the token for the gate server alone, and the CA.
func volume(h hook, cfg Config) corev1.Volume {
	life := max(h.deadline+clientMargin+jobMargin, minTokenLife)
	sources := []corev1.VolumeProjection{{
		ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: audience, ExpirationSeconds: ptr(seconds(life)), Path: "token",
		},
	}}
	if cfg.CA != "" {
		sources = append(sources, corev1.VolumeProjection{
			DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
				Path:     "ca.crt",
				FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.annotations['" + annotationCA + "']"},
			}}},
		})
	}
	return corev1.Volume{
		Name:         "syncgate",
		VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: sources}},
	}
}

// seconds is d, rounded up.
func seconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}

func ptr[T any](v T) *T { return &v }

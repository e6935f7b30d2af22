package kubelet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/harness/kubelet"
)

// cluster is a control plane with controllers and a kubelet whose image
// example.com/shell has the programs of this machine.
type cluster struct {
	*harness.ControlPlane
	kubelet *kubelet.Kubelet
}

func start(t *testing.T) *cluster {
	t.Helper()
	harness.Real(t)
	cp := harness.ForTest(t)
	if err := cp.StartControllers(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	k, err := kubelet.Start(t.Context(), cp, kubelet.Options{Images: map[string]string{"example.com/shell": "/usr/bin:/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &cluster{cp, k}
}

// TestPods has one cluster: its parts keep apart by namespace.
func TestPods(t *testing.T) {
	c := start(t)
	for name, test := range map[string]func(*testing.T, *cluster, string){
		"deployment":  deploymentRollsOut,
		"job":         jobRuns,
		"job-fails":   jobFails,
		"job-deleted": jobIsDeleted,
		"job-expires": jobExpires,
		"no-config":   jobWaitsForItsConfigMap,
		"played":      jobIsPlayed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := c.Namespace(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			test(t, c, name)
		})
	}
}

func (c *cluster) apply(t *testing.T, namespace, text string) {
	t.Helper()
	if err := c.ApplyYAML(t.Context(), []byte(text), harness.ApplyOptions{Namespace: namespace}); err != nil {
		t.Fatal(err)
	}
}

// eventually waits generously.
func eventually(t *testing.T, ask func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := harness.Eventually(ctx, ask); err != nil {
		t.Fatal(err)
	}
}

// job is a Job of one container that runs a script.
func job(spec, script string) string {
	return fmt.Sprintf(`
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  backoffLimit: 0
  %s
  template:
    metadata: {annotations: {example.com/note: "a note"}}
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 10
      volumes:
      - name: mixed
        projected:
          sources:
          - serviceAccountToken: {audience: syncgate, expirationSeconds: 600, path: token}
          - downwardAPI: {items: [{path: note, fieldRef: {fieldPath: "metadata.annotations['example.com/note']"}}]}
      - name: files
        configMap: {name: files, optional: true}
      containers:
      - name: main
        image: example.com/shell:1
        terminationMessagePolicy: FallbackToLogsOnError
        command: [sh, -c]
        args:
        - |
%s
        env:
        - {name: NOTE_FILE, value: /etc/mixed/note}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: secret, key: password, optional: true}}}
        - {name: GREETING, value: "hello $(PASSWORD) $$(PASSWORD) $(UNSET)"}
        volumeMounts:
        - {name: mixed, mountPath: /etc/mixed, readOnly: true}
        - {name: files, mountPath: /etc/files, readOnly: true}
`, spec, indent(script))
}

func indent(script string) string {
	var out strings.Builder
	for line := range strings.Lines(script) {
		out.WriteString("          " + line)
	}
	return out.String()
}

// awaitPod is the Job's pod once it has the phase.
func (c *cluster) awaitPod(t *testing.T, namespace string, phase corev1.PodPhase) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	eventually(t, func(ctx context.Context) error {
		pods, err := c.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		if len(pods.Items) != 1 || pods.Items[0].Status.Phase != phase {
			return fmt.Errorf("expected one pod that is %s, found %d: %+v", phase, len(pods.Items), pods.Items)
		}
		pod = &pods.Items[0]
		return nil
	})
	return pod
}

func (c *cluster) awaitJob(t *testing.T, namespace string, kind batchv1.JobConditionType) batchv1.JobCondition {
	t.Helper()
	var found batchv1.JobCondition
	eventually(t, func(ctx context.Context) error {
		job, err := c.Kube.BatchV1().Jobs(namespace).Get(ctx, "job", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, cond := range job.Status.Conditions {
			if cond.Type == kind && cond.Status == corev1.ConditionTrue {
				found = cond
				return nil
			}
		}
		return fmt.Errorf("job: expected condition %s, found %+v", kind, job.Status)
	})
	return found
}

// log is what `kubectl logs` prints: it goes through the API server.
func (c *cluster) log(t *testing.T, pod *corev1.Pod, opts *corev1.PodLogOptions) string {
	t.Helper()
	data, err := c.Kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, opts).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func jobRuns(t *testing.T, c *cluster, namespace string) {
	c.apply(t, namespace, `
apiVersion: v1
kind: Secret
metadata: {name: secret}
stringData: {password: hunter2}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: files}
data: {one.txt: from a ConfigMap}
`)
	c.apply(t, namespace, job("", `echo "$GREETING"
cat $NOTE_FILE; echo
cat /etc/files/one.txt; echo
echo "uid $POD"
cat /etc/mixed/token
`))
	c.awaitJob(t, namespace, batchv1.JobComplete)
	pod := c.awaitPod(t, namespace, corev1.PodSucceeded)
	lines := strings.Split(c.log(t, pod, &corev1.PodLogOptions{}), "\n")
	want := []string{"hello hunter2 $(PASSWORD) $(UNSET)", "a note", "from a ConfigMap", "uid " + string(pod.UID)}
	if diff := cmp.Diff(want, lines[:min(len(lines), len(want))]); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	review := &authv1.TokenReview{Spec: authv1.TokenReviewSpec{Token: lines[len(want)], Audiences: []string{"syncgate"}}}
	got, err := c.Kube.AuthenticationV1().TokenReviews().Create(t.Context(), review, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if name := got.Status.User.Extra["authentication.kubernetes.io/pod-name"]; !got.Status.Authenticated || len(name) != 1 || name[0] != pod.Name {
		t.Errorf("token: expected one of the pod %s, found %+v", pod.Name, got.Status)
	}
	one := int64(1)
	if tail := c.log(t, pod, &corev1.PodLogOptions{TailLines: &one, Timestamps: true}); !strings.HasPrefix(tail, time.Now().UTC().Format("2006-01-")) ||
		strings.Count(tail, "\n") != 1 {
		t.Errorf("last line with its time: found %q", tail)
	}
}

func jobFails(t *testing.T, c *cluster, namespace string) {
	c.apply(t, namespace, job("", "echo no such backup\nexit 3\n"))
	if cond := c.awaitJob(t, namespace, batchv1.JobFailed); cond.Reason != batchv1.JobReasonBackoffLimitExceeded {
		t.Errorf("reason: expected %s, found %+v", batchv1.JobReasonBackoffLimitExceeded, cond)
	}
	state := c.awaitPod(t, namespace, corev1.PodFailed).Status.ContainerStatuses[0].State.Terminated
	if state == nil || state.ExitCode != 3 || state.Message != "no such backup\n" {
		t.Errorf("container: expected exit code 3 with its log as message, found %+v", state)
	}
}

const stubborn = `trap 'echo asked to end; exit 0' TERM
echo began
while true; do sleep 0.1; done
`

func jobIsDeleted(t *testing.T, c *cluster, namespace string) {
	c.apply(t, namespace, job("", stubborn))
	pod := c.awaitPod(t, namespace, corev1.PodRunning)
	followed, err := c.Kube.CoreV1().Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer followed.Close()
	buf := make([]byte, len("began\n"))
	if _, err := followed.Read(buf); err != nil || string(buf) != "began\n" {
		t.Errorf("followed log: found %q, %v", buf, err)
	}
	background := metav1.DeletePropagationBackground
	if err := c.Kube.BatchV1().Jobs(namespace).Delete(t.Context(), "job", metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		_, err := c.Kube.CoreV1().Pods(namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, errors.New("the pod is still there"))
	})
	if n, err := followed.Read(buf); err != nil || string(buf[:n]) != "asked to end\n"[:n] {
		t.Errorf("followed log: expected that it was asked to end, found %q, %v", buf, err)
	}
}

func jobExpires(t *testing.T, c *cluster, namespace string) {
	c.apply(t, namespace, job("activeDeadlineSeconds: 3", stubborn))
	if cond := c.awaitJob(t, namespace, batchv1.JobFailed); cond.Reason != batchv1.JobReasonDeadlineExceeded {
		t.Errorf("reason: expected %s, found %+v", batchv1.JobReasonDeadlineExceeded, cond)
	}
}

func jobWaitsForItsConfigMap(t *testing.T, c *cluster, namespace string) {
	c.apply(t, namespace, strings.Replace(job("", "cat /etc/files/one.txt\n"), "optional: true}\n      containers", "optional: false}\n      containers", 1))
	pod := c.awaitPod(t, namespace, corev1.PodPending)
	eventually(t, func(ctx context.Context) error {
		got, err := c.Kube.CoreV1().Pods(namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, s := range got.Status.ContainerStatuses {
			if s.State.Waiting != nil && s.State.Waiting.Reason == "CreateContainerConfigError" {
				return nil
			}
		}
		return fmt.Errorf("expected a container that waits for its ConfigMap, found %+v", got.Status)
	})
	c.apply(t, namespace, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: files}\ndata: {one.txt: there}\n")
	c.awaitJob(t, namespace, batchv1.JobComplete)
}

func jobIsPlayed(t *testing.T, c *cluster, namespace string) {
	c.apply(t, namespace, strings.Replace(job("", "exit 3\n"), "example.com/shell:1", "example.com/other:1", 1))
	c.awaitJob(t, namespace, batchv1.JobComplete)
}

func deploymentRollsOut(t *testing.T, c *cluster, namespace string) {
	deployment := func(tag string) string {
		return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.com/web:%s"}]}
`, tag)
	}
	rolledOut := func(want bool) {
		t.Helper()
		eventually(t, func(ctx context.Context) error {
			d, err := c.Kube.AppsV1().Deployments(namespace).Get(ctx, "web", metav1.GetOptions{})
			if err != nil {
				return err
			}
			s := d.Status
			done := s.ObservedGeneration == d.Generation && s.UpdatedReplicas == 2 && s.AvailableReplicas == 2 && s.Replicas == 2
			if done != want {
				return fmt.Errorf("rolled out: expected %t, found %+v", want, s)
			}
			return nil
		})
	}
	c.apply(t, namespace, deployment("1"))
	rolledOut(true)
	c.kubelet.Refuse("example.com/web:2", "ImagePullBackOff", "not found")
	c.apply(t, namespace, deployment("2"))
	eventually(t, func(ctx context.Context) error {
		pods, err := c.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, pod := range pods.Items {
			for _, s := range pod.Status.ContainerStatuses {
				if s.State.Waiting != nil && s.State.Waiting.Reason == "ImagePullBackOff" {
					return nil
				}
			}
		}
		return errors.New("no pod waits for its image")
	})
	rolledOut(false)
	c.kubelet.Accept("example.com/web:2")
	rolledOut(true)
}

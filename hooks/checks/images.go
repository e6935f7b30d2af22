package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/checks/image"
	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/gate"
)

// images asks whether every pod of a workload runs the expected image: by what
// its spec asks for and by what the kubelet says that runs. Pods are replaced
// one by one, so that a wrong image is Wait; the rollout and pods checks say
// when that ends in failure.
type images struct {
	spec gate.ImagesCheck
	min  int
}

func newImages(spec gate.ImagesCheck) (check.Check, error) {
	switch {
	case spec.Min < 0:
		return nil, fmt.Errorf("min: expected 0 or more, found %d", spec.Min)
	case strings.TrimSpace(spec.Selector) == "":
		return nil, errors.New("selector: expected a label selector of the workload's pods, found nothing")
	case strings.TrimSpace(spec.Image) == "":
		return nil, errors.New(`image: expected the reference, such as "${values.image.Repository + ':' + values.image.tag}", found nothing`)
	}
	if err := validSelector(spec.Selector); err != nil {
		return nil, err
	}
	if err := texts("namespace", spec.Namespace, "container", spec.Container, "image", spec.Image); err != nil {
		return nil, err
	}
	if !expr.HasExpressions(spec.Image) {
		if _, err := image.Parse(spec.Image); err != nil {
			return nil, fmt.Errorf("image: %w", err)
		}
	}
	return images{spec: spec, min: max(spec.Min, 1)}, nil
}

// imagesQuestion is the check with everything filled in.
type imagesQuestion struct {
	namespace, selector, container string
	want                           image.Reference
}

func (c images) question(ctx context.Context, t check.Target) (imagesQuestion, error) {
	var q imagesQuestion
	var err error
	if q.namespace, err = inNamespace(ctx, t, c.spec.Namespace); err != nil {
		return q, err
	}
	if q.selector, err = fill(ctx, t, "selector", c.spec.Selector); err != nil {
		return q, err
	}
	if strings.TrimSpace(q.selector) == "" {
		return q, fmt.Errorf("fill in selector %q: expected a label selector, found nothing", c.spec.Selector)
	}
	if q.container, err = fill(ctx, t, "container", c.spec.Container); err != nil {
		return q, err
	}
	ref, err := fill(ctx, t, "image", c.spec.Image)
	if err != nil {
		return q, err
	}
	if q.want, err = image.Parse(ref); err != nil {
		return q, fmt.Errorf("image %s: %w", c.spec.Image, err)
	}
	return q, nil
}

// Evaluate implements check.Check.
func (c images) Evaluate(ctx context.Context, t check.Target) (check.Answer, error) {
	q, err := c.question(ctx, t)
	if err != nil {
		return check.Answer{}, err
	}
	all, err := listPods(ctx, t, q.namespace, q.selector)
	if err != nil {
		return check.Answer{}, err
	}
	pods, err := q.running(all)
	if err != nil {
		return check.Answer{}, err
	}
	proven := q.provenDigest(pods)
	var wrong []string
	var evidence []hooks.Evidence
	for _, p := range pods {
		if why := q.differs(p, proven); why != "" {
			wrong = append(wrong, p.name)
			evidence = append(evidence, hooks.Evidence{Object: "pod " + q.namespace + "/" + p.name, Fact: why})
		}
	}
	where := fmt.Sprintf("pods with %s in namespace %s of cluster %s", q.selector, q.namespace, t.Change.Cluster)
	switch {
	case len(wrong) > 0:
		return answer(hooks.Wait, evidence, "%s: expected image %s in all %d, not so in %s (%s): wait for the rollout, or look at what sets the image",
			where, q.want, len(pods), list(wrong), evidence[0].Fact), nil
	case len(pods) < c.min:
		return answer(hooks.Wait, nil, "%s: expected at least %d running %s, found %d: correct the selector or the replicas", where, c.min, q.want, len(pods)), nil
	}
	return answer(hooks.Pass, q.summary(pods), "%s: all %d run %s", where, len(pods), q.want), nil
}

// imagePod is what a pod says of the container that is looked at.
type imagePod struct {
	name   string
	asked  string
	status *corev1.ContainerStatus
}

// running are the pods that are to run the image: neither finished nor on
// their way out, and not those of a Job.
func (q imagesQuestion) running(all []corev1.Pod) ([]imagePod, error) {
	var pods []imagePod
	for i := range all {
		p := &all[i]
		if p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed || jobOf(p) != "" {
			continue
		}
		c, err := q.pick(p)
		if err != nil {
			return nil, err
		}
		ip := imagePod{name: p.Name, asked: c.Image}
		for j := range p.Status.ContainerStatuses {
			if p.Status.ContainerStatuses[j].Name == c.Name {
				ip.status = &p.Status.ContainerStatuses[j]
			}
		}
		pods = append(pods, ip)
	}
	return pods, nil
}

func (q imagesQuestion) pick(p *corev1.Pod) (*corev1.Container, error) {
	found := make([]string, 0, len(p.Spec.Containers))
	for i := range p.Spec.Containers {
		c := &p.Spec.Containers[i]
		if c.Name == q.container || (q.container == "" && len(p.Spec.Containers) == 1) {
			return c, nil
		}
		found = append(found, c.Name)
	}
	if q.container == "" {
		return nil, fmt.Errorf("pick container of pod %s/%s: expected one, found %s: name one by container", q.namespace, p.Name, list(found))
	}
	return nil, fmt.Errorf("pick container of pod %s/%s: expected %s, found %s: correct container", q.namespace, p.Name, q.container, list(found))
}

// provenDigest is the digest that stands behind the expected reference by what
// the pods say: that of a pod whose kubelet names the expected reference
// itself. A runtime may name one image by another tag it has.
func (q imagesQuestion) provenDigest(pods []imagePod) string {
	if q.want.Digest != "" {
		return q.want.Digest
	}
	for _, p := range pods {
		if p.status == nil {
			continue
		}
		got, err := image.Parse(p.status.Image)
		if repo, digest := image.FromID(p.status.ImageID); err == nil && got.Same(q.want) && repo == q.want.Repository {
			return digest
		}
	}
	return ""
}

// differs says why a pod does not run the expected image, "" if it does.
func (q imagesQuestion) differs(p imagePod, proven string) string {
	asked, err := image.Parse(p.asked)
	if err != nil {
		return fmt.Sprintf("asks for %.200q, which is no image reference", p.asked)
	}
	if !asked.Same(q.want) {
		return "asks for " + asked.String()
	}
	if p.status == nil || (p.status.ImageID == "" && p.status.State.Running == nil) {
		return "asks for it, but the container has not started"
	}
	repo, digest := image.FromID(p.status.ImageID)
	if proven != "" && digest == proven && repo == q.want.Repository {
		return ""
	}
	if p.status.State.Running == nil {
		return "asks for it, but the container does not run"
	}
	if q.reported(p.status.Image, asked, repo, digest) {
		return ""
	}
	return fmt.Sprintf("asks for it, but its kubelet reports %s (%s)", line(p.status.Image, 300), line(p.status.ImageID, 300))
}

// reported reports whether what the kubelet says of a container whose spec
// asks for the expected image agrees with it, where no digest proves it.
func (q imagesQuestion) reported(name string, asked image.Reference, repo, digest string) bool {
	got, err := image.Parse(name)
	// A runtime may name an image by its own hash of it.
	if err != nil || strings.HasPrefix(name, "sha256:") {
		if digest != "" {
			return q.want.Digest == "" && repo == q.want.Repository
		}
		return asked.Digest == q.want.Digest
	}
	if !got.Same(q.want) {
		return false
	}
	switch q.want.Digest {
	case "", got.Digest:
		return true
	}
	// The digest is expected, and neither name nor imageID tells it: what was
	// asked for by digest was fetched by digest.
	return digest == "" && asked.Digest == q.want.Digest
}

// summary is the evidence of a pass: how many pods run which digest.
func (q imagesQuestion) summary(pods []imagePod) []hooks.Evidence {
	count := map[string]int{}
	var order []string
	for _, p := range pods {
		id := "an image whose digest the kubelet does not report"
		if p.status != nil {
			if _, digest := image.FromID(p.status.ImageID); digest != "" {
				id = digest
			}
		}
		if count[id] == 0 {
			order = append(order, id)
		}
		count[id]++
	}
	var evidence []hooks.Evidence
	for _, id := range order {
		evidence = append(evidence, hooks.Evidence{Object: "image " + q.want.String(), Fact: fmt.Sprintf("%d pods run %s", count[id], id)})
	}
	return evidence
}

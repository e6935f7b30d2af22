package kubelet

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// retryAfter is how long to wait with what the API server refused, and with
// what is not there yet.
const retryAfter = 300 * time.Millisecond

// pod is one pod of a kubelet. Its goroutine, tend, is the only one that acts.
type pod struct {
	k      *Kubelet
	ip     string
	signal chan struct{}

	// Guarded by the kubelet's mutex.
	seen    *corev1.Pod // newest known
	removed bool        // the API server has it no more

	// Of the goroutine.
	finished bool
	stop     context.CancelFunc // ends the processes
	ended    chan struct{}      // closed when they have ended
}

func newPod(k *Kubelet, ip string) *pod {
	return &pod{k: k, ip: ip, signal: make(chan struct{}, 1)}
}

// wake has the goroutine look again.
func (p *pod) wake() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// tend does what the pod needs each time it has changed, until it is gone.
func (p *pod) tend(ctx context.Context) {
	defer p.end()
	for {
		p.k.mu.Lock()
		seen, removed := p.seen, p.removed
		p.k.mu.Unlock()
		if removed {
			return
		}
		var again <-chan time.Time
		if !p.step(ctx, seen) {
			again = time.After(retryAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-p.signal:
		case <-again:
		}
	}
}

// step brings the pod one step on; false asks to be called again soon.
func (p *pod) step(ctx context.Context, seen *corev1.Pod) bool {
	if seen.DeletionTimestamp != nil {
		p.end()
		return p.remove(ctx, seen)
	}
	if p.finished || p.stop != nil {
		return true // it has ended, or its processes are at it
	}
	if waiting, ok := p.refusal(seen); ok {
		return p.write(ctx, seen, func(s *corev1.PodStatus) { p.waits(seen, s, waiting) })
	}
	if !p.real(seen) {
		return p.play(ctx, seen)
	}
	prepared, err := p.prepare(ctx, seen)
	if err != nil {
		waiting := corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: err.Error()}
		p.write(ctx, seen, func(s *corev1.PodStatus) { p.waits(seen, s, waiting) })
		return false
	}
	run, stop := context.WithCancel(ctx)
	p.stop, p.ended = stop, make(chan struct{})
	go func() {
		defer close(p.ended)
		p.run(run, seen, prepared)
	}()
	return true
}

// end ends the pod's processes and waits until they are gone.
func (p *pod) end() {
	if p.stop != nil {
		p.stop()
		<-p.ended
	}
	p.finished = true
}

// remove tells the API server that nothing of the pod is left.
func (p *pod) remove(ctx context.Context, seen *corev1.Pod) bool {
	now := int64(0)
	err := p.k.cp.Kube.CoreV1().Pods(seen.Namespace).Delete(ctx, seen.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: metav1.NewUIDPreconditions(string(seen.UID)),
	})
	return err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err)
}

// real reports whether all of a pod's images are there to be run.
func (p *pod) real(seen *corev1.Pod) bool {
	for _, c := range containers(seen) {
		if _, ok := p.k.programs(c.Image); !ok {
			return false
		}
	}
	return true
}

// refusal is why the pod may not start, if it may not.
func (p *pod) refusal(seen *corev1.Pod) (corev1.ContainerStateWaiting, bool) {
	if seen.Status.Phase == corev1.PodRunning {
		return corev1.ContainerStateWaiting{}, false // it has started already
	}
	p.k.mu.Lock()
	defer p.k.mu.Unlock()
	for _, c := range containers(seen) {
		waiting, ok := p.k.refused[c.Image]
		if ok && (waiting.Reason != "CrashLoopBackOff" || seen.Spec.RestartPolicy == corev1.RestartPolicyAlways) {
			return waiting, true
		}
	}
	return corev1.ContainerStateWaiting{}, false
}

// containers are a pod's, those that prepare it first.
func containers(seen *corev1.Pod) []corev1.Container {
	return append(append([]corev1.Container{}, seen.Spec.InitContainers...), seen.Spec.Containers...)
}

// write changes the pod's status, on the newest version of it. It reports
// whether the API server took it, or there is nothing to take it any more.
func (p *pod) write(ctx context.Context, seen *corev1.Pod, change func(*corev1.PodStatus)) bool {
	pods := p.k.cp.Kube.CoreV1().Pods(seen.Namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		now, err := pods.Get(ctx, seen.Name, metav1.GetOptions{})
		if err != nil || now.UID != seen.UID {
			return err
		}
		before := now.Status.DeepCopy()
		change(&now.Status)
		if equal(before, &now.Status) {
			return nil
		}
		_, err = pods.UpdateStatus(ctx, now, metav1.UpdateOptions{})
		return err
	})
	return err == nil || apierrors.IsNotFound(err)
}

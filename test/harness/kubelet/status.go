package kubelet

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func equal(a, b *corev1.PodStatus) bool { return equality.Semantic.DeepEqual(a, b) }

// play has a pod run of which nothing runs. It reports as step does.
func (p *pod) play(ctx context.Context, seen *corev1.Pod) bool {
	if seen.Spec.RestartPolicy == corev1.RestartPolicyAlways {
		return p.write(ctx, seen, func(s *corev1.PodStatus) { p.runs(seen, s) })
	}
	ok := p.write(ctx, seen, func(s *corev1.PodStatus) {
		p.runs(seen, s)
		now := metav1.Now()
		for i := range s.ContainerStatuses {
			s.ContainerStatuses[i].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Reason: "Completed", StartedAt: now, FinishedAt: now,
			}}
		}
		p.ends(s, corev1.PodSucceeded)
	})
	p.finished = ok
	return ok
}

// begins writes what is true of every pod that has reached its node.
func (p *pod) begins(s *corev1.PodStatus) {
	if s.StartTime == nil {
		now := metav1.Now()
		s.StartTime = &now
	}
	s.HostIP, s.HostIPs = "127.0.0.1", []corev1.HostIP{{IP: "127.0.0.1"}}
	s.PodIP, s.PodIPs = p.ip, []corev1.PodIP{{IP: p.ip}}
	condition(s, corev1.PodInitialized, corev1.ConditionTrue, "")
}

// runs writes that every container runs and is ready.
func (p *pod) runs(seen *corev1.Pod, s *corev1.PodStatus) {
	p.begins(s)
	s.Phase = corev1.PodRunning
	s.Reason, s.Message = "", ""
	old := s.ContainerStatuses
	s.ContainerStatuses = nil
	for i, c := range seen.Spec.Containers {
		state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
		if i < len(old) && old[i].State.Running != nil {
			state = old[i].State
		}
		s.ContainerStatuses = append(s.ContainerStatuses, containerStatus(c, state))
	}
	condition(s, corev1.ContainersReady, corev1.ConditionTrue, "")
	condition(s, corev1.PodReady, corev1.ConditionTrue, "")
}

// waits writes that no container has started, and why.
func (p *pod) waits(seen *corev1.Pod, s *corev1.PodStatus, why corev1.ContainerStateWaiting) {
	p.begins(s)
	s.Phase = corev1.PodPending
	s.ContainerStatuses = nil
	for _, c := range seen.Spec.Containers {
		s.ContainerStatuses = append(s.ContainerStatuses, containerStatus(c, corev1.ContainerState{Waiting: &why}))
	}
	condition(s, corev1.ContainersReady, corev1.ConditionFalse, "ContainersNotReady")
	condition(s, corev1.PodReady, corev1.ConditionFalse, "ContainersNotReady")
}

// ends writes that the pod has come to its end.
func (p *pod) ends(s *corev1.PodStatus, phase corev1.PodPhase) {
	s.Phase = phase
	reason := "PodCompleted"
	if phase == corev1.PodFailed {
		reason = "PodFailed"
	}
	for i := range s.ContainerStatuses {
		started := false
		s.ContainerStatuses[i].Ready, s.ContainerStatuses[i].Started = false, &started
	}
	condition(s, corev1.ContainersReady, corev1.ConditionFalse, reason)
	condition(s, corev1.PodReady, corev1.ConditionFalse, reason)
}

func containerStatus(c corev1.Container, state corev1.ContainerState) corev1.ContainerStatus {
	up := state.Running != nil
	status := corev1.ContainerStatus{Name: c.Name, Image: c.Image, State: state, Ready: up, Started: &up}
	if state.Waiting == nil {
		status.ImageID = "stand-in://" + c.Image
		status.ContainerID = "stand-in://" + c.Name
	}
	return status
}

// condition sets a condition; its time changes only with it.
func condition(s *corev1.PodStatus, kind corev1.PodConditionType, status corev1.ConditionStatus, reason string) {
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if c.Type != kind {
			continue
		}
		if c.Status != status {
			c.LastTransitionTime = metav1.Now()
		}
		c.Status, c.Reason = status, reason
		return
	}
	s.Conditions = append(s.Conditions, corev1.PodCondition{Type: kind, Status: status, Reason: reason, LastTransitionTime: metav1.Now()})
}

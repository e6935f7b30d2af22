package checks

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// containerStatus is a container's status and how it should behave.
type containerStatus struct {
	corev1.ContainerStatus
	// init is true for a container that must end before the others start.
	init bool
}

// statuses are those of all containers of p, in the order they start. A
// sidecar, an init container that is always restarted, counts as a container.
func statuses(p *corev1.Pod) []containerStatus {
	sidecar := map[string]bool{}
	for _, c := range p.Spec.InitContainers {
		sidecar[c.Name] = c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
	}
	all := make([]containerStatus, 0, len(p.Status.InitContainerStatuses)+len(p.Status.ContainerStatuses))
	for _, s := range p.Status.InitContainerStatuses {
		all = append(all, containerStatus{s, !sidecar[s.Name]})
	}
	for _, s := range p.Status.ContainerStatuses {
		all = append(all, containerStatus{s, false})
	}
	return all
}

// running looks at a pod that is to run: errors first, then what only takes
// its time.
func (v podView) running(p *corev1.Pod) *podTrouble {
	all := statuses(p)
	for _, c := range all {
		if what, since := inError(p, c); what != "" {
			lasted := max(v.now.Sub(since), 0)
			return &podTrouble{
				pod: p, lasting: lasted > v.grace,
				what: fmt.Sprintf("container %s in error for %s (grace %s): %s", c.Name, ago(lasted), ago(v.grace), what),
				fix:  errorFix(p, c),
			}
		}
	}
	if c := podCondition(p, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		return &podTrouble{pod: p, what: fmt.Sprintf("is not scheduled (%s): %s", c.Reason, line(c.Message, 400)), fix: "give it a node that fits: kubectl describe pod"}
	}
	if p.Status.Phase != corev1.PodRunning {
		return &podTrouble{pod: p, what: fmt.Sprintf("is %s%s", phase(p), notReady(all)), fix: "wait, or look at its events: kubectl describe pod"}
	}
	if c := podCondition(p, corev1.PodReady); c == nil || c.Status != corev1.ConditionTrue {
		return &podTrouble{pod: p, what: "is not Ready" + notReady(all), fix: "wait, or look at its readiness probe and logs"}
	}
	return v.shaky(p, all)
}

// shaky looks for a container that was restarted so lately that it may be
// between two crashes.
func (v podView) shaky(p *corev1.Pod, all []containerStatus) *podTrouble {
	for _, c := range all {
		if c.State.Running == nil || c.LastTerminationState.Terminated == nil {
			continue
		}
		if up := v.now.Sub(c.State.Running.StartedAt.Time); up < v.grace {
			return &podTrouble{
				pod:  p,
				what: fmt.Sprintf("container %s runs for %s since it ended with %s; expected %s without a restart", c.Name, ago(max(up, 0)), exit(c.LastTerminationState.Terminated), ago(v.grace)),
				fix:  "wait, or read its logs: " + logs(p, c, true),
			}
		}
	}
	return nil
}

func phase(p *corev1.Pod) string {
	if p.Status.Phase == "" {
		return "Pending"
	}
	return string(p.Status.Phase)
}

// inError says what is wrong with a container and since when, "" if nothing
// is. Whatever keeps a container waiting other than its making is an error.
func inError(p *corev1.Pod, c containerStatus) (string, time.Time) {
	switch {
	case c.State.Waiting != nil:
		w := c.State.Waiting
		switch w.Reason {
		case "", "ContainerCreating", "PodInitializing":
			return "", time.Time{}
		}
		what := w.Reason
		if w.Message != "" {
			what += ": " + line(w.Message, 300)
		}
		if last := c.LastTerminationState.Terminated; last != nil {
			what += "; last ended with " + exit(last)
		}
		return what, waitingSince(p, c)
	case c.State.Terminated != nil:
		s := c.State.Terminated
		if s.ExitCode == 0 {
			return "", time.Time{}
		}
		return "ended with " + exit(s), s.FinishedAt.Time
	}
	return "", time.Time{}
}

// backOff is how the kubelet says for how long it will not restart a container
// that crashes. It begins with 10s and doubles with each crash.
var backOff = regexp.MustCompile(`back-off (\d[0-9hms.]*) restarting failed container`)

const firstBackOff = 10 * time.Second

// waitingSince is when a container that waits in error came into it, by what
// the status says. A crash loop began before the last crash: the pauses before
// it were 10s, 20s, 40s and so on, which is 10s less than this one together.
func waitingSince(p *corev1.Pod, c containerStatus) time.Time {
	last := c.LastTerminationState.Terminated
	if last == nil || last.FinishedAt.IsZero() {
		return startedAt(p, c)
	}
	since := last.FinishedAt.Time
	if m := backOff.FindStringSubmatch(c.State.Waiting.Message); m != nil {
		if pause, err := time.ParseDuration(m[1]); err == nil && pause > firstBackOff {
			since = since.Add(firstBackOff - pause)
		}
	}
	return since
}

// startedAt is when a container could start for the first time.
func startedAt(p *corev1.Pod, c containerStatus) time.Time {
	at := p.CreationTimestamp.Time
	if p.Status.StartTime != nil {
		at = p.Status.StartTime.Time
	}
	if c.init {
		return at
	}
	if i := podCondition(p, corev1.PodInitialized); i != nil && i.Status == corev1.ConditionTrue && i.LastTransitionTime.After(at) {
		at = i.LastTransitionTime.Time
	}
	return at
}

// exit writes how a container ended. Its termination message is the
// application's own text and is left out.
func exit(s *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("exit code %d", s.ExitCode)
	if s.Reason != "" && s.Reason != "Error" && s.Reason != "Completed" {
		text += " (" + s.Reason + ")"
	}
	return text
}

// notReady names what the containers of a pod are waiting for.
func notReady(all []containerStatus) string {
	var parts []string
	for _, c := range all {
		switch {
		case c.init && c.State.Terminated != nil, !c.init && c.Ready:
			continue
		case c.State.Waiting != nil && c.State.Waiting.Reason != "":
			parts = append(parts, c.Name+" "+c.State.Waiting.Reason)
		case c.init && c.State.Running != nil:
			parts = append(parts, "init container "+c.Name+" runs")
		default:
			parts = append(parts, c.Name+" not ready")
		}
	}
	if len(parts) == 0 {
		return ""
	}
	if len(parts) > maxNamed {
		parts = append(parts[:maxNamed], "…")
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func errorFix(p *corev1.Pod, c containerStatus) string {
	if c.State.Waiting == nil || c.State.Waiting.Reason == "CrashLoopBackOff" {
		return "read " + logs(p, c, c.State.Waiting != nil)
	}
	if strings.Contains(c.State.Waiting.Reason, "Image") {
		return fmt.Sprintf("make image %s available to the node", line(c.Image, 300))
	}
	return fmt.Sprintf("look at kubectl describe pod -n %s %s", p.Namespace, p.Name)
}

func logs(p *corev1.Pod, c containerStatus, previous bool) string {
	cmd := fmt.Sprintf("kubectl logs -n %s %s -c %s", p.Namespace, p.Name, c.Name)
	if previous {
		cmd += " --previous"
	}
	return cmd
}

// terminations tells how the containers of p have ended, for evidence.
func terminations(p *corev1.Pod) string {
	var lines []string
	for _, c := range statuses(p) {
		for _, s := range []*corev1.ContainerStateTerminated{c.State.Terminated, c.LastTerminationState.Terminated} {
			if s == nil || (s.ExitCode == 0 && c.init) {
				continue
			}
			lines = append(lines, fmt.Sprintf("container %s: %s at %s, %d restarts", c.Name, exit(s), s.FinishedAt.UTC().Format(time.RFC3339), c.RestartCount))
		}
	}
	if len(lines) > maxNamed {
		lines = append(lines[:maxNamed], "…")
	}
	return strings.Join(lines, "\n")
}

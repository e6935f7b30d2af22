package checks

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/syncgate/syncgate/hooks/check"
)

// What is shown of a pod's events.
const (
	maxEvents       = 3
	maxEventsListed = 50
	maxEventMessage = 300
)

// warnings are the newest Warning events of a pod, one a line. They are
// evidence only: that they cannot be read changes no answer, and is said.
func warnings(ctx context.Context, t check.Target, p *corev1.Pod) string {
	found, err := t.Kube.CoreV1().Events(p.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.uid": string(p.UID), "type": corev1.EventTypeWarning}.String(),
		Limit:         maxEventsListed,
	})
	if err != nil {
		return "events: " + line(request{verb: "list", resource: "events", namespace: p.Namespace}.failed(t, err).Error(), maxEventMessage)
	}
	events := make([]corev1.Event, 0, len(found.Items))
	for _, e := range found.Items {
		if e.InvolvedObject.UID == p.UID && e.Type == corev1.EventTypeWarning {
			events = append(events, e)
		}
	}
	sort.SliceStable(events, func(i, j int) bool { return eventTime(&events[i]).After(eventTime(&events[j])) })
	if len(events) > maxEvents {
		events = events[:maxEvents]
	}
	lines := make([]string, 0, len(events))
	for i := range events {
		e := &events[i]
		times := ""
		if e.Count > 1 {
			times = fmt.Sprintf(" (%d times)", e.Count)
		}
		lines = append(lines, fmt.Sprintf("event %s%s: %s", e.Reason, times, line(e.Message, maxEventMessage)))
	}
	return strings.Join(lines, "\n")
}

// eventTime is when an event happened last, by whichever field holds it.
func eventTime(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil && !e.Series.LastObservedTime.IsZero():
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

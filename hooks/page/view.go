package page

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

// runView is a Run as a page shows it.
type runView struct {
	hooks.Run
	Verdict hooks.Verdict // or store.Unfinished
	// Link leads to the Run.
	Link string
	// Took is how long it went on, or has been going on.
	Took time.Duration
	// Overdue is true when it goes on although its deadline has passed.
	Overdue bool
	// Holds is true when its override has not ended.
	Holds bool
	// Reverting is true when the revert is still to come.
	Reverting bool
	// Counts is the number of results of each status.
	Counts map[hooks.Status]int
	now    time.Time
}

func (p *Page) view(r hooks.Run, root string) runView {
	now := p.now()
	v := runView{Run: r, Verdict: verdict(r), Link: root + strings.TrimPrefix(hooks.PathPageRuns, "/") + "/" + url.PathEscape(r.ID),
		Reverting: r.RevertPending(), Counts: map[hooks.Status]int{}, now: now}
	end := r.Ended
	if !r.Done() {
		end = now
		v.Overdue = now.After(r.Deadline)
	}
	v.Took = max(end.Sub(r.Started), 0)
	v.Holds = r.Overrides(now)
	for _, res := range r.Results {
		v.Counts[res.Status]++
	}
	return v
}

// Blockers are the results that keep the Run from passing.
func (v runView) Blockers() []hooks.Result {
	var out []hooks.Result
	for _, r := range v.Results {
		if r.Status != hooks.Pass {
			out = append(out, r)
		}
	}
	return out
}

// Ordered are the results, those that keep the Run from passing first.
func (v runView) Ordered() []hooks.Result {
	out := v.Blockers()
	for _, r := range v.Results {
		if r.Status == hooks.Pass {
			out = append(out, r)
		}
	}
	return out
}

// Tally is how many checks gave which answer, the bad ones first.
func (v runView) Tally() string {
	var parts []string
	for _, s := range []hooks.Status{hooks.Fail, hooks.Unknown, hooks.Wait, hooks.Pass} {
		if n := v.Counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

// Ago is how long ago a moment was, or how long it is away.
func (v runView) Ago(t time.Time) string {
	if d := v.now.Sub(t); d >= 0 {
		return span(d) + " ago"
	}
	return "in " + span(t.Sub(v.now))
}

// verdict is the Run's, or Unfinished.
func verdict(r hooks.Run) hooks.Verdict {
	if !r.Done() {
		return store.Unfinished
	}
	return r.Verdict
}

// settled reports whether nothing more will be heard of the Run.
func settled(r hooks.Run) bool { return r.Done() && !r.RevertPending() }

// word is a verdict or a status as a person reads it.
func word(v any) string {
	if v == store.Unfinished {
		return "Running"
	}
	return fmt.Sprint(v)
}

// span is a length of time, in its two largest units.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	days, hours := d/(24*time.Hour), d/time.Hour%24
	minutes, seconds := d/time.Minute%60, d/time.Second%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd %dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh %dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm %ds", minutes, seconds)
	default:
		return fmt.Sprintf("%ds", seconds)
	}
}

// size is a number of bytes.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/unit, 0
	for ; f >= unit && i < 5; i++ {
		f /= unit
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTPE"[i])
}

// short is the beginning of a revision.
func short(revision string) string { return revision[:min(12, len(revision))] }

func functions() template.FuncMap {
	return template.FuncMap{
		"word": word, "span": span, "size": size, "short": short,
		"lower": func(s any) string { return strings.ToLower(fmt.Sprint(s)) },
		"utc":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"weblink": func(s string) bool {
			u, err := url.Parse(s)
			return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
		},
	}
}

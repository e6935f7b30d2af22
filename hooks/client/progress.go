package client

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/syncgate/syncgate/hooks"
)

// progress prints a Run for the reader of a log: a line a step, each with its
// time, check, status and reason.
type progress struct {
	mu      sync.Mutex
	w       io.Writer
	run     hooks.Run
	order   []string
	newest  map[string]hooks.Result
	said    string // the last problem printed, and when
	saidAt  time.Time
	settled bool
}

func newProgress(w io.Writer) *progress {
	if w == nil {
		w = io.Discard
	}
	return &progress{w: w, newest: map[string]hooks.Result{}}
}

const clock = "15:04:05"

// line prints one line; t is UTC in the log as everywhere.
func (p *progress) line(t time.Time, subject, status, text string) {
	_, _ = fmt.Fprintf(p.w, "%s  %-24s %-8s %s\n", t.UTC().Format(clock), clean(subject), status, clean(text))
}

func (p *progress) begin(r hooks.Run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	again := p.run.ID == r.ID
	p.run = r
	if again {
		return
	}
	c := r.Change
	p.line(time.Now(), "syncgate", string(c.Phase), fmt.Sprintf("gate %s on cluster %s at revision %.12s: run %s, number %d, started %s, deadline %s",
		c.Gate, c.Cluster, c.Revision, r.ID, r.Number, r.Started.UTC().Format(time.RFC3339), r.Deadline.UTC().Format(time.RFC3339)))
	if r.Done() {
		p.line(time.Now(), "syncgate", "", "this run is finished already; what it saw follows")
	}
}

func (p *progress) event(e hooks.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case e.Result != nil:
		if _, ok := p.newest[e.Result.Check]; !ok {
			p.order = append(p.order, e.Result.Check)
		}
		p.newest[e.Result.Check] = *e.Result
		p.line(e.At, e.Result.Check, string(e.Result.Status), e.Result.Reason)
	case e.Verdict != nil:
		p.settled = true
		p.line(e.At, "verdict", string(e.Verdict.Verdict), e.Verdict.Reason)
		if e.Verdict.RevertFollows {
			p.line(e.At, "revert", "", "the change is being undone by pull request")
		}
	case e.Revert != nil:
		p.line(e.At, "revert", "", strings.TrimSpace(e.Revert.Action+" "+e.Revert.URL)+": "+e.Revert.Reason)
	case e.Note != "":
		p.line(e.At, "note", "", e.Note)
	}
}

// problem prints what went wrong, the same words at most once a minute.
func (p *progress) problem(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := err.Error()
	if text == p.said && time.Since(p.saidAt) < time.Minute {
		return
	}
	p.said, p.saidAt = text, time.Now()
	p.line(time.Now(), "syncgate", "retry", text)
}

// beat prints what is waited for at every interval, until stop is called.
func (p *progress) beat(every time.Duration) (stop func()) {
	t := time.NewTicker(every)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-t.C:
				p.waiting()
			case <-done:
				return
			}
		}
	}()
	return func() { t.Stop(); close(done) }
}

func (p *progress) waiting() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settled {
		return
	}
	now := time.Now()
	if p.run.ID == "" {
		p.line(now, "syncgate", "", "still trying to reach the server: "+p.said)
		return
	}
	var open []string
	for _, name := range p.order {
		if r := p.newest[name]; r.Status != hooks.Pass {
			open = append(open, fmt.Sprintf("%s (%s: %s)", name, r.Status, r.Reason))
		}
	}
	what := "the checks' first answers"
	if len(open) > 0 {
		what = strings.Join(open, "; ")
	}
	p.line(now, "syncgate", "", fmt.Sprintf("still waiting for %s; %s left", what, max(0, time.Until(p.run.Deadline)).Round(time.Second)))
}

// end prints, for a verdict that does not let the sync go on, what it rests on
// and what to do next.
func (p *progress) end(v hooks.VerdictNotice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.Verdict.LetsGo() {
		return
	}
	for _, name := range p.order {
		r := p.newest[name]
		if r.Status == hooks.Pass {
			continue
		}
		_, _ = fmt.Fprintf(p.w, "\n%s: %s: %s\n", clean(name), r.Status, clean(r.Reason))
		for _, e := range r.Evidence {
			_, _ = fmt.Fprintf(p.w, "  %s\n", clean(e.Object))
			for fact := range strings.SplitSeq(strings.TrimRight(e.Fact, "\n"), "\n") {
				_, _ = fmt.Fprintf(p.w, "    %s\n", clean(fact))
			}
		}
	}
	_, _ = fmt.Fprintf(p.w, "\n%s\n", next(p.run.Change.Phase, v.Verdict))
}

// next is what a person does about a verdict.
func next(phase hooks.Phase, v hooks.Verdict) string {
	switch {
	case v == hooks.Superseded:
		return "What to do: nothing, if the Application syncs by itself: the newer revision is synced next, through the same gate. Otherwise sync it. Retries of this one end at once."
	case phase == hooks.PostSync:
		return "What to do: the change is applied, and not good. Look at the evidence above; merge the revert pull request if there is one, or fix forward with a new commit. A revert in Git does not revert the database."
	case v == hooks.Expired:
		return "What to do: nothing was applied. Make the checks above hold, then sync again; a new attempt asks them anew."
	default:
		return "What to do: nothing was applied. Fix what the checks above name, with a new commit where it is in Git, then sync again."
	}
}

// clean keeps text from the clusters and the server from playing with the
// reader's terminal or forging lines.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.Is(unicode.Cf, r) {
			return '?'
		}
		return r
	}, s)
}

// Package client waits in the hook Job for what the gate server says. It posts
// a Change, follows the Run's events through restarts of the server and lost
// connections, and prints them for whoever reads the Job's log.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/syncgate/syncgate/hooks"
)

// Options say what to ask whom.
type Options struct {
	// Server is the gate server's base URL, "https://syncgate.syncgate:8443".
	Server string
	// TokenFile holds the bearer token. It is read anew for each request,
	// since the kubelet rotates it.
	TokenFile string
	// CAFile holds more certificates to trust, in PEM; "" for the system's.
	CAFile string
	Change hooks.Change
	// Timeout is how long to wait for a verdict in all. Default 1h.
	Timeout time.Duration
	// Out gets the progress, a line a step.
	Out io.Writer
	// Heartbeat is the time between two lines that say what is waited for.
	// Default 1m.
	Heartbeat time.Duration
	// RevertWait is how long to wait for the revert's outcome once the verdict
	// is there. Default 30s.
	RevertWait time.Duration
	// Idle is how long the connection may be silent before it is taken for
	// lost; the server sends something every 15s. Default 45s.
	Idle time.Duration
	// Least is how long Wait takes at least when the sync may not go on. Default
	// 0, but for a hook Job ForJob.
	Least time.Duration
	// FirstRetry is the wait before the second try; later ones grow to 15s.
	// Default 500ms.
	FirstRetry time.Duration
}

func (o *Options) defaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Timeout, time.Hour},
		{&o.Heartbeat, time.Minute},
		{&o.RevertWait, 30 * time.Second},
		{&o.Idle, 45 * time.Second},
		{&o.FirstRetry, 500 * time.Millisecond},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
}

const maxRetryWait = 15 * time.Second

// ForJob is Options.Least in a hook Job. Kubernetes looks at a Job a second
// after each change of its pod, and again a second after what it then wrote. A
// pod that fails before these looks are over leaves the server less than that
// second to have its Job say why. The rest is for the kubelet, which tells of a
// container's start about a second late.
const ForJob = 4 * time.Second

// errGone is the server's word that it does not know the Run.
var errGone = errors.New("the server does not know the run")

// errLeave ends the wait for the revert's outcome.
var errLeave = errors.New("the revert takes longer than the wait for it")

// Wait posts the Change and returns the verdict of its Run. An error means that
// it could not be found out, and is no leave to go on: the server was not
// reached within the timeout, or refuses for good.
func Wait(ctx context.Context, opts Options) (hooks.Verdict, error) {
	end := time.Now().Add(opts.Least)
	verdict, err := wait(ctx, opts)
	if err != nil || !verdict.LetsGo() {
		select {
		case <-time.After(time.Until(end)):
		case <-ctx.Done():
		}
	}
	return verdict, err
}

func wait(ctx context.Context, opts Options) (hooks.Verdict, error) {
	opts.defaults()
	if err := opts.Change.Validate(); err != nil {
		return "", err
	}
	base, err := serverURL(opts.Server)
	if err != nil {
		return "", err
	}
	hc, err := httpClient(opts.CAFile)
	if err != nil {
		return "", err
	}
	defer hc.CloseIdleConnections()
	w := &waiter{opts: opts, base: base, http: hc, out: newProgress(opts.Out)}

	ctx, cancel := context.WithTimeoutCause(ctx, opts.Timeout,
		fmt.Errorf("no verdict within %s", opts.Timeout))
	defer cancel()
	stop := w.out.beat(opts.Heartbeat)
	defer stop()
	return w.wait(ctx)
}

func serverURL(server string) (*url.URL, error) {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, fmt.Errorf("read server address %q: expected https://host[:port]", server)
	}
	return base, nil
}

type waiter struct {
	opts Options
	base *url.URL
	http *http.Client
	out  *progress

	// last is the newest thing that went wrong, for the message when the time
	// is up.
	last error
	// seq is the newest event seen of run.
	run     string
	seq     int64
	verdict *hooks.VerdictNotice
	// leave is when to go without the revert's outcome.
	leave time.Time
}

func (w *waiter) wait(ctx context.Context) (hooks.Verdict, error) {
	for {
		run, err := retry(ctx, w, "post change", w.post)
		if err != nil {
			return "", err
		}
		if w.run != run.ID {
			w.run, w.seq = run.ID, 0
		}
		w.out.begin(run)
		_, err = retry(ctx, w, "follow run "+run.ID, w.followOnce)
		switch {
		case w.verdict != nil:
			// Whatever went wrong after it, the verdict stands.
			w.out.end(*w.verdict)
			return w.verdict.Verdict, nil
		case errors.Is(err, errGone):
			w.out.problem(fmt.Errorf("%w any more: posting the change again", err))
		case err != nil:
			return "", err
		}
	}
}

// retry calls op until it succeeds, refuses for good, or the time is up.
func retry[T any](ctx context.Context, w *waiter, what string, op func(context.Context, backoff.BackOff) (T, error)) (T, error) {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = w.opts.FirstRetry, maxRetryWait
	v, err := backoff.Retry(ctx,
		func() (T, error) {
			v, err := op(ctx, b)
			if err != nil && ctx.Err() == nil {
				w.last = err
			}
			return v, err
		},
		backoff.WithBackOff(b),
		backoff.WithMaxElapsedTime(0), // the context bounds it
		backoff.WithNotify(func(err error, _ time.Duration) { w.out.problem(err) }),
	)
	if err == nil {
		return v, nil
	}
	var permanent *backoff.PermanentError
	if errors.As(err, &permanent) {
		err = permanent.Unwrap()
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
		if w.last != nil {
			err = fmt.Errorf("%w; the last try: %w", err, w.last)
		}
	}
	return v, fmt.Errorf("%s at %s: %w", what, w.base.Redacted(), err)
}

// followOnce reads events over one connection. It returns nil once nothing
// more is to come.
func (w *waiter) followOnce(ctx context.Context, b backoff.BackOff) (struct{}, error) {
	done := struct{}{}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	leave := time.AfterFunc(w.patience(), func() { cancel(errLeave) })
	defer leave.Stop()
	idle := time.AfterFunc(w.opts.Idle, func() {
		cancel(fmt.Errorf("the connection was silent for %s", w.opts.Idle))
	})
	defer idle.Stop()

	body, err := w.events(ctx)
	if err != nil {
		return done, w.unless(err)
	}
	defer body.Close()
	events := newEventReader(tick{r: body, f: func() { idle.Reset(w.opts.Idle) }})
	for {
		e, err := events.next()
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return done, w.unless(fmt.Errorf("read events: %w", err))
		}
		if e.Seq <= w.seq {
			continue
		}
		b.Reset()
		w.seq = e.Seq
		w.out.event(e)
		if e.Verdict != nil {
			w.verdict = e.Verdict
			w.leave = time.Now().Add(w.opts.RevertWait)
			leave.Reset(w.opts.RevertWait)
		}
		if w.verdict != nil && (e.Revert != nil || !w.verdict.RevertFollows) {
			return done, nil
		}
	}
}

// patience is how long to wait at most for what comes next.
func (w *waiter) patience() time.Duration {
	if w.verdict == nil {
		return w.opts.Timeout
	}
	return time.Until(w.leave)
}

// unless is err, unless the verdict is known and the time to wait for the
// revert is over: its outcome is a courtesy.
func (w *waiter) unless(err error) error {
	if w.verdict != nil && !time.Now().Before(w.leave) {
		return nil
	}
	return err
}

// tick calls f whenever something was read.
type tick struct {
	r io.Reader
	f func()
}

func (t tick) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if n > 0 {
		t.f()
	}
	return n, err
}

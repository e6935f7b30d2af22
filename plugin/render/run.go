package render

import (
	"context"
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// heapMetric is the bytes of live and not yet swept objects.
const heapMetric = "/memory/classes/heap/objects:bytes"

// watchEvery is how often a render's use of memory is looked at.
const watchEvery = 20 * time.Millisecond

// runner runs code that knows no context and may go on for ever, which Helm's
// and Kustomize's engines are.
type runner struct {
	limits   Limits
	slots    chan struct{}
	heads    *heads
	sorter   *sorter
	rendered *rendered
}

func newRunner(limits Limits) *runner {
	return &runner{limits: limits, slots: make(chan struct{}, limits.AtOnce), heads: newHeads(), sorter: newSorter(), rendered: newRendered()}
}

type outcome struct {
	objects []Object
	err     error
}

// do runs f and returns what it gives, or an error as soon as ctx ends or the
// heap has grown too far. In these cases f goes on alone and keeps its slot
// until it ends: so many, and no more, can be lost. A panic of f is an error.
func (r *runner) do(ctx context.Context, where string, f func() ([]Object, error)) ([]Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, stopped(ctx, where)
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w (limit rendersAtOnce=%d was hit all the while)", stopped(ctx, where), r.limits.AtOnce)
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-r.slots }()
		done <- safely(where, f)
	}()
	ticks := time.NewTicker(watchEvery)
	defer ticks.Stop()
	before := heap()
	for {
		select {
		case out := <-done:
			return out.objects, out.err
		case <-ctx.Done():
			return nil, stopped(ctx, where)
		case <-ticks.C:
			if now := heap(); now > before && now-before > r.limits.HeapBytes {
				return nil, &LimitError{
					Limit: "renderHeapBytes", Value: int64(r.limits.HeapBytes), Where: where,
					Remedy: "look for a template that repeats itself or builds a very long list",
				}
			}
		}
	}
}

// stopped is ctx's error with what was being done.
func stopped(ctx context.Context, where string) error {
	return fmt.Errorf("render %s: stopped before it was done: %w", where, context.Cause(ctx))
}

func safely(where string, f func() ([]Object, error)) (out outcome) {
	defer func() {
		if p := recover(); p != nil {
			out = outcome{err: fmt.Errorf("render %s: the engine panicked: %v\n%s", where, p, debug.Stack())}
		}
	}()
	objects, err := f()
	return outcome{objects, err}
}

func heap() uint64 {
	sample := []metrics.Sample{{Name: heapMetric}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

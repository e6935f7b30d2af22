package client_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/client"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/hooks/server"
	"github.com/syncgate/syncgate/hooks/store"
)

type everybody struct{}

func (everybody) Authenticate(context.Context, string, string) (server.Caller, error) {
	return server.Caller{Name: "chat/hook", Allowed: true}, nil
}

func (everybody) MayOverride(context.Context, string, server.Caller, string) (bool, string, error) {
	return true, "", nil
}

// gateServer is a real server that can be stopped and started again at the
// same address and on the same database.
type gateServer struct {
	t       *testing.T
	world   *enginetest.World
	address string
	engine  *engine.Engine
	stop    func()
}

func (g *gateServer) start() {
	g.t.Helper()
	e, stopEngine := g.world.Start(g.t)
	l, err := net.Listen("tcp", g.address)
	if err != nil {
		g.t.Fatal(err)
	}
	g.address, g.engine = l.Addr().String(), e
	s := server.New(e, everybody{}, server.Limits{Heartbeat: 20 * time.Millisecond}, slog.New(slog.DiscardHandler))
	h := s.HTTP()
	go func() { _ = h.Serve(l) }()
	var once sync.Once
	g.stop = func() {
		once.Do(func() {
			s.Close()
			_ = h.Close()
			stopEngine()
		})
	}
	g.t.Cleanup(g.stop)
}

// The server ends twice under a waiting client, once while a check is asked and
// once while a revert is under way: the client gets the one verdict.
func TestServerRestartsUnderTheClient(t *testing.T) {
	w := enginetest.NewWorld(t)
	w.Git.Commit("a", "", enginetest.Tree("  postSync: {deadline: 30m, interval: 1ms, checks: [{name: one, nodes: {}}]}\n"))
	w.Git.Commit("b", "a", enginetest.Tree("  postSync: {deadline: 30m, interval: 1ms, checks: [{name: one, nodes: {}}]}\n"))
	asking, reverting := make(chan struct{}, 10), make(chan struct{}, 10)
	w.Checks.Set("one", func(ctx context.Context, n int) (check.Answer, error) {
		switch n {
		case 1:
			return check.Answer{Status: hooks.Wait, Reason: "first answer"}, nil
		case 2:
			asking <- struct{}{}
			<-ctx.Done()
			return check.Answer{}, ctx.Err()
		default:
			return check.Answer{Status: hooks.Fail, Reason: "pods crash"}, nil
		}
	})
	w.Reverter.Before = func(ctx context.Context, call int) error {
		if call == 1 {
			reverting <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	g := &gateServer{t: t, world: w, address: "127.0.0.1:0"}
	g.start()

	var out bytes.Buffer
	o := options(t, "http://"+g.address, &out, time.Minute)
	o.Change = enginetest.Change(hooks.PostSync, "b", "pod-1")
	o.RevertWait = time.Minute
	type answer struct {
		verdict hooks.Verdict
		err     error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := client.Wait(t.Context(), o)
		done <- answer{v, err}
	}()
	for _, at := range []chan struct{}{asking, reverting} {
		<-at
		g.stop()
		g.start()
	}
	got := <-done
	if got.err != nil || got.verdict != hooks.Failed {
		t.Fatalf("%s, %v\n%s", got.verdict, got.err, out.String())
	}
	for text, want := range map[string]int{"first answer": 1, "verdict ": 1, "https://forge.example/issues/1": 1} {
		if n := strings.Count(out.String(), text); n != want {
			t.Errorf("%q is printed %d times, want %d:\n%s", text, n, want, out.String())
		}
	}
	runs, err := g.engine.Runs(t.Context(), filter())
	if err != nil || len(runs) != 1 || runs[0].Number != 1 {
		t.Errorf("%d runs, want 1: %v", len(runs), err)
	}
}

// A server that is not there yet is waited for.
func TestServerComesLate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	var out bytes.Buffer
	o := options(t, "http://"+address, &out, time.Minute)
	tried := &notify{w: &out, text: "connection refused", seen: make(chan struct{})}
	o.Out = tried
	go func() {
		<-tried.seen
		s := &http.Server{Addr: address, Handler: &script{t: t,
			posts:  []http.HandlerFunc{accepted("r1")},
			stream: []http.HandlerFunc{stream(verdict(1, hooks.Passed, false))}}}
		t.Cleanup(func() { _ = s.Close() })
		_ = s.ListenAndServe()
	}()
	if v, err := client.Wait(t.Context(), o); err != nil || v != hooks.Passed {
		t.Fatalf("%s, %v", v, err)
	}
}

// notify closes seen once the text was written.
type notify struct {
	w    *bytes.Buffer
	text string
	once sync.Once
	seen chan struct{}
}

func (n *notify) Write(p []byte) (int, error) {
	if strings.Contains(string(p), n.text) {
		n.once.Do(func() { close(n.seen) })
	}
	return n.w.Write(p)
}

func filter() store.Filter { return store.Filter{Cluster: "eu", Limit: 10} }

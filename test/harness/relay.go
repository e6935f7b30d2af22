package harness

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Relay passes TCP connections on to a server, and can be cut: the server runs
// on, and whoever goes by the relay does not reach it. It is how a test makes a
// network fail, which a server cannot be asked to do.
type Relay struct {
	// Address is where it listens, host:port.
	Address string

	target   string
	listener net.Listener
	handlers sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

// StartRelay listens on a free port, for a server at host:port.
func StartRelay(target string) (*Relay, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("start relay to %s: %w", target, err)
	}
	r := &Relay{Address: l.Addr().String(), target: target, listener: l, conns: map[net.Conn]struct{}{}}
	r.handlers.Go(r.accept)
	return r, nil
}

// Cut ends every connection, and those to come as soon as they are there.
func (r *Relay) Cut() { r.setCut(true) }

// Mend lets connections through again.
func (r *Relay) Mend() { r.setCut(false) }

// Stop ends the relay. It may be called again.
func (r *Relay) Stop() error {
	err := r.listener.Close()
	r.Cut()
	r.handlers.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (r *Relay) setCut(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = cut
	if cut {
		for c := range r.conns {
			reset(c)
		}
	}
}

// reset ends a connection as a firewall does: at once, with no end of the data.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (r *Relay) accept() {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return // it was stopped
		}
		r.handlers.Go(func() { r.pass(c) })
	}
}

// keep has a connection end with Cut; false when that has been.
func (r *Relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.cut {
		r.conns[c] = struct{}{}
	}
	return !r.cut
}

func (r *Relay) drop(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
	_ = c.Close()
}

// pass carries both ways until either side ends.
func (r *Relay) pass(client net.Conn) {
	if !r.keep(client) {
		reset(client)
		return
	}
	defer r.drop(client)
	server, err := net.Dial("tcp", r.target)
	if err != nil {
		reset(client)
		return
	}
	if !r.keep(server) {
		reset(server)
		return
	}
	defer r.drop(server)
	var ways sync.WaitGroup
	for _, way := range []struct{ to, from net.Conn }{{server, client}, {client, server}} {
		ways.Go(func() {
			_, err := io.Copy(way.to, way.from)
			if tcp, ok := way.to.(*net.TCPConn); ok && err == nil {
				_ = tcp.CloseWrite()
				return
			}
			_ = way.to.Close()
		})
	}
	ways.Wait()
}

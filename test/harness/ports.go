package harness

import (
	"fmt"
	"net"
	"strings"
)

// host is where every server listens.
const host = "127.0.0.1"

// startTries is how often a server is started anew because somebody else took
// its port between the choice and the use.
const startTries = 3

// freePorts finds n ports of 127.0.0.1, all different, that nobody listens on.
func freePorts(n int) ([]int, error) {
	var listeners []net.Listener // open all together, so that they differ
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, fmt.Errorf("find free port: %w", err)
		}
		listeners = append(listeners, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// WithPorts calls start with n free ports, again when a port was taken.
func WithPorts(n int, start func(ports []int) error) error {
	var err error
	for range startTries {
		ports, perr := freePorts(n)
		if perr != nil {
			return perr
		}
		if err = start(ports); err == nil || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
	}
	return err
}

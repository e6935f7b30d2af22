package checks

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// dialer connects to addresses that a Gate may name. What a Gate says comes
// from Git; whoever writes there must not reach, through the server, what only
// the server's own machine can: its loopback and link, and the metadata
// services of clouds, which hand out credentials. The address is looked at
// once the name is resolved, right before the connection is made.
type dialer struct {
	allowed map[string]bool
	net.Dialer
}

func newDialer(allowHosts []string) *dialer {
	d := &dialer{allowed: map[string]bool{}, Dialer: net.Dialer{Timeout: 10 * time.Second}}
	for _, h := range allowHosts {
		d.allowed[strings.ToLower(strings.TrimSpace(h))] = true
	}
	return d
}

// refusedError says that an address may not be asked.
type refusedError struct{ host, address string }

func (e *refusedError) Error() string {
	return fmt.Sprintf("%s is at %s, a loopback, link-local or metadata address, which is not asked: add %s to the allowed hosts in the server's configuration if that is meant", e.host, e.address, e.host)
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("read address %s: %w", address, err)
	}
	if d.allowed[strings.ToLower(address)] || d.allowed[strings.ToLower(host)] {
		return d.DialContext(ctx, network, address)
	}
	guarded := d.Dialer
	guarded.ControlContext = func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(resolved)
		if err != nil || !public(ap.Addr()) {
			return &refusedError{host: host, address: resolved}
		}
		return nil
	}
	return guarded.DialContext(ctx, network, address)
}

// public reports whether an address may be asked without being allowed.
// Private networks may: that is where clusters are.
func public(a netip.Addr) bool {
	a = embedded(a.WithZone(""))
	if !a.IsValid() || a.IsLoopback() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsInterfaceLocalMulticast() {
		return false
	}
	if a.Is4() && (a.As4()[0] == 0 || a.As4() == [4]byte{255, 255, 255, 255}) {
		return false
	}
	// Metadata services that are not link-local: of AWS over IPv6, of Alibaba
	// Cloud and of Oracle Cloud, by the clouds' own documentation.
	switch a.String() {
	case "fd00:ec2::254", "100.100.100.200", "192.0.0.192":
		return false
	}
	return true
}

// embedded is the IPv4 address within an IPv6 address that leads to one: an
// IPv4-mapped one, NAT64 (64:ff9b::/96, RFC 6052) and 6to4 (2002::/16, RFC
// 3056); any other address is itself.
func embedded(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if !a.Is6() {
		return a
	}
	b := a.As16()
	switch {
	case [12]byte(b[:12]) == [12]byte{0, 0x64, 0xff, 0x9b}:
		return netip.AddrFrom4([4]byte(b[12:]))
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6]))
	case [12]byte(b[:12]) == [12]byte{}: // IPv4-compatible, obsolete; ::1 and :: as well
		if v4 := netip.AddrFrom4([4]byte(b[12:])); b[12] != 0 {
			return v4
		}
	}
	return a
}

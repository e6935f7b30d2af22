package checks

import "net/netip"

// Public is public, for the tests outside.
func Public(a netip.Addr) bool { return public(a) }

package checks

import (
	"net/http"
	"net/netip"
	"net/url"
)

// Public is public, for the tests outside.
func Public(a netip.Addr) bool { return public(a) }

// Follows reports whether the http check follows a redirect.
func Follows(from, to string) bool {
	parse := func(s string) *http.Request {
		u, err := url.Parse(s)
		if err != nil {
			panic(err)
		}
		return &http.Request{URL: u}
	}
	return newClient(HTTPOptions{}).CheckRedirect(parse(to), []*http.Request{parse(from)}) == nil
}

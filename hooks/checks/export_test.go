package checks

import "net/netip"

// Public is public, for the tests outside.
func Public(a netip.Addr) bool { return public(a) }

// NormalizeImage is the full form of an image reference, and SameImage
// whether two name one image.
func NormalizeImage(s string) (string, error) {
	i, err := parseImage(s)
	return i.String(), err
}

// SameImage reports whether two references that can be read name one image.
func SameImage(a, b string) bool {
	x, err := parseImage(a)
	if err != nil {
		return false
	}
	y, err := parseImage(b)
	return err == nil && x.same(y)
}

// Package version reads the versions that stand in values: plain ones, with a
// leading "v", with the digest that follows an image's tag, and with the suffix
// of a variant ("2.3.1-alpine").
package version

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Version is a version, and how it was written.
type Version struct {
	// Text is what stands in the values.
	Text string
	// Digest is the digest after "@", "sha256:…"; empty without one.
	Digest string

	v *semver.Version
}

// unfinished are the suffixes of versions that come before the release of the
// same number. Every other suffix names a variant of that release.
var unfinished = regexp.MustCompile(`(?i)^(alpha|beta|rc|pre|preview|dev|snapshot|nightly|canary|m[0-9]|[0-9])`)

// Parse reads a version such as "11.7.4", "v11.7" or "11.7.4@sha256:…". It
// reports false for what says no version: "latest", or a digest alone.
func Parse(text string) (Version, bool) {
	number, digest, _ := strings.Cut(strings.TrimSpace(text), "@")
	if strings.Contains(number, ":") {
		return Version{}, false
	}
	v, err := semver.NewVersion(number)
	if err != nil {
		return Version{}, false
	}
	if p := v.Prerelease(); p != "" && !unfinished.MatchString(p) {
		v = semver.New(v.Major(), v.Minor(), v.Patch(), "", "")
	}
	return Version{Text: text, Digest: digest, v: v}, true
}

// Compare is below 0 when v is older than o, above when it is newer, and 0 when
// they are the same release: build, variant and digest do not count.
func (v Version) Compare(o Version) int { return v.v.Compare(o.v) }

// Major is the first number.
func (v Version) Major() uint64 { return v.v.Major() }

// Minor is the second number.
func (v Version) Minor() uint64 { return v.v.Minor() }

// Patch is the third number.
func (v Version) Patch() uint64 { return v.v.Patch() }

// String is the version without digest and variant: "11.7.4".
func (v Version) String() string { return v.v.String() }

// Range is a set of versions, written as Helm writes it: ">=10.11.17 <10.12".
type Range struct {
	text string
	c    *semver.Constraints
}

// ParseRange reads a range. Versions before a release are in it by their
// number, as the release itself.
func ParseRange(text string) (Range, error) {
	c, err := semver.NewConstraint(text)
	if err != nil {
		return Range{}, fmt.Errorf("read range %q: %w", text, err)
	}
	c.IncludePrerelease = true
	return Range{text, c}, nil
}

// Has reports whether the version is in the range.
func (r Range) Has(v Version) bool { return r.c.Check(v.v) }

// String is the range as it was written.
func (r Range) String() string { return r.text }

// The distances between neighbours.
const (
	ApartPatch = "patch"
	ApartMinor = "minor"
	ApartMajor = "major"
)

// Neighbours reports whether newer is at most one step of that kind beside
// older: with "patch" the same minor version; with "minor" the same or the next
// minor version, where the first of a major version follows every one of the
// major before; with "major" the same or the next major version.
func Neighbours(older, newer Version, apart string) bool {
	sameMajor := older.Major() == newer.Major()
	nextMajor := older.Major()+1 == newer.Major()
	switch apart {
	case ApartPatch:
		return sameMajor && older.Minor() == newer.Minor()
	case ApartMajor:
		return sameMajor || nextMajor
	default:
		return sameMajor && newer.Minor() <= older.Minor()+1 || nextMajor && newer.Minor() == 0
	}
}

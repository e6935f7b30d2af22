package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// maxSidecar is the largest checksum file that is read, in bytes.
const maxSidecar = 64 << 10

var (
	// One line of sha256sum: 64 hex digits, a space, a space or '*', a name;
	// a leading '\' says that the name is escaped.
	sumLine = regexp.MustCompile(`^(\\?)([0-9a-fA-F]{64}) [ *](.+)$`)
	// One line of sha256sum --tag.
	tagLine = regexp.MustCompile(`^(\\?)SHA256 \((.+)\) = ([0-9a-fA-F]{64})$`)
	bareSum = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
)

// parseSidecar finds the checksum of the object called key in a checksum file
// as sha256sum writes it, with or without --tag, or of nothing but the digits.
// A name counts by its last element. Two different sums for the object, or
// only sums for other names, are errors.
func parseSidecar(data []byte, key string) ([sha256.Size]byte, error) {
	var found [sha256.Size]byte
	if len(data) > maxSidecar {
		return found, fmt.Errorf("has %d bytes, limit %d", len(data), maxSidecar)
	}
	want := path.Base(key)
	var other string
	seen := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		digits, name, ok := sumOf(line)
		if !ok {
			return found, fmt.Errorf("expected lines of sha256sum, found %.80q", line)
		}
		// "-" is what sha256sum writes for its standard input.
		if name != "" && name != "-" && path.Base(name) != want {
			other = path.Base(name)
			continue
		}
		var sum [sha256.Size]byte
		if _, err := hex.Decode(sum[:], []byte(digits)); err != nil {
			return found, fmt.Errorf("read digits: %w", err)
		}
		if seen && sum != found {
			return found, fmt.Errorf("holds two different sums for %s", want)
		}
		found, seen = sum, true
	}
	switch {
	case seen:
		return found, nil
	case other != "":
		return found, fmt.Errorf("holds the sum of %.80q, expected %.80q", other, want)
	default:
		return found, errors.New("is empty")
	}
}

func sumOf(line string) (digits, name string, ok bool) {
	if bareSum.MatchString(line) {
		return line, "", true
	}
	if m := sumLine.FindStringSubmatch(line); m != nil {
		return m[2], unescaped(m[1], m[3]), true
	}
	if m := tagLine.FindStringSubmatch(line); m != nil {
		return m[3], unescaped(m[1], m[2]), true
	}
	return "", "", false
}

// unescaped undoes what sha256sum does to names with line ends and backslashes.
func unescaped(marker, name string) string {
	if marker == "" {
		return name
	}
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
}

package inject

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxName is the most bytes of a Job's name: its pods carry it as a label.
const maxName = 63

// shaDigits is how much of the revision is in a name.
const shaDigits = 8

// Name is the name of a hook Job, of at most 63 bytes and fit to be a label:
// syncgate-<phase>-<gate>-<cluster>-<first 8 digits of the revision>. What is
// too long, or no label, is cut or replaced, and made unique again by a hash of
// gate and cluster.
func Name(phase, gate, cluster, revision string) string {
	prefix, suffix := "syncgate-"+phase+"-", "-"+revision[:min(shaDigits, len(revision))]
	raw := gate + "-" + cluster
	middle := strings.Map(labelChar, raw)
	room := maxName - len(prefix) - len(suffix)
	if middle == raw && len(middle) <= room {
		return prefix + middle + suffix
	}
	sum := sha256.Sum256([]byte(gate + "\x00" + cluster))
	hash := "-" + hex.EncodeToString(sum[:])[:shaDigits]
	if len(middle) > room-len(hash) {
		middle = middle[:room-len(hash)]
	}
	return prefix + strings.TrimRight(middle, "-") + hash + suffix
}

func labelChar(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
		return r
	case r >= 'A' && r <= 'Z':
		return r - 'A' + 'a'
	}
	return '-'
}

// literal is s as an argument in which Kubernetes replaces nothing: "$(X)"
// would be the environment variable X.
func literal(s string) string { return strings.ReplaceAll(s, "$(", "$$(") }

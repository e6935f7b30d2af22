package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The limits of a delivery and of its secrets.
const (
	// MaxBody is how long a delivery may be, in bytes: GitHub sends none that is
	// longer.
	MaxBody = 25 << 20
	// MinSecret is how long a secret must be at least, in bytes, and MaxSecrets
	// how many are taken at once, while one replaces the other.
	MinSecret  = 32
	MaxSecrets = 4
)

// The headers of a delivery.
const (
	HeaderEvent     = "X-GitHub-Event"
	HeaderDelivery  = "X-GitHub-Delivery"
	HeaderSignature = "X-Hub-Signature-256"
)

// ErrSignature says that a delivery is not signed with any of the secrets. A
// stranger is not told more.
var ErrSignature = errors.New("signature not accepted")

// ParseSecrets reads secrets, one a line. Space around them is left out.
func ParseSecrets(data []byte) (secrets [][]byte, err error) {
	for line := range strings.Lines(string(data)) {
		secret := strings.TrimSpace(line)
		switch {
		case secret == "":
			continue
		case len(secret) < MinSecret:
			return nil, fmt.Errorf("expected secrets of at least %d bytes, found one of %d; make one with `openssl rand -hex 32`", MinSecret, len(secret))
		case len(secrets) == MaxSecrets:
			return nil, fmt.Errorf("expected at most %d secrets, one a line, found more", MaxSecrets)
		}
		secrets = append(secrets, []byte(secret))
	}
	if len(secrets) == 0 {
		return nil, errors.New("expected a secret, found an empty file")
	}
	return secrets, nil
}

// Signature is the signature that a delivery's headers hold. It costs next to
// nothing, so that what has none is refused before its body is read.
// ErrSignature, wrapped, says what is wrong; SHA-1 is not taken.
func Signature(h http.Header) ([sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	values := h.Values(HeaderSignature)
	if len(values) != 1 {
		why := fmt.Sprintf("expected one header %s, found %d", HeaderSignature, len(values))
		if len(values) == 0 && h.Get("X-Hub-Signature") != "" {
			why += " and a SHA-1 signature, which is not taken"
		}
		return sum, fmt.Errorf("%w: %s", ErrSignature, why)
	}
	digits, ok := strings.CutPrefix(values[0], "sha256=")
	if b, err := hex.DecodeString(digits); ok && err == nil && len(b) == len(sum) {
		copy(sum[:], b)
		return sum, nil
	}
	return sum, fmt.Errorf("%w: expected sha256= and %d hexadecimal digits in %s", ErrSignature, 2*len(sum), HeaderSignature)
}

// Verify answers ErrSignature, wrapped, unless signature is that of body with
// one of the secrets. Every secret is tried, in constant time.
func Verify(secrets [][]byte, signature [sha256.Size]byte, body []byte) error {
	good := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write(body)
		if hmac.Equal(mac.Sum(nil), signature[:]) {
			good = true
		}
	}
	if !good {
		return fmt.Errorf("%w: the body is not signed with any of %d secrets", ErrSignature, len(secrets))
	}
	return nil
}

// Sign makes the header's value for body.
func Sign(secret, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

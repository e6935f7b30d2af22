package hooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxChange is how long a Change, an OverrideRequest or a RevokeRequest may be,
// in bytes of JSON.
const MaxChange = 16 << 10

// DecodeChange reads one Change, and nothing but one: an unknown field or
// anything behind it is an error. It bounds what it reads by MaxChange and
// validates the form.
func DecodeChange(r io.Reader) (Change, error) {
	return decodeOne[Change](r, "change")
}

// DecodeOverrideRequest reads one OverrideRequest as DecodeChange reads a
// Change.
func DecodeOverrideRequest(r io.Reader) (OverrideRequest, error) {
	return decodeOne[OverrideRequest](r, "override")
}

// DecodeRevokeRequest reads one RevokeRequest as DecodeChange reads a Change.
func DecodeRevokeRequest(r io.Reader) (RevokeRequest, error) {
	return decodeOne[RevokeRequest](r, "revocation")
}

func decodeOne[T interface{ Validate() error }](r io.Reader, what string) (T, error) {
	var v, none T
	limited := &io.LimitedReader{R: r, N: MaxChange + 1}
	d := json.NewDecoder(limited)
	d.DisallowUnknownFields()
	err := d.Decode(&v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("expected one JSON object, found more behind it")
		}
	}
	if limited.N <= 0 {
		return none, fmt.Errorf("decode %s: longer than the limit of %d bytes", what, MaxChange)
	}
	if err != nil {
		return none, fmt.Errorf("decode %s: %w", what, err)
	}
	return v, v.Validate()
}

package hooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxChange is how long a Change may be, in bytes of JSON.
const MaxChange = 16 << 10

// DecodeChange reads one Change, and nothing but one: an unknown field or
// anything behind it is an error. It bounds what it reads by MaxChange and
// validates the form.
func DecodeChange(r io.Reader) (Change, error) {
	var c Change
	limited := &io.LimitedReader{R: r, N: MaxChange + 1}
	d := json.NewDecoder(limited)
	d.DisallowUnknownFields()
	err := d.Decode(&c)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("expected one JSON object, found more behind it")
		}
	}
	if limited.N <= 0 {
		return Change{}, fmt.Errorf("decode change: longer than the limit of %d bytes", MaxChange)
	}
	if err != nil {
		return Change{}, fmt.Errorf("decode change: %w", err)
	}
	return c, c.Validate()
}

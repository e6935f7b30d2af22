package gate

import (
	"encoding/json"
	"fmt"
	"time"
)

// Duration is a length of time written as Go writes it: "90s", "24h".
type Duration time.Duration

// Or is d, or def where d is not set.
func (d Duration) Or(def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return time.Duration(d)
}

// MarshalJSON writes d as a string.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON reads a string such as "90s". A negative length is an error.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("read duration %s: expected a string such as \"30m\"", b)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("read duration %q: expected a number and a unit such as \"30m\" or \"24h\"", s)
	}
	if v < 0 {
		return fmt.Errorf("read duration %q: expected no negative length", s)
	}
	*d = Duration(v)
	return nil
}

package values

import (
	"fmt"

	"github.com/syncgate/syncgate/policies/finding"
)

// Error says what is wrong with a values file or chart, where, and what to do.
// It holds no value of the file.
type Error struct {
	Position finding.Position
	// Key is the key path concerned, "" when there is none.
	Key     string
	Problem string
	Remedy  string
	Cause   error
}

// Error is one line: place, key, problem, remedy.
func (e *Error) Error() string {
	key := ""
	if e.Key != "" {
		key = e.Key + ": "
	}
	return fmt.Sprintf("%s: %s%s; %s", e.Position, key, e.Problem, e.Remedy)
}

// Unwrap is the cause, if any.
func (e *Error) Unwrap() error { return e.Cause }

// limitError is the error of a limit that was hit.
func limitError(at finding.Position, key, limit string, value int, what string) error {
	return &Error{
		Position: at, Key: key,
		Problem: fmt.Sprintf("limit %s=%d hit: %s", limit, value, what),
		Remedy:  "simplify the file or raise the limit",
	}
}

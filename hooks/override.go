package hooks

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/syncgate/syncgate/policies/gate"
)

const (
	// MaxOverrideReason is how long the reason of an override, or of its
	// revocation, may be, in bytes.
	MaxOverrideReason = 512
	// MinOverride is the least time an override can be asked for: what ends
	// before a hook Job has started helps nobody.
	MinOverride = time.Minute
)

// OverrideRequest asks that a Change goes on although its gate does not say
// so. It is bound to one gate, cluster, revision and phase.
type OverrideRequest struct {
	// Repository, Gate, Cluster and Revision are those of a Change.
	Repository string `json:"repository"`
	Gate       string `json:"gate"`
	Cluster    string `json:"cluster"`
	Revision   string `json:"revision"`
	// Phase is preSync or postSync.
	Phase Phase `json:"phase"`
	// Reason is one line for those who ask later.
	Reason string `json:"reason"`
	// For is how long it holds.
	For gate.Duration `json:"for"`
}

// Change is what is overridden, as the given attempt.
func (o OverrideRequest) Change(attempt string) Change {
	return Change{Repository: o.Repository, Gate: o.Gate, Cluster: o.Cluster, Revision: o.Revision, Phase: o.Phase, Attempt: attempt}
}

// Validate says what is wrong with the form of o; it asks nobody.
func (o OverrideRequest) Validate() error {
	if err := o.Change("override").Validate(); err != nil {
		return fmt.Errorf("override: %w", err)
	}
	if o.Phase == SyncFail {
		return fmt.Errorf("override: phase: expected preSync or postSync, found %s, which holds nothing up", o.Phase)
	}
	if err := validReason(o.Reason); err != nil {
		return fmt.Errorf("override: %w", err)
	}
	if time.Duration(o.For) < MinOverride {
		return fmt.Errorf("override: for: expected at least %s, found %s", MinOverride, time.Duration(o.For))
	}
	return nil
}

// RevokeRequest ends an override before its time.
type RevokeRequest struct {
	// Cluster is the Run's.
	Cluster string `json:"cluster"`
	// Reason is one line for those who ask later.
	Reason string `json:"reason"`
}

// Validate says what is wrong with the form of r; it asks nobody.
func (r RevokeRequest) Validate() error {
	if !nameForm.MatchString(r.Cluster) {
		return fmt.Errorf("revocation: cluster: expected a DNS name, found %.80q", r.Cluster)
	}
	if err := validReason(r.Reason); err != nil {
		return fmt.Errorf("revocation: %w", err)
	}
	return nil
}

func validReason(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return errors.New("reason: expected one line that says why, found none")
	case len(reason) > MaxOverrideReason:
		return fmt.Errorf("reason: expected at most %d bytes, found %d", MaxOverrideReason, len(reason))
	case !utf8.ValidString(reason) || strings.ContainsFunc(reason, unprintable):
		return fmt.Errorf("reason: expected one line of printable text, found %q", reason)
	}
	return nil
}

// unprintable is what could forge a line, or hide a part of one, in a log or a
// terminal.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

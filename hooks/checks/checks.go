// Package checks holds what can be asked of the world before and after a sync,
// one check a file. A check asks a cluster, a URL or a store of backups, and
// answers Pass, Fail (no, and it will stay so), Wait (not yet) or Unknown.
package checks

import (
	"fmt"
	"net/http"
	"time"

	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/policies/gate"
)

// Options are what the checks need from the server.
type Options struct {
	// Stores hold the backups; nil when the server has none.
	Stores *backup.Stores
	// HTTP says what the http check may ask.
	HTTP HTTPOptions
	// Now is the clock that ages are measured by. Default time.Now.
	Now func() time.Time
}

// HTTPOptions are the server's limits on the http check.
type HTTPOptions struct {
	// AllowHosts are hosts, or "host:port", that may be asked although they
	// are on this machine or this link (loopback, link-local and metadata
	// addresses), which is refused otherwise.
	AllowHosts []string
	// Transport is the way out, for a proxy or own certificates. Its
	// DialContext is replaced. Default: no proxy, the system's certificates.
	Transport *http.Transport
}

// New makes the checks of a Gate.
func New(o Options) check.Checks {
	return func(spec gate.Check) (check.Check, error) {
		return nil, fmt.Errorf("check %s: not there yet", spec.Name)
	}
}

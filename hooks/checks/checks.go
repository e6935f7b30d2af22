// Package checks holds what can be asked of the world before and after a sync,
// one check a file. A check asks a cluster, a URL or a store of backups, and
// answers Pass, Fail (no, and it will stay so), Wait (not yet) or Unknown. What
// goes wrong while asking is an error, which becomes Unknown.
package checks

import (
	"fmt"
	"net/http"
	"strings"
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

// maker makes a check of one kind. ok is false when the entry is of another.
type maker func(spec gate.Check) (c check.Check, ok bool, err error)

// of is a maker for the kind that pick finds in an entry.
func of[S any](pick func(gate.Check) *S, build func(S) (check.Check, error)) maker {
	return func(spec gate.Check) (check.Check, bool, error) {
		s := pick(spec)
		if s == nil {
			return nil, false, nil
		}
		c, err := build(*s)
		return c, true, err
	}
}

// New makes the checks of a Gate.
func New(o Options) check.Checks {
	if o.Now == nil {
		o.Now = time.Now
	}
	kinds := newKinds()
	table := []struct {
		kind string
		make maker
	}{
		{"nodes", of(func(c gate.Check) *gate.NodesCheck { return c.Nodes }, newNodes)},
		{"pods", of(func(c gate.Check) *gate.PodsCheck { return c.Pods }, newPods(o.Now))},
		{"resource", of(func(c gate.Check) *gate.ResourceCheck { return c.Resource }, newResource(kinds))},
		{"images", of(func(c gate.Check) *gate.ImagesCheck { return c.Images }, newImages)},
		{"rollout", of(func(c gate.Check) *gate.RolloutCheck { return c.Rollout }, newRollout)},
		{"http", of(func(c gate.Check) *gate.HTTPCheck { return c.HTTP }, newHTTP(o.HTTP))},
		{"backup", of(func(c gate.Check) *gate.BackupCheck { return c.Backup }, newBackup(o.Stores, o.Now))},
	}
	return func(spec gate.Check) (check.Check, error) {
		var made check.Check
		var found []string
		for _, entry := range table {
			c, ok, err := entry.make(spec)
			if err != nil {
				return nil, fmt.Errorf("make check %s: %s: %w", spec.Name, entry.kind, err)
			}
			if ok {
				made, found = c, append(found, entry.kind)
			}
		}
		if len(found) != 1 {
			kinds := make([]string, 0, len(table))
			for _, entry := range table {
				kinds = append(kinds, entry.kind)
			}
			return nil, fmt.Errorf("make check %s: expected exactly one of %s, found %d %s", spec.Name, strings.Join(kinds, ", "), len(found), strings.Join(found, ", "))
		}
		return made, nil
	}
}

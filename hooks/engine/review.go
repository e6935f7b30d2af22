package engine

import (
	"context"

	"github.com/syncgate/syncgate/gitops/forge/webhook"
)

// Reviewer judges what is proposed to a repository, or was pushed to its
// branch, and tells the forge.
type Reviewer interface {
	// Review does what an event of a repository, by the server's own name for
	// it, asks for; Ignored events and repositories that the server does not
	// know never get here. What the event says is a hint: a Reviewer reads from
	// Git what is there, and does nothing for a head that is not the newest any
	// more. It may be called any number of times for one event, by several
	// goroutines, and for events out of order.
	//
	// An error means that it could not be done: it is tried again from seconds
	// up to ten minutes later, after a *forge.LimitedError not before its
	// Until, and given up after some hours. That a Gate does not hold is no
	// error. When ctx ends, the process does, and the next one calls again.
	Review(ctx context.Context, repository string, ev webhook.Event) error
}

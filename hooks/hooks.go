// Package hooks holds the words of the gate server: a Change that wants to
// run, the Run that evaluates it, the Results of its checks and the Verdict it
// comes to. The packages below it accept a Change (server), keep Runs (store),
// ask the checks (engine, checks, backup) and wait in the Job (client).
package hooks

import (
	"fmt"
	"regexp"
	"time"
)

// Phase is where in a sync a Run stands. The values are Argo CD's names in the
// form this program writes them.
type Phase string

// The phases.
const (
	PreSync  Phase = "preSync"
	PostSync Phase = "postSync"
	SyncFail Phase = "syncFail"
)

// Change is a revision that wants to pass a gate on a cluster.
type Change struct {
	// Repository is the URL the revision was read from. The server knows its
	// repositories itself and only looks the URL up among them.
	Repository string `json:"repository"`
	Gate       string `json:"gate"`
	Cluster    string `json:"cluster"`
	// Revision is a full Git commit SHA, 40 or 64 lower-case hex digits.
	Revision string `json:"revision"`
	Phase    Phase  `json:"phase"`
	// TargetRevision is what the Application follows, as Argo CD has it: a
	// branch, "HEAD", a tag, a commit; "" when that is not known. It can end a
	// wait, and nothing else.
	TargetRevision string `json:"targetRevision,omitempty"`
	// Attempt tells one hook Job from another (its pod's UID). A Job that
	// posts the same Change again, after a lost connection, joins its Run.
	Attempt string `json:"attempt"`
}

var (
	revisionForm = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	nameForm     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	attemptForm  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
)

const maxTarget = 255

// IsRevision reports whether s is a full commit SHA in lower-case hex.
func IsRevision(s string) bool { return revisionForm.MatchString(s) }

// Validate says what is wrong with the form of c; it asks nobody.
func (c Change) Validate() error {
	switch {
	case c.Repository == "" || len(c.Repository) > 2048:
		return fmt.Errorf("change: repository: expected a URL of 1 to 2048 bytes, found %d bytes", len(c.Repository))
	case !nameForm.MatchString(c.Gate):
		return fmt.Errorf("change: gate: expected a DNS name, found %.80q", c.Gate)
	case !nameForm.MatchString(c.Cluster):
		return fmt.Errorf("change: cluster: expected a DNS name, found %.80q", c.Cluster)
	case !revisionForm.MatchString(c.Revision):
		return fmt.Errorf("change: revision: expected a full commit SHA in lower-case hex, found %.80q", c.Revision)
	case c.Phase != PreSync && c.Phase != PostSync && c.Phase != SyncFail:
		return fmt.Errorf("change: phase: expected preSync, postSync or syncFail, found %.80q", string(c.Phase))
	case len(c.TargetRevision) > maxTarget:
		return fmt.Errorf("change: targetRevision: expected at most %d bytes, found %d", maxTarget, len(c.TargetRevision))
	case !attemptForm.MatchString(c.Attempt):
		return fmt.Errorf("change: attempt: expected 1 to 128 letters, digits, '.', '_' or '-', found %.80q", c.Attempt)
	}
	return nil
}

// Status is what a check found out.
type Status string

// The statuses. Unknown blocks, always: it is never taken for an answer.
const (
	Pass    Status = "Pass"    // the answer is yes
	Fail    Status = "Fail"    // the answer is no, and asking again will not change it
	Wait    Status = "Wait"    // not yet
	Unknown Status = "Unknown" // could not find out
)

// Result is one check's answer at one time.
type Result struct {
	// Check is the check's name in the Gate.
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Reason is one line that names the object: what was expected, what was
	// found and, unless the status is Pass, what to do next.
	Reason string `json:"reason"`
	// Evidence is what the answer rests on. It holds no secret.
	Evidence []Evidence `json:"evidence,omitempty"`
	// Backup is the backup that the check proved, if it proved one.
	Backup *Backup `json:"backup,omitempty"`
	// At is when the answer was known; Asked is how often the question has
	// been asked in this Run.
	At    time.Time `json:"at"`
	Asked int       `json:"asked"`
}

// Evidence is one observed fact.
type Evidence struct {
	// Object names what was observed: "pod mattermost/mm-7c9f", "s3://b/key".
	Object string `json:"object"`
	// Fact is what was seen, at most a few lines.
	Fact string `json:"fact"`
}

// Verdict is what a Run came to. The empty Verdict means it goes on.
type Verdict string

// The verdicts. Only Passed and Overridden let a sync go on.
const (
	Passed     Verdict = "Passed"     // every check passed
	Failed     Verdict = "Failed"     // a check said no
	Expired    Verdict = "Expired"    // the deadline came while a check waited or could not find out
	Overridden Verdict = "Overridden" // a person decided
	// Superseded is a wait that has lost its object: another revision is to be
	// synced in its place, or has been.
	Superseded Verdict = "Superseded"
)

// LetsGo reports whether a sync may go on.
func (v Verdict) LetsGo() bool { return v == Passed || v == Overridden }

// Run is one phase of a gate evaluated for one Change.
type Run struct {
	// ID is a UUID.
	ID     string `json:"id"`
	Change Change `json:"change"`
	// Number counts the Runs of one repository, gate, cluster, revision and
	// phase, from 1.
	Number  int     `json:"number"`
	Verdict Verdict `json:"verdict,omitempty"`
	// Reason is the verdict in one line: which check decided it, and why.
	Reason string `json:"reason,omitempty"`
	// Results holds the newest Result of each check, in the Gate's order.
	Results  []Result  `json:"results,omitempty"`
	Started  time.Time `json:"started"`
	Deadline time.Time `json:"deadline"`
	Ended    time.Time `json:"ended,omitzero"`
	// Backup is the first backup that PreSync proved, for whoever must go
	// back; Results have them all.
	Backup *Backup `json:"backup,omitempty"`
	// Revert is what was done after a PostSync that did not pass.
	Revert *RevertOutcome `json:"revert,omitempty"`
	// Override is who decided, when the Verdict is Overridden.
	Override *Override `json:"override,omitempty"`
}

// Done reports whether the Run has a verdict.
func (r Run) Done() bool { return r.Verdict != "" }

// RevertPending reports whether a revert of the Run's change is still to be
// done.
func (r Run) RevertPending() bool {
	return r.Change.Phase == PostSync && (r.Verdict == Failed || r.Verdict == Expired) && r.Revert == nil
}

// Backup is a backup and how well it is known to be good.
type Backup struct {
	// Location is where to restore it from, without credentials.
	Location string    `json:"location"`
	Taken    time.Time `json:"taken"`
	// Size in bytes, 0 when the provider does not tell.
	Size int64 `json:"size,omitempty"`
	// Proof is a level of gate.Proof.
	Proof string `json:"proof"`
}

// Override is a person's decision that a Change goes on although its gate does
// not say so.
type Override struct {
	// By is the user name that the cluster gave.
	By string `json:"by"`
	// Reason is theirs, one line.
	Reason string `json:"reason"`
	// Until is when it ends: an attempt after it is evaluated anew.
	Until time.Time `json:"until"`
	// Revoked is who ended it before that, nil when nobody did.
	Revoked *Revocation `json:"revoked,omitempty"`
}

// Revocation is a person's decision that an Override holds no longer.
type Revocation struct {
	// By and Reason are as in Override.
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Ends is when the override is over: when its time is, or when it was revoked.
func (o Override) Ends() time.Time {
	if o.Revoked != nil {
		return o.Revoked.At
	}
	return o.Until
}

// Overrides reports whether the Run is overridden at a time.
func (r Run) Overrides(now time.Time) bool {
	return r.Verdict == Overridden && r.Override != nil && now.Before(r.Override.Ends())
}

// RevertOutcome is what came of a revert.
type RevertOutcome struct {
	// Action is "PullRequest", "Issue" or "None".
	Action string `json:"action"`
	// URL of the pull request or issue.
	URL string `json:"url,omitempty"`
	// Reason says why, in one line.
	Reason string `json:"reason"`
}

// Event is one step of a Run, as its waiters see it.
type Event struct {
	// Seq counts a Run's events from 1 without a gap.
	Seq int64     `json:"seq"`
	At  time.Time `json:"at"`
	// Exactly one of the following is set.
	Result  *Result        `json:"result,omitempty"`
	Note    string         `json:"note,omitempty"`
	Verdict *VerdictNotice `json:"verdict,omitempty"`
	Revert  *RevertOutcome `json:"revert,omitempty"`
}

// VerdictNotice says what the Run came to. It ends the Run's events, unless a
// revert follows.
type VerdictNotice struct {
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`
	// RevertFollows is true when one more event, the revert's outcome, comes
	// once the revert is done. It may take as long as the forge is down.
	RevertFollows bool `json:"revertFollows,omitempty"`
}

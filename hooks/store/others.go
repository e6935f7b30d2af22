package store

import (
	"context"
	"fmt"
	"time"

	"github.com/syncgate/syncgate/hooks"
)

// UnfinishedOf are the Runs of a phase without a verdict, the oldest first, at
// most limit, without their Results.
func (s *Store) UnfinishedOf(ctx context.Context, phase hooks.Phase, limit int) ([]Stored, error) {
	return bareRuns(ctx, s.read, `SELECT `+runColumns+` FROM runs WHERE phase = ? AND verdict = '' ORDER BY started LIMIT ?`,
		string(phase), limit)
}

// UnfinishedElsewhere are the Runs without a verdict of the key's gate, cluster
// and phase at other revisions.
func (t *Tx) UnfinishedElsewhere(ctx context.Context, k Key) ([]Stored, error) {
	return bareRuns(ctx, t.tx, `SELECT `+runColumns+` FROM runs WHERE`+onCluster+
		`AND revision <> ? AND phase = ? AND verdict = '' ORDER BY started`,
		k.Repository, k.Gate, k.Cluster, k.Revision, string(k.Phase))
}

// LetGoElsewhere reports whether another revision of the key's gate was let
// onto its cluster after since: its preSync ended so, or its postSync began.
func (t *Tx) LetGoElsewhere(ctx context.Context, k Key, since time.Time) (bool, error) {
	var n int
	err := t.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM runs WHERE`+onCluster+`AND revision <> ?
		AND (phase = ? AND verdict IN (?, ?) AND ended > ? OR phase = ? AND started > ?)`,
		k.Repository, k.Gate, k.Cluster, k.Revision,
		string(hooks.PreSync), string(hooks.Passed), string(hooks.Overridden), toMicro(since), string(hooks.PostSync), toMicro(since)).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("read runs: %w", err)
	}
	return n > 0, nil
}

// LetGo are the Runs that tell what was let onto the key's cluster, the newest
// first, at most limit, without their Results: preSync ones that let it, and all
// postSync ones. The key's revision and phase do not matter.
func (s *Store) LetGo(ctx context.Context, k Key, limit int) ([]Stored, error) {
	return bareRuns(ctx, s.read, `SELECT `+runColumns+` FROM runs WHERE`+onCluster+
		`AND (phase = ? AND verdict IN (?, ?) OR phase = ?)
		ORDER BY CASE WHEN ended > 0 THEN ended ELSE started END DESC, id DESC LIMIT ?`,
		k.Repository, k.Gate, k.Cluster, string(hooks.PreSync), string(hooks.Passed), string(hooks.Overridden), string(hooks.PostSync), limit)
}

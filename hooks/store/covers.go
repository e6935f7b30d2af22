package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/syncgate/syncgate/hooks"
)

const onCluster = ` repository = ? AND gate = ? AND cluster = ? `

// Gates are the gates and clusters that there are Runs or passed revisions of.
// Revision and phase of the keys are empty.
func (s *Store) Gates(ctx context.Context) (out []Key, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT repository, gate, cluster FROM runs
		UNION SELECT repository, gate, cluster FROM baselines ORDER BY 1, 2, 3`)
	if err != nil {
		return nil, fmt.Errorf("read gates: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var k Key
		if err := rows.Scan(&k.Repository, &k.Gate, &k.Cluster); err != nil {
			return nil, fmt.Errorf("read gates: %w", err)
		}
		out = append(out, k)
	}
	return out, nil
}

// LastPassed is the preSync Run of the gate on the cluster that passed last,
// without its Results, and when it last answered an attempt. The key's revision
// and phase do not matter. ErrNotFound when none passed.
func (s *Store) LastPassed(ctx context.Context, k Key) (r Stored, answered time.Time, err error) {
	rs, err := bareRuns(ctx, s.read, `SELECT `+runColumns+` FROM runs WHERE`+onCluster+
		`AND phase = ? AND verdict = ? ORDER BY ended DESC, id DESC LIMIT 1`,
		k.Repository, k.Gate, k.Cluster, string(hooks.PreSync), string(hooks.Passed))
	if err != nil {
		return r, answered, err
	}
	if len(rs) == 0 {
		return r, answered, fmt.Errorf("read passed run: %w", ErrNotFound)
	}
	var at int64
	if err := s.read.QueryRowContext(ctx, `SELECT COALESCE(MAX(at), 0) FROM attempts WHERE run_id = ?`, rs[0].ID).Scan(&at); err != nil {
		return r, answered, fmt.Errorf("read attempts: %w", err)
	}
	return rs[0], fromMicro(at), nil
}

// OverriddenSince are the overridden Runs of the gate on the cluster that ended
// at since or later, the newest first, at most limit, without their Results.
func (s *Store) OverriddenSince(ctx context.Context, k Key, since time.Time, limit int) ([]Stored, error) {
	return bareRuns(ctx, s.read, `SELECT `+runColumns+` FROM runs WHERE`+onCluster+
		`AND verdict = ? AND ended >= ? ORDER BY ended DESC, id DESC LIMIT ?`,
		k.Repository, k.Gate, k.Cluster, string(hooks.Overridden), toMicro(since), limit)
}

// LastStarted is the preSync Run of the gate on the cluster that started last,
// without its Results. ErrNotFound when there is none.
func (s *Store) LastStarted(ctx context.Context, k Key) (Stored, error) {
	rs, err := bareRuns(ctx, s.read, `SELECT `+runColumns+` FROM runs WHERE`+onCluster+
		`AND phase = ? ORDER BY started DESC, id DESC LIMIT 1`, k.Repository, k.Gate, k.Cluster, string(hooks.PreSync))
	if err != nil {
		return Stored{}, err
	}
	if len(rs) == 0 {
		return Stored{}, fmt.Errorf("read newest run: %w", ErrNotFound)
	}
	return rs[0], nil
}

package store

import (
	"context"
	"fmt"
	"time"
)

// watching is the id of the row that tells since when operations are looked at.
const watching = "watching"

// WatchingSince is when operations were looked at for the first time on this
// database, which is now if they never were. What happened before it left no
// Runs here.
func (t *Tx) WatchingSince(ctx context.Context, now time.Time) (time.Time, error) {
	if _, err := t.SeeOperation(ctx, watching, now); err != nil {
		return time.Time{}, err
	}
	var at int64
	if err := t.tx.QueryRowContext(ctx, `SELECT at FROM operations WHERE id = ?`, watching).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("read operations: %w", err)
	}
	return fromMicro(at), nil
}

// AttemptsSince is how many attempts belong to Runs of the key since a time.
func (s *Store) AttemptsSince(ctx context.Context, k Key, since time.Time) (n int, err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM attempts WHERE`+byKey+`AND at >= ?`, k.args(toMicro(since))...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count attempts: %w", err)
	}
	return n, nil
}

// SeeOperation remembers an operation and reports whether it is new.
func (t *Tx) SeeOperation(ctx context.Context, id string, at time.Time) (bool, error) {
	res, err := t.tx.ExecContext(ctx, `INSERT INTO operations (id, at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING`, id, toMicro(at))
	if err != nil {
		return false, fmt.Errorf("write operation: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("write operation: %w", err)
	}
	return n == 1, nil
}

// judgedYears is how much longer than Runs it is remembered which gate judged an
// Application last.
const judgedYears = 5

// Judged is which gate judged a source of an Application in an operation.
type Judged struct {
	Application string
	Source      int
	Operation   string
	Gate        string
}

// SeeJudged remembers it, and is the gate that judged the Application's source
// before: "" when none is known. Asked again of the same operation it answers the
// same.
func (t *Tx) SeeJudged(ctx context.Context, j Judged, at time.Time) (before string, err error) {
	err = t.tx.QueryRowContext(ctx, `INSERT INTO application_gates AS a (application, source, operation, gate, before, at)
		VALUES (?, ?, ?, ?, '', ?) ON CONFLICT (application, source) DO UPDATE SET
			before = CASE WHEN a.operation = excluded.operation THEN a.before ELSE a.gate END,
			operation = excluded.operation, gate = excluded.gate, at = excluded.at
		RETURNING before`, j.Application, j.Source, j.Operation, j.Gate, toMicro(at)).Scan(&before)
	if err != nil {
		return "", fmt.Errorf("write gate of an application: %w", err)
	}
	return before, nil
}

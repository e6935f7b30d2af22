package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/syncgate/syncgate/hooks"
)

// InsertRun keeps a new Run; its ID and Number are the caller's. It fails when
// the key has an unfinished Run or one of that number.
func (t *Tx) InsertRun(ctx context.Context, r Stored) error {
	change, err := json.Marshal(r.Change)
	if err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	k := r.Key()
	if _, err := t.tx.ExecContext(ctx, `INSERT INTO runs
		(repository, gate, cluster, revision, phase, id, number, change_json, started, deadline)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		k.args(r.ID, r.Number, string(change), toMicro(r.Started), toMicro(r.Deadline))...); err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	return nil
}

// Join makes the attempt belong to the Run.
func (t *Tx) Join(ctx context.Context, k Key, attempt, run string, at time.Time) error {
	if _, err := t.tx.ExecContext(ctx, `INSERT INTO attempts
		(repository, gate, cluster, revision, phase, attempt, run_id, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		k.args(attempt, run, toMicro(at))...); err != nil {
		return fmt.Errorf("write attempt: %w", err)
	}
	return nil
}

// SaveResult keeps a check's newest Result. position is the check's place
// among the Run's checks.
func (t *Tx) SaveResult(ctx context.Context, run string, position int, r hooks.Result) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	if _, err := t.tx.ExecContext(ctx, `INSERT INTO results (run_id, check_name, position, result_json)
		VALUES (?, ?, ?, ?) ON CONFLICT (run_id, check_name)
		DO UPDATE SET position = excluded.position, result_json = excluded.result_json`,
		run, r.Check, position, string(text)); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// SaveBackup keeps the backup that the Run proved.
func (t *Tx) SaveBackup(ctx context.Context, run string, b hooks.Backup) error {
	return t.setDocument(ctx, `UPDATE runs SET backup_json = ? WHERE id = ?`, run, b)
}

// SaveRevert keeps what came of the Run's revert.
func (t *Tx) SaveRevert(ctx context.Context, run string, o hooks.RevertOutcome) error {
	return t.setDocument(ctx, `UPDATE runs SET revert_json = ? WHERE id = ?`, run, o)
}

// SaveOverride keeps who let the Run's change go on.
func (t *Tx) SaveOverride(ctx context.Context, run string, o hooks.Override) error {
	return t.setDocument(ctx, `UPDATE runs SET override_json = ? WHERE id = ?`, run, o)
}

func (t *Tx) setDocument(ctx context.Context, query, run string, doc any) error {
	text, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	res, err := t.tx.ExecContext(ctx, query, string(text), run)
	if err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("write run %s: %w", run, ErrNotFound)
	}
	return nil
}

// Finish gives the Run its verdict. It reports false, and changes nothing,
// when the Run has one already: a verdict never changes.
func (t *Tx) Finish(ctx context.Context, run string, v hooks.Verdict, reason string, at time.Time) (bool, error) {
	res, err := t.tx.ExecContext(ctx, `UPDATE runs SET verdict = ?, reason = ?, ended = ? WHERE id = ? AND verdict = ''`,
		string(v), reason, toMicro(at), run)
	if err != nil {
		return false, fmt.Errorf("write verdict: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("write verdict: %w", err)
	}
	return n == 1, nil
}

// Append adds an Event to the Run and returns it with its number.
func (t *Tx) Append(ctx context.Context, run string, e hooks.Event) (hooks.Event, error) {
	err := t.tx.QueryRowContext(ctx, `UPDATE runs SET events = events + 1 WHERE id = ? RETURNING events`, run).Scan(&e.Seq)
	if err != nil {
		return e, fmt.Errorf("write event: count: %w", err)
	}
	text, err := json.Marshal(e)
	if err != nil {
		return e, fmt.Errorf("write event: %w", err)
	}
	if _, err := t.tx.ExecContext(ctx, `INSERT INTO events (run_id, seq, event_json) VALUES (?, ?, ?)`, run, e.Seq, string(text)); err != nil {
		return e, fmt.Errorf("write event: %w", err)
	}
	return e, nil
}

// Events are the Run's events after the one numbered after, oldest first, at
// most limit.
func (s *Store) Events(ctx context.Context, run string, after int64, limit int) ([]hooks.Event, error) {
	return documents[hooks.Event](ctx, s.read,
		`SELECT event_json FROM events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?`, run, after, limit)
}

// Baseline is a revision that passed after its sync.
type Baseline struct {
	Revision string
	Passed   time.Time
}

// AddBaseline records that the Run's revision passed on its cluster.
func (t *Tx) AddBaseline(ctx context.Context, r Stored, at time.Time) error {
	if _, err := t.tx.ExecContext(ctx, `INSERT INTO baselines (repository, gate, cluster, revision, passed_at, run_id)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (repository, gate, cluster, revision)
		DO UPDATE SET passed_at = excluded.passed_at, run_id = excluded.run_id`,
		r.Repository, r.Change.Gate, r.Change.Cluster, r.Change.Revision, toMicro(at), r.ID); err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	return nil
}

// Baselines are the revisions that passed there, the last to pass first, at
// most limit. The key's revision and phase do not matter.
func (s *Store) Baselines(ctx context.Context, k Key, limit int) (out []Baseline, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT revision, passed_at FROM baselines
		WHERE repository = ? AND gate = ? AND cluster = ? ORDER BY passed_at DESC LIMIT ?`,
		k.Repository, k.Gate, k.Cluster, limit)
	if err != nil {
		return nil, fmt.Errorf("read baselines: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var (
			b  Baseline
			at int64
		)
		if err := rows.Scan(&b.Revision, &at); err != nil {
			return nil, fmt.Errorf("read baselines: %w", err)
		}
		b.Passed = fromMicro(at)
		out = append(out, b)
	}
	return out, rows.Err()
}

// AuditEntry is one line of the audit log. It holds no secret.
type AuditEntry struct {
	At time.Time
	// Action is what was tried: "authenticate", "authorize", "change",
	// "verdict", "override", "revert", "settle", "admission", "bypass",
	// "review", "webhook".
	Action string
	// Subject is who: a user name, "" when unknown; "syncgate" is the server.
	Subject string
	Cluster string
	Run     string
	Detail  string
}

// Audit adds a line to the audit log.
func (t *Tx) Audit(ctx context.Context, a AuditEntry) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("write audit: %w", err)
	}
	if _, err := t.tx.ExecContext(ctx, `INSERT INTO audit (id, at, action, subject, cluster, run_id, detail)
		VALUES (?, ?, ?, ?, ?, ?, ?)`,
		id.String(), toMicro(a.At), a.Action, a.Subject, a.Cluster, a.Run, a.Detail); err != nil {
		return fmt.Errorf("write audit: %w", err)
	}
	return nil
}

// AuditLog is the newest lines of the audit log, newest first, at most limit.
func (s *Store) AuditLog(ctx context.Context, limit int) (out []AuditEntry, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT at, action, subject, cluster, run_id, detail
		FROM audit ORDER BY at DESC, id DESC LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("read audit: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var (
			a  AuditEntry
			at int64
		)
		if err := rows.Scan(&at, &a.Action, &a.Subject, &a.Cluster, &a.Run, &a.Detail); err != nil {
			return nil, fmt.Errorf("read audit: %w", err)
		}
		a.At = fromMicro(at)
		out = append(out, a)
	}
	return out, rows.Err()
}

// Prune removes finished Runs and audit lines older than before, and reports
// how many Runs. What passed is kept: reverts go back to it.
func (t *Tx) Prune(ctx context.Context, before time.Time) (int64, error) {
	if _, err := t.tx.ExecContext(ctx, `DELETE FROM audit WHERE at < ?`, toMicro(before)); err != nil {
		return 0, fmt.Errorf("prune audit: %w", err)
	}
	if _, err := t.tx.ExecContext(ctx, `DELETE FROM operations WHERE id <> ? AND at < ?`, watching, toMicro(before)); err != nil {
		return 0, fmt.Errorf("prune operations: %w", err)
	}
	// Which gate judged an Application last is no history: one that is synced
	// seldom must not forget it. Those of Applications that are gone go in the end.
	if _, err := t.tx.ExecContext(ctx, `DELETE FROM application_gates WHERE at < ?`, toMicro(before.AddDate(-judgedYears, 0, 0))); err != nil {
		return 0, fmt.Errorf("prune gates of applications: %w", err)
	}
	if _, err := t.tx.ExecContext(ctx, `DELETE FROM deliveries WHERE at < ?`, toMicro(before)); err != nil {
		return 0, fmt.Errorf("prune deliveries: %w", err)
	}
	res, err := t.tx.ExecContext(ctx, `DELETE FROM runs WHERE verdict <> '' AND ended < ?`, toMicro(before))
	if err != nil {
		return 0, fmt.Errorf("prune runs: %w", err)
	}
	return res.RowsAffected()
}

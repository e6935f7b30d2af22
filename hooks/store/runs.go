package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/syncgate/syncgate/hooks"
)

// Key is what makes two Runs the same question. Repository is the server's own
// name of it, which stays when its URL is spelled another way.
type Key struct {
	Repository, Gate, Cluster, Revision string
	Phase                               hooks.Phase
}

// KeyOf is the Key of a Change in the repository the server calls by name.
func KeyOf(repository string, c hooks.Change) Key {
	return Key{Repository: repository, Gate: c.Gate, Cluster: c.Cluster, Revision: c.Revision, Phase: c.Phase}
}

func (k Key) args(more ...any) []any {
	return append([]any{k.Repository, k.Gate, k.Cluster, k.Revision, string(k.Phase)}, more...)
}

const byKey = ` repository = ? AND gate = ? AND cluster = ? AND revision = ? AND phase = ? `

const runColumns = `id, repository, number, change_json, verdict, reason, started, deadline, ended, events, backup_json, revert_json, override_json`

// Stored is a Run and the name the server has for its repository.
type Stored struct {
	hooks.Run
	Repository string
	// Events is how many events the Run has.
	Events int64
}

// Key is the Run's key.
func (s Stored) Key() Key { return KeyOf(s.Repository, s.Change) }

// queryer is a pool or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Run is the Run with its Results. ErrNotFound when there is none.
func (s *Store) Run(ctx context.Context, id string) (Stored, error) { return runByID(ctx, s.read, id) }

// Run is the Run as the transaction sees it.
func (t *Tx) Run(ctx context.Context, id string) (Stored, error) { return runByID(ctx, t.tx, id) }

func runByID(ctx context.Context, q queryer, id string) (Stored, error) {
	return oneRun(ctx, q, `SELECT `+runColumns+` FROM runs WHERE id = ?`, id)
}

// ByAttempt is the Run that the attempt belongs to. ErrNotFound when the
// attempt is new.
func (s *Store) ByAttempt(ctx context.Context, k Key, attempt string) (Stored, error) {
	return byAttempt(ctx, s.read, k, attempt)
}

// ByAttempt is Store.ByAttempt as the transaction sees it.
func (t *Tx) ByAttempt(ctx context.Context, k Key, attempt string) (Stored, error) {
	return byAttempt(ctx, t.tx, k, attempt)
}

func byAttempt(ctx context.Context, q queryer, k Key, attempt string) (Stored, error) {
	return oneRun(ctx, q, `SELECT `+runColumns+` FROM runs WHERE id =
		(SELECT run_id FROM attempts WHERE`+byKey+`AND attempt = ?)`, k.args(attempt)...)
}

// Newest is the Run of the key with the highest number. ErrNotFound when there
// is none.
func (s *Store) Newest(ctx context.Context, k Key) (Stored, error) { return newest(ctx, s.read, k) }

// Newest is Store.Newest as the transaction sees it.
func (t *Tx) Newest(ctx context.Context, k Key) (Stored, error) { return newest(ctx, t.tx, k) }

func newest(ctx context.Context, q queryer, k Key) (Stored, error) {
	return oneRun(ctx, q, `SELECT `+runColumns+` FROM runs WHERE`+byKey+`ORDER BY number DESC LIMIT 1`, k.args()...)
}

// ProvedBackups are the backups that the key's newest passed Run proved, among
// those Runs that proved any.
func (s *Store) ProvedBackups(ctx context.Context, k Key) ([]hooks.Backup, error) {
	r, err := oneRun(ctx, s.read, `SELECT `+runColumns+` FROM runs WHERE`+byKey+
		`AND verdict = ? AND backup_json <> '' ORDER BY number DESC LIMIT 1`, k.args(string(hooks.Passed))...)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	var out []hooks.Backup
	for _, res := range r.Results {
		if res.Backup != nil {
			out = append(out, *res.Backup)
		}
	}
	return out, err
}

// Unfinished are the ids of the Runs without a verdict, the oldest first, at
// most limit.
func (s *Store) Unfinished(ctx context.Context, limit int) (ids []string, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id FROM runs WHERE verdict = '' ORDER BY started LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read runs: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// NewestPerCluster are the newest Runs of the key on every cluster, at most
// maxClusters of them. The key's own cluster does not matter.
func (s *Store) NewestPerCluster(ctx context.Context, k Key) ([]Stored, error) {
	return manyRuns(ctx, s.read, `SELECT `+runColumns+` FROM runs r WHERE repository = ? AND gate = ? AND revision = ? AND phase = ?
		AND number = (SELECT MAX(o.number) FROM runs o WHERE o.repository = r.repository AND o.gate = r.gate
			AND o.cluster = r.cluster AND o.revision = r.revision AND o.phase = r.phase)
		ORDER BY cluster LIMIT ?`, k.Repository, k.Gate, k.Revision, string(k.Phase), maxClusters)
}

// maxClusters bounds NewestPerCluster.
const maxClusters = 100_000

// Filter limits a list of Runs; an empty field does not.
type Filter struct {
	Cluster, Gate, Revision string
	Phase                   hooks.Phase
	// Verdict is that of the Runs; Unfinished means those that have none.
	Verdict hooks.Verdict
	// Before is the id of a Run: only those that are listed after it.
	Before string
	Limit  int // at most; required
}

// Unfinished is Filter.Verdict for Runs that go on.
const Unfinished hooks.Verdict = "unfinished"

// Runs lists Runs, the newest first.
func (s *Store) Runs(ctx context.Context, f Filter) ([]Stored, error) {
	query, args := `SELECT `+runColumns+` FROM runs WHERE 1 = 1`, []any{}
	for _, c := range []struct{ column, value string }{
		{"cluster", f.Cluster}, {"gate", f.Gate}, {"revision", f.Revision}, {"phase", string(f.Phase)},
	} {
		if c.value != "" {
			query, args = query+` AND `+c.column+` = ?`, append(args, c.value)
		}
	}
	switch f.Verdict {
	case "":
	case Unfinished:
		query += ` AND verdict = ''`
	default:
		query, args = query+` AND verdict = ?`, append(args, string(f.Verdict))
	}
	if f.Before != "" {
		query, args = query+` AND (started, id) < (SELECT b.started, b.id FROM runs b WHERE b.id = ?)`, append(args, f.Before)
	}
	// An id begins with when it was made, so Runs of one moment are in order.
	return manyRuns(ctx, s.read, query+` ORDER BY started DESC, id DESC LIMIT ?`, append(args, f.Limit)...)
}

func oneRun(ctx context.Context, q queryer, query string, args ...any) (Stored, error) {
	rs, err := manyRuns(ctx, q, query, args...)
	if err != nil {
		return Stored{}, err
	}
	if len(rs) == 0 {
		return Stored{}, fmt.Errorf("read run: %w", ErrNotFound)
	}
	return rs[0], nil
}

func manyRuns(ctx context.Context, q queryer, query string, args ...any) ([]Stored, error) {
	// The rows are closed before the results are read: a transaction has one
	// connection.
	out, err := bareRuns(ctx, q, query, args...)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if out[i].Results, err = results(ctx, q, out[i].ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// bareRuns are Runs without their results.
func bareRuns(ctx context.Context, q queryer, query string, args ...any) (out []Stored, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		r, err := scanRun(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func scanRun(rows *sql.Rows) (Stored, error) {
	var (
		r                            Stored
		change, backup, revert, over string
		started, deadline, ended     int64
	)
	if err := rows.Scan(&r.ID, &r.Repository, &r.Number, &change, &r.Verdict, &r.Reason,
		&started, &deadline, &ended, &r.Events, &backup, &revert, &over); err != nil {
		return r, fmt.Errorf("read run: %w", err)
	}
	r.Started, r.Deadline, r.Ended = fromMicro(started), fromMicro(deadline), fromMicro(ended)
	for _, d := range []struct {
		text string
		into any
	}{{change, &r.Change}, {backup, &r.Backup}, {revert, &r.Revert}, {over, &r.Override}} {
		if d.text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(d.text), d.into); err != nil {
			return r, fmt.Errorf("read run %s: %w", r.ID, err)
		}
	}
	return r, nil
}

func results(ctx context.Context, q queryer, run string) ([]hooks.Result, error) {
	return documents[hooks.Result](ctx, q, `SELECT result_json FROM results WHERE run_id = ? ORDER BY position`, run)
}

// documents reads one JSON column.
func documents[T any](ctx context.Context, q queryer, query string, args ...any) (out []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var (
			text string
			v    T
		)
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("read document: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return nil, fmt.Errorf("read document: %w", err)
		}
		out = append(out, v)
	}
	return out, nil
}

func toMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicro(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

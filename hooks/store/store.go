// Package store keeps Runs, their Results and Events, the revisions that
// passed, and the audit log in an SQL database. Everything that must happen
// together happens in one transaction, to which the job queue's own inserts
// are added: see Tx.SQL.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

// ErrNotFound is what a look-up says when there is no such row.
var ErrNotFound = errors.New("not found")

//go:embed migrations/*.sql
var migrations embed.FS

// Store is the database of one gate server.
type Store struct {
	// write has one connection: SQLite has one writer, and the job queue's
	// driver asks for it. read sees every committed transaction.
	write, read *sql.DB
	lock        *flock.Flock
}

// readers is how many statements may read side by side.
const readers = 4

// Open opens the database file at path, makes it if there is none, and brings
// its schema up to date. A second server on the same file is refused: it would
// work on the same Runs. Every commit is on disk before it returns.
func Open(ctx context.Context, path string) (*Store, error) {
	lock, err := acquire(path)
	if err != nil {
		return nil, err
	}
	s := &Store{lock: lock}
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func acquire(path string) (*flock.Flock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open database %s: make its folder: %w", path, err)
	}
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock database %s: %w", path, err)
	}
	if !ok {
		return nil, fmt.Errorf("lock database %s: another server holds %s.lock; run one server for one database file", path, path)
	}
	return lock, nil
}

func (s *Store) open(ctx context.Context, path string) error {
	// The file must not be readable for others: its evidence is not secret,
	// but it is nobody else's business.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	if s.write, err = sql.Open("sqlite", dsn(path, "_txlock=immediate")); err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	s.write.SetMaxOpenConns(1)
	s.write.SetConnMaxLifetime(0)
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	if s.read, err = sql.Open("sqlite", dsn(path, "_pragma=query_only(1)")); err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	s.read.SetMaxOpenConns(readers)
	return s.Ping(ctx)
}

func dsn(path, more string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return u.String() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)" +
		"&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&" + more
}

func (s *Store) migrate(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, dir)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate schema: %w", err)
	}
	m, err := rivermigrate.New(riversqlite.New(s.write), nil)
	if err != nil {
		return fmt.Errorf("read job queue migrations: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate job queue schema: %w", err)
	}
	return nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fmt.Errorf("ask database: %w", err)
	}
	return nil
}

// DB is the pool that the job queue works on. It has one connection: whoever
// uses it inside InTx waits for ever.
func (s *Store) DB() *sql.DB { return s.write }

// Close closes the database and lets another server have it.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
	}
	return errors.Join(errs...)
}

// Tx is one transaction. It sees its own writes.
type Tx struct{ tx *sql.Tx }

// SQL is the transaction itself, for the job queue.
func (t *Tx) SQL() *sql.Tx { return t.tx }

// InTx calls fn in one transaction and commits when fn returns nil. fn must
// use nothing but the transaction, and must not keep it.
func (s *Store) InTx(ctx context.Context, fn func(*Tx) error) (err error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	defer func() {
		// After a commit this does nothing; after an error or a panic in fn
		// it frees the only connection.
		if rb := tx.Rollback(); rb != nil && !errors.Is(rb, sql.ErrTxDone) {
			err = errors.Join(err, fmt.Errorf("roll back transaction: %w", rb))
		}
	}()
	if err := fn(&Tx{tx: tx}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	return nil
}

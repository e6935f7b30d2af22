-- Times are microseconds since 1970 in UTC; 0 means not set. Documents are
-- JSON text. Nothing here is particular to one database, partial indexes
-- included, so that the same statements serve PostgreSQL.

-- +goose Up
CREATE TABLE runs (
    id          TEXT    NOT NULL PRIMARY KEY,
    repository  TEXT    NOT NULL,
    gate        TEXT    NOT NULL,
    cluster     TEXT    NOT NULL,
    revision    TEXT    NOT NULL,
    phase       TEXT    NOT NULL,
    number      BIGINT  NOT NULL,
    change_json TEXT    NOT NULL,
    verdict     TEXT    NOT NULL DEFAULT '',
    reason      TEXT    NOT NULL DEFAULT '',
    started     BIGINT  NOT NULL,
    deadline    BIGINT  NOT NULL,
    ended       BIGINT  NOT NULL DEFAULT 0,
    events      BIGINT  NOT NULL DEFAULT 0,
    backup_json TEXT    NOT NULL DEFAULT '',
    revert_json TEXT    NOT NULL DEFAULT '',
    UNIQUE (repository, gate, cluster, revision, phase, number)
);
-- One unfinished Run of a key at most, whatever the callers do.
CREATE UNIQUE INDEX runs_unfinished ON runs (repository, gate, cluster, revision, phase) WHERE verdict = '';
CREATE INDEX runs_started ON runs (started);

CREATE TABLE attempts (
    attempt    TEXT   NOT NULL,
    repository TEXT   NOT NULL,
    gate       TEXT   NOT NULL,
    cluster    TEXT   NOT NULL,
    revision   TEXT   NOT NULL,
    phase      TEXT   NOT NULL,
    run_id     TEXT   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    at         BIGINT NOT NULL,
    PRIMARY KEY (attempt, repository, gate, cluster, revision, phase)
);
CREATE INDEX attempts_run ON attempts (run_id);

CREATE TABLE results (
    run_id      TEXT   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    check_name  TEXT   NOT NULL,
    position    BIGINT NOT NULL,
    result_json TEXT   NOT NULL,
    PRIMARY KEY (run_id, check_name)
);

CREATE TABLE events (
    run_id     TEXT   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq        BIGINT NOT NULL,
    event_json TEXT   NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- Every revision that passed its postSync on a cluster. The one a revert goes
-- back to is the newest of them by ancestry, which only Git can tell.
CREATE TABLE baselines (
    repository TEXT   NOT NULL,
    gate       TEXT   NOT NULL,
    cluster    TEXT   NOT NULL,
    revision   TEXT   NOT NULL,
    passed_at  BIGINT NOT NULL,
    run_id     TEXT   NOT NULL,
    PRIMARY KEY (repository, gate, cluster, revision)
);
CREATE INDEX baselines_newest ON baselines (repository, gate, cluster, passed_at);

CREATE TABLE audit (
    id      TEXT   NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL,
    action  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    cluster TEXT   NOT NULL,
    run_id  TEXT   NOT NULL,
    detail  TEXT   NOT NULL
);
CREATE INDEX audit_at ON audit (at);

-- +goose Down
DROP TABLE audit;
DROP TABLE baselines;
DROP TABLE events;
DROP TABLE results;
DROP TABLE attempts;
DROP TABLE runs;

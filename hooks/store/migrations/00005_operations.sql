-- Operations of a delivering tool that something was said about, so that it is
-- said once.

-- +goose Up
CREATE TABLE operations (
    id TEXT   NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);
CREATE INDEX operations_at ON operations (at);

-- +goose Down
DROP TABLE operations;

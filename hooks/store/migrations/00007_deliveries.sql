-- Deliveries of webhooks that were taken, so that each is taken once.

-- +goose Up
CREATE TABLE deliveries (
    id TEXT   NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);
CREATE INDEX deliveries_at ON deliveries (at);

-- +goose Down
DROP TABLE deliveries;

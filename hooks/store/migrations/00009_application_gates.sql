-- Which gate judged the last sync of each source of an Application, and which
-- one that of the operation before it.

-- +goose Up
CREATE TABLE application_gates (
    application TEXT   NOT NULL,
    source      BIGINT NOT NULL,
    operation   TEXT   NOT NULL,
    gate        TEXT   NOT NULL,
    before      TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (application, source)
);
CREATE INDEX application_gates_at ON application_gates (at);

-- +goose Down
DROP TABLE application_gates;

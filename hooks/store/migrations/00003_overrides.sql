-- +goose Up
ALTER TABLE runs ADD COLUMN override_json TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE runs DROP COLUMN override_json;

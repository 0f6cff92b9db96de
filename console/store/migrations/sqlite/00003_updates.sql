-- +goose Up

-- Releases of the agent that were carried in. The programs themselves are files, named by their hashes.
CREATE TABLE updates (
  version    TEXT   PRIMARY KEY,
  envelope   TEXT   NOT NULL, -- the signed manifest, as it came
  added_by   TEXT   NOT NULL,
  added_at   BIGINT NOT NULL,
  removed_at BIGINT NOT NULL DEFAULT 0
);

-- Who offered which release to which ring. An offer is never changed but withdrawn; the newest of a ring counts.
CREATE TABLE offers (
  id           BIGINT PRIMARY KEY,
  ring         TEXT   NOT NULL,
  version      TEXT   NOT NULL REFERENCES updates (version),
  spread       BIGINT NOT NULL, -- seconds within which the ring's terminals begin
  offered_by   TEXT   NOT NULL,
  offered_at   BIGINT NOT NULL,
  withdrawn_by TEXT   NOT NULL DEFAULT '',
  withdrawn_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX offers_open ON offers (id) WHERE withdrawn_at = 0;

-- The terminals that try a release before all others.
CREATE TABLE pilots (
  terminal TEXT PRIMARY KEY REFERENCES terminals (id)
);

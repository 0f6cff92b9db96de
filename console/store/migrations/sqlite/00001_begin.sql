-- +goose Up

-- Times are Unix milliseconds, UTC; 0 is "never". Flags are 0 or 1.

CREATE TABLE groups (
  id         TEXT   PRIMARY KEY,
  name       TEXT   NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE group_policies (
  group_id   TEXT   NOT NULL REFERENCES groups (id),
  version    BIGINT NOT NULL,
  body       TEXT   NOT NULL,
  reason     TEXT   NOT NULL,
  changed_by TEXT   NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (group_id, version)
);

CREATE TABLE terminals (
  id           TEXT   PRIMARY KEY,
  name         TEXT   NOT NULL,
  group_id     TEXT   NOT NULL REFERENCES groups (id),
  enrolled_at  BIGINT NOT NULL,
  os           TEXT   NOT NULL,
  arch         TEXT   NOT NULL,
  agent        TEXT   NOT NULL,
  revision     BIGINT NOT NULL,
  revised_at   BIGINT NOT NULL, -- when that revision was made: the same rows always compose the same document
  applied      BIGINT NOT NULL DEFAULT 0,
  last_contact BIGINT NOT NULL DEFAULT 0,
  status       TEXT   NOT NULL DEFAULT '{}',
  retired_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX terminals_group ON terminals (group_id, name);

CREATE TABLE certificates (
  serial     TEXT   PRIMARY KEY,
  terminal   TEXT   NOT NULL REFERENCES terminals (id),
  issued_at  BIGINT NOT NULL,
  ends_at    BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX certificates_terminal ON certificates (terminal);

-- A journal is one outbox of one terminal; last and head are where its chain stands.
CREATE TABLE journals (
  id       INTEGER PRIMARY KEY,
  terminal TEXT    NOT NULL REFERENCES terminals (id),
  outbox   TEXT    NOT NULL,
  last     BIGINT  NOT NULL,
  head     BLOB    NOT NULL,
  begun_at BIGINT  NOT NULL,
  UNIQUE (terminal, outbox)
);

-- Events are never changed and never deleted by this program.
CREATE TABLE events (
  id          INTEGER PRIMARY KEY,
  terminal    TEXT    NOT NULL,
  journal     BIGINT  NOT NULL REFERENCES journals (id),
  seq         BIGINT  NOT NULL,
  hash        BLOB    NOT NULL,
  chain_ok    BIGINT  NOT NULL,
  received_at BIGINT  NOT NULL,
  at          BIGINT  NOT NULL,
  kind        TEXT    NOT NULL,
  what        TEXT    NOT NULL,
  outcome     TEXT    NOT NULL,
  violation   BIGINT  NOT NULL,
  severity    TEXT    NOT NULL,
  username    TEXT    NOT NULL,
  serial      TEXT    NOT NULL,
  device      TEXT    NOT NULL,
  grant_id    TEXT    NOT NULL,
  mark        TEXT    NOT NULL,
  request     TEXT    NOT NULL,
  body        TEXT    NOT NULL,
  UNIQUE (journal, seq)
);
CREATE INDEX events_terminal ON events (terminal, id);
CREATE INDEX events_at       ON events (at);
CREATE INDEX events_other    ON events (kind, id) WHERE kind <> 'device';
CREATE INDEX events_grant    ON events (grant_id, at) WHERE grant_id <> '';
CREATE INDEX events_request  ON events (request, id) WHERE request <> '';
CREATE INDEX events_broken   ON events (id) WHERE chain_ok = 0;
CREATE INDEX violations_day      ON events (at, outcome) WHERE violation = 1;
CREATE INDEX violations_terminal ON events (terminal, id) WHERE violation = 1;
CREATE INDEX violations_what     ON events (what, id) WHERE violation = 1;
CREATE INDEX violations_alarm    ON events (id) WHERE violation = 1 AND severity = 'alarm';

-- What people did about a violation; no row is "open".
CREATE TABLE handling (
  event    BIGINT PRIMARY KEY REFERENCES events (id),
  state    TEXT   NOT NULL,
  assignee TEXT   NOT NULL,
  reason   TEXT   NOT NULL,
  at       BIGINT NOT NULL
);

-- Every integrity fault once, however often a terminal repeats it.
CREATE TABLE faults (
  journal BIGINT NOT NULL,
  seq     BIGINT NOT NULL,
  code    TEXT   NOT NULL,
  hash    BLOB   NOT NULL,
  at      BIGINT NOT NULL,
  PRIMARY KEY (journal, seq, code)
);

CREATE TABLE grants (
  n           BIGINT PRIMARY KEY,
  id          TEXT   NOT NULL UNIQUE,
  terminal    TEXT   NOT NULL REFERENCES terminals (id),
  body        TEXT   NOT NULL,
  from_at     BIGINT NOT NULL,
  until_at    BIGINT NOT NULL,
  event       BIGINT NOT NULL,
  reason      TEXT   NOT NULL,
  given_by    TEXT   NOT NULL,
  created_at  BIGINT NOT NULL,
  revoked_at  BIGINT NOT NULL DEFAULT 0,
  revoked_by  TEXT   NOT NULL DEFAULT '',
  revision    BIGINT NOT NULL,
  device_name TEXT   NOT NULL
);
CREATE INDEX grants_terminal ON grants (terminal, until_at);
CREATE INDEX grants_until    ON grants (until_at);

CREATE TABLE tokens (
  id         INTEGER PRIMARY KEY,
  hash       BLOB    NOT NULL UNIQUE,
  group_id   TEXT    NOT NULL REFERENCES groups (id),
  note       TEXT    NOT NULL,
  made_by    TEXT    NOT NULL,
  created_at BIGINT  NOT NULL,
  expires_at BIGINT  NOT NULL,
  used_at    BIGINT  NOT NULL DEFAULT 0,
  used_by    TEXT    NOT NULL DEFAULT '',
  revoked_at BIGINT  NOT NULL DEFAULT 0
);

CREATE TABLE accounts (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  role       TEXT    NOT NULL,
  language   TEXT    NOT NULL,
  theme      TEXT    NOT NULL,
  hash       TEXT    NOT NULL,
  created_at BIGINT  NOT NULL,
  disabled   BIGINT  NOT NULL
);

CREATE TABLE sessions (
  id         INTEGER PRIMARY KEY,
  hash       BLOB    NOT NULL UNIQUE,
  account    BIGINT  NOT NULL REFERENCES accounts (id),
  api        BIGINT  NOT NULL,
  role       TEXT    NOT NULL, -- of an API token that may less than its account; empty is the account's
  note       TEXT    NOT NULL,
  created_at BIGINT  NOT NULL,
  last_seen  BIGINT  NOT NULL,
  expires_at BIGINT  NOT NULL,
  ended_at   BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX sessions_account ON sessions (account, id);

CREATE TABLE sign_ins (
  id      INTEGER PRIMARY KEY,
  name    TEXT    NOT NULL,
  address TEXT    NOT NULL,
  ok      BIGINT  NOT NULL,
  at      BIGINT  NOT NULL
);
CREATE INDEX sign_ins_name ON sign_ins (name, at);

CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

-- Acts of people; every row's hash covers the one before.
CREATE TABLE audits (
  id     BIGINT PRIMARY KEY,
  at     BIGINT NOT NULL,
  actor  TEXT   NOT NULL,
  act    TEXT   NOT NULL,
  object TEXT   NOT NULL,
  detail TEXT   NOT NULL,
  hash   BLOB   NOT NULL
);

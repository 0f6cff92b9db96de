-- +goose Up

-- Where each terminal's lists stand: the tag that both ends know, and the turn, which grows whenever a list begins anew.
CREATE TABLE sheets (
  terminal   TEXT   NOT NULL REFERENCES terminals (id),
  name       TEXT   NOT NULL,
  tag        BLOB   NOT NULL,
  turn       BIGINT NOT NULL,
  items      BIGINT NOT NULL,
  whole      BIGINT NOT NULL, -- 0 while more steps are to come
  begun_at   BIGINT NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (terminal, name)
);

-- Every program once, by all that a rule can ask about it: judged once however many terminals have it.
CREATE TABLE programs (
  id        INTEGER PRIMARY KEY,
  digest    BLOB   NOT NULL UNIQUE,
  kind      TEXT   NOT NULL,
  name      TEXT   NOT NULL,
  version   TEXT   NOT NULL,
  publisher TEXT   NOT NULL,
  signer    TEXT   NOT NULL,
  source    TEXT   NOT NULL,
  origin    TEXT   NOT NULL,
  path      TEXT   NOT NULL,
  hash      TEXT   NOT NULL,
  essential BIGINT NOT NULL
);
CREATE INDEX programs_name ON programs (name, publisher);

-- What is on which terminal. A row of an older turn is known from before, until the list is whole again.
CREATE TABLE software (
  terminal     TEXT   NOT NULL REFERENCES terminals (id),
  item         TEXT   NOT NULL,
  turn         BIGINT NOT NULL,
  program      BIGINT NOT NULL REFERENCES programs (id),
  username     TEXT   NOT NULL,
  installed_at BIGINT NOT NULL,
  first_seen   BIGINT NOT NULL,
  changed_at   BIGINT NOT NULL,
  body         TEXT   NOT NULL, -- as it came: the tag is made of it
  PRIMARY KEY (terminal, item)
);
CREATE INDEX software_program ON software (program, terminal, first_seen, changed_at);

-- A permission is for a medium, or for software: what its body holds.
ALTER TABLE grants ADD COLUMN kind TEXT NOT NULL DEFAULT 'medium';

-- A control of software that somebody prepares and has not published. One for each group.
CREATE TABLE drafts (
  group_id TEXT   PRIMARY KEY REFERENCES groups (id),
  based_on BIGINT NOT NULL, -- version of the group's policy
  body     TEXT   NOT NULL,
  made_by  TEXT   NOT NULL,
  made_at  BIGINT NOT NULL
);

-- What a draft would have done. Any replica shows how far one has come; who runs it looks here whether it was cancelled.
CREATE TABLE dry_runs (
  id       INTEGER PRIMARY KEY,
  group_id TEXT   NOT NULL REFERENCES groups (id),
  state    TEXT   NOT NULL, -- running, done, cancelled, failed
  done     BIGINT NOT NULL,
  total    BIGINT NOT NULL,
  body     TEXT   NOT NULL,
  made_by  TEXT   NOT NULL,
  made_at  BIGINT NOT NULL,
  seen_at  BIGINT NOT NULL -- when it last made progress
);
CREATE INDEX dry_runs_group ON dry_runs (group_id, id);

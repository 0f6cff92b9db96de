-- +goose Up

-- What the checks of a terminal came to. A row of an older turn is known from before, until the list is whole again.
CREATE TABLE health (
  terminal   TEXT   NOT NULL REFERENCES terminals (id),
  item       TEXT   NOT NULL, -- id of the check
  turn       BIGINT NOT NULL,
  result     TEXT   NOT NULL, -- pass, fail, unknown, not_applicable
  code       TEXT   NOT NULL,
  stage      TEXT   NOT NULL,
  waiver     TEXT   NOT NULL,
  product    TEXT   NOT NULL,
  value      TEXT   NOT NULL,
  since      BIGINT NOT NULL,
  changed_at BIGINT NOT NULL,
  body       TEXT   NOT NULL, -- as it came: the tag is made of it
  PRIMARY KEY (terminal, item)
);
CREATE INDEX health_item ON health (item, result, terminal);

-- All results of a terminal in one row, made from the rows above: a page of thousands of terminals reads one row for each.
CREATE TABLE health_lines (
  terminal   TEXT   PRIMARY KEY REFERENCES terminals (id),
  line       TEXT   NOT NULL,
  changed_at BIGINT NOT NULL
);

-- How many terminals of a category had which result at the last count of a day; kept five years.
CREATE TABLE health_days (
  day            TEXT   NOT NULL, -- 2026-11-26 in the office's zone
  group_id       TEXT   NOT NULL,
  item           TEXT   NOT NULL,
  pass           BIGINT NOT NULL,
  fail           BIGINT NOT NULL,
  unknown        BIGINT NOT NULL,
  not_applicable BIGINT NOT NULL,
  waived         BIGINT NOT NULL, -- of fail and unknown
  unreported     BIGINT NOT NULL,
  PRIMARY KEY (day, group_id, item)
);
CREATE INDEX health_days_item ON health_days (item, day);

-- What results are held against. One that was replaced or removed stays for the record.
CREATE TABLE health_references (
  id          INTEGER PRIMARY KEY,
  name        TEXT   NOT NULL,
  kind        TEXT   NOT NULL,
  product     TEXT   NOT NULL, -- id of a probe, of patterns only
  month       TEXT   NOT NULL, -- 2026-11, of a baseline only
  sha256      TEXT   NOT NULL,
  size        BIGINT NOT NULL,
  made_at     BIGINT NOT NULL,
  signed_by   TEXT   NOT NULL, -- empty: nobody
  imported_by TEXT   NOT NULL,
  imported_at BIGINT NOT NULL,
  ended_by    TEXT   NOT NULL DEFAULT '',
  ended_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX health_references_now ON health_references (id) WHERE ended_at = 0;

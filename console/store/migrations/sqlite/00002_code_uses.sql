-- +goose Up

-- An enrolment code may be made for several terminals: how many, how many have come, and which.
ALTER TABLE tokens ADD COLUMN uses BIGINT NOT NULL DEFAULT 1;
ALTER TABLE tokens ADD COLUMN used BIGINT NOT NULL DEFAULT 0;
UPDATE tokens SET used = 1 WHERE used_at <> 0;

-- The code that a terminal came with; 0 is not known.
ALTER TABLE terminals ADD COLUMN token BIGINT NOT NULL DEFAULT 0;
-- Up to here code and terminal were written in one transaction with one moment.
UPDATE terminals SET token = COALESCE(
  (SELECT MAX(k.id) FROM tokens k WHERE k.used_at = terminals.enrolled_at AND k.used_by = terminals.name), 0);
CREATE INDEX terminals_token ON terminals (token, enrolled_at);

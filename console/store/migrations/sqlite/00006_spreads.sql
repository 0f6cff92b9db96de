-- +goose Up

-- What people take for one program: all versions of a name and publisher. A single file that nobody installed is one by its
-- content, as everybody may call a file anything.
CREATE TABLE products (
  id        INTEGER PRIMARY KEY,
  name      TEXT NOT NULL,
  publisher TEXT NOT NULL,
  hash      TEXT NOT NULL,
  UNIQUE (name, publisher, hash)
);
INSERT INTO products (name, publisher, hash)
  SELECT DISTINCT name, publisher, CASE WHEN kind IN ('file', 'script', 'appimage') THEN hash ELSE '' END FROM programs;

ALTER TABLE programs ADD COLUMN product BIGINT NOT NULL DEFAULT 0;
UPDATE programs SET product = (SELECT d.id FROM products d WHERE d.name = programs.name AND d.publisher = programs.publisher
  AND d.hash = CASE WHEN programs.kind IN ('file', 'script', 'appimage') THEN programs.hash ELSE '' END);
CREATE INDEX programs_product ON programs (product);

-- The last number that a program got. None is given twice: a form or a judgement that names one never means another.
CREATE TABLE program_numbers (last BIGINT NOT NULL);
INSERT INTO program_numbers (last) SELECT COALESCE(MAX(id), 0) FROM programs;

-- Which programs of a product a terminal has, and in how many lines of its list.
CREATE TABLE holdings (
  terminal TEXT   NOT NULL REFERENCES terminals (id),
  product  BIGINT NOT NULL,
  program  BIGINT NOT NULL,
  lines    BIGINT NOT NULL,
  PRIMARY KEY (terminal, product, program)
) WITHOUT ROWID;
INSERT INTO holdings (terminal, product, program, lines)
  SELECT s.terminal, p.product, s.program, COUNT(*) FROM software s JOIN programs p ON p.id = s.program GROUP BY s.terminal, p.product, s.program;

-- How far a program is spread among the terminals of a group that are in use, kept with every change of the rows that it is
-- counted from: a page about a whole fleet reads this instead of them.
CREATE TABLE spreads (
  program    BIGINT NOT NULL REFERENCES programs (id),
  group_id   TEXT   NOT NULL REFERENCES groups (id),
  terminals  BIGINT NOT NULL,
  shared     BIGINT NOT NULL, -- of them, those that have another program of the same product as well
  first_seen BIGINT NOT NULL, -- the earliest
  changed_at BIGINT NOT NULL, -- the latest
  PRIMARY KEY (program, group_id)
) WITHOUT ROWID;
INSERT INTO spreads (program, group_id, terminals, shared, first_seen, changed_at)
  SELECT s.program, t.group_id, COUNT(DISTINCT s.terminal), 0, MIN(s.first_seen), MAX(s.changed_at)
  FROM software s JOIN terminals t ON t.id = s.terminal WHERE t.retired_at = 0 GROUP BY s.program, t.group_id;
UPDATE spreads SET shared = several.terminals FROM
  (SELECT h.program, t.group_id, COUNT(*) AS terminals FROM holdings h JOIN terminals t ON t.id = h.terminal
    JOIN (SELECT terminal, product FROM holdings GROUP BY terminal, product HAVING COUNT(*) > 1) AS o ON o.terminal = h.terminal AND o.product = h.product
    WHERE t.retired_at = 0 GROUP BY h.program, t.group_id) AS several
  WHERE spreads.program = several.program AND spreads.group_id = several.group_id;

--
-- Which unique indexes a job can follow: generated columns, columns that cannot be
-- null by a CHECK, partial indexes of all rows, children with keys of their own;
-- and what is said where an index is only near to it
--
SET bulkpar.report = off;
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
-- the index of a table, the plan along it, and a job that follows it
\set follow 'SELECT coalesce(substring(line FROM ''along .*''), substring(line FROM ''(Index Scan using [^ ]+|Seq Scan)'')) AS index FROM bulkpar_explain(:''t'', ''n'', ''n + 1'', 10) line WHERE line ~ ''(along|Scan)''; SELECT rows_changed FROM bulkpar_update(:''t'', ''n'', ''n + 1'', 10);'
\set VERBOSITY terse

-- a stored generated column
CREATE TABLE inv (no int, k text GENERATED ALWAYS AS ('INV-' || lpad(no::text, 6, '0')) STORED PRIMARY KEY, n int DEFAULT 0, part int DEFAULT 1);
INSERT INTO inv (no) SELECT generate_series(1, 500);
\set t inv
:follow
SELECT rows_changed, rows_unchanged FROM bulkpar_update('inv', 'n', 'no % 2', 10, skip_unchanged => true);
SELECT rows_changed FROM bulkpar_update('inv', 'n', '2', 10, stripes => 3);
SELECT rows_changed FROM bulkpar_delete('inv', 'no > 400', 10);
SELECT n, count(*) FROM inv GROUP BY 1;
SELECT bulkpar_update('inv', 'no', 'no + 1');
SELECT bulkpar_update('inv', 'k', 'DEFAULT');
SELECT bulkpar_execute('UPDATE inv SET (n, no) = (1, 2)');
SELECT line FROM bulkpar_explain('inv', 'n', '1') line WHERE line LIKE 'HOT%';
SELECT line FROM bulkpar_explain('inv', 'part', '1') line WHERE line LIKE 'HOT%';
-- one of several columns
CREATE TABLE twice (a int, b int, half int GENERATED ALWAYS AS (a / 2) STORED NOT NULL, c int NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX twice_key ON twice (half, c DESC);
INSERT INTO twice (a, b, c) SELECT g, g, g % 2 FROM generate_series(1, 100) g;
\set t twice
:follow
SELECT rows_changed FROM bulkpar_update('twice', 'b', 'b + 1', 10);
SELECT bulkpar_update('twice', 'a', '1');

-- NULL is excluded by a CHECK
CREATE TABLE checked (name text UNIQUE, other int, n int DEFAULT 0, CONSTRAINT there CHECK (name IS NOT NULL));
INSERT INTO checked SELECT 'u' || g, g FROM generate_series(1, 100) g;
\set t checked
:follow
ALTER TABLE checked DROP CONSTRAINT there, ADD CONSTRAINT there CHECK (n >= 0 AND (name IS NOT NULL AND other > 0) AND other < 1000);
:follow
SELECT rows_changed FROM bulkpar_delete('checked', 'other > 90', 10);
-- not by one that may be null itself, is not about all rows, or an alternative
ALTER TABLE checked DROP CONSTRAINT there, ADD CONSTRAINT there CHECK (name > '');
:follow
ALTER TABLE checked DROP CONSTRAINT there, ADD CONSTRAINT there CHECK (name IS NOT NULL OR n > 0);
:follow
ALTER TABLE checked DROP CONSTRAINT there, ADD CONSTRAINT there CHECK (name IS NOT NULL) NOT VALID;
\set VERBOSITY default
:follow
\set VERBOSITY terse
ALTER TABLE checked VALIDATE CONSTRAINT there;
:follow
-- it is dropped while the job is about its work
SELECT bulkpar_update('checked', 'n', 'n + 1 / (other - 55)', 10, 1, job_name => 'checked');
ALTER TABLE checked DROP CONSTRAINT there;
INSERT INTO checked (other) VALUES (1000), (1001);
\set VERBOSITY default
SELECT max(job_id) AS job FROM bulkpar_jobs \gset
SELECT bulkpar_resume(:job);
\set VERBOSITY terse
DELETE FROM checked WHERE name IS NULL OR other = 55;
ALTER TABLE checked ALTER name SET NOT NULL;
SELECT status FROM bulkpar_update('checked', 'n', 'n + 1 / (other - 55)', 10, 1, job_name => 'checked');

-- an index with a condition that is true for all rows
CREATE TABLE partial (id int NOT NULL, other int, n int DEFAULT 0);
INSERT INTO partial SELECT g, nullif(g, 7) FROM generate_series(1, 100) g;
CREATE UNIQUE INDEX partial_id ON partial (id) WHERE id IS NOT NULL;
\set t partial
:follow
SELECT rows_changed FROM bulkpar_execute('UPDATE ONLY partial SET n = n + 1', 10, stripes => 4);
SELECT rows_changed FROM bulkpar_update('partial', 'n', 'n + 1', 10, key_index => 'partial_id', condition => 'other IS NULL');
ANALYZE partial;
SELECT rows_changed FROM bulkpar_update('partial', 'n', 'n + 1', 10, condition => 'other = 8');
SELECT rows_changed, rows_failed FROM bulkpar_update('partial', 'n', 'n / (id - 20)', 10, on_error => 'skip');
DROP INDEX partial_id;
CREATE UNIQUE INDEX partial_id ON partial (id) WHERE other IS NOT NULL;
\set VERBOSITY default
:follow
\set VERBOSITY terse
UPDATE partial SET other = 7 WHERE id = 7;
ALTER TABLE partial ADD CHECK (other IS NOT NULL);
:follow
DROP INDEX partial_id;
CREATE UNIQUE INDEX partial_id ON partial (id, other DESC) WHERE other IS NOT NULL AND id IS NOT NULL;
:follow
DROP INDEX partial_id;
CREATE UNIQUE INDEX partial_id ON partial (id) WHERE id IS NOT NULL AND id > 0;
:follow
DROP INDEX partial_id;
CREATE UNIQUE INDEX partial_id ON partial (id) WHERE other IS NULL;
:follow

-- a child with a primary key of its own
CREATE TABLE p (a int NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX p_a_idx ON p (a);
CREATE TABLE c (x int PRIMARY KEY) INHERITS (p);
INSERT INTO p SELECT g FROM generate_series(1, 100) g;
INSERT INTO c (a, x) SELECT g, g FROM generate_series(201, 300) g;
SELECT bulkpar_update('p', 'n', 'n + 1');
CREATE UNIQUE INDEX c_a_desc ON c (a DESC);
SELECT rows_changed FROM bulkpar_update('p', 'n', 'n + 1', 10);
SELECT bulkpar_update('p', 'n', 'n + 1', key_index => 'p_a_idx');
CREATE UNIQUE INDEX c_a_idx ON c (a);
SELECT rows_changed FROM bulkpar_update('p', 'n', 'n + 1', 10, key_index => 'p_a_idx');
SELECT rows_changed FROM bulkpar_update('c', 'n', 'n + 1', 10);
SELECT tableoid::regclass, n, count(*) FROM p GROUP BY 1, 2 ORDER BY 1, 2;
SELECT DISTINCT relation FROM bulkpar_chunks WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs) - 1 ORDER BY 1;

-- what is near to it is named
\set VERBOSITY default
CREATE TABLE users (name text UNIQUE, "E mail" text, n int DEFAULT 0);
INSERT INTO users SELECT '@u' || g, g FROM generate_series(1, 100) g;
SELECT bulkpar_update('users', 'n', '1');
SELECT bulkpar_update('users', 'n', '1', key_index => 'users_name_key');
ALTER TABLE users DROP CONSTRAINT users_name_key;
SELECT bulkpar_update('users', 'n', '1');
CREATE INDEX ON users (name);
CREATE UNIQUE INDEX ON users (lower(name));
CREATE UNIQUE INDEX ON users (name) WHERE n = 0;
SELECT bulkpar_update('users', 'n', '1');
CREATE UNIQUE INDEX users_both ON users (name, "E mail") WHERE n IS NOT NULL;
SELECT bulkpar_update('users', 'n', '1');
-- one that is not enforced says nothing, and cannot be validated; before 18 there are none
SELECT CASE WHEN current_setting('server_version_num')::int >= 180000
	THEN 'CHECK (name IS NOT NULL) NOT ENFORCED' ELSE 'CHECK (true)' END AS remark \gset
ALTER TABLE users ADD CONSTRAINT remark :remark;
SELECT bulkpar_update('users', 'n', '1');
ALTER TABLE users DROP CONSTRAINT remark;
ALTER TABLE users ADD CONSTRAINT "a name" CHECK (name IS NOT NULL) NOT VALID;
SELECT bulkpar_update('users', 'n', '1');
CREATE UNIQUE INDEX users_mail ON users ("E mail");
SELECT bulkpar_update('users', 'n', '1');
ALTER TABLE users ALTER COLUMN "E mail" SET NOT NULL;
SELECT rows_changed FROM bulkpar_update('users', 'n', '1');

DROP TABLE inv, twice, checked, partial, p, c, users;

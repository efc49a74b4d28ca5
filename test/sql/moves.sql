--
-- INSERT of what an UPDATE or DELETE returns
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE TABLE events (id int PRIMARY KEY, kind int NOT NULL, body text);
CREATE TABLE archive (id int PRIMARY KEY CHECK (id <> 66), kind int, body text, moved_by text);
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
	TRUNCATE events, archive;
	INSERT INTO events SELECT g, g % 4, 'event ' || g FROM generate_series(1, 100) g $$;
CREATE TABLE kinds (id int PRIMARY KEY, name text);
INSERT INTO kinds VALUES (0, 'zero'), (1, 'one'), (2, 'two');
SELECT fill();
ANALYZE events, kinds;
-- no row is in both, neither, or twice
CREATE VIEW places AS SELECT (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM archive) AS archive,
	(SELECT count(*) FROM events JOIN archive USING (id)) AS both,
	(SELECT count(DISTINCT id) FROM (SELECT id FROM events UNION ALL SELECT id FROM archive) a) AS ids;
CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;

SELECT status, rows_changed, batches, workers, rows_failed FROM bulkpar_execute('WITH moved AS (DELETE FROM events WHERE kind = 1 RETURNING *)
	INSERT INTO archive SELECT * FROM moved', 10, 2);
SELECT * FROM places;
SELECT target, key_index, command, column_names, stripes FROM last_job;
SELECT min(kind), max(kind), min(body), count(DISTINCT body) FROM archive;
-- a row that fails is neither deleted nor inserted, and keeps none of the others
SELECT bulkpar_execute('WITH moved AS (DELETE FROM events RETURNING *) INSERT INTO archive SELECT * FROM moved', 100, 1);
SELECT * FROM places;
SELECT rows_changed, rows_failed FROM bulkpar_execute('WITH moved AS (DELETE FROM events RETURNING *) INSERT INTO archive SELECT * FROM moved', 10,
	on_error => 'skip');
SELECT * FROM places;
SELECT key, sqlstate, constraint_name FROM bulkpar_errors;
-- a failed job goes on
SELECT fill();
INSERT INTO archive VALUES (50);
-- in which chunk that happens depends on what is known of the table's size
\set SHOW_CONTEXT never
SELECT bulkpar_execute('WITH moved AS (DELETE FROM events WHERE id <> 66 RETURNING *) INSERT INTO archive SELECT * FROM moved', 10, 1);
\set SHOW_CONTEXT errors
DELETE FROM archive WHERE id = 50;
SELECT job_id AS job FROM last_job \gset
SELECT status, rows_changed FROM bulkpar_resume(:job, 2, 3);
SELECT * FROM places;
-- joins, in either part; some of what is deleted; what conflicts is gone
SELECT fill();
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM events e USING kinds k WHERE k.id = e.kind AND k.name <> ''zero'' AND e.id < 50 RETURNING e.*, k.name)
	INSERT INTO archive SELECT id, kind, body, name FROM moved', 10);
SELECT moved_by, count(*) FROM archive GROUP BY 1 ORDER BY 1;
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM events WHERE id > 80 RETURNING *)
	INSERT INTO archive SELECT m.id, kind, body, k.name FROM moved m LEFT JOIN kinds k ON k.id = m.kind', 10);
SELECT moved_by, count(*) FROM archive GROUP BY 1 ORDER BY 1;
SELECT * FROM places;
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM events RETURNING *)
	INSERT INTO archive SELECT * FROM moved WHERE kind > 1 AND id <> 66', 10);
SELECT * FROM places;
SELECT fill();
INSERT INTO archive SELECT g, -1 FROM generate_series(1, 10) g;
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM events WHERE id <= 20 RETURNING *)
	INSERT INTO archive SELECT * FROM moved ON CONFLICT DO NOTHING', 10);
SELECT * FROM places;
SELECT kind, count(*) FROM archive WHERE kind = -1 GROUP BY 1;
-- several rows of one
SELECT fill();
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM events WHERE id <> 66 RETURNING *)
	INSERT INTO archive SELECT m.id * 100 + k.id FROM moved m, kinds k', 10, 1);
SELECT * FROM places;
-- other items of WITH, and subqueries: evaluated once
SELECT fill();
SELECT rows_changed FROM bulkpar_execute('WITH k AS (SELECT max(id) AS id FROM kinds), moved AS (DELETE FROM events USING k WHERE kind = k.id RETURNING events.*, (SELECT count(*) FROM events) AS n)
	INSERT INTO archive SELECT id, kind, body, n FROM moved WHERE id <> 66', 10);
SELECT moved_by, count(*) FROM archive GROUP BY 1;
-- what was there before
SELECT fill();
SELECT rows_changed FROM bulkpar_execute('WITH old AS (UPDATE events SET body = upper(body) WHERE id % 2 = 0 AND id <> 66 RETURNING id, kind, body)
	INSERT INTO archive SELECT id, kind, lower(body), ''keep'' FROM old', 10);
SELECT command, column_names FROM last_job;
SELECT count(*), min(archive.body), min(events.body) FROM archive JOIN events USING (id) WHERE events.body = upper(archive.body);
SELECT rows_changed FROM bulkpar_execute('WITH old AS (UPDATE events e SET body = o.body FROM events o WHERE o.id = e.id AND e.id % 2 = 1 RETURNING o.*)
	INSERT INTO archive SELECT * FROM old', 10);
SELECT * FROM places;
-- columns of the key stay what they are
SELECT bulkpar_execute('WITH old AS (UPDATE events SET id = id + 1000 RETURNING *) INSERT INTO archive SELECT * FROM old');
-- few rows
CREATE TABLE many (id int PRIMARY KEY, kind int);
INSERT INTO many SELECT g, g FROM generate_series(1, 5000) g;
ANALYZE many;
SELECT fill();
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM many WHERE kind % 500 = 0 RETURNING *) INSERT INTO archive SELECT * FROM moved', 5);
SELECT bool_and(listed), sum(rows_done), sum(rows_changed) FROM bulkpar_chunks JOIN last_job USING (job_id);
SELECT (SELECT count(*) FROM many), count(*) FROM archive;
-- triggers and foreign keys of both
CREATE TABLE log (what text, id int);
CREATE FUNCTION write_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log VALUES (TG_OP || ' ' || TG_TABLE_NAME, coalesce(NEW.id, OLD.id));
	RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER log BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION write_log();
CREATE TRIGGER log AFTER INSERT ON archive FOR EACH ROW EXECUTE FUNCTION write_log();
CREATE TABLE refers (id int PRIMARY KEY REFERENCES events ON DELETE CASCADE);
INSERT INTO refers SELECT id FROM events WHERE id <= 20;
SELECT line FROM bulkpar_explain('WITH moved AS (DELETE FROM events RETURNING *) INSERT INTO archive SELECT * FROM moved') line WHERE line ~ '^(Trigger|Foreign)';
SELECT line FROM bulkpar_explain('INSERT INTO archive SELECT * FROM events') line WHERE line ~ '^(Trigger|Foreign)';
SELECT line FROM bulkpar_explain('INSERT INTO refers SELECT id + 50 FROM events') line WHERE line ~ '^(Trigger|Foreign)';
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM events WHERE id <= 50 RETURNING *) INSERT INTO archive SELECT id + 100000, kind FROM moved', 10);
SELECT what, count(*), count(DISTINCT id) FROM log GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM refers;
DROP TRIGGER log ON events;
DROP TRIGGER log ON archive;
DROP TABLE refers;
-- partitions: to a table beside them, and from one to its own parent
CREATE TABLE part (id int PRIMARY KEY, kind int, body text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (51);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (51) TO (101);
SELECT fill();
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM events RETURNING *) INSERT INTO part SELECT * FROM moved', 10);
SELECT tableoid::regclass, count(*) FROM part GROUP BY 1 ORDER BY 1;
ANALYZE part;
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM part WHERE id > 40 AND id <> 66 RETURNING *) INSERT INTO archive SELECT * FROM moved', 10);
SELECT tableoid::regclass, count(*) FROM part GROUP BY 1 ORDER BY 1;
SELECT bulkpar_execute('WITH moved AS (DELETE FROM part_1 RETURNING *) INSERT INTO part SELECT id + 50 FROM moved');
SELECT bulkpar_execute('WITH moved AS (DELETE FROM part RETURNING *) INSERT INTO part_2 SELECT id + 50 FROM moved');
-- privileges are those of the owner of the job, and so are policies
CREATE ROLE bulkpar_mover;
GRANT SELECT, DELETE ON events TO bulkpar_mover;
GRANT SELECT ON archive TO bulkpar_mover;
SELECT fill();
SET ROLE bulkpar_mover;
SELECT bulkpar_execute('WITH moved AS (DELETE FROM events RETURNING *) INSERT INTO archive SELECT * FROM moved');
RESET ROLE;
GRANT INSERT (id, kind) ON archive TO bulkpar_mover;
SET ROLE bulkpar_mover;
SELECT bulkpar_execute('WITH moved AS (DELETE FROM events RETURNING *) INSERT INTO archive SELECT * FROM moved');
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM events WHERE id <= 10 RETURNING *) INSERT INTO archive (id, kind) SELECT id, kind FROM moved', 4);
SELECT bulkpar_execute('WITH old AS (UPDATE events SET kind = 1 RETURNING *) INSERT INTO archive (id) SELECT id FROM old');
RESET ROLE;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE archive ENABLE ROW LEVEL SECURITY;
CREATE POLICY reads ON events FOR SELECT USING (kind <= 2);
CREATE POLICY deletes ON events FOR DELETE USING (kind >= 1);
CREATE POLICY inserts ON archive FOR INSERT WITH CHECK (kind = 1 OR id > 50);
SET ROLE bulkpar_mover;
SELECT bulkpar_execute('WITH moved AS (DELETE FROM events WHERE id IS NOT NULL RETURNING *) INSERT INTO archive (id, kind) SELECT id, kind FROM moved', 1000);
SELECT rows_changed, rows_failed FROM bulkpar_execute('WITH moved AS (DELETE FROM events WHERE id <> 66 RETURNING *) INSERT INTO archive (id, kind) SELECT id, kind FROM moved', 10,
	on_error => 'skip');
SELECT rows_changed FROM bulkpar_execute('INSERT INTO archive (id, kind) SELECT id + 1000, kind FROM events', 10);
RESET ROLE;
SELECT kind, min(id) <= 50 AS low, max(id) > 50 AS high, count(*) FROM archive WHERE id BETWEEN 11 AND 1000 GROUP BY 1 ORDER BY 1;
SELECT kind, count(*) FROM archive WHERE id > 1000 GROUP BY 1 ORDER BY 1;
DROP POLICY reads ON events;
DROP POLICY deletes ON events;
DROP POLICY inserts ON archive;
ALTER TABLE events DISABLE ROW LEVEL SECURITY;
ALTER TABLE archive DISABLE ROW LEVEL SECURITY;
-- stripes
SELECT fill();
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM events WHERE id <> 66 RETURNING *) INSERT INTO archive SELECT * FROM moved', 10, 1, stripes => 3);
SELECT * FROM places;

-- the plan of a batch
SELECT fill();
ANALYZE events;
SELECT regexp_replace(line, ' +\(cost=.*\)', '') AS line FROM bulkpar_explain('WITH moved AS (DELETE FROM events WHERE kind = 1 RETURNING *) INSERT INTO archive SELECT * FROM moved', 10, 2) line;
SELECT regexp_replace(line, ' +\(cost=.*\)', '') AS line FROM bulkpar_explain('WITH old AS (UPDATE events SET body = upper(body) RETURNING id, body) INSERT INTO archive SELECT id FROM old', 10, 2, sample => true) line
	WHERE line !~ '^(Estimate|Sample)';
SELECT * FROM places;

-- what a foreign key deletes no batch would move
CREATE TABLE nodes (id int PRIMARY KEY, parent int REFERENCES nodes ON DELETE CASCADE);
CREATE TABLE nodes_archive (id int, parent int);
INSERT INTO nodes SELECT i, nullif(i / 2, 0) FROM generate_series(1, 30) AS i;
SELECT bulkpar_execute('WITH moved AS (DELETE FROM nodes RETURNING *) INSERT INTO nodes_archive SELECT * FROM moved', 10);
ALTER TABLE nodes DROP CONSTRAINT nodes_parent_fkey;
CREATE TABLE edges (id int PRIMARY KEY REFERENCES nodes ON DELETE CASCADE);
ALTER TABLE nodes ADD FOREIGN KEY (parent) REFERENCES edges ON DELETE SET NULL NOT VALID;
SELECT bulkpar_execute('WITH moved AS (DELETE FROM nodes RETURNING *) INSERT INTO nodes_archive SELECT * FROM moved', 10, sees_batches => true);
ALTER TABLE nodes DROP CONSTRAINT nodes_parent_fkey;
SELECT rows_changed FROM bulkpar_execute('WITH moved AS (DELETE FROM nodes RETURNING *) INSERT INTO nodes_archive SELECT * FROM moved', 10);
SELECT (SELECT count(*) FROM nodes) AS nodes, count(parent) AS parents, count(DISTINCT id) AS archived FROM nodes_archive;
DROP TABLE edges, nodes, nodes_archive;

SET client_min_messages = warning;
DROP VIEW places, last_job;
DROP TABLE events, archive, kinds, many, log, part;
DROP FUNCTION fill, write_log;
DROP ROLE bulkpar_mover;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;

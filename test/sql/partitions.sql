--
-- Partitions and inheritance trees: one job goes through all tables of them
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
SET client_min_messages = warning;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
DROP ROLE IF EXISTS regress_bulkpar_frank;
CREATE ROLE regress_bulkpar_frank LOGIN;
\set message '\\echo :LAST_ERROR_MESSAGE'

CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
-- The parts of the last job, and whether the chunks of each are a chain from the
-- first key to its end key, all done.
CREATE VIEW parts AS
SELECT p.relation, p.key_index::regclass AS key_index, p.gone,
	coalesce(sum(c.rows_changed), 0) AS rows_changed, p.end_key IS NULL AS empty,
	coalesce(bool_and(c.status = 'succeeded' AND c.last_key = c.hi
			AND c.lo IS NOT DISTINCT FROM c.previous_hi)
		AND max(c.hi) FILTER (WHERE c.is_last) = p.end_key, p.end_key IS NULL) AS complete
FROM last_job j JOIN bulkpar.bulkpar_part p USING (job_id) LEFT JOIN (
	SELECT *, lag(hi) OVER w AS previous_hi, lead(chunk_no) OVER w IS NULL AS is_last
	FROM bulkpar_chunks WINDOW w AS (PARTITION BY job_id, part_no ORDER BY chunk_no)) c
	ON c.job_id = p.job_id AND c.part_no = p.part_no AND c.relation = p.relation
GROUP BY p.part_no, p.relation, p.key_index, p.gone, p.end_key
ORDER BY p.part_no;

--
-- BY RANGE, with a partition that has another column order and a dropped
-- column, one that is partitioned itself, one that is empty, and a DEFAULT
--
CREATE TABLE event (id int NOT NULL, day date NOT NULL, kind text NOT NULL, n int NOT NULL DEFAULT 0,
	note text, PRIMARY KEY (id, day, kind)) PARTITION BY RANGE (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE event_2 (gone int, note text, n int NOT NULL DEFAULT 0, kind text NOT NULL, day date NOT NULL,
	id int NOT NULL);
ALTER TABLE event_2 DROP COLUMN gone;
ALTER TABLE event ATTACH PARTITION event_2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM ('2024-03-01') TO ('2024-04-01') PARTITION BY LIST (kind);
CREATE TABLE event_3_a PARTITION OF event_3 FOR VALUES IN ('a');
CREATE TABLE event_3_b PARTITION OF event_3 FOR VALUES IN ('b', 'c');
CREATE TABLE event_4 PARTITION OF event FOR VALUES FROM ('2024-04-01') TO ('2024-05-01');
CREATE TABLE event_rest PARTITION OF event DEFAULT;
-- ids of January twice, none in April, 20 in June
INSERT INTO event SELECT g, date '2024-01-01' + g % 91, chr(97 + g % 3) FROM generate_series(1, 400) g;
INSERT INTO event SELECT g, date '2024-01-15', 'd' FROM generate_series(1, 50) g;
INSERT INTO event SELECT g, date '2024-06-01', 'e' FROM generate_series(1, 20) g;
ANALYZE event;
CREATE VIEW counts AS SELECT tableoid::regclass AS part, n, count(*) FROM event GROUP BY 1, 2
	ORDER BY tableoid::regclass::text, n;
SELECT * FROM counts;

-- in one stripe and in four; every row once
SELECT status, rows_changed, workers, rows_failed, rows_unchanged
	FROM bulkpar_update('event', 'n', 'n + 1', 10, 2, stripes => 1);
SELECT * FROM counts;
SELECT * FROM parts;
SELECT target, key_index, stripes FROM last_job;
SELECT p.rows_done, p.rows_changed, p.estimated_rows, p.percent FROM bulkpar_progress p JOIN last_job USING (job_id);
SELECT status, rows_changed, workers FROM bulkpar_update('event', 'n', 'n + 1', 10, 2, stripes => 4);
SELECT * FROM counts;
SELECT relation, rows_changed, complete FROM parts;
SELECT rows_changed, workers FROM bulkpar_update('event', ARRAY['n', 'note'], ARRAY['n + 1', 'day || kind'], 7, 3, stripes => 4);
SELECT n, count(*), count(*) FILTER (WHERE note = day || kind) AS noted FROM event GROUP BY n;
-- with a condition, with another table, and where the same value stays
SELECT rows_changed FROM bulkpar_update('event', 'n', 'n + 1', 10, condition => 'kind = ''b''');
SELECT kind, n, count(*) FROM event GROUP BY 1, 2 ORDER BY 1, 2;
CREATE TABLE source AS SELECT g AS id, 100 + g AS v FROM generate_series(1, 30) g;
ANALYZE source;
SELECT rows_changed FROM bulkpar_execute('UPDATE event AS e SET n = s.v FROM source s WHERE s.id = e.id', 10);
SELECT count(*), count(*) FILTER (WHERE n = 100 + id) FROM event WHERE id <= 30;
SELECT count(*) FROM event WHERE id > 30 AND n >= 100;
SELECT rows_changed FROM bulkpar_update('event', 'n', 's.v + 1', 10, from_item => 'source s', condition => 's.id = event.id');
SELECT count(*), count(*) FILTER (WHERE n = 101 + id) FROM event WHERE id <= 30;
SELECT rows_changed, rows_unchanged FROM bulkpar_update('event', 'n', 'greatest(n, 100)', 10, 1, skip_unchanged => true);
UPDATE event SET n = 0;
-- where few rows match their keys are listed
VACUUM (FULL, ANALYZE) event;
SELECT rows_changed, batches, workers FROM bulkpar_update('event', 'n', 'event.n + 100', 4, 2,
	condition => 'id % 100 IN (7, 8)');
SELECT chunk_no, part_no, keys IS NOT NULL AS listed, rows_found, rows_changed FROM bulkpar.bulkpar_chunk JOIN last_job USING (job_id)
	ORDER BY chunk_no;
SELECT bool_and(c.started_at >= j.started_at) AS started_when_claimed FROM bulkpar.bulkpar_chunk c JOIN last_job j USING (job_id);
SELECT relation, rows_changed, empty, complete FROM parts;
SELECT tableoid::regclass AS part, id, day, kind, n FROM event WHERE n >= 100 ORDER BY 1, 2, 3;
UPDATE event SET n = n - 100 WHERE n >= 100;
-- none of them, and more than the planner expects
SELECT rows_changed, batches FROM bulkpar_update('event', 'n', 'n + 100', 4, 2, condition => 'id % 100 = 7 AND id < 0');
SELECT rows_changed FROM bulkpar_update('event', 'n', 'n + 100', 4, 2, condition => 'id % 8 + id % 3 = 0');
SELECT count(*), bool_or(keys IS NULL) FROM bulkpar.bulkpar_chunk JOIN last_job USING (job_id);
UPDATE event SET n = n - 100 WHERE n >= 100;
-- so many more that they are not listed
SELECT rows_changed FROM bulkpar_update('event', 'n', 'n + 100', 4, 2, condition => 'id % 2 + id % 3 = 0');
SELECT bool_and(keys IS NULL) FROM bulkpar.bulkpar_chunk JOIN last_job USING (job_id);
UPDATE event SET n = n - 100 WHERE n >= 100;

-- a batch locks its own partition, and at most the one that the same transaction
-- has left, so that the time does not grow with the square of their number; only
-- in the default partition it locks all
CREATE FUNCTION locked() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
	WHERE l.pid = pg_backend_pid() AND c.relispartition AND c.relkind = 'r' $$;
SELECT rows_changed FROM bulkpar_update('event', 'n', 'locked()', 10, 2);
SELECT tableoid::regclass AS part, max(n) <= 2 AS few_locked FROM event GROUP BY 1 ORDER BY 1;
SELECT rows_changed FROM bulkpar_update('event', 'n', 'locked()', 2, 2, condition => 'id % 100 = 7');
SELECT max(n) <= 2 AS few_locked FROM event WHERE id % 100 = 7 AND kind <> 'e';
UPDATE event SET n = 0;
DROP FUNCTION locked();

-- the target's own statement may be a self-join
SELECT rows_changed FROM bulkpar_execute($$UPDATE event e SET n = o.n + 1 FROM event o
	WHERE o.id = e.id AND o.day = e.day AND o.kind = e.kind$$, 10);
SELECT * FROM counts;
-- rows that fail are left out, with their keys
SELECT status, rows_changed, rows_failed FROM bulkpar_update('event', 'n', 'n + 1 + 0 / (id - 7)', 10, 2, on_error => 'skip');
SELECT e.key, e.sqlstate, c.relation FROM bulkpar_errors e JOIN bulkpar_chunks c USING (job_id, chunk_no)
	JOIN last_job USING (job_id) ORDER BY e.key;
SELECT n, count(*) FROM event GROUP BY n ORDER BY n;
UPDATE event SET n = 2;
-- a partition is a table like any other
SELECT rows_changed FROM bulkpar_update('event_2', 'n', 'n + 1', 10);
SELECT rows_changed FROM bulkpar_execute('UPDATE event_3 SET n = n + 2', 10);
SELECT relation, rows_changed, complete FROM parts;
SELECT * FROM counts;
UPDATE event SET n = 2;

--
-- triggers: a statement trigger of the target once for each batch, with the
-- target's name; row triggers in the partitions
--
CREATE TABLE audit (name text, level text, relation text, batch xid8, id int, rows bigint);
CREATE FUNCTION audit_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit SELECT TG_NAME, TG_LEVEL, TG_TABLE_NAME, pg_current_xact_id(), NULL, count(*)
		FROM old_rows o JOIN new_rows n USING (id, day, kind) WHERE n.n = o.n + 1;
	RETURN NULL;
END $$;
CREATE FUNCTION audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit VALUES (TG_NAME, TG_LEVEL, TG_TABLE_NAME, pg_current_xact_id(), NEW.id, 1);
	RETURN NEW;
END $$;
CREATE TRIGGER on_parent AFTER UPDATE ON event REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION audit_batch();
CREATE TRIGGER on_part AFTER UPDATE ON event_1 REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION audit_batch();
CREATE TRIGGER rows_of_2 BEFORE UPDATE ON event_2 FOR EACH ROW EXECUTE FUNCTION audit_row();
CREATE TRIGGER rows_of_all AFTER UPDATE ON event FOR EACH ROW EXECUTE FUNCTION audit_row();
SELECT rows_changed, batches FROM bulkpar_update('event', 'n', 'n + 1', 10, 2, stripes => 1) \gset
SELECT name, level, relation, count(*) >= :batches AS each_batch, count(DISTINCT batch) = :batches AS each_once,
	sum(rows), max(rows) <= 10 AS within_limit
	FROM audit WHERE level = 'STATEMENT' GROUP BY 1, 2, 3;
SELECT name, relation, count(*), count(DISTINCT id) FROM audit WHERE level = 'ROW' GROUP BY 1, 2 ORDER BY 1, 2;
DROP TRIGGER on_parent ON event;
DROP TRIGGER on_part ON event_1;
DROP TRIGGER rows_of_2 ON event_2;
DROP TRIGGER rows_of_all ON event;

--
-- privileges and row level security are those of the target
--
\set VERBOSITY sqlstate
SET SESSION AUTHORIZATION regress_bulkpar_frank;
SELECT bulkpar_update('event', 'n', 'n + 1'); :message
RESET SESSION AUTHORIZATION;
GRANT UPDATE (n), SELECT (n, id, day) ON event TO regress_bulkpar_frank;
SET SESSION AUTHORIZATION regress_bulkpar_frank;
SELECT bulkpar_update('event', 'n', 'n + 1'); :message
RESET SESSION AUTHORIZATION;
GRANT SELECT (kind) ON event TO regress_bulkpar_frank;
SET SESSION AUTHORIZATION regress_bulkpar_frank;
SELECT rows_changed FROM bulkpar_update('event', 'n', 'n + 1', 10, 2);
SELECT bulkpar_update('event', 'n', 'length(note)'); :message
SELECT bulkpar_update('event_1', 'n', 'n + 1'); :message
SELECT bulkpar_delete('event', 'true'); :message
RESET SESSION AUTHORIZATION;
SELECT n, count(*) FROM event GROUP BY n ORDER BY n;
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
CREATE POLICY chosen ON event USING (kind IN ('a', 'e'));
-- of a partition they do not matter where the statement is about the target
ALTER TABLE event_1 ENABLE ROW LEVEL SECURITY;
SET SESSION AUTHORIZATION regress_bulkpar_frank;
SELECT rows_changed FROM bulkpar_update('event', 'n', 'n + 1', 10, 2);
SELECT count(*) FROM event;
RESET SESSION AUTHORIZATION;
SELECT kind, n, count(*) FROM event GROUP BY 1, 2 ORDER BY 1, 2;
DROP POLICY chosen ON event;
ALTER TABLE event DISABLE ROW LEVEL SECURITY;
ALTER TABLE event_1 DISABLE ROW LEVEL SECURITY;

--
-- what is refused
--
-- columns of the partition key and of the key, at any level
SELECT bulkpar_update('event', 'day', 'day + 1'); :message
SELECT bulkpar_update('event', ARRAY['n', 'kind'], ARRAY['1', '''a''']); :message
SELECT bulkpar_execute('UPDATE event SET (n, kind) = (1, ''b'')'); :message
SELECT bulkpar_update('event', 'id', 'id + 1'); :message
SELECT bulkpar_update('event', 'nothing', '1'); :message
SELECT bulkpar_update('event', 'n', 'nothing'); :message
\set VERBOSITY terse
CREATE TABLE keyed (id int NOT NULL, a int NOT NULL, b int NOT NULL, c int NOT NULL, n int NOT NULL DEFAULT 0)
	PARTITION BY RANGE ((a + b));
CREATE TABLE keyed_1 PARTITION OF keyed FOR VALUES FROM (0) TO (100) PARTITION BY HASH (c);
CREATE TABLE keyed_1_1 PARTITION OF keyed_1 (UNIQUE (id)) FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE keyed_1_2 PARTITION OF keyed_1 (UNIQUE (id)) FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO keyed SELECT g, g / 3, g / 7, g FROM generate_series(1, 100) g;
SELECT bulkpar_update('keyed', 'a', 'a + 1');
SELECT bulkpar_update('keyed', 'b', 'b + 1');
SELECT bulkpar_update('keyed', 'c', 'c + 1');
SELECT bulkpar_execute('UPDATE keyed SET c = DEFAULT');
SELECT rows_changed FROM bulkpar_update('keyed', 'n', 'n + 1', 10, stripes => 4);
SELECT n, count(*) FROM keyed GROUP BY n;
SELECT relation, key_index, rows_changed, complete FROM parts;
-- the partition that lacks an index
\set VERBOSITY default
CREATE TABLE keyed_2 PARTITION OF keyed FOR VALUES FROM (100) TO (200);
SELECT bulkpar_update('keyed', 'n', 'n + 1');
-- a column that none of the indexes may be on
CREATE TABLE keyed_3 (id int NOT NULL, a int NOT NULL, b int NOT NULL, c int NOT NULL, n int NOT NULL);
CREATE UNIQUE INDEX ON keyed_3 (b, n);
DROP TABLE keyed_2;
ALTER TABLE keyed ATTACH PARTITION keyed_3 FOR VALUES FROM (200) TO (300);
SELECT bulkpar_update('keyed', 'n', 'n + 1');
-- stripes where one key cannot be hashed
CREATE TABLE money_part (id money NOT NULL, n int NOT NULL DEFAULT 0) PARTITION BY RANGE (id);
CREATE TABLE money_part_1 PARTITION OF money_part (PRIMARY KEY (id)) FOR VALUES FROM ('1') TO ('100');
INSERT INTO money_part VALUES (1), (2);
SELECT bulkpar_update('money_part', 'n', 'n + 1', stripes => 4);
SELECT rows_changed FROM bulkpar_update('money_part', 'n', 'n + 1');
-- no partitions; a foreign one; a rule on one; the target alone has no rows
CREATE TABLE empty_part (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
SELECT status, rows_changed, batches, workers FROM bulkpar_update('empty_part', 'n', '1');
SELECT target, status, key_index FROM last_job;
SELECT bulkpar_explain('empty_part', 'n', '1');
SELECT bulkpar_update('empty_part', 'm', '1');
SELECT bulkpar_update('empty_part', 'n', 'm');
SELECT bulkpar_update('empty_part', 'n', '1', condition => 'm');
CREATE TABLE empty_part_1 PARTITION OF empty_part FOR VALUES FROM (1) TO (10) PARTITION BY RANGE (id);
SELECT status, rows_changed, batches, workers FROM bulkpar_delete('empty_part', 'true');
CREATE TABLE empty_part_2 PARTITION OF empty_part_1 FOR VALUES FROM (1) TO (10);
SELECT status, rows_changed, batches, workers FROM bulkpar_update('empty_part', 'n', '1');
SELECT * FROM parts;
SELECT status, rows_changed, batches, workers FROM bulkpar_execute('UPDATE ONLY event SET n = 1');
CREATE RULE away AS ON UPDATE TO empty_part_2 DO INSTEAD NOTHING;
SELECT bulkpar_update('empty_part', 'n', '1');
DROP RULE away ON empty_part_2;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nothing FOREIGN DATA WRAPPER nothing;
CREATE TABLE with_foreign (id int NOT NULL, n int) PARTITION BY RANGE (id);
CREATE TABLE with_foreign_1 PARTITION OF with_foreign (PRIMARY KEY (id)) FOR VALUES FROM (1) TO (10);
CREATE FOREIGN TABLE with_foreign_2 PARTITION OF with_foreign FOR VALUES FROM (10) TO (20) SERVER nothing;
SELECT bulkpar_update('with_foreign', 'n', '1');

--
-- key_index
--
CREATE UNIQUE INDEX event_other ON event (kind, id DESC, day);
SELECT rows_changed FROM bulkpar_update('event', 'n', '0', 10, key_index => 'event_other');
SELECT relation, key_index, rows_changed, complete FROM parts;
SELECT j.key_index = 'event_other'::regclass AS named FROM bulkpar.bulkpar_job j JOIN last_job USING (job_id);
SELECT rows_changed FROM bulkpar_execute('UPDATE event SET n = n + 1', 10, key_index => 'event_pkey');
SELECT relation, key_index, rows_changed, complete FROM parts;
SELECT n, count(*) FROM event GROUP BY n;
\set VERBOSITY sqlstate
SELECT bulkpar_update('event', 'n', 'n + 1', key_index => 'event_1_pkey');
CREATE INDEX event_n ON event (n);
SELECT bulkpar_update('event', 'n', 'n + 1', key_index => 'event_n');
SELECT bulkpar_update('event', 'n', 'n + 1', key_index => 'keyed_3_b_n_idx');
-- partitioned indexes that are on one level, and that cannot be followed
CREATE TABLE keyed_one (id int NOT NULL, n int NOT NULL DEFAULT 0, nullable int) PARTITION BY RANGE (id);
CREATE TABLE keyed_one_1 PARTITION OF keyed_one FOR VALUES FROM (1) TO (100);
INSERT INTO keyed_one SELECT generate_series(1, 99);
CREATE UNIQUE INDEX keyed_one_id ON keyed_one (id);
CREATE INDEX keyed_one_n ON keyed_one (n);
CREATE UNIQUE INDEX keyed_one_nullable ON keyed_one (id, nullable);
SELECT rows_changed FROM bulkpar_update('keyed_one', 'n', 'n + 1', 10, key_index => 'keyed_one_id');
SELECT relation, key_index, rows_changed, complete FROM parts;
SELECT bulkpar_update('keyed_one', 'n', 'n + 1', key_index => 'keyed_one_n');
SELECT bulkpar_update('keyed_one', 'n', 'n + 1', key_index => 'keyed_one_nullable');
\set VERBOSITY default
DROP INDEX event_n;

--
-- names, and what is kept of a job
--
SELECT rows_changed FROM bulkpar_update('event', 'n', 'n + 1', 10, job_name => 'event');
SELECT job_name, target, key_index, end_key FROM last_job;
SELECT count(*) FROM bulkpar.bulkpar_part JOIN last_job USING (job_id);
SELECT bulkpar_forget(job_id) IS NOT NULL AS forgotten, job_id FROM last_job \gset
SELECT count(*) FROM bulkpar.bulkpar_part WHERE job_id = :job_id;

--
-- BY LIST and BY HASH; DELETE
--
CREATE TABLE person (id int, land text, n int NOT NULL DEFAULT 0, PRIMARY KEY (id, land)) PARTITION BY LIST (land);
CREATE TABLE person_de PARTITION OF person FOR VALUES IN ('de', 'at');
CREATE TABLE person_fr PARTITION OF person FOR VALUES IN ('fr');
CREATE TABLE person_other PARTITION OF person DEFAULT;
INSERT INTO person SELECT g, ('{de,at,fr,it}'::text[])[1 + g % 4] FROM generate_series(1, 300) g;
CREATE TABLE number (id int PRIMARY KEY, n int NOT NULL DEFAULT 0) PARTITION BY HASH (id);
SELECT format('CREATE TABLE number_%1$s PARTITION OF number FOR VALUES WITH (MODULUS 5, REMAINDER %1$s)', g)
	FROM generate_series(0, 4) g \gexec
INSERT INTO number SELECT generate_series(1, 300);
SELECT rows_changed FROM bulkpar_update('person', 'n', 'n + 1', 10);
SELECT rows_changed FROM bulkpar_update('person', 'n', 'n + 1', 10, stripes => 4);
SELECT land, n, count(*) FROM person GROUP BY 1, 2 ORDER BY 1;
SELECT rows_changed FROM bulkpar_update('number', 'n', 'n + 1', 10, stripes => 1);
SELECT rows_changed FROM bulkpar_update('number', 'n', 'n + 1', 10, stripes => 4);
SELECT n, count(*), count(DISTINCT tableoid) FROM number GROUP BY n;
SELECT count(*), bool_and(complete) FROM parts;
SELECT rows_changed FROM bulkpar_delete('number', 'id % 3 = 0', 10);
SELECT count(*), count(*) FILTER (WHERE id % 3 = 0) FROM number;
SELECT rows_changed FROM bulkpar_delete('person', 's.id = person.id', 10, using_item => 'source s');
SELECT count(*), min(id) FROM person;
SELECT rows_changed FROM bulkpar_execute('DELETE FROM person WHERE land = ''fr''', 10);
SELECT land, count(*) FROM person GROUP BY 1 ORDER BY 1;
SELECT rows_changed FROM bulkpar_delete('number', NULL, 10);
SELECT count(*) FROM number;

--
-- inheritance trees, with and without ONLY
--
CREATE TABLE base (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE child (extra text, PRIMARY KEY (id)) INHERITS (base);
CREATE TABLE grandchild (n int NOT NULL DEFAULT 0, more int, UNIQUE (id)) INHERITS (child);
INSERT INTO base SELECT generate_series(1, 100);
-- keys of another table again
INSERT INTO child SELECT generate_series(51, 150);
INSERT INTO grandchild SELECT generate_series(1, 30);
CREATE VIEW tree AS SELECT tableoid::regclass AS part, n, count(*) FROM base GROUP BY 1, 2 ORDER BY tableoid::regclass::text, n;
SELECT rows_changed FROM bulkpar_update('base', 'n', 'n + 1', 10, stripes => 1);
SELECT rows_changed FROM bulkpar_update('base', 'n', 'n + 1', 10, stripes => 4);
SELECT * FROM tree;
SELECT relation, key_index, rows_changed, complete FROM parts;
SELECT only_target FROM bulkpar.bulkpar_job JOIN last_job USING (job_id);
SELECT rows_changed FROM bulkpar_execute('UPDATE ONLY base SET n = n + 1', 10);
SELECT relation, key_index, rows_changed, complete FROM parts;
SELECT only_target FROM bulkpar.bulkpar_job JOIN last_job USING (job_id);
SELECT rows_changed FROM bulkpar_execute('UPDATE child * SET n = n + 10', 10);
SELECT * FROM tree;
SELECT rows_changed FROM bulkpar_execute('DELETE FROM ONLY base WHERE id > 50', 10);
SELECT rows_changed FROM bulkpar_execute('DELETE FROM base WHERE id > 100', 10);
SELECT * FROM tree;
-- columns that only a child has
SELECT bulkpar_update('base', 'extra', '''x''');
ALTER TABLE child DROP CONSTRAINT child_pkey;
ALTER TABLE child ALTER extra SET DEFAULT 'x';
UPDATE child SET extra = id;
ALTER TABLE child ALTER extra SET NOT NULL, ADD UNIQUE (extra);
SELECT bulkpar_update('base', 'n', 'n + 1');
-- an index of the parent is not one of its children
SELECT bulkpar_update('base', 'n', 'n + 1', key_index => 'base_pkey');
SELECT rows_changed FROM bulkpar_execute('UPDATE ONLY base SET n = n + 1', 10, key_index => 'base_pkey');
SELECT * FROM tree;

--
-- What one DELETE takes from each of several small partitions
--
CREATE TABLE small (id int, kind int, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
SELECT format('CREATE TABLE small_%1$s PARTITION OF small FOR VALUES IN (%1$s)', g) FROM generate_series(1, 4) g \gexec
CREATE FUNCTION fill_small() RETURNS void LANGUAGE sql AS $$
	DELETE FROM small;
	INSERT INTO small SELECT g, kind FROM generate_series(1, 4) kind, generate_series(1, 20 * kind) g
$$;
SELECT fill_small();
ANALYZE small;
SELECT status, rows_changed, batches FROM bulkpar_delete('small', 'id % 2 = 0', 1000, 1);
SELECT relation, rows_changed, complete FROM parts;
SELECT kind, count(*), count(*) FILTER (WHERE id % 2 = 0) AS even FROM small GROUP BY 1 ORDER BY 1;
-- where a trigger deletes others, one partition after the other, ...
CREATE FUNCTION delete_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM small WHERE kind = OLD.kind % 4 + 1 AND id = OLD.id + 1;
	RETURN NULL;
END $$;
CREATE TRIGGER delete_next AFTER DELETE ON small FOR EACH ROW WHEN (OLD.id % 4 = 0 AND pg_trigger_depth() = 0)
	EXECUTE FUNCTION delete_next();
SELECT fill_small();
SELECT status, rows_changed, batches FROM bulkpar_delete('small', 'id % 2 = 0', 1000, 1);
SELECT relation, rows_changed, complete FROM parts;
SELECT kind, count(*), count(*) FILTER (WHERE id % 2 = 0) AS even FROM small GROUP BY 1 ORDER BY 1;
-- ... unless the server does not count
SELECT fill_small();
SET track_counts = off;
SELECT status, rows_changed, batches FROM bulkpar_delete('small', 'id % 2 = 0', 1000, 1);
RESET track_counts;
SELECT relation, rows_changed, complete FROM parts;
DROP TABLE small;
DROP FUNCTION fill_small, delete_next;

-- all jobs that have succeeded are complete
SELECT DISTINCT status, percent, time_left FROM bulkpar_progress;
SELECT backend_type FROM pg_stat_activity WHERE datname = current_database() AND backend_type LIKE 'bulkpar%';

DROP VIEW parts, last_job, counts, tree;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
DROP TABLE event, source, audit, keyed, keyed_one, money_part, empty_part, with_foreign, person, number, base, child, grandchild;
DROP FUNCTION audit_batch, audit_row;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
DROP ROLE regress_bulkpar_frank;

--
-- Tables that foreign keys change while batches read them
--
SET bulkpar.report = off;
SET bulkpar.workers = 1;
CREATE FUNCTION make(actions text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	s text;
BEGIN
	FOREACH s IN ARRAY '{one,jobs}'::text[] LOOP
		EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', s);
		EXECUTE format('CREATE SCHEMA %I', s);
		PERFORM set_config('search_path', s || ', public', true);
		CREATE TABLE person (id int PRIMARY KEY, code int NOT NULL UNIQUE, boss int, n int DEFAULT 0);
		CREATE TABLE report (id int PRIMARY KEY, creator int DEFAULT 1, resolver int, code int);
		CREATE TABLE item (id int PRIMARY KEY, report int NOT NULL, other int);
		EXECUTE format('ALTER TABLE report ADD FOREIGN KEY (creator) REFERENCES person (id) %1$s,
			ADD FOREIGN KEY (code) REFERENCES person (code) %1$s', actions);
		ALTER TABLE item ADD FOREIGN KEY (report) REFERENCES report ON DELETE CASCADE ON UPDATE CASCADE;
		INSERT INTO person SELECT g, g, 101 - g FROM generate_series(1, 100) g;
		INSERT INTO report SELECT g, CASE WHEN g % 2 = 0 THEN g ELSE g % 80 + 1 END, 101 - g, CASE WHEN g % 3 = 0 THEN g END FROM generate_series(1, 100) g;
		INSERT INTO item SELECT g, g % 60 + 1, g % 50 + 1 FROM generate_series(1, 100) g;
	END LOOP;
END $$;
CREATE FUNCTION rows_of(s text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('search_path', s || ', public', true);
	RETURN (SELECT coalesce(string_agg(r, ' ' ORDER BY r), '') FROM (SELECT 'p' || p::text FROM person p
		UNION ALL SELECT 'r' || r::text FROM report r UNION ALL SELECT 'i' || i::text FROM item i) a(r));
END $$;
-- the statement, and a job that does it
CREATE FUNCTION steps(actions text, statement text) RETURNS SETOF text LANGUAGE sql AS $$
	VALUES (format('DO %L', format('BEGIN PERFORM make(%L); END', actions))),
		('SET search_path = one, public'), (statement), ('SET search_path = jobs, public'),
		(format('SELECT substring(bulkpar_explain, ''^(.*) \('') AS once FROM bulkpar_explain(%L, 7) WHERE bulkpar_explain LIKE ''Evaluated once%%''', statement)),
		(format('SELECT status, rows_changed FROM bulkpar_execute(%L, 7)', statement)),
		('SELECT rows_of(''one'') = rows_of(''jobs'') AS same')
$$;
SET client_min_messages = warning;

-- what foreign keys change is evaluated once
SELECT steps('ON DELETE CASCADE', 'DELETE FROM person WHERE id IN (SELECT resolver FROM report)') \gexec
SELECT steps('ON DELETE SET NULL', 'DELETE FROM person WHERE id NOT IN (SELECT creator FROM report WHERE creator IS NOT NULL) OR id < 20') \gexec
SELECT steps('ON DELETE SET DEFAULT', 'DELETE FROM person WHERE id > 1 AND id IN (SELECT creator FROM report WHERE code IS NULL) AND id % 2 = 0') \gexec
SELECT steps('ON DELETE CASCADE', 'DELETE FROM person USING report r WHERE r.resolver = person.id AND r.id > 50') \gexec
SELECT steps('ON DELETE CASCADE', 'DELETE FROM person USING (SELECT i.other FROM item i) s WHERE s.other = person.id') \gexec
SELECT steps('ON UPDATE CASCADE', 'UPDATE person SET code = code + 1000 WHERE id IN (SELECT resolver FROM report WHERE code < 1000)') \gexec
SELECT steps('ON UPDATE CASCADE', 'UPDATE person SET code = person.code + 1000, n = r.code FROM report r WHERE r.resolver = person.id AND r.code IS NOT NULL') \gexec
-- but not if the columns that they refer to stay as they are
SELECT steps('ON UPDATE CASCADE', 'UPDATE person SET n = n + 1 WHERE id IN (SELECT resolver FROM report WHERE code < 1000)') \gexec
-- nor what refers to the row that is deleted
SELECT steps('ON DELETE CASCADE', 'DELETE FROM person WHERE NOT EXISTS (SELECT FROM report r WHERE r.creator = person.id AND r.code = person.code)') \gexec
SELECT steps('ON DELETE CASCADE', 'DELETE FROM person WHERE EXISTS (SELECT FROM report r JOIN item i ON i.report = r.id WHERE person.id = r.creator AND r.code = person.code AND i.other > 3)') \gexec
SELECT steps('ON UPDATE CASCADE', 'UPDATE person SET code = code + 1000, n = (SELECT count(*) FROM report r WHERE r.code = person.code)') \gexec
SELECT steps('ON UPDATE CASCADE', 'UPDATE person SET code = code + 1000 WHERE code IN (SELECT code FROM report)') \gexec
SELECT steps('ON UPDATE SET NULL', 'UPDATE person SET code = code + 1000 WHERE code NOT IN (SELECT code FROM report WHERE code IS NOT NULL) OR id < 20') \gexec

-- nor where it only changes columns that are not read
SELECT steps('ON DELETE SET NULL', 'DELETE FROM person WHERE id % 5 = 1 OR NOT EXISTS (SELECT * FROM report r WHERE r.creator = person.id AND r.id > 3)') \gexec

-- for each row that cannot be, and is refused
SELECT steps('ON DELETE CASCADE', 'DELETE FROM person WHERE NOT EXISTS (SELECT FROM report r WHERE r.resolver = person.id AND r.id > 3)') \gexec
SELECT bulkpar_execute('DELETE FROM person WHERE NOT EXISTS (SELECT FROM report r WHERE r.creator = person.id)', 7);
SELECT bulkpar_execute('DELETE FROM person WHERE NOT EXISTS (SELECT FROM report r WHERE r.creator = person.id AND (r.code = person.code OR r.id = 3))', 7);
SELECT bulkpar_execute('DELETE FROM person WHERE EXISTS (SELECT FROM item i WHERE i.other = person.id)', 7);
SELECT bulkpar_execute('DELETE FROM person WHERE EXISTS (SELECT FROM report r JOIN item i ON i.other = r.id WHERE r.creator = person.id AND r.code = person.code)', 7);
SELECT bulkpar_execute('DELETE FROM person WHERE EXISTS (SELECT FROM report r LEFT JOIN item i ON i.report = r.id WHERE r.creator = person.id AND r.code = person.code AND i.id IS NULL)', 7);
DO $$ BEGIN PERFORM make('ON DELETE SET DEFAULT'); END $$;
SELECT bulkpar_execute('DELETE FROM person WHERE id > 1 AND EXISTS (SELECT FROM report r WHERE r.creator = person.id AND r.code = person.code)', 7);
-- unless it may see them
SELECT status, rows_changed BETWEEN 1 AND 100 AS some FROM bulkpar_delete('person', 'EXISTS (SELECT FROM item i WHERE i.other = person.id) AND id > 1', 7, sees_batches => true);
-- what does nothing changes nothing
SELECT steps('', 'DELETE FROM person WHERE id > 80 AND id % 2 = 1 AND code % 3 > 0 AND EXISTS (SELECT FROM item i WHERE i.other = 101 - person.id) AND NOT EXISTS (SELECT FROM report r WHERE r.code = person.code)') \gexec

-- partitions, on either side
CREATE SCHEMA parts;
SET search_path = parts, public;
CREATE TABLE whole (id int, kind int, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE whole_1 PARTITION OF whole FOR VALUES IN (1);
CREATE TABLE whole_2 (kind int, id int, PRIMARY KEY (id, kind));
ALTER TABLE whole ATTACH PARTITION whole_2 FOR VALUES IN (2);
CREATE TABLE sub (id int, kind int, w int, other int, PRIMARY KEY (id, kind), FOREIGN KEY (w, kind) REFERENCES whole (id, kind) ON DELETE CASCADE) PARTITION BY LIST (kind);
CREATE TABLE sub_1 PARTITION OF sub FOR VALUES IN (1);
CREATE TABLE sub_2 PARTITION OF sub FOR VALUES IN (2);
INSERT INTO whole SELECT g, 1 + g % 2 FROM generate_series(1, 100) g;
INSERT INTO sub SELECT g, 1 + g % 2, g, 101 - g FROM generate_series(1, 100, 3) g;
SELECT bulkpar_execute('DELETE FROM whole WHERE EXISTS (SELECT FROM sub_2 s WHERE s.other = whole.id)', 7);
SELECT bulkpar_execute('DELETE FROM whole_2 WHERE EXISTS (SELECT FROM sub s WHERE s.w = whole_2.id)', 7);
SELECT count(*) AS plain FROM whole_2 WHERE id IN (SELECT other FROM sub);
SELECT rows_changed FROM bulkpar_execute('DELETE FROM whole_2 w WHERE w.id IN (SELECT other FROM sub)', 7);
SELECT count(*) AS plain FROM whole_1 WHERE EXISTS (SELECT FROM sub_1 s WHERE s.w = whole_1.id AND s.kind = whole_1.kind AND s.w > 50);
SELECT rows_changed FROM bulkpar_execute('DELETE FROM whole_1 WHERE EXISTS (SELECT FROM sub_1 s WHERE s.w = whole_1.id AND s.kind = whole_1.kind AND s.w > 50)', 7);
SELECT count(*) AS plain FROM whole WHERE NOT EXISTS (SELECT FROM sub s WHERE s.kind = whole.kind AND s.w = whole.id);
SELECT rows_changed FROM bulkpar_execute('DELETE FROM whole WHERE NOT EXISTS (SELECT FROM sub s WHERE s.kind = whole.kind AND s.w = whole.id)', 7);
SELECT count(*), (SELECT count(*) FROM sub) FROM whole;

-- what looks as if it were tied to the row, and is not
SELECT steps('ON DELETE CASCADE', 'DELETE FROM person WHERE code IN (SELECT r.code FROM report r WHERE r.creator = person.id AND r.id > person.n ORDER BY r.id LIMIT 4)') \gexec
SELECT steps('ON UPDATE CASCADE', 'UPDATE person SET code = code + 1000 WHERE id = 1 OR code NOT IN (SELECT r.code FROM item i LEFT JOIN report r ON r.id = i.other AND r.code IS NOT NULL WHERE i.other % 3 = 0)') \gexec
SELECT steps('ON DELETE CASCADE', 'DELETE FROM person USING person other JOIN report r ON r.creator = other.id AND r.code = other.code WHERE other.boss = person.id') \gexec
-- the rows of children, a column that is made of another one, a collation that finds more
CREATE SCHEMA kinds;
SET search_path = kinds, public;
CREATE TABLE p (id int PRIMARY KEY, a int, code int GENERATED ALWAYS AS (a) STORED UNIQUE);
CREATE TABLE c () INHERITS (p);
ALTER TABLE c ADD PRIMARY KEY (id);
CREATE TABLE r (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, code int REFERENCES p (code) ON UPDATE CASCADE, y int);
INSERT INTO p SELECT g, g FROM generate_series(1, 40) g;
INSERT INTO r SELECT g, g, g, 41 - g FROM generate_series(1, 40) g;
SELECT bulkpar_execute('DELETE FROM p WHERE a % 2 = 1 OR NOT EXISTS (SELECT FROM r WHERE r.p = p.id)', 3);
SELECT count(*) AS plain FROM p WHERE id IN (SELECT y FROM r WHERE code < 1000);
SELECT rows_changed FROM bulkpar_execute('UPDATE p SET a = a + 1000 WHERE id IN (SELECT y FROM r WHERE code < 1000)', 3);
CREATE TABLE remains (id int PRIMARY KEY, c int);
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE word (id text PRIMARY KEY);
CREATE TABLE used (word text REFERENCES word ON DELETE CASCADE);
SELECT bulkpar_execute('DELETE FROM word WHERE id < ''F'' OR NOT EXISTS (SELECT FROM used u WHERE u.word COLLATE ci = word.id)', 3);

SELECT bulkpar_execute('WITH u AS (UPDATE p SET a = a - 1 RETURNING id, (SELECT count(*) FROM r WHERE r.code = p.code) AS c) INSERT INTO remains SELECT id, c FROM u', 3);
CREATE TABLE w (id int, kind int, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE w_1 PARTITION OF w (UNIQUE (id)) FOR VALUES IN (1);
CREATE TABLE w_2 PARTITION OF w FOR VALUES IN (2);
CREATE TABLE of_w (w int REFERENCES w_1 (id) ON DELETE CASCADE);
SELECT bulkpar_execute('DELETE FROM w WHERE kind = 1 OR NOT EXISTS (SELECT FROM of_w o WHERE o.w = w.id)', 3);
SELECT rows_changed FROM bulkpar_execute('DELETE FROM w_1 WHERE NOT EXISTS (SELECT FROM of_w o WHERE o.w = w_1.id)', 3);

-- other statements that change rows
CREATE TABLE archive (id int PRIMARY KEY, reports int);
SELECT bulkpar_execute('WITH d AS (DELETE FROM p RETURNING *) INSERT INTO archive SELECT d.id, (SELECT count(*) FROM r WHERE r.y = d.id) FROM d', 3);
SELECT bulkpar_execute('WITH d AS (DELETE FROM p RETURNING *) INSERT INTO archive SELECT d.id, r.id FROM d JOIN r ON r.y = d.id', 3);
CREATE TABLE s (id int PRIMARY KEY);
INSERT INTO s SELECT generate_series(1, 40);
CREATE TABLE b (id int PRIMARY KEY, code int UNIQUE);
INSERT INTO b SELECT g, g FROM generate_series(1, 40) g;
CREATE TABLE of_b (code int REFERENCES b (code) ON UPDATE CASCADE ON DELETE CASCADE, y int);
INSERT INTO of_b SELECT g, 41 - g FROM generate_series(1, 40) g;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO b SELECT id, id + 1000 FROM s WHERE id IN (SELECT y FROM of_b WHERE code < 1000) ON CONFLICT (id) DO UPDATE SET code = excluded.code', 3);
SELECT rows_changed FROM bulkpar_execute('MERGE INTO b USING (SELECT id FROM s WHERE id IN (SELECT y FROM of_b)) s ON b.id = s.id WHEN MATCHED THEN DELETE', 3);
SELECT count(*) FROM b;

-- rows of the table itself
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON DELETE SET NULL, n int DEFAULT 0);
INSERT INTO tree SELECT g, CASE WHEN g > 5 THEN g - 5 END FROM generate_series(1, 100) g;
SELECT bulkpar_delete('tree', 'parent IS NULL', 7);
SELECT rows_changed FROM bulkpar_delete('tree', 'id IN (SELECT id FROM tree WHERE parent IS NULL)', 7);
SELECT rows_changed FROM bulkpar_update('tree', 'n', 'coalesce(parent, 0)', 7);
SELECT rows_changed FROM bulkpar_delete('tree', 'id > 90', 7);
-- how many depends on how large the batches get
SELECT status, rows_changed >= 5 AS roots FROM bulkpar_delete('tree', 'parent IS NULL', 7, 1, sees_batches => true);

-- explain names statement triggers of what they change
DO $$ BEGIN PERFORM make('ON DELETE CASCADE ON UPDATE SET NULL'); END $$;
SET search_path = jobs, public;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER own AFTER DELETE OR UPDATE ON person EXECUTE FUNCTION nothing();
CREATE TRIGGER deleted AFTER DELETE ON report EXECUTE FUNCTION nothing();
CREATE TRIGGER updated AFTER UPDATE ON report EXECUTE FUNCTION nothing();
CREATE TRIGGER further BEFORE DELETE ON item EXECUTE FUNCTION nothing();
CREATE TRIGGER inserted AFTER INSERT ON item EXECUTE FUNCTION nothing();
CREATE TRIGGER each_row AFTER DELETE ON item FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT bulkpar_explain FROM bulkpar_explain('person', 'id > 7') WHERE bulkpar_explain LIKE '%trigger%';
SELECT bulkpar_explain FROM bulkpar_explain('person', 'code', 'code + 1000') WHERE bulkpar_explain LIKE '%trigger%';
SELECT bulkpar_explain FROM bulkpar_explain('person', 'n', 'n + 1') WHERE bulkpar_explain LIKE '%trigger%';

RESET ALL;
SET client_min_messages = warning;
DROP SCHEMA one, jobs, parts, kinds CASCADE;
DROP FUNCTION make, rows_of, steps;

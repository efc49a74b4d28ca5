--
-- Tables that foreign keys change while batches read them
--
SET bulkpar.report = off;
SET bulkpar.workers = 2;
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
SELECT steps('', 'DELETE FROM person WHERE id > 80 AND code % 3 > 0 AND EXISTS (SELECT FROM item i WHERE i.other = 101 - person.id) AND NOT EXISTS (SELECT FROM report r WHERE r.code = person.code)') \gexec

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
DROP SCHEMA one, jobs, parts CASCADE;
DROP FUNCTION make, rows_of, steps;

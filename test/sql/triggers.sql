--
-- Triggers and rules: as for an UPDATE of each batch
--
SET bulkpar.report = off;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, name text, changes int NOT NULL DEFAULT 0);
INSERT INTO item SELECT g, 0, 'item ' || g FROM generate_series(1, 100) g;
CREATE VIEW counts AS SELECT n, changes, count(*), min(id), max(id) FROM item GROUP BY 1, 2 ORDER BY 1, 2;
CREATE TABLE audit (trigger text, id int, old_n int, new_n int, rows bigint, ids bigint);

-- a BEFORE trigger changes the row
CREATE FUNCTION change_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.changes := OLD.changes + 1;
	RETURN NEW;
END $$;
CREATE TRIGGER a_change BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION change_row();
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1', 10, 3);
SELECT * FROM counts;

-- a BEFORE trigger keeps rows from being changed: they are not counted, but
-- their batches are done
CREATE FUNCTION skip_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RETURN CASE WHEN OLD.id <= 15 THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER b_skip BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION skip_row();
SELECT status, rows_changed, batches FROM bulkpar_update('item', 'n', 'n + 1', 10, 3);
SELECT * FROM counts;
DROP TRIGGER b_skip ON item;

-- AFTER ROW triggers: one plain, one that watches a column, one with a condition
CREATE FUNCTION audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit VALUES (TG_NAME, NEW.id, OLD.n, NEW.n);
	RETURN NULL;
END $$;
CREATE TRIGGER every AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION audit_row();
CREATE TRIGGER of_name AFTER UPDATE OF name ON item FOR EACH ROW EXECUTE FUNCTION audit_row();
CREATE TRIGGER one_row AFTER UPDATE ON item FOR EACH ROW WHEN (NEW.id = 50) EXECUTE FUNCTION audit_row();
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 10', 10, 3);
SELECT trigger, count(*), count(DISTINCT id), min(new_n - old_n), max(new_n - old_n)
	FROM audit GROUP BY 1 ORDER BY 1;
DROP TRIGGER every ON item;
DROP TRIGGER of_name ON item;
DROP TRIGGER one_row ON item;
TRUNCATE audit;

-- statement triggers fire once for each batch, and see its rows
CREATE FUNCTION audit_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_WHEN = 'BEFORE' THEN
		INSERT INTO audit (trigger) VALUES (TG_NAME);
	ELSE
		INSERT INTO audit (trigger, rows, ids) SELECT TG_NAME, count(*), count(DISTINCT o.id)
			FROM old_rows o JOIN new_rows n ON n.id = o.id AND n.n = o.n + 100;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER before_batch BEFORE UPDATE ON item FOR EACH STATEMENT EXECUTE FUNCTION audit_statement();
CREATE TRIGGER after_batch AFTER UPDATE ON item REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION audit_statement();
SELECT rows_changed, batches FROM bulkpar_update('item', 'n', 'n + 100', 30, 3);
SELECT trigger, rows, ids, count(*) FROM audit GROUP BY 1, 2, 3 ORDER BY 1, 2;
DROP TRIGGER before_batch ON item;
DROP TRIGGER after_batch ON item;
TRUNCATE audit;

-- a deferred constraint trigger fires when its batch commits, with what is
-- committed then
CREATE FUNCTION audit_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit (trigger, rows) SELECT TG_NAME, count(*) FROM item WHERE name = NEW.name;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON item DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION audit_commit();
SELECT rows_changed FROM bulkpar_update('item', 'name', '''batch '' || (id - 1) / 10', 10, 3);
SELECT trigger, rows, count(*) FROM audit GROUP BY 1, 2;
DROP TRIGGER at_commit ON item;
TRUNCATE audit;

-- a trigger that changes the row once more, and one row that all batches change
CREATE TABLE total (sum bigint);
INSERT INTO total VALUES (0);
CREATE FUNCTION change_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.n < 1000 THEN
		UPDATE item SET n = n + 1000 WHERE id = NEW.id;
		UPDATE total SET sum = sum + 1;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER again AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION change_again();
SELECT rows_changed FROM bulkpar_update('item', 'n', '1', 10, 3);
SELECT * FROM counts;
SELECT * FROM total;
DROP TRIGGER again ON item;

-- triggers that are disabled, or are for replicas or always
CREATE TRIGGER normal AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION audit_row();
CREATE TRIGGER always AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION audit_row();
CREATE TRIGGER replica AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION audit_row();
CREATE TRIGGER disabled AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION audit_row();
ALTER TABLE item ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica, DISABLE TRIGGER disabled;
SELECT rows_changed FROM bulkpar_update('item', 'n', '2', 10, 3);
SELECT trigger, count(*) FROM audit GROUP BY 1 ORDER BY 1;
TRUNCATE audit;
SET session_replication_role = replica;
SELECT rows_changed FROM bulkpar_update('item', 'n', '3', 10, 3);
RESET session_replication_role;
SELECT trigger, count(*) FROM audit GROUP BY 1 ORDER BY 1;
SELECT * FROM counts;

-- rules: one on UPDATE would make other statements of the batches, also a
-- conditional one, or one that only adds something
CREATE TABLE ruled (id int PRIMARY KEY, n int DEFAULT 0);
INSERT INTO ruled VALUES (1);
CREATE RULE also AS ON UPDATE TO ruled DO ALSO NOTIFY ruled;
SELECT bulkpar_update('ruled', 'n', 'n + 1');
CREATE OR REPLACE RULE also AS ON UPDATE TO ruled WHERE OLD.id > 100 DO INSTEAD NOTHING;
SELECT bulkpar_update('ruled', 'n', 'n + 1');
DROP RULE also ON ruled;
-- one on INSERT does not matter
CREATE RULE also AS ON INSERT TO ruled DO ALSO NOTIFY ruled;
SELECT rows_changed FROM bulkpar_update('ruled', 'n', 'n + 1');
SELECT * FROM ruled;

DROP VIEW counts;
DROP TABLE item, audit, total, ruled;
DROP FUNCTION change_row, skip_row, audit_row, audit_statement, audit_commit, change_again;

--
-- What foreign keys change of the tables that a statement goes through itself
--
SET bulkpar.report = off;
SET bulkpar.workers = 1;
CREATE ROLE regress_bulkpar_reader;
CREATE SCHEMA acted;
GRANT USAGE ON SCHEMA acted TO regress_bulkpar_reader;
SET search_path = acted, public;
\set VERBOSITY terse

-- what is generated from a column that they change, and what is not
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON DELETE SET NULL,
	is_root bool GENERATED ALWAYS AS (parent IS NULL) STORED, twice int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO tree SELECT g, CASE WHEN g > 5 THEN g - 5 END FROM generate_series(1, 100) g;
SELECT bulkpar_delete('tree', 'is_root', 7);
SELECT rows_changed FROM bulkpar_delete('tree', 'id IN (SELECT id FROM tree WHERE is_root)', 7);
SELECT rows_changed FROM bulkpar_delete('tree', 'twice > 180', 7);
CREATE TABLE leaf (id int PRIMARY KEY, tree int REFERENCES tree ON DELETE SET NULL,
	is_loose bool GENERATED ALWAYS AS (tree IS NULL) STORED, half int GENERATED ALWAYS AS (id / 2) STORED,
	parts int[] GENERATED ALWAYS AS (CASE WHEN tree > 0 THEN '{1}'::int[] END) STORED);
INSERT INTO leaf SELECT id, id FROM tree;
SELECT bulkpar_execute('DELETE FROM tree WHERE id < 30 OR EXISTS (SELECT FROM leaf l WHERE l.is_loose AND l.id = tree.id - 30)', 7);
SELECT rows_changed FROM bulkpar_execute('DELETE FROM tree WHERE id < 10 OR EXISTS (SELECT l.tree FROM leaf l WHERE l.half = tree.id AND l.id = 80)', 7);

-- each new version of a row has another place
SELECT bulkpar_delete('tree', 'ctid NOT IN (SELECT max(ctid) FROM tree GROUP BY id % 10)', 7);
SELECT bulkpar_delete('tree', 'xmin IN (SELECT xmin FROM tree)', 7);
SELECT bulkpar_execute('DELETE FROM tree WHERE EXISTS (SELECT FROM leaf l WHERE l.half = tree.id AND l.ctid > ''(0,1)'')', 7);
SELECT bulkpar_execute('DELETE FROM tree WHERE EXISTS (SELECT FROM leaf l TABLESAMPLE BERNOULLI (50) WHERE l.half = tree.id)', 7);
SELECT rows_changed FROM bulkpar_delete('tree', 'tableoid = ''tree''::regclass AND id = 86', 7);

-- it matters what EXISTS returns
SELECT bulkpar_execute('DELETE FROM tree WHERE EXISTS (SELECT l.tree FROM leaf l WHERE l.half = tree.id GROUP BY l.tree HAVING count(*) > 1)', 7);
SELECT bulkpar_execute('DELETE FROM tree WHERE EXISTS (SELECT unnest(l.parts) FROM leaf l WHERE l.half = tree.id)', 7);
SELECT bulkpar_execute('DELETE FROM tree WHERE EXISTS (SELECT DISTINCT l.tree FROM leaf l WHERE l.half = tree.id OFFSET 1)', 7);

-- policies of the table, of the role, and for the command
CREATE VIEW of_tree AS SELECT * FROM tree;
GRANT ALL ON tree, leaf, of_tree TO regress_bulkpar_reader;
ALTER TABLE tree ENABLE ROW LEVEL SECURITY;
CREATE POLICY reads ON tree USING (parent > 10);
SET ROLE regress_bulkpar_reader;
SELECT bulkpar_delete('tree', 'id > 0', 7);
RESET ROLE;
DROP POLICY reads ON tree;
CREATE POLICY reads ON tree USING (id = 90 OR EXISTS (SELECT FROM leaf l WHERE l.tree < 20 AND l.id = tree.id));
SET ROLE regress_bulkpar_reader;
SELECT bulkpar_delete('tree', 'id > 0', 7);
SELECT rows_changed FROM bulkpar_update('tree', 'parent', 'NULL', 7, condition => 'id > 0');
RESET ROLE;
DROP POLICY reads ON tree;
CREATE POLICY reads ON tree USING (EXISTS (SELECT FROM of_tree o WHERE o.id = tree.id + 1));
SET ROLE regress_bulkpar_reader;
SELECT bulkpar_delete('tree', 'id > 0', 7);
RESET ROLE;
DROP POLICY reads ON tree;
CREATE POLICY reads ON tree FOR INSERT WITH CHECK (EXISTS (SELECT FROM of_tree o WHERE o.id = tree.id + 1));
CREATE POLICY others ON tree TO pg_monitor USING (parent > 10);
CREATE POLICY all_rows ON tree USING (true) WITH CHECK (true);
SET ROLE regress_bulkpar_reader;
SELECT bulkpar_execute('INSERT INTO tree (id) SELECT id + 1000 FROM leaf', 7);
SELECT rows_changed FROM bulkpar_delete('tree', 'id > 85', 7);
RESET ROLE;
DROP POLICY reads ON tree;
DROP POLICY all_rows ON tree;
CREATE POLICY reads ON tree USING (EXISTS (SELECT FROM leaf l WHERE l.tree = tree.id));
SET ROLE regress_bulkpar_reader;
SELECT count(*) AS plain FROM tree WHERE id > 50;
SELECT rows_changed FROM bulkpar_delete('tree', 'id > 50', 7);
RESET ROLE;
SELECT count(*) FROM tree;
-- of another table, by which it is tied to the row
ALTER TABLE tree DISABLE ROW LEVEL SECURITY;
ALTER TABLE leaf ENABLE ROW LEVEL SECURITY;
CREATE POLICY reads ON leaf USING (tree IS NOT NULL);
SELECT bulkpar_execute('DELETE FROM tree WHERE EXISTS (SELECT FROM leaf l WHERE l.half = tree.id)', 7);

-- new rows, by policies and otherwise
CREATE TABLE code (id int PRIMARY KEY, code int NOT NULL UNIQUE, boss int, n int DEFAULT 0);
INSERT INTO code SELECT g, g, nullif(g - 1, 0) FROM generate_series(1, 50) g;
CREATE TABLE used (id int PRIMARY KEY, code int REFERENCES code (code) ON UPDATE CASCADE);
INSERT INTO used SELECT g, g FROM generate_series(1, 50) g;
GRANT ALL ON code, used TO regress_bulkpar_reader;
ALTER TABLE code ENABLE ROW LEVEL SECURITY;
CREATE POLICY fresh ON code USING (true) WITH CHECK (NOT EXISTS (SELECT FROM used u WHERE u.code = code.code));
SET ROLE regress_bulkpar_reader;
SELECT bulkpar_update('code', 'code', 'code + 70', 7);
SELECT bulkpar_execute('INSERT INTO code SELECT id, id FROM used ON CONFLICT (id) DO UPDATE SET code = code.code + 70', 7);
SELECT bulkpar_execute('MERGE INTO code USING (SELECT id FROM used) u ON code.id = u.id WHEN MATCHED THEN UPDATE SET code = code.code + 70', 7);
RESET ROLE;
ALTER TABLE code DISABLE ROW LEVEL SECURITY;
ALTER TABLE code ADD FOREIGN KEY (boss) REFERENCES code (code) ON UPDATE CASCADE;
SELECT bulkpar_execute('UPDATE code SET code = code + 70, boss = 50', 7);
SELECT bulkpar_execute('INSERT INTO code SELECT id, id FROM used ON CONFLICT (id) DO UPDATE SET code = code.code + 70', 7);
SELECT bulkpar_execute('MERGE INTO code USING (SELECT id FROM used) u ON code.id = u.id WHEN MATCHED AND code.boss < 60 THEN UPDATE SET code = code.code + 70', 7);
SELECT rows_changed FROM bulkpar_execute('INSERT INTO code SELECT id, id FROM used ON CONFLICT (id) DO UPDATE SET n = code.boss', 7);
SELECT rows_changed FROM bulkpar_execute('MERGE INTO code USING used u ON code.id = u.id WHEN MATCHED AND code.boss < 60 THEN UPDATE SET n = code.boss', 7);
SELECT sum(n - boss), count(*) FROM code;
SELECT bulkpar_execute('WITH u AS (UPDATE code SET code = code + 70 RETURNING code) INSERT INTO used SELECT code, code FROM u', 7);
SELECT rows_changed FROM bulkpar_update('code', 'code', 'code + 70', 7);
SELECT count(*) FROM code JOIN code b ON b.code = code.boss WHERE b.id = code.id - 1;

-- the key of a walk, also by another foreign key, and the source of a merge
CREATE TABLE walked (id int UNIQUE, parent int REFERENCES walked (id) ON DELETE SET NULL,
	key int GENERATED ALWAYS AS (coalesce(parent, 0) * 100 + id % 100) STORED NOT NULL UNIQUE);
INSERT INTO walked SELECT g, g % 10 + 1 FROM generate_series(1, 50) g;
SELECT bulkpar_delete('walked', 'id < 1000', 7);
SELECT bulkpar_delete('walked', 'id < 1000', 7, sees_batches => true);
CREATE TABLE made (id int, a int, code int GENERATED ALWAYS AS (a) STORED UNIQUE, boss int PRIMARY KEY REFERENCES made (code) ON UPDATE CASCADE);
SELECT bulkpar_update('made', 'a', 'a + 1000', 7);
CREATE TABLE first (id int PRIMARY KEY, code int NOT NULL UNIQUE);
CREATE TABLE source (ref int PRIMARY KEY REFERENCES first (code) ON UPDATE CASCADE, v int NOT NULL UNIQUE);
SELECT bulkpar_execute('MERGE INTO first USING (SELECT v FROM source) s ON first.id = s.v WHEN MATCHED THEN UPDATE SET code = code + 1000', 7);
SELECT bulkpar_execute('INSERT INTO first SELECT v, v FROM source ON CONFLICT (id) DO UPDATE SET code = first.code + 1000', 7);

-- only the columns that SET NULL is given, and none that is NOT NULL
CREATE TABLE tenant_tree (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, parent) REFERENCES tenant_tree ON DELETE SET NULL (parent));
INSERT INTO tenant_tree SELECT g % 2, g, CASE WHEN g > 6 THEN g - 6 END FROM generate_series(1, 40) g;
SELECT rows_changed FROM bulkpar_delete('tenant_tree', 'tenant = 1', 7);
SELECT bulkpar_delete('tenant_tree', 'parent IS NULL', 7);
CREATE TABLE strict_tree (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, parent) REFERENCES strict_tree ON DELETE SET NULL);
INSERT INTO strict_tree SELECT g % 2, g FROM generate_series(1, 40) g;
SELECT rows_changed FROM bulkpar_delete('strict_tree', 'tenant = 1', 7);

-- rows that move to another partition
CREATE TABLE other (id int PRIMARY KEY, part int);
CREATE TABLE part (id int NOT NULL, k int) PARTITION BY LIST (k);
CREATE TABLE part_null PARTITION OF part (PRIMARY KEY (id)) FOR VALUES IN (NULL);
CREATE TABLE part_rest PARTITION OF part (PRIMARY KEY (id)) DEFAULT;
ALTER TABLE part ADD FOREIGN KEY (k) REFERENCES other ON DELETE SET NULL;
ALTER TABLE other ADD FOREIGN KEY (part) REFERENCES part_rest ON DELETE CASCADE;
SELECT bulkpar_delete('part', 'id < 1000', 7);
SELECT bulkpar_delete('part_rest', 'id < 1000', 7);
CREATE TABLE owner (id int PRIMARY KEY);
INSERT INTO owner SELECT generate_series(1, 30);
CREATE TABLE owned (id int, owner int REFERENCES owner ON DELETE SET NULL) PARTITION BY LIST (owner);
CREATE TABLE owned_null PARTITION OF owned FOR VALUES IN (NULL);
CREATE TABLE owned_rest PARTITION OF owned DEFAULT;
INSERT INTO owned SELECT g, 31 - g FROM generate_series(1, 30) g;
SELECT bulkpar_execute('DELETE FROM owner WHERE EXISTS (SELECT FROM owned_rest o WHERE o.id = owner.id)', 7);
SELECT bulkpar_execute('DELETE FROM owner WHERE EXISTS (SELECT FROM owned o WHERE o.id = owner.id AND o.tableoid = ''owned_rest''::regclass)', 7);
SELECT rows_changed FROM bulkpar_execute('DELETE FROM owner WHERE EXISTS (SELECT FROM owned o WHERE o.id = owner.id AND o.id <> 7)', 7);

-- one that breaks what another one needs, and two that do not
CREATE TABLE p (tenant int, id int, PRIMARY KEY (tenant, id));
CREATE TABLE q (tenant int, id int, pid int, PRIMARY KEY (tenant, id), FOREIGN KEY (tenant, pid) REFERENCES p ON DELETE CASCADE);
CREATE TABLE c (id int PRIMARY KEY, tenant int, pid int, qid int, FOREIGN KEY (tenant, pid) REFERENCES p ON DELETE CASCADE,
	CONSTRAINT c_q FOREIGN KEY (tenant, qid) REFERENCES q ON DELETE SET NULL);
INSERT INTO p SELECT 1, g FROM generate_series(1, 30) g;
INSERT INTO q SELECT 1, g, 31 - g FROM generate_series(1, 30) g;
INSERT INTO c SELECT g, 1, g, g FROM generate_series(1, 30) g;
SELECT bulkpar_delete('p', 'tenant = 1', 7);
ALTER TABLE c DROP CONSTRAINT c_q, ADD FOREIGN KEY (tenant, qid) REFERENCES q ON DELETE SET NULL (qid);
SELECT rows_changed FROM bulkpar_delete('p', 'tenant = 1', 7);
SELECT count(*) FROM c;

-- what refers to a column that is set to null does not find it any more, unless that is handed on
CREATE TABLE a (id int PRIMARY KEY, code int UNIQUE);
CREATE TABLE b (id int PRIMARY KEY, code int UNIQUE REFERENCES a (code) ON DELETE SET NULL ON UPDATE CASCADE, owner int REFERENCES a ON DELETE CASCADE);
CREATE TABLE d (id int PRIMARY KEY, code int CONSTRAINT d_b REFERENCES b (code) ON UPDATE CASCADE ON DELETE CASCADE);
INSERT INTO a SELECT g, g FROM generate_series(1, 30) g;
INSERT INTO b SELECT g, g, g % 30 + 1 FROM generate_series(1, 30) g;
INSERT INTO d SELECT g, g FROM generate_series(1, 30) g;
SELECT bulkpar_delete('a', 'id < 20', 7);
ALTER TABLE d DROP CONSTRAINT d_b, ADD CONSTRAINT d_b FOREIGN KEY (code) REFERENCES b (code) ON UPDATE CASCADE ON DELETE SET NULL;
SELECT rows_changed FROM bulkpar_delete('a', 'id < 20', 7);
SELECT count(*), count(code) FROM d;
-- NOT IN, where a null may come in by a cascade
SELECT rows_changed FROM bulkpar_execute('UPDATE a SET code = NULL WHERE code < 24 OR code NOT IN (SELECT code FROM b WHERE id < 25)', 2);

-- what triggers change of a row that foreign keys change: a column that they set
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.kind = 7 OR OLD.kind <> NEW.depth THEN
		RAISE EXCEPTION 'no %', NEW.title;
	END IF;
	SELECT count(*) INTO NEW.depth FROM t WHERE t.id = NEW.parent;
	NEW."Touched" := 2;
	RETURN NEW;
END $$;
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t ON DELETE SET NULL, "Touched" int DEFAULT 1,
	kind int DEFAULT 1, title text DEFAULT 'x', depth int, words tsvector, late int GENERATED ALWAYS AS ("Touched" + 1) STORED);
CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO t SELECT g, nullif(g - 1, 0) FROM generate_series(1, 60) g;
SELECT bulkpar_delete('t', '"Touched" = 1', 7);
SELECT bulkpar_delete('t', 'late = 2', 7);
SELECT bulkpar_delete('t', 'depth IS NULL', 7);
SELECT rows_changed FROM bulkpar_delete('t', 'kind = 1 AND title = ''x'' AND id < 6', 2);
SELECT rows_changed FROM bulkpar_delete('t', 'id IN (SELECT id FROM t WHERE "Touched" = 1 AND id % 2 = 1)', 2);
-- by the arguments of a trigger, where it is fired
CREATE TRIGGER words BEFORE UPDATE OF parent ON t FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(words, 'pg_catalog.simple', title);
SELECT bulkpar_delete('t', 'words IS NULL', 7);
DROP TRIGGER words ON t;
CREATE TRIGGER words BEFORE UPDATE OF title ON t FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(words, 'pg_catalog.simple', title);
SELECT rows_changed FROM bulkpar_delete('t', 'words IS NULL AND id < 16', 2);
-- all of the row, or another one
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN SELECT * INTO NEW FROM t WHERE id = OLD.id; RETURN NEW; END';
SELECT bulkpar_delete('t', 'kind = 1', 7);
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN jsonb_populate_record(NEW, ''{}''); END';
SELECT bulkpar_delete('t', 'kind = 1', 7);
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO leaf (id) VALUES (NEW.kind); RETURN NEW; END';
SELECT rows_changed FROM bulkpar_delete('t', 'kind = 2', 7);
ALTER TABLE t DISABLE TRIGGER touch;
SELECT rows_changed FROM bulkpar_delete('t', 'kind = 1 AND id < 26', 2);
-- what it sets is referred to
CREATE FUNCTION slug() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.slug = lower(NEW.name); RETURN NEW; END';
CREATE TABLE page (id int PRIMARY KEY, name text, slug text UNIQUE);
CREATE TABLE link (id int PRIMARY KEY, slug text REFERENCES page (slug) ON UPDATE CASCADE);
CREATE TRIGGER slug BEFORE UPDATE ON page FOR EACH ROW EXECUTE FUNCTION slug();
INSERT INTO page SELECT g, 'N' || g, 'n' || g FROM generate_series(1, 30) g;
INSERT INTO link SELECT g, 'n1' FROM generate_series(1, 30) g;
SELECT bulkpar_execute($$UPDATE page SET name = name || EXISTS (SELECT FROM link l WHERE l.slug = 'n1' AND l.id = page.id)$$, 7);
SELECT rows_changed FROM bulkpar_execute($$UPDATE page SET name = name || EXISTS (SELECT FROM link l WHERE l.id = page.id)$$, 7);
-- it sees to what must not be null
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.page = coalesce(NEW.page, 0); RETURN NEW; END';
CREATE TABLE note (id int PRIMARY KEY, page int NOT NULL REFERENCES page ON DELETE SET NULL);
SELECT rows_changed FROM bulkpar_execute('DELETE FROM page WHERE EXISTS (SELECT FROM note n WHERE n.page = 0)', 7);
CREATE TRIGGER fill BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION fill();
SELECT bulkpar_execute('DELETE FROM page WHERE EXISTS (SELECT FROM note n WHERE n.page = 0 AND n.id = page.id)', 7);

-- keys that refer to the same row, also where that is in a partition, do not get in each other's way
CREATE TABLE org (id int PRIMARY KEY);
CREATE TABLE middle (id int PRIMARY KEY, org int REFERENCES org ON DELETE CASCADE) PARTITION BY RANGE (id);
CREATE TABLE middle_1 PARTITION OF middle FOR VALUES FROM (1) TO (11);
CREATE TABLE middle_2 PARTITION OF middle FOR VALUES FROM (11) TO (31);
CREATE TABLE below (id int PRIMARY KEY, middle int REFERENCES middle ON DELETE SET NULL,
	org int CONSTRAINT twice REFERENCES org ON DELETE SET NULL REFERENCES org ON DELETE SET NULL);
INSERT INTO org SELECT g FROM generate_series(1, 30) g;
INSERT INTO middle SELECT g, 31 - g FROM generate_series(1, 30) g;
INSERT INTO below SELECT g, g, g FROM generate_series(1, 30) g;
SELECT rows_changed FROM bulkpar_delete('org', 'id < 16', 2);
SELECT count(*), count(middle), count(org) FROM below;
-- a row that leaves a partition to which something refers is deleted there
CREATE TABLE moved (id int, org int REFERENCES org ON UPDATE CASCADE, PRIMARY KEY (id, org)) PARTITION BY RANGE (org);
CREATE TABLE moved_1 PARTITION OF moved FOR VALUES FROM (0) TO (100);
CREATE TABLE moved_2 PARTITION OF moved FOR VALUES FROM (100) TO (200);
ALTER TABLE moved_1 ADD UNIQUE (id);
CREATE TABLE of_moved (id int PRIMARY KEY, moved int REFERENCES moved_1 (id) ON DELETE CASCADE);
ALTER TABLE org ADD uid int GENERATED ALWAYS AS IDENTITY UNIQUE;
INSERT INTO moved SELECT id, id FROM org;
INSERT INTO of_moved SELECT id, id FROM org;
SELECT bulkpar_execute('UPDATE org SET id = id + 100 WHERE EXISTS (SELECT FROM of_moved o WHERE o.id = org.id)', 2, key_index => 'org_uid_key');
-- MERGE: what gets the default may be handed another value then
CREATE TABLE price (id int PRIMARY KEY, code int UNIQUE);
CREATE TABLE priced (id int PRIMARY KEY, code int DEFAULT 10 REFERENCES price (code) ON UPDATE CASCADE ON DELETE SET DEFAULT);
INSERT INTO price SELECT g, g FROM generate_series(1, 30) g;
INSERT INTO priced SELECT g, g FROM generate_series(1, 30) g;
SELECT bulkpar_execute('MERGE INTO price USING a ON price.id = a.id WHEN MATCHED AND a.id < 7 THEN DELETE WHEN MATCHED THEN UPDATE SET code = a.id + 1000', 2);
DROP TABLE of_moved, moved;
-- joins by name, and policies that read nothing of that
CREATE TABLE post (id int PRIMARY KEY, org int REFERENCES org ON DELETE SET NULL, kind int, owner name DEFAULT current_user);
CREATE TABLE kind (kind int PRIMARY KEY, org int);
INSERT INTO post SELECT id, id, id % 5 FROM org;
INSERT INTO kind SELECT generate_series(0, 4), 1;
ALTER TABLE post ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON post USING (owner = current_user);
SELECT rows_changed FROM bulkpar_execute('DELETE FROM org WHERE EXISTS (SELECT FROM post p JOIN kind k USING (kind) WHERE p.id = org.id AND k.kind = 1)', 2);
SELECT rows_changed FROM bulkpar_execute('DELETE FROM org WHERE EXISTS (SELECT FROM (post p JOIN kind k ON k.kind = p.kind) AS j (id, o, a, b, c, d) WHERE j.id = org.id AND j.a = 2)', 2);
SELECT bulkpar_execute('DELETE FROM org WHERE EXISTS (SELECT FROM (post p JOIN kind k ON k.kind = p.kind) AS j (id, o, a, b, c, d) WHERE j.id = org.id AND j.o > 1)', 2);
SELECT bulkpar_execute('DELETE FROM org WHERE EXISTS (SELECT FROM post p JOIN kind k USING (kind) WHERE p.id = org.id AND EXISTS (SELECT WHERE p IS NOT NULL))', 2);
DROP POLICY own ON post;
CREATE POLICY own ON post USING (org > 0);
SELECT bulkpar_execute('DELETE FROM org WHERE EXISTS (SELECT FROM post p WHERE p.id = org.id)', 2);
-- a trigger that may change other rows of its table
CREATE FUNCTION count_down() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE price SET code = code - 1 WHERE id = OLD.id - 1; RETURN NULL; END';
CREATE TRIGGER count_down AFTER DELETE ON price FOR EACH ROW EXECUTE FUNCTION count_down();
SELECT line FROM bulkpar_explain('DELETE FROM price WHERE code = 0') AS line WHERE line LIKE '%names table%';
CREATE TRIGGER of_id AFTER UPDATE OF id ON price FOR EACH ROW EXECUTE FUNCTION count_down();
SELECT line FROM bulkpar_explain('UPDATE price SET code = 1 WHERE code = 0') AS line WHERE line LIKE '%names table%';

-- one that is not enforced does nothing; before 18 there are none
SELECT CASE WHEN current_setting('server_version_num')::int >= 180000
	THEN 'REFERENCES loose ON DELETE SET NULL NOT ENFORCED' ELSE '' END AS reference \gset
CREATE TABLE loose (id int PRIMARY KEY, parent int :reference);
INSERT INTO loose SELECT g, CASE WHEN g > 5 THEN g - 5 END FROM generate_series(1, 30) g;
SELECT count(*) FROM bulkpar_explain('DELETE FROM loose') AS line WHERE line LIKE '%oreign key%';
SELECT rows_changed FROM bulkpar_delete('loose', 'parent IS NULL', 2);

RESET ALL;
SET client_min_messages = warning;
DROP SCHEMA acted CASCADE;
DROP ROLE regress_bulkpar_reader;

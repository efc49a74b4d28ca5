--
-- Comments in the parts of a statement, also at their end
--
SET bulkpar.report = off;
CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, name text);
INSERT INTO item SELECT g, 0, 'item ' || g FROM generate_series(1, 100) g;
CREATE VIEW counts AS SELECT n, name LIKE '%--%' AS dashes, count(*) FROM item GROUP BY 1, 2 ORDER BY 1, 2;

-- an expression, a condition, and those of several columns
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1 -- bump', 10);
SELECT rows_changed FROM bulkpar_update('item', 'n', E'n -- of the row\n + 1 --', 10, condition => 'id > 50 -- half');
SELECT rows_changed FROM bulkpar_update('item', ARRAY['n', 'name'],
	ARRAY['n + 1 -- one', 'name || ''--'' -- two'], 10, condition => 'id <= 10 /* few */');
SELECT * FROM counts;
-- what looks like a comment in a string
SELECT rows_changed FROM bulkpar_update('item', 'name', '''a -- b''', 10, condition => 'name <> ''--''');
SELECT rows_changed FROM bulkpar_update('item', 'name', 'name || $$ -- c$$', 10);
SELECT DISTINCT name FROM item;
-- a string goes on in the next line, if there is one
SELECT rows_changed FROM bulkpar_update('item', 'name', E'''a''\n''b'' -- c', 10);
SELECT DISTINCT name FROM item;
-- other tables
SELECT rows_changed FROM bulkpar_update('item', 'n', '0 -- x', 10, from_item => 'generate_series(1, 5) g -- five',
	condition => 'g = item.id -- joined');
SELECT rows_changed FROM bulkpar_update('item', 'n', 'g -- x', 10, from_item => 'generate_series(1, 5) g -- five');
SELECT rows_changed FROM bulkpar_delete('item', 'id > 90 -- ten', 10);
SELECT rows_changed FROM bulkpar_delete('item', 'g = id -- five', 10, using_item => 'generate_series(1, 5) g -- five');
SELECT count(*), min(id), max(id) FROM item;
-- with rows that are looked at twice, and as a statement
SELECT rows_changed, rows_unchanged FROM bulkpar_update('item', 'n', 'id -- itself', 10, skip_unchanged => true,
	condition => 'true -- all');
SELECT rows_changed, rows_unchanged FROM bulkpar_update('item', 'n', 'id -- itself', 10, skip_unchanged => true);
SELECT rows_changed FROM bulkpar_execute('UPDATE item SET n = n + 1 WHERE true -- all', 10);
-- it is shown as it is run
SELECT line FROM bulkpar_explain('item', 'n', 'n + 1 -- bump', 10, condition => 'n > 0') line WHERE line LIKE 'Statement%';
SELECT line FROM bulkpar_explain('item', 'n', 'n + 1', 10, condition => 'n > 0') line WHERE line LIKE 'Statement%';

-- nothing else comes in with a comment, and one that does not end is an error
\set VERBOSITY sqlstate
\set message '\\echo :LAST_ERROR_MESSAGE'
SELECT bulkpar_update('item', 'n', '1 /*'); :message
SELECT bulkpar_update('item', 'n', '1 -- /*', condition => '*/ true'); :message
SELECT bulkpar_update('item', 'n', '1 /* ', condition => '*/ true'); :message
SELECT bulkpar_update('item', 'n', '1) --'); :message
SELECT bulkpar_update('item', 'n', E'1) -- \n, name = (''x'''); :message
SELECT bulkpar_update('item', 'n', '1 + --'); :message
SELECT bulkpar_update('item', 'n', '-- 1'); :message
SELECT bulkpar_update('item', 'n', '1', condition => '-- true'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'true) --'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'item i /*'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => '-- item i'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => E'item i --\n WHERE true'); :message
SELECT count(*) FROM item WHERE n <> id + 1;

DROP VIEW counts;
DROP TABLE item;

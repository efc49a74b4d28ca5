--
-- Foreign keys: checked for each batch, as for a plain UPDATE
--
SET bulkpar.report = off;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE TABLE country (code text PRIMARY KEY, alias text UNIQUE);
INSERT INTO country VALUES ('de', 'DE'), ('np', 'NP');
CREATE TABLE city (
	id int PRIMARY KEY,
	country text NOT NULL REFERENCES country,
	name text UNIQUE,
	old_name text UNIQUE,
	twin int REFERENCES city,
	capital int
);
INSERT INTO city SELECT g, 'de', 'city ' || g, 'city ' || g FROM generate_series(1, 100) g;
CREATE TABLE person (
	id int PRIMARY KEY,
	city int REFERENCES city,
	cascaded text REFERENCES city (name) ON UPDATE CASCADE,
	kept text REFERENCES city (old_name)
);
INSERT INTO person SELECT g, (g + 1) / 2, 'city ' || (g + 1) / 2, 'city ' || (g + 1) / 2
	FROM generate_series(1, 200) g;

-- a column that refers to other tables; many rows to the same one
SELECT rows_changed FROM bulkpar_update('city', 'country', '''np''', 10, 3);
SELECT country, count(*) FROM city GROUP BY 1;
-- to the same table
SELECT rows_changed FROM bulkpar_update('city', 'twin', '101 - id', 10, 3);
SELECT count(*) FROM city WHERE twin = 101 - id;
-- a referenced column that no one looks at, for the key stays
SELECT rows_changed FROM bulkpar_update('city', 'capital', 'id', 10, 3);

-- ON UPDATE CASCADE, in the table and in the one that refers to it
SELECT rows_changed FROM bulkpar_update('city', 'name', 'upper(name)', 10, 3);
SELECT count(*), count(*) FILTER (WHERE cascaded = 'CITY ' || city) AS cascaded FROM person;
SELECT rows_changed FROM bulkpar_update('person', 'cascaded', '''CITY '' || 101 - city', 10, 3);
SELECT count(*) FROM person WHERE cascaded = 'CITY ' || 101 - city;

-- what is not allowed: a missing row, and a row that others refer to
SELECT bulkpar_update('city', 'country', '''xx''', 10, 1);
SELECT bulkpar_update('city', 'old_name', 'upper(old_name)', 10, 1);
SELECT country, count(*), count(*) FILTER (WHERE old_name = 'city ' || id) AS kept FROM city GROUP BY 1;

-- SET NULL and SET DEFAULT
ALTER TABLE person DROP CONSTRAINT person_kept_fkey,
	ADD FOREIGN KEY (kept) REFERENCES city (old_name) ON UPDATE SET NULL;
SELECT rows_changed FROM bulkpar_update('city', 'old_name', 'upper(old_name)', 10, 3, 'id <= 50');
SELECT kept IS NULL AS is_null, count(*), min(id), max(id) FROM person GROUP BY 1 ORDER BY 1;

-- MATCH FULL on two columns
CREATE TABLE place (a int, b int, PRIMARY KEY (a, b));
INSERT INTO place VALUES (1, 1);
CREATE TABLE visit (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES place MATCH FULL);
INSERT INTO visit SELECT generate_series(1, 100);
SELECT rows_changed FROM bulkpar_update('visit', ARRAY['a', 'b'], ARRAY['1', '1'], 10, 3);
SELECT bulkpar_update('visit', 'b', 'NULL', 10, 1);
SELECT a, b, count(*) FROM visit GROUP BY 1, 2;

-- a deferred one is checked when the batch commits, not when the job ends
CREATE TABLE link (id int PRIMARY KEY, next int REFERENCES link DEFERRABLE INITIALLY DEFERRED);
INSERT INTO link SELECT generate_series(1, 100);
SELECT rows_changed FROM bulkpar_update('link', 'next', 'id % 100 + 1', 10, 3);
SELECT bulkpar_update('link', 'next', 'id + 95', 10, 1);
SELECT count(*) FROM link WHERE next = id % 100 + 1;
-- NOT VALID: only what is changed is checked
ALTER TABLE visit ADD link int DEFAULT 1000;
ALTER TABLE visit ADD FOREIGN KEY (link) REFERENCES link NOT VALID;
SELECT rows_changed FROM bulkpar_update('visit', 'a', '1', 10, 3);
SELECT rows_changed FROM bulkpar_update('visit', 'link', 'id', 10, 3, 'id > 50');
SELECT link = 1000 AS unchanged, count(*) FROM visit GROUP BY 1 ORDER BY 1;

DROP TABLE visit, place, link, person, city, country;

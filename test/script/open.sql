/* A script that leaves the search_path as it is; /* nested */ 'quotes' are none. */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION sample" to load this file. \quit

CREATE TABLE bulkpar.job (
	job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	size numeric(10, 2) DEFAULT -1,
	name pg_catalog.text COLLATE pg_catalog."C",
	label text, -- bad
	code varchar(10) COLLATE "C", -- bad
	status pg_catalog.text CHECK (status IN ('running', 'ended')), -- bad
	CHECK (size OPERATOR(pg_catalog.>=) 0),
	CHECK (size <> 1) -- bad
) WITH (fillfactor = 70);
CREATE TABLE chunk (job_id bigint REFERENCES bulkpar.job (job_id)); -- bad
CREATE TABLE elsewhere.chunk (); -- bad
CREATE TABLE IF NOT EXISTS bulkpar.maybe (); -- bad
CREATE INDEX job_name ON bulkpar.job (name) WHERE size OPERATOR(pg_catalog.>) 0;
CREATE INDEX job_size ON job (size); -- bad
CREATE INDEX job_half ON bulkpar.job (half(size)); -- bad

SELECT pg_catalog.pg_extension_config_dump('bulkpar.job', '');
SELECT pg_catalog.pg_extension_config_dump('job', ''); -- bad
SELECT pg_catalog.pg_extension_config_dump('bulkpar.job_job_id_seq', '');
SELECT pg_extension_config_dump('bulkpar.job', ''); -- bad
COMMENT ON TABLE job IS 'without its schema'; -- bad
COMMENT ON SEQUENCE job_job_id_seq IS 'without its schema'; -- bad
COMMENT ON COLUMN bulkpar.job.size IS 'of the job; now() = then()';
SET search_path = pg_catalog, pg_temp; -- bad
SELECT pg_catalog.set_config('search_path', '', false); -- bad

CREATE VIEW @extschema@.jobs AS
WITH sizes (job_id, size) AS (
	SELECT j.job_id, pg_catalog.sum(j.size) FROM bulkpar.job j GROUP BY 1)
SELECT j.*, (s.size)::pg_catalog.int8, CAST(s.size AS pg_catalog.float8),
	coalesce(j.size, 0), greatest(1, 2), pg_catalog.count(*), extract(epoch FROM now),
	CASE WHEN j.size IS DISTINCT FROM NULL THEN 1 END, -- bad
	CASE WHEN j.size IS NULL THEN 1 ELSE -1 END,
	CASE j.size WHEN 1 THEN 1 END, -- bad
	s.size::text, -- bad
	CAST(s.size AS int8), -- bad
	upper(j.name), -- bad
	j.name || 'x', -- bad
	j.size * 2, -- bad
	nullif(j.size, 0), -- bad
	j.name LIKE 'x%', -- bad
	j.size BETWEEN 1 AND 2, -- bad
	public.half(j.size), -- bad
	E'it''s \' = ', U&'\0041', $x$ a $$ = b $x$, "quoted = name", $1, 1.5e-3
FROM bulkpar.job j JOIN sizes s ON s.job_id OPERATOR(pg_catalog.=) j.job_id
	JOIN sizes u USING (job_id) -- bad
	JOIN pg_class c ON true -- bad
	CROSS JOIN LATERAL (SELECT 1 FROM pg_catalog.pg_locks) AS l(one)
	CROSS JOIN pg_catalog.generate_series(1, 2) g(i);

CREATE FUNCTION @extschema@.half(size numeric, OUT result numeric)
LANGUAGE sql IMMUTABLE AS 'SELECT size OPERATOR(pg_catalog./) 2';
CREATE FUNCTION @extschema@.third(size numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
	SELECT size / 3 -- bad
$$;
CREATE FUNCTION @extschema@.quarter(size numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT round(size / 4);
	SELECT * FROM job -- bad
$$;
CREATE FUNCTION @extschema@.fifth(size numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE SET search_path = public AS $$
BEGIN
	RETURN pg_catalog.round(size);
	RETURN round(size); -- bad
END $$;
CREATE FUNCTION @extschema@.sixth(size numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE BEGIN ATOMIC
	SELECT CASE WHEN true THEN pg_catalog.round(size) END;
	SELECT size / 6; -- bad
END;
CREATE FUNCTION @extschema@.seventh(size numeric) RETURNS numeric -- bad
AS 'MODULE_PATHNAME', 'seventh' LANGUAGE C IMMUTABLE SECURITY DEFINER;
CREATE FUNCTION @extschema@.eighth(size numeric) RETURNS numeric -- bad
AS 'MODULE_PATHNAME', 'job_half' LANGUAGE C STRICT;
CREATE FUNCTION @extschema@.ninth(pg_catalog.internal) RETURNS pg_catalog.internal
AS 'MODULE_PATHNAME', 'ninth' LANGUAGE C STRICT;
CREATE FUNCTION @extschema@.tenth(size numeric) RETURNS text -- bad
AS 'MODULE_PATHNAME', 'tenth' LANGUAGE C STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp;
CREATE OR REPLACE FUNCTION @extschema@.eleventh(size numeric) RETURNS numeric -- bad
AS 'MODULE_PATHNAME', 'eleventh' LANGUAGE C STABLE;
CREATE FUNCTION @extschema@.twelfth(size numeric DEFAULT round(1)) RETURNS numeric -- bad
AS 'MODULE_PATHNAME', 'twelfth' LANGUAGE C STABLE;
CREATE OPERATOR = (LEFTARG = numeric, PROCEDURE = bulkpar.half); -- bad
CREATE OPERATOR bulkpar.= (LEFTARG = numeric, PROCEDURE = bulkpar.half);
CREATE TRIGGER job_insert BEFORE INSERT ON bulkpar.job FOR EACH ROW
	EXECUTE FUNCTION bulkpar.half();
CREATE TRIGGER job_update BEFORE UPDATE ON bulkpar.job FOR EACH ROW
	EXECUTE FUNCTION lo_manage(); -- bad
INSERT INTO bulkpar.job (size) VALUES (1);
INSERT INTO pg_description (objoid) VALUES (1); -- bad
UPDATE bulkpar.job SET size = 1, name = 'x' WHERE size = 2; -- bad
DO $$ -- bad
BEGIN
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace) THEN
		CREATE SCHEMA IF NOT EXISTS bulkpar; -- bad
	END IF;
	PERFORM @extschema@.half(1);
END $$;

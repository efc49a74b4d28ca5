-- A script in which names can only be those of pg_catalog and its own.
SET LOCAL search_path TO pg_catalog, pg_temp;

CREATE TABLE bulkpar.job (job_id bigint GENERATED ALWAYS AS IDENTITY, name text);
CREATE VIEW @extschema@.jobs AS
SELECT j.*, upper(j.name) || 'x' AS upper_name, j.job_id = 1 AS first
FROM bulkpar.job j JOIN pg_class c ON c.oid = 'bulkpar.job'::regclass
WHERE j.name IN ('a', 'b');
SELECT pg_extension_config_dump('bulkpar.job', '');
SELECT pg_extension_config_dump('job', ''); -- bad
CREATE VIEW @extschema@.more AS SELECT * FROM jobs; -- bad
CREATE VIEW less AS SELECT 1; -- bad
CREATE INDEX ON job (name); -- bad
REVOKE ALL ON SEQUENCE job_job_id_seq FROM PUBLIC; -- bad
GRANT SELECT ON @extschema@.jobs TO PUBLIC;
CREATE FUNCTION @extschema@.count_jobs() RETURNS bigint LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS 'SELECT count(*) FROM bulkpar.job';
CREATE FUNCTION @extschema@.count_them() RETURNS bigint LANGUAGE sql STABLE
AS 'SELECT count(*) FROM bulkpar.job'; -- bad
CREATE FUNCTION @extschema@.has_jobs() RETURNS boolean LANGUAGE sql STABLE
BEGIN ATOMIC SELECT count(*) > 0 FROM bulkpar.job; END;
CREATE FUNCTION @extschema@.must_have_jobs() RETURNS boolean LANGUAGE plpgsql -- bad
STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	RETURN true;
END $$;
DO $$
BEGIN
	EXECUTE format('DROP TABLE %s', 'bulkpar.job'::regclass);
	PERFORM 1 FROM job; -- bad
	CREATE OR REPLACE VIEW bulkpar.more AS SELECT 1; -- bad
END $$;
SET search_path TO bulkpar, public; -- bad
SELECT 1 = 1; -- bad

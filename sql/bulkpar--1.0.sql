/* sql/bulkpar--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION bulkpar" to load this file. \quit

CREATE TABLE bulkpar_job (
	job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	job_name text,
	owner regrole NOT NULL,
	target regclass NOT NULL,
	only_target boolean NOT NULL,
	key_index oid,
	deletes boolean NOT NULL,
	column_names text[] NOT NULL,
	statement text,
	expressions text[] NOT NULL,
	condition text,
	from_item text,
	skip_unchanged boolean NOT NULL,
	batch_size integer NOT NULL,
	workers integer NOT NULL,
	stripes integer,
	stripes_chosen boolean NOT NULL DEFAULT false,
	on_error text NOT NULL CHECK (on_error IN ('stop', 'skip')),
	max_errors bigint NOT NULL,
	settings jsonb NOT NULL,
	status text NOT NULL CHECK (status IN
		('running', 'paused', 'succeeded', 'failed', 'cancelled')),
	runs integer NOT NULL DEFAULT 1,
	estimated_rows bigint,
	xmin_holders text,
	created_at timestamptz NOT NULL,
	started_at timestamptz,
	finished_at timestamptz,
	rows_hot bigint,
	wal_bytes bigint,
	table_bytes_before bigint,
	table_bytes_after bigint,
	index_bytes_before bigint,
	index_bytes_after bigint,
	dead_rows bigint,
	sqlstate text,
	message text,
	detail text,
	hint text,
	context text
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX bulkpar_job_unfinished_name ON bulkpar_job (owner, job_name)
	WHERE status <> 'succeeded';

CREATE TABLE bulkpar_part (
	job_id bigint NOT NULL REFERENCES bulkpar_job ON DELETE CASCADE,
	part_no integer NOT NULL,
	relation regclass NOT NULL,
	key_index oid NOT NULL,
	key_order text NOT NULL,
	gone boolean NOT NULL DEFAULT false,
	estimated_rows bigint,
	end_key text[],
	PRIMARY KEY (job_id, part_no)
);

CREATE TABLE bulkpar_chunk (
	job_id bigint NOT NULL REFERENCES bulkpar_job ON DELETE CASCADE,
	chunk_no bigint NOT NULL,
	part_no integer NOT NULL,
	lo text[],
	hi text[] NOT NULL,
	stripes integer NOT NULL,
	stripe integer NOT NULL DEFAULT 0,
	keys text[],
	last_key text[],
	rows_before bigint NOT NULL,
	rows_found bigint NOT NULL,
	rows_done bigint NOT NULL DEFAULT 0,
	rows_updated bigint NOT NULL DEFAULT 0,
	rows_failed bigint NOT NULL DEFAULT 0,
	rows_unchanged bigint NOT NULL DEFAULT 0,
	rows_hot bigint NOT NULL DEFAULT 0,
	wal_bytes bigint NOT NULL DEFAULT 0,
	batches bigint NOT NULL DEFAULT 0,
	retries bigint NOT NULL DEFAULT 0,
	attempts integer NOT NULL DEFAULT 1,
	status text NOT NULL
		CHECK (status IN ('running', 'succeeded', 'failed')),
	epoch bigint NOT NULL DEFAULT 1,
	worker integer,
	worker_pid integer,
	started_at timestamptz NOT NULL,
	finished_at timestamptz,
	sqlstate text,
	message text,
	PRIMARY KEY (job_id, chunk_no)
) WITH (fillfactor = 90);

-- A claim looks for a chunk that a dead worker has left; few rows are here.
CREATE INDEX bulkpar_chunk_unfinished ON bulkpar_chunk (job_id, chunk_no)
	WHERE status <> 'succeeded';

CREATE TABLE bulkpar_error (
	job_id bigint NOT NULL REFERENCES bulkpar_job ON DELETE CASCADE,
	chunk_no bigint NOT NULL,
	key text[] NOT NULL,
	sqlstate text NOT NULL,
	message text NOT NULL,
	detail text,
	hint text,
	context text,
	failed_at timestamptz NOT NULL,
	PRIMARY KEY (job_id, key)
);

SELECT pg_catalog.pg_extension_config_dump('bulkpar_job', '');
SELECT pg_catalog.pg_extension_config_dump('bulkpar_job_job_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('bulkpar_part', '');
SELECT pg_catalog.pg_extension_config_dump('bulkpar_chunk', '');
SELECT pg_catalog.pg_extension_config_dump('bulkpar_error', '');

REVOKE ALL ON bulkpar_job, bulkpar_part, bulkpar_chunk, bulkpar_error
	FROM PUBLIC;
REVOKE ALL ON SEQUENCE bulkpar_job_job_id_seq FROM PUBLIC;

COMMENT ON TABLE bulkpar_job IS
'One row for each bulkpar job; people read the view bulkpar_jobs';
COMMENT ON SEQUENCE bulkpar_job_job_id_seq IS 'Numbers the bulkpar jobs';
COMMENT ON COLUMN bulkpar_job.job_name IS
'A name that the caller gave, unique among the unfinished jobs of an owner';
COMMENT ON INDEX bulkpar_job_unfinished_name IS
'Keeps the names of unfinished jobs unique';
COMMENT ON TABLE bulkpar_error IS
'One row for each row that a job with on_error => ''skip'' could not update';
COMMENT ON COLUMN bulkpar_job.statement IS
'The statement of bulkpar_execute; null where it is made of the other parts';
COMMENT ON COLUMN bulkpar_job.column_names IS 'The columns that are set';
COMMENT ON COLUMN bulkpar_job.only_target IS
'Whether the job is about the target itself, not its partitions or children';
COMMENT ON COLUMN bulkpar_job.key_index IS
'The index that the caller has named; null to choose one';
COMMENT ON COLUMN bulkpar_job.settings IS
'Settings of the calling session that give the expressions their meaning';
COMMENT ON COLUMN bulkpar_job.stripes IS
'In how many stripes each chunk is updated; null until the number is chosen';
COMMENT ON COLUMN bulkpar_job.stripes_chosen IS
'Whether bulkpar chose that number; then chunks have one stripe while dead rows cannot be removed';
COMMENT ON COLUMN bulkpar_job.xmin_holders IS
'Who held back the removal of dead rows when the job was last started';
COMMENT ON COLUMN bulkpar_job.rows_hot IS
'Updates that were HOT: the new version is on the page of the old, and no index grew';
COMMENT ON COLUMN bulkpar_job.wal_bytes IS 'WAL that the batches have written';
COMMENT ON COLUMN bulkpar_job.table_bytes_before IS
'Size of the table with its TOAST table when the job was first started';
COMMENT ON COLUMN bulkpar_job.dead_rows IS
'Dead rows of the table when the job last ended, as the statistics counted them';
COMMENT ON COLUMN bulkpar_job.runs IS
'How often the job was started; workers of an earlier run do not go on';
COMMENT ON TABLE bulkpar_part IS
'One row for each table that a job goes through: the target, or its partitions
or children';
COMMENT ON COLUMN bulkpar_part.key_index IS
'Not a regclass, which could not be restored from a dump before the index';
COMMENT ON COLUMN bulkpar_part.key_order IS
'The order of key_index, by which an index that has replaced it is found';
COMMENT ON COLUMN bulkpar_part.gone IS
'Whether it was dropped or detached before the job was done with it';
COMMENT ON COLUMN bulkpar_part.end_key IS
'The largest key when the job began, where this part ends';
COMMENT ON TABLE bulkpar_chunk IS
'One row for each range of keys (lo, hi] that a worker of a job has claimed;
people read the view bulkpar_chunks';
COMMENT ON COLUMN bulkpar_chunk.stripes IS
'The chunk is updated in so many stripes, each of which goes from lo to hi';
COMMENT ON COLUMN bulkpar_chunk.stripe IS
'Those before this one are done';
COMMENT ON COLUMN bulkpar_chunk.keys IS
'The keys of the rows that match, one after the other, where these are few; null for all keys';
COMMENT ON COLUMN bulkpar_chunk.last_key IS
'The stripe is done up to this key, committed together with its rows';
COMMENT ON COLUMN bulkpar_chunk.rows_before IS
'Rows that were counted in the chunks before this one';
COMMENT ON COLUMN bulkpar_chunk.rows_found IS
'Rows that were counted in this chunk when it was claimed';
COMMENT ON COLUMN bulkpar_chunk.rows_done IS
'Rows of rows_found whose batches have committed';
COMMENT ON COLUMN bulkpar_chunk.rows_unchanged IS
'Rows left alone by skip_unchanged';
COMMENT ON COLUMN bulkpar_chunk.retries IS
'Batches that ran again after a deadlock, a lock timeout or the like';
COMMENT ON COLUMN bulkpar_chunk.worker IS
'The number of the worker that has the chunk; null when it can be claimed';
COMMENT ON COLUMN bulkpar_chunk.epoch IS
'Goes up when another worker takes the chunk over';
COMMENT ON INDEX bulkpar_chunk_unfinished IS
'Finds the chunks that are not yet done';

-- The live coordinator of a job holds a lock on (bulkpar_job, job_id).
CREATE VIEW bulkpar_jobs WITH (security_barrier) AS
SELECT j.job_id, j.job_name, j.owner, j.target,
	p.key_index::regclass AS key_index, j.deletes,
	j.column_names, j.statement, j.expressions, j.condition, j.from_item,
	j.skip_unchanged, j.batch_size, j.workers, j.stripes,
	j.stripes_chosen, j.on_error,
	j.max_errors, j.settings,
	CASE WHEN j.status = 'running' AND NOT EXISTS (
			SELECT FROM pg_catalog.pg_locks
			WHERE locktype = 'userlock'
				AND database = (SELECT oid FROM pg_catalog.pg_database
					WHERE datname = current_database())
				AND classid = 'bulkpar_job'::regclass
				AND objid = (j.job_id & 4294967295)::oid
				AND objsubid = (j.job_id >> 32)
				AND granted AND mode = 'ExclusiveLock')
		THEN 'interrupted' ELSE j.status END AS status,
	j.runs, j.estimated_rows, p.end_key, j.xmin_holders, j.created_at,
	j.started_at, j.finished_at, j.rows_hot, j.wal_bytes,
	j.table_bytes_before, j.table_bytes_after, j.index_bytes_before,
	j.index_bytes_after, j.dead_rows, j.sqlstate,
	j.message, j.detail, j.hint, j.context
FROM bulkpar_job j
LEFT JOIN bulkpar_part p ON p.job_id = j.job_id AND p.part_no = 1
WHERE pg_has_role(j.owner, 'USAGE')
	OR pg_has_role('pg_read_all_stats', 'USAGE');

CREATE VIEW bulkpar_chunks WITH (security_barrier) AS
SELECT c.*, p.relation
FROM bulkpar_chunk c
JOIN bulkpar_jobs j USING (job_id)
JOIN bulkpar_part p USING (job_id, part_no);

CREATE VIEW bulkpar_errors WITH (security_barrier) AS
SELECT e.*
FROM bulkpar_error e
JOIN bulkpar_jobs j USING (job_id);

-- Dead rows that any of these may still see cannot be removed.  Those who read
-- bulkpar_progress may not see the sessions of others, the extension's owner may.
CREATE FUNCTION bulkpar_xmin_holders(pid integer DEFAULT NULL)
RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
SELECT string_agg(h.holder, ', ' ORDER BY h.since)
FROM (
	SELECT format('session %s (%s s)', a.pid,
			extract(epoch FROM clock_timestamp() - a.xact_start)::bigint),
		a.xact_start
	FROM pg_stat_activity a
	WHERE (a.backend_xid IS NOT NULL
			OR (a.backend_xmin IS NOT NULL AND a.datname = current_database()))
		AND a.backend_type IN ('client backend', 'background worker',
			'logical replication worker', 'pg_cron')
		AND (a.state <> 'active' OR a.pid = $1
			OR a.xact_start < clock_timestamp() - interval '1 second')
	UNION ALL
	SELECT format('prepared transaction "%s" (%s s)',
			-- Any role's to choose, in any database: maybe in another encoding.
			left(regexp_replace(btrim(encode(quote_literal(p.gid)::bytea,
				'escape'), ''''), E'(\\\\[0-7]{3}|[^ -~])+', '?', 'g'), 40),
			extract(epoch FROM clock_timestamp() - p.prepared)::bigint),
		p.prepared
	FROM pg_prepared_xacts p
	UNION ALL
	SELECT format('replication slot "%s" (%s transactions)', s.slot_name,
			age(s.xmin)), NULL
	FROM pg_replication_slots s
	WHERE s.xmin IS NOT NULL
	UNION ALL
	SELECT format('standby "%s" (%s transactions)', r.application_name,
			age(r.backend_xmin)), NULL
	FROM pg_stat_replication r
	WHERE r.backend_xmin IS NOT NULL) h(holder, since)
$$;

COMMENT ON FUNCTION bulkpar_xmin_holders(integer) IS
'Who holds back the removal of dead rows in this database; the session with that pid counts even if it has just begun';

CREATE VIEW bulkpar_progress WITH (security_barrier) AS
SELECT j.job_id,
	j.target,
	j.status,
	c.rows_done,
	c.rows_updated,
	c.rows_failed,
	c.rows_unchanged,
	greatest(j.estimated_rows, c.rows_done) AS estimated_rows,
	CASE WHEN j.status = 'succeeded' THEN 100.0
		WHEN j.estimated_rows IS NULL THEN 0.0
		ELSE least(99.9, round(100.0 * c.rows_done
			/ greatest(j.estimated_rows, 1), 1)) END AS percent,
	round(c.rows_done / r.seconds)::bigint AS rows_per_second,
	CASE WHEN j.status = 'running' AND c.rows_done > 0
		THEN date_trunc('second', make_interval(secs =>
			greatest(j.estimated_rows - c.rows_done, 0)
			* r.seconds / c.rows_done)) END AS time_left,
	CASE WHEN j.status = 'running'
		THEN bulkpar_xmin_holders() END AS xmin_holders
FROM bulkpar_jobs j
CROSS JOIN LATERAL (
	SELECT coalesce(sum(k.rows_done), 0)::bigint AS rows_done,
		coalesce(sum(k.rows_updated), 0)::bigint AS rows_updated,
		coalesce(sum(k.rows_failed), 0)::bigint AS rows_failed,
		coalesce(sum(k.rows_unchanged), 0)::bigint AS rows_unchanged
	FROM bulkpar_chunk k WHERE k.job_id = j.job_id) c
CROSS JOIN LATERAL (
	SELECT greatest(extract(epoch FROM
		coalesce(j.finished_at, clock_timestamp())
		- coalesce(j.started_at, j.created_at)), 0.001)::float8 AS seconds) r;

COMMENT ON VIEW bulkpar_jobs IS
'The bulkpar jobs: a role sees its own, pg_read_all_stats all';
COMMENT ON VIEW bulkpar_chunks IS 'The chunks of the jobs that a role sees';
COMMENT ON VIEW bulkpar_errors IS
'The rows that the jobs that a role sees could not update';
COMMENT ON VIEW bulkpar_progress IS 'How far each job is that a role sees';

GRANT SELECT ON bulkpar_jobs, bulkpar_chunks, bulkpar_errors, bulkpar_progress
	TO PUBLIC;

CREATE TYPE bulkpar_result AS (
	job_id bigint,
	status text,
	rows_updated bigint,
	batches bigint,
	workers integer,
	elapsed interval,
	rows_failed bigint,
	rows_unchanged bigint
);

COMMENT ON TYPE bulkpar_result IS 'What a bulkpar job has done';

CREATE FUNCTION bulkpar_support(internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'bulkpar_support'
LANGUAGE C STRICT;

COMMENT ON FUNCTION bulkpar_support(internal) IS
'Planner support of the functions that run a job';

-- So cheap that it comes before all that may fail: a batch looks at rows of
-- other stripes, but must not evaluate the user's condition for them.
CREATE FUNCTION bulkpar_in_stripe(stripes integer, stripe integer,
	VARIADIC key "any")
RETURNS boolean
AS 'MODULE_PATHNAME', 'bulkpar_in_stripe'
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.0001;

COMMENT ON FUNCTION bulkpar_in_stripe(integer, integer, "any") IS
'Whether a job with that many stripes puts a key into the one with that number';

-- Costly, so that it comes after all other conditions.
CREATE FUNCTION bulkpar_changed(changed boolean, "row" tid, VARIADIC rest "any")
RETURNS boolean
AS 'MODULE_PATHNAME', 'bulkpar_changed'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;

COMMENT ON FUNCTION bulkpar_changed(boolean, tid, "any") IS
'Its argument; a job with skip_unchanged counts the rows that it would leave the same';

CREATE FUNCTION bulkpar_update(
	target regclass,
	column_name text,
	expression text,
	batch_size integer DEFAULT 1000,
	workers integer DEFAULT NULL,
	condition text DEFAULT NULL,
	wait boolean DEFAULT true,
	on_error text DEFAULT 'stop',
	max_errors bigint DEFAULT 1000,
	job_name text DEFAULT NULL,
	stripes integer DEFAULT NULL,
	from_item text DEFAULT NULL,
	key_index regclass DEFAULT NULL,
	skip_unchanged boolean DEFAULT false)
RETURNS bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar_support;

COMMENT ON FUNCTION
bulkpar_update(regclass, text, text, integer, integer, text, boolean, text,
	bigint, text, integer, text, regclass, boolean) IS
'Update a column of all rows of a table in parallel batches that commit on their own';

CREATE FUNCTION bulkpar_update(
	target regclass,
	column_name text[],
	expression text[],
	batch_size integer DEFAULT 1000,
	workers integer DEFAULT NULL,
	condition text DEFAULT NULL,
	wait boolean DEFAULT true,
	on_error text DEFAULT 'stop',
	max_errors bigint DEFAULT 1000,
	job_name text DEFAULT NULL,
	stripes integer DEFAULT NULL,
	from_item text DEFAULT NULL,
	key_index regclass DEFAULT NULL,
	skip_unchanged boolean DEFAULT false)
RETURNS bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar_support;

COMMENT ON FUNCTION
bulkpar_update(regclass, text[], text[], integer, integer, text, boolean, text,
	bigint, text, integer, text, regclass, boolean) IS
'Update several columns of all rows of a table in parallel batches that commit on their own';

CREATE FUNCTION bulkpar_delete(
	target regclass,
	condition text,
	batch_size integer DEFAULT 1000,
	workers integer DEFAULT NULL,
	wait boolean DEFAULT true,
	on_error text DEFAULT 'stop',
	max_errors bigint DEFAULT 1000,
	job_name text DEFAULT NULL,
	using_item text DEFAULT NULL,
	key_index regclass DEFAULT NULL)
RETURNS bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar_support;

COMMENT ON FUNCTION
bulkpar_delete(regclass, text, integer, integer, boolean, text, bigint, text,
	text, regclass) IS
'Delete rows of a table in parallel batches that commit on their own';

CREATE FUNCTION bulkpar_execute(
	statement text,
	batch_size integer DEFAULT 1000,
	workers integer DEFAULT NULL,
	wait boolean DEFAULT true,
	on_error text DEFAULT 'stop',
	max_errors bigint DEFAULT 1000,
	job_name text DEFAULT NULL,
	stripes integer DEFAULT NULL,
	key_index regclass DEFAULT NULL,
	skip_unchanged boolean DEFAULT false)
RETURNS bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar_support;

COMMENT ON FUNCTION
bulkpar_execute(text, integer, integer, boolean, text, bigint, text, integer,
	regclass, boolean) IS
'Run an UPDATE or DELETE statement in parallel batches that commit on their own';

-- Here the target is a text, so that a call with plain literals is not ambiguous.
CREATE FUNCTION bulkpar_explain(
	target text,
	column_name text,
	expression text,
	batch_size integer DEFAULT 1000,
	workers integer DEFAULT NULL,
	condition text DEFAULT NULL,
	wait boolean DEFAULT true,
	on_error text DEFAULT 'stop',
	max_errors bigint DEFAULT 1000,
	job_name text DEFAULT NULL,
	stripes integer DEFAULT NULL,
	from_item text DEFAULT NULL,
	key_index regclass DEFAULT NULL,
	skip_unchanged boolean DEFAULT false,
	sample boolean DEFAULT false)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'bulkpar_explain'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION
bulkpar_explain(text, text, text, integer, integer, text, boolean, text, bigint, text, integer, text, regclass, boolean, boolean) IS
'Show what bulkpar_update would do, and change nothing';

CREATE FUNCTION bulkpar_explain(
	target text,
	column_name text[],
	expression text[],
	batch_size integer DEFAULT 1000,
	workers integer DEFAULT NULL,
	condition text DEFAULT NULL,
	wait boolean DEFAULT true,
	on_error text DEFAULT 'stop',
	max_errors bigint DEFAULT 1000,
	job_name text DEFAULT NULL,
	stripes integer DEFAULT NULL,
	from_item text DEFAULT NULL,
	key_index regclass DEFAULT NULL,
	skip_unchanged boolean DEFAULT false,
	sample boolean DEFAULT false)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'bulkpar_explain'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION
bulkpar_explain(text, text[], text[], integer, integer, text, boolean, text, bigint, text, integer, text, regclass, boolean, boolean) IS
'Show what bulkpar_update would do, and change nothing';

CREATE FUNCTION bulkpar_explain(
	target text,
	condition text,
	batch_size integer DEFAULT 1000,
	workers integer DEFAULT NULL,
	wait boolean DEFAULT true,
	on_error text DEFAULT 'stop',
	max_errors bigint DEFAULT 1000,
	job_name text DEFAULT NULL,
	using_item text DEFAULT NULL,
	key_index regclass DEFAULT NULL,
	sample boolean DEFAULT false)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'bulkpar_explain'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION
bulkpar_explain(text, text, integer, integer, boolean, text, bigint, text, text, regclass, boolean) IS
'Show what bulkpar_delete would do, and change nothing';

CREATE FUNCTION bulkpar_explain(
	statement text,
	batch_size integer DEFAULT 1000,
	workers integer DEFAULT NULL,
	wait boolean DEFAULT true,
	on_error text DEFAULT 'stop',
	max_errors bigint DEFAULT 1000,
	job_name text DEFAULT NULL,
	stripes integer DEFAULT NULL,
	key_index regclass DEFAULT NULL,
	skip_unchanged boolean DEFAULT false,
	sample boolean DEFAULT false)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'bulkpar_explain'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION
bulkpar_explain(text, integer, integer, boolean, text, bigint, text, integer, regclass, boolean, boolean) IS
'Show what bulkpar_execute would do, and change nothing';

CREATE FUNCTION bulkpar_wait(
	job_id bigint,
	timeout interval DEFAULT NULL)
RETURNS bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_wait'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION bulkpar_wait(bigint, interval) IS
'Wait until a job has ended, or for the time given, and return its result';

CREATE PROCEDURE bulkpar_await(
	job_id bigint,
	timeout interval DEFAULT NULL)
AS 'MODULE_PATHNAME', 'bulkpar_await'
LANGUAGE C;

COMMENT ON PROCEDURE bulkpar_await(bigint, interval) IS
'Commit, then wait as bulkpar_wait does: for procedures, which keep no snapshot across it';

CREATE FUNCTION bulkpar_pause(job_id bigint)
RETURNS bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_pause'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION bulkpar_pause(bigint) IS
'Pause a running job, and return when nothing of it commits any more';

CREATE FUNCTION bulkpar_cancel(job_id bigint)
RETURNS bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_cancel'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION bulkpar_cancel(bigint) IS
'Cancel a job, and return when nothing of it commits any more';

CREATE FUNCTION bulkpar_resume(
	job_id bigint,
	workers integer DEFAULT NULL,
	batch_size integer DEFAULT NULL,
	wait boolean DEFAULT true)
RETURNS bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_resume'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar_support;

COMMENT ON FUNCTION bulkpar_resume(bigint, integer, integer, boolean) IS
'Go on with a job that is paused, failed, cancelled or interrupted';

CREATE FUNCTION bulkpar_forget(job_id bigint)
RETURNS bigint
AS 'MODULE_PATHNAME', 'bulkpar_forget_job'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION bulkpar_forget(bigint) IS
'Delete all that is kept about a job that does not run';

CREATE FUNCTION bulkpar_forget(age interval)
RETURNS bigint
AS 'MODULE_PATHNAME', 'bulkpar_forget_age'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION bulkpar_forget(interval) IS
'Delete all that is kept about jobs that ended longer ago, and return their number';

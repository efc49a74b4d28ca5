/* sql/bulkpar--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION bulkpar" to load this file. \quit

-- What is used below is found in pg_catalog and nowhere else, whatever the
-- schema of the extension has got; what is made below is qualified.
SET LOCAL search_path TO pg_catalog, pg_temp;

-- The tables, and what runs with more rights than its caller, have a schema of
-- their own: nobody but the owner can look or put anything into it.
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_extension
			WHERE extname = 'bulkpar'
				AND extnamespace = to_regnamespace('bulkpar')) THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = 'extension "bulkpar" cannot be installed in schema "bulkpar"',
			DETAIL = 'That schema is for the tables of the extension, which nobody else may look into.',
			HINT = 'Use CREATE EXTENSION bulkpar SCHEMA with another schema.';
	ELSIF to_regnamespace('bulkpar') IS NULL THEN
		CREATE SCHEMA bulkpar;
	ELSIF EXISTS (SELECT FROM pg_namespace
			WHERE nspname = 'bulkpar'
				AND pg_get_userbyid(nspowner) = current_user)
		AND NOT EXISTS (SELECT FROM pg_depend
			WHERE refclassid = 'pg_namespace'::regclass
				AND refobjid = to_regnamespace('bulkpar')) THEN
		ALTER EXTENSION bulkpar ADD SCHEMA bulkpar;
	ELSE
		RAISE duplicate_schema USING
			MESSAGE = 'schema "bulkpar" already exists',
			DETAIL = 'The extension needs it for itself: empty, and owned by the role that installs the extension.',
			HINT = 'Rename or drop the schema that is there.';
	END IF;
END
$$;

COMMENT ON SCHEMA bulkpar IS
'The tables and helpers of extension bulkpar, which are for it alone';

-- Not a sequence, which pg_write_all_data could set back.
CREATE TABLE bulkpar.bulkpar_counter (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	last_job_id bigint NOT NULL
);

INSERT INTO bulkpar.bulkpar_counter (last_job_id) VALUES (0);

CREATE TABLE bulkpar.bulkpar_job (
	job_id bigint PRIMARY KEY,
	job_name text,
	owner regrole NOT NULL,
	session_role regrole NOT NULL,
	target regclass NOT NULL,
	targets regclass[],
	only_target boolean NOT NULL,
	key_index oid,
	inserted regclass,
	command text NOT NULL CHECK (command IN
		('update', 'delete', 'copy', 'move', 'keep', 'merge', 'call')),
	column_names text[] NOT NULL,
	column_targets text[],
	statement text,
	expressions text[] NOT NULL,
	condition text,
	from_item text,
	names text[],
	skip_unchanged boolean NOT NULL,
	sees_batches boolean NOT NULL,
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
	planned_runs integer NOT NULL DEFAULT 0,
	estimated_rows bigint,
	xmin_holders text,
	created_at timestamptz NOT NULL,
	started_at timestamptz,
	running_since timestamptz,
	time_before interval NOT NULL DEFAULT '0',
	finished_at timestamptz,
	rows_hot bigint,
	wal_bytes bigint,
	table_bytes_before bigint,
	table_bytes_after bigint,
	index_bytes_before bigint,
	index_bytes_after bigint,
	dead_rows bigint,
	messages jsonb,
	throttled_by text,
	throttled_since timestamptz,
	throttled_at timestamptz,
	sqlstate text,
	message text,
	detail text,
	hint text,
	context text,
	schema_name text,
	table_name text,
	column_name text,
	datatype_name text,
	constraint_name text
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX bulkpar_job_unfinished_name ON bulkpar.bulkpar_job (owner, job_name)
	WHERE status <> 'succeeded';

CREATE TABLE bulkpar.bulkpar_part (
	job_id bigint NOT NULL REFERENCES bulkpar.bulkpar_job ON DELETE CASCADE,
	part_no integer NOT NULL,
	target regclass NOT NULL,
	relation regclass NOT NULL,
	key_index oid NOT NULL,
	key_order text NOT NULL,
	shard bigint,
	gone boolean NOT NULL DEFAULT false,
	estimated_rows bigint,
	end_key text[],
	end_bytes bytea,
	PRIMARY KEY (job_id, part_no)
);

CREATE TABLE bulkpar.bulkpar_chunk (
	job_id bigint NOT NULL REFERENCES bulkpar.bulkpar_job ON DELETE CASCADE,
	chunk_no bigint NOT NULL,
	part_no integer NOT NULL,
	lo text[],
	lo_bytes bytea,
	hi text[] NOT NULL,
	hi_bytes bytea NOT NULL,
	stripes integer NOT NULL,
	stripe integer NOT NULL DEFAULT 0,
	keys bytea,
	aside bytea,
	last_key text[],
	last_bytes bytea,
	rows_before bigint NOT NULL,
	rows_found bigint NOT NULL,
	rows_done bigint NOT NULL DEFAULT 0,
	rows_changed bigint NOT NULL DEFAULT 0,
	rows_failed bigint NOT NULL DEFAULT 0,
	rows_unchanged bigint NOT NULL DEFAULT 0,
	rows_hot bigint NOT NULL DEFAULT 0,
	wal_bytes bigint NOT NULL DEFAULT 0,
	batches bigint NOT NULL DEFAULT 0,
	retries bigint NOT NULL DEFAULT 0,
	messages jsonb,
	attempts integer NOT NULL DEFAULT 1,
	status text NOT NULL
		CHECK (status IN ('running', 'succeeded', 'failed')),
	epoch bigint NOT NULL DEFAULT 1,
	worker integer,
	worker_pid integer,
	started_at timestamptz NOT NULL,
	claimed_at timestamptz,
	rows_at_claim bigint NOT NULL DEFAULT 0,
	progressed_at timestamptz,
	finished_at timestamptz,
	throttled_by text,
	throttled_since timestamptz,
	throttled_at timestamptz,
	throttled_until timestamptz,
	sqlstate text,
	message text,
	detail text,
	hint text,
	context text,
	schema_name text,
	table_name text,
	column_name text,
	datatype_name text,
	constraint_name text,
	PRIMARY KEY (job_id, chunk_no)
) WITH (fillfactor = 90);

-- to compress a list takes longer than to delete its rows
ALTER TABLE bulkpar.bulkpar_chunk ALTER COLUMN keys SET STORAGE EXTERNAL;

-- A claim looks for a chunk that a dead worker has left; few rows are here.
CREATE INDEX bulkpar_chunk_unfinished ON bulkpar.bulkpar_chunk (job_id, chunk_no)
	WHERE status <> 'succeeded';

CREATE TABLE bulkpar.bulkpar_error (
	job_id bigint NOT NULL REFERENCES bulkpar.bulkpar_job ON DELETE CASCADE,
	chunk_no bigint NOT NULL,
	key text[] NOT NULL,
	sqlstate text NOT NULL,
	message text NOT NULL,
	detail text,
	hint text,
	context text,
	schema_name text,
	table_name text,
	column_name text,
	datatype_name text,
	constraint_name text,
	failed_at timestamptz NOT NULL,
	node_no integer
);

-- The tables themselves, bulkpar_subquery_<job>_<number>, are made and dropped
-- with their jobs, as members of the extension.
CREATE TABLE bulkpar.bulkpar_subquery (
	job_id bigint NOT NULL REFERENCES bulkpar.bulkpar_job ON DELETE CASCADE,
	number integer NOT NULL,
	relation oid NOT NULL,
	rows bigint NOT NULL,
	has_nulls boolean NOT NULL,
	choice integer NOT NULL,
	PRIMARY KEY (job_id, number)
);

CREATE TABLE bulkpar.bulkpar_throttle (
	job_id bigint NOT NULL REFERENCES bulkpar.bulkpar_job ON DELETE CASCADE,
	reason text NOT NULL,
	message text,
	since timestamptz,
	lost interval NOT NULL,
	work_share real NOT NULL,
	PRIMARY KEY (job_id, reason)
) WITH (fillfactor = 70);

-- Rows of their own, for workers lock that of the job for each chunk.  What they
-- say goes into it when the job is next resumed or has ended, or sooner.
CREATE TABLE bulkpar.bulkpar_alteration (
	job_id bigint NOT NULL REFERENCES bulkpar.bulkpar_job ON DELETE CASCADE,
	altered_at timestamptz NOT NULL,
	workers integer,
	batch_size integer,
	settings jsonb,
	followed boolean NOT NULL DEFAULT false
);

-- The server is no foreign key: it may be dropped, and then has a name here.  It
-- is 0 for a node of Citus, which has a number.
CREATE TABLE bulkpar.bulkpar_node (
	job_id bigint NOT NULL REFERENCES bulkpar.bulkpar_job ON DELETE CASCADE,
	node_no integer NOT NULL,
	server oid NOT NULL,
	citus_node integer,
	server_name text NOT NULL,
	relations regclass[] NOT NULL,
	remote text[] NOT NULL,
	origin uuid NOT NULL,
	workers integer,
	remote_job_id bigint,
	status text NOT NULL DEFAULT 'waiting' CHECK (status IN
		('waiting', 'asked', 'running', 'paused', 'succeeded', 'failed',
		'cancelled', 'interrupted', 'not reached')),
	rows_done bigint NOT NULL DEFAULT 0,
	rows_changed bigint NOT NULL DEFAULT 0,
	rows_failed bigint NOT NULL DEFAULT 0,
	rows_unchanged bigint NOT NULL DEFAULT 0,
	batches bigint NOT NULL DEFAULT 0,
	estimated_rows bigint,
	rows_per_second bigint,
	seen_at timestamptz,
	sqlstate text,
	message text,
	detail text,
	hint text,
	context text,
	schema_name text,
	table_name text,
	column_name text,
	datatype_name text,
	constraint_name text,
	PRIMARY KEY (job_id, node_no)
) WITH (fillfactor = 70);

-- It has no key: who alters a job does not know of others who do.
ALTER TABLE bulkpar.bulkpar_alteration REPLICA IDENTITY FULL;

-- Not on the key, which may be longer than an entry of an index.
CREATE INDEX bulkpar_error_job ON bulkpar.bulkpar_error (job_id);

-- It has no key, by which a publication of all tables could name a row to delete.
ALTER TABLE bulkpar.bulkpar_error REPLICA IDENTITY FULL;

-- Without a policy they are empty to all but their owner, whatever privileges
-- others have by pg_read_all_data and pg_write_all_data.
ALTER TABLE bulkpar.bulkpar_counter ENABLE ROW LEVEL SECURITY;
ALTER TABLE bulkpar.bulkpar_job ENABLE ROW LEVEL SECURITY;
ALTER TABLE bulkpar.bulkpar_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE bulkpar.bulkpar_chunk ENABLE ROW LEVEL SECURITY;
ALTER TABLE bulkpar.bulkpar_error ENABLE ROW LEVEL SECURITY;
ALTER TABLE bulkpar.bulkpar_subquery ENABLE ROW LEVEL SECURITY;
ALTER TABLE bulkpar.bulkpar_throttle ENABLE ROW LEVEL SECURITY;
ALTER TABLE bulkpar.bulkpar_alteration ENABLE ROW LEVEL SECURITY;
ALTER TABLE bulkpar.bulkpar_node ENABLE ROW LEVEL SECURITY;

COMMENT ON TABLE bulkpar.bulkpar_job IS
'One row for each bulkpar job; people read the view bulkpar_jobs';
COMMENT ON TABLE bulkpar.bulkpar_counter IS 'Numbers the bulkpar jobs';
COMMENT ON COLUMN bulkpar.bulkpar_job.job_name IS
'A name that the caller gave, unique among the unfinished jobs of an owner';
COMMENT ON INDEX bulkpar.bulkpar_job_unfinished_name IS
'Keeps the names of unfinished jobs unique';
COMMENT ON TABLE bulkpar.bulkpar_error IS
'One row for each row that a job with on_error => ''skip'' could not update';
COMMENT ON COLUMN bulkpar.bulkpar_error.node_no IS
'The node of which the row is, with a chunk of the job there; null for here';
COMMENT ON TABLE bulkpar.bulkpar_subquery IS
'One row for each subquery of a job that was evaluated once, when it began';
COMMENT ON COLUMN bulkpar.bulkpar_subquery.relation IS
'The table with the rows that it returned; without code and privileges of anybody';
COMMENT ON COLUMN bulkpar.bulkpar_subquery.rows IS
'How many these are: a crash empties the table';
COMMENT ON COLUMN bulkpar.bulkpar_subquery.has_nulls IS 'Whether a null is in them';
COMMENT ON COLUMN bulkpar.bulkpar_subquery.choice IS
'Which of those it is that could also be part of each batch; 0 if it could not';
COMMENT ON TABLE bulkpar.bulkpar_node IS
'One row for each other server on which a job has a job of its own; people read the view bulkpar_nodes';
COMMENT ON COLUMN bulkpar.bulkpar_node.relations IS 'The foreign tables here';
COMMENT ON COLUMN bulkpar.bulkpar_node.remote IS 'What their tables are called there, in SQL';
COMMENT ON COLUMN bulkpar.bulkpar_node.origin IS
'By this the job there is named, so that no message can start it twice; numbers of jobs repeat after a restore';
COMMENT ON COLUMN bulkpar.bulkpar_node.workers IS
'How many the caller has asked for; null: as many as that server chooses';
COMMENT ON COLUMN bulkpar.bulkpar_node.status IS
'What was last heard of the job there; succeeded when all nodes have confirmed it';
COMMENT ON COLUMN bulkpar.bulkpar_node.seen_at IS 'When that was';
COMMENT ON TABLE bulkpar.bulkpar_alteration IS
'One row for each change of a job by bulkpar_alter that is not yet in the row of the job';
COMMENT ON COLUMN bulkpar.bulkpar_alteration.workers IS 'How many instead; null: as many as before';
COMMENT ON COLUMN bulkpar.bulkpar_alteration.settings IS
'As those of the job, instead of those of the same names; with a null as value: no longer';
COMMENT ON COLUMN bulkpar.bulkpar_alteration.followed IS
'Whether the coordinator of the job works by it';
COMMENT ON TABLE bulkpar.bulkpar_throttle IS
'One row for each reason that has slowed a job down; that of '''' is for all of them together';
COMMENT ON COLUMN bulkpar.bulkpar_throttle.message IS
'The reason with its value and limit, while it slows the job down; else null';
COMMENT ON COLUMN bulkpar.bulkpar_throttle.since IS 'When that began';
COMMENT ON COLUMN bulkpar.bulkpar_throttle.lost IS 'How much time the job has lost by it';
COMMENT ON COLUMN bulkpar.bulkpar_throttle.work_share IS
'Which share of their time the workers of the job work';
COMMENT ON COLUMN bulkpar.bulkpar_job.sees_batches IS
'Whether subqueries that depend on the row may see what earlier batches have done';
COMMENT ON COLUMN bulkpar.bulkpar_job.statement IS
'The statement of bulkpar_execute; null where it is made of the other parts';
COMMENT ON COLUMN bulkpar.bulkpar_job.command IS
'What is done with the rows of the target: copy is INSERT, move and keep are INSERT of what a DELETE or UPDATE returns, merge is that of the target into another table, call is SELECT';
COMMENT ON COLUMN bulkpar.bulkpar_job.column_names IS 'The columns that are set';
COMMENT ON COLUMN bulkpar.bulkpar_job.column_targets IS
'What is set of each column, in SQL, where that is a field or an element of one; else null';
COMMENT ON COLUMN bulkpar.bulkpar_job.names IS
'The tables and columns that the names in the statement are: OID, number and name';
COMMENT ON COLUMN bulkpar.bulkpar_job.messages IS
'What triggers and functions have said (INFO, NOTICE, WARNING) when the job has ended: ten texts, and how often each and others came';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.messages IS
'The same as its workers have reported it';
COMMENT ON COLUMN bulkpar.bulkpar_job.targets IS
'All targets, where the job has several; else null';
COMMENT ON COLUMN bulkpar.bulkpar_job.only_target IS
'Whether the job is about its only target itself, not the partitions or children of that';
COMMENT ON COLUMN bulkpar.bulkpar_job.key_index IS
'The index that the caller has named; null to choose one';
COMMENT ON COLUMN bulkpar.bulkpar_job.inserted IS
'The table into which the statement inserts; null for none';
COMMENT ON COLUMN bulkpar.bulkpar_job.session_role IS
'The role of the session that created the job, which may have said SET ROLE';
COMMENT ON COLUMN bulkpar.bulkpar_job.settings IS
'Settings of the calling session that give the expressions their meaning, each with the role that has set it, and whether that could set those of a superuser';
COMMENT ON COLUMN bulkpar.bulkpar_job.stripes IS
'In how many stripes each chunk is updated; null until the number is chosen';
COMMENT ON COLUMN bulkpar.bulkpar_job.stripes_chosen IS
'Whether bulkpar chose that number; then chunks have one stripe while dead rows cannot be removed';
COMMENT ON COLUMN bulkpar.bulkpar_job.xmin_holders IS
'Who held back the removal of dead rows when the job was last started';
COMMENT ON COLUMN bulkpar.bulkpar_job.rows_hot IS
'Updates that were HOT: the new version is on the page of the old, and no index grew';
COMMENT ON COLUMN bulkpar.bulkpar_job.wal_bytes IS 'WAL that the batches have written';
COMMENT ON COLUMN bulkpar.bulkpar_job.table_bytes_before IS
'Size of the table with its TOAST table when the job was first started';
COMMENT ON COLUMN bulkpar.bulkpar_job.dead_rows IS
'Dead rows of the table when the job last ended, as the statistics counted them';
COMMENT ON COLUMN bulkpar.bulkpar_job.sqlstate IS
'The first error of the run; the columns that follow have the rest of it';
COMMENT ON COLUMN bulkpar.bulkpar_job.schema_name IS
'The schema of what the error is about, as far as it names something';
COMMENT ON COLUMN bulkpar.bulkpar_job.runs IS
'How often the job was started; workers of an earlier run do not go on';
COMMENT ON COLUMN bulkpar.bulkpar_job.planned_runs IS
'The run that was last planned: its end, workers and stripes are known';
COMMENT ON COLUMN bulkpar.bulkpar_job.running_since IS
'When the present run began; null when it has ended';
COMMENT ON COLUMN bulkpar.bulkpar_job.time_before IS
'How long the runs before it have taken together';
COMMENT ON TABLE bulkpar.bulkpar_part IS
'One row for each table that a job goes through: its targets, or their partitions
or children';
COMMENT ON COLUMN bulkpar.bulkpar_part.target IS
'The target that it is, or is a partition or child of: the table that its statements name';
COMMENT ON COLUMN bulkpar.bulkpar_part.key_index IS
'Not a regclass, which could not be restored from a dump before the index';
COMMENT ON COLUMN bulkpar.bulkpar_part.key_order IS
'The order of key_index, by which an index that has replaced it is found';
COMMENT ON COLUMN bulkpar.bulkpar_part.gone IS
'Whether it was dropped or detached before the job was done with it';
COMMENT ON COLUMN bulkpar.bulkpar_part.end_key IS
'The largest key when the job began, where this part ends, to be shown';
COMMENT ON COLUMN bulkpar.bulkpar_part.end_bytes IS
'That key as it is on disk, which no setting and no name can change';
COMMENT ON TABLE bulkpar.bulkpar_chunk IS
'One row for each range of keys (lo, hi] that a worker of a job has claimed;
people read the view bulkpar_chunks';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.stripes IS
'The chunk is updated in so many stripes, each of which goes from lo to hi';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.stripe IS
'Those before this one are done';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.lo IS 'A key as text, to be shown';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.lo_bytes IS
'The same key as it is on disk, which no setting and no name can change';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.keys IS
'The listed rows in the order of the disk, with key and place; null for all rows';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.aside IS
'The keys of rows that were locked when their batch came, and that are yet to be done';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.throttled_by IS
'What keeps it, or rows of it, from going on';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.throttled_at IS
'When that was last seen';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.throttled_until IS
'When it is tried again, by a worker that has nothing else to do';
COMMENT ON COLUMN bulkpar.bulkpar_job.throttled_by IS
'What keeps a worker that has no chunk from going on';
COMMENT ON COLUMN bulkpar.bulkpar_job.throttled_at IS
'When that was last seen';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.last_key IS
'The stripe is done up to this key, committed together with its rows';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.rows_before IS
'Rows that were counted in the chunks before this one';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.rows_found IS
'Rows that were counted in this chunk when it was claimed';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.rows_done IS
'Rows of rows_found whose batches have committed';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.rows_unchanged IS
'Rows left alone by skip_unchanged';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.retries IS
'Batches that ran again after a deadlock, a lock timeout or the like';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.claimed_at IS
'When its present worker, or its last, has claimed it';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.rows_at_claim IS
'What rows_done was then';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.progressed_at IS
'When its last batch was about to commit';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.worker IS
'The number of the worker that has the chunk; null when it can be claimed';
COMMENT ON COLUMN bulkpar.bulkpar_chunk.epoch IS
'Goes up when another worker takes the chunk over';
COMMENT ON INDEX bulkpar.bulkpar_chunk_unfinished IS
'Finds the chunks that are not yet done';
COMMENT ON INDEX bulkpar.bulkpar_error_job IS
'Finds and counts the errors of a job';

-- A role sees all of its own jobs, and of the others, if it has
-- pg_read_all_stats, what has no values of rows in it; of an error that is its
-- SQLSTATE and the names of what it is about.  The live coordinator of a job
-- holds a lock on (bulkpar_job, job_id).
CREATE VIEW @extschema@.bulkpar_jobs WITH (security_barrier) AS
SELECT j.job_id, j.job_name, j.owner, j.target, j.targets,
	p.key_index::regclass AS key_index, j.inserted, j.command, j.column_names,
	CASE WHEN r.owns THEN j.column_targets END AS column_targets,
	CASE WHEN r.owns THEN j.statement END AS statement,
	CASE WHEN r.owns THEN j.expressions END AS expressions,
	CASE WHEN r.owns THEN j.condition END AS condition,
	CASE WHEN r.owns THEN j.from_item END AS from_item,
	j.skip_unchanged, j.sees_batches,
	coalesce((SELECT i.batch_size FROM bulkpar.bulkpar_alteration i
		WHERE i.job_id = j.job_id AND i.batch_size IS NOT NULL
		ORDER BY i.altered_at DESC LIMIT 1), j.batch_size) AS batch_size,
	coalesce((SELECT i.workers FROM bulkpar.bulkpar_alteration i
		WHERE i.job_id = j.job_id AND i.workers IS NOT NULL
		ORDER BY i.altered_at DESC LIMIT 1), j.workers) AS workers,
	j.stripes, j.stripes_chosen, j.on_error, j.max_errors,
	CASE WHEN r.owns
		THEN jsonb_strip_nulls((SELECT coalesce(jsonb_object_agg(
						s.value ->> 'name', s.value ->> 'value'), '{}'::jsonb)
				FROM jsonb_array_elements(j.settings) s)
			|| (SELECT coalesce(jsonb_object_agg(s.value ->> 'name',
						s.value ->> 'value' ORDER BY i.altered_at), '{}'::jsonb)
				FROM bulkpar.bulkpar_alteration i
				CROSS JOIN jsonb_array_elements(i.settings) s
				WHERE i.job_id = j.job_id)) END AS settings,
	CASE WHEN j.status <> 'running' OR a.alive THEN j.status
		WHEN pg_is_in_recovery() THEN 'running elsewhere'
		ELSE 'interrupted' END AS status,
	j.runs, j.estimated_rows + (SELECT coalesce(sum(n.estimated_rows), 0)::bigint
		FROM bulkpar.bulkpar_node n WHERE n.job_id = j.job_id) AS estimated_rows,
	CASE WHEN r.owns THEN p.end_key END AS end_key,
	j.xmin_holders, j.created_at,
	j.started_at, j.finished_at,
	j.time_before + greatest('0', CASE WHEN a.alive THEN clock_timestamp()
		WHEN j.running_since IS NOT NULL
		THEN (SELECT max(c.progressed_at) FROM bulkpar.bulkpar_chunk c
			WHERE c.job_id = j.job_id) END - j.running_since) AS time_at_work,
	j.rows_hot, j.wal_bytes,
	j.table_bytes_before, j.table_bytes_after, j.index_bytes_before,
	j.index_bytes_after, j.dead_rows,
	CASE WHEN r.owns THEN j.messages END AS messages,
	j.sqlstate,
	CASE WHEN r.owns THEN j.message END AS message,
	CASE WHEN r.owns THEN j.detail END AS detail,
	CASE WHEN r.owns THEN j.hint END AS hint,
	CASE WHEN r.owns THEN j.context END AS context,
	j.schema_name, j.table_name, j.column_name, j.datatype_name,
	j.constraint_name
FROM bulkpar.bulkpar_job j
CROSS JOIN LATERAL (SELECT pg_has_role(j.owner::oid, 'USAGE'::text) AS owns,
	pg_has_role('pg_read_all_stats'::name, 'USAGE'::text) AS reads_stats) r
CROSS JOIN LATERAL (SELECT j.status = 'running' AND EXISTS (
	SELECT FROM pg_locks l
	WHERE l.locktype = 'userlock'
		AND l.database = (SELECT d.oid FROM pg_database d
			WHERE d.datname = current_database())
		AND l.classid = 'bulkpar.bulkpar_job'::regclass::oid
		AND l.objid = (j.job_id & 4294967295)::oid
		AND l.objsubid = (j.job_id >> 32)
		AND l.granted AND l.mode = 'ExclusiveLock') AS alive) a
LEFT JOIN bulkpar.bulkpar_part p ON p.job_id = j.job_id AND p.part_no = 1
WHERE r.owns OR r.reads_stats;

CREATE VIEW @extschema@.bulkpar_chunks WITH (security_barrier) AS
SELECT c.job_id, c.chunk_no, c.part_no,
	CASE WHEN r.owns THEN c.lo END AS lo,
	CASE WHEN r.owns THEN c.hi END AS hi,
	c.stripes, c.stripe,
	CASE WHEN r.owns THEN c.last_key END AS last_key,
	c.keys IS NOT NULL AS listed,
	c.rows_before, c.rows_found, c.rows_done, c.rows_changed, c.rows_failed,
	c.rows_unchanged, c.rows_hot, c.wal_bytes, c.batches, c.retries,
	CASE WHEN r.owns THEN c.messages END AS messages,
	c.attempts, c.status, c.epoch, c.worker, c.worker_pid, c.started_at,
	c.claimed_at, c.rows_at_claim, c.progressed_at, c.finished_at, c.sqlstate,
	CASE WHEN r.owns THEN c.message END AS message,
	CASE WHEN r.owns THEN c.detail END AS detail,
	CASE WHEN r.owns THEN c.hint END AS hint,
	CASE WHEN r.owns THEN c.context END AS context,
	c.schema_name, c.table_name, c.column_name, c.datatype_name,
	c.constraint_name, p.relation, c.throttled_by, c.throttled_since
FROM bulkpar.bulkpar_chunk c
JOIN bulkpar.bulkpar_job j USING (job_id)
CROSS JOIN LATERAL (SELECT pg_has_role(j.owner::oid, 'USAGE'::text) AS owns,
	pg_has_role('pg_read_all_stats'::name, 'USAGE'::text) AS reads_stats) r
JOIN bulkpar.bulkpar_part p USING (job_id, part_no)
WHERE r.owns OR r.reads_stats;

CREATE VIEW @extschema@.bulkpar_errors WITH (security_barrier) AS
SELECT e.job_id, e.chunk_no,
	CASE WHEN r.owns THEN e.key END AS key,
	e.sqlstate,
	CASE WHEN r.owns THEN e.message END AS message,
	CASE WHEN r.owns THEN e.detail END AS detail,
	CASE WHEN r.owns THEN e.hint END AS hint,
	CASE WHEN r.owns THEN e.context END AS context,
	e.schema_name, e.table_name, e.column_name, e.datatype_name,
	e.constraint_name, e.failed_at, p.relation, n.server_name AS server
FROM bulkpar.bulkpar_error e
JOIN bulkpar.bulkpar_job j USING (job_id)
CROSS JOIN LATERAL (SELECT pg_has_role(j.owner::oid, 'USAGE'::text) AS owns,
	pg_has_role('pg_read_all_stats'::name, 'USAGE'::text) AS reads_stats) r
LEFT JOIN bulkpar.bulkpar_chunk c ON c.job_id = e.job_id
	AND c.chunk_no = e.chunk_no AND e.node_no IS NULL
LEFT JOIN bulkpar.bulkpar_part p ON p.job_id = e.job_id
	AND p.part_no = c.part_no
LEFT JOIN bulkpar.bulkpar_node n ON n.job_id = e.job_id
	AND n.node_no = e.node_no
WHERE r.owns OR r.reads_stats;

CREATE VIEW @extschema@.bulkpar_nodes WITH (security_barrier) AS
SELECT n.job_id, n.node_no, n.server_name AS server, n.relations, n.remote,
	CASE WHEN r.owns THEN 'bulkpar ' || n.origin END AS remote_job_name,
	n.remote_job_id, n.status, n.rows_done, n.rows_changed, n.rows_failed,
	n.rows_unchanged, n.batches, n.estimated_rows, n.rows_per_second, n.seen_at,
	n.sqlstate,
	CASE WHEN r.owns THEN n.message END AS message,
	CASE WHEN r.owns THEN n.detail END AS detail,
	CASE WHEN r.owns THEN n.hint END AS hint,
	CASE WHEN r.owns THEN n.context END AS context,
	n.schema_name, n.table_name, n.column_name, n.datatype_name,
	n.constraint_name
FROM bulkpar.bulkpar_node n
JOIN bulkpar.bulkpar_job j USING (job_id)
CROSS JOIN LATERAL (SELECT pg_has_role(j.owner::oid, 'USAGE'::text) AS owns,
	pg_has_role('pg_read_all_stats'::name, 'USAGE'::text) AS reads_stats) r
WHERE r.owns OR r.reads_stats;

-- Dead rows that any of these may still see cannot be removed.
CREATE FUNCTION @extschema@.bulkpar_xmin_holders()
RETURNS text
AS 'MODULE_PATHNAME', 'bulkpar_xmin_holders'
LANGUAGE C STABLE PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_xmin_holders() IS
'Who holds back the removal of dead rows in this database, in as much detail as the current role may see';

CREATE VIEW @extschema@.bulkpar_progress WITH (security_barrier) AS
SELECT j.job_id,
	j.target,
	j.targets,
	j.status,
	c.rows_done,
	c.rows_changed,
	c.rows_failed,
	c.rows_unchanged,
	greatest(j.estimated_rows, c.rows_done) AS estimated_rows,
	CASE WHEN j.status = 'succeeded' THEN 100.0
		WHEN j.estimated_rows IS NULL THEN 0.0
		ELSE least(99.9, round(100.0 * c.rows_done
			/ greatest(j.estimated_rows, 1), 1)) END AS percent,
	round(r.rows_per_second)::bigint AS rows_per_second,
	CASE WHEN j.status LIKE 'running%' AND r.rows_per_second > 0
		THEN date_trunc('second', make_interval(secs =>
			least(greatest(j.estimated_rows - c.rows_done, 0)
			/ r.rows_per_second, 1e12))) END AS time_left,
	CASE WHEN j.status = 'running'
		THEN @extschema@.bulkpar_xmin_holders() END AS xmin_holders,
	CASE WHEN j.status LIKE 'running%'
		THEN nullif(concat_ws(', ', s.reasons, l.reasons), '')
		END AS throttled_by,
	CASE WHEN j.status LIKE 'running%'
		THEN least(s.since, l.since) END AS throttled_since,
	s.lost AS throttled_time,
	CASE WHEN j.status LIKE 'running%'
		THEN coalesce(s.work_share, 1) END AS work_share
FROM @extschema@.bulkpar_jobs j
CROSS JOIN LATERAL (
	SELECT coalesce(sum(i.rows_done), 0)::bigint AS rows_done,
		coalesce(sum(i.rows_changed), 0)::bigint AS rows_changed,
		coalesce(sum(i.rows_failed), 0)::bigint AS rows_failed,
		coalesce(sum(i.rows_unchanged), 0)::bigint AS rows_unchanged
	FROM (SELECT k.rows_done, k.rows_changed, k.rows_failed, k.rows_unchanged
		FROM bulkpar.bulkpar_chunk k WHERE k.job_id = j.job_id
		UNION ALL
		SELECT k.rows_done, k.rows_changed, k.rows_failed, k.rows_unchanged
		FROM bulkpar.bulkpar_node k WHERE k.job_id = j.job_id) i) c
CROSS JOIN LATERAL (
	-- What the owner's query says may be of its rows.
	SELECT string_agg(CASE WHEN i.reason = 'throttle_query'
				AND NOT pg_has_role(j.owner::oid, 'USAGE'::text)
			THEN i.reason ELSE i.message END, ', ' ORDER BY i.reason)
			FILTER (WHERE i.reason <> '') AS reasons,
		max(i.since) FILTER (WHERE i.reason = '') AS since,
		coalesce(max(i.lost) FILTER (WHERE i.reason = ''), '0') AS lost,
		max(i.work_share) FILTER (WHERE i.reason = '') AS work_share
	FROM bulkpar.bulkpar_throttle i WHERE i.job_id = j.job_id) s
CROSS JOIN LATERAL (
	SELECT string_agg(DISTINCT w.throttled_by, ', ' ORDER BY w.throttled_by)
			AS reasons,
		min(w.throttled_since) AS since
	FROM (SELECT b.throttled_by, b.throttled_since FROM bulkpar.bulkpar_job b
		WHERE b.job_id = j.job_id
		UNION ALL
		SELECT k.throttled_by, k.throttled_since FROM bulkpar.bulkpar_chunk k
		WHERE k.job_id = j.job_id AND k.status <> 'succeeded') w) l
-- Of a job that runs, in the last minute of its run.
CROSS JOIN LATERAL (
	SELECT CASE WHEN j.status NOT LIKE 'running%'
		THEN c.rows_done / greatest(extract(epoch FROM j.time_at_work), 0.001)
		ELSE coalesce(sum((k.rows_done - k.rows_at_claim)
				* greatest(extract(epoch FROM
					k.until - greatest(k.claimed_at, k.since)), 0)
				/ greatest(extract(epoch FROM k.until - k.claimed_at), 0.001)), 0)
			/ greatest(extract(epoch FROM max(k.now) - max(k.since)), 0.001)
			+ (SELECT coalesce(sum(o.rows_per_second), 0)
				FROM bulkpar.bulkpar_node o
				WHERE o.job_id = j.job_id AND o.status = 'running')
		END::float8 AS rows_per_second
	FROM (SELECT n.*, CASE WHEN n.unfinished THEN n.now
				ELSE n.progressed_at END AS until,
			greatest(n.now - interval '1 minute', n.first_claim) AS since
		FROM (SELECT i.rows_done, i.rows_at_claim, i.claimed_at, i.progressed_at,
				i.worker IS NOT NULL AND i.finished_at IS NULL AS unfinished,
				CASE WHEN j.status = 'running' THEN clock_timestamp()
					ELSE max(i.progressed_at) OVER () END AS now,
				min(i.claimed_at) FILTER (WHERE i.claimed_at >= b.running_since)
					OVER () AS first_claim
			FROM bulkpar.bulkpar_chunk i
			JOIN bulkpar.bulkpar_job b USING (job_id)
			WHERE i.job_id = j.job_id) n) k) r;

COMMENT ON VIEW @extschema@.bulkpar_jobs IS
'The bulkpar jobs: a role sees its own, pg_read_all_stats all without the values of rows';
COMMENT ON VIEW @extschema@.bulkpar_chunks IS 'The chunks of the jobs that a role sees';
COMMENT ON VIEW @extschema@.bulkpar_errors IS
'The rows that the jobs that a role sees could not update';
COMMENT ON VIEW @extschema@.bulkpar_nodes IS
'The other servers that the jobs work on that a role sees, and what was last heard of them';
COMMENT ON VIEW @extschema@.bulkpar_progress IS 'How far each job is that a role sees';

CREATE TYPE @extschema@.bulkpar_result AS (
	job_id bigint,
	status text,
	rows_changed bigint,
	batches bigint,
	workers integer,
	elapsed interval,
	rows_failed bigint,
	rows_unchanged bigint
);

COMMENT ON TYPE @extschema@.bulkpar_result IS 'What a bulkpar job has done';

CREATE FUNCTION bulkpar.bulkpar_support(internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'bulkpar_support'
LANGUAGE C STRICT;

COMMENT ON FUNCTION bulkpar.bulkpar_support(internal) IS
'Planner support of the functions that run a job';

-- So cheap that it comes before all that may fail: a batch looks at rows of
-- other stripes, but must not evaluate the user's condition for them.
CREATE FUNCTION bulkpar.bulkpar_in_stripe(stripes integer, stripe integer,
	VARIADIC key "any")
RETURNS boolean
AS 'MODULE_PATHNAME', 'bulkpar_in_stripe'
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.0001;

COMMENT ON FUNCTION bulkpar.bulkpar_in_stripe(integer, integer, "any") IS
'Whether a job with that many stripes puts a key into the one with that number';

-- As cheap: rows that are not those of the list are not looked at.
CREATE FUNCTION bulkpar.bulkpar_at_place(places tid[], place tid,
	VARIADIC list "any")
RETURNS boolean
AS 'MODULE_PATHNAME', 'bulkpar_at_place'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 0.0001;

COMMENT ON FUNCTION bulkpar.bulkpar_at_place(tid[], tid, "any") IS
'Whether the row at a place has the values that are listed for it';

CREATE FUNCTION @extschema@.bulkpar_update(
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
	skip_unchanged boolean DEFAULT false,
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION
@extschema@.bulkpar_update(regclass, text, text, integer, integer, text, boolean, text,
	bigint, text, integer, text, regclass, boolean, boolean, boolean) IS
'Update a column of all rows of a table in parallel batches that commit on their own';

-- Of a plain literal PostgreSQL makes a text where it has the choice.
CREATE FUNCTION @extschema@.bulkpar_update(
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION
@extschema@.bulkpar_update(text, text, text, integer, integer, text, boolean, text,
	bigint, text, integer, text, regclass, boolean, boolean, boolean) IS
'Update a column of all rows of a table in parallel batches that commit on their own';

CREATE FUNCTION @extschema@.bulkpar_update(
	targets regclass[],
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION
@extschema@.bulkpar_update(regclass[], text, text, integer, integer, text, boolean, text,
	bigint, text, integer, text, regclass, boolean, boolean, boolean) IS
'Update a column of all rows of several tables in parallel batches that commit on their own';

CREATE FUNCTION @extschema@.bulkpar_update(
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
	skip_unchanged boolean DEFAULT false,
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION
@extschema@.bulkpar_update(regclass, text[], text[], integer, integer, text, boolean, text,
	bigint, text, integer, text, regclass, boolean, boolean, boolean) IS
'Update several columns of all rows of a table in parallel batches that commit on their own';

CREATE FUNCTION @extschema@.bulkpar_update(
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION
@extschema@.bulkpar_update(text, text[], text[], integer, integer, text, boolean, text,
	bigint, text, integer, text, regclass, boolean, boolean, boolean) IS
'Update several columns of all rows of a table in parallel batches that commit on their own';

CREATE FUNCTION @extschema@.bulkpar_update(
	targets regclass[],
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION
@extschema@.bulkpar_update(regclass[], text[], text[], integer, integer, text, boolean, text,
	bigint, text, integer, text, regclass, boolean, boolean, boolean) IS
'Update several columns of all rows of several tables in parallel batches that commit on their own';

CREATE FUNCTION @extschema@.bulkpar_delete(
	target regclass,
	condition text,
	batch_size integer DEFAULT 1000,
	workers integer DEFAULT NULL,
	wait boolean DEFAULT true,
	on_error text DEFAULT 'stop',
	max_errors bigint DEFAULT 1000,
	job_name text DEFAULT NULL,
	using_item text DEFAULT NULL,
	key_index regclass DEFAULT NULL,
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION
@extschema@.bulkpar_delete(regclass, text, integer, integer, boolean, text, bigint, text,
	text, regclass, boolean, boolean) IS
'Delete rows of a table in parallel batches that commit on their own';

CREATE FUNCTION @extschema@.bulkpar_delete(
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION
@extschema@.bulkpar_delete(text, text, integer, integer, boolean, text, bigint, text,
	text, regclass, boolean, boolean) IS
'Delete rows of a table in parallel batches that commit on their own';

CREATE FUNCTION @extschema@.bulkpar_delete(
	targets regclass[],
	condition text,
	batch_size integer DEFAULT 1000,
	workers integer DEFAULT NULL,
	wait boolean DEFAULT true,
	on_error text DEFAULT 'stop',
	max_errors bigint DEFAULT 1000,
	job_name text DEFAULT NULL,
	using_item text DEFAULT NULL,
	key_index regclass DEFAULT NULL,
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION
@extschema@.bulkpar_delete(regclass[], text, integer, integer, boolean, text, bigint, text,
	text, regclass, boolean, boolean) IS
'Delete rows of several tables in parallel batches that commit on their own';

CREATE FUNCTION @extschema@.bulkpar_execute(
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false,
	driving_table regclass DEFAULT NULL)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_run'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION
@extschema@.bulkpar_execute(text, integer, integer, boolean, text, bigint, text, integer,
	regclass, boolean, boolean, boolean, regclass) IS
'Run a statement that goes through one table in parallel batches that commit on their own';

-- Here the target is a text, so that a call with plain literals is not ambiguous.
CREATE FUNCTION @extschema@.bulkpar_explain(
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false,
	sample boolean DEFAULT false)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'bulkpar_explain'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION
@extschema@.bulkpar_explain(text, text, text, integer, integer, text, boolean, text, bigint, text, integer, text, regclass, boolean, boolean, boolean, boolean) IS
'Show what bulkpar_update would do, and change nothing';

CREATE FUNCTION @extschema@.bulkpar_explain(
	targets regclass[],
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false,
	sample boolean DEFAULT false)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'bulkpar_explain'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION
@extschema@.bulkpar_explain(regclass[], text, text, integer, integer, text, boolean, text, bigint, text, integer, text, regclass, boolean, boolean, boolean, boolean) IS
'Show what bulkpar_update would do with several tables, and change nothing';

CREATE FUNCTION @extschema@.bulkpar_explain(
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false,
	sample boolean DEFAULT false)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'bulkpar_explain'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION
@extschema@.bulkpar_explain(text, text[], text[], integer, integer, text, boolean, text, bigint, text, integer, text, regclass, boolean, boolean, boolean, boolean) IS
'Show what bulkpar_update would do, and change nothing';

CREATE FUNCTION @extschema@.bulkpar_explain(
	targets regclass[],
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false,
	sample boolean DEFAULT false)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'bulkpar_explain'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION
@extschema@.bulkpar_explain(regclass[], text[], text[], integer, integer, text, boolean, text, bigint, text, integer, text, regclass, boolean, boolean, boolean, boolean) IS
'Show what bulkpar_update would do with several tables, and change nothing';

CREATE FUNCTION @extschema@.bulkpar_explain(
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false,
	sample boolean DEFAULT false)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'bulkpar_explain'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION
@extschema@.bulkpar_explain(text, text, integer, integer, boolean, text, bigint, text, text, regclass, boolean, boolean, boolean) IS
'Show what bulkpar_delete would do, and change nothing';

CREATE FUNCTION @extschema@.bulkpar_explain(
	targets regclass[],
	condition text,
	batch_size integer DEFAULT 1000,
	workers integer DEFAULT NULL,
	wait boolean DEFAULT true,
	on_error text DEFAULT 'stop',
	max_errors bigint DEFAULT 1000,
	job_name text DEFAULT NULL,
	using_item text DEFAULT NULL,
	key_index regclass DEFAULT NULL,
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false,
	sample boolean DEFAULT false)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'bulkpar_explain'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION
@extschema@.bulkpar_explain(regclass[], text, integer, integer, boolean, text, bigint, text, text, regclass, boolean, boolean, boolean) IS
'Show what bulkpar_delete would do with several tables, and change nothing';

CREATE FUNCTION @extschema@.bulkpar_explain(
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
	sees_batches boolean DEFAULT false,
	once boolean DEFAULT false,
	driving_table regclass DEFAULT NULL,
	sample boolean DEFAULT false)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'bulkpar_explain'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION
@extschema@.bulkpar_explain(text, integer, integer, boolean, text, bigint, text, integer, regclass, boolean, boolean, boolean, regclass, boolean) IS
'Show what bulkpar_execute would do, and change nothing';

CREATE FUNCTION @extschema@.bulkpar_wait(
	job_id bigint,
	timeout interval DEFAULT NULL)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_wait'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_wait(bigint, interval) IS
'Wait until a job has ended, or for the time given, and return its result';

-- Where a job may be named, a text of digits only is its number: some client
-- libraries send numbers like that.
CREATE FUNCTION @extschema@.bulkpar_wait(
	job_name text,
	timeout interval DEFAULT NULL)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_wait'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_wait(text, interval) IS
'Wait until the job of a name has ended, or for the time given, and return its result';

CREATE PROCEDURE @extschema@.bulkpar_await(
	job_id bigint,
	timeout interval DEFAULT NULL)
AS 'MODULE_PATHNAME', 'bulkpar_await'
LANGUAGE C;

COMMENT ON PROCEDURE @extschema@.bulkpar_await(bigint, interval) IS
'Commit, then wait as bulkpar_wait does: for procedures, which keep no snapshot across it';

CREATE PROCEDURE @extschema@.bulkpar_await(
	job_name text,
	timeout interval DEFAULT NULL)
AS 'MODULE_PATHNAME', 'bulkpar_await'
LANGUAGE C;

COMMENT ON PROCEDURE @extschema@.bulkpar_await(text, interval) IS
'Commit, then wait for the job of a name as bulkpar_wait does';

CREATE FUNCTION @extschema@.bulkpar_pause(job_id bigint)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_pause'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_pause(bigint) IS
'Pause a running job, and return when nothing of it commits any more';

CREATE FUNCTION @extschema@.bulkpar_pause(job_name text)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_pause'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_pause(text) IS
'Pause the job of a name if it runs, and return when nothing of it commits any more';

CREATE FUNCTION @extschema@.bulkpar_cancel(job_id bigint)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_cancel'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_cancel(bigint) IS
'Cancel a job, and return when nothing of it commits any more';

CREATE FUNCTION @extschema@.bulkpar_cancel(job_name text)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_cancel'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_cancel(text) IS
'Cancel the job of a name, and return when nothing of it commits any more';

CREATE FUNCTION @extschema@.bulkpar_alter(
	job_id bigint,
	workers integer DEFAULT NULL,
	batch_size integer DEFAULT NULL,
	settings jsonb DEFAULT NULL)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_alter'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_alter(bigint, integer, integer, jsonb) IS
'Change how a job goes on while it runs, or when it is resumed';

CREATE FUNCTION @extschema@.bulkpar_alter(
	job_name text,
	workers integer DEFAULT NULL,
	batch_size integer DEFAULT NULL,
	settings jsonb DEFAULT NULL)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_alter'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_alter(text, integer, integer, jsonb) IS
'Change how the job of a name goes on while it runs, or when it is resumed';

CREATE FUNCTION @extschema@.bulkpar_resume(
	job_id bigint,
	workers integer DEFAULT NULL,
	batch_size integer DEFAULT NULL,
	wait boolean DEFAULT true)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_resume'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION @extschema@.bulkpar_resume(bigint, integer, integer, boolean) IS
'Go on with a job that is paused, failed, cancelled or interrupted';

CREATE FUNCTION @extschema@.bulkpar_resume(
	job_name text,
	workers integer DEFAULT NULL,
	batch_size integer DEFAULT NULL,
	wait boolean DEFAULT true)
RETURNS @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_resume'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 SUPPORT bulkpar.bulkpar_support;

COMMENT ON FUNCTION @extschema@.bulkpar_resume(text, integer, integer, boolean) IS
'Go on with the job of a name that is paused, failed, cancelled or interrupted';

CREATE FUNCTION @extschema@.bulkpar_resume_interrupted()
RETURNS SETOF @extschema@.bulkpar_result
AS 'MODULE_PATHNAME', 'bulkpar_resume_interrupted'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;

COMMENT ON FUNCTION @extschema@.bulkpar_resume_interrupted() IS
'Go on with all interrupted jobs of the roles that the caller may act as, and return them without waiting for their end';

CREATE FUNCTION @extschema@.bulkpar_forget(job_id bigint)
RETURNS bigint
AS 'MODULE_PATHNAME', 'bulkpar_forget_job'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_forget(bigint) IS
'Delete all that is kept about a job that does not run';

CREATE FUNCTION @extschema@.bulkpar_forget(job_name text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'bulkpar_forget_job'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_forget(text) IS
'Delete all that is kept about the job of a name that does not run';

CREATE FUNCTION @extschema@.bulkpar_forget(age interval)
RETURNS bigint
AS 'MODULE_PATHNAME', 'bulkpar_forget_age'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.bulkpar_forget(interval) IS
'Delete all that is kept about jobs that ended longer ago, and return their number';

-- Default privileges may have given others rights on what was made above.
DO $$
DECLARE
	command text;
BEGIN
	FOR command IN
		SELECT DISTINCT format('REVOKE ALL ON %s FROM %s CASCADE',
			CASE o.classid
				WHEN 'pg_namespace'::regclass THEN format('SCHEMA %I', o.name)
				WHEN 'pg_proc'::regclass
				THEN format('ROUTINE %s', o.objid::regprocedure)
				ELSE format('%s %s', o.kind, o.objid::regclass) END,
			CASE a.grantee WHEN 0::oid THEN 'PUBLIC'
				ELSE quote_ident(pg_get_userbyid(a.grantee)::text) END)
		FROM (SELECT d.classid, d.objid, n.nspname AS name, NULL AS kind,
				n.nspacl AS acl, n.nspowner AS owner
			FROM pg_depend d JOIN pg_namespace n ON n.oid = d.objid
			WHERE d.classid = 'pg_namespace'::regclass
				AND d.refclassid = 'pg_extension'::regclass
				AND d.refobjid = (SELECT e.oid FROM pg_extension e
					WHERE e.extname = 'bulkpar')
			UNION ALL
			SELECT d.classid, d.objid, NULL, CASE c.relkind
					WHEN 'S'::"char" THEN 'SEQUENCE' ELSE 'TABLE' END,
				c.relacl, c.relowner
			FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
			WHERE d.classid = 'pg_class'::regclass
				AND d.refclassid = 'pg_extension'::regclass
				AND d.refobjid = (SELECT e.oid FROM pg_extension e
					WHERE e.extname = 'bulkpar')
			UNION ALL
			SELECT 'pg_proc'::regclass, f.oid, NULL, NULL,
				coalesce(f.proacl, acldefault('f'::"char", f.proowner)),
				f.proowner
			FROM pg_proc f
			WHERE f.pronamespace = 'bulkpar'::regnamespace) o
		CROSS JOIN LATERAL aclexplode(o.acl) a
		WHERE a.grantee <> o.owner
	LOOP
		EXECUTE command;
	END LOOP;
END
$$;

GRANT SELECT ON @extschema@.bulkpar_jobs, @extschema@.bulkpar_chunks,
	@extschema@.bulkpar_errors, @extschema@.bulkpar_nodes,
	@extschema@.bulkpar_progress TO PUBLIC;

-- In the condition of a batch, which runs as the owner of the job.
GRANT EXECUTE ON FUNCTION
	bulkpar.bulkpar_in_stripe(integer, integer, VARIADIC "any"),
	bulkpar.bulkpar_at_place(tid[], tid, VARIADIC "any") TO PUBLIC;

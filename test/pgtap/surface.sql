-- The SQL surface of the extension: its objects and nothing else, how they are
-- defined, who may use them, and that each has a comment.
\ir settings.psql
BEGIN;
SELECT plan(48);

CREATE ROLE bulkpar_somebody;

CREATE VIEW members AS
SELECT classid, objid, pg_describe_object(classid, objid, 0) AS name
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'bulkpar');

CREATE FUNCTION columns_of(relation text) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
	SELECT attname || ' ' || format_type(atttypid, atttypmod)
		|| CASE WHEN attnotnull THEN ' not null' ELSE '' END
	FROM pg_attribute
	WHERE attrelid = relation::regclass AND attnum > 0 AND NOT attisdropped
	ORDER BY attnum
$$;

-- the extension
SELECT has_extension('bulkpar');
SELECT results_eq(
	$$SELECT name FROM members ORDER BY name COLLATE "C"$$,
	ARRAY[
		'function bulkpar_update(regclass,text,text,integer,integer,text)',
		'function bulkpar_update(regclass,text[],text[],integer,integer,text)',
		'sequence bulkpar_job_job_id_seq',
		'table bulkpar_chunk',
		'table bulkpar_job',
		'type bulkpar_result',
		'view bulkpar_progress'
	], 'the extension has these members');
SELECT is_empty(
	$$SELECT name FROM members
	WHERE obj_description(objid, classid::regclass::name) IS NULL
		AND NOT EXISTS (SELECT FROM pg_depend d
			WHERE d.classid = members.classid AND d.objid = members.objid
				AND deptype = 'i')$$,
	'each member has a comment');
SELECT is_empty(
	$$SELECT c.oid::regclass FROM pg_class c JOIN pg_index ON indexrelid = c.oid
	WHERE indrelid IN (SELECT objid FROM members)
		AND obj_description(c.oid, 'pg_class') IS NULL
		AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid)$$,
	'each index that no constraint has made has a comment');

-- bulkpar_job
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_job')$$,
	ARRAY[
		'job_id bigint not null',
		'owner regrole not null',
		'target regclass not null',
		'key_index regclass not null',
		'column_names text[] not null',
		'expressions text[] not null',
		'condition text',
		'batch_size integer not null',
		'workers integer not null',
		'settings jsonb not null',
		'status text not null',
		'estimated_rows bigint',
		'end_key text[]',
		'created_at timestamp with time zone not null',
		'started_at timestamp with time zone',
		'finished_at timestamp with time zone',
		'sqlstate text',
		'message text',
		'detail text',
		'hint text',
		'context text'
	], 'columns of bulkpar_job');
SELECT col_is_pk('bulkpar_job', 'job_id', 'bulkpar_job has a primary key');
SELECT is(attidentity, 'a', 'job_id is generated always')
FROM pg_attribute
WHERE attrelid = 'bulkpar_job'::regclass AND attname = 'job_id';
SELECT has_check('bulkpar_job', 'bulkpar_job checks its status');

-- bulkpar_chunk
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_chunk')$$,
	ARRAY[
		'job_id bigint not null',
		'chunk_no bigint not null',
		'lo text[]',
		'hi text[] not null',
		'last_key text[]',
		'rows_before bigint not null',
		'rows_found bigint not null',
		'rows_done bigint not null',
		'rows_updated bigint not null',
		'batches bigint not null',
		'attempts integer not null',
		'status text not null',
		'epoch bigint not null',
		'worker integer',
		'worker_pid integer',
		'started_at timestamp with time zone not null',
		'finished_at timestamp with time zone',
		'sqlstate text',
		'message text'
	], 'columns of bulkpar_chunk');
SELECT col_is_pk('bulkpar_chunk', ARRAY['job_id', 'chunk_no'],
	'bulkpar_chunk has a primary key');
SELECT fk_ok('bulkpar_chunk', 'job_id', 'bulkpar_job', 'job_id');
SELECT has_check('bulkpar_chunk', 'bulkpar_chunk checks its status');
SELECT has_index('bulkpar_chunk', 'bulkpar_chunk_unfinished',
	ARRAY['job_id', 'chunk_no'], 'unfinished chunks are found by an index');

-- bulkpar_progress
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_progress')$$,
	ARRAY[
		'job_id bigint',
		'target regclass',
		'status text',
		'rows_done bigint',
		'rows_updated bigint',
		'estimated_rows bigint',
		'percent numeric',
		'rows_per_second bigint',
		'time_left interval'
	], 'columns of bulkpar_progress');
SELECT is(reloptions, ARRAY['security_barrier=true'],
	'bulkpar_progress is a security barrier')
FROM pg_class WHERE oid = 'bulkpar_progress'::regclass;

-- bulkpar_result
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_result')$$,
	ARRAY[
		'job_id bigint',
		'status text',
		'rows_updated bigint',
		'batches bigint',
		'workers integer',
		'elapsed interval'
	], 'columns of bulkpar_result');

-- bulkpar_update
SELECT results_eq(
	$$SELECT pg_get_function_arguments(oid) FROM pg_proc
	WHERE proname = 'bulkpar_update' ORDER BY oid$$,
	ARRAY[
		'target regclass, column_name text, expression text, '
		'batch_size integer DEFAULT 1000, workers integer DEFAULT NULL::integer, '
		'condition text DEFAULT NULL::text',
		'target regclass, column_name text[], expression text[], '
		'batch_size integer DEFAULT 1000, workers integer DEFAULT NULL::integer, '
		'condition text DEFAULT NULL::text'
	], 'arguments of bulkpar_update');
CREATE TEMPORARY TABLE signatures AS
SELECT oid, proname::name AS name, oid::regprocedure::text AS signature,
	array(SELECT format_type(type, NULL)
		FROM unnest(proargtypes) AS type)::name[] AS arguments
FROM pg_proc WHERE proname = 'bulkpar_update';
SELECT function_returns(name, arguments, 'bulkpar_result') FROM signatures;
SELECT function_lang_is(name, arguments, 'c') FROM signatures;
SELECT volatility_is(name, arguments, 'volatile') FROM signatures;
SELECT isnt_strict(name, arguments) FROM signatures;
SELECT isnt_definer(name, arguments) FROM signatures;
SELECT is(proparallel, 'u', signature || ' is parallel unsafe')
FROM signatures JOIN pg_proc USING (oid);
SELECT is(proconfig, NULL, signature || ' changes no settings')
FROM signatures JOIN pg_proc USING (oid);

-- owner and privileges
SELECT table_owner_is('bulkpar_job', current_user);
SELECT table_owner_is('bulkpar_chunk', current_user);
SELECT view_owner_is('bulkpar_progress', current_user);
SELECT sequence_owner_is('bulkpar_job_job_id_seq', current_user);
SELECT function_owner_is(name, arguments, current_user) FROM signatures;
SELECT table_privs_are('bulkpar_job', 'bulkpar_somebody', '{}');
SELECT any_column_privs_are('bulkpar_job', 'bulkpar_somebody', '{}');
SELECT table_privs_are('bulkpar_chunk', 'bulkpar_somebody', '{}');
SELECT any_column_privs_are('bulkpar_chunk', 'bulkpar_somebody', '{}');
SELECT table_privs_are('bulkpar_progress', 'bulkpar_somebody', '{SELECT}');
SELECT sequence_privs_are('bulkpar_job_job_id_seq', 'bulkpar_somebody', '{}');
SELECT function_privs_are(name, arguments, 'bulkpar_somebody', '{EXECUTE}')
FROM signatures;

-- what pg_dump takes along
SELECT set_eq(
	$$SELECT unnest(extconfig)::regclass::text FROM pg_extension
	WHERE extname = 'bulkpar'$$,
	ARRAY['bulkpar_job', 'bulkpar_job_job_id_seq', 'bulkpar_chunk'],
	'jobs are dumped');

-- the settings
LOAD 'bulkpar';
SELECT results_eq(
	$$SELECT concat_ws(' ', name, vartype, context, boot_val, unit, min_val)
	FROM pg_settings WHERE name LIKE 'bulkpar.%' ORDER BY name$$,
	ARRAY[
		'bulkpar.progress_interval integer user 5000 ms 0',
		'bulkpar.report bool user on',
		'bulkpar.workers integer user 0 0'
	], 'the settings');
SELECT is_empty(
	$$SELECT name FROM pg_settings
	WHERE name LIKE 'bulkpar.%' AND coalesce(short_desc, '') = ''$$,
	'each setting has a description');

SELECT * FROM finish();
ROLLBACK;

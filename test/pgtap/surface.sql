-- The SQL surface of the extension: its objects and nothing else, how they are
-- defined, who may use them, and that each has a comment.
\ir settings.psql
BEGIN;
SELECT plan(67);

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
		'function bulkpar_await(bigint,interval)',
		'function bulkpar_cancel(bigint)',
		'function bulkpar_forget(bigint)',
		'function bulkpar_forget(interval)',
		'function bulkpar_pause(bigint)',
		'function bulkpar_resume(bigint,integer,integer,boolean)',
		'function bulkpar_support(internal)',
		'function bulkpar_update(regclass,text,text,integer,integer,text,boolean,text,bigint,text)',
		'function bulkpar_update(regclass,text[],text[],integer,integer,text,boolean,text,bigint,text)',
		'function bulkpar_wait(bigint,interval)',
		'sequence bulkpar_job_job_id_seq',
		'table bulkpar_chunk',
		'table bulkpar_error',
		'table bulkpar_job',
		'type bulkpar_result',
		'view bulkpar_chunks',
		'view bulkpar_errors',
		'view bulkpar_jobs',
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
		'job_name text',
		'owner regrole not null',
		'target regclass not null',
		'key_index regclass not null',
		'key_order text not null',
		'column_names text[] not null',
		'expressions text[] not null',
		'condition text',
		'batch_size integer not null',
		'workers integer not null',
		'on_error text not null',
		'max_errors bigint not null',
		'settings jsonb not null',
		'status text not null',
		'runs integer not null',
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
		'rows_failed bigint not null',
		'batches bigint not null',
		'retries bigint not null',
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

-- bulkpar_error
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_error')$$,
	ARRAY[
		'job_id bigint not null',
		'chunk_no bigint not null',
		'key text[] not null',
		'sqlstate text not null',
		'message text not null',
		'detail text',
		'hint text',
		'context text',
		'failed_at timestamp with time zone not null'
	], 'columns of bulkpar_error');
SELECT fk_ok('bulkpar_error', 'job_id', 'bulkpar_job', 'job_id');

-- bulkpar_jobs
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_jobs')$$,
	ARRAY[
		'job_id bigint',
		'job_name text',
		'owner regrole',
		'target regclass',
		'key_index regclass',
		'column_names text[]',
		'expressions text[]',
		'condition text',
		'batch_size integer',
		'workers integer',
		'on_error text',
		'max_errors bigint',
		'settings jsonb',
		'status text',
		'runs integer',
		'estimated_rows bigint',
		'end_key text[]',
		'created_at timestamp with time zone',
		'started_at timestamp with time zone',
		'finished_at timestamp with time zone',
		'sqlstate text',
		'message text',
		'detail text',
		'hint text',
		'context text'
	], 'columns of bulkpar_jobs');

-- bulkpar_progress
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_progress')$$,
	ARRAY[
		'job_id bigint',
		'target regclass',
		'status text',
		'rows_done bigint',
		'rows_updated bigint',
		'rows_failed bigint',
		'estimated_rows bigint',
		'percent numeric',
		'rows_per_second bigint',
		'time_left interval'
	], 'columns of bulkpar_progress');
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_chunks')$$,
	$$SELECT replace(c, ' not null', '')
	FROM columns_of('bulkpar_chunk') AS c$$,
	'bulkpar_chunks has the columns of bulkpar_chunk');
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_errors')$$,
	$$SELECT replace(c, ' not null', '')
	FROM columns_of('bulkpar_error') AS c$$,
	'bulkpar_errors has the columns of bulkpar_error');
SELECT is_empty(
	$$SELECT name FROM members JOIN pg_class c ON c.oid = objid
	WHERE relkind = 'v' AND reloptions IS DISTINCT FROM ARRAY['security_barrier=true']$$,
	'the views are security barriers');

-- bulkpar_result
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_result')$$,
	ARRAY[
		'job_id bigint',
		'status text',
		'rows_updated bigint',
		'batches bigint',
		'workers integer',
		'elapsed interval',
		'rows_failed bigint'
	], 'columns of bulkpar_result');

-- functions
SELECT results_eq(
	$$SELECT format('%s: %s', proname, pg_get_function_arguments(oid)) COLLATE "default"
	FROM pg_proc
	WHERE oid IN (SELECT objid FROM members WHERE classid = 'pg_proc'::regclass)
		AND proname <> 'bulkpar_support' ORDER BY proname COLLATE "C", oid$$,
	ARRAY[
		'bulkpar_await: IN job_id bigint, '
		'IN timeout interval DEFAULT NULL::interval',
		'bulkpar_cancel: job_id bigint',
		'bulkpar_forget: job_id bigint',
		'bulkpar_forget: age interval',
		'bulkpar_pause: job_id bigint',
		'bulkpar_resume: job_id bigint, '
		'workers integer DEFAULT NULL::integer, '
		'batch_size integer DEFAULT NULL::integer, '
		'wait boolean DEFAULT true',
		'bulkpar_update: target regclass, column_name text, '
		'expression text, batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, '
		'condition text DEFAULT NULL::text, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text',
		'bulkpar_update: target regclass, column_name text[], '
		'expression text[], batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, '
		'condition text DEFAULT NULL::text, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text',
		'bulkpar_wait: job_id bigint, '
		'timeout interval DEFAULT NULL::interval'
	], 'the functions and their arguments');
CREATE TEMPORARY TABLE signatures AS
SELECT oid, proname::name AS name, oid::regprocedure::text AS signature,
	array(SELECT format_type(type, NULL)
		FROM unnest(proargtypes) AS type)::name[] AS arguments
FROM pg_proc WHERE proname IN ('bulkpar_update', 'bulkpar_resume');
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
SELECT table_privs_are('bulkpar_error', 'bulkpar_somebody', '{}');
SELECT any_column_privs_are('bulkpar_error', 'bulkpar_somebody', '{}');
SELECT table_privs_are(name, 'bulkpar_somebody', '{SELECT}')
FROM unnest('{bulkpar_jobs,bulkpar_chunks,bulkpar_errors,bulkpar_progress}'::name[]) AS name;
SELECT sequence_privs_are('bulkpar_job_job_id_seq', 'bulkpar_somebody', '{}');
SELECT function_privs_are(name, arguments, 'bulkpar_somebody', '{EXECUTE}')
FROM signatures;

-- what pg_dump takes along
SELECT set_eq(
	$$SELECT unnest(extconfig)::regclass::text FROM pg_extension
	WHERE extname = 'bulkpar'$$,
	ARRAY['bulkpar_job', 'bulkpar_job_job_id_seq', 'bulkpar_chunk',
		'bulkpar_error'],
	'jobs are dumped');

-- the settings
LOAD 'bulkpar';
SELECT results_eq(
	$$SELECT concat_ws(' ', name, vartype, context, boot_val, unit, min_val)
	FROM pg_settings WHERE name LIKE 'bulkpar.%' ORDER BY name$$,
	ARRAY[
		'bulkpar.max_workers integer sighup 0 0',
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

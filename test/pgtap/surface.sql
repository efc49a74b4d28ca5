-- The SQL surface of the extension: its objects and nothing else, how they are
-- defined, who may use them, and that each has a comment.
\ir settings.psql
BEGIN;
SELECT plan(193);

SET LOCAL search_path = public, bulkpar;
CREATE ROLE bulkpar_somebody;

-- Since 17 the types that tables and other types bring with them are members, too.
CREATE VIEW members AS
SELECT classid, objid, pg_describe_object(classid, objid, 0) AS name
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'bulkpar')
	AND NOT EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
		WHERE classid = 'pg_type'::regclass AND t.oid = objid
			AND (t.typelem <> 0 OR c.relkind <> 'c'));

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
		'function bulkpar_alter(bigint,integer,integer,jsonb)',
		'function bulkpar_alter(text,integer,integer,jsonb)',
		'function bulkpar_at_place(tid[],tid,"any")',
		'function bulkpar_await(bigint,interval)',
		'function bulkpar_await(text,interval)',
		'function bulkpar_cancel(bigint)',
		'function bulkpar_cancel(text)',
		'function bulkpar_delete(regclass,text,integer,integer,boolean,text,bigint,text,text,regclass,boolean,boolean)',
		'function bulkpar_delete(regclass[],text,integer,integer,boolean,text,bigint,text,text,regclass,boolean,boolean)',
		'function bulkpar_delete(text,text,integer,integer,boolean,text,bigint,text,text,regclass,boolean,boolean)',
		'function bulkpar_execute(text,integer,integer,boolean,text,bigint,text,integer,regclass,boolean,boolean,boolean,regclass)',
		'function bulkpar_explain(regclass[],text,integer,integer,boolean,text,bigint,text,text,regclass,boolean,boolean,boolean)',
		'function bulkpar_explain(regclass[],text,text,integer,integer,text,boolean,text,bigint,text,integer,text,regclass,boolean,boolean,boolean,boolean)',
		'function bulkpar_explain(regclass[],text[],text[],integer,integer,text,boolean,text,bigint,text,integer,text,regclass,boolean,boolean,boolean,boolean)',
		'function bulkpar_explain(text,integer,integer,boolean,text,bigint,text,integer,regclass,boolean,boolean,boolean,regclass,boolean)',
		'function bulkpar_explain(text,text,integer,integer,boolean,text,bigint,text,text,regclass,boolean,boolean,boolean)',
		'function bulkpar_explain(text,text,text,integer,integer,text,boolean,text,bigint,text,integer,text,regclass,boolean,boolean,boolean,boolean)',
		'function bulkpar_explain(text,text[],text[],integer,integer,text,boolean,text,bigint,text,integer,text,regclass,boolean,boolean,boolean,boolean)',
		'function bulkpar_forget(bigint)',
		'function bulkpar_forget(interval)',
		'function bulkpar_forget(text)',
		'function bulkpar_in_stripe(integer,integer,"any")',
		'function bulkpar_pause(bigint)',
		'function bulkpar_pause(text)',
		'function bulkpar_resume(bigint,integer,integer,boolean)',
		'function bulkpar_resume(text,integer,integer,boolean)',
		'function bulkpar_resume_interrupted()',
		'function bulkpar_support(internal)',
		'function bulkpar_update(regclass,text,text,integer,integer,text,boolean,text,bigint,text,integer,text,regclass,boolean,boolean,boolean)',
		'function bulkpar_update(regclass,text[],text[],integer,integer,text,boolean,text,bigint,text,integer,text,regclass,boolean,boolean,boolean)',
		'function bulkpar_update(regclass[],text,text,integer,integer,text,boolean,text,bigint,text,integer,text,regclass,boolean,boolean,boolean)',
		'function bulkpar_update(regclass[],text[],text[],integer,integer,text,boolean,text,bigint,text,integer,text,regclass,boolean,boolean,boolean)',
		'function bulkpar_update(text,text,text,integer,integer,text,boolean,text,bigint,text,integer,text,regclass,boolean,boolean,boolean)',
		'function bulkpar_update(text,text[],text[],integer,integer,text,boolean,text,bigint,text,integer,text,regclass,boolean,boolean,boolean)',
		'function bulkpar_wait(bigint,interval)',
		'function bulkpar_wait(text,interval)',
		'function bulkpar_xmin_holders()',
		'schema bulkpar',
		'table bulkpar_alteration',
		'table bulkpar_chunk',
		'table bulkpar_counter',
		'table bulkpar_error',
		'table bulkpar_job',
		'table bulkpar_node',
		'table bulkpar_part',
		'table bulkpar_subquery',
		'table bulkpar_throttle',
		'type bulkpar_result',
		'view bulkpar_chunks',
		'view bulkpar_errors',
		'view bulkpar_jobs',
		'view bulkpar_nodes',
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
		'session_role regrole not null',
		'target regclass not null',
		'targets regclass[]',
		'only_target boolean not null',
		'key_index oid',
		'inserted regclass',
		'command text not null',
		'column_names text[] not null',
		'column_targets text[]',
		'statement text',
		'expressions text[] not null',
		'condition text',
		'from_item text',
		'names text[]',
		'skip_unchanged boolean not null',
		'sees_batches boolean not null',
		'batch_size integer not null',
		'workers integer not null',
		'stripes integer',
		'stripes_chosen boolean not null',
		'on_error text not null',
		'max_errors bigint not null',
		'settings jsonb not null',
		'status text not null',
		'runs integer not null',
		'planned_runs integer not null',
		'estimated_rows bigint',
		'xmin_holders text',
		'created_at timestamp with time zone not null',
		'started_at timestamp with time zone',
		'running_since timestamp with time zone',
		'time_before interval not null',
		'finished_at timestamp with time zone',
		'rows_hot bigint',
		'wal_bytes bigint',
		'table_bytes_before bigint',
		'table_bytes_after bigint',
		'index_bytes_before bigint',
		'index_bytes_after bigint',
		'dead_rows bigint',
		'messages jsonb',
		'throttled_by text',
		'throttled_since timestamp with time zone',
		'throttled_at timestamp with time zone',
		'sqlstate text',
		'message text',
		'detail text',
		'hint text',
		'context text',
		'schema_name text',
		'table_name text',
		'column_name text',
		'datatype_name text',
		'constraint_name text'
	], 'columns of bulkpar_job');
SELECT col_is_pk('bulkpar_job', 'job_id', 'bulkpar_job has a primary key');
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_counter')$$,
	ARRAY['only_row boolean not null', 'last_job_id bigint not null'],
	'columns of bulkpar_counter');
SELECT col_is_pk('bulkpar_counter', 'only_row', 'bulkpar_counter has a primary key');
SELECT is_empty(
	$$SELECT relname FROM pg_class WHERE relnamespace = 'bulkpar'::regnamespace
	AND relkind = 'r' AND (NOT relrowsecurity OR relforcerowsecurity
		OR oid IN (SELECT polrelid FROM pg_policy))$$,
	'the tables have row level security, but for their owner, and no policy');
SELECT has_check('bulkpar_job', 'bulkpar_job checks its status');

-- bulkpar_part
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_part')$$,
	ARRAY[
		'job_id bigint not null',
		'part_no integer not null',
		'target regclass not null',
		'relation regclass not null',
		'key_index oid not null',
		'key_order text not null',
		'shard bigint',
		'gone boolean not null',
		'estimated_rows bigint',
		'end_key text[]',
		'end_bytes bytea'
	], 'columns of bulkpar_part');
SELECT col_is_pk('bulkpar_part', ARRAY['job_id', 'part_no'],
	'bulkpar_part has a primary key');
SELECT fk_ok('bulkpar_part', 'job_id', 'bulkpar_job', 'job_id');

-- bulkpar_chunk
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_chunk')$$,
	ARRAY[
		'job_id bigint not null',
		'chunk_no bigint not null',
		'part_no integer not null',
		'lo text[]',
		'lo_bytes bytea',
		'hi text[] not null',
		'hi_bytes bytea not null',
		'stripes integer not null',
		'stripe integer not null',
		'keys bytea',
		'aside bytea',
		'last_key text[]',
		'last_bytes bytea',
		'rows_before bigint not null',
		'rows_found bigint not null',
		'rows_done bigint not null',
		'rows_changed bigint not null',
		'rows_failed bigint not null',
		'rows_unchanged bigint not null',
		'rows_hot bigint not null',
		'wal_bytes bigint not null',
		'batches bigint not null',
		'retries bigint not null',
		'messages jsonb',
		'attempts integer not null',
		'status text not null',
		'epoch bigint not null',
		'worker integer',
		'worker_pid integer',
		'started_at timestamp with time zone not null',
		'claimed_at timestamp with time zone',
		'rows_at_claim bigint not null',
		'progressed_at timestamp with time zone',
		'finished_at timestamp with time zone',
		'throttled_by text',
		'throttled_since timestamp with time zone',
		'throttled_at timestamp with time zone',
		'throttled_until timestamp with time zone',
		'sqlstate text',
		'message text',
		'detail text',
		'hint text',
		'context text',
		'schema_name text',
		'table_name text',
		'column_name text',
		'datatype_name text',
		'constraint_name text'
	], 'columns of bulkpar_chunk');
SELECT col_is_pk('bulkpar_chunk', ARRAY['job_id', 'chunk_no'],
	'bulkpar_chunk has a primary key');
SELECT fk_ok('bulkpar_chunk', 'job_id', 'bulkpar_job', 'job_id');
SELECT has_check('bulkpar_chunk', 'bulkpar_chunk checks its status');
SELECT has_index('bulkpar_chunk', 'bulkpar_chunk_unfinished',
	ARRAY['job_id', 'chunk_no'], 'unfinished chunks are found by an index');

-- bulkpar_subquery
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_subquery')$$,
	ARRAY[
		'job_id bigint not null',
		'number integer not null',
		'relation oid not null',
		'rows bigint not null',
		'has_nulls boolean not null',
		'choice integer not null'
	], 'columns of bulkpar_subquery');
SELECT col_is_pk('bulkpar_subquery', ARRAY['job_id', 'number'],
	'bulkpar_subquery has a primary key');
SELECT fk_ok('bulkpar_subquery', 'job_id', 'bulkpar_job', 'job_id');

-- bulkpar_alteration
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_alteration')$$,
	ARRAY[
		'job_id bigint not null',
		'altered_at timestamp with time zone not null',
		'workers integer',
		'batch_size integer',
		'settings jsonb',
		'followed boolean not null'
	], 'columns of bulkpar_alteration');
SELECT hasnt_pk('bulkpar_alteration');
SELECT fk_ok('bulkpar_alteration', 'job_id', 'bulkpar_job', 'job_id');

-- bulkpar_node
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_node')$$,
	ARRAY[
		'job_id bigint not null',
		'node_no integer not null',
		'server oid not null',
		'citus_node integer',
		'server_name text not null',
		'relations regclass[] not null',
		'remote text[] not null',
		'origin uuid not null',
		'workers integer',
		'remote_job_id bigint',
		'status text not null',
		'rows_done bigint not null',
		'rows_changed bigint not null',
		'rows_failed bigint not null',
		'rows_unchanged bigint not null',
		'batches bigint not null',
		'estimated_rows bigint',
		'rows_per_second bigint',
		'seen_at timestamp with time zone',
		'sqlstate text',
		'message text',
		'detail text',
		'hint text',
		'context text',
		'schema_name text',
		'table_name text',
		'column_name text',
		'datatype_name text',
		'constraint_name text'
	], 'columns of bulkpar_node');
SELECT col_is_pk('bulkpar_node', ARRAY['job_id', 'node_no'],
	'bulkpar_node has a primary key');
SELECT fk_ok('bulkpar_node', 'job_id', 'bulkpar_job', 'job_id');

-- bulkpar_throttle
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_throttle')$$,
	ARRAY[
		'job_id bigint not null',
		'reason text not null',
		'message text',
		'since timestamp with time zone',
		'lost interval not null',
		'work_share real not null'
	], 'columns of bulkpar_throttle');
SELECT col_is_pk('bulkpar_throttle', ARRAY['job_id', 'reason'],
	'bulkpar_throttle has a primary key');
SELECT fk_ok('bulkpar_throttle', 'job_id', 'bulkpar_job', 'job_id');

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
		'schema_name text',
		'table_name text',
		'column_name text',
		'datatype_name text',
		'constraint_name text',
		'failed_at timestamp with time zone not null',
		'node_no integer'
	], 'columns of bulkpar_error');
SELECT fk_ok('bulkpar_error', 'job_id', 'bulkpar_job', 'job_id');
SELECT has_index('bulkpar_error', 'bulkpar_error_job', ARRAY['job_id'],
	'errors of a job are found by an index');

-- bulkpar_jobs
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_jobs')$$,
	ARRAY[
		'job_id bigint',
		'job_name text',
		'owner regrole',
		'target regclass',
		'targets regclass[]',
		'key_index regclass',
		'inserted regclass',
		'command text',
		'column_names text[]',
		'column_targets text[]',
		'statement text',
		'expressions text[]',
		'condition text',
		'from_item text',
		'skip_unchanged boolean',
		'sees_batches boolean',
		'batch_size integer',
		'workers integer',
		'stripes integer',
		'stripes_chosen boolean',
		'on_error text',
		'max_errors bigint',
		'settings jsonb',
		'status text',
		'runs integer',
		'estimated_rows bigint',
		'end_key text[]',
		'xmin_holders text',
		'created_at timestamp with time zone',
		'started_at timestamp with time zone',
		'finished_at timestamp with time zone',
		'time_at_work interval',
		'rows_hot bigint',
		'wal_bytes bigint',
		'table_bytes_before bigint',
		'table_bytes_after bigint',
		'index_bytes_before bigint',
		'index_bytes_after bigint',
		'dead_rows bigint',
		'messages jsonb',
		'sqlstate text',
		'message text',
		'detail text',
		'hint text',
		'context text',
		'schema_name text',
		'table_name text',
		'column_name text',
		'datatype_name text',
		'constraint_name text'
	], 'columns of bulkpar_jobs');

-- bulkpar_progress
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_progress')$$,
	ARRAY[
		'job_id bigint',
		'target regclass',
		'targets regclass[]',
		'status text',
		'rows_done bigint',
		'rows_changed bigint',
		'rows_failed bigint',
		'rows_unchanged bigint',
		'estimated_rows bigint',
		'percent numeric',
		'rows_per_second bigint',
		'time_left interval',
		'xmin_holders text',
		'throttled_by text',
		'throttled_since timestamp with time zone',
		'throttled_time interval',
		'work_share real'
	], 'columns of bulkpar_progress');
SELECT set_eq(
	$$SELECT * FROM columns_of('bulkpar_chunks')$$,
	$$SELECT c FROM (SELECT replace(c, ' not null', '')
		FROM columns_of('bulkpar_chunk') AS c WHERE c !~ 'bytea|^throttled_(at|until) '
		UNION ALL VALUES ('listed boolean'), ('relation regclass')) AS v(c)$$,
	'bulkpar_chunks has the columns of bulkpar_chunk that are to be shown, and the table of its part');
SELECT results_eq(
	$$SELECT * FROM columns_of('bulkpar_errors')$$,
	$$SELECT replace(c, ' not null', '')
	FROM columns_of('bulkpar_error') AS c WHERE c !~ '^node_no '
	UNION ALL VALUES ('relation regclass'), ('server text')$$,
	'bulkpar_errors has the columns of bulkpar_error, and the table of the part, or the server');
SELECT set_eq(
	$$SELECT * FROM columns_of('bulkpar_nodes')$$,
	$$SELECT c FROM (SELECT replace(replace(c, ' not null', ''), 'server_name', 'server')
		FROM columns_of('bulkpar_node') AS c WHERE c !~ '^(server|citus_node|origin|workers) '
		UNION ALL VALUES ('remote_job_name text')) AS v(c)$$,
	'bulkpar_nodes has the columns of bulkpar_node that are to be shown');
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
		'rows_changed bigint',
		'batches bigint',
		'workers integer',
		'elapsed interval',
		'rows_failed bigint',
		'rows_unchanged bigint'
	], 'columns of bulkpar_result');

-- functions
SELECT results_eq(
	$$SELECT format('%s: %s', proname, pg_get_function_arguments(oid)) COLLATE "default"
	FROM pg_proc
	WHERE oid IN (SELECT objid FROM members WHERE classid = 'pg_proc'::regclass)
		AND proname NOT IN ('bulkpar_support', 'bulkpar_explain')
	ORDER BY proname COLLATE "C", oid$$,
	ARRAY[
		'bulkpar_alter: job_id bigint, '
		'workers integer DEFAULT NULL::integer, '
		'batch_size integer DEFAULT NULL::integer, '
		'settings jsonb DEFAULT NULL::jsonb',
		'bulkpar_alter: job_name text, '
		'workers integer DEFAULT NULL::integer, '
		'batch_size integer DEFAULT NULL::integer, '
		'settings jsonb DEFAULT NULL::jsonb',
		'bulkpar_at_place: places tid[], place tid, VARIADIC list "any"',
		'bulkpar_await: IN job_id bigint, '
		'IN timeout interval DEFAULT NULL::interval',
		'bulkpar_await: IN job_name text, '
		'IN timeout interval DEFAULT NULL::interval',
		'bulkpar_cancel: job_id bigint',
		'bulkpar_cancel: job_name text',
		'bulkpar_delete: target regclass, condition text, '
		'batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text, '
		'using_item text DEFAULT NULL::text, '
		'key_index regclass DEFAULT NULL::regclass, '
		'sees_batches boolean DEFAULT false, once boolean DEFAULT false',
		'bulkpar_delete: target text, condition text, '
		'batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text, '
		'using_item text DEFAULT NULL::text, '
		'key_index regclass DEFAULT NULL::regclass, '
		'sees_batches boolean DEFAULT false, once boolean DEFAULT false',
		'bulkpar_delete: targets regclass[], condition text, '
		'batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text, '
		'using_item text DEFAULT NULL::text, '
		'key_index regclass DEFAULT NULL::regclass, '
		'sees_batches boolean DEFAULT false, once boolean DEFAULT false',
		'bulkpar_execute: statement text, batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text, '
		'stripes integer DEFAULT NULL::integer, '
		'key_index regclass DEFAULT NULL::regclass, '
		'skip_unchanged boolean DEFAULT false, '
		'sees_batches boolean DEFAULT false, once boolean DEFAULT false, '
		'driving_table regclass DEFAULT NULL::regclass',
		'bulkpar_forget: job_id bigint',
		'bulkpar_forget: job_name text',
		'bulkpar_forget: age interval',
		'bulkpar_in_stripe: stripes integer, stripe integer, '
		'VARIADIC key "any"',
		'bulkpar_pause: job_id bigint',
		'bulkpar_pause: job_name text',
		'bulkpar_resume: job_id bigint, '
		'workers integer DEFAULT NULL::integer, '
		'batch_size integer DEFAULT NULL::integer, '
		'wait boolean DEFAULT true',
		'bulkpar_resume: job_name text, '
		'workers integer DEFAULT NULL::integer, '
		'batch_size integer DEFAULT NULL::integer, '
		'wait boolean DEFAULT true',
		'bulkpar_resume_interrupted: ',
		'bulkpar_update: target regclass, column_name text, '
		'expression text, batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, '
		'condition text DEFAULT NULL::text, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text, '
		'stripes integer DEFAULT NULL::integer, from_item text DEFAULT NULL::text, '
		'key_index regclass DEFAULT NULL::regclass, '
		'skip_unchanged boolean DEFAULT false, '
		'sees_batches boolean DEFAULT false, once boolean DEFAULT false',
		'bulkpar_update: target text, column_name text, '
		'expression text, batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, '
		'condition text DEFAULT NULL::text, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text, '
		'stripes integer DEFAULT NULL::integer, from_item text DEFAULT NULL::text, '
		'key_index regclass DEFAULT NULL::regclass, '
		'skip_unchanged boolean DEFAULT false, '
		'sees_batches boolean DEFAULT false, once boolean DEFAULT false',
		'bulkpar_update: targets regclass[], column_name text, '
		'expression text, batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, '
		'condition text DEFAULT NULL::text, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text, '
		'stripes integer DEFAULT NULL::integer, from_item text DEFAULT NULL::text, '
		'key_index regclass DEFAULT NULL::regclass, '
		'skip_unchanged boolean DEFAULT false, '
		'sees_batches boolean DEFAULT false, once boolean DEFAULT false',
		'bulkpar_update: target regclass, column_name text[], '
		'expression text[], batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, '
		'condition text DEFAULT NULL::text, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text, '
		'stripes integer DEFAULT NULL::integer, from_item text DEFAULT NULL::text, '
		'key_index regclass DEFAULT NULL::regclass, '
		'skip_unchanged boolean DEFAULT false, '
		'sees_batches boolean DEFAULT false, once boolean DEFAULT false',
		'bulkpar_update: target text, column_name text[], '
		'expression text[], batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, '
		'condition text DEFAULT NULL::text, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text, '
		'stripes integer DEFAULT NULL::integer, from_item text DEFAULT NULL::text, '
		'key_index regclass DEFAULT NULL::regclass, '
		'skip_unchanged boolean DEFAULT false, '
		'sees_batches boolean DEFAULT false, once boolean DEFAULT false',
		'bulkpar_update: targets regclass[], column_name text[], '
		'expression text[], batch_size integer DEFAULT 1000, '
		'workers integer DEFAULT NULL::integer, '
		'condition text DEFAULT NULL::text, wait boolean DEFAULT true, '
		'on_error text DEFAULT ''stop''::text, '
		'max_errors bigint DEFAULT 1000, job_name text DEFAULT NULL::text, '
		'stripes integer DEFAULT NULL::integer, from_item text DEFAULT NULL::text, '
		'key_index regclass DEFAULT NULL::regclass, '
		'skip_unchanged boolean DEFAULT false, '
		'sees_batches boolean DEFAULT false, once boolean DEFAULT false',
		'bulkpar_wait: job_id bigint, '
		'timeout interval DEFAULT NULL::interval',
		'bulkpar_wait: job_name text, '
		'timeout interval DEFAULT NULL::interval',
		'bulkpar_xmin_holders: '
	], 'the functions and their arguments');
SELECT set_eq(
	$$SELECT replace(replace(pg_get_function_arguments(oid), 'target text', 'target regclass'),
		', sample boolean DEFAULT false', '') FROM pg_proc WHERE proname = 'bulkpar_explain'$$,
	$$SELECT pg_get_function_arguments(oid) FROM pg_proc
	WHERE proname IN ('bulkpar_update', 'bulkpar_delete', 'bulkpar_execute')
		AND proargtypes[0] <> 'text'::regtype OR proname = 'bulkpar_execute'$$,
	'bulkpar_explain has the arguments of the functions that it explains');
CREATE TEMPORARY TABLE signatures AS
SELECT oid, proname::name AS name, oid::regprocedure::text AS signature,
	array(SELECT format_type(type, NULL)
		FROM unnest(proargtypes) AS type)::name[] AS arguments
FROM pg_proc WHERE proname IN ('bulkpar_update', 'bulkpar_delete', 'bulkpar_execute',
	'bulkpar_resume');
SELECT function_returns(name, arguments, 'bulkpar_result') FROM signatures;
SELECT function_lang_is(name, arguments, 'c') FROM signatures;
SELECT volatility_is(name, arguments, 'volatile') FROM signatures;
SELECT isnt_strict(name, arguments) FROM signatures;
SELECT isnt_definer(name, arguments) FROM signatures;
SELECT is(proparallel, 'u', signature || ' is parallel unsafe')
FROM signatures JOIN pg_proc USING (oid);
SELECT is(proconfig, NULL, signature || ' changes no settings')
FROM signatures JOIN pg_proc USING (oid);

-- stripes
SELECT results_eq(
	$$SELECT concat_ws(' ', proname, prorettype::regtype, provolatile,
		proisstrict, proleakproof, prosecdef, proparallel) COLLATE "default"
	FROM pg_proc WHERE proname IN ('bulkpar_in_stripe', 'bulkpar_xmin_holders')
	ORDER BY proname COLLATE "C"$$,
	ARRAY['bulkpar_in_stripe boolean i t t f s',
		'bulkpar_xmin_holders text s f f f u'],
	'what is said about the functions that stripes need');
SELECT is(min(procost), (SELECT procost FROM pg_proc WHERE proname = 'bulkpar_in_stripe'),
	'no function is cheaper than the one that tells the stripe of a row')
FROM pg_proc;
SELECT is_empty(
	$$SELECT name FROM members JOIN pg_proc p ON p.oid = objid
	WHERE classid = 'pg_proc'::regclass AND prosecdef$$,
	'no function is SECURITY DEFINER');
SELECT is(bulkpar_xmin_holders(), NULL, 'nobody holds the horizon but this session');

-- Each key is in one stripe, and the stripes are about the same size.
SELECT is((SELECT array_agg(DISTINCT s.count) FROM generate_series(1, 1000) AS id,
		unnest('{1,2,3,16,64}'::integer[]) AS stripes, LATERAL (
			SELECT count(*) FROM generate_series(0, stripes - 1) AS stripe
			WHERE bulkpar_in_stripe(stripes, stripe, id, id::text)) AS s),
	'{1}', 'each key is in one stripe');
SELECT cmp_ok(max(s.rows) - min(s.rows), '<', 200::bigint, 'the stripes are about equal')
FROM (SELECT count(*) AS rows FROM generate_series(1, 16000) AS id,
		generate_series(0, 15) AS stripe
	WHERE bulkpar_in_stripe(16, stripe, id) GROUP BY stripe) AS s;
SELECT ok(bool_and(bulkpar_in_stripe(1, 0, id)), 'with one stripe all keys are in it')
FROM generate_series(1, 100) AS id;
SELECT is(bulkpar_in_stripe(2, 0, NULL::integer), NULL, 'NULL is no key');
SELECT throws_ok('SELECT bulkpar_in_stripe(0, 0, 1)', '22023',
	'argument "stripes" must be positive');
SELECT throws_ok('SELECT bulkpar_in_stripe(2, 0, 1::money)', '42883',
	'could not identify an extended hash function for type money');
SELECT set_eq($$SELECT bulkpar_in_stripe(8, stripe, id) FROM
	generate_series(0, 7) AS stripe, generate_series(1, 200) AS id
	WHERE bulkpar_in_stripe(8, stripe, id::numeric(9,2)) <>
		bulkpar_in_stripe(8, stripe, (id::text || '.0000')::numeric)$$,
	'{}'::boolean[], 'equal values are in the same stripe');

-- owner and privileges
SELECT schema_owner_is('bulkpar', current_user);
SELECT schema_privs_are('bulkpar', 'bulkpar_somebody', '{}');
SELECT table_owner_is('bulkpar_job', current_user);
SELECT table_owner_is('bulkpar_part', current_user);
SELECT table_owner_is('bulkpar_chunk', current_user);
SELECT view_owner_is('bulkpar_progress', current_user);
SELECT table_owner_is('bulkpar_counter', current_user);
SELECT function_owner_is(name, arguments, current_user) FROM signatures;
SELECT table_privs_are('bulkpar_job', 'bulkpar_somebody', '{}');
SELECT any_column_privs_are('bulkpar_job', 'bulkpar_somebody', '{}');
SELECT table_privs_are('bulkpar_part', 'bulkpar_somebody', '{}');
SELECT any_column_privs_are('bulkpar_part', 'bulkpar_somebody', '{}');
SELECT table_privs_are('bulkpar_chunk', 'bulkpar_somebody', '{}');
SELECT any_column_privs_are('bulkpar_chunk', 'bulkpar_somebody', '{}');
SELECT table_privs_are('bulkpar_error', 'bulkpar_somebody', '{}');
SELECT any_column_privs_are('bulkpar_error', 'bulkpar_somebody', '{}');
SELECT table_privs_are('bulkpar_subquery', 'bulkpar_somebody', '{}');
SELECT any_column_privs_are('bulkpar_subquery', 'bulkpar_somebody', '{}');
SELECT table_privs_are('bulkpar_alteration', 'bulkpar_somebody', '{}');
SELECT any_column_privs_are('bulkpar_alteration', 'bulkpar_somebody', '{}');
SELECT table_privs_are('bulkpar_node', 'bulkpar_somebody', '{}');
SELECT any_column_privs_are('bulkpar_node', 'bulkpar_somebody', '{}');
SELECT table_privs_are('bulkpar_throttle', 'bulkpar_somebody', '{}');
SELECT any_column_privs_are('bulkpar_throttle', 'bulkpar_somebody', '{}');
SELECT table_privs_are(name, 'bulkpar_somebody', '{SELECT}')
FROM unnest('{bulkpar_jobs,bulkpar_chunks,bulkpar_errors,bulkpar_nodes,bulkpar_progress}'::name[]) AS name;
SELECT table_privs_are('bulkpar_counter', 'bulkpar_somebody', '{}');
SELECT function_privs_are(name, arguments, 'bulkpar_somebody', '{EXECUTE}')
FROM signatures;

-- what pg_dump takes along
SELECT is(extconfig, NULL, 'jobs are not dumped')
FROM pg_extension WHERE extname = 'bulkpar';

-- the settings
LOAD 'bulkpar';
SELECT results_eq(
	$$SELECT concat_ws(' ', name, vartype, context, boot_val, unit, min_val)
	FROM pg_settings WHERE name LIKE 'bulkpar.%' ORDER BY name$$,
	ARRAY[
		'bulkpar.ignore_replicas string user ',
		'bulkpar.job_id string backend ',
		'bulkpar.job_started_at string backend ',
		'bulkpar.lock_wait integer user 1000 ms 0',
		'bulkpar.max_replica_lag integer user 10000 ms 0',
		'bulkpar.max_rows integer user 0 0',
		'bulkpar.max_rows_per_second integer user 0 0',
		'bulkpar.max_time integer user 0 s 0',
		'bulkpar.max_wal_backlog integer user 2048 MB 0',
		'bulkpar.max_wal_rate integer user 0 kB 0',
		'bulkpar.max_workers integer sighup -1 -1',
		'bulkpar.min_free_disk integer user 5 0',
		'bulkpar.nice real user 0 0',
		'bulkpar.progress_interval integer user 5000 ms 0',
		'bulkpar.replica_position enum user replay',
		'bulkpar.report bool user on',
		'bulkpar.target_batch_time integer user 0 ms 0',
		'bulkpar.throttle_query string user ',
		'bulkpar.throttle_timeout integer user 3600 s 0',
		'bulkpar.time_window string user ',
		'bulkpar.workers integer user 0 0'
	], 'the settings');
SELECT is_empty(
	$$SELECT name FROM pg_settings
	WHERE name LIKE 'bulkpar.%' AND coalesce(short_desc, '') = ''$$,
	'each setting has a description');

SELECT * FROM finish();
ROLLBACK;

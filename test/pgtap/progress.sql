-- bulkpar_progress over jobs and chunks that were put there: how it counts, and
-- who sees what.
\ir settings.psql
BEGIN;
SELECT plan(20);

CREATE ROLE bulkpar_owner;
CREATE ROLE bulkpar_other;
CREATE ROLE bulkpar_monitor IN ROLE pg_read_all_stats;
CREATE ROLE bulkpar_boss IN ROLE bulkpar_owner;

CREATE TABLE person (id integer PRIMARY KEY, name text);

-- A job that worked for 10,000 seconds: 9,000 until a day ago, and then again.
CREATE FUNCTION put_job(status text, estimated_rows bigint, owner regrole)
RETURNS bigint LANGUAGE sql AS $$
	INSERT INTO bulkpar.bulkpar_job (job_id, owner, session_role, target, only_target, command, column_names,
		expressions, skip_unchanged, sees_batches, batch_size, workers, on_error, max_errors,
		settings, status, estimated_rows, created_at, started_at, running_since,
		time_before, finished_at)
	VALUES ((SELECT coalesce(max(j.job_id), 0) + 1 FROM bulkpar.bulkpar_job j),
		owner, owner, 'person', true, 'update', '{name}', '{upper(name)}', false, false, 100,
		2, 'stop', 0, '[]', status, estimated_rows, now() - interval '3 days',
		now() - interval '3 days',
		CASE WHEN status = 'running' THEN now() - interval '1200 seconds' END,
		make_interval(secs => CASE WHEN status = 'running' THEN 9000 ELSE 10000 END),
		CASE WHEN status <> 'running' THEN now() END)
	RETURNING job_id
$$;

CREATE FUNCTION progress(job bigint) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', target, status, rows_done, rows_changed,
		estimated_rows, percent, rows_per_second, time_left)
	FROM bulkpar_progress WHERE job_id = job
$$;

SELECT put_job('running', 100000, 'bulkpar_owner') AS running,
	put_job('succeeded', 90000, 'bulkpar_owner') AS succeeded,
	put_job('failed', 100000, 'bulkpar_owner') AS failed,
	put_job('cancelled', NULL, 'bulkpar_other') AS cancelled,
	put_job('running', 10000, 'bulkpar_other') AS exceeded \gset
INSERT INTO bulkpar.bulkpar_part (job_id, part_no, target, relation, key_index, key_order)
SELECT job_id, part_no, 'person', 'person', 'person_pkey'::regclass, 'id'
FROM bulkpar.bulkpar_job, generate_series(1, 2) AS part_no
WHERE target = 'person'::regclass;
INSERT INTO bulkpar.bulkpar_chunk (job_id, chunk_no, part_no, hi, hi_bytes, stripes, rows_before, rows_found,
	rows_done, rows_changed, status, started_at, claimed_at, progressed_at)
SELECT job_id, chunk_no, chunk_no, ARRAY[(chunk_no * 50000)::text], '', 1, (chunk_no - 1) * 50000,
	50000, rows_done, rows_done / 2, 'running', now(),
	now() - interval '1 hour', now() - interval '200 seconds' * chunk_no
FROM (VALUES (:running, 1, 30000), (:running, 2, 10000), (:succeeded, 1, 50000),
	(:succeeded, 2, 50000), (:failed, 1, 50000), (:exceeded, 1, 30000))
	AS chunk (job_id, chunk_no, rows_done);

SELECT is(progress(:running), 'person interrupted 40000 20000 100000 40.0 4',
	'a running job without its coordinator is interrupted');
SELECT is(progress(:succeeded), 'person succeeded 100000 50000 100000 100.0 10',
	'a succeeded job');
SELECT is(progress(:failed), 'person failed 50000 25000 100000 50.0 5',
	'a failed job');
SELECT is(progress(:cancelled), 'person cancelled 0 0 0 0.0 0',
	'a job that was cancelled before it began');
SELECT is(progress(:exceeded), 'person interrupted 30000 15000 30000 99.9 3',
	'more rows than estimated');

SELECT is(time_at_work, interval '10000 seconds',
	'a run without its coordinator ended with its last batch')
FROM bulkpar_jobs WHERE job_id = :running;
SELECT is(time_at_work, interval '10000 seconds',
	'pauses are not time at work')
FROM bulkpar_jobs WHERE job_id = :failed;
SELECT is(xmin_holders, NULL, 'nobody holds dead rows for a job that does not run')
FROM bulkpar_progress WHERE job_id = :succeeded;
SELECT is(count(*), 1::bigint, 'a job with several parts is listed once')
FROM bulkpar_jobs WHERE job_id = :running;
SELECT results_eq(
	format('SELECT chunk_no, relation, rows_done FROM bulkpar_chunks WHERE job_id = %s', :running),
	$$VALUES (1::bigint, 'person'::regclass, 30000::bigint), (2, 'person', 10000)$$,
	'a chunk is listed once, with the table of its part');
SELECT is(stripe, 0, 'a chunk begins with its first stripe')
FROM bulkpar.bulkpar_chunk WHERE job_id = :running AND chunk_no = 1;

-- who sees what
CREATE FUNCTION seen_by(role text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	seen bigint;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	SELECT count(*) INTO seen FROM bulkpar_progress
	WHERE target = 'public.person'::regclass;
	RESET ROLE;
	RETURN seen;
END $$;
SELECT is(seen_by('bulkpar_owner'), 3::bigint, 'a role sees its own jobs');
SELECT is(seen_by('bulkpar_boss'), 3::bigint, 'and those of its roles');
SELECT is(seen_by('bulkpar_other'), 2::bigint, 'but not those of others');
SELECT is(seen_by('bulkpar_monitor'), 5::bigint,
	'pg_read_all_stats sees all jobs');

SET LOCAL ROLE bulkpar_owner;
SELECT throws_ok('SELECT FROM bulkpar.bulkpar_job', '42501', NULL,
	'only the owner of the extension reads bulkpar.bulkpar_job');
SELECT throws_ok('SELECT FROM bulkpar.bulkpar_part', '42501', NULL, 'and bulkpar.bulkpar_part');
SELECT throws_ok('SELECT FROM bulkpar.bulkpar_chunk', '42501', NULL,
	'and bulkpar.bulkpar_chunk');
RESET ROLE;

-- A job's chunks go with it.
DELETE FROM bulkpar.bulkpar_job WHERE target = 'person'::regclass;
SELECT is_empty(
	format('SELECT FROM bulkpar.bulkpar_chunk WHERE job_id BETWEEN %s AND %s',
		:running, :exceeded),
	'the chunks of a job are deleted with it');
SELECT is_empty(
	format('SELECT FROM bulkpar.bulkpar_part WHERE job_id BETWEEN %s AND %s',
		:running, :exceeded),
	'and its parts');

SELECT * FROM finish();
ROLLBACK;

/*-------------------------------------------------------------------------
 *
 * worker.c
 *		A worker of a job: claims chunk after chunk and runs their batches.
 *
 * A worker is an ordinary session of the job's owner.  It ends when there is
 * nothing left to claim, or at the first error, which it records.  All that
 * it knows comes from the tables, and all that counts goes there.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/worker.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "batch.h"
#include "bookkeeping.h"
#include "bulkpar.h"
#include "chunk.h"
#include "settings.h"
#include "target.h"
#include "worker.h"

/* How the launcher tells a worker who it is, in bgw_extra. */
typedef struct WorkerArgs
{
	Oid			database;
	Oid			role;
	Oid			schema;			/* of the extension */
	int			number;			/* of the worker in its job */
	int64		job_id;
} WorkerArgs;

StaticAssertDecl(sizeof(WorkerArgs) <= BGW_EXTRALEN,
				 "worker arguments do not fit");

typedef struct Worker
{
	int			number;
	BulkparJob *job;
	BulkparTarget *target;
	BulkparRange range;			/* chunk_no is 0 when nothing is claimed */
	const BulkparBatch *batch;	/* the running one, for the error context */
	MemoryContext chunk_context;
	MemoryContext batch_context;
} Worker;

static void start(Worker *worker, const WorkerArgs *args);
static bool claim(Worker *worker, BulkparBounds *bounds);
static bool run_chunk(Worker *worker, BulkparBounds *bounds);
static void collect_again(Worker *worker, BulkparBounds *bounds);
static void record_error(Worker *worker, int64 job_id,
						 const ErrorData *error);
static void report_chunk(Worker *worker);
static void error_context(void *arg);
static char *key_list(ArrayType *key);

/*
 * Register a worker of a job, to run as the current user, and to wake this
 * process when it starts and ends.  False if no slot is free.  The handle is
 * allocated in the current memory context.
 */
bool
bulkpar_worker_launch(int64 job_id, int number,
					  BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker = {0};
	WorkerArgs	args = {0};

	args.database = MyDatabaseId;
	args.role = GetUserId();
	args.schema = bulkpar_bookkeeping_schema();
	args.number = number;
	args.job_id = job_id;

	snprintf(worker.bgw_name, BGW_MAXLEN,
			 "bulkpar worker %d of job " INT64_FORMAT, number, job_id);
	strlcpy(worker.bgw_type, "bulkpar worker", BGW_MAXLEN);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, BULKPAR_LIBRARY,
			sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "bulkpar_worker_main",
			sizeof(worker.bgw_function_name));
	memcpy(worker.bgw_extra, &args, sizeof(args));
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

void
bulkpar_worker_main(Datum main_arg)
{
	WorkerArgs	args;
	Worker	   *worker = MemoryContextAllocZero(TopMemoryContext,
												sizeof(Worker));
	ErrorContextCallback callback;
	ErrorData  *error;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	BackgroundWorkerInitializeConnectionByOid(args.database, args.role, 0);
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name,
					PGC_USERSET, PGC_S_OVERRIDE);

	callback.callback = error_context;
	callback.arg = worker;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	PG_TRY();
	{
		BulkparBounds bounds;

		start(worker, &args);
		while (claim(worker, &bounds) && run_chunk(worker, &bounds))
			;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(TopMemoryContext);
		error = CopyErrorData();
		EmitErrorReport();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		error_context_stack = callback.previous;
		record_error(worker, args.job_id, error);
	}
	PG_END_TRY();
}

/* Load the job and make its settings ours. */
static void
start(Worker *worker, const WorkerArgs *args)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "bulkpar job",
												  ALLOCSET_SMALL_SIZES);

	worker->number = args->number;
	worker->target = bulkpar_target_create();
	worker->chunk_context = AllocSetContextCreate(TopMemoryContext,
												  "bulkpar chunk",
												  ALLOCSET_DEFAULT_SIZES);
	worker->batch_context = AllocSetContextCreate(TopMemoryContext,
												  "bulkpar batch",
												  ALLOCSET_DEFAULT_SIZES);

	bulkpar_bookkeeping_attach(args->schema);
	bulkpar_settings_start_process();
	bulkpar_settings_start_transaction();
	MemoryContextSwitchTo(context);
	worker->job = bulkpar_bookkeeping_load_job(args->job_id);
	bulkpar_settings_adopt(worker->job);
	CommitTransactionCommand();
}

/* Claim a chunk; false when there is nothing more to do. */
static bool
claim(Worker *worker, BulkparBounds *bounds)
{
	bool		claimed;

	memset(&worker->range, 0, sizeof(BulkparRange));
	MemoryContextReset(worker->chunk_context);
	pgstat_report_activity(STATE_RUNNING, MyBgworkerEntry->bgw_name);

	bulkpar_settings_start_transaction();
	bulkpar_settings_restore();
	MemoryContextSwitchTo(worker->chunk_context);
	claimed = bulkpar_bookkeeping_job_is_alive(worker->job->job_id) &&
		bulkpar_chunk_claim(worker->job, worker->number, worker->target,
							&worker->range, bounds);
	CommitTransactionCommand();
	return claimed;
}

/*
 * Run the batches of the claimed chunk.  False if the chunk was taken from us:
 * then somebody thinks that we are dead, and so we had better be.
 */
static bool
run_chunk(Worker *worker, BulkparBounds *bounds)
{
	BulkparRange *range = &worker->range;
	int			i = 0;

	report_chunk(worker);
	for (;;)
	{
		BulkparBatch batch;
		BulkparBatchResult result;
		bool		last = i == bounds->nbatches - 1;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}

		batch.lo = range->lo;
		batch.hi = bounds->keys[i];
		batch.rows = last ? bounds->rows_in_last : worker->job->batch_size;
		batch.finishes_chunk = last && bounds->complete;
		batch.last_key = NULL;

		MemoryContextReset(worker->batch_context);
		MemoryContextSwitchTo(worker->batch_context);
		worker->batch = &batch;
		result = bulkpar_batch_run(worker->job, &range->chunk, worker->target,
								   &batch);
		worker->batch = NULL;
		if (result == BULKPAR_BATCH_LOST)
			return false;
		if (result == BULKPAR_BATCH_DONE)
		{
			if (batch.finishes_chunk)
				return true;
			range->lo = bounds->keys[i++];
			MemoryContextSwitchTo(worker->chunk_context);
			range->chunk.done = DatumGetArrayTypePCopy(PointerGetDatum(batch.last_key));
		}
		if (result == BULKPAR_BATCH_TOO_LARGE || i == bounds->nbatches)
		{
			collect_again(worker, bounds);
			i = 0;
		}
	}
}

/* Collect the batches of what is left of the chunk. */
static void
collect_again(Worker *worker, BulkparBounds *bounds)
{
	BulkparRange *range = &worker->range;

	bulkpar_settings_start_transaction();
	bulkpar_settings_restore();
	MemoryContextSwitchTo(worker->chunk_context);
	bulkpar_target_lock(worker->target, worker->job, AccessShareLock);
	bulkpar_chunk_collect(worker->target, range->lo, range->hi,
						  worker->job->batch_size, BULKPAR_CHUNK_BATCHES,
						  bounds);
	CommitTransactionCommand();
}

/* Record the error that ends this worker, in its chunk and in the job. */
static void
record_error(Worker *worker, int64 job_id, const ErrorData *error)
{
	bulkpar_settings_start_transaction();
	if (worker->range.chunk.chunk_no != 0)
		bulkpar_bookkeeping_fail_chunk(job_id, &worker->range.chunk, error);
	bulkpar_bookkeeping_fail_job(job_id, error);
	CommitTransactionCommand();
}

/* Show in pg_stat_activity what we are at. */
static void
report_chunk(Worker *worker)
{
	char	   *activity = psprintf("bulkpar job " INT64_FORMAT ", chunk "
									INT64_FORMAT ": %s", worker->job->job_id,
									worker->range.chunk.chunk_no,
									worker->target->update[1]->sql);

	pgstat_report_activity(STATE_RUNNING, activity);
	pfree(activity);
}

/* Error context: name the job, the chunk and the keys of the batch. */
static void
error_context(void *arg)
{
	Worker	   *worker = arg;
	const BulkparRange *range = &worker->range;
	const BulkparBatch *batch = worker->batch;

	if (batch == NULL || batch->last_key == NULL)
		return;
	if (range->chunk.done == NULL)
		errcontext("bulkpar job " INT64_FORMAT ", chunk " INT64_FORMAT
				   " of table \"%s\", keys up to (%s)",
				   worker->job->job_id, range->chunk.chunk_no,
				   NameStr(worker->target->name), key_list(batch->last_key));
	else
		errcontext("bulkpar job " INT64_FORMAT ", chunk " INT64_FORMAT
				   " of table \"%s\", keys after (%s) up to (%s)",
				   worker->job->job_id, range->chunk.chunk_no,
				   NameStr(worker->target->name), key_list(range->chunk.done),
				   key_list(batch->last_key));
}

/* The key for people: its columns with commas between. */
static char *
key_list(ArrayType *key)
{
	StringInfoData buf;
	Datum	   *texts;
	int			ntexts;

	deconstruct_array(key, TEXTOID, -1, false, TYPALIGN_INT,
					  &texts, NULL, &ntexts);
	initStringInfo(&buf);
	for (int i = 0; i < ntexts; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 TextDatumGetCString(texts[i]));
	return buf.data;
}

/*-------------------------------------------------------------------------
 *
 * worker.c
 *		A worker of a job: claims chunk after chunk and runs their batches.
 *
 * A worker is an ordinary session of the job's owner.  The first one of a run
 * plans the job before it works on it.  It ends when there is nothing left to
 * claim, or at the first error, which it records.  All that it knows comes from
 * the tables, and all that counts goes there.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/worker.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "partitioning/partdesc.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "books/books.h"
#include "books/joblock.h"
#include "books/jobstate.h"
#include "books/ledger.h"
#include "run/bundle.h"
#include "run/chunk.h"
#include "run/claim.h"
#include "run/launch.h"
#include "run/lockwait.h"
#include "run/pace.h"
#include "run/plan.h"
#include "run/retry.h"
#include "run/show.h"
#include "run/worker.h"
#include "session/error.h"
#include "session/identity.h"
#include "session/message.h"
#include "session/process.h"
#include "table/target.h"

/* How the launcher tells a worker who it is, in bgw_extra. */
typedef struct WorkerArgs
{
	BulkparIdentity identity;
	int			number;			/* of the worker in its job */
	int			place;			/* in the crew */
	int			runs;			/* which run of the job it is for */
	int64		job_id;			/* 0 if it is yet to be stored */
	bool		plans;			/* plan the job first, see plan.c */
	int			snapshot_holder;	/* for that */
	BulkparExpected expected;	/* too */
	dsm_handle	pace;			/* see pace.c */
} WorkerArgs;

StaticAssertDecl(sizeof(WorkerArgs) <= BGW_EXTRALEN,
				 "worker arguments do not fit");

/* What is done until nobody's lock keeps it any more. */
typedef struct Work
{
	BulkparChunkRun *run;
	const WorkerArgs *args;
	int			number;			/* of the worker */
	int			tries;
	bool		alone;			/* plan without parallel processes, ... */
	bool		in_parallel;	/* ... in which the last error was raised */
	bool		done;
} Work;

static char *name_worker(int number, int64 job_id);
static void look_ahead(const WorkerArgs *args);
static void learn_job(WorkerArgs *args);
static void start_run(BulkparChunkRun *run, const WorkerArgs *args);
static void show_statement(const BulkparChunkRun *run);
static void show_job(const BulkparJob *job);
static bool plan_run(BulkparChunkRun *run, const WorkerArgs *args);
static void plan_in_transaction(void *arg);
static void load_anew(BulkparChunkRun *run, const WorkerArgs *args);
static bool claim_next(BulkparChunkRun *run, int number);
static void claim(void *arg);
static void name_error(void *arg);
static void record_error(const BulkparChunkRun *run, const WorkerArgs *args,
						 const ErrorData *error);

/*
 * Launch a worker of a job, which may have to plan it first, or with NULL of one
 * that is yet to be stored, as bulkpar_launch_in_slot does.
 */
BulkparShortage
bulkpar_worker_launch(BulkparSlot *slot, MemoryContext context,
					  const BulkparIdentity *identity, const BulkparJob *job,
					  int number, int place, bool plans,
					  int snapshot_holder, const BulkparExpected *expected,
					  dsm_handle pace)
{
	WorkerArgs	args = {
		.identity = *identity,
		.number = number,
		.place = place,
		.runs = job == NULL ? 0 : job->runs,
		.job_id = job == NULL ? 0 : job->job_id,
		.plans = plans,
		.snapshot_holder = snapshot_holder,
		.pace = pace
	};
	BulkparLaunch launch = {
		.type = "bulkpar worker",
		.function = "bulkpar_worker_main",
		.extra = &args,
		.extra_size = sizeof(args)
	};

	if (expected != NULL)
		args.expected = *expected;
	return bulkpar_launch_in_slot(slot, context, &launch,
								  name_worker(number, args.job_id),
								  identity->login);
}

static char *
name_worker(int number, int64 job_id)
{
	return job_id == 0 ? psprintf("bulkpar worker %d of a new job", number) :
		psprintf("bulkpar worker %d of job " INT64_FORMAT, number, job_id);
}

/*
 * The process of a worker, launched by bulkpar_worker_launch, which puts its
 * WorkerArgs into bgw_extra.  Returns, which ends the process, when there is
 * nothing left to do or an error was recorded; the launcher was woken then.  A
 * process that is terminated, or that cannot even record its error, ends
 * without that: its chunk is found unfinished, see crew.c.
 */
void
bulkpar_worker_main(Datum main_arg)
{
	WorkerArgs	args;
	BulkparChunkRun *run = MemoryContextAllocZero(TopMemoryContext,
												  sizeof(BulkparChunkRun));
	ErrorContextCallback callback;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	bulkpar_books_pin(args.identity.job_table);
	bulkpar_identity_assume(&args.identity);
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name,
					PGC_USERSET, PGC_S_OVERRIDE);

	bulkpar_lockwait_start();
	callback.callback = bulkpar_show_error_context;
	callback.arg = run;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	PG_TRY();
	{
		bulkpar_pace_attach(args.pace, args.place);
		bulkpar_process_start();
		if (args.job_id == 0)
		{
			look_ahead(&args);
			learn_job(&args);
		}
		start_run(run, &args);
		if (!args.plans || plan_run(run, &args))
		{
			/* We work in parallel already. */
			SetConfigOption("max_parallel_workers_per_gather", "0",
							PGC_SUSET, PGC_S_OVERRIDE);
			while (claim_next(run, args.number) &&
				   (run->claim.nparts > 0 ? bulkpar_bundle_run(run) :
					bulkpar_chunk_run(run)))
				;
		}
	}
	PG_CATCH();
	{
		ErrorData  *error;

		error_context_stack = callback.previous;
		error = bulkpar_error_catch(TopMemoryContext);
		callback.callback = name_error;
		callback.arg = error;
		error_context_stack = &callback;
		record_error(run, &args, error);
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	bulkpar_launch_wake_launcher();
}

/*
 * While the job is stored, plan how it is read, and read what the catalogs say of
 * the partitions of its target, each of which takes part in the planning of any
 * statement on it.  If that is locked it can wait.
 */
static void
look_ahead(const WorkerArgs *args)
{
	Relation	rel;

	bulkpar_process_start_transaction();
	bulkpar_job_prepare_load();
	if (args->expected.known &&
		ConditionalLockRelationOid(args->expected.target, AccessShareLock))
	{
		rel = try_relation_open(args->expected.target, NoLock);
		if (rel != NULL && rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
			(void) RelationGetPartitionDesc(rel, true);
		if (rel != NULL)
			relation_close(rel, NoLock);
	}
	CommitTransactionCommand();
}

/* Wait until the job is stored, and be called as a worker of it. */
static void
learn_job(WorkerArgs *args)
{
	char	   *name;

	bulkpar_pace_await_job(&args->job_id, &args->runs);
	bulkpar_pace_start();
	name = name_worker(args->number, args->job_id);
	strlcpy(MyBgworkerEntry->bgw_name, name, BGW_MAXLEN);
	SetConfigOption("application_name", name, PGC_USERSET, PGC_S_OVERRIDE);
	pfree(name);
}

/* Load the job, make its settings ours, and what we need to run its chunks. */
static void
start_run(BulkparChunkRun *run, const WorkerArgs *args)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "bulkpar job",
												  ALLOCSET_SMALL_SIZES);
	BulkparJob *job;

	run->target = bulkpar_target_create(TopMemoryContext);
	run->chunk_context = AllocSetContextCreate(TopMemoryContext,
											   "bulkpar chunk",
											   ALLOCSET_DEFAULT_SIZES);
	run->batch_context = AllocSetContextCreate(TopMemoryContext,
											   "bulkpar batch",
											   ALLOCSET_DEFAULT_SIZES);

	bulkpar_message_start();

	bulkpar_process_start_transaction();
	bulkpar_joblock_mark(args->job_id);
	MemoryContextSwitchTo(context);
	job = bulkpar_job_load(args->job_id);
	job->runs = args->runs;
	job->expected = args->expected;
	bulkpar_process_adopt(&job->settings);
	bulkpar_retry_start();
	run->job = job;
	run->size.given = run->size.size = job->batch_size;
	run->job_context = context;
	show_statement(run);
	show_job(job);
	CommitTransactionCommand();
}

/*
 * Let current_query() be the statement that the caller would have run without
 * us, as triggers that keep a history expect it; the server log has it, too.  It
 * keeps the name that the table has now.  Of several targets it is that of the
 * one at hand.
 */
static void
show_statement(const BulkparChunkRun *run)
{
	static char *shown = NULL;
	const BulkparJob *job = run->job;
	bool		at_hand = job->ntargets > 0 && run->claim.chunk.chunk_no != 0;
	Oid			relid = at_hand ? job->parts[run->claim.chunk.part].target :
		job->target;
	char	   *before = shown;

	LockRelationOid(relid, AccessShareLock);
	if (get_rel_name(relid) == NULL)
		return;
	shown = MemoryContextStrdup(TopMemoryContext,
								bulkpar_statement_text(job, relid));
	debug_query_string = shown;
	if (before != NULL)
		pfree(before);
}

/* Let user code know which job it runs for. */
static void
show_job(const BulkparJob *job)
{
	SetConfigOption("bulkpar.job_id", psprintf(INT64_FORMAT, job->job_id),
					PGC_BACKEND, PGC_S_OVERRIDE);
	SetConfigOption("bulkpar.job_started_at", job->created_at,
					PGC_BACKEND, PGC_S_OVERRIDE);
}

/*
 * Plan the job.  False if it has ended meanwhile.  What fails where rows are looked
 * up in parallel, as no UPDATE or DELETE would, is done again without that.
 */
static bool
plan_run(BulkparChunkRun *run, const WorkerArgs *args)
{
	Work		work = {
		.run = run,
		.args = args
	};

	PG_TRY();
	{
		bulkpar_lockwait_insist(run->job, NULL, plan_in_transaction, &work);
	}
	PG_CATCH();
	{
		if (!work.in_parallel || geterrcode() == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		bulkpar_error_log_caught();
		work.alone = true;
	}
	PG_END_TRY();
	if (work.alone)
		bulkpar_lockwait_insist(run->job, NULL, plan_in_transaction, &work);
	if (work.done)
		bulkpar_launch_wake_launcher();
	return work.done;
}

static void
plan_in_transaction(void *arg)
{
	Work	   *work = arg;
	BulkparChunkRun *run = work->run;

	bulkpar_process_start_transaction();
	bulkpar_process_restore();
	if (!bulkpar_ledger_lock(run->job))
	{
		AbortCurrentTransaction();
		return;
	}
	if (work->tries++ > 0)
		load_anew(run, work->args);
	MemoryContextSwitchTo(run->job_context);
	work->in_parallel = false;
	PG_TRY();
	{
		bulkpar_plan_job(run->job, run->target, work->args->snapshot_holder,
						 work->alone);
	}
	PG_CATCH();
	{
		work->in_parallel = IsInParallelMode();
		PG_RE_THROW();
	}
	PG_END_TRY();
	CommitTransactionCommand();
	work->done = true;
}

/*
 * Forget what was planned of the job and was rolled back.  What it has allocated
 * stays.
 */
static void
load_anew(BulkparChunkRun *run, const WorkerArgs *args)
{
	MemoryContextSwitchTo(run->job_context);
	run->job = bulkpar_job_load(args->job_id);
	run->job->runs = args->runs;
	run->job->expected = args->expected;
	run->target = bulkpar_target_create(TopMemoryContext);
}

/* Claim a chunk; false when there is nothing more to do. */
static bool
claim_next(BulkparChunkRun *run, int number)
{
	Work		work = {
		.run = run,
		.number = number
	};

	pgstat_report_activity(STATE_RUNNING, MyBgworkerEntry->bgw_name);
	bulkpar_lockwait_insist(run->job, NULL, claim, &work);
	if (work.done)
		bulkpar_show_chunk(run);
	else
		memset(&run->claim, 0, sizeof(BulkparClaim));
	return work.done;
}

static void
claim(void *arg)
{
	Work	   *work = arg;
	BulkparChunkRun *run = work->run;

	memset(&run->claim, 0, sizeof(BulkparClaim));
	MemoryContextReset(run->chunk_context);
	bulkpar_chunk_follow(run);
	if (bulkpar_pace_retire())
		return;
	bulkpar_process_start_transaction();
	bulkpar_process_restore();
	bulkpar_joblock_mark(run->job->job_id);
	MemoryContextSwitchTo(run->chunk_context);
	work->done = bulkpar_joblock_is_held(run->job->job_id) &&
		bulkpar_claim_chunk(run->job, work->number, run->target, &run->claim);
	if (work->done && run->job->ntargets > 0)
		show_statement(run);
	CommitTransactionCommand();
}

/* Context of an error for which that of the job cannot be recorded. */
static void
name_error(void *arg)
{
	const ErrorData *error = arg;

	errcontext("recording the error \"%s\" of SQLSTATE %s", error->message,
			   unpack_sql_state(error->sqlerrcode));
}

/*
 * Record the error that ends this worker, in its chunk and in the job.  It is
 * the coordinator that reports it.
 */
static void
record_error(const BulkparChunkRun *run, const WorkerArgs *args,
			 const ErrorData *error)
{
	/* While it is not stored there is nothing to record it in. */
	if (args->job_id == 0)
		return;
	bulkpar_process_start_transaction();
	if (run->claim.chunk.chunk_no != 0)
		bulkpar_ledger_fail(args->job_id, &run->claim.chunk, error,
							bulkpar_message_report());
	(void) bulkpar_jobstate_fail(args->job_id, args->runs, error);
	CommitTransactionCommand();
}

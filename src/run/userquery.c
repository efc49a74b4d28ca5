/*-------------------------------------------------------------------------
 *
 * userquery.c
 *		The process that asks a query of the user, as its coordinator sees it.
 *
 * The coordinator runs no code of users, and the workers of a job that is held do
 * nothing, or are in a batch.  So the query has a process of its own, a session
 * of the owner of the job, that asks once a second and writes the answer into
 * shared memory.  It takes a slot of the limits as a worker does.  Whoever has the
 * owner's privileges may alter the query of a job that somebody else has started
 * after SET ROLE, so other than a worker it never connects as that role.
 *
 * An answer counts for some seconds.  Where there is none, the job is held: also
 * while the process hangs, which is terminated then, or cannot be launched.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/userquery.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/dsm.h"
#include "storage/latch.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "books/joblock.h"
#include "bulkpar.h"
#include "run/ask.h"
#include "run/launch.h"
#include "run/userquery.h"
#include "session/process.h"
#include "session/settings.h"

/* Between two questions, in milliseconds. */
#define ASK_INTERVAL 1000

/* How long an answer counts, and between two launches. */
#define ANSWER_AGE (5 * USECS_PER_SEC)
#define LAUNCH_INTERVAL (1 * USECS_PER_SEC)

/* How long to wait for the end of the process, in milliseconds. */
#define END_TIMEOUT 5000

/* What is shared with the process. */
typedef struct Answers
{
	pg_atomic_uint64 answered_at;	/* a TimestampTz; 0 for never */
	slock_t		mutex;			/* guards what follows */
	BulkparAnswer answer;
} Answers;

struct BulkparUserquery
{
	const BulkparIdentity *identity;
	int64		job_id;
	char	   *queries[BULKPAR_LIMITS_SOURCES];	/* NULL for none */
	dsm_segment *segment;		/* NULL where nobody is to answer yet */
	Answers    *answers;		/* in it */
	BulkparSlot slot;			/* of the process */
	bool		no_login;		/* the owner cannot connect */
	TimestampTz launched_at;
	bool		refused;		/* there was no slot for it */
};

/* How the process is told what it is for, in bgw_extra. */
typedef struct UserqueryArgs
{
	BulkparIdentity identity;
	int64		job_id;
	dsm_handle	segment;
} UserqueryArgs;

StaticAssertDecl(sizeof(UserqueryArgs) <= BGW_EXTRALEN,
				 "arguments do not fit");

static void end_asker(BulkparUserquery *userquery);
static bool has_query(const BulkparUserquery *userquery);
static void make_answers(BulkparUserquery *userquery);
static void launch_asker(BulkparUserquery *userquery, TimestampTz now);
static const char *start_asker(const UserqueryArgs *args,
							   const char *configured);
static void ask_all(const char **queries, Answers *answers);
static bool coordinator_is_alive(int64 job_id);

/*
 * No query yet, of a job whose processes are of that identity, in the current
 * memory context.
 */
BulkparUserquery *
bulkpar_userquery_create(const BulkparIdentity *identity, int64 job_id)
{
	BulkparUserquery *userquery = palloc0(sizeof(BulkparUserquery));

	userquery->identity = identity;
	userquery->job_id = job_id;
	return userquery;
}

/* The limits have changed: where the query has, another process asks. */
void
bulkpar_userquery_follow(BulkparUserquery *userquery,
						 const BulkparLimits *limits)
{
	bool		changed = false;

	for (int i = 0; i < BULKPAR_LIMITS_SOURCES; i++)
	{
		const char *new = limits->throttle_queries[i];
		char	  **query = &userquery->queries[i];

		if (*query == NULL ? new == NULL :
			new != NULL && strcmp(*query, new) == 0)
			continue;
		changed = true;
		userquery->refused = false;
		if (*query != NULL)
			pfree(*query);
		*query = new == NULL ? NULL :
			MemoryContextStrdup(GetMemoryChunkContext(userquery), new);
	}
	if (!changed)
		return;
	end_asker(userquery);
}

/*
 * Let the process end.  What it may yet answer is nobody's business any more: the
 * next one has a segment of its own.
 */
static void
end_asker(BulkparUserquery *userquery)
{
	if (userquery->slot.handle != NULL)
		TerminateBackgroundWorker(userquery->slot.handle);
	if (userquery->segment != NULL)
		dsm_detach(userquery->segment);
	userquery->segment = NULL;
	userquery->answers = NULL;
}

static bool
has_query(const BulkparUserquery *userquery)
{
	for (int i = 0; i < BULKPAR_LIMITS_SOURCES; i++)
	{
		if (userquery->queries[i] != NULL)
			return true;
	}
	return false;
}

/* Add what was answered, or that nothing was.  Does not throw. */
void
bulkpar_userquery_look(BulkparUserquery *userquery, TimestampTz now,
					   BulkparReasons *reasons)
{
	Answers    *answers = userquery->answers;
	TimestampTz answered_at = answers == NULL ? 0 :
		pg_atomic_read_u64(&answers->answered_at);
	BulkparAnswer answer;
	char		text[BULKPAR_REASON_TEXT];

	if (!has_query(userquery))
		return;
	/* The clock may have been set back. */
	if (answered_at > now)
		pg_atomic_write_u64(&answers->answered_at, now);
	userquery->launched_at = Min(userquery->launched_at, now);

	if (answered_at != 0 && now - answered_at <= ANSWER_AGE)
	{
		SpinLockAcquire(&answers->mutex);
		answer = answers->answer;
		SpinLockRelease(&answers->mutex);
		bulkpar_reasons_add(reasons, answer.load, "throttle_query",
							answer.text);
		return;
	}
	if (userquery->no_login)
		strlcpy(text, "throttle_query: the owner of the job cannot log in",
				sizeof(text));
	else if (userquery->refused)
		strlcpy(text, "throttle_query: no process is left to ask it, for which a job needs three",
				sizeof(text));
	else if (answered_at == 0)
		strlcpy(text, "throttle_query: no answer yet", sizeof(text));
	else
		snprintf(text, sizeof(text), "throttle_query: no answer for %d s",
				 (int) ((now - answered_at) / USECS_PER_SEC));
	bulkpar_reasons_add(reasons, 1, "throttle_query", text);
}

/*
 * See to it that there is a process that answers if there is a query, and it is
 * wanted; or else that there is none.  It may throw.
 */
void
bulkpar_userquery_tend(BulkparUserquery *userquery, bool wanted)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz answered_at;

	if (userquery->slot.handle != NULL)
	{
		if (bulkpar_launch_empty_slot(&userquery->slot, now) ||
			userquery->answers == NULL)
			return;
		answered_at = pg_atomic_read_u64(&userquery->answers->answered_at);
		if (!wanted)
			end_asker(userquery);
		else if (now - Max(answered_at, userquery->launched_at) > ANSWER_AGE)
			TerminateBackgroundWorker(userquery->slot.handle);
	}
	else if (!wanted)
		userquery->refused = false;
	else if (has_query(userquery) &&
			 (userquery->launched_at == 0 ||
			  now - userquery->launched_at >= LAUNCH_INTERVAL))
		launch_asker(userquery, now);
}

/* Whether nobody asks because there was no slot for the process. */
bool
bulkpar_userquery_lacks_slot(const BulkparUserquery *userquery)
{
	return userquery->refused && userquery->slot.handle == NULL &&
		has_query(userquery);
}

/* Where the answers go, which is kept where a process only takes another's place. */
static void
make_answers(BulkparUserquery *userquery)
{
	if (userquery->segment != NULL)
		return;
	userquery->segment = dsm_create(sizeof(Answers), 0);
	dsm_pin_mapping(userquery->segment);
	userquery->answers = dsm_segment_address(userquery->segment);
	memset(userquery->answers, 0, sizeof(Answers));
	pg_atomic_init_u64(&userquery->answers->answered_at, 0);
	SpinLockInit(&userquery->answers->mutex);
}

/* Launch the process, if the limits have a slot for it. */
static void
launch_asker(BulkparUserquery *userquery, TimestampTz now)
{
	UserqueryArgs args = {
		.identity = *userquery->identity,
		.job_id = userquery->job_id
	};
	BulkparLaunch launch = {
		.type = "bulkpar throttle query",
		.function = "bulkpar_userquery_main",
		.extra = &args,
		.extra_size = sizeof(args)
	};

	userquery->launched_at = now;
	bulkpar_process_start_transaction();
	userquery->no_login =
		!bulkpar_identity_choose_owner(&args.identity, args.identity.role);
	CommitTransactionCommand();
	if (userquery->no_login)
		return;
	make_answers(userquery);
	args.segment = dsm_segment_handle(userquery->segment);
	userquery->refused =
		bulkpar_launch_in_slot(&userquery->slot,
							   GetMemoryChunkContext(userquery), &launch,
							   psprintf("bulkpar throttle query of job " INT64_FORMAT,
										userquery->job_id),
							   args.identity.login) != BULKPAR_SHORTAGE_NONE;
}

/*
 * Terminate the process, and say whether it has ended soon.  Does not throw, and
 * can be called in an exit callback.
 */
bool
bulkpar_userquery_stop(BulkparUserquery *userquery)
{
	if (userquery->slot.handle == NULL)
		return true;
	TerminateBackgroundWorker(userquery->slot.handle);
	return bulkpar_launch_empty_slot(&userquery->slot,
									 TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
																 END_TIMEOUT));
}

/* The same, and wait for its end however long that takes. */
void
bulkpar_userquery_outlast(BulkparUserquery *userquery)
{
	if (userquery->slot.handle == NULL)
		return;
	TerminateBackgroundWorker(userquery->slot.handle);
	(void) bulkpar_launch_empty_slot(&userquery->slot, DT_NOEND);
}

/*
 * The process that asks.  It ends when it is terminated, when the coordinator is
 * gone, or by an error that is not one of the query.
 */
void
bulkpar_userquery_main(Datum main_arg)
{
	UserqueryArgs args;
	Answers    *answers;
	const char *queries[BULKPAR_LIMITS_SOURCES];

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	answers = bulkpar_launch_begin(&args.identity, args.segment);
	if (answers == NULL)
		return;

	MemoryContextSwitchTo(TopMemoryContext);
	queries[0] = pstrdup(bulkpar_throttle_query);
	queries[1] = start_asker(&args, queries[0]);
	while (coordinator_is_alive(args.job_id))
	{
		pgstat_report_activity(STATE_RUNNING, MyBgworkerEntry->bgw_name);
		ask_all(queries, answers);
		pgstat_report_activity(STATE_IDLE, NULL);
		pgstat_report_stat(false);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 ASK_INTERVAL, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		(void) bulkpar_process_reload();
	}
}

/*
 * Make the settings of the job ours, and find its own query: "" for none, or if
 * the configuration has the same.
 */
static const char *
start_asker(const UserqueryArgs *args, const char *configured)
{
	const char *query;
	BulkparJob *job;

	bulkpar_process_start_transaction();
	MemoryContextSwitchTo(TopMemoryContext);
	job = bulkpar_job_load(args->job_id);
	query = bulkpar_settings_value(&job->settings, "bulkpar.throttle_query");
	if (query == NULL || strcmp(query, configured) == 0)
		query = "";
	if (query[0] != '\0' &&
		!bulkpar_settings_may_run(&job->settings, "bulkpar.throttle_query",
								  job->owner))
		query = "SELECT 'it was set by a role that may not run it'::text";
	bulkpar_process_adopt(&job->settings);
	SetConfigOption("bulkpar.job_id", psprintf(INT64_FORMAT, args->job_id),
					PGC_BACKEND, PGC_S_OVERRIDE);
	CommitTransactionCommand();
	MemoryContextSwitchTo(TopMemoryContext);
	return query;
}

/* Ask, and share the answer that is worst. */
static void
ask_all(const char **queries, Answers *answers)
{
	BulkparAnswer worst = {0};

	for (int i = 0; i < BULKPAR_LIMITS_SOURCES; i++)
	{
		BulkparAnswer answer;

		if (queries[i][0] == '\0')
			continue;
		bulkpar_ask(queries[i], &answer);
		if (answer.load >= worst.load)
			worst = answer;
	}
	SpinLockAcquire(&answers->mutex);
	answers->answer = worst;
	SpinLockRelease(&answers->mutex);
	pg_atomic_write_u64(&answers->answered_at, GetCurrentTimestamp());
}

/* As whoever the query has made of us, we ask for the job as its owner. */
static bool
coordinator_is_alive(int64 job_id)
{
	MemoryContext context = CurrentMemoryContext;
	bool		alive;

	bulkpar_process_start_transaction();
	bulkpar_process_restore();
	alive = bulkpar_joblock_is_held(job_id);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return alive;
}

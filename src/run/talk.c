/*-------------------------------------------------------------------------
 *
 * talk.c
 *		The process that talks to the other servers of a job.
 *
 * On each of them it starts a job, or finds the one that it has started before,
 * and asks again and again how far that is.  When all have succeeded it asks each
 * once more, and then they have for the books of the job.  The first error of one
 * of them becomes the error of the job, upon which the coordinator lets us stop
 * the others.
 *
 * With each server there is a talk of questions and answers.  None waits for the
 * other, and none keeps us from hearing what the coordinator wants, but while we
 * connect to one.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/talk.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "books/joblock.h"
#include "compat.h"
#include "run/answer.h"
#include "run/inquiry.h"
#include "run/launch.h"
#include "run/remote.h"
#include "run/talk.h"
#include "session/process.h"
#include "table/foreign.h"

/* How often the coordinator is looked for, in milliseconds. */
#define ALIVE_INTERVAL 1000

/* After which time without an answer a server is given up, in milliseconds. */
#define ANSWER_TIMEOUT 60000

/* After which what keeps one of them from stopping is not waited for any more. */
#define CANCEL_AFTER 3000

static bool make_inquiries(BulkparTalks *work);
static int64 await_job(BulkparTalkShared *shared);
static bool has_coordinator(int64 job_id);
static void start_work(BulkparTalks *work, int64 job_id);
static bool is_over(const BulkparTalks *work);
static bool all_have_succeeded(const BulkparTalks *work);
static void hear_order(BulkparTalks *work);
static void stop_talk(BulkparTalks *work, BulkparTalk *talk);
static void give_up(BulkparTalks *work);
static bool has_something_to_do(const BulkparTalk *talk, TimestampTz now);
static void connect_one(BulkparTalks *work, TimestampTz now);
static bool may_connect(const BulkparTalks *work);
static void go_on(BulkparTalks *work, BulkparTalk *talk);
static void ask_or_listen(BulkparTalks *work, BulkparTalk *talk);
static char *question_text(const BulkparTalks *work, const BulkparTalk *talk);
static int	answer_columns(const BulkparTalk *talk);
static bool hear_answer(BulkparTalk *talk);
static void check_patience(const BulkparTalks *work, BulkparTalk *talk);
static long time_to_listen(const BulkparTalks *work);

/*
 * The main function of the process.  It ends when all has succeeded or is
 * stopped, when it is terminated, or when the coordinator is gone.
 */
void
bulkpar_talk_main(Datum main_arg)
{
	BulkparTalkArgs args;
	BulkparTalks work = {0};
	TimestampTz alive_at;
	int64		job_id;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, BULKPAR_COMPAT_IGNORE);
	BackgroundWorkerUnblockSignals();

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	work.shared = bulkpar_launch_begin(&args.identity, args.segment);
	if (work.shared == NULL)
		return;

	MemoryContextSwitchTo(TopMemoryContext);
	if (pg_atomic_read_u64(&work.shared->job_id) == 0 && !make_inquiries(&work))
		return;
	job_id = await_job(work.shared);
	start_work(&work, job_id);
	alive_at = GetCurrentTimestamp();
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();

		hear_order(&work);
		for (int i = 0; i < work.count; i++)
		{
			if (has_something_to_do(&work.talks[i], now) &&
				work.talks[i].question != BULKPAR_QUESTION_CONNECT)
				go_on(&work, &work.talks[i]);
		}
		connect_one(&work, now);
		if (is_over(&work))
			break;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 time_to_listen(&work), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (!TimestampDifferenceExceeds(alive_at, now, ALIVE_INTERVAL))
			continue;
		if (!has_coordinator(job_id))
			break;
		alive_at = now;
	}
	work.shared->finished = all_have_succeeded(&work);
	bulkpar_launch_wake_launcher();
	for (int i = 0; i < work.count; i++)
		bulkpar_answer_hang_up(&work.talks[i]);
}

/* What the process is called; 0 is for a job that is not stored yet. */
const char *
bulkpar_talk_name(int64 job_id)
{
	return job_id == 0 ? "bulkpar nodes of a new job" :
		psprintf("bulkpar nodes of job " INT64_FORMAT, job_id);
}

/*
 * Ask the nodes whether the job can be done, before it is stored, and say so.
 * The connections stay for the talk, if they agree.  Until the first answers come
 * there is time to plan how the nodes are loaded, which finds our extension, too.
 */
static bool
make_inquiries(BulkparTalks *work)
{
	BulkparTalkShared *shared = work->shared;
	ErrorData  *error;
	int			count;

	bulkpar_process_start_transaction();
	bulkpar_process_restore();
	MemoryContextSwitchTo(TopMemoryContext);
	work->inquiries = bulkpar_inquiry_read(shared->inquiries);
	error = bulkpar_inquiry_greet(work->inquiries);
	(void) bulkpar_node_load(0, &count);
	if (error == NULL)
		error = bulkpar_inquiry_make(work->inquiries);
	CommitTransactionCommand();
	MemoryContextSwitchTo(TopMemoryContext);
	if (error != NULL)
		bulkpar_error_share(&shared->error, error);
	pg_write_barrier();
	pg_atomic_write_u32(&shared->verdict, error == NULL ?
						BULKPAR_TALK_AGREED : BULKPAR_TALK_REFUSED);
	bulkpar_launch_wake_launcher();
	return error == NULL;
}

/* Wait until the job is stored, and be called after it. */
static int64
await_job(BulkparTalkShared *shared)
{
	int64		job_id;

	shared->proc = MyProc;
	pg_memory_barrier();
	for (;;)
	{
		job_id = pg_atomic_read_u64(&shared->job_id);
		if (job_id != 0)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	strlcpy(MyBgworkerEntry->bgw_name, bulkpar_talk_name(job_id), BGW_MAXLEN);
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name,
					PGC_USERSET, PGC_S_OVERRIDE);
	pgstat_report_activity(STATE_RUNNING, MyBgworkerEntry->bgw_name);
	return job_id;
}

static bool
has_coordinator(int64 job_id)
{
	bool		alive;

	bulkpar_process_start_transaction();
	alive = bulkpar_joblock_is_held(job_id);
	CommitTransactionCommand();
	MemoryContextSwitchTo(TopMemoryContext);
	pgstat_report_stat(false);
	return alive;
}

/* Make the settings of the job ours, and begin with each of its nodes. */
static void
start_work(BulkparTalks *work, int64 job_id)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "bulkpar nodes",
												  ALLOCSET_SMALL_SIZES);
	BulkparNode *nodes;

	bulkpar_process_start_transaction();
	MemoryContextSwitchTo(context);
	work->job = bulkpar_job_load(job_id);
	nodes = bulkpar_node_load(job_id, &work->count);
	bulkpar_process_adopt(&work->job->settings);
	work->talks = palloc0(sizeof(BulkparTalk) * work->count);
	for (int i = 0; i < work->count; i++)
	{
		BulkparTalk *talk = &work->talks[i];

		talk->node = &nodes[i];
		talk->context = AllocSetContextCreate(context, "bulkpar answer",
											  ALLOCSET_SMALL_SIZES);
		bulkpar_dblink_name(talk->connection, talk->node->number);
		if (work->inquiries != NIL)
		{
			const BulkparInquiry *inquiry = list_nth(work->inquiries,
													 talk->node->number - 1);

			talk->connected = true;
			talk->schema = inquiry->schema;
			talk->question = BULKPAR_QUESTION_BEGIN;
		}
		talk->asked = talk->asked_before =
			strcmp(talk->node->status, BULKPAR_NODE_WAITING) != 0;
		talk->succeeded = talk->ended =
			strcmp(talk->node->status, BULKPAR_NODE_SUCCEEDED) == 0;
		talk->started_at = GetCurrentTimestamp();
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(TopMemoryContext);
}

/*
 * Whether there is nothing left to say.  Where a server has failed we wait for
 * what the coordinator says to that.
 */
static bool
is_over(const BulkparTalks *work)
{
	for (int i = 0; i < work->count; i++)
	{
		if (work->talks[i].question != BULKPAR_QUESTION_NONE)
			return false;
	}
	return all_have_succeeded(work) || work->order != BULKPAR_TALK_RUN;
}

static bool
all_have_succeeded(const BulkparTalks *work)
{
	for (int i = 0; i < work->count; i++)
	{
		if (!work->talks[i].succeeded)
			return false;
	}
	return true;
}

/* See whether the jobs are to stop, and when they have had their time for it. */
static void
hear_order(BulkparTalks *work)
{
	BulkparTalkOrder order = pg_atomic_read_u32(&work->shared->order);
	TimestampTz now = GetCurrentTimestamp();

	if (order != BULKPAR_TALK_RUN && work->order == BULKPAR_TALK_RUN)
	{
		work->order = order;
		work->deadline = TimestampTzPlusMilliseconds(now,
													 BULKPAR_TALK_STOP_TIMEOUT);
		for (int i = 0; i < work->count; i++)
			stop_talk(work, &work->talks[i]);
	}
	if (work->order != BULKPAR_TALK_RUN && now >= work->deadline)
		give_up(work);
}

/*
 * What was asked is answered first, and what may come then is an end as well.  A
 * job that was about to be asked for is not.
 */
static void
stop_talk(BulkparTalks *work, BulkparTalk *talk)
{
	if (bulkpar_answer_is_about_to_start(talk))
		talk->asked = talk->asked_before || talk->node->remote_job_id != 0;
	if (!talk->asked || talk->ended)
	{
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_NONE, 0);
		bulkpar_answer_settle(work, talk);
	}
	else if (!talk->connected)
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_CONNECT, 0);
	else if (!talk->sent)
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_STOP, 0);
}

/* Name the servers that were not reached. */
static void
give_up(BulkparTalks *work)
{
	for (int i = 0; i < work->count; i++)
	{
		BulkparTalk *talk = &work->talks[i];

		if (talk->question == BULKPAR_QUESTION_NONE)
			continue;
		talk->failures = 1;
		bulkpar_answer_fail(work, talk, NULL);
	}
}

static bool
has_something_to_do(const BulkparTalk *talk, TimestampTz now)
{
	return talk->question != BULKPAR_QUESTION_NONE &&
		(talk->sent || now >= talk->due);
}

/*
 * Connect to one of the servers that are waiting for it.  That blocks, for as long as
 * the server lets us, so it is done one by one, and those that have failed come last.
 */
static void
connect_one(BulkparTalks *work, TimestampTz now)
{
	BulkparTalk *next = NULL;

	for (int i = 0; i < work->count && may_connect(work); i++)
	{
		BulkparTalk *talk = &work->talks[i];

		if (talk->question == BULKPAR_QUESTION_CONNECT && now >= talk->due &&
			(next == NULL || talk->failures < next->failures))
			next = talk;
	}
	if (next != NULL)
		go_on(work, next);
}

/*
 * Whether nobody is kept waiting by that who should not: the servers that are connected
 * are stopped first, if they answer soon.
 */
static bool
may_connect(const BulkparTalks *work)
{
	if (work->order == BULKPAR_TALK_RUN ||
		GetCurrentTimestamp() >=
		TimestampTzPlusMilliseconds(work->deadline,
									CANCEL_AFTER - BULKPAR_TALK_STOP_TIMEOUT))
		return true;
	for (int i = 0; i < work->count; i++)
	{
		if (work->talks[i].connected)
			return false;
	}
	return true;
}

/*
 * Ask, or listen.  In a transaction of its own; an error is that of the node.  That
 * a job is asked for must not be forgotten in a crash.  What a node is asked as, and
 * with which settings, is not what code of users has made of us in a look at the
 * statement.
 */
static void
go_on(BulkparTalks *work, BulkparTalk *talk)
{
	PG_TRY();
	{
		bulkpar_process_start_transaction();
		bulkpar_process_restore();
		MemoryContextSwitchTo(talk->context);
		ask_or_listen(work, talk);
		CommitTransactionCommand();
		if (talk->question == BULKPAR_QUESTION_START && !talk->sent)
			XLogFlush(XactLastCommitEnd);
		MemoryContextSwitchTo(TopMemoryContext);
	}
	PG_CATCH();
	{
		bulkpar_answer_fail(work, talk, bulkpar_error_catch(talk->context));
		MemoryContextSwitchTo(TopMemoryContext);
	}
	PG_END_TRY();
}

static void
ask_or_listen(BulkparTalks *work, BulkparTalk *talk)
{
	if (talk->question == BULKPAR_QUESTION_CONNECT)
	{
		bulkpar_foreign_check_timeout(talk->node);
		bulkpar_dblink_connect(talk->connection, talk->node);
		talk->connected = true;
		talk->prepared = false;
		talk->question = BULKPAR_QUESTION_PREPARE;
	}
	if (talk->question == BULKPAR_QUESTION_BEGIN)
	{
		bulkpar_answer_begin(work, talk);
		return;
	}
	if (!talk->sent)
	{
		MemoryContextReset(talk->context);
		bulkpar_dblink_send(talk->connection, question_text(work, talk));
		talk->sent = true;
		talk->answered = false;
		talk->sent_at = GetCurrentTimestamp();
		return;
	}
	if (hear_answer(talk))
	{
		talk->sent = false;
		bulkpar_answer_understand(work, talk);
	}
	else
		check_patience(work, talk);
}

static char *
question_text(const BulkparTalks *work, const BulkparTalk *talk)
{
	switch (talk->question)
	{
		case BULKPAR_QUESTION_PREPARE:
			return bulkpar_remote_prepare(talk->node);
		case BULKPAR_QUESTION_NAME:
			return bulkpar_remote_name_session(talk->node);
		case BULKPAR_QUESTION_OTHERS:
			return bulkpar_remote_others(talk->node,
										 work->order != BULKPAR_TALK_RUN);
		case BULKPAR_QUESTION_START:
			return talk->resumes ?
				bulkpar_remote_resume(work->job, talk->node, talk->schema) :
				bulkpar_remote_start(work->job, talk->node, talk->schema);
		case BULKPAR_QUESTION_WAIT:
			return bulkpar_remote_wait(talk->node, talk->schema, false);
		case BULKPAR_QUESTION_ERRORS:
			return bulkpar_remote_errors(talk->node, talk->schema);
		case BULKPAR_QUESTION_CONFIRM:
			return talk->prepared ? bulkpar_remote_status() :
				bulkpar_remote_wait(talk->node, talk->schema, true);
		case BULKPAR_QUESTION_STOP:
			return bulkpar_remote_stop(talk->node, talk->schema,
									   work->order == BULKPAR_TALK_CANCEL);
		default:
			return talk->prepared ? bulkpar_remote_status() :
				bulkpar_remote_prepare_status(talk->node, talk->schema);
	}
}

static int
answer_columns(const BulkparTalk *talk)
{
	switch (talk->question)
	{
		case BULKPAR_QUESTION_PREPARE:
			return BULKPAR_REMOTE_PREPARE_COLUMNS;
		case BULKPAR_QUESTION_NAME:
			return BULKPAR_REMOTE_NAME_COLUMNS;
		case BULKPAR_QUESTION_OTHERS:
			return BULKPAR_REMOTE_OTHERS_COLUMNS;
		case BULKPAR_QUESTION_START:
		case BULKPAR_QUESTION_WAIT:
			return BULKPAR_REMOTE_RESULT_COLUMNS;
		case BULKPAR_QUESTION_ERRORS:
			return BULKPAR_REMOTE_ERRORS_COLUMNS;
		case BULKPAR_QUESTION_CONFIRM:
			return talk->prepared ? BULKPAR_REMOTE_STATUS_COLUMNS :
				BULKPAR_REMOTE_RESULT_COLUMNS;
		case BULKPAR_QUESTION_STOP:
			return BULKPAR_REMOTE_STOP_COLUMNS;
		default:
			return talk->prepared ? BULKPAR_REMOTE_STATUS_COLUMNS :
				BULKPAR_REMOTE_PREPARE_STATUS_COLUMNS;
	}
}

/* Fetch what has come.  True when the answer is there with its end. */
static bool
hear_answer(BulkparTalk *talk)
{
	BulkparDblinkResult end;

	if (bulkpar_dblink_is_busy(talk->connection))
		return false;
	if (!talk->answered)
	{
		bulkpar_dblink_receive(talk->connection,
							   answer_columns(talk), &talk->answer);
		talk->answered = true;
		if (bulkpar_dblink_is_busy(talk->connection))
			return false;
	}
	bulkpar_dblink_receive(talk->connection, 1, &end);
	return true;
}

/*
 * A start may have to wait for a lock there, all else is answered at once.  Where it
 * is to be stopped we hang up, and have it ended by another connection: to send a
 * cancel could block, and nothing would interrupt that.
 */
static void
check_patience(const BulkparTalks *work, BulkparTalk *talk)
{
	bool		starts = talk->question == BULKPAR_QUESTION_START;
	bool		runs = work->order == BULKPAR_TALK_RUN;
	int			timeout = runs ? ANSWER_TIMEOUT : CANCEL_AFTER;

	if (starts != runs &&
		TimestampDifferenceExceeds(talk->sent_at, GetCurrentTimestamp(),
								   timeout))
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("the server has not answered for %d s",
						timeout / 1000)));
}

/* Milliseconds until there is something to hear or to ask. */
static long
time_to_listen(const BulkparTalks *work)
{
	TimestampTz now = GetCurrentTimestamp();
	long		wait = BULKPAR_ANSWER_MAX_INTERVAL;

	for (int i = 0; i < work->count; i++)
	{
		const BulkparTalk *talk = &work->talks[i];

		if (talk->question == BULKPAR_QUESTION_NONE ||
			(talk->question == BULKPAR_QUESTION_CONNECT && !may_connect(work)))
			continue;
		if (talk->sent)
			wait = Min(wait, bulkpar_dblink_interval(talk->sent_at));
		else if (talk->due != DT_NOEND)
			wait = Min(wait, TimestampDifferenceMilliseconds(now, talk->due));
	}
	return wait;
}

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
 * other, and none keeps us from hearing what the coordinator wants.
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
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "books/books.h"
#include "books/joblock.h"
#include "books/jobstate.h"
#include "run/launch.h"
#include "run/remote.h"
#include "run/talk.h"
#include "session/settings.h"

/* Between two questions for the same thing, in milliseconds. */
#define MIN_INTERVAL 20
#define MAX_INTERVAL 1000

/* Between two looks for an answer: at first, and when it takes long. */
#define FIRST_LOOK 3
#define LATER_LOOK 25

/* How often the coordinator is looked for, in milliseconds. */
#define ALIVE_INTERVAL 1000

/* After which time without an answer a server is given up, in milliseconds. */
#define ANSWER_TIMEOUT 60000

/* After which it is asked to cancel what keeps it from stopping. */
#define CANCEL_AFTER 3000

/* How often a start is tried that comes while another one is at work. */
#define MAX_STARTS 10
#define START_INTERVAL 300

/* What is asked of a server, or is to be asked next. */
typedef enum Question
{
	QUESTION_CONNECT,
	QUESTION_PREPARE,
	QUESTION_START,
	QUESTION_STATUS,
	QUESTION_ERRORS,			/* which rows it has skipped */
	QUESTION_CONFIRM,			/* how it is, when all have succeeded */
	QUESTION_STOP,
	QUESTION_STOPPED,			/* what has become of it */
	QUESTION_NONE
} Question;

/* The talk with one server. */
typedef struct Talk
{
	BulkparNode *node;
	MemoryContext context;		/* of an answer */
	char		connection[NAMEDATALEN];
	bool		connected;
	char	   *schema;			/* of the extension there */
	Question	question;
	TimestampTz due;			/* when to ask it */
	bool		sent;			/* and it is not all answered */
	TimestampTz sent_at;
	bool		answered;		/* the answer is here, but not its end */
	BulkparDblinkResult answer;
	int			starts;
	int			failures;		/* while it is to be stopped */
	bool		cancelled;		/* what was sent */
	bool		asked;			/* a job may be there ... */
	bool		ended;			/* ... that is known to have ended */
	bool		started;		/* by this process */
	bool		succeeded;
	TimestampTz started_at;
} Talk;

/* All that the process does. */
typedef struct Work
{
	BulkparTalkShared *shared;
	BulkparJob *job;
	int			count;
	Talk	   *talks;
	BulkparTalkOrder order;
	TimestampTz deadline;		/* of the stop */
} Work;

static void start_work(Work *work, const BulkparTalkArgs *args);
static bool is_over(Work *work);
static void hear_order(Work *work);
static void stop_talk(Talk *talk);
static void give_up(Work *work);
static bool has_something_to_do(const Talk *talk, TimestampTz now);
static void go_on(Work *work, Talk *talk);
static void ask_or_listen(Work *work, Talk *talk);
static char *question_text(const Work *work, const Talk *talk);
static int	answer_columns(Question question);
static bool hear_answer(Talk *talk);
static void check_patience(const Work *work, Talk *talk);
static void understand(Work *work, Talk *talk);
static void hear_prepared(Work *work, Talk *talk);
static void ask_start(const Work *work, Talk *talk);
static void hear_status(Work *work, Talk *talk);
static void hear_success(Work *work, Talk *talk, BulkparNodeReport *report);
static void hear_errors(Work *work, Talk *talk);
static void await_others(Work *work, Talk *talk);
static void hear_end(Talk *talk, const BulkparNodeReport *report);
static void ask_next(Talk *talk, Question question, int delay);
static int	next_interval(const Talk *talk, const BulkparNodeReport *report);
static void note_talk(const Work *work, Talk *talk,
					  const BulkparNodeReport *report);
static void hear_failure(Work *work, Talk *talk, ErrorData *error);
static void hang_up(Talk *talk);
static long time_to_listen(const Work *work);

/*
 * The main function of the process.  It ends when all has succeeded or is
 * stopped, when it is terminated, or when the coordinator is gone.
 */
void
bulkpar_talk_main(Datum main_arg)
{
	BulkparTalkArgs args;
	dsm_segment *segment;
	Work		work = {0};
	TimestampTz alive_at;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, SIG_IGN);
	BackgroundWorkerUnblockSignals();

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	segment = dsm_attach(args.segment);
	if (segment == NULL)
		return;
	dsm_pin_mapping(segment);
	work.shared = dsm_segment_address(segment);
	bulkpar_books_pin(args.identity.job_table);
	bulkpar_identity_assume(&args.identity);
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name,
					PGC_USERSET, PGC_S_OVERRIDE);
	bulkpar_settings_start_process();
	pgstat_report_activity(STATE_RUNNING, MyBgworkerEntry->bgw_name);

	MemoryContextSwitchTo(TopMemoryContext);
	work.shared->proc = MyProc;
	start_work(&work, &args);
	alive_at = GetCurrentTimestamp();
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();

		hear_order(&work);
		for (int i = 0; i < work.count; i++)
		{
			if (has_something_to_do(&work.talks[i], now))
				go_on(&work, &work.talks[i]);
		}
		if (is_over(&work))
			break;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 time_to_listen(&work), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (TimestampDifferenceExceeds(alive_at, now, ALIVE_INTERVAL))
		{
			bool		alive;

			bulkpar_settings_start_transaction();
			alive = bulkpar_joblock_is_held(args.job_id);
			CommitTransactionCommand();
			if (!alive)
				break;
			alive_at = now;
			pgstat_report_stat(false);
		}
	}
	bulkpar_launch_wake_launcher();
}

/* Make the settings of the job ours, and begin with each of its nodes. */
static void
start_work(Work *work, const BulkparTalkArgs *args)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "bulkpar nodes",
												  ALLOCSET_SMALL_SIZES);
	BulkparNode *nodes;

	bulkpar_settings_start_transaction();
	MemoryContextSwitchTo(context);
	work->job = bulkpar_job_load(args->job_id);
	nodes = bulkpar_node_load(args->job_id, &work->count);
	bulkpar_settings_adopt(&work->job->settings);
	work->talks = palloc0(sizeof(Talk) * work->count);
	for (int i = 0; i < work->count; i++)
	{
		Talk	   *talk = &work->talks[i];

		talk->node = &nodes[i];
		talk->context = AllocSetContextCreate(context, "bulkpar answer",
											  ALLOCSET_SMALL_SIZES);
		snprintf(talk->connection, sizeof(talk->connection),
				 BULKPAR_DBLINK_MARK " %d", talk->node->number);
		talk->asked = strcmp(talk->node->status, BULKPAR_NODE_WAITING) != 0;
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
is_over(Work *work)
{
	bool		succeeded = true;

	for (int i = 0; i < work->count; i++)
	{
		if (work->talks[i].question != QUESTION_NONE)
			return false;
		succeeded = succeeded && work->talks[i].succeeded;
	}
	return succeeded || work->order != BULKPAR_TALK_RUN;
}

/* See whether the jobs are to stop, and when they have had their time for it. */
static void
hear_order(Work *work)
{
	BulkparTalkOrder order = pg_atomic_read_u32(&work->shared->order);
	TimestampTz now = GetCurrentTimestamp();

	if (order != BULKPAR_TALK_RUN && work->order == BULKPAR_TALK_RUN)
	{
		work->order = order;
		work->deadline = TimestampTzPlusMilliseconds(now,
													 BULKPAR_TALK_STOP_TIMEOUT);
		for (int i = 0; i < work->count; i++)
			stop_talk(&work->talks[i]);
	}
	if (work->order != BULKPAR_TALK_RUN && now >= work->deadline)
		give_up(work);
}

/* What was asked is answered first, and what may come then is an end as well. */
static void
stop_talk(Talk *talk)
{
	if (!talk->asked || talk->ended)
		ask_next(talk, QUESTION_NONE, 0);
	else if (!talk->connected)
		ask_next(talk, QUESTION_CONNECT, 0);
	else if (!talk->sent)
		ask_next(talk, QUESTION_STOP, 0);
}

/* Name the servers that were not reached. */
static void
give_up(Work *work)
{
	for (int i = 0; i < work->count; i++)
	{
		Talk	   *talk = &work->talks[i];

		if (talk->question == QUESTION_NONE)
			continue;
		talk->failures = MAX_STARTS;
		hear_failure(work, talk, NULL);
	}
}

static bool
has_something_to_do(const Talk *talk, TimestampTz now)
{
	return talk->question != QUESTION_NONE && (talk->sent || now >= talk->due);
}

/* Ask, or listen.  In a transaction of its own; an error is that of the node. */
static void
go_on(Work *work, Talk *talk)
{
	PG_TRY();
	{
		bulkpar_settings_start_transaction();
		MemoryContextSwitchTo(talk->context);
		ask_or_listen(work, talk);
		CommitTransactionCommand();
		MemoryContextSwitchTo(TopMemoryContext);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(talk->context);
		error = CopyErrorData();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		MemoryContextSwitchTo(talk->context);
		hear_failure(work, talk, error);
		MemoryContextSwitchTo(TopMemoryContext);
	}
	PG_END_TRY();
}

static void
ask_or_listen(Work *work, Talk *talk)
{
	if (talk->question == QUESTION_CONNECT)
	{
		bulkpar_dblink_connect(talk->connection, talk->node->server);
		talk->connected = true;
		talk->question = QUESTION_PREPARE;
	}
	if (!talk->sent)
	{
		MemoryContextReset(talk->context);
		bulkpar_dblink_send(talk->connection, question_text(work, talk));
		talk->sent = true;
		talk->answered = talk->cancelled = false;
		talk->sent_at = GetCurrentTimestamp();
		return;
	}
	if (hear_answer(talk))
	{
		talk->sent = false;
		understand(work, talk);
	}
	else
		check_patience(work, talk);
}

static char *
question_text(const Work *work, const Talk *talk)
{
	switch (talk->question)
	{
		case QUESTION_PREPARE:
			return bulkpar_remote_prepare();
		case QUESTION_START:
			return bulkpar_remote_start(work->job, talk->node, talk->schema);
		case QUESTION_ERRORS:
			return bulkpar_remote_errors(talk->node, talk->schema);
		case QUESTION_STOP:
			return bulkpar_remote_stop(talk->node, talk->schema,
									   work->order == BULKPAR_TALK_CANCEL);
		default:
			return bulkpar_remote_status(talk->node, talk->schema);
	}
}

static int
answer_columns(Question question)
{
	switch (question)
	{
		case QUESTION_PREPARE:
			return BULKPAR_REMOTE_PREPARE_COLUMNS;
		case QUESTION_START:
			return BULKPAR_REMOTE_START_COLUMNS;
		case QUESTION_ERRORS:
			return BULKPAR_REMOTE_ERRORS_COLUMNS;
		case QUESTION_STOP:
			return BULKPAR_REMOTE_STOP_COLUMNS;
		default:
			return BULKPAR_REMOTE_STATUS_COLUMNS;
	}
}

/* Fetch what has come.  True when the answer is there with its end. */
static bool
hear_answer(Talk *talk)
{
	BulkparDblinkResult end;

	if (bulkpar_dblink_is_busy(talk->connection))
		return false;
	if (!talk->answered)
	{
		bulkpar_dblink_receive(talk->connection,
							   answer_columns(talk->question), &talk->answer);
		talk->answered = true;
		if (bulkpar_dblink_is_busy(talk->connection))
			return false;
	}
	bulkpar_dblink_receive(talk->connection, 1, &end);
	return true;
}

/* A start may have to wait for a lock there, all else is answered at once. */
static void
check_patience(const Work *work, Talk *talk)
{
	TimestampTz now = GetCurrentTimestamp();

	if (work->order != BULKPAR_TALK_RUN)
	{
		if (!talk->cancelled && talk->question == QUESTION_START &&
			TimestampDifferenceExceeds(talk->sent_at, now, CANCEL_AFTER))
		{
			bulkpar_dblink_cancel(talk->connection);
			talk->cancelled = true;
		}
	}
	else if (talk->question != QUESTION_START &&
			 TimestampDifferenceExceeds(talk->sent_at, now, ANSWER_TIMEOUT))
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("the server has not answered for %d s",
						ANSWER_TIMEOUT / 1000)));
}

/* See what the answer says, and what is to be asked next. */
static void
understand(Work *work, Talk *talk)
{
	switch (talk->question)
	{
		case QUESTION_PREPARE:
			hear_prepared(work, talk);
			break;
		case QUESTION_START:
			talk->started = true;
			ask_next(talk, work->order == BULKPAR_TALK_RUN ?
					 QUESTION_STATUS : QUESTION_STOP, 0);
			break;
		case QUESTION_ERRORS:
			hear_errors(work, talk);
			break;
		case QUESTION_STOP:
			ask_next(talk, QUESTION_STOPPED, 0);
			break;
		default:
			hear_status(work, talk);
			break;
	}
}

/*
 * If we know of a job there, it must still be there: another one would do again
 * what that has done.
 */
static void
hear_prepared(Work *work, Talk *talk)
{
	talk->schema = MemoryContextStrdup(GetMemoryChunkContext(work->talks),
									   bulkpar_remote_prepared(&talk->answer));
	if (work->order != BULKPAR_TALK_RUN)
		ask_next(talk, QUESTION_STOP, 0);
	else if (talk->node->remote_job_id != 0)
		ask_next(talk, QUESTION_STATUS, 0);
	else
		ask_start(work, talk);
}

/* That a job may be there is in the books before it is asked for. */
static void
ask_start(const Work *work, Talk *talk)
{
	BulkparNodeReport report = {.status = BULKPAR_NODE_ASKED};

	note_talk(work, talk, &report);
	talk->asked = true;
	talk->succeeded = talk->ended = false;
	ask_next(talk, QUESTION_START, 0);
}

static void
hear_status(Work *work, Talk *talk)
{
	BulkparNodeReport report;
	bool		found = bulkpar_remote_report(talk->node, &talk->answer,
											  &report);

	if (found && (talk->node->remote_job_id == 0 ||
				  talk->node->remote_job_id == report.remote_job_id))
		talk->node->remote_job_id = report.remote_job_id;
	else if (talk->succeeded && !found)
		report.status = BULKPAR_NODE_SUCCEEDED; /* and it is forgotten there */
	else
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the job of node \"%s\" is not there any more",
						talk->node->server_name),
				 errdetail("Nobody can say what it has done.")));

	if (talk->question == QUESTION_STOPPED)
	{
		talk->ended = strcmp(report.status, BULKPAR_NODE_RUNNING) != 0;
		note_talk(work, talk, &report);
		ask_next(talk, report.rows_failed > 0 ? QUESTION_ERRORS :
				 QUESTION_NONE, 0);
	}
	else if (work->order != BULKPAR_TALK_RUN)
		ask_next(talk, QUESTION_STOP, 0);
	else if (strcmp(report.status, BULKPAR_NODE_SUCCEEDED) == 0)
		hear_success(work, talk, &report);
	else if (!talk->started)
		ask_start(work, talk);
	else if (strcmp(report.status, BULKPAR_NODE_RUNNING) == 0)
	{
		note_talk(work, talk, &report);
		ask_next(talk, QUESTION_STATUS, next_interval(talk, &report));
	}
	else
		hear_end(talk, &report);
}

/* A job has succeeded, or has confirmed that. */
static void
hear_success(Work *work, Talk *talk, BulkparNodeReport *report)
{
	talk->succeeded = talk->ended = true;
	if (talk->question == QUESTION_CONFIRM)
	{
		note_talk(work, talk, report);
		ask_next(talk, QUESTION_NONE, 0);
		return;
	}
	report->status = BULKPAR_NODE_RUNNING;
	report->rows_per_second = 0;
	/* What the books know for sure they keep. */
	if (strcmp(talk->node->status, BULKPAR_NODE_SUCCEEDED) != 0)
		note_talk(work, talk, report);
	if (report->rows_failed > 0)
		ask_next(talk, QUESTION_ERRORS, 0);
	else
		await_others(work, talk);
}

/* Keep the rows that were skipped there. */
static void
hear_errors(Work *work, Talk *talk)
{
	bulkpar_node_keep_errors(work->job->job_id, talk->node->number,
							 bulkpar_remote_skipped(talk->node, &talk->answer),
							 talk->answer.nrows);
	if (work->order == BULKPAR_TALK_RUN)
		await_others(work, talk);
	else
		ask_next(talk, QUESTION_NONE, 0);
}

/* Let each confirm its success when all have. */
static void
await_others(Work *work, Talk *talk)
{
	bool		all = true;

	ask_next(talk, QUESTION_CONFIRM, INT_MAX);
	for (int i = 0; i < work->count; i++)
		all = all && work->talks[i].succeeded;
	for (int i = 0; i < work->count && all; i++)
	{
		if (work->talks[i].question == QUESTION_CONFIRM)
			work->talks[i].due = 0;
	}
}

/* A job has ended without success: the same is an error here. */
static void
hear_end(Talk *talk, const BulkparNodeReport *report)
{
	talk->ended = true;
	if (report->error != NULL)
		ThrowErrorData(report->error);
	ereport(ERROR,
			(errcode(ERRCODE_OPERATOR_INTERVENTION),
			 errmsg("the job of node \"%s\" was %s there",
					talk->node->server_name, report->status),
			 errdetail("It is job " INT64_FORMAT " there.",
					   report->remote_job_id)));
}

/* What to ask next, and in how many milliseconds. */
static void
ask_next(Talk *talk, Question question, int delay)
{
	talk->question = question;
	talk->due = delay == INT_MAX ? DT_NOEND :
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay);
	if (question == QUESTION_NONE)
		hang_up(talk);
}

/*
 * Ask seldom, for an answer costs its server something; but soon when the job is
 * young, or about to end.
 */
static int
next_interval(const Talk *talk, const BulkparNodeReport *report)
{
	double		age = TimestampDifferenceMilliseconds(talk->started_at,
													  GetCurrentTimestamp());
	double		left = report->rows_done == 0 ? age :
		age * Max(report->estimated_rows - report->rows_done, 0) /
		report->rows_done;
	double		interval = Min(age / 20, left / 2);

	interval = Max(interval, Max(age / 250, MIN_INTERVAL));
	return Min(interval, MAX_INTERVAL);
}

/* In the transaction that is at hand. */
static void
note_talk(const Work *work, Talk *talk, const BulkparNodeReport *report)
{
	bulkpar_node_note(work->job->job_id, talk->node->number, report);
}

/*
 * A server has failed, or did not answer: that is the error of the job.  When it
 * is to be stopped, we try again once; NULL is for one whose time is over.
 */
static void
hear_failure(Work *work, Talk *talk, ErrorData *error)
{
	BulkparNodeReport report = {
		.status = talk->ended ? "failed" : BULKPAR_NODE_NOT_REACHED
	};
	Question	failed = talk->question;

	hang_up(talk);
	if (work->order == BULKPAR_TALK_RUN && failed == QUESTION_START &&
		(error->sqlerrcode == ERRCODE_DUPLICATE_OBJECT ||
		 error->sqlerrcode == ERRCODE_OBJECT_IN_USE) &&
		++talk->starts < MAX_STARTS)
	{
		/* One that was sent before may be at work. */
		ask_next(talk, QUESTION_CONNECT, START_INTERVAL);
		return;
	}
	if (work->order != BULKPAR_TALK_RUN)
	{
		if (error != NULL && failed == QUESTION_STOP &&
			error->sqlerrcode == ERRCODE_UNDEFINED_OBJECT)
		{
			ask_next(talk, QUESTION_NONE, 0);
			return;
		}
		if (talk->failures++ == 0)
		{
			ask_next(talk, QUESTION_CONNECT, 0);
			return;
		}
		if (work->shared->unreached[0] != '\0')
			strlcat(work->shared->unreached, ", ",
					sizeof(work->shared->unreached));
		strlcat(work->shared->unreached, talk->node->server_name,
				sizeof(work->shared->unreached));
	}
	else
		bulkpar_remote_name(error, talk->node);
	talk->question = QUESTION_NONE;
	report.error = error;
	bulkpar_settings_start_transaction();
	note_talk(work, talk, &report);
	if (work->order == BULKPAR_TALK_RUN)
		(void) bulkpar_jobstate_fail(work->job->job_id, work->job->runs,
									 error);
	CommitTransactionCommand();
	MemoryContextSwitchTo(talk->context);
	bulkpar_launch_wake_launcher();
}

/* Forget the connection, if there is one, whatever state it is in. */
static void
hang_up(Talk *talk)
{
	MemoryContext context = CurrentMemoryContext;
	bool		outside = !IsTransactionState();

	if (!talk->connected)
		return;
	talk->connected = talk->sent = false;
	if (outside)
		bulkpar_settings_start_transaction();
	bulkpar_dblink_disconnect(talk->connection);
	if (outside)
		CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

/* Milliseconds until there is something to hear or to ask. */
static long
time_to_listen(const Work *work)
{
	TimestampTz now = GetCurrentTimestamp();
	long		wait = MAX_INTERVAL;

	for (int i = 0; i < work->count; i++)
	{
		const Talk *talk = &work->talks[i];

		if (talk->question == QUESTION_NONE)
			continue;
		if (talk->sent)
			wait = Min(wait, TimestampDifferenceExceeds(talk->sent_at, now,
														4 * LATER_LOOK) ?
					   LATER_LOOK : FIRST_LOOK);
		else if (talk->due != DT_NOEND)
			wait = Min(wait, TimestampDifferenceMilliseconds(now, talk->due));
	}
	return Max(wait, 1);
}

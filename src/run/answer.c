/*-------------------------------------------------------------------------
 *
 * answer.c
 *		What follows from the answers of the other servers of a job.
 *
 * What they say goes into the books, in the transaction in which it was heard,
 * and decides what they are asked next.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/answer.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "books/jobstate.h"
#include "run/answer.h"
#include "run/launch.h"
#include "run/remote.h"
#include "session/clip.h"
#include "session/process.h"
#include "table/citus.h"
#include "table/foreign.h"

/* How often a start is tried that comes while another one is at work. */
#define MAX_STARTS 10
#define START_INTERVAL 300

/* How often it is asked whether those that were ended are gone. */
#define OTHERS_INTERVAL 100

/* After how long an end that is none by itself is asked for again. */
#define DOUBT 20

static BulkparQuestion question_now(const BulkparTalks *work);
static void hear_others(const BulkparTalks *work, BulkparTalk *talk);
static void hear_start(BulkparTalks *work, BulkparTalk *talk);
static void hear_prepared(BulkparTalks *work, BulkparTalk *talk);
static void recheck_shards(const BulkparTalks *work, const BulkparTalk *talk);
static void ask_start(const BulkparTalks *work, BulkparTalk *talk);
static void hear_status(BulkparTalks *work, BulkparTalk *talk);
static bool is_bare_end(const BulkparNodeReport *report);
static void hear_success(BulkparTalks *work, BulkparTalk *talk,
						 BulkparNodeReport *report);
static void hear_errors(BulkparTalks *work, BulkparTalk *talk);
static void await_others(BulkparTalks *work, BulkparTalk *talk);
static void hear_end(BulkparTalk *talk, const BulkparNodeReport *report);
static int	next_interval(const BulkparTalk *talk,
						  const BulkparNodeReport *report);
static void note_talk(const BulkparTalks *work, BulkparTalk *talk,
					  const BulkparNodeReport *report);
static bool is_at_work_already(BulkparQuestion failed,
							   const ErrorData *error);
static bool is_left_running(BulkparTalks *work, BulkparTalk *talk,
							BulkparQuestion failed, const ErrorData *error);

/* See what the answer says, and what is to be asked next. */
void
bulkpar_answer_understand(BulkparTalks *work, BulkparTalk *talk)
{
	switch (talk->question)
	{
		case BULKPAR_QUESTION_PREPARE:
			hear_prepared(work, talk);
			break;
		case BULKPAR_QUESTION_NAME:
			bulkpar_answer_ask_next(talk, work->order == BULKPAR_TALK_RUN ?
									BULKPAR_QUESTION_START :
									BULKPAR_QUESTION_STOP, 0);
			break;
		case BULKPAR_QUESTION_OTHERS:
			hear_others(work, talk);
			break;
		case BULKPAR_QUESTION_START:
			hear_start(work, talk);
			break;
		case BULKPAR_QUESTION_ERRORS:
			hear_errors(work, talk);
			break;
		case BULKPAR_QUESTION_STOP:
			bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_STOPPED, 0);
			break;
		default:
			if (talk->prepared ||
				talk->answer.ncolumns == BULKPAR_REMOTE_RESULT_COLUMNS)
				hear_status(work, talk);
			else
			{
				talk->prepared = true;
				bulkpar_answer_ask_next(talk, talk->question, 0);
			}
			break;
	}
}

/* To go on, or to stop. */
static BulkparQuestion
question_now(const BulkparTalks *work)
{
	return work->order == BULKPAR_TALK_RUN ? BULKPAR_QUESTION_STATUS :
		BULKPAR_QUESTION_STOP;
}

/*
 * Whether a session of the job that nobody hears may yet ask for what was not found.
 * It is waited for, as it is where it is heard, or it has been ended.
 */
static void
hear_others(const BulkparTalks *work, BulkparTalk *talk)
{
	talk->alone = bulkpar_remote_is_alone(talk->node, &talk->answer);
	if (talk->alone)
		bulkpar_answer_ask_next(talk, question_now(work), 0);
	else if (work->order == BULKPAR_TALK_RUN)
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_STATUS,
								BULKPAR_ANSWER_MAX_INTERVAL);
	else
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_OTHERS, OTHERS_INTERVAL);
}

/*
 * A job was started, or found to have succeeded before.  What is in the answer of
 * one that is there says the same as an answer how it is.
 */
static void
hear_start(BulkparTalks *work, BulkparTalk *talk)
{
	talk->started = true;
	bulkpar_answer_ask_next(talk, question_now(work), 0);
	recheck_shards(work, talk);
	if (work->order == BULKPAR_TALK_RUN)
		hear_status(work, talk);
}

static void
hear_prepared(BulkparTalks *work, BulkparTalk *talk)
{
	talk->schema = MemoryContextStrdup(GetMemoryChunkContext(work->talks),
									   bulkpar_remote_prepared(&talk->answer));
	bulkpar_answer_begin(work, talk);
}

/*
 * Begin with a node that is prepared.  See first whether the owner may still change
 * it, and what there is, unless nothing was ever asked for.
 */
void
bulkpar_answer_begin(BulkparTalks *work, BulkparTalk *talk)
{
	if (work->order == BULKPAR_TALK_RUN && !talk->succeeded)
		bulkpar_foreign_recheck(work->job, talk->node);
	if (work->order == BULKPAR_TALK_RUN && !talk->asked)
		ask_start(work, talk);
	else if (work->order != BULKPAR_TALK_RUN && talk->missed && !talk->alone)
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_OTHERS, 0);
	else
		bulkpar_answer_ask_next(talk, question_now(work), 0);
}

/*
 * What was a shard when we looked before the start may have been split since.  The
 * table that is left of it is one like any other for its node, which would change
 * that.  If the shard is still there now, it was when the job began.
 */
static void
recheck_shards(const BulkparTalks *work, const BulkparTalk *talk)
{
	if (talk->node->citus_node != 0 && work->order == BULKPAR_TALK_RUN)
		bulkpar_citus_recheck(work->job, talk->node);
}

/* That a job may be there is in the books before it is asked for. */
static void
ask_start(const BulkparTalks *work, BulkparTalk *talk)
{
	BulkparNodeReport report = {
		.status = BULKPAR_NODE_ASKED,
		.remote_job_id = talk->node->remote_job_id
	};

	note_talk(work, talk, &report);
	talk->asked = true;
	talk->succeeded = talk->ended = talk->alone = false;
	bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_NAME, 0);
}

/* Whether it is the next that is sent, or after that, and was not sent before. */
bool
bulkpar_answer_is_about_to_start(const BulkparTalk *talk)
{
	return talk->starts == 0 &&
		(talk->question == BULKPAR_QUESTION_NAME ||
		 (talk->question == BULKPAR_QUESTION_START && !talk->sent));
}

/*
 * If we know of a job there, or one was asked for, it must still be there: another
 * one would do again what that has done.
 */
static void
hear_status(BulkparTalks *work, BulkparTalk *talk)
{
	BulkparNodeReport report;
	bool		found = bulkpar_remote_report(talk->node, &talk->answer,
											  &report);

	if (found && (talk->node->remote_job_id == 0 ||
				  talk->node->remote_job_id == report.remote_job_id))
		talk->node->remote_job_id = report.remote_job_id;
	else if (!found && !talk->started && !talk->asked_before &&
			 talk->node->remote_job_id == 0 &&
			 work->order == BULKPAR_TALK_RUN)
	{
		ask_start(work, talk);
		return;
	}
	else if (!found && talk->asked_before && !talk->started &&
			 talk->node->remote_job_id == 0 && !talk->alone &&
			 work->order == BULKPAR_TALK_RUN)
	{
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_OTHERS, 0);
		return;
	}
	else if (talk->succeeded && !found)
		report.status = BULKPAR_NODE_SUCCEEDED; /* and it is forgotten there */
	else
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the job of node \"%s\" is not there any more",
						talk->node->server_name),
				 errdetail("Nobody can say what it has done."),
				 errhint("See there what it has done. If it was forgotten there, cancel this job, and begin another with a condition for the rows that are left.")));

	if (talk->question == BULKPAR_QUESTION_STOPPED)
	{
		talk->ended = strcmp(report.status, BULKPAR_NODE_RUNNING) != 0;
		note_talk(work, talk, &report);
		bulkpar_answer_ask_next(talk, report.rows_failed > 0 ?
								BULKPAR_QUESTION_ERRORS :
								BULKPAR_QUESTION_NONE, 0);
	}
	else if (work->order != BULKPAR_TALK_RUN)
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_STOP, 0);
	else if (strcmp(report.status, BULKPAR_NODE_SUCCEEDED) == 0)
		hear_success(work, talk, &report);
	else if (is_bare_end(&report))
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_STATUS, 0);
	else if (strcmp(report.status, BULKPAR_NODE_RUNNING) == 0)
	{
		talk->asked = talk->started = true;
		talk->succeeded = talk->ended = talk->doubted = false;
		note_talk(work, talk, &report);
		if (talk->waited)
			bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_STATUS,
									next_interval(talk, &report));
		else
			bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_WAIT, 0);
		talk->waited = true;
	}
	else if (!talk->started)
		ask_start(work, talk);
	else if (strcmp(report.status, BULKPAR_NODE_INTERRUPTED) == 0 &&
			 !talk->doubted)
	{
		/* It may have ended between two looks of the view. */
		talk->doubted = true;
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_STATUS, DOUBT);
	}
	else
		hear_end(talk, &report);
}

/* Whether what a call has returned does not say what an ended job has done. */
static bool
is_bare_end(const BulkparNodeReport *report)
{
	return !report->counted &&
		strcmp(report->status, BULKPAR_NODE_RUNNING) != 0;
}

/* A job has succeeded, or has confirmed that. */
static void
hear_success(BulkparTalks *work, BulkparTalk *talk, BulkparNodeReport *report)
{
	talk->succeeded = talk->ended = true;
	if (talk->question == BULKPAR_QUESTION_CONFIRM)
	{
		/* It need not hang up before its coordinator knows. */
		note_talk(work, talk, report);
		talk->question = BULKPAR_QUESTION_NONE;
		return;
	}
	report->status = BULKPAR_NODE_RUNNING;
	report->rows_per_second = 0;
	/* What the books know for sure they keep. */
	if (strcmp(talk->node->status, BULKPAR_NODE_SUCCEEDED) != 0)
		note_talk(work, talk, report);
	if (report->rows_failed > 0)
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_ERRORS, 0);
	else
		await_others(work, talk);
}

/* Keep the rows that were skipped there. */
static void
hear_errors(BulkparTalks *work, BulkparTalk *talk)
{
	bulkpar_node_keep_errors(work->job->job_id, talk->node->number,
							 bulkpar_remote_skipped(talk->node, &talk->answer),
							 talk->answer.nrows);
	if (work->order == BULKPAR_TALK_RUN)
		await_others(work, talk);
	else
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_NONE, 0);
}

/* Let each confirm its success when all have. */
static void
await_others(BulkparTalks *work, BulkparTalk *talk)
{
	bool		all = true;

	bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_CONFIRM, INT_MAX);
	for (int i = 0; i < work->count; i++)
		all = all && work->talks[i].succeeded;
	for (int i = 0; i < work->count && all; i++)
	{
		if (work->talks[i].question == BULKPAR_QUESTION_CONFIRM)
			work->talks[i].due = 0;
	}
}

/*
 * A job has ended without success: the same is an error here, which is noted with
 * what the job has done.
 */
static void
hear_end(BulkparTalk *talk, const BulkparNodeReport *report)
{
	talk->ended = true;
	talk->last = *report;
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
void
bulkpar_answer_ask_next(BulkparTalk *talk, BulkparQuestion question, int delay)
{
	talk->question = question;
	talk->due = delay == INT_MAX ? DT_NOEND :
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay);
	if (question == BULKPAR_QUESTION_NONE)
		bulkpar_answer_hang_up(talk);
}

/*
 * Ask seldom, for an answer costs its server something; but soon when the job is
 * young, or about to end.
 */
static int
next_interval(const BulkparTalk *talk, const BulkparNodeReport *report)
{
	double		age = TimestampDifferenceMilliseconds(talk->started_at,
													  GetCurrentTimestamp());
	double		left = report->rows_done == 0 ? age :
		age * Max(report->estimated_rows - report->rows_done, 0) /
		report->rows_done;
	double		interval = Min(age / 20, left / 2);

	interval = Max(interval, Max(age / 250, BULKPAR_ANSWER_MIN_INTERVAL));
	return Min(interval, BULKPAR_ANSWER_MAX_INTERVAL);
}

/* In the transaction that is at hand. */
static void
note_talk(const BulkparTalks *work, BulkparTalk *talk,
		  const BulkparNodeReport *report)
{
	bulkpar_node_note(work->job->job_id, talk->node->number, report);
}

/*
 * A server has failed, or did not answer: that is the error of the job.  While
 * its job is to be stopped we try again once; NULL is for one whose time is over.
 * In a transaction of its own.
 */
void
bulkpar_answer_fail(BulkparTalks *work, BulkparTalk *talk, ErrorData *error)
{
	BulkparNodeReport report = talk->last;
	BulkparQuestion failed = talk->question;
	bool		runs = work->order == BULKPAR_TALK_RUN;

	bulkpar_answer_hang_up(talk);
	report.error = error;
	if (error != NULL)
		bulkpar_dblink_clean_error(error);
	/* Of a node that Citus has removed nothing will be known any more. */
	if (failed == BULKPAR_QUESTION_CONNECT && error != NULL &&
		error->sqlerrcode == ERRCODE_UNDEFINED_OBJECT &&
		talk->node->citus_node != 0)
		talk->ended = true;
	/* Whoever has said no, or nothing: what was sent may begin all the same. */
	talk->missed |= failed == BULKPAR_QUESTION_START;
	report.status = talk->ended ? "failed" :
		talk->asked ? BULKPAR_NODE_NOT_REACHED : BULKPAR_NODE_WAITING;
	if (runs && (failed == BULKPAR_QUESTION_WAIT ||
				 (failed == BULKPAR_QUESTION_CONFIRM && !talk->prepared)) &&
		ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_CONNECTION_EXCEPTION)
	{
		/* That is what has become of the job, of which the answer says more. */
		talk->waited = true;
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_CONNECT, 0);
		return;
	}
	if (runs && is_at_work_already(failed, error) &&
		++talk->starts < MAX_STARTS)
	{
		/* It may have settings of its own, which it then keeps. */
		talk->resumes = talk->node->remote_job_id != 0;
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_CONNECT,
								START_INTERVAL);
		return;
	}
	talk->question = BULKPAR_QUESTION_NONE;
	if (!runs && !is_left_running(work, talk, failed, error))
		return;
	if (runs)
		bulkpar_remote_name(error, talk->node);
	bulkpar_process_start_transaction();
	note_talk(work, talk, &report);
	if (runs)
		(void) bulkpar_jobstate_fail(work->job->job_id, work->job->runs,
									 error);
	CommitTransactionCommand();
	MemoryContextSwitchTo(talk->context);
	bulkpar_launch_wake_launcher();
}

/* Whether a start that was sent before has not come to its end. */
static bool
is_at_work_already(BulkparQuestion failed, const ErrorData *error)
{
	return failed == BULKPAR_QUESTION_START &&
		(error->sqlerrcode == ERRCODE_DUPLICATE_OBJECT ||
		 error->sqlerrcode == ERRCODE_OBJECT_IN_USE);
}

/*
 * Whether a job that could not be stopped may go on, which our coordinator is
 * told then.  It does not if there is none, unless one was asked for and may still
 * begin: so we see that nobody else is there who has asked, and look once more.
 */
static bool
is_left_running(BulkparTalks *work, BulkparTalk *talk, BulkparQuestion failed,
				const ErrorData *error)
{
	char	   *unreached = work->shared->unreached;
	Size		length = strlen(unreached);

	if (error != NULL && failed == BULKPAR_QUESTION_STOP &&
		error->sqlerrcode == ERRCODE_UNDEFINED_OBJECT)
	{
		if (talk->alone || talk->started || talk->node->remote_job_id != 0)
			bulkpar_answer_settle(work, talk);
		else
		{
			talk->missed = true;
			bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_CONNECT, 0);
		}
		return false;
	}
	if (talk->failures++ == 0)
	{
		bulkpar_answer_ask_next(talk, BULKPAR_QUESTION_CONNECT, 0);
		return false;
	}
	if (talk->ended)
	{
		bulkpar_answer_settle(work, talk);
		return false;
	}
	bulkpar_clip(unreached + length, BULKPAR_TALK_UNREACHED - length,
				 length == 0 ? talk->node->server_name :
				 psprintf(", %s", talk->node->server_name));
	return true;
}

/*
 * Let the books say that nothing is at work there, if they do not know it.  In a
 * transaction of its own.
 */
void
bulkpar_answer_settle(const BulkparTalks *work, const BulkparTalk *talk)
{
	MemoryContext context = CurrentMemoryContext;

	bulkpar_process_start_transaction();
	bulkpar_node_settle(work->job->job_id, talk->node->number,
						talk->asked_before || talk->started ||
						talk->node->remote_job_id != 0);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

/* Forget the connection, if there is one, whatever state it is in. */
void
bulkpar_answer_hang_up(BulkparTalk *talk)
{
	MemoryContext context = CurrentMemoryContext;
	bool		outside = !IsTransactionState();

	if (!talk->connected)
		return;
	talk->connected = talk->sent = false;
	if (outside)
		bulkpar_process_start_transaction();
	bulkpar_dblink_disconnect(talk->connection);
	if (outside)
		CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

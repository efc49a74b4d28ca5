/*-------------------------------------------------------------------------
 *
 * answer.h
 *		What follows from the answers of the other servers of a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/answer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ANSWER_H
#define BULKPAR_ANSWER_H

#include "datatype/timestamp.h"

#include "books/job.h"
#include "run/dblink.h"
#include "run/talk.h"

/* Between two questions for the same thing, in milliseconds. */
#define BULKPAR_ANSWER_MIN_INTERVAL 20
#define BULKPAR_ANSWER_MAX_INTERVAL 1000

/* What is asked of a server, or is to be asked next. */
typedef enum BulkparQuestion
{
	BULKPAR_QUESTION_CONNECT,
	BULKPAR_QUESTION_PREPARE,
	BULKPAR_QUESTION_BEGIN,		/* nothing, but what to ask first */
	BULKPAR_QUESTION_NAME,		/* nothing: what our session is called there */
	BULKPAR_QUESTION_OTHERS,	/* whether others of the job are there */
	BULKPAR_QUESTION_START,
	BULKPAR_QUESTION_WAIT,		/* for its end, but not long */
	BULKPAR_QUESTION_STATUS,
	BULKPAR_QUESTION_ERRORS,	/* which rows it has skipped */
	BULKPAR_QUESTION_CONFIRM,	/* how it is, when all have succeeded */
	BULKPAR_QUESTION_STOP,
	BULKPAR_QUESTION_STOPPED,	/* what has become of it */
	BULKPAR_QUESTION_NONE
} BulkparQuestion;

/* The talk with one server. */
typedef struct BulkparTalk
{
	BulkparNode *node;
	MemoryContext context;		/* of an answer */
	char		connection[NAMEDATALEN];
	bool		connected;
	char	   *schema;			/* of the extension there */
	bool		prepared;		/* the question how the job is, there */
	bool		waited;			/* for its end, which has not come soon */
	BulkparQuestion question;
	TimestampTz due;			/* when to ask it */
	bool		sent;			/* and it is not all answered */
	TimestampTz sent_at;
	bool		answered;		/* the answer is here, but not its end */
	BulkparDblinkResult answer;
	int			starts;
	int			failures;		/* while it is to be stopped */
	bool		asked_before;	/* by another process: a job may be there, or
								 * may have been */
	bool		asked;			/* a job may be there ... */
	bool		ended;			/* ... that is known to have ended */
	bool		missed;			/* it was not found when it was to be stopped */
	bool		alone;			/* nobody else will ask for one */
	bool		started;		/* by this process */
	bool		resumes;		/* what is there, instead of asking for it */
	bool		succeeded;
	bool		doubted;		/* that it was interrupted */
	BulkparNodeReport last;		/* of a job that has ended without success */
	TimestampTz started_at;
} BulkparTalk;

/* All that the process does. */
typedef struct BulkparTalks
{
	BulkparTalkShared *shared;
	List	   *inquiries;		/* to all nodes, with their connections; NIL
								 * if others were made */
	BulkparJob *job;
	int			count;
	BulkparTalk *talks;
	BulkparTalkOrder order;
	TimestampTz deadline;		/* of the stop */
} BulkparTalks;

extern void bulkpar_answer_begin(BulkparTalks *work, BulkparTalk *talk);
extern void bulkpar_answer_understand(BulkparTalks *work, BulkparTalk *talk);
extern void bulkpar_answer_ask_next(BulkparTalk *talk,
									BulkparQuestion question, int delay);
extern bool bulkpar_answer_is_about_to_start(const BulkparTalk *talk);
extern void bulkpar_answer_hang_up(BulkparTalk *talk);
extern void bulkpar_answer_settle(const BulkparTalks *work,
								  const BulkparTalk *talk);
extern void bulkpar_answer_fail(BulkparTalks *work, BulkparTalk *talk,
								ErrorData *error);

#endif							/* BULKPAR_ANSWER_H */

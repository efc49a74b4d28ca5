/*-------------------------------------------------------------------------
 *
 * ask.c
 *		A query of the user that says whether a job may go on.
 *
 * It returns one value: true for a hold, a number as a part of its limit, or a
 * text as the reason, where an empty one is none.  Whatever else it does is a
 * reason to hold the job as well: never does it go on because nobody knows.
 *
 * A query runs in a transaction that is read only and always rolled back, as the
 * owner of the job, for a second at the most.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/ask.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#include "run/ask.h"
#include "session/clip.h"
#include "session/identity.h"
#include "session/process.h"
#include "session/settings.h"

/* How long a query may take, in milliseconds. */
#define ASK_TIMEOUT 1000

/* The setting that has it. */
#define SETTING "bulkpar.throttle_query"

static void check_query(const char *text);
static void show_place(void *arg);
static bool is_answer(Oid type);
static void run_query(const char *text, BulkparAnswer *answer);
static void read_answer(BulkparAnswer *answer);
static void forget_transaction(void);
static void answer_hold(BulkparAnswer *answer, const char *text);

/*
 * Check that a job of that owner may have the query that is among its settings,
 * if there is one.  An error if not, or if it is none.  Must be called in the
 * session of the caller.
 */
void
bulkpar_ask_check(const BulkparSettings *settings, Oid owner)
{
	const char *text = bulkpar_settings_value(settings, SETTING);
	BulkparIdentity identity;

	if (text == NULL || text[0] == '\0')
		return;
	if (!bulkpar_settings_may_run(settings, SETTING, owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to run \"%s\" as role \"%s\"",
						SETTING, GetUserNameFromId(owner, false)),
				 errdetail("It was set by a role that cannot become that role by SET ROLE."),
				 errhint("Let the function that starts the job set it.")));
	if (!bulkpar_identity_choose_owner(&identity, owner))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("role \"%s\" is not permitted to log in",
						GetUserNameFromId(owner, false)),
				 errdetail("The query of \"%s\" is asked in a session of the owner of the job.",
						   SETTING),
				 errhint("Allow it with ALTER ROLE ... LOGIN.")));
	check_query(text);
}

static void
check_query(const char *text)
{
	ErrorContextCallback callback = {
		.callback = show_place,
		.arg = unconstify(char *, text),
		.previous = error_context_stack
	};
	List	   *statements;
	Query	   *query = NULL;

	error_context_stack = &callback;
	statements = pg_parse_query(text);
	if (list_length(statements) == 1 &&
		IsA(linitial_node(RawStmt, statements)->stmt, SelectStmt))
		query = parse_analyze_fixedparams(linitial(statements), text, NULL, 0,
										  NULL);
	if (query == NULL || query->commandType != CMD_SELECT ||
		query->hasModifyingCTE || query->rowMarks != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not one query that only reads", SETTING)));
	if (ExecCleanTargetListLength(query->targetList) != 1 ||
		!is_answer(exprType((Node *) linitial_node(TargetEntry,
												   query->targetList)->expr)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" must return one column", SETTING),
				 errdetail("Its type is boolean, a number or text.")));
	error_context_stack = callback.previous;
}

/* A position in the query is none in the statement of the caller. */
static void
show_place(void *arg)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(arg);
	}
	errcontext("setting \"%s\"", SETTING);
}

static bool
is_answer(Oid type)
{
	switch (getBaseType(type))
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
			return true;
		default:
			return false;
	}
}

/*
 * Ask.  Neither an error nor a cancel is thrown, and nothing that the query does
 * lasts.  Must be called outside of a transaction.
 */
void
bulkpar_ask(const char *query, BulkparAnswer *answer)
{
	MemoryContext context = CurrentMemoryContext;

	answer_hold(answer, "no answer");
	PG_TRY();
	{
		run_query(query, answer);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		disable_timeout(STATEMENT_TIMEOUT, false);
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		answer_hold(answer, error->message);
		FreeErrorData(error);
	}
	PG_END_TRY();
	forget_transaction();
	MemoryContextSwitchTo(context);
}

static void
run_query(const char *text, BulkparAnswer *answer)
{
	bulkpar_process_start_transaction();
	bulkpar_process_restore();
	XactReadOnly = true;
	enable_timeout_after(STATEMENT_TIMEOUT, ASK_TIMEOUT);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute(text, true, 2) != SPI_OK_SELECT)
		answer_hold(answer, "it is not a query");
	else if (!XactReadOnly)
		answer_hold(answer, "it has made its transaction one that writes");
	else
		read_answer(answer);
	disable_timeout(STATEMENT_TIMEOUT, false);
}

/* What it has returned. */
static void
read_answer(BulkparAnswer *answer)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	Oid			type;
	char	   *value;
	char	   *end;

	if (desc->natts != 1 || !is_answer(TupleDescAttr(desc, 0)->atttypid))
	{
		answer_hold(answer, "it does not return one column of a type that it may");
		return;
	}
	if (SPI_processed != 1)
	{
		answer_hold(answer, SPI_processed == 0 ? "it returns no row" :
					"it returns more than one row");
		return;
	}
	type = getBaseType(TupleDescAttr(desc, 0)->atttypid);
	value = SPI_getvalue(SPI_tuptable->vals[0], desc, 1);
	if (value == NULL)
		answer_hold(answer, "it returns null");
	else if (type == TEXTOID || type == VARCHAROID)
	{
		answer_hold(answer, value);
		answer->load = value[0] == '\0' ? 0 : 1;
	}
	else if (type == BOOLOID)
	{
		answer_hold(answer, "it returns true");
		answer->load = strcmp(value, "f") == 0 ? 0 : 1;
	}
	else
	{
		double		load = strtod(value, &end);

		answer_hold(answer, psprintf("%.6g of 1", load));
		answer->load = isnan(load) || *end != '\0' ? 1 : Max(load, 0);
	}
}

/* End the transaction, and let go what is held longer. */
static void
forget_transaction(void)
{
	AbortOutOfAnyTransaction();
	LockReleaseAll(USER_LOCKMETHOD, true);
	QueryCancelPending = false;
}

/* It is a reason to hold the job; of a text the first line. */
static void
answer_hold(BulkparAnswer *answer, const char *text)
{
	Size		length;

	length = strlcpy(answer->text, "throttle_query: ", sizeof(answer->text));
	bulkpar_clip(answer->text + length, sizeof(answer->text) - length, text);
	answer->text[strcspn(answer->text, "\r\n")] = '\0';
	answer->load = 1;
}

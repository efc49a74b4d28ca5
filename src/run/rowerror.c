/*-------------------------------------------------------------------------
 *
 * rowerror.c
 *		Whether an error is one of a row.
 *
 * A job that skips errors goes past rows that cannot be updated, but must stop
 * where no other row could be.  The class of most errors tells which.  That of
 * a wrong statement (42 and 3F) does not: the same errors come from a policy that
 * a new row violates, or from a value that is cast to regclass.  There the place
 * counts: what parsing, planning and the start of the executor do not find, is
 * found with a row.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/rowerror.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "utils/memutils.h"

#include "run/rowerror.h"
#include "session/process.h"
#include "table/statement.h"

/*
 * Classes of the session or the server: every other batch would meet them as
 * well, and a job that skipped them row by row would end with an error for each
 * row of the table.  Whatever is not listed here or below, P0001 of a trigger and
 * the classes of extensions too, is taken for one of the row.
 */
static const char *const session_classes[] = {
	"08",						/* connection exception */
	"0A",						/* feature not supported */
	"25",						/* invalid transaction state */
	"26",						/* invalid SQL statement name */
	"28",						/* invalid authorization specification */
	"2B",						/* dependent privilege descriptors exist */
	"2D",						/* invalid transaction termination */
	"3D",						/* invalid catalog name */
	"40",						/* transaction rollback */
	"53",						/* insufficient resources */
	"55",						/* object not in prerequisite state */
	"57",						/* operator intervention */
	"58",						/* system error */
	"72",						/* snapshot too old */
	"F0",						/* configuration file error */
	"HV",						/* foreign data wrapper error */
	"XX"						/* internal error */
};

/* Classes of a statement, or of a row by which it fails. */
static const char *const statement_classes[] = {
	"3F",						/* invalid schema name */
	"42"						/* syntax error or access rule violation */
};

static bool is_of_class(const ErrorData *error, const char *const *classes,
						int count);
static bool is_of_a_text(const ErrorData *error);
static bool statement_stands(BulkparChunkRun *run);

/*
 * Whether an error of a batch can be one of its rows.  Must be called outside
 * of a transaction.
 */
bool
bulkpar_rowerror_is_one(BulkparChunkRun *run, const ErrorData *error)
{
	if (is_of_class(error, session_classes, lengthof(session_classes)))
		return false;
	if (is_of_class(error, statement_classes, lengthof(statement_classes)))
		return !is_of_a_text(error) && statement_stands(run);
	return true;
}

static bool
is_of_class(const ErrorData *error, const char *const *classes, int count)
{
	const char *sqlstate = unpack_sql_state(error->sqlerrcode);

	for (int i = 0; i < count; i++)
	{
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	}
	return false;
}

/*
 * Whether an error is at a position in the text of a statement, also of one
 * within a function: of a column that is no longer there, say, in a trigger.
 */
static bool
is_of_a_text(const ErrorData *error)
{
	return error->cursorpos > 0 || error->internalpos > 0 ||
		error->internalquery != NULL;
}

/*
 * Whether the statement of a batch still gets as far as to its rows, with the
 * privileges that there are now.
 */
static bool
statement_stands(BulkparChunkRun *run)
{
	volatile bool stands = false;

	MemoryContextReset(run->batch_context);
	PG_TRY();
	{
		BulkparKeyShape shape;

		bulkpar_process_start_transaction();
		bulkpar_process_restore();
		MemoryContextSwitchTo(run->batch_context);
		bulkpar_target_lock(run->target, run->job, run->claim.chunk.part,
							RowExclusiveLock);
		shape = bulkpar_key_usual_shape(run->target->key);
		SPI_connect();
		bulkpar_statement_check(bulkpar_statement_batch(run->job,
														run->target->relid,
														run->target->part,
														run->target->key,
														&shape));
		SPI_finish();
		CommitTransactionCommand();
		stands = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->chunk_context);
		FlushErrorState();
		AbortOutOfAnyTransaction();
	}
	PG_END_TRY();
	return stands;
}

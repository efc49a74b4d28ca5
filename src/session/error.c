/*-------------------------------------------------------------------------
 *
 * error.c
 *		What is kept of an error until its caller gets it.
 *
 * An error of a coordinator or a worker is an ErrorData there and in the session
 * that raises it again.  Between them it is in our tables (argument.c, column.c)
 * or, as long as there is no job, in shared memory.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/error.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "session/clip.h"
#include "session/error.h"

/* Copy an error into shared memory, of each text what fits there. */
void
bulkpar_error_share(BulkparError *shared, const ErrorData *error)
{
	int			i = 0;

	shared->sqlstate = error->sqlerrcode;
#define SHARE(name) \
	bulkpar_clip(shared->texts[i++], BULKPAR_ERROR_SIZE, error->name);
	BULKPAR_ERROR_TEXTS(SHARE);
#undef SHARE
}

/* Raise the error in shared memory, which must be one. */
void
bulkpar_error_raise(BulkparError *shared)
{
	ErrorData	error = {
		.elevel = ERROR,
		.sqlerrcode = shared->sqlstate
	};
	int			i = 0;

#define RAISE(name) \
	error.name = shared->texts[i][0] == '\0' ? NULL : shared->texts[i]; \
	i++;
	BULKPAR_ERROR_TEXTS(RAISE);
#undef RAISE
	if (error.message == NULL)
		error.message = pstrdup("");
	ThrowErrorData(&error);
}

/*
 * To be called where an error is caught: returns it, in a context that outlives
 * its transaction and becomes the current one, and ends that.  What is to be set
 * back comes after this: in a parallel plan nothing can be set.
 */
ErrorData *
bulkpar_error_catch(MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	AbortOutOfAnyTransaction();
	MemoryContextSwitchTo(context);
	return error;
}

/*
 * To be called where an error is caught that must not keep us from going on: it
 * is written to the server log, and its transaction ends.
 */
void
bulkpar_error_log_caught(void)
{
	MemoryContextSwitchTo(TopMemoryContext);
	EmitErrorReport();
	FlushErrorState();
	AbortOutOfAnyTransaction();
}

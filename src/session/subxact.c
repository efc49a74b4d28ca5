/*-------------------------------------------------------------------------
 *
 * subxact.c
 *		Look around in a subtransaction that is always rolled back.
 *
 * The session that waits for a job must not keep a lock on anything.  What it
 * reads, it reads in such a subtransaction.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/subxact.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "session/subxact.h"

/*
 * Call the function in a subtransaction and roll that back, whether or not it
 * throws.  The function runs in the current memory context, and what it
 * allocates there stays.
 */
void
bulkpar_subxact_run(BulkparSubxactFunction function, void *arg)
{
	ErrorData  *error = bulkpar_subxact_try(function, arg);

	if (error != NULL)
		ReThrowError(error);
}

/*
 * The same, but an error is returned, in the current memory context.  It must
 * be shown or thrown: also a cancel is one.
 */
ErrorData *
bulkpar_subxact_try(BulkparSubxactFunction function, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		function(arg);
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

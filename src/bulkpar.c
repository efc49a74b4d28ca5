/*-------------------------------------------------------------------------
 *
 * bulkpar.c
 *		Module start: the settings.
 *
 * The way of a call through the files:
 *
 * call.c			the SQL functions that start or resume a job
 * control.c		the SQL functions that wait for, stop and forget one
 * explain.c		the SQL function that shows what one would do
 * request.c		read the arguments, describe the job (parse.c: their SQL)
 * check.c			check it against the database
 * wait.c			the caller waits for the job (snapshot.c: without a snapshot)
 * handover.c		the caller launches the coordinator, or cancels it
 * coordinator.c	one process per job: launches and watches the workers
 * plan.c			the first worker decides how the job is run
 * list.c			lists its rows first, where few match
 * worker.c			claims chunk after chunk
 * claim.c			the next range of keys
 * chunk.c			runs the batches of a chunk: retry (retry.c), skip, cut anew
 * batch.c			one transaction: the rows and the progress
 * result.c			what the caller gets to see in the end
 *
 * and what serves them: target.c (the table or the part of it at hand), part.c
 * (which tables are parts of it), key.c (its unique index) and keyvalue.c (the
 * values in it), statement.c (the SQL on the table), temporary.c (what that may
 * not use), hooks.c (the hooks that keep it to a batch), condition.c
 * and keyquery.c (what these add), values.c (what an UPDATE assigns),
 * unchanged.c (rows to leave alone), untouched.c (rows that were left alone by
 * mistake), duplicates.c (values that a unique index would not take), sample.c
 * (how long a few batches take), lines.c and catalog.c (what else explain.c
 * shows), stripe.c (every so-manyth row), bounds.c (where batches end),
 * measure.c (rows, space, and who holds it), job.c, joblist.c, jobstate.c,
 * jobstatus.c and ledger.c (the SQL on our tables, run by bookkeeping.c if
 * books.c trusts them, with argument.c and column.c), joblock.c (whether a job
 * is alive), crew.c (the workers as the coordinator sees them), launch.c and
 * quota.c (getting processes), settings.c and identity.c (what a process has
 * from the caller), error.c (errors on their way to the caller), subxact.c,
 * clip.c.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/bulkpar.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "utils/guc.h"

#include "bulkpar.h"

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(
					.name = "bulkpar",
					.version = "1.0"
);
#else
PG_MODULE_MAGIC;
#endif

int			bulkpar_max_workers = -1;
int			bulkpar_progress_interval = 5000;
bool		bulkpar_report = true;
int			bulkpar_workers = 0;

void		_PG_init(void);

void
_PG_init(void)
{
	DefineCustomIntVariable("bulkpar.max_workers",
							"Processes that all bulkpar jobs together may have at once.",
							"Coordinators count as workers do. -1 means half of \"max_worker_processes\", 0 no limit but that.",
							&bulkpar_max_workers,
							-1, -1, BULKPAR_MAX_WORKERS,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("bulkpar.progress_interval",
							"Time between two progress messages of a waiting bulkpar call.",
							"0 turns them off.",
							&bulkpar_progress_interval,
							5000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomBoolVariable("bulkpar.report",
							 "Reports progress and outcome of a bulkpar call in INFO messages.",
							 NULL,
							 &bulkpar_report,
							 true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);

	DefineCustomIntVariable("bulkpar.workers",
							"Workers of a bulkpar job that does not say how many.",
							"0 means as many as there are processors online.",
							&bulkpar_workers,
							0, 0, BULKPAR_MAX_WORKERS,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	MarkGUCPrefixReserved("bulkpar");
}

/*-------------------------------------------------------------------------
 *
 * bulkpar.c
 *		Module start: the settings.
 *
 * README.md in this folder is the map of the sources.
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

char	   *bulkpar_job_id = NULL;
char	   *bulkpar_job_started_at = NULL;
int			bulkpar_lock_wait = 1000;
int			bulkpar_max_workers = -1;
int			bulkpar_progress_interval = 5000;
bool		bulkpar_report = true;
int			bulkpar_workers = 0;

void		_PG_init(void);

static bool check_of_job(char **value, void **extra, GucSource source);

void
_PG_init(void)
{
	/* Parallel workers would not get what is PGC_INTERNAL. */
	DefineCustomStringVariable("bulkpar.job_id",
							   "The bulkpar job that this session works for.",
							   "Empty in sessions that are not workers of a job.",
							   &bulkpar_job_id,
							   "",
							   PGC_BACKEND,
							   GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE,
							   check_of_job, NULL, NULL);

	DefineCustomStringVariable("bulkpar.job_started_at",
							   "When the bulkpar job that this session works for was created.",
							   "It is the same in all batches, also after the job was resumed.",
							   &bulkpar_job_started_at,
							   "",
							   PGC_BACKEND,
							   GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE,
							   check_of_job, NULL, NULL);

	DefineCustomIntVariable("bulkpar.lock_wait",
							"How long a batch of a bulkpar job waits for a lock before it gives back all that it has.",
							"0 means without limit. A shorter \"lock_timeout\" of the session counts instead.",
							&bulkpar_lock_wait,
							1000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);

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

/* Only a worker itself says which job it works for, not a client or a role. */
static bool
check_of_job(char **value, void **extra, GucSource source)
{
	return source == PGC_S_DEFAULT || source == PGC_S_OVERRIDE;
}

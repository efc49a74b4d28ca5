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
#include "session/window.h"

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(
					.name = "bulkpar",
					.version = "1.0"
);
#else
PG_MODULE_MAGIC;
#endif

char	   *bulkpar_ignore_replicas = NULL;
char	   *bulkpar_job_id = NULL;
char	   *bulkpar_job_started_at = NULL;
int			bulkpar_lock_wait = 1000;
int			bulkpar_max_replica_lag = 10000;
int			bulkpar_max_rows = 0;
int			bulkpar_max_rows_per_second = 0;
int			bulkpar_max_time = 0;
int			bulkpar_max_wal_backlog = 2048;
int			bulkpar_max_wal_rate = 0;
int			bulkpar_max_workers = -1;
int			bulkpar_min_free_disk = 5;
double		bulkpar_nice = 0;
int			bulkpar_progress_interval = 5000;
int			bulkpar_replica_position = BULKPAR_REPLICA_REPLAY;
bool		bulkpar_report = true;
int			bulkpar_target_batch_time = 0;
char	   *bulkpar_throttle_query = NULL;
int			bulkpar_throttle_timeout = 3600;
char	   *bulkpar_time_window = NULL;
int			bulkpar_workers = 0;

static const struct config_enum_entry replica_positions[] = {
	{"replay", BULKPAR_REPLICA_REPLAY, false},
	{"flush", BULKPAR_REPLICA_FLUSH, false},
	{NULL, 0, false}
};

void		_PG_init(void);

static void define_limits(void);
static void define_caps(void);
static bool check_query_source(char **value, void **extra, GucSource source);
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

	define_limits();
	define_caps();
	MarkGUCPrefixReserved("bulkpar");
}

/*
 * The settings that a job carries, see run/limits.c: what it gives way to, ...
 */
static void
define_limits(void)
{
	DefineCustomStringVariable("bulkpar.ignore_replicas",
							   "Application names of the standbys that may lag behind a bulkpar job.",
							   "A list, separated by commas.",
							   &bulkpar_ignore_replicas,
							   "",
							   PGC_USERSET, 0,
							   NULL, NULL, NULL);

	DefineCustomIntVariable("bulkpar.max_replica_lag",
							"How far a bulkpar job lets standbys lag behind.",
							"0 is no limit.",
							&bulkpar_max_replica_lag,
							10000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("bulkpar.max_wal_backlog",
							"How much WAL may wait for its archiving or a replication slot while a bulkpar job runs.",
							"What has waited before the job does not count. 0 is no limit.",
							&bulkpar_max_wal_backlog,
							2048, 0, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_MB,
							NULL, NULL, NULL);

	DefineCustomIntVariable("bulkpar.min_free_disk",
							"How many percent of a disk a bulkpar job leaves free.",
							"That of the WAL, and those of its table. 0 is no limit.",
							&bulkpar_min_free_disk,
							5, 0, 100,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomEnumVariable("bulkpar.replica_position",
							 "Up to where a standby must be not to lag behind a bulkpar job.",
							 "What it has replayed, or what it has flushed to its disk.",
							 &bulkpar_replica_position,
							 BULKPAR_REPLICA_REPLAY, replica_positions,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);

	DefineCustomStringVariable("bulkpar.throttle_query",
							   "A query that says whether a bulkpar job must wait.",
							   "It returns true, a number from 1 on, or a reason as text. Empty means none.",
							   &bulkpar_throttle_query,
							   "",
							   PGC_USERSET, GUC_NOT_IN_SAMPLE,
							   check_query_source, NULL, NULL);

	DefineCustomIntVariable("bulkpar.throttle_timeout",
							"How long a bulkpar job is held without a break before it is paused.",
							"0 means that it waits as long as it takes.",
							&bulkpar_throttle_timeout,
							3600, 0, INT_MAX / 1000,
							PGC_USERSET, GUC_UNIT_S,
							NULL, NULL, NULL);
}

/* ... and what it may take. */
static void
define_caps(void)
{
	DefineCustomIntVariable("bulkpar.max_rows",
							"How many rows a run of a bulkpar job may change before the job is paused.",
							"0 is no limit.",
							&bulkpar_max_rows,
							0, 0, INT_MAX,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("bulkpar.max_rows_per_second",
							"How many rows per second all workers of a bulkpar job may change.",
							"0 is no limit.",
							&bulkpar_max_rows_per_second,
							0, 0, INT_MAX,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("bulkpar.max_time",
							"How long a run of a bulkpar job may take before the job is paused.",
							"0 is no limit.",
							&bulkpar_max_time,
							0, 0, INT_MAX / 1000,
							PGC_USERSET, GUC_UNIT_S,
							NULL, NULL, NULL);

	DefineCustomIntVariable("bulkpar.max_wal_rate",
							"How much WAL per second all workers of a bulkpar job may write.",
							"0 is no limit.",
							&bulkpar_max_wal_rate,
							0, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);

	DefineCustomRealVariable("bulkpar.nice",
							 "How much longer a bulkpar job takes, to leave others more of the server.",
							 "1 means that its workers work half of the time.",
							 &bulkpar_nice,
							 0, 0, 1000,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);

	DefineCustomIntVariable("bulkpar.target_batch_time",
							"How long a batch of a bulkpar job should take; it is made smaller for that.",
							"0 means that batches have the size that they were given.",
							&bulkpar_target_batch_time,
							0, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomStringVariable("bulkpar.time_window",
							   "The hours in which a bulkpar job may work.",
							   "Such as \"22:00-06:00 Europe/Berlin\". Empty means always.",
							   &bulkpar_time_window,
							   "",
							   PGC_USERSET, 0,
							   bulkpar_window_check, NULL, NULL);
}

/*
 * The owner of a database may set defaults for all roles in it, whom this would
 * make run what he likes.
 */
static bool
check_query_source(char **value, void **extra, GucSource source)
{
	if (source != PGC_S_DATABASE)
		return true;
	GUC_check_errdetail("It cannot be a default of a database, but of a role or in \"postgresql.conf\".");
	return false;
}

/* Only a worker itself says which job it works for, not a client or a role. */
static bool
check_of_job(char **value, void **extra, GucSource source)
{
	return source == PGC_S_DEFAULT || source == PGC_S_OVERRIDE;
}

/*-------------------------------------------------------------------------
 *
 * limits.c
 *		How far a job may go with the server around it.
 *
 * A limit is a setting like others: it may be in the configuration, which
 * protects the server, and in the session that has created the job, which knows
 * what this job is worth.  Where both have it, the stricter counts.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/limits.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "bulkpar.h"
#include "run/limits.h"

static void find_texts(const char **texts, const char *name,
					   const BulkparSettings *settings);
static double stricter(const char *name, double configured,
					   const BulkparSettings *settings, int unit,
					   bool more_is_stricter);

/*
 * Find the limits of a job that carries these settings.  The configuration is
 * that of this process, which has not adopted them.  What is found lives as
 * long as the settings, and until the configuration is read again.
 */
void
bulkpar_limits_find(BulkparLimits *limits, const BulkparSettings *settings)
{
	const char *position = bulkpar_settings_value(settings,
												  "bulkpar.replica_position");
	const char *ignored = bulkpar_settings_value(settings,
												 "bulkpar.ignore_replicas");

	limits->max_replica_lag =
		(int) stricter("bulkpar.max_replica_lag", bulkpar_max_replica_lag,
					   settings, GUC_UNIT_MS, false);
	limits->max_wal_backlog = (int64)
		stricter("bulkpar.max_wal_backlog", bulkpar_max_wal_backlog,
				 settings, GUC_UNIT_MB, false) * 1024 * 1024;
	limits->max_wal_rate = (int64)
		stricter("bulkpar.max_wal_rate", bulkpar_max_wal_rate,
				 settings, GUC_UNIT_KB, false) * 1024;
	limits->max_rows_per_second = (int)
		stricter("bulkpar.max_rows_per_second", bulkpar_max_rows_per_second,
				 settings, 0, false);
	limits->max_rows = (int)
		stricter("bulkpar.max_rows", bulkpar_max_rows, settings, 0, false);
	limits->throttle_timeout = (int64)
		stricter("bulkpar.throttle_timeout", bulkpar_throttle_timeout,
				 settings, GUC_UNIT_S, false) * 1000;
	limits->max_time = (int64)
		stricter("bulkpar.max_time", bulkpar_max_time,
				 settings, GUC_UNIT_S, false) * 1000;
	limits->min_free_disk = (int)
		stricter("bulkpar.min_free_disk", bulkpar_min_free_disk,
				 settings, 0, true);
	limits->lock_wait = (int)
		stricter("bulkpar.lock_wait", bulkpar_lock_wait,
				 settings, GUC_UNIT_MS, false);
	limits->target_batch_time = (int)
		stricter("bulkpar.target_batch_time", bulkpar_target_batch_time,
				 settings, GUC_UNIT_MS, false);
	limits->nice = stricter("bulkpar.nice", bulkpar_nice, settings, 0, true);

	/* What is replayed comes after what is flushed. */
	limits->replica_flush =
		bulkpar_replica_position == BULKPAR_REPLICA_FLUSH;
	if (position != NULL &&
		!bulkpar_settings_is_configured("bulkpar.replica_position"))
		limits->replica_flush = strcmp(position, "flush") == 0;
	limits->ignore_replicas = bulkpar_ignore_replicas;
	if (ignored != NULL &&
		!bulkpar_settings_is_configured("bulkpar.ignore_replicas"))
		limits->ignore_replicas = ignored;
	find_texts(limits->throttle_queries, "bulkpar.throttle_query", settings);
	find_texts(limits->windows, "bulkpar.time_window", settings);
}

/* What the configuration says, and what the job carries; NULL for nothing. */
static void
find_texts(const char **texts, const char *name,
		   const BulkparSettings *settings)
{
	texts[0] = GetConfigOption(name, false, false);
	texts[1] = bulkpar_settings_value(settings, name);
	for (int i = 0; i < BULKPAR_LIMITS_SOURCES; i++)
	{
		if (texts[i] != NULL && texts[i][0] == '\0')
			texts[i] = NULL;
	}
}

/* The value of a limit, in its unit. */
static double
stricter(const char *name, double configured, const BulkparSettings *settings,
		 int unit, bool more_is_stricter)
{
	const char *text = bulkpar_settings_value(settings, name);
	double		value;

	if (text == NULL || !parse_real(text, &value, unit, NULL))
		return configured;
	if (!bulkpar_settings_is_configured(name))
		return value;
	if (more_is_stricter)
		return Max(value, configured);
	if (value == 0 || configured == 0)
		return value + configured;
	return Min(value, configured);
}

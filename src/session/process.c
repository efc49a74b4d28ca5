/*-------------------------------------------------------------------------
 *
 * process.c
 *		What a process sets for itself.
 *
 * A process of bulkpar takes over the settings that a job carries as if its client
 * had sent them at the start, so that they are what RESET ALL goes back to: that
 * undoes what user code in one batch has set before the next one begins.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/process.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "postmaster/interrupt.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "session/identity.h"
#include "session/process.h"

/* What every process of bulkpar runs with. */
static const char *const process_settings[][2] = {
	/* the statements are short */
	{"jit", "off"},
	/* limits that a role has for its own sessions */
	{"lock_timeout", "0"},
	{"transaction_timeout", "0"},
	/* progress is in the same transaction; the last commit flushes all */
	{"synchronous_commit", "off"},
	/* what is said goes to the caller, who has a setting of its own */
	{"client_min_messages", "notice"},
};

/*
 * From how many blocks on a scan of a table takes a second process.  To start one
 * takes some milliseconds.
 */
#define PARALLEL_SCAN_BLOCKS (1024 * 1024 / BLCKSZ)

/* Set what every process of bulkpar runs with. */
void
bulkpar_process_start(void)
{
	for (int i = 0; i < (int) lengthof(process_settings); i++)
	{
		if (GetConfigOption(process_settings[i][0], true, false) != NULL)
			SetConfigOption(process_settings[i][0], process_settings[i][1],
							PGC_SUSET, PGC_S_OVERRIDE);
	}
}

/* Read the configuration again if that was asked for.  Whether it was. */
bool
bulkpar_process_reload(void)
{
	if (!ConfigReloadPending)
		return false;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	return true;
}

/*
 * Make the settings the defaults of this session.  Must be called in a
 * transaction.
 */
void
bulkpar_process_adopt(const BulkparSettings *settings)
{
	for (int i = 0; i < settings->count; i++)
	{
		const BulkparSetting *setting = &settings->items[i];

		(void) set_config_option_ext(setting->name, setting->value,
									 setting->superuser ? PGC_SUSET :
									 PGC_USERSET, PGC_S_CLIENT, setting->role,
									 GUC_ACTION_SET, true, ERROR, false);
	}
}

/*
 * Until the end of the transaction or subtransaction, let a plan scan a table
 * in as many processes as a job has workers, this one among them, unless it may
 * not be parallel at all.  Nothing else runs meanwhile, so that a second process
 * pays also for a table that the planner would give none.
 */
void
bulkpar_process_scan_in_parallel(int workers)
{
	char		value[12];

	if (max_parallel_workers_per_gather == 0)
		return;
	pg_ltoa(workers - 1, value);
	bulkpar_process_set_locally("max_parallel_workers_per_gather", value);
	bulkpar_process_set_locally("parallel_leader_participation", "on");
	pg_ltoa(Min(min_parallel_table_scan_size, PARALLEL_SCAN_BLOCKS), value);
	bulkpar_process_set_locally("min_parallel_table_scan_size", value);
}

/*
 * Set a setting to the end of the transaction, of the subtransaction or of the nest
 * level that the caller has begun, with the rights of the current user.
 */
void
bulkpar_process_set_locally(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, ERROR, false);
}

/*
 * Start a transaction of the kind that the work needs, whatever the defaults
 * of the role and the database are or user code has made of them.
 */
void
bulkpar_process_start_transaction(void)
{
	DefaultXactIsoLevel = XACT_READ_COMMITTED;
	DefaultXactReadOnly = false;
	DefaultXactDeferrable = false;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
}

/* Go back to the job's role and settings, whatever user code has set since. */
void
bulkpar_process_restore(void)
{
	bulkpar_identity_restore();
	ResetAllOptions();
}

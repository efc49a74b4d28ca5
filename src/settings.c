/*-------------------------------------------------------------------------
 *
 * settings.c
 *		The settings under which a job's expressions are evaluated.
 *
 * A job carries the settings that the calling session has (search_path,
 * TimeZone, app.user and so on) other than by the server's configuration, and
 * those that the job's owner would have by default, but for those that concern
 * the session itself.  A worker takes them over as if its client had sent
 * them at the start, so that they are what RESET ALL goes back to: that undoes
 * what user code in one batch has set before the next one begins.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/settings.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"

#include "compat.h"
#include "identity.h"
#include "settings.h"

/* Settings of the session that are not the job's business. */
static const char *const session_settings[] = {
	"application_name",
	"client_encoding",
	"client_min_messages",
	"default_transaction_deferrable",
	"default_transaction_isolation",
	"default_transaction_read_only",
	"idle_in_transaction_session_timeout",
	"idle_session_timeout",
	"lock_timeout",
	"log_duration",
	"log_min_duration_statement",
	"log_min_error_statement",
	"log_min_messages",
	"log_statement",
	"statement_timeout",
	"synchronous_commit",
	"transaction_timeout",
};

/* What every process of bulkpar runs with. */
static const char *const process_settings[][2] = {
	/* the statements are short */
	{"jit", "off"},
	/* limits that a role has for its own sessions */
	{"lock_timeout", "0"},
	{"transaction_timeout", "0"},
	/* progress is in the same transaction; the last commit flushes all */
	{"synchronous_commit", "off"},
};

static bool is_set(const struct config_generic *setting);
static bool is_carried(const struct config_generic *setting);
static bool is_listed(const char *name, char **list, int count);
static void add_setting(BulkparJob *job, const char *name, const char *value);

/*
 * Fill in the settings of the calling session, in the current memory context.
 */
void
bulkpar_settings_collect(BulkparJob *job)
{
	int			nvariables;
	struct config_generic **variables = bulkpar_compat_guc_variables(&nvariables);
	int			ndefaults;
	char	  **defaults = bulkpar_job_role_defaults(job->owner, &ndefaults);

	job->nsettings = 0;
	job->setting_names = palloc(sizeof(char *) * (nvariables + ndefaults));
	job->setting_values = palloc(sizeof(char *) * (nvariables + ndefaults));
	for (int i = 0; i < nvariables; i++)
	{
		if (is_carried(variables[i]) &&
			(is_set(variables[i]) ||
			 is_listed(variables[i]->name, defaults, ndefaults)))
			add_setting(job, variables[i]->name,
						GetConfigOption(variables[i]->name, true, false));
	}

	/* Those that this session does not have at all, the workers have empty. */
	for (int i = 0; i < ndefaults; i++)
	{
		if (GetConfigOption(defaults[i], true, false) == NULL)
			add_setting(job, defaults[i], "");
	}
}

/* Set what every process of bulkpar runs with. */
void
bulkpar_settings_start_process(void)
{
	for (int i = 0; i < (int) lengthof(process_settings); i++)
	{
		if (GetConfigOption(process_settings[i][0], true, false) != NULL)
			SetConfigOption(process_settings[i][0], process_settings[i][1],
							PGC_SUSET, PGC_S_OVERRIDE);
	}
}

/*
 * Make the job's settings the defaults of this session.  The session that
 * they are from had the right to set them.  Must be called in a transaction.
 */
void
bulkpar_settings_adopt(const BulkparJob *job)
{
	for (int i = 0; i < job->nsettings; i++)
		(void) set_config_option(job->setting_names[i],
								 job->setting_values[i],
								 PGC_SUSET, PGC_S_CLIENT, GUC_ACTION_SET, true, ERROR,
								 false);
}

/*
 * Until the end of the transaction or subtransaction, let a plan scan a table
 * in as many processes as a job has workers, unless it may not be parallel at
 * all.  The process that runs it is none of them: it shall end quickly, and
 * one that has used many shared buffers does not.
 */
void
bulkpar_settings_scan_in_parallel(int workers)
{
	char		value[12];

	if (max_parallel_workers_per_gather == 0)
		return;
	pg_ltoa(workers, value);
	(void) set_config_option("max_parallel_workers_per_gather", value,
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, ERROR, false);
	(void) set_config_option("parallel_leader_participation", "off",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, ERROR, false);
}

/*
 * Let SQL of our own be about nothing but the catalog, whatever there is in the
 * schemas of the user's search_path, until the caller undoes it with
 * AtEOXact_GUC(true, result).  An error undoes it with the (sub)transaction.
 */
int
bulkpar_settings_use_catalog(void)
{
	int			nestlevel = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, ERROR, false);
	return nestlevel;
}

/*
 * Start a transaction of the kind that the work needs, whatever the defaults
 * of the role and the database are or user code has made of them.
 */
void
bulkpar_settings_start_transaction(void)
{
	DefaultXactIsoLevel = XACT_READ_COMMITTED;
	DefaultXactReadOnly = false;
	DefaultXactDeferrable = false;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
}

/* Go back to the job's role and settings, whatever user code has set since. */
void
bulkpar_settings_restore(void)
{
	bulkpar_identity_restore();
	ResetAllOptions();
}

/*
 * Whether the session, its client, its role or its database has set this, and
 * not just the server's configuration.
 */
static bool
is_set(const struct config_generic *setting)
{
	return setting->source >= PGC_S_GLOBAL &&
		setting->source != PGC_S_OVERRIDE;
}

/* Whether a job can carry a setting, and it does not concern the session. */
static bool
is_carried(const struct config_generic *setting)
{
	return (setting->context == PGC_USERSET ||
			setting->context == PGC_SUSET) &&
		(setting->flags & GUC_NO_RESET_ALL) == 0 &&
		pg_strncasecmp(setting->name, "bulkpar.", 8) != 0 &&
		!is_listed(setting->name, (char **) session_settings,
				   lengthof(session_settings));
}

static bool
is_listed(const char *name, char **list, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (pg_strcasecmp(name, list[i]) == 0)
			return true;
	}
	return false;
}

static void
add_setting(BulkparJob *job, const char *name, const char *value)
{
	if (value == NULL)
		return;
	job->setting_names[job->nsettings] = pstrdup(name);
	job->setting_values[job->nsettings] = pstrdup(value);
	job->nsettings++;
}

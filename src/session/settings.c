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
 * Each is set with the rights that it was set with in the calling session, and
 * no more.  That counts for settings of a superuser, and also for those of
 * libraries that are not loaded yet: anybody may set these, but the library
 * refuses, when it comes, what only a superuser could have set.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/settings.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"

#include "compat.h"
#include "session/identity.h"
#include "session/settings.h"

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
static void add_setting(BulkparJob *job, const char *name, const char *value,
						GucContext context, Oid role);
static bool gives_right(GucContext context);
static bool may_take_over(const BulkparSetting *setting);
static const struct config_generic *find_variable(const char *name);
static const BulkparSetting *find_setting(const BulkparJob *job,
										  const char *name);

/*
 * Fill in the settings of the calling session, in the current memory context.
 */
void
bulkpar_settings_collect(BulkparJob *job)
{
	int			nvariables;
	struct config_generic **variables = bulkpar_compat_guc_variables(&nvariables);
	int			ndefaults;
	char	  **defaults = bulkpar_job_role_defaults(job, &ndefaults);

	job->nsettings = 0;
	job->settings = palloc(sizeof(BulkparSetting) * (nvariables + ndefaults));
	for (int i = 0; i < nvariables; i++)
	{
		if (is_carried(variables[i]) &&
			(is_set(variables[i]) ||
			 is_listed(variables[i]->name, defaults, ndefaults)))
			add_setting(job, variables[i]->name,
						GetConfigOption(variables[i]->name, true, false),
						variables[i]->scontext, variables[i]->srole);
	}

	/* Those that this session does not have at all, the workers have empty. */
	for (int i = 0; i < ndefaults; i++)
	{
		if (GetConfigOption(defaults[i], true, false) == NULL)
			add_setting(job, defaults[i], "", PGC_USERSET, job->owner);
	}
}

/*
 * Check that the current user may go on with a job under the settings that it
 * carries, some of which may be the work of a more powerful role.  An error if
 * not.
 */
void
bulkpar_settings_check(const BulkparJob *job)
{
	for (int i = 0; i < job->nsettings; i++)
	{
		if (!may_take_over(&job->settings[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to resume bulkpar job "
							INT64_FORMAT " with its setting of \"%s\"",
							job->job_id, job->settings[i].name),
					 errdetail("The setting is that of role \"%s\".",
							   GetUserNameFromId(job->settings[i].role, true)),
					 errhint("Resume the job as that role or as a superuser, or start it anew.")));
	}
}

/*
 * The name of a setting that two jobs do not have alike; NULL if there is
 * none.
 */
const char *
bulkpar_settings_differ(const BulkparJob *a, const BulkparJob *b)
{
	const BulkparJob *jobs[2] = {a, b};

	for (int k = 0; k < 2; k++)
	{
		for (int i = 0; i < jobs[k]->nsettings; i++)
		{
			const BulkparSetting *setting = &jobs[k]->settings[i];
			const BulkparSetting *other = find_setting(jobs[1 - k],
													   setting->name);

			if (other == NULL || strcmp(other->value, setting->value) != 0)
				return setting->name;
		}
	}
	return NULL;
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
 * Make the job's settings the defaults of this session.  Must be called in a
 * transaction.
 */
void
bulkpar_settings_adopt(const BulkparJob *job)
{
	for (int i = 0; i < job->nsettings; i++)
	{
		const BulkparSetting *setting = &job->settings[i];

		(void) set_config_option_ext(setting->name, setting->value,
									 setting->superuser ? PGC_SUSET :
									 PGC_USERSET, PGC_S_CLIENT, setting->role,
									 GUC_ACTION_SET, true, ERROR, false);
	}
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
add_setting(BulkparJob *job, const char *name, const char *value,
			GucContext context, Oid role)
{
	BulkparSetting *setting = &job->settings[job->nsettings];

	if (value == NULL)
		return;
	setting->name = pstrdup(name);
	setting->value = pstrdup(value);
	setting->superuser = gives_right(context);
	setting->role = role;
	job->nsettings++;
}

/* Whether what was set in a context may be what only superusers can set. */
static bool
gives_right(GucContext context)
{
	return context != PGC_USERSET && context != PGC_BACKEND;
}

/*
 * Whether the current user may use a setting of a job: it has the rights of the
 * role that has set it, could set the same, or has it in this session by the
 * same right.
 */
static bool
may_take_over(const BulkparSetting *setting)
{
	const struct config_generic *variable = find_variable(setting->name);
	bool		same = variable != NULL &&
		strcmp(GetConfigOption(setting->name, false, false),
			   setting->value) == 0;

	if (superuser())
		return true;
	if (has_privs_of_role(GetUserId(), setting->role) &&
		(!setting->superuser || superuser_arg(setting->role)))
		return true;
	if (variable == NULL || (variable->flags & GUC_CUSTOM_PLACEHOLDER) != 0)
		return same && variable->srole == setting->role &&
			gives_right(variable->scontext) == setting->superuser;
	return same || variable->context == PGC_USERSET ||
		pg_parameter_aclcheck(setting->name, GetUserId(),
							  ACL_SET) == ACLCHECK_OK;
}

/* A variable of this session; NULL if it has none of that name. */
static const struct config_generic *
find_variable(const char *name)
{
	int			nvariables;
	struct config_generic **variables = bulkpar_compat_guc_variables(&nvariables);

	for (int i = 0; i < nvariables; i++)
	{
		if (pg_strcasecmp(variables[i]->name, name) == 0)
			return variables[i];
	}
	return NULL;
}

/* The setting of that name of a job; NULL if it does not carry it. */
static const BulkparSetting *
find_setting(const BulkparJob *job, const char *name)
{
	for (int i = 0; i < job->nsettings; i++)
	{
		if (pg_strcasecmp(job->settings[i].name, name) == 0)
			return &job->settings[i];
	}
	return NULL;
}

/*-------------------------------------------------------------------------
 *
 * settings.c
 *		The settings under which a job's expressions are evaluated.
 *
 * A job carries the settings that the calling session has (search_path,
 * TimeZone, app.user and so on) other than by the server's configuration, and
 * those that the job's owner would have by default, but for those that concern
 * the session itself.  Its processes take them over, see process.c.
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

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_db_role_setting.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/rel.h"

#include "bulkpar.h"
#include "compat.h"
#include "session/process.h"
#include "session/settings.h"
#include "session/window.h"

/* Settings of the session that are not the job's business. */
static const char *const session_settings[] = {
	"application_name",
	"bulkpar.lock_wait",		/* see add_lock_wait */
	"bulkpar.progress_interval",
	"bulkpar.report",
	"bulkpar.workers",
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

static int	compare_names(const ListCell *a, const ListCell *b);
static bool is_set(const struct config_generic *setting);
static bool is_carried(const struct config_generic *setting);
static bool is_session_setting(const char *name);
static bool has_default(const char *name, const List *defaults);
static Oid	setter_of(const struct config_generic *setting);
static void add_lock_wait(BulkparSettings *settings);
static List *read_defaults(Oid owner, Oid session_role);
static void read_defaults_of(Relation rel, Oid database, Oid role,
							 List **defaults);
static void add_setting(BulkparSettings *settings, const char *name,
						const char *value, GucContext context, Oid role);
static char *copy_value(const char *name, const char *value);
static bool gives_right(GucContext context);
static bool may_take_over(const BulkparSetting *setting);
static const struct config_generic *find_variable(const char *name);
static const BulkparSetting *find_setting(const BulkparSettings *settings,
										  const char *name);

/*
 * Read the settings of the calling session, for a job whose processes connect
 * as one of these roles, into the current memory context.
 */
void
bulkpar_settings_collect(BulkparSettings *settings, Oid owner,
						 Oid session_role)
{
	int			nvariables;
	struct config_generic **variables = bulkpar_compat_guc_variables(&nvariables);
	List	   *defaults = read_defaults(owner, session_role);
	ListCell   *lc;

	settings->count = 0;
	settings->items = palloc(sizeof(BulkparSetting) *
							 (nvariables + list_length(defaults) + 1));
	for (int i = 0; i < nvariables; i++)
	{
		if (is_carried(variables[i]) &&
			(is_set(variables[i]) ||
			 has_default(variables[i]->name, defaults)))
			add_setting(settings, variables[i]->name,
						GetConfigOption(variables[i]->name, true, false),
						variables[i]->scontext, setter_of(variables[i]));
	}

	/* Those that this session does not have at all, the workers have empty. */
	foreach(lc, defaults)
	{
		if (GetConfigOption(lfirst(lc), true, false) == NULL)
			add_setting(settings, lfirst(lc), "", PGC_USERSET, owner);
	}
	add_lock_wait(settings);
}

/*
 * Read those of our own that the calling session or its client has set, with
 * which a job goes on when it is resumed, into the current memory context.
 */
void
bulkpar_settings_collect_limits(BulkparSettings *limits)
{
	int			nvariables;
	struct config_generic **variables = bulkpar_compat_guc_variables(&nvariables);

	limits->count = 0;
	limits->items = palloc(sizeof(BulkparSetting) * (nvariables + 1));
	for (int i = 0; i < nvariables; i++)
	{
		if (pg_strncasecmp(variables[i]->name, "bulkpar.", 8) == 0 &&
			variables[i]->source >= PGC_S_CLIENT && is_carried(variables[i]))
			add_setting(limits, variables[i]->name,
						GetConfigOption(variables[i]->name, true, false),
						variables[i]->scontext, setter_of(variables[i]));
	}
	if (find_variable("bulkpar.lock_wait")->source >= PGC_S_CLIENT)
		add_lock_wait(limits);
}

/*
 * The full name of one of those of our own that a job carries, "nice" or
 * "bulkpar.nice"; NULL if there is none of that name.
 */
const char *
bulkpar_settings_limit(const char *name)
{
	const struct config_generic *variable = find_variable(name);

	if (variable == NULL || pg_strncasecmp(variable->name, "bulkpar.", 8) != 0)
		variable = find_variable(psprintf("bulkpar.%s", name));
	if (variable == NULL || (variable->flags & GUC_CUSTOM_PLACEHOLDER) != 0 ||
		!(is_carried(variable) ||
		  strcmp(variable->name, "bulkpar.lock_wait") == 0))
		return NULL;
	return variable->name;
}

/*
 * The names of all of them, in the order of the alphabet, with commas between.
 */
char *
bulkpar_settings_list_limits(void)
{
	int			nvariables;
	struct config_generic **variables = bulkpar_compat_guc_variables(&nvariables);
	List	   *names = NIL;
	StringInfoData buf;
	ListCell   *lc;

	for (int i = 0; i < nvariables; i++)
	{
		if (pg_strncasecmp(variables[i]->name, "bulkpar.", 8) == 0 &&
			bulkpar_settings_limit(variables[i]->name) != NULL)
			names = lappend(names, pstrdup(variables[i]->name + 8));
	}
	list_sort(names, compare_names);
	initStringInfo(&buf);
	foreach(lc, names)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 (char *) lfirst(lc));
	return buf.data;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/*
 * Add a setting to a list that has room for it, as SET by the current user would
 * set it, and with the same error where it would not; or with NULL for the value
 * as one that a job is no longer to carry.
 */
void
bulkpar_settings_add(BulkparSettings *settings, const char *name,
					 const char *value)
{
	BulkparSetting *setting = &settings->items[settings->count++];

	memset(setting, 0, sizeof(BulkparSetting));
	setting->name = pstrdup(name);
	setting->role = GetUserId();
	if (value != NULL)
	{
		int			nestlevel = NewGUCNestLevel();

		bulkpar_process_set_locally(name, value);
		setting->value = copy_value(name, GetConfigOption(name, false, false));
		AtEOXact_GUC(false, nestlevel);
	}
}

/*
 * Check that the current user may go on with a job under the settings that it
 * carries, some of which may be the work of a more powerful role.  An error if
 * not.
 */
void
bulkpar_settings_check(const BulkparSettings *settings, int64 job_id)
{
	for (int i = 0; i < settings->count; i++)
	{
		const BulkparSetting *setting = &settings->items[i];

		if (!may_take_over(setting))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to resume bulkpar job "
							INT64_FORMAT " with its setting of \"%s\"",
							job_id, setting->name),
					 errdetail("The setting is that of role \"%s\".",
							   GetUserNameFromId(setting->role, true)),
					 errhint("Resume the job as that role or as a superuser, or start it anew.")));
	}
}

/*
 * The name of a setting that two jobs do not have alike; NULL if there is
 * none.
 */
const char *
bulkpar_settings_differ(const BulkparSettings *a, const BulkparSettings *b)
{
	const BulkparSettings *lists[2] = {a, b};

	for (int k = 0; k < 2; k++)
	{
		for (int i = 0; i < lists[k]->count; i++)
		{
			const BulkparSetting *setting = &lists[k]->items[i];
			const BulkparSetting *other = find_setting(lists[1 - k],
													   setting->name);

			/* Ours say how gently the work is done, not which. */
			if (pg_strncasecmp(setting->name, "bulkpar.", 8) == 0)
				continue;
			if (other == NULL || strcmp(other->value, setting->value) != 0)
				return setting->name;
		}
	}
	return NULL;
}

/* The value of a setting; NULL if it is not in the list. */
const char *
bulkpar_settings_value(const BulkparSettings *settings, const char *name)
{
	const BulkparSetting *setting = find_setting(settings, name);

	return setting == NULL ? NULL : setting->value;
}

/*
 * Whether what a setting says may be run as the owner of a job: the role that has
 * set it could do so anyway.  A SECURITY DEFINER function, whose owner that of
 * the job is, has the settings of whoever calls it.
 */
bool
bulkpar_settings_may_run(const BulkparSettings *settings, const char *name,
						 Oid owner)
{
	const BulkparSetting *setting = find_setting(settings, name);

	return setting != NULL && bulkpar_compat_can_become(setting->role, owner);
}

/* Whether a setting of this process is other than by default. */
bool
bulkpar_settings_is_configured(const char *name)
{
	const struct config_generic *variable = find_variable(name);

	return variable != NULL && variable->source > PGC_S_DYNAMIC_DEFAULT;
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
		!is_session_setting(setting->name);
}

static bool
is_session_setting(const char *name)
{
	for (int i = 0; i < (int) lengthof(session_settings); i++)
	{
		if (pg_strcasecmp(name, session_settings[i]) == 0)
			return true;
	}
	return false;
}

static bool
has_default(const char *name, const List *defaults)
{
	ListCell   *lc;

	foreach(lc, defaults)
	{
		if (pg_strcasecmp(name, lfirst(lc)) == 0)
			return true;
	}
	return false;
}

/*
 * The role that has set something.  What is run as somebody else is that of the
 * role that has logged in, if it is a default of that: anybody may set one.
 */
static Oid
setter_of(const struct config_generic *setting)
{
	bool		of_role = setting->source == PGC_S_USER ||
		setting->source == PGC_S_DATABASE_USER;

	if (of_role && pg_strcasecmp(setting->name, "bulkpar.throttle_query") == 0)
		return GetAuthenticatedUserId();
	return setting->srole;
}

/*
 * How long the session wants to wait for locks, if it says so: for rows of its
 * own statements, or of a job.
 */
static void
add_lock_wait(BulkparSettings *settings)
{
	int			wait = bulkpar_lock_wait;
	const struct config_generic *variable = find_variable("bulkpar.lock_wait");

	if (LockTimeout > 0 && (wait == 0 || LockTimeout < wait))
		wait = LockTimeout;
	if (wait != bulkpar_lock_wait || is_set(variable))
		add_setting(settings, variable->name, psprintf("%d", wait),
					PGC_USERSET, GetUserId());
}

/*
 * The names of the settings that all databases or this one, and all roles or
 * one of these, have defaults for: a worker would start with them.
 */
static List *
read_defaults(Oid owner, Oid session_role)
{
	const Oid	databases[] = {InvalidOid, MyDatabaseId};
	const Oid	roles[] = {InvalidOid, owner, session_role};
	Relation	rel = table_open(DbRoleSettingRelationId, AccessShareLock);
	List	   *defaults = NIL;

	for (int i = 0; i < (int) lengthof(databases); i++)
	{
		for (int k = 0; k < (int) lengthof(roles); k++)
			read_defaults_of(rel, databases[i], roles[k], &defaults);
	}
	table_close(rel, AccessShareLock);
	return defaults;
}

/* Add those names of pg_db_role_setting that are not yet in the list. */
static void
read_defaults_of(Relation rel, Oid database, Oid role, List **defaults)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_db_role_setting_setdatabase,
				BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(database));
	ScanKeyInit(&keys[1], Anum_pg_db_role_setting_setrole,
				BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(role));
	scan = systable_beginscan(rel, DbRoleSettingDatidRolidIndexId, true, NULL,
							  lengthof(keys), keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		config = heap_getattr(tuple,
										  Anum_pg_db_role_setting_setconfig,
										  RelationGetDescr(rel), &isnull);
		Datum	   *items = NULL;
		int			nitems = 0;

		if (!isnull)
			deconstruct_array(DatumGetArrayTypeP(config), TEXTOID, -1, false,
							  TYPALIGN_INT, &items, NULL, &nitems);
		for (int i = 0; i < nitems; i++)
		{
			char	   *name = TextDatumGetCString(items[i]);

			name[strcspn(name, "=")] = '\0';
			if (!has_default(name, *defaults))
				*defaults = lappend(*defaults, name);
		}
	}
	systable_endscan(scan);
}

static void
add_setting(BulkparSettings *settings, const char *name, const char *value,
			GucContext context, Oid role)
{
	BulkparSetting *setting = &settings->items[settings->count];

	if (value == NULL)
		return;
	setting->name = pstrdup(name);
	setting->value = copy_value(name, value);
	setting->superuser = gives_right(context);
	setting->role = role;
	settings->count++;
}

/* A value that means the same where this session's time zone is not known. */
static char *
copy_value(const char *name, const char *value)
{
	return pg_strcasecmp(name, "bulkpar.time_window") == 0 ?
		bulkpar_window_name_zone(value) : pstrdup(value);
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

/* The setting of that name; NULL if it is not in the list. */
static const BulkparSetting *
find_setting(const BulkparSettings *settings, const char *name)
{
	for (int i = 0; i < settings->count; i++)
	{
		if (pg_strcasecmp(settings->items[i].name, name) == 0)
			return &settings->items[i];
	}
	return NULL;
}

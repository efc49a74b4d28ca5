/*-------------------------------------------------------------------------
 *
 * settings.h
 *		The settings under which a job's expressions are evaluated.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/settings.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SETTINGS_H
#define BULKPAR_SETTINGS_H

/* A setting that a job carries, with the rights it was set with. */
typedef struct BulkparSetting
{
	char	   *name;
	char	   *value;
	bool		superuser;		/* in a context that may set SUSET ones */
	Oid			role;			/* that has set it */
} BulkparSetting;

typedef struct BulkparSettings
{
	int			count;
	BulkparSetting *items;
} BulkparSettings;

extern void bulkpar_settings_collect(BulkparSettings *settings, Oid owner,
									 Oid session_role);
extern void bulkpar_settings_collect_limits(BulkparSettings *limits);
extern const char *bulkpar_settings_limit(const char *name);
extern char *bulkpar_settings_list_limits(void);
extern void bulkpar_settings_add(BulkparSettings *settings, const char *name,
								 const char *value);
extern void bulkpar_settings_check(const BulkparSettings *settings,
								   int64 job_id);
extern const char *bulkpar_settings_differ(const BulkparSettings *a,
										   const BulkparSettings *b);
extern const char *bulkpar_settings_value(const BulkparSettings *settings,
										  const char *name);
extern bool bulkpar_settings_may_run(const BulkparSettings *settings,
									 const char *name, Oid owner);
extern bool bulkpar_settings_is_configured(const char *name);

#endif							/* BULKPAR_SETTINGS_H */

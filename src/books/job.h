/*-------------------------------------------------------------------------
 *
 * job.h
 *		A job: what it is to do, and its row in bulkpar_job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/job.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_JOB_H
#define BULKPAR_JOB_H

#include "utils/elog.h"

#include "table/key.h"
#include "table/measure.h"

/*
 * A table that a job goes through: its target, or where that has partitions or
 * children each of those that have rows.  Kept in bulkpar_part.
 */
typedef struct BulkparPart
{
	Oid			relid;
	Oid			key_index;
	char	   *key_order;		/* which tells an index that has replaced it */

	/* found out by the coordinator */
	bool		gone;			/* it is no longer a part of the target */
	double		estimated_rows;
	BulkparStoredKey *end_key;	/* NULL for an empty table */
} BulkparPart;

/* A setting that a job carries, with the rights it was set with. */
typedef struct BulkparSetting
{
	char	   *name;
	char	   *value;
	bool		superuser;		/* in a context that may set SUSET ones */
	Oid			role;			/* that has set it */
} BulkparSetting;

/* What a job is to do: the arguments of the call, kept in bulkpar_job. */
typedef struct BulkparJob
{
	int64		job_id;			/* 0 before the job is stored */
	char	   *name;			/* NULL for none */
	Oid			owner;
	Oid			session_role;	/* of the session that has created the job */
	Oid			target;
	Oid			key_index;		/* that the caller has named */
	bool		only;			/* the target itself, no partition or child */
	int			nparts;
	BulkparPart *parts;
	bool		deletes;		/* else it updates */
	int			ncolumns;		/* that are set */
	char	  **column_names;
	char	   *statement;		/* NULL if it is made of these parts: */
	int			nexpressions;
	char	  **expressions;
	char	   *condition;		/* NULL for none */
	char	   *from_item;		/* NULL for none */
	bool		skip_unchanged;
	int			batch_size;
	int			workers;
	int			stripes;		/* 0 before the number is chosen */
	bool		stripes_chosen; /* by us, not by the caller */
	bool		skip_errors;
	int64		max_errors;

	/* settings of the calling session, see settings.c */
	int			nsettings;
	BulkparSetting *settings;

	/* found out by the coordinator */
	int			runs;			/* how often the job was started */
	bool		prepared;
	double		estimated_rows;
	char	   *xmin_holders;	/* NULL for none */
	BulkparSpace before;
} BulkparJob;

/* What a resumed job does otherwise than before; 0 for as before. */
typedef struct BulkparChange
{
	int			batch_size;
	int			workers;
} BulkparChange;

/* The state of a job and the sums over its chunks. */
typedef struct BulkparStatus
{
	char	   *status;			/* as stored: not "interrupted" */
	int64		rows_done;
	int64		rows_updated;
	int64		rows_failed;
	int64		rows_unchanged;
	bool		deletes;
	int64		batches;
	int64		estimated_rows;
	double		seconds;		/* since the workers were started */
	int64		rows_hot;
	int64		wal_bytes;
	BulkparSpace before;
	BulkparSpace after;
	bool		complete;		/* the chunks cover all keys and are done */
	ErrorData  *error;			/* NULL for none */
} BulkparStatus;

extern int64 bulkpar_job_insert(const char *request);
extern int64 bulkpar_job_find(Oid owner, const char *name);
extern Oid	bulkpar_job_owner(int64 job_id);
extern BulkparJob *bulkpar_job_load(int64 job_id);
extern bool bulkpar_job_restart(int64 job_id, const BulkparChange *change);
extern void bulkpar_job_start(const BulkparJob *job);
extern bool bulkpar_job_is_planned(int64 job_id);
extern bool bulkpar_job_is_empty(const BulkparJob *job);
extern bool bulkpar_job_fail(int64 job_id, int runs, const ErrorData *error);
extern void bulkpar_job_end(int64 job_id, const char *status,
							const BulkparSpace *after);
extern void bulkpar_job_abandon(int64 job_id);
extern BulkparStatus *bulkpar_job_status(int64 job_id);
extern bool bulkpar_job_delete(int64 job_id);
extern char **bulkpar_job_role_defaults(const BulkparJob *job, int *count);
extern int64 *bulkpar_job_older_than(Oid role, Datum age, int *count);

extern bool bulkpar_job_lock(int64 job_id);
extern void bulkpar_job_mark_worker(int64 job_id);
extern bool bulkpar_job_waits_for(int64 job_id, int pid);
extern bool bulkpar_job_is_alive(int64 job_id);
extern int	bulkpar_job_coordinator(int64 job_id);

#endif							/* BULKPAR_JOB_H */

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

#include "books/command.h"
#include "books/node.h"
#include "books/storedkey.h"
#include "books/subquery.h"
#include "session/settings.h"

/* The space that the tables of a job take. */
typedef struct BulkparJobSpace
{
	bool		known;
	int64		table_bytes;	/* with its TOAST table */
	int64		index_bytes;
	int64		dead_rows;		/* as the statistics count them */
} BulkparJobSpace;

/*
 * A table that a job goes through: a target, or where that has partitions or
 * children each of those that have rows.  Kept in bulkpar_part.
 */
typedef struct BulkparJobPart
{
	Oid			target;			/* that its statements name: it, or what it is
								 * a partition or child of */
	Oid			relid;
	Oid			key_index;
	char	   *key_order;		/* which tells an index that has replaced it */
	int64		shard;			/* of Citus, that it is; 0 for none */

	/* found out by the plan, see plan.c */
	bool		gone;			/* it is no longer a part of the target */
	double		estimated_rows;
	BulkparStoredKey *end_key;	/* NULL for an empty table */
} BulkparJobPart;

/* What the planner expects of the rows that the statement of a job changes. */
typedef struct BulkparExpected
{
	bool		known;
	Oid			target;
	bool		repeatable;		/* they are the same each time that they are
								 * looked for */
	bool		joins;			/* other tables are read to find them */
	bool		dear;			/* to ask the condition takes long */
	bool		by_index;		/* an index would be asked which they are */
	double		rows;			/* of those that it takes that to have */
} BulkparExpected;

/* What a job is to do: the arguments of the call, kept in bulkpar_job. */
typedef struct BulkparJob
{
	int64		job_id;			/* 0 before the job is stored */
	char	   *name;			/* NULL for none */
	Oid			owner;
	Oid			session_role;	/* of the session that has created the job */
	Oid			target;			/* the table that drives the statement; of
								 * several the first */
	int			ntargets;		/* 0 for just that one */
	Oid		   *targets;
	Oid			inserted;		/* into which it inserts; or InvalidOid */
	Oid			key_index;		/* that the caller has named */
	bool		only;			/* the target itself, no partition or child;
								 * of several see bulkpar_job_is_only */
	int			nparts;
	BulkparJobPart *parts;
	int			npruned;		/* tables that cannot have rows for the
								 * statement; known in the caller's session */
	BulkparExpected expected;	/* if the parts were looked for that have
								 * rows; known in the caller's session, and
								 * where the job is planned first */
	int			nnodes;			/* other servers; known in the caller's
								 * session */
	BulkparNode *nodes;
	BulkparCommand command;
	int			ncolumns;		/* that are set */
	char	  **column_names;
	char	  **column_targets; /* what is set of them, in SQL; NULL if all is
								 * just a column */
	char	   *statement;		/* NULL if it is made of these parts: */
	int			nexpressions;
	char	  **expressions;
	char	   *condition;		/* NULL for none */
	char	   *from_item;		/* NULL for none */
	int			nnames;
	char	  **names;			/* what those in the statement mean, see
								 * names.c; NULL for not yet known */
	bool		skip_unchanged;
	bool		sees_batches;	/* subqueries may, that depend on the row */
	int			batch_size;
	int			workers;
	bool		workers_chosen; /* not by the caller; known in its session */
	int			stripes;		/* 0 before the number is chosen */
	bool		stripes_chosen; /* by us, not by the caller */
	bool		skip_errors;
	int64		max_errors;
	bool		once;			/* not if one of its name has succeeded; known
								 * in the caller's session */
	BulkparSettings settings;	/* of the calling session */

	/* of its runs so far, or found out by the plan */
	char	   *created_at;		/* in ISO format, UTC */
	int			runs;			/* how often the job was started */
	bool		prepared;
	double		estimated_rows;
	char	   *xmin_holders;	/* NULL for none */
	BulkparJobSpace before;
	BulkparSubqueries subqueries;
} BulkparJob;

/* What a resumed job does otherwise than before; 0 for as before. */
typedef struct BulkparJobChange
{
	int			batch_size;
	int			workers;
	int			stripes;
	bool		errors;			/* whether it does what follows otherwise */
	bool		skip_errors;
	int64		max_errors;
} BulkparJobChange;

extern void bulkpar_job_prepare_insert(void);
extern int64 bulkpar_job_draw_number(void);
extern void bulkpar_job_insert(int64 job_id, const char *request, bool nodes,
							   bool once);
extern void bulkpar_job_prepare_load(void);
extern BulkparJob *bulkpar_job_load(int64 job_id);
extern void bulkpar_job_start(const BulkparJob *job);
extern bool bulkpar_job_is_planned(int64 job_id);
extern bool bulkpar_job_is_empty(const BulkparJob *job);
extern bool bulkpar_job_is_only(const BulkparJob *job, Oid target);
extern Oid *bulkpar_job_targets(const BulkparJob *job, int *count);

#endif							/* BULKPAR_JOB_H */

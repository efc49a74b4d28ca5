/*-------------------------------------------------------------------------
 *
 * job.h
 *		What a job is to do.
 *
 * Filled from the arguments of the call by request.c, kept in bulkpar_job,
 * and read from there by the coordinator and the workers.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/job.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_JOB_H
#define BULKPAR_JOB_H

#include "utils/array.h"

typedef struct BulkparJob
{
	int64		job_id;			/* 0 before the job is stored */
	Oid			target;
	Oid			key_index;
	int			ncolumns;
	char	  **column_names;
	char	  **expressions;
	char	   *condition;		/* NULL for none */
	int			batch_size;
	int			workers;
	double		estimated_rows;
	ArrayType  *end_key;		/* NULL for an empty table */

	/* settings of the calling session, see settings.c */
	int			nsettings;
	char	  **setting_names;
	char	  **setting_values;
} BulkparJob;

#endif							/* BULKPAR_JOB_H */

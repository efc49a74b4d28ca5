/*-------------------------------------------------------------------------
 *
 * joblist.h
 *		Which jobs there are.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/joblist.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_JOBLIST_H
#define BULKPAR_JOBLIST_H

#include "datatype/timestamp.h"

/* A job that a name may mean. */
typedef struct BulkparJobOfName
{
	int64		job_id;
	Oid			owner;
} BulkparJobOfName;

extern int64 bulkpar_joblist_find(Oid owner, const char *name,
								  bool succeeded);
extern Oid	bulkpar_joblist_owner(int64 job_id);
extern BulkparJobOfName *bulkpar_joblist_named(Oid role, const char *name,
											   int *count);
extern int64 *bulkpar_joblist_running(Oid role, int *count);
extern int64 *bulkpar_joblist_older_than(Oid role, const Interval *age,
										 int *count);
extern bool bulkpar_joblist_delete(int64 job_id);

#endif							/* BULKPAR_JOBLIST_H */

/*-------------------------------------------------------------------------
 *
 * jobmessage.h
 *		What user code has said in the workers of a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/jobmessage.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_JOBMESSAGE_H
#define BULKPAR_JOBMESSAGE_H

typedef struct BulkparJobMessage
{
	bool		is_warning;
	char	   *text;			/* NULL for all others together */
	int64		count;
} BulkparJobMessage;

extern BulkparJobMessage *bulkpar_jobmessage_read(int64 job_id, int *count);
extern void bulkpar_jobmessage_add(int64 job_id, const char *message);

#endif							/* BULKPAR_JOBMESSAGE_H */

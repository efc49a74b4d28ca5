/*-------------------------------------------------------------------------
 *
 * slowdown.h
 *		What has slowed a job down, and for how long.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/slowdown.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SLOWDOWN_H
#define BULKPAR_SLOWDOWN_H

/* What has happened since it was noted last. */
typedef struct BulkparSlowdown
{
	const char *reason;			/* its name; "" for all of them together */
	const char *message;		/* NULL if it does not slow the job down now */
	int64		since;			/* for so many microseconds, if it does */
	int64		time;			/* time lost by it, in microseconds */
	double		share;			/* of its time that the job works */
} BulkparSlowdown;

extern void bulkpar_slowdown_note(int64 job_id,
								  const BulkparSlowdown *slowdown);
extern void bulkpar_slowdown_leave_out(int64 job_id, int64 time);

#endif							/* BULKPAR_SLOWDOWN_H */

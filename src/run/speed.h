/*-------------------------------------------------------------------------
 *
 * speed.h
 *		How fast a standby comes forward, and when it will have done what is left.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/speed.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SPEED_H
#define BULKPAR_SPEED_H

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"

#define BULKPAR_SPEED_MARKS 16

/* Where it was, and where it could have been. */
typedef struct BulkparSpeedMark
{
	TimestampTz time;
	XLogRecPtr	position;
	XLogRecPtr	end;
} BulkparSpeedMark;

typedef struct BulkparSpeed
{
	int			count;
	BulkparSpeedMark marks[BULKPAR_SPEED_MARKS];	/* the oldest first */
	double		bytes;			/* in a microsecond; 0 while that is not known */
	TimestampTz known_at;
} BulkparSpeed;

extern void bulkpar_speed_note(BulkparSpeed *speed, TimestampTz now,
							   XLogRecPtr position, XLogRecPtr end);
extern int64 bulkpar_speed_time_left(const BulkparSpeed *speed,
									 XLogRecPtr position, XLogRecPtr end);

#endif							/* BULKPAR_SPEED_H */

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

#define BULKPAR_SPEED_MARKS 2

typedef struct BulkparSpeed
{
	/* where it was, the time before last and the last; 0 for not yet */
	TimestampTz times[BULKPAR_SPEED_MARKS];
	XLogRecPtr	positions[BULKPAR_SPEED_MARKS];
	double		bytes;			/* in a microsecond; 0 while that is not known */
} BulkparSpeed;

extern void bulkpar_speed_note(BulkparSpeed *speed, TimestampTz now,
							   XLogRecPtr position, XLogRecPtr end);
extern int64 bulkpar_speed_time_left(const BulkparSpeed *speed,
									 XLogRecPtr position, XLogRecPtr end);

#endif							/* BULKPAR_SPEED_H */

/*-------------------------------------------------------------------------
 *
 * room.h
 *		How much room is left on the disks that a job fills.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/room.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ROOM_H
#define BULKPAR_ROOM_H

#include "datatype/timestamp.h"

#include "books/job.h"
#include "run/limits.h"
#include "run/reasons.h"

typedef struct BulkparRoom BulkparRoom;

extern BulkparRoom *bulkpar_room_create(const BulkparJob *job);
extern void bulkpar_room_look(BulkparRoom *room, const BulkparLimits *limits,
							  TimestampTz now, BulkparReasons *reasons);

#endif							/* BULKPAR_ROOM_H */

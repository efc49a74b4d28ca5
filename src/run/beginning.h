/*-------------------------------------------------------------------------
 *
 * beginning.h
 *		How the coordinator begins with a job: it stores it, or takes it over.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/beginning.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_BEGINNING_H
#define BULKPAR_BEGINNING_H

#include "access/xlogdefs.h"

#include "run/handover.h"

extern void bulkpar_beginning_prepare(void);
extern int64 bulkpar_beginning_store(const BulkparCall *call,
									 XLogRecPtr *stored_at);

#endif							/* BULKPAR_BEGINNING_H */

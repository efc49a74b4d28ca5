/*-------------------------------------------------------------------------
 *
 * backlog.h
 *		How much WAL waits to be read or archived.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/backlog.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_BACKLOG_H
#define BULKPAR_BACKLOG_H

#include "run/limits.h"
#include "run/reasons.h"

typedef struct BulkparBacklog BulkparBacklog;

extern BulkparBacklog *bulkpar_backlog_create(void);
extern void bulkpar_backlog_look(BulkparBacklog *backlog,
								 const BulkparLimits *limits,
								 BulkparReasons *reasons);

#endif							/* BULKPAR_BACKLOG_H */

/*-------------------------------------------------------------------------
 *
 * fires.h
 *		Which triggers a job fires.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/fires.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_FIRES_H
#define BULKPAR_FIRES_H

#include "books/job.h"

extern char *bulkpar_fires_condition(const BulkparJob *job);
extern char *bulkpar_fires_targets(const BulkparJob *job);

#endif							/* BULKPAR_FIRES_H */

/*-------------------------------------------------------------------------
 *
 * actions.h
 *		What foreign keys would do to a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/actions.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ACTIONS_H
#define BULKPAR_ACTIONS_H

#include "books/job.h"

extern void bulkpar_actions_check(const BulkparJob *job);

#endif							/* BULKPAR_ACTIONS_H */

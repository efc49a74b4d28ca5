/*-------------------------------------------------------------------------
 *
 * restrict.h
 *		The hooks that restrict a statement to a batch.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/restrict.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_RESTRICT_H
#define BULKPAR_RESTRICT_H

#include "statement.h"

extern void bulkpar_restrict_start(BulkparStatement *statement);
extern void bulkpar_restrict_end(const BulkparStatement *statement);

#endif							/* BULKPAR_RESTRICT_H */

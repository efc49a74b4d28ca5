/*-------------------------------------------------------------------------
 *
 * hooks.h
 *		The hooks that restrict a statement to a batch.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/hooks.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_HOOKS_H
#define BULKPAR_HOOKS_H

#include "table/statement.h"

extern void bulkpar_hooks_start(BulkparStatement *statement);
extern void bulkpar_hooks_end(const BulkparStatement *statement);

#endif							/* BULKPAR_HOOKS_H */

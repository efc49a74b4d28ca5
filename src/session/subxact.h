/*-------------------------------------------------------------------------
 *
 * subxact.h
 *		Look around in a subtransaction that is always rolled back.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/subxact.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SUBXACT_H
#define BULKPAR_SUBXACT_H

typedef void (*BulkparSubxactFunction) (void *arg);

extern void bulkpar_subxact_run(BulkparSubxactFunction function, void *arg);
extern ErrorData *bulkpar_subxact_try(BulkparSubxactFunction function,
									  void *arg);

#endif							/* BULKPAR_SUBXACT_H */

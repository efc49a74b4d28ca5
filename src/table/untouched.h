/*-------------------------------------------------------------------------
 *
 * untouched.h
 *		Rows that a batch should have changed, and did not.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/untouched.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_UNTOUCHED_H
#define BULKPAR_UNTOUCHED_H

#include "table/target.h"

extern void bulkpar_untouched_refuse(BulkparTarget *target,
									 const BulkparJob *job, const Datum *lo,
									 const Datum *hi,
									 const BulkparStripe *stripe,
									 int64 unchanged);

#endif							/* BULKPAR_UNTOUCHED_H */

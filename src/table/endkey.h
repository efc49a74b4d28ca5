/*-------------------------------------------------------------------------
 *
 * endkey.h
 *		The largest key of a part, where a job ends.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/endkey.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ENDKEY_H
#define BULKPAR_ENDKEY_H

#include "table/target.h"

extern Datum *bulkpar_endkey_read(BulkparTarget *target);

#endif							/* BULKPAR_ENDKEY_H */

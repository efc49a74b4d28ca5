/*-------------------------------------------------------------------------
 *
 * measure.h
 *		The space that a table takes, and who keeps it from being reused.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/measure.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_MEASURE_H
#define BULKPAR_MEASURE_H

typedef struct BulkparSpace
{
	bool		known;
	int64		table_bytes;	/* with its TOAST table */
	int64		index_bytes;
	int64		dead_rows;		/* as the statistics count them */
} BulkparSpace;

extern void bulkpar_measure_space(Oid relid, BulkparSpace *space);
extern char *bulkpar_measure_xmin_holders(int pid);

#endif							/* BULKPAR_MEASURE_H */

/*-------------------------------------------------------------------------
 *
 * part.h
 *		Which tables belong to the target of a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/part.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_PART_H
#define BULKPAR_PART_H

#include "access/attnum.h"

#include "books/job.h"

extern bool bulkpar_part_belongs(Oid target, Oid relid);
extern bool bulkpar_part_overlaps(Oid relid, Oid other);
extern bool bulkpar_part_may_read_all(Oid target);
extern void bulkpar_part_require(Oid target, Oid relid);
extern AttrNumber bulkpar_part_column(Oid from, AttrNumber attnum, Oid to);
extern char *bulkpar_part_name(Oid relid);
extern bool bulkpar_part_is_gone(const BulkparJob *job, int part);

#endif							/* BULKPAR_PART_H */

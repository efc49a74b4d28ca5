/*-------------------------------------------------------------------------
 *
 * target.h
 *		A part of a target of a job, locked, and the statements on it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/target.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_TARGET_H
#define BULKPAR_TARGET_H

#include "storage/lock.h"

#include "books/job.h"
#include "books/ledger.h"
#include "table/key.h"
#include "table/place.h"
#include "table/statement.h"

typedef struct BulkparTarget
{
	MemoryContext context;		/* of all that follows */
	Oid			relid;			/* named in the statements; InvalidOid for
								 * none yet */
	Oid			part;			/* it, or a partition or child of it */
	Oid			schema;
	NameData	name;
	char	   *shown;			/* the name for people, among several targets
								 * with the schema */
	bool		has_rules;
	BulkparKey *key;
	char	   *sql;			/* the statement, to show it */
	bool		whole;			/* it has no condition of its own */
	bool		multiplies;		/* a row may count as several */
	bool		looked_alone;	/* it is known whether it ... */
	bool		alone;			/* ... reads no other table, see several.c */

	/* the statements on the part that were needed so far, of each shape one */
	List	   *updates;
	List	   *collects;
} BulkparTarget;

extern BulkparTarget *bulkpar_target_create(MemoryContext context);
extern void bulkpar_target_lock(BulkparTarget *target, const BulkparJob *job,
								int part, LOCKMODE lockmode);
extern void bulkpar_target_check_rules(Relation rel, const BulkparJob *job);
extern void bulkpar_target_collect(BulkparTarget *target, const Datum *lo,
								   const Datum *hi,
								   const BulkparStripe *stripe, int64 limit,
								   DestReceiver *dest);
extern int64 bulkpar_target_update(BulkparTarget *target,
								   const BulkparJob *job, const Datum *lo,
								   const Datum *hi,
								   const BulkparStripe *stripe);
extern int64 bulkpar_target_update_listed(BulkparTarget *target,
										  const BulkparJob *job,
										  const Datum *rows, int count);
extern bool bulkpar_target_deletes_at_places(BulkparTarget *target,
											 const BulkparJob *job);
extern void bulkpar_target_expect(BulkparTarget *target,
								  const BulkparJob *job,
								  BulkparExpected *expected);
extern bool bulkpar_target_reaches_list(BulkparTarget *target,
										const BulkparJob *job);
extern void bulkpar_target_list(BulkparTarget *target, const BulkparJob *job,
								DestReceiver *dest);
extern bool bulkpar_target_remembers(BulkparTarget *target,
									 const BulkparJob *job);
extern void bulkpar_target_list_spans(BulkparTarget *target,
									  const BulkparJob *job,
									  const BulkparSpan *spans, int nspans,
									  DestReceiver *dest);

#endif							/* BULKPAR_TARGET_H */

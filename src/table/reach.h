/*-------------------------------------------------------------------------
 *
 * reach.h
 *		What a subquery depends on.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/reach.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_REACH_H
#define BULKPAR_REACH_H

#include "nodes/parsenodes.h"

/* What batches change, and a query may read. */
typedef struct BulkparReachChanged
{
	const List *tables;			/* OIDs of those that the statement changes */
	const List *keys;			/* foreign keys that change others, ... */
	const List *tied;			/* ... but not what is seen of these entries
								 * of range tables, see tied.c */
} BulkparReachChanged;

/* What a query does that may come out otherwise in another batch. */
typedef struct BulkparReach
{
	bool		is_whole;		/* it says something about all of its rows */
	Oid			reads_changed;	/* a table that the statement changes, ... */
	bool		by_key;			/* ... by a foreign key */
	bool		is_mutable;		/* by a function of the user, or a volatile
								 * one */
	Oid			function;		/* of the user, that is volatile */
} BulkparReach;

extern bool bulkpar_reach_is_closed(Node *node, int level);
extern bool bulkpar_reach_is_closed_item(RangeTblEntry *rte, int level);
extern BulkparReach bulkpar_reach_look(Node *node,
									   const BulkparReachChanged *changed,
									   bool deep);
extern BulkparReach bulkpar_reach_look_at_item(RangeTblEntry *rte,
											   const BulkparReachChanged *changed);
extern bool bulkpar_reach_is_whole(const Query *query);
extern bool bulkpar_reach_needs_once(const BulkparReach *reach);

#endif							/* BULKPAR_REACH_H */

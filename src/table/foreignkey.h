/*-------------------------------------------------------------------------
 *
 * foreignkey.h
 *		The foreign keys of the database that have actions.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/foreignkey.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_FOREIGNKEY_H
#define BULKPAR_FOREIGNKEY_H

#include "access/attnum.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"

/* A foreign key that has actions. */
typedef struct BulkparForeignKey
{
	Oid			constraint;
	Oid			relid;			/* its table, ... */
	Oid			referenced;		/* ... and the one that it refers to */
	bool		is_part;		/* it is that of a partition, as part of
								 * another */
	char		on_delete;
	char		on_update;
	int			ncolumns;
	AttrNumber	columns[INDEX_MAX_KEYS];
	AttrNumber	references[INDEX_MAX_KEYS];
	Oid			operators[INDEX_MAX_KEYS];	/* referenced = column */
	Bitmapset  *set;			/* columns that ON DELETE SET sets, or NULL
								 * for all of it */

	/* what it does for a statement: */
	bool		acts;			/* anything, ... */
	bool		by_delete;		/* ... where rows are deleted, ... */
	bool		by_update;		/* ... where they are updated: */
	bool		deletes;		/* it deletes rows, ... */
	bool		updates;		/* ... changes columns, ... */
	Bitmapset  *changed;		/* ... these, and what is generated from them,
								 * ... */
	Bitmapset  *touched;		/* ... for which triggers may change these,
								 * the ones before among them; ... */
	bool		nulls;			/* ... sets them to null, ... */
	bool		defaults;		/* ... or to their default */
} BulkparForeignKey;

extern const List *bulkpar_foreignkey_list(void);
extern bool bulkpar_foreignkey_acts(char action);

#endif							/* BULKPAR_FOREIGNKEY_H */

/*-------------------------------------------------------------------------
 *
 * drive.h
 *		The table that drives a statement: whose keys cut it into batches.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/drive.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_DRIVE_H
#define BULKPAR_DRIVE_H

#include "parser/parse_node.h"

#include "books/command.h"

/* A statement that has been analyzed, by the table that drives it. */
typedef struct BulkparDrive
{
	BulkparCommand command;
	Query	   *query;			/* that walks the driving table; it has the
								 * CTEs of the statement but the one that it
								 * is itself */
	ParseState *pstate;			/* to add to that, and for positions */
	int			rti;			/* the number of the driving table in it */
	Query	   *rest;			/* the SELECT of what it returns; or NULL */
	Query	   *merge;			/* the MERGE of which it is the source; or
								 * NULL */
	Oid			inserted;		/* the table into which rows are inserted; or
								 * InvalidOid */
	List	   *overwritten;	/* ... and the names of columns of others
								 * there that it may update */
	List	   *changed;		/* OIDs of all tables that it changes */
	bool		multiplies;		/* a row that is walked may count as several */
} BulkparDrive;

extern BulkparDrive bulkpar_drive_find(ParseState *pstate, Query *top,
									   Oid relid, bool sees_batches);
extern void bulkpar_drive_find_in_select(BulkparDrive *drive, Oid relid);
extern void bulkpar_drive_refuse(const BulkparDrive *drive,
								 const char *what, int location);
extern List *bulkpar_drive_assigned(Oid relid, const List *targets);
extern void bulkpar_drive_mark(const BulkparDrive *drive);
extern bool bulkpar_drive_is_marked(const RangeTblEntry *rte);

#endif							/* BULKPAR_DRIVE_H */

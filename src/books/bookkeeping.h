/*-------------------------------------------------------------------------
 *
 * bookkeeping.h
 *		How the SQL on the tables of bulkpar is run.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/bookkeeping.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_BOOKKEEPING_H
#define BULKPAR_BOOKKEEPING_H

#include "executor/spi.h"

/* More than any statement has. */
#define BULKPAR_MAX_ARGUMENTS 24

/*
 * A statement, prepared when it is first run.  In the text, outside of string
 * literals, @ stands for our schema and a dot, and $name for the argument of
 * that name.
 */
typedef struct BulkparQuery
{
	const char *sql;
	bool		read_only;		/* see the latest, also in REPEATABLE READ */

	/* filled in when it is prepared, for the arguments that there are then */
	SPIPlanPtr	plan;
	int			nparameters;
	char	   *names[BULKPAR_MAX_ARGUMENTS];
	Oid			types[BULKPAR_MAX_ARGUMENTS];
} BulkparQuery;

/* A value for the statements, see argument.c. */
typedef struct BulkparArgument
{
	const char *name;			/* not copied */
	Oid			type;
	Datum		value;
	bool		isnull;
	bool		used;			/* some statement has named it */
} BulkparArgument;

/* What enter changes and leave puts back, and what is there between. */
typedef struct BulkparBookkeeping
{
	MemoryContext caller_context;	/* results are copied to it */
	Oid			userid;
	int			sec_context;
	int			nestlevel;

	int			narguments;
	BulkparArgument arguments[BULKPAR_MAX_ARGUMENTS];

	SPITupleTable *result;		/* of the last statement */
	uint64		row;			/* of it, that column.c reads */
} BulkparBookkeeping;

extern int	bulkpar_bookkeeping_safe_path(void);

extern void bulkpar_bookkeeping_enter(BulkparBookkeeping *books);
extern void bulkpar_bookkeeping_enter_job(BulkparBookkeeping *books,
										  int64 job_id);
extern uint64 bulkpar_bookkeeping_run(BulkparBookkeeping *books,
									  BulkparQuery *query);
extern void bulkpar_bookkeeping_plan(BulkparBookkeeping *books,
									 BulkparQuery *query);
extern void bulkpar_bookkeeping_see_latest(void);
extern void bulkpar_bookkeeping_look_at(BulkparBookkeeping *books,
										uint64 row);
extern void bulkpar_bookkeeping_leave(const BulkparBookkeeping *books);

#endif							/* BULKPAR_BOOKKEEPING_H */

/*-------------------------------------------------------------------------
 *
 * bookkeeping.h
 *		How the SQL on the tables of bulkpar is run.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/bookkeeping.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_BOOKKEEPING_H
#define BULKPAR_BOOKKEEPING_H

#include "executor/spi.h"
#include "utils/array.h"

/*
 * A statement, prepared when it is first run.  In the text, @ stands for our
 * schema and a dot.
 */
typedef struct BulkparQuery
{
	const char *sql;
	bool		read_only;		/* see the latest, also in REPEATABLE READ */
	int			nargs;
	Oid			argtypes[14];
	SPIPlanPtr	plan;
	struct BulkparQuery *next;	/* in the list of the prepared ones */
} BulkparQuery;

/* What enter changes and leave puts back. */
typedef struct BulkparBracket
{
	MemoryContext caller_context;	/* results are copied to it */
	Oid			userid;
	int			sec_context;
	int			nestlevel;
} BulkparBracket;

extern void bulkpar_bookkeeping_attach(Oid new_schema);
extern Oid	bulkpar_bookkeeping_schema(void);
extern Oid	bulkpar_bookkeeping_function(const char *name, int nargs,
										 const Oid *argtypes);

extern void bulkpar_bookkeeping_enter(BulkparBracket *bracket);
extern uint64 bulkpar_bookkeeping_enter_for(BulkparBracket *bracket,
											BulkparQuery *query,
											int64 job_id);
extern void bulkpar_bookkeeping_leave(const BulkparBracket *bracket);
extern uint64 bulkpar_bookkeeping_run(BulkparQuery *query,
									  const Datum *values,
									  const char *nulls);

extern void bulkpar_bookkeeping_look_at(int row);
extern int64 bulkpar_bookkeeping_int64(int number);
extern char *bulkpar_bookkeeping_text(const BulkparBracket *bracket,
									  int number);
extern ArrayType *bulkpar_bookkeeping_array(const BulkparBracket *bracket,
											int number);
extern char **bulkpar_bookkeeping_strings(const BulkparBracket *bracket,
										  int number, int *count);
extern void bulkpar_bookkeeping_set_text(Datum *values, char *nulls, int i,
										 const char *text);

#endif							/* BULKPAR_BOOKKEEPING_H */

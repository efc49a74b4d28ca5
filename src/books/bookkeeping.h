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

#include "books/storedkey.h"

/*
 * A statement, prepared when it is first run.  In the text, @ stands for our
 * schema and a dot.
 */
typedef struct BulkparQuery
{
	const char *sql;
	bool		read_only;		/* see the latest, also in REPEATABLE READ */
	int			nargs;
	Oid			argtypes[16];
	SPIPlanPtr	plan;
} BulkparQuery;

/* What enter changes and leave puts back. */
typedef struct BulkparBracket
{
	MemoryContext caller_context;	/* results are copied to it */
	Oid			userid;
	int			sec_context;
	int			nestlevel;
} BulkparBracket;

extern int	bulkpar_bookkeeping_safe_path(void);

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
extern BulkparStoredKey *bulkpar_bookkeeping_key(const BulkparBracket *bracket,
												 int number);
extern bytea *bulkpar_bookkeeping_bytes(const BulkparBracket *bracket,
										int number);
extern char **bulkpar_bookkeeping_strings(const BulkparBracket *bracket,
										  int number, int *count);
extern void bulkpar_bookkeeping_set_text(Datum *values, char *nulls, int i,
										 const char *text);
extern void bulkpar_bookkeeping_set_bytes(Datum *values, char *nulls, int i,
										  const bytea *bytes);
extern void bulkpar_bookkeeping_set_key(Datum *values, char *nulls, int i,
										const BulkparStoredKey *key);

#endif							/* BULKPAR_BOOKKEEPING_H */

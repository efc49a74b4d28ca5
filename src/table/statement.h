/*-------------------------------------------------------------------------
 *
 * statement.h
 *		The SQL that a job runs on its target.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/statement.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_STATEMENT_H
#define BULKPAR_STATEMENT_H

#include "executor/spi.h"
#include "utils/rel.h"

#include "books/job.h"
#include "table/key.h"

/*
 * A statement over a piece of the keys.  Its parameters are the values of the
 * piece, and for a collecting statement the limit.
 */
typedef struct BulkparStatement
{
	char	   *sql;
	Oid			relid;			/* the target */
	Oid			part;			/* of the target, that is to be reached */
	const BulkparKey *key;		/* along which it must be reached */
	BulkparKeyShape shape;
	int			nargs;
	Oid			argtypes[BULKPAR_KEY_MAX_VALUES + 1];
	int			batch_size;		/* rows to expect, 0 for a collecting one */
	bool		skip_unchanged;
	bool		collects;		/* keys in their order, ... */
	bool		backward;		/* or that backward, ... */
	bool		selects_versions;	/* or where the rows are, in no order */
	bool		selects_keys;	/* of all rows, instead of changing them ... */
	bool		shows_values;	/* with the old and new values of a few, or */
	Bitmapset  *new_columns;	/* with these as they will be; or neither */

	/* once it is prepared */
	SPIPlanPtr	plan;
	const char *plan_sql;		/* the copy of the text that the plan has */
	bool		whole;			/* it has no condition of its own */
	bool		without_key_index;	/* had the last plan to do */
	int			verified;		/* the generation of the plan that was */
	MemoryContextCallback callback;
} BulkparStatement;

extern bool bulkpar_statement_has_part(Oid target, Oid part);
extern void bulkpar_statement_raise_other(Oid target, Oid relid);
extern char *bulkpar_statement_table(Oid relid);
extern char *bulkpar_statement_text(const BulkparJob *job);
extern BulkparStatement *bulkpar_statement_batch(const BulkparJob *job,
												 Oid part,
												 const BulkparKey *key,
												 const BulkparKeyShape *shape);
extern BulkparStatement *bulkpar_statement_matches(const BulkparJob *job,
												   Oid part,
												   const BulkparKey *key);
extern BulkparStatement *bulkpar_statement_collect(Oid relid, Oid part,
												   const BulkparKey *key,
												   const BulkparKeyShape *shape);
extern BulkparStatement *bulkpar_statement_versions(Oid relid, Oid part,
													const BulkparKey *key,
													const BulkparKeyShape *shape);
extern BulkparStatement *bulkpar_statement_end_key(Oid relid, Oid part,
												   const BulkparKey *key);

extern void bulkpar_statement_check(BulkparStatement *statement);
extern void bulkpar_statement_prepare(BulkparStatement *statement);
extern void bulkpar_statement_verify(BulkparStatement *statement);
extern char *bulkpar_statement_explain(BulkparStatement *statement);
extern double bulkpar_statement_rows(const BulkparStatement *statement);
extern bool bulkpar_statement_is_repeatable(const BulkparStatement *statement);
extern List *bulkpar_statement_relations(const BulkparStatement *statement);
extern bool bulkpar_statement_uses_key(BulkparStatement *statement);
extern void bulkpar_statement_forget(BulkparStatement *statement);

#endif							/* BULKPAR_STATEMENT_H */

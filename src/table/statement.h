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
#include "nodes/tidbitmap.h"

#include "books/job.h"
#include "table/hooks.h"
#include "table/key.h"

/*
 * A statement of a job.  One over a piece of the keys has the values of the
 * piece as its parameters; a SELECT of them has the limit after these.
 */
typedef struct BulkparStatement
{
	BulkparHooks hooks;			/* its text, and what is added to that */
	int			nargs;
	Oid			argtypes[BULKPAR_KEY_MAX_VALUES + 1];

	/* once it is prepared */
	SPIPlanPtr	plan;
	int			verified;		/* the generation of the plan that was */
	MemoryContextCallback callback;
} BulkparStatement;

extern char *bulkpar_statement_text(const BulkparJob *job, Oid relid);
extern BulkparStatement *bulkpar_statement_batch(const BulkparJob *job,
												 Oid relid, Oid part,
												 const BulkparKey *key,
												 const BulkparKeyShape *shape);
extern BulkparStatement *bulkpar_statement_list(const BulkparJob *job,
												Oid relid, Oid part,
												const BulkparKey *key);
extern BulkparStatement *bulkpar_statement_span(const BulkparJob *job,
												Oid relid, Oid part,
												const BulkparKey *key);
extern BulkparStatement *bulkpar_statement_values(const BulkparJob *job,
												  Oid relid, Oid part,
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
extern void bulkpar_statement_expect(const BulkparStatement *statement,
									 BulkparExpected *expected);
extern TIDBitmap *bulkpar_statement_read_bitmap(const BulkparStatement *statement);
extern double bulkpar_statement_target_rows(const BulkparStatement *statement);
extern List *bulkpar_statement_relations(const BulkparStatement *statement);
extern bool bulkpar_statement_remembers(BulkparStatement *statement);
extern bool bulkpar_statement_uses_key(BulkparStatement *statement);
extern void bulkpar_statement_forget(BulkparStatement *statement);

#endif							/* BULKPAR_STATEMENT_H */

/*-------------------------------------------------------------------------
 *
 * statement.h
 *		The SQL that a job runs on its target.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/statement.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_STATEMENT_H
#define BULKPAR_STATEMENT_H

#include "executor/spi.h"
#include "utils/rel.h"

#include "job.h"
#include "key.h"

/*
 * A statement over the keys (lo, hi]; without has_lower, over all keys up to
 * hi.  Its parameters are those of lo, if any, those of hi, and for a
 * collecting statement the limit.
 */
typedef struct BulkparStatement
{
	char	   *sql;
	int			nargs;
	Oid			argtypes[2 * INDEX_MAX_KEYS + 1];
	SPIPlanPtr	plan;			/* once it is prepared */
} BulkparStatement;

extern BulkparStatement *bulkpar_statement_update(Relation rel,
												  const BulkparKey *key,
												  const BulkparJob *job,
												  bool has_lower);
extern BulkparStatement *bulkpar_statement_collect(Relation rel,
												   const BulkparKey *key,
												   bool has_lower);
extern char *bulkpar_statement_end_key(Relation rel, const BulkparKey *key);

extern void bulkpar_statement_check(BulkparStatement *statement);
extern void bulkpar_statement_prepare(BulkparStatement *statement,
									  Oid relid, const BulkparKey *key);
extern void bulkpar_statement_forget(BulkparStatement *statement);
extern void bulkpar_statement_params(const BulkparStatement *statement,
									 const BulkparKey *key, const Datum *lo,
									 const Datum *hi, int64 limit,
									 ParamExternData *params);

#endif							/* BULKPAR_STATEMENT_H */

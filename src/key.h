/*-------------------------------------------------------------------------
 *
 * key.h
 *		The unique index whose order a job follows.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/key.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_KEY_H
#define BULKPAR_KEY_H

#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/rel.h"

/* One column of the key; all names are quoted for use in SQL. */
typedef struct BulkparKeyColumn
{
	AttrNumber	attnum;
	Oid			type;			/* the column's type, domains resolved */
	int16		typlen;
	bool		typbyval;
	char	   *name;
	char	   *collate;		/* " COLLATE ..." or "" */
	bool		nulls_first;
	char	   *before;			/* operators in the order of the index */
	char	   *before_or_equal;
	char	   *equal;
	char	   *after_or_equal;
	char	   *after;
} BulkparKeyColumn;

typedef struct BulkparKey
{
	Oid			index;
	int			ncolumns;
	bool		row_comparison; /* (a, b) > ($1, $2) means the index's order */
	BulkparKeyColumn columns[INDEX_MAX_KEYS];
} BulkparKey;

extern Oid	bulkpar_key_choose(Relation rel);
extern BulkparKey *bulkpar_key_describe(Relation rel, Oid index);
extern BulkparKey *bulkpar_key_follow(Relation rel, Oid index,
									  const char *order);
extern char *bulkpar_key_order(const BulkparKey *key);
extern bool bulkpar_key_has_column(const BulkparKey *key, AttrNumber attnum);

extern void bulkpar_key_append_columns(StringInfo buf, const BulkparKey *key);
extern void bulkpar_key_append_after(StringInfo buf, const BulkparKey *key,
									 int param);
extern void bulkpar_key_append_upto(StringInfo buf, const BulkparKey *key,
									int param);
extern void bulkpar_key_append_order(StringInfo buf, const BulkparKey *key,
									 bool backward);

extern ArrayType *bulkpar_key_to_text(const BulkparKey *key,
									  const Datum *values);
extern Datum *bulkpar_key_from_text(const BulkparKey *key, ArrayType *array);
extern Datum *bulkpar_key_copy(const BulkparKey *key, const Datum *values);

#endif							/* BULKPAR_KEY_H */

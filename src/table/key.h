/*-------------------------------------------------------------------------
 *
 * key.h
 *		The unique index whose order a job follows.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/key.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_KEY_H
#define BULKPAR_KEY_H

#include "access/stratnum.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/rel.h"
#include "utils/typcache.h"

/*
 * One column of the key.  Nothing is known by its name: what is found by name
 * in a query of the user's session may be somebody else's.
 */
typedef struct BulkparKeyColumn
{
	AttrNumber	attnum;
	Oid			type;			/* the column's type, domains resolved */
	Oid			input;			/* what the index's operators are given */
	int16		typlen;			/* of both */
	bool		typbyval;
	char		typalign;
	bool		descends;
	bool		nulls_first;
	Oid			opfamily;
	Oid			opcintype;		/* may be a pseudo-type */
	Oid			collation;
	FmgrInfo	compare;		/* the operator class's comparison function */
	TypeCacheEntry *hash;		/* with its hash function, if there is one */
} BulkparKeyColumn;

/* A range of a key of n columns has at most 2n - 1 pieces. */
#define BULKPAR_KEY_MAX_PIECES (2 * INDEX_MAX_KEYS - 1)

/* And the condition of a piece has at most this many parameters. */
#define BULKPAR_KEY_MAX_VALUES (2 * INDEX_MAX_KEYS + 2)

typedef struct BulkparKey
{
	Oid			index;
	Oid			relid;			/* its table */
	int			ncolumns;
	BulkparKeyColumn columns[INDEX_MAX_KEYS];
} BulkparKey;

typedef enum BulkparKeyEnd
{
	BULKPAR_KEY_END_NONE,
	BULKPAR_KEY_END_BEFORE,
	BULKPAR_KEY_END_UPTO
} BulkparKeyEnd;

/*
 * The form of a condition on the key: the first nprefix columns equal, the
 * next one after a value and before, or up to, another.  A striped one takes
 * only the keys of one stripe.  A listed one takes the keys of a list, with an
 * array for each column, and nothing of the other fields counts but placed: then
 * a row must be where it was found, too, and an array of places comes last.  Of a
 * span nothing else counts: it takes what is from one place up to another.
 */
typedef struct BulkparKeyShape
{
	int			nprefix;
	bool		after;
	BulkparKeyEnd bound;
	bool		striped;
	bool		listed;
	bool		placed;
	bool		span;
} BulkparKeyShape;

/* A part of a range of keys that one scan of the index can read. */
typedef struct BulkparKeyPiece
{
	BulkparKeyShape shape;
	int			nvalues;
	Datum		values[BULKPAR_KEY_MAX_VALUES]; /* in the order of the columns */
} BulkparKeyPiece;

/* The alias of a list of keys of several columns. */
#define BULKPAR_KEY_LIST "bulkpar list"

extern BulkparKey *bulkpar_key_describe(Relation rel, Oid index);
extern BulkparKey *bulkpar_key_follow(Relation rel, Oid index,
									  const char *order);
extern char *bulkpar_key_order(const BulkparKey *key);
extern char *bulkpar_key_show(Oid relid, const char *order);
extern bool bulkpar_key_has_column(const BulkparKey *key, AttrNumber attnum);

extern void bulkpar_key_append_columns(StringInfo buf, const BulkparKey *key);
extern Oid	bulkpar_key_operator(const BulkparKeyColumn *column,
								 StrategyNumber strategy);
extern int	bulkpar_key_arguments(const BulkparKey *key,
								  const BulkparKeyShape *shape, Oid *argtypes);

extern bool bulkpar_key_same_shape(const BulkparKeyShape *a,
								   const BulkparKeyShape *b);
extern BulkparKeyShape bulkpar_key_usual_shape(const BulkparKey *key);

#endif							/* BULKPAR_KEY_H */

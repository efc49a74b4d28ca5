/*-------------------------------------------------------------------------
 *
 * key.c
 *		The unique index whose order a job follows.
 *
 * A job goes through its table in the order of a unique btree index on
 * NOT NULL columns.  This file knows that order: it writes the conditions of
 * a range and the ORDER BY with the operators of the index's own operator
 * families and its collations, so that they mean the same order whatever the
 * search_path is.  What is done with the values is in keyvalue.c.
 *
 * Where all columns have the same direction and operators of the same names,
 * a row comparison says where a range begins and ends.  Otherwise the range
 * is cut into pieces that do with comparisons of single columns.  Either way
 * an index scan reads the rows of the range and no others.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/key.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/nbtree.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "key.h"
#include "stripe.h"

static bool usable_index(Relation rel, Relation index);
static void describe_column(Relation rel, Relation index, int i,
							BulkparKeyColumn *column);
static char *operator_name(Relation index, int i, StrategyNumber strategy);
static bool same_operators(const BulkparKey *key);
static void append_list(StringInfo buf, const BulkparKey *key,
						const char *qualifier);
static void append_comparison(StringInfo buf, const BulkparKey *key,
							  const BulkparShape *shape,
							  const char *qualifier, const char *operator,
							  int *nargs);

/*
 * The index to use: the primary key, else the usable unique index with the
 * fewest columns.  InvalidOid if there is none.  The caller holds a lock on
 * rel.
 */
Oid
bulkpar_key_choose(Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	Oid			primary = bulkpar_compat_primary_key(rel);
	Oid			best = InvalidOid;
	int			best_columns = 0;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		int			ncolumns = IndexRelationGetNumberOfKeyAttributes(index);

		if (usable_index(rel, index) &&
			(!OidIsValid(best) || RelationGetRelid(index) == primary ||
			 (best != primary && ncolumns < best_columns)))
		{
			best = RelationGetRelid(index);
			best_columns = ncolumns;
		}
		index_close(index, AccessShareLock);
	}
	return best;
}

/*
 * Describe the key of the index that a job follows, or of one of the same
 * order that has replaced it (REINDEX CONCURRENTLY does that).  If there is
 * none any more that is an error.
 */
BulkparKey *
bulkpar_key_follow(Relation rel, Oid index, const char *order)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	if (list_member_oid(indexes, index))
		indexes = lcons_oid(index, indexes);
	foreach(lc, indexes)
	{
		BulkparKey *key = bulkpar_key_describe(rel, lfirst_oid(lc));

		if (key != NULL && strcmp(bulkpar_key_order(key), order) == 0)
			return key;
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the key index of table \"%s\" no longer exists",
					RelationGetRelationName(rel)),
			 errdetail("The job follows the order %s.", order),
			 errhint("Create such a unique index again and resume the job.")));
}

/*
 * The columns, by number, and the order of a key as text, in the current
 * memory context.
 */
char *
bulkpar_key_order(const BulkparKey *key)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '(');
	for (int i = 0; i < key->ncolumns; i++)
	{
		const BulkparKeyColumn *column = &key->columns[i];

		appendStringInfo(&buf, "%scolumn %d %s%s USING %s NULLS %s",
						 i > 0 ? ", " : "", column->attnum,
						 format_type_be_qualified(column->type),
						 column->collate, column->before,
						 column->nulls_first ? "FIRST" : "LAST");
	}
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

/* Whether the columns still have the names that the key was described with. */
bool
bulkpar_key_has_its_names(const BulkparKey *key, Oid relid)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		char	   *name = get_attname(relid, key->columns[i].attnum, true);

		if (name == NULL ||
			strcmp(quote_identifier(name), key->columns[i].name) != 0)
			return false;
	}
	return true;
}

/*
 * Describe the key of an index, in the current memory context; NULL if a job
 * cannot follow that.  The caller holds a lock on rel.
 */
BulkparKey *
bulkpar_key_describe(Relation rel, Oid index_oid)
{
	BulkparKey *key;
	Relation	index = index_open(index_oid, AccessShareLock);

	if (!usable_index(rel, index))
	{
		index_close(index, AccessShareLock);
		return NULL;
	}

	key = palloc0(sizeof(BulkparKey));
	key->index = index_oid;
	key->ncolumns = IndexRelationGetNumberOfKeyAttributes(index);
	for (int i = 0; i < key->ncolumns; i++)
		describe_column(rel, index, i, &key->columns[i]);
	key->row_comparison = same_operators(key);
	key->stripe_function = bulkpar_stripe_function();
	index_close(index, AccessShareLock);
	return key;
}

bool
bulkpar_key_has_column(const BulkparKey *key, AttrNumber attnum)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		if (key->columns[i].attnum == attnum)
			return true;
	}
	return false;
}

/* Append the columns, as a SELECT list. */
void
bulkpar_key_append_columns(StringInfo buf, const BulkparKey *key)
{
	for (int i = 0; i < key->ncolumns; i++)
		appendStringInfo(buf, "%s%s", i > 0 ? ", " : "", key->columns[i].name);
}

/* The number of a shape's parameters, and their types. */
int
bulkpar_key_arguments(const BulkparKey *key, const BulkparShape *shape,
					  Oid *argtypes)
{
	int			ncompared = key->row_comparison ? key->ncolumns : 1;
	int			nargs = 0;

	if (shape->listed)
	{
		for (int i = 0; i < key->ncolumns; i++)
			argtypes[nargs++] = get_array_type(key->columns[i].type);
		return nargs;
	}
	for (int i = 0; i < shape->nprefix; i++)
		argtypes[nargs++] = key->columns[i].type;
	for (int i = 0; shape->after && i < ncompared; i++)
		argtypes[nargs++] = key->columns[shape->nprefix + i].type;
	for (int i = 0; shape->bound != BULKPAR_BOUND_NONE && i < ncompared; i++)
		argtypes[nargs++] = key->columns[shape->nprefix + i].type;
	if (shape->striped)
	{
		argtypes[nargs++] = INT4OID;
		argtypes[nargs++] = INT4OID;
	}
	return nargs;
}

/*
 * Append the condition of a shape, with parameters from $1 on.  The qualifier
 * is what the columns' names need before them, with its dot.
 */
void
bulkpar_key_append_shape(StringInfo buf, const BulkparKey *key,
						 const BulkparShape *shape, const char *qualifier)
{
	const BulkparKeyColumn *column = &key->columns[shape->nprefix];
	const char *separator = "";
	int			nargs = 0;

	if (shape->listed)
	{
		append_list(buf, key, qualifier);
		return;
	}
	for (int i = 0; i < shape->nprefix; i++)
	{
		appendStringInfo(buf, "%s%s%s%s %s $%d", separator, qualifier,
						 key->columns[i].name, key->columns[i].collate,
						 key->columns[i].equal, ++nargs);
		separator = " AND ";
	}
	if (shape->after)
	{
		appendStringInfoString(buf, separator);
		append_comparison(buf, key, shape, qualifier, column->after, &nargs);
		separator = " AND ";
	}
	if (shape->bound != BULKPAR_BOUND_NONE)
	{
		appendStringInfoString(buf, separator);
		append_comparison(buf, key, shape, qualifier,
						  shape->bound == BULKPAR_BOUND_UPTO ?
						  column->before_or_equal : column->before, &nargs);
		separator = " AND ";
	}
	if (shape->striped)
	{
		appendStringInfo(buf, "%s%s($%d, $%d", separator,
						 key->stripe_function, nargs + 1, nargs + 2);
		for (int i = 0; i < key->ncolumns; i++)
			appendStringInfo(buf, ", %s%s", qualifier, key->columns[i].name);
		appendStringInfoChar(buf, ')');
	}
}

/* Whether a statement of one shape is also one of the other. */
bool
bulkpar_key_same_shape(const BulkparShape *a, const BulkparShape *b)
{
	return a->nprefix == b->nprefix && a->after == b->after &&
		a->bound == b->bound && a->striped == b->striped &&
		a->listed == b->listed;
}

/* The shape that nearly all pieces have. */
BulkparShape
bulkpar_key_usual_shape(const BulkparKey *key)
{
	BulkparShape shape = {
		.nprefix = key->row_comparison ? 0 : key->ncolumns - 1,
		.after = true,
		.bound = BULKPAR_BOUND_UPTO
	};

	return shape;
}

/* Append the index's order, or its reverse, as an ORDER BY list. */
void
bulkpar_key_append_order(StringInfo buf, const BulkparKey *key, bool backward)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		const BulkparKeyColumn *column = &key->columns[i];

		appendStringInfo(buf, "%s%s%s USING %s NULLS %s",
						 i > 0 ? ", " : "", column->name, column->collate,
						 backward ? column->after : column->before,
						 column->nulls_first != backward ? "FIRST" : "LAST");
	}
}

/*
 * Whether a job can follow an index: a valid unique btree index on plain
 * NOT NULL columns that are not generated from others, over all rows.
 */
static bool
usable_index(Relation rel, Relation index)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisunique || !form->indisvalid || !form->indisready ||
		index->rd_rel->relam != BTREE_AM_OID ||
		RelationGetIndexPredicate(index) != NIL)
		return false;

	for (int i = 0; i < form->indnkeyatts; i++)
	{
		AttrNumber	attnum = form->indkey.values[i];
		Form_pg_attribute attr;

		if (attnum <= 0)
			return false;
		attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
		if (!attr->attnotnull || attr->attgenerated != '\0')
			return false;
	}
	return true;
}

static void
describe_column(Relation rel, Relation index, int i, BulkparKeyColumn *column)
{
	Form_pg_attribute attr;
	int16		option = index->rd_indoption[i];
	bool		desc = (option & INDOPTION_DESC) != 0;
	Oid			collation = index->rd_indcollation[i];

	column->attnum = index->rd_index->indkey.values[i];
	attr = TupleDescAttr(RelationGetDescr(rel), column->attnum - 1);
	column->type = getBaseType(attr->atttypid);
	get_typlenbyvalalign(column->type, &column->typlen, &column->typbyval,
						 &column->typalign);
	column->name = pstrdup(quote_identifier(NameStr(attr->attname)));
	column->collate = !OidIsValid(collation) ? "" :
		psprintf(" COLLATE %s", generate_collation_name(collation));
	column->descends = desc;
	column->nulls_first = (option & INDOPTION_NULLS_FIRST) != 0;

	column->before = operator_name(index, i, desc ? BTGreaterStrategyNumber :
								   BTLessStrategyNumber);
	column->before_or_equal = operator_name(index, i, desc ?
											BTGreaterEqualStrategyNumber :
											BTLessEqualStrategyNumber);
	column->equal = operator_name(index, i, BTEqualStrategyNumber);
	column->after = operator_name(index, i, desc ? BTLessStrategyNumber :
								  BTGreaterStrategyNumber);
	column->opfamily = index->rd_opfamily[i];
	fmgr_info(get_opfamily_proc(index->rd_opfamily[i],
								index->rd_opcintype[i],
								index->rd_opcintype[i], BTORDER_PROC),
			  &column->compare);
	column->collation = collation;
	column->hash = lookup_type_cache(column->type,
									 TYPECACHE_HASH_EXTENDED_PROC_FINFO);
}

/* The operator of an index column for a strategy, as OPERATOR(schema.name). */
static char *
operator_name(Relation index, int i, StrategyNumber strategy)
{
	Oid			type = index->rd_opcintype[i];
	Oid			operator = get_opfamily_member(index->rd_opfamily[i],
											   type, type, strategy);
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	name = psprintf("OPERATOR(%s.%s)",
					quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return name;
}

static bool
same_operators(const BulkparKey *key)
{
	for (int i = 1; i < key->ncolumns; i++)
	{
		if (strcmp(key->columns[i].after, key->columns[0].after) != 0 ||
			strcmp(key->columns[i].before, key->columns[0].before) != 0)
			return false;
	}
	return true;
}

/* Append that the key is in a list, for which each column has an array. */
static void
append_list(StringInfo buf, const BulkparKey *key, const char *qualifier)
{
	const char *list = "\"" BULKPAR_KEY_LIST "\".";

	if (key->ncolumns == 1)
	{
		appendStringInfo(buf, "%s%s%s %s ANY ($1)", qualifier,
						 key->columns[0].name, key->columns[0].collate,
						 key->columns[0].equal);
		return;
	}

	/* The table may be called so. */
	if (strcmp(qualifier, list) == 0)
		list = "\"" BULKPAR_KEY_LIST " 2\".";
	appendStringInfoString(buf, "EXISTS (SELECT FROM ROWS FROM (");
	for (int i = 0; i < key->ncolumns; i++)
		appendStringInfo(buf, "%spg_catalog.unnest($%d)", i > 0 ? ", " : "",
						 i + 1);
	appendStringInfo(buf, ") AS %.*s(", (int) strlen(list) - 1, list);
	for (int i = 0; i < key->ncolumns; i++)
		appendStringInfo(buf, "%sc%d", i > 0 ? ", " : "", i);
	appendStringInfoString(buf, ") WHERE ");
	for (int i = 0; i < key->ncolumns; i++)
		appendStringInfo(buf, "%s%s%s%s %s %sc%d", i > 0 ? " AND " : "",
						 qualifier, key->columns[i].name,
						 key->columns[i].collate, key->columns[i].equal,
						 list, i);
	appendStringInfoChar(buf, ')');
}

/* Append the comparison of what follows the prefix with parameters. */
static void
append_comparison(StringInfo buf, const BulkparKey *key,
				  const BulkparShape *shape, const char *qualifier,
				  const char *operator, int *nargs)
{
	int			first = shape->nprefix;
	int			ncolumns = key->row_comparison ? key->ncolumns : 1;

	appendStringInfoString(buf, ncolumns > 1 ? "(" : "");
	for (int i = first; i < first + ncolumns; i++)
		appendStringInfo(buf, "%s%s%s%s", i > first ? ", " : "", qualifier,
						 key->columns[i].name, key->columns[i].collate);
	appendStringInfo(buf, "%s %s %s", ncolumns > 1 ? ")" : "", operator,
					 ncolumns > 1 ? "(" : "");
	for (int i = first; i < first + ncolumns; i++)
		appendStringInfo(buf, "%s$%d", i > first ? ", " : "", ++(*nargs));
	appendStringInfoString(buf, ncolumns > 1 ? ")" : "");
}

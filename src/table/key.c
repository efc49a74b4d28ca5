/*-------------------------------------------------------------------------
 *
 * key.c
 *		The unique index whose order a job follows.
 *
 * A job goes through its table in the order of a unique btree index on
 * NOT NULL columns.  This file knows that order: the operators of the index's
 * own operator families and its collations.  How queries use them is in
 * keyquery.c, what is done with the values in keyvalue.c.
 *
 * Where all columns have the same direction a row comparison says where a
 * range begins and ends.  Otherwise the range is cut into pieces that do with
 * comparisons of single columns.  Either way an index scan reads the rows of
 * the range and no others.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/key.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "catalog/pg_am.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "table/key.h"
#include "table/keyindex.h"

static void describe_column(Relation rel, Relation index, int i,
							BulkparKeyColumn *column);
static char *collation_version(Oid collation);
static char *column_name(Oid relid, AttrNumber attnum);

/*
 * Describe the key of the index that a job follows, or of one of the same
 * order that has replaced it (REINDEX CONCURRENTLY does that).  If there is
 * none any more that is an error.
 */
BulkparKey *
bulkpar_key_follow(Relation rel, Oid index, const char *order)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		is_there = list_member_oid(indexes, index);
	char	   *hint = NULL;
	ListCell   *lc;

	if (is_there)
		indexes = lcons_oid(index, indexes);
	foreach(lc, indexes)
	{
		BulkparKey *key = bulkpar_key_describe(rel, lfirst_oid(lc));

		if (key != NULL && strcmp(bulkpar_key_order(key), order) == 0)
			return key;
	}
	if (is_there)
		hint = bulkpar_keyindex_near_miss(rel, RelationGetRelid(rel), index);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 is_there ?
			 errmsg("the key index of table \"%s\" can no longer be followed",
					RelationGetRelationName(rel)) :
			 errmsg("the key index of table \"%s\" no longer exists",
					RelationGetRelationName(rel)),
			 errdetail("The job follows the order %s, with the types, operators and versions of collations that it began with.",
					   bulkpar_key_show(RelationGetRelid(rel), order)),
			 hint != NULL ? errhint("%s Then resume the job.", hint) :
			 errhint("Create such a unique index again and resume the job.")));
}

/*
 * All that makes the order of a key, as text that no rename can change: for
 * each column its number, type, collation, operator family and its input
 * type, indoption, and the version that the collation's provider has now.
 * Allocated in the current memory context.
 */
char *
bulkpar_key_order(const BulkparKey *key)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < key->ncolumns; i++)
	{
		const BulkparKeyColumn *column = &key->columns[i];
		int			option = (column->descends ? INDOPTION_DESC : 0) |
			(column->nulls_first ? INDOPTION_NULLS_FIRST : 0);

		appendStringInfo(&buf, "%s%d %u %u %u %u %d", i > 0 ? "; " : "",
						 column->attnum, column->type, column->collation,
						 column->opfamily, column->opcintype, option);
		if (OidIsValid(column->collation))
			appendStringInfo(&buf, " %s",
							 collation_version(column->collation));
	}
	return buf.data;
}

/*
 * That text as people know the key of a table: (tenant_id, id DESC).  It may
 * be of columns that are no longer there.
 */
char *
bulkpar_key_show(Oid relid, const char *order)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *column = order; column != NULL;
		 column = strchr(column, ';'))
	{
		int			attnum;
		int			option;

		column += strspn(column, "; ");
		if (sscanf(column, "%d %*u %*u %*u %*u %d", &attnum, &option) != 2)
			elog(ERROR, "invalid order of a key: \"%s\"", order);
		appendStringInfo(&buf, "%s%s%s", buf.len > 0 ? ", " : "(",
						 column_name(relid, attnum),
						 (option & INDOPTION_DESC) != 0 ? " DESC" : "");
	}
	appendStringInfoChar(&buf, ')');
	return buf.data;
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

	if (!bulkpar_keyindex_usable(rel, index))
	{
		index_close(index, AccessShareLock);
		return NULL;
	}

	key = palloc0(sizeof(BulkparKey));
	key->index = index_oid;
	key->relid = RelationGetRelid(rel);
	key->ncolumns = IndexRelationGetNumberOfKeyAttributes(index);
	for (int i = 0; i < key->ncolumns; i++)
		describe_column(rel, index, i, &key->columns[i]);
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

/* Append the names of the columns, quoted, as a SELECT list. */
void
bulkpar_key_append_columns(StringInfo buf, const BulkparKey *key)
{
	for (int i = 0; i < key->ncolumns; i++)
		appendStringInfo(buf, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(get_attname(key->relid,
													  key->columns[i].attnum,
													  false)));
}

/*
 * The operator of a column for a strategy in the order of the index: less is
 * what comes before, also where it descends.
 */
Oid
bulkpar_key_operator(const BulkparKeyColumn *column, StrategyNumber strategy)
{
	Oid			operator;

	if (column->descends)
		strategy = BTCommuteStrategyNumber(strategy);
	operator = get_opfamily_member(column->opfamily, column->opcintype,
								   column->opcintype, strategy);
	if (!OidIsValid(operator))
		elog(ERROR, "missing operator %d(%u,%u) in opfamily %u", strategy,
			 column->opcintype, column->opcintype, column->opfamily);
	return operator;
}

/* The number of a shape's parameters, and their types. */
int
bulkpar_key_arguments(const BulkparKey *key, const BulkparKeyShape *shape,
					  Oid *argtypes)
{
	int			nargs = 0;

	Assert(shape->nprefix >= 0 && shape->nprefix <= key->ncolumns);
	if (shape->span)
	{
		argtypes[nargs++] = TIDOID;
		argtypes[nargs++] = TIDOID;
		return nargs;
	}
	if (shape->listed)
	{
		for (int i = 0; i < key->ncolumns; i++)
			argtypes[nargs++] = get_array_type(key->columns[i].input);
		if (shape->placed)
			argtypes[nargs++] = TIDARRAYOID;
		return nargs;
	}
	for (int i = 0; i < shape->nprefix; i++)
		argtypes[nargs++] = key->columns[i].input;
	if (shape->after)
		argtypes[nargs++] = key->columns[shape->nprefix].input;
	if (shape->bound != BULKPAR_KEY_END_NONE)
		argtypes[nargs++] = key->columns[shape->nprefix].input;
	if (shape->striped)
	{
		argtypes[nargs++] = INT4OID;
		argtypes[nargs++] = INT4OID;
	}
	return nargs;
}

/* Whether a statement of one shape is also one of the other. */
bool
bulkpar_key_same_shape(const BulkparKeyShape *a, const BulkparKeyShape *b)
{
	return a->nprefix == b->nprefix && a->after == b->after &&
		a->bound == b->bound && a->striped == b->striped &&
		a->listed == b->listed && a->placed == b->placed && a->span == b->span;
}

/* The shape that nearly all pieces have. */
BulkparKeyShape
bulkpar_key_usual_shape(const BulkparKey *key)
{
	BulkparKeyShape shape = {
		.nprefix = key->ncolumns - 1,
		.after = true,
		.bound = BULKPAR_KEY_END_UPTO
	};

	return shape;
}

static void
describe_column(Relation rel, Relation index, int i, BulkparKeyColumn *column)
{
	Form_pg_attribute attr;
	int16		option = index->rd_indoption[i];

	column->attnum = index->rd_index->indkey.values[i];
	attr = TupleDescAttr(RelationGetDescr(rel), column->attnum - 1);
	column->type = getBaseType(attr->atttypid);
	get_typlenbyvalalign(column->type, &column->typlen, &column->typbyval,
						 &column->typalign);
	column->descends = (option & INDOPTION_DESC) != 0;
	column->nulls_first = (option & INDOPTION_NULLS_FIRST) != 0;
	column->opfamily = index->rd_opfamily[i];
	column->opcintype = index->rd_opcintype[i];
	/* Operators on anyarray, record and the like are given what there is. */
	column->input = get_typtype(column->opcintype) == TYPTYPE_PSEUDO ?
		column->type : column->opcintype;
	column->collation = index->rd_indcollation[i];
	fmgr_info(get_opfamily_proc(column->opfamily, column->opcintype,
								column->opcintype, BTORDER_PROC),
			  &column->compare);
	column->hash = lookup_type_cache(column->type,
									 TYPECACHE_HASH_EXTENDED_PROC_FINFO);
}

/*
 * The version of a collation, as its provider is now and not when the collation
 * was made; "-" if it has none.
 */
static char *
collation_version(Oid collation)
{
	LOCAL_FCINFO(fcinfo, 1);
	bool		of_database = collation == DEFAULT_COLLATION_OID;
	FmgrInfo	function;
	Datum		version;

	/* Functions of SQL, for those of C differ between the server versions. */
	fmgr_info(of_database ? F_PG_DATABASE_COLLATION_ACTUAL_VERSION :
			  F_PG_COLLATION_ACTUAL_VERSION, &function);
	InitFunctionCallInfoData(*fcinfo, &function, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(of_database ? MyDatabaseId :
											 collation);
	fcinfo->args[0].isnull = false;
	version = FunctionCallInvoke(fcinfo);
	return fcinfo->isnull ? "-" : TextDatumGetCString(version);
}

/* The name of a column, quoted, or if it was dropped its number. */
static char *
column_name(Oid relid, AttrNumber attnum)
{
	HeapTuple	tuple = SearchSysCacheAttNum(relid, attnum);
	Form_pg_attribute form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		return psprintf("column %d", attnum);
	form = (Form_pg_attribute) GETSTRUCT(tuple);
	name = pstrdup(quote_identifier(NameStr(form->attname)));
	ReleaseSysCache(tuple);
	return name;
}

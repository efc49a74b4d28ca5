/*-------------------------------------------------------------------------
 *
 * keyindex.c
 *		Which indexes of a table a job can follow.
 *
 * An index that a job follows has all rows of its table, and no two with the same
 * key: it is a valid unique btree index on columns that cannot be null.  That
 * they cannot be is known by NOT NULL or by a validated CHECK.  An index with the
 * condition that such columns are not null is one of all rows, too.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/keyindex.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "table/keyindex.h"

static bool has_form(Relation index);
static bool columns_are_of(Relation rel, Relation index, Oid target);
static bool same_columns(Relation index, Relation other);
static List *nullable_columns(Relation rel, Relation index);
static AttrNumber column_not_null(const Node *condition);
static bool cannot_be_null(Relation rel, AttrNumber attnum);
static const char *find_check(Relation rel, AttrNumber attnum, bool validated);
static bool says_not_null(const Node *condition, AttrNumber attnum);
static char *advise(Relation rel, Relation index, List *nullable);

/*
 * The index to use: the primary key, else the usable unique index with the
 * fewest columns, of those on columns that the target of the job has.
 * InvalidOid if there is none.  The caller holds a lock on rel.
 */
Oid
bulkpar_keyindex_choose(Relation rel, Oid target)
{
	Oid			primary = bulkpar_compat_primary_key(rel);
	Oid			best = InvalidOid;
	int			best_columns = 0;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		int			ncolumns = IndexRelationGetNumberOfKeyAttributes(index);

		if (bulkpar_keyindex_usable(rel, index) &&
			columns_are_of(rel, index, target) &&
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
 * The index of a table that is the named one, a partition of it, or, of a child
 * whose parent has the named one, a usable one with the same columns; InvalidOid
 * if there is none.
 */
Oid
bulkpar_keyindex_named(Relation rel, Oid named, Oid target)
{
	Relation	other;
	Oid			found = InvalidOid;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Oid			index = lfirst_oid(lc);

		if (index == named ||
			(get_rel_relispartition(index) &&
			 list_member_oid(get_partition_ancestors(index), named)))
			return index;
	}
	if (RelationGetRelid(rel) == target || rel->rd_rel->relispartition ||
		get_rel_relkind(named) != RELKIND_INDEX ||
		IndexGetRelation(named, true) != target)
		return InvalidOid;

	other = index_open(named, AccessShareLock);
	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (!OidIsValid(found) && bulkpar_keyindex_usable(rel, index) &&
			same_columns(index, other))
			found = RelationGetRelid(index);
		index_close(index, AccessShareLock);
	}
	index_close(other, AccessShareLock);
	return found;
}

/* Whether a job can follow an index. */
bool
bulkpar_keyindex_usable(Relation rel, Relation index)
{
	return has_form(index) && index->rd_index->indisvalid &&
		index->rd_index->indisready && nullable_columns(rel, index) == NIL;
}

/*
 * Whether a job can go on to follow an index that was usable before.  The caller
 * holds a lock on the table, so it stays so while that is held.
 */
bool
bulkpar_keyindex_still_usable(Oid relid, Oid index_oid)
{
	Relation	rel = table_open(relid, NoLock);
	bool		usable = false;

	if (list_member_oid(RelationGetIndexList(rel), index_oid))
	{
		Relation	index = index_open(index_oid, AccessShareLock);

		usable = bulkpar_keyindex_usable(rel, index);
		index_close(index, AccessShareLock);
	}
	table_close(rel, NoLock);
	return usable;
}

/*
 * How to make an index usable, as a hint: the one that is given, or the unique
 * index that needs the least for it.  NULL if there is none that is near to it.
 */
char *
bulkpar_keyindex_near_miss(Relation rel, Oid target, Oid index_oid)
{
	char	   *hint = NULL;
	int			least = 0;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		List	   *nullable = has_form(index) ?
			nullable_columns(rel, index) : NIL;
		int			missing = list_length(nullable) +
			(index->rd_index->indisvalid ? 0 : 1);

		if ((!OidIsValid(index_oid) || lfirst_oid(lc) == index_oid) &&
			has_form(index) && columns_are_of(rel, index, target) &&
			(hint == NULL || missing < least))
		{
			hint = advise(rel, index, nullable);
			least = missing;
		}
		index_close(index, AccessShareLock);
	}
	return hint;
}

/*
 * Whether an index is such that all it may lack is to be valid, and columns that
 * cannot be null.
 */
static bool
has_form(Relation index)
{
	Form_pg_index form = index->rd_index;
	ListCell   *lc;

	if (!form->indisunique || index->rd_rel->relam != BTREE_AM_OID)
		return false;
	for (int i = 0; i < form->indnkeyatts; i++)
	{
		if (form->indkey.values[i] <= 0)
			return false;
	}
	foreach(lc, RelationGetIndexPredicate(index))
	{
		if (column_not_null(lfirst(lc)) == InvalidAttrNumber)
			return false;
	}
	return true;
}

/*
 * Whether the target has columns of the names of those of an index of that form.
 * Where there are hundreds of parts it counts that the names are not read from the
 * catalog.
 */
static bool
columns_are_of(Relation rel, Relation index, Oid target)
{
	Form_pg_index form = index->rd_index;

	for (int i = 0; form->indrelid != target && i < form->indnkeyatts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel),
											   form->indkey.values[i] - 1);

		if (get_attnum(target, NameStr(attr->attname)) == InvalidAttrNumber)
			return false;
	}
	return true;
}

/* Whether two indexes of that form, of two tables, have the same order. */
static bool
same_columns(Relation index, Relation other)
{
	int			count = index->rd_index->indnkeyatts;

	if (!has_form(other) || other->rd_index->indnkeyatts != count)
		return false;
	for (int i = 0; i < count; i++)
	{
		if (strcmp(get_attname(index->rd_index->indrelid,
							   index->rd_index->indkey.values[i], false),
				   get_attname(other->rd_index->indrelid,
							   other->rd_index->indkey.values[i], false)) != 0 ||
			index->rd_opfamily[i] != other->rd_opfamily[i] ||
			index->rd_indcollation[i] != other->rd_indcollation[i] ||
			index->rd_indoption[i] != other->rd_indoption[i])
			return false;
	}
	return true;
}

/*
 * The numbers of the columns that keep an index of that form from being usable,
 * as they can be null, or make up its condition and can be so.
 */
static List *
nullable_columns(Relation rel, Relation index)
{
	Form_pg_index form = index->rd_index;
	List	   *nullable = NIL;
	ListCell   *lc;

	for (int i = 0; i < form->indnkeyatts; i++)
	{
		if (!cannot_be_null(rel, form->indkey.values[i]))
			nullable = list_append_unique_int(nullable,
											  form->indkey.values[i]);
	}
	foreach(lc, RelationGetIndexPredicate(index))
	{
		AttrNumber	attnum = column_not_null(lfirst(lc));

		if (!cannot_be_null(rel, attnum))
			nullable = list_append_unique_int(nullable, attnum);
	}
	return nullable;
}

/* The column that a condition says is not null; 0 if it does not say just that. */
static AttrNumber
column_not_null(const Node *condition)
{
	const NullTest *test = (const NullTest *) condition;

	if (!IsA(condition, NullTest) || test->nulltesttype != IS_NOT_NULL ||
		test->argisrow || !IsA(test->arg, Var) ||
		((const Var *) test->arg)->varattno <= 0)
		return InvalidAttrNumber;
	return ((const Var *) test->arg)->varattno;
}

static bool
cannot_be_null(Relation rel, AttrNumber attnum)
{
	return bulkpar_compat_is_not_null(RelationGetDescr(rel), attnum) ||
		find_check(rel, attnum, true) != NULL;
}

/*
 * The name of a CHECK by which a column cannot be null, one that holds for all
 * rows or one that was not validated; NULL if there is none.
 */
static const char *
find_check(Relation rel, AttrNumber attnum, bool validated)
{
	const TupleConstr *constr = RelationGetDescr(rel)->constr;

	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		const ConstrCheck *check = &constr->check[i];

		if (check->ccvalid == validated &&
			bulkpar_compat_check_is_enforced(check) &&
			says_not_null(stringToNode(check->ccbin), attnum))
			return check->ccname;
	}
	return NULL;
}

/*
 * Whether a column is not null where a condition is not false.  That is not so
 * of n > 0, which is null if n is.
 */
static bool
says_not_null(const Node *condition, AttrNumber attnum)
{
	const BoolExpr *both = (const BoolExpr *) condition;
	ListCell   *lc;

	if (!IsA(condition, BoolExpr) || both->boolop != AND_EXPR)
		return column_not_null(condition) == attnum;
	foreach(lc, both->args)
	{
		if (says_not_null(lfirst(lc), attnum))
			return true;
	}
	return false;
}

/* What would make an index of that form usable. */
static char *
advise(Relation rel, Relation index, List *nullable)
{
	Oid			relid = RelationGetRelid(rel);
	const char *table = quote_identifier(RelationGetRelationName(rel));
	const char *name = RelationGetRelationName(index);
	StringInfoData names;
	StringInfoData actions;
	ListCell   *lc;

	if (nullable == NIL)
		return psprintf("Unique index \"%s\" would do if it were valid: use REINDEX INDEX CONCURRENTLY %s.",
						name, quote_identifier(name));
	initStringInfo(&names);
	initStringInfo(&actions);
	foreach(lc, nullable)
	{
		const char *column = get_attname(relid, lfirst_int(lc), false);
		const char *check = find_check(rel, lfirst_int(lc), false);
		const char *comma = names.len > 0 ? ", " : "";

		appendStringInfo(&names, "%s\"%s\"", comma, column);
		if (check != NULL)
			appendStringInfo(&actions, "%sVALIDATE CONSTRAINT %s", comma,
							 quote_identifier(check));
		else
			appendStringInfo(&actions, "%sALTER COLUMN %s SET NOT NULL", comma,
							 quote_identifier(column));
	}
	return psprintf("Unique index \"%s\" would do if nothing in %s could be null: use ALTER TABLE %s %s.",
					name, names.data, table, actions.data);
}

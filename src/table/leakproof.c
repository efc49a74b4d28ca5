/*-------------------------------------------------------------------------
 *
 * leakproof.c
 *		Whether an index can be used for rows that a policy hides.
 *
 * Under row level security the planner tests a condition before the policies
 * only if all its functions are marked as leakproof.  Of the server's own
 * operators those on numbers, texts and times are, those on numeric, arrays,
 * enums, records, ranges, jsonb and tsvector are not: it takes a proof to mark
 * a function, which whoever calls it may give any arguments.  So the range of
 * a batch would not be looked up in the index, and each batch would read the
 * whole table.
 *
 * But here they only compare what is at hand: a column with keys that the job
 * has found among the rows that its role sees, or with the column of a table
 * that is joined.  Nobody is told the result.  What could tell is the comparison
 * itself, by a message.  Those of the server that can order an index have none
 * with a value in it, as far as they call no others: those on arrays and the
 * like call the functions of the types that they are made of, which may be
 * anybody's.
 *
 * Functions that came later are not known.  Where they are not marked the job
 * is refused: without the index it would take ages.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/leakproof.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/transam.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/typcache.h"

#include "table/leakproof.h"

static List *find_leaks(const BulkparKey *key);
static List *add_type(List *leaks, Oid type);
static List *add_members(List *leaks, Oid type);
static List *add_function(List *leaks, Oid function);

/* Whether the operators of a key may be used before the policies of a table. */
bool
bulkpar_leakproof_is(const BulkparKey *key)
{
	return find_leaks(key) == NIL;
}

/*
 * Refuse a key whose ranges must not be tested before the policies of its
 * table; rel is the target of the job.
 */
void
bulkpar_leakproof_require(Relation rel, const BulkparKey *key)
{
	List	   *leaks = find_leaks(key);
	StringInfoData names;
	ListCell   *lc;

	if (leaks == NIL)
		return;
	initStringInfo(&names);
	foreach(lc, leaks)
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
						 format_procedure(lfirst_oid(lc)));
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the batches of table \"%s\" cannot use index \"%s\" under its policies",
					RelationGetRelationName(rel), get_rel_name(key->index)),
			 errdetail("Functions that compare its keys are not marked as leakproof: %s.",
					   names.data),
			 errhint("Name another index as \"key_index\". Or, if these functions tell nobody what they compare, a superuser can mark them by ALTER FUNCTION ... LEAKPROOF.")));
}

/*
 * The functions by which the keys of hidden rows may become known: those of
 * the operators, of the hash for stripes, and what these call.
 */
static List *
find_leaks(const BulkparKey *key)
{
	List	   *leaks = NIL;

	for (int i = 0; i < key->ncolumns; i++)
	{
		const BulkparKeyColumn *column = &key->columns[i];

		for (StrategyNumber strategy = 1; strategy <= BTMaxStrategyNumber;
			 strategy++)
			leaks = add_function(leaks,
								 get_opcode(bulkpar_key_operator(column,
																 strategy)));
		leaks = add_function(leaks, column->hash->hash_extended_proc);
		leaks = add_members(leaks, column->type);
	}
	return leaks;
}

/* The same of what compares and hashes the values of a type. */
static List *
add_type(List *leaks, Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(getBaseType(type),
											  TYPECACHE_CMP_PROC |
											  TYPECACHE_EQ_OPR |
											  TYPECACHE_HASH_EXTENDED_PROC);

	if (OidIsValid(entry->eq_opr))
		leaks = add_function(leaks, get_opcode(entry->eq_opr));
	leaks = add_function(leaks, entry->cmp_proc);
	leaks = add_function(leaks, entry->hash_extended_proc);
	return add_members(leaks, entry->type_id);
}

/* The same of the types that a type is made of. */
static List *
add_members(List *leaks, Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(type,
											  TYPECACHE_RANGE_INFO |
											  TYPECACHE_MULTIRANGE_INFO);
	Oid			element = get_element_type(type);

	check_stack_depth();
	if (OidIsValid(element))
		leaks = add_type(leaks, element);
	if (entry->rngtype != NULL)
		leaks = add_members(leaks, entry->rngtype->type_id);
	if (entry->rngelemtype != NULL)
	{
		leaks = add_function(leaks, entry->rng_cmp_proc_finfo.fn_oid);
		leaks = add_type(leaks, entry->rngelemtype->type_id);
	}
	if (type_is_rowtype(type))
	{
		TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);

		for (int i = 0; i < desc->natts; i++)
		{
			if (!TupleDescAttr(desc, i)->attisdropped)
				leaks = add_type(leaks, TupleDescAttr(desc, i)->atttypid);
		}
		ReleaseTupleDesc(desc);
	}
	return leaks;
}

/* A function, if there is one, unless it keeps to itself what it is given. */
static List *
add_function(List *leaks, Oid function)
{
	if (function < FirstNormalObjectId || get_func_leakproof(function))
		return leaks;
	return list_append_unique_oid(leaks, function);
}

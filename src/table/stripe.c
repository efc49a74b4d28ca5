/*-------------------------------------------------------------------------
 *
 * stripe.c
 *		Stripes: every K-th row or so of a range.
 *
 * A batch need not take neighbouring rows.  With K stripes the batches of a
 * chunk take one K-th of its rows from everywhere, then the next K-th, and so
 * on.  Once the first have committed there are dead rows on all pages of the
 * chunk, and the new versions of the next take their place: these updates are
 * HOT, and the table hardly grows.
 *
 * The stripe of a row depends on its key alone, so that it stays the same when
 * a job is interrupted and goes on.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/stripe.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "books/books.h"
#include "compat.h"
#include "table/stripe.h"
#include "table/values.h"

/*
 * As many are chosen where stripes are worth it.  Measured on 300,000 rows with
 * 1, 8, 12 and 16 stripes (medians of 6 runs with 2 workers, and of 3 with 4):
 * the table grows to 2.00, 1.19, 1.15 and 1.13 times its size, or with 4
 * workers to 2.00, 1.27, 1.20 and 1.18, and the CPU time is 1, 1.1, 1.2 and 1.5
 * times that of one stripe.  24 stripes come to 1.11 and 1.6.
 */
#define DEFAULT_STRIPES 12

/* A result of a subquery is large if it has more rows than so many batches. */
#define MAX_JOINED_BATCHES 10

/*
 * Tables of fewer pages may as well grow: by no more than 8 MB.  Measured on
 * one of 900 pages with 12 stripes: it grows to 1.24 times its size instead of
 * 1.99, and the job takes 1.4 times as long.
 */
#define MIN_PAGES 1024

/*
 * What the order of a key must have in common with that of the heap.  Where
 * rows lie at random within a third of the table, a correlation of 0.95, one
 * stripe does nearly as well: the table grows to 1.14 times its size, with 12
 * stripes to 1.11, in three times the CPU time; at 0.7 it is 1.11 and 1.09.
 * But a table of which a fifth has moved to its end has 0.63, and there 12
 * stripes avoid a growth to 1.52 times its size: the statistics do not tell the
 * two apart, and growth lasts longer than a job.
 */
#define MIN_CORRELATION 0.5

static uint64 spread(TypeCacheEntry *type, int count, Datum value);
static uint64 sum_digits(uint64 number, int base);
static bool column_follows_heap(Relation rel, const BulkparKeyColumn *column);

PG_FUNCTION_INFO_V1(bulkpar_in_stripe);

/* bulkpar_in_stripe(stripes, stripe, VARIADIC key) */
Datum
bulkpar_in_stripe(PG_FUNCTION_ARGS)
{
	TypeCacheEntry **types = fcinfo->flinfo->fn_extra;
	int			count = PG_GETARG_INT32(0);
	uint64		sum = 0;

	if (types == NULL)
	{
		types = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt,
								   sizeof(TypeCacheEntry *) * PG_NARGS());
		for (int i = 2; i < PG_NARGS(); i++)
		{
			Oid			type = get_fn_expr_argtype(fcinfo->flinfo, i);

			types[i] = lookup_type_cache(getBaseType(type),
										 TYPECACHE_HASH_EXTENDED_PROC_FINFO);
		}
		fcinfo->flinfo->fn_extra = types;
	}
	if (count < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be positive", "stripes")));

	for (int i = 2; i < PG_NARGS(); i++)
		sum += spread(types[i], count, PG_GETARG_DATUM(i));
	PG_RETURN_BOOL((int) (sum % count) == PG_GETARG_INT32(1));
}

/* That function, as a condition calls it. */
Oid
bulkpar_stripe_function(void)
{
	Oid			argtypes[] = {INT4OID, INT4OID, ANYOID};

	return bulkpar_books_function("bulkpar_in_stripe",
								  lengthof(argtypes), argtypes);
}

/* Whether the values of a key can be hashed. */
bool
bulkpar_stripe_possible(const BulkparKey *key)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		if (!OidIsValid(key->columns[i].hash->hash_extended_proc))
			return false;
	}
	return true;
}

/* The stripe of a key, from 0 on. */
int
bulkpar_stripe_of_key(const BulkparKey *key, int count, const Datum *values)
{
	uint64		sum = 0;

	Assert(count > 0);
	for (int i = 0; count > 1 && i < key->ncolumns; i++)
		sum += spread(key->columns[i].hash, count, values[i]);
	return (int) (sum % count);
}

/* Whether a table is large enough that its growth matters. */
bool
bulkpar_stripe_matters(Relation rel)
{
	return RelationGetNumberOfBlocks(rel) >= MIN_PAGES;
}

/* Whether the updates of a job on a table leave its indexes alone. */
bool
bulkpar_stripe_can_be_hot(Relation rel, const BulkparJob *job)
{
	Bitmapset  *indexed = RelationGetIndexAttrBitmap(rel,
													 BULKPAR_COMPAT_HOT_BLOCKING);
	Bitmapset  *set = NULL;

	for (int i = 0; i < job->ncolumns; i++)
	{
		AttrNumber	attnum = get_attnum(RelationGetRelid(rel),
										job->column_names[i]);

		if (bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, indexed))
			return false;
		set = bms_add_member(set, attnum);
	}
	for (int i = 1; i <= RelationGetNumberOfAttributes(rel); i++)
	{
		if (bms_is_member(i - FirstLowInvalidHeapAttributeNumber, indexed) &&
			bulkpar_values_generate(rel, i, set))
			return false;
	}
	return true;
}

/*
 * How many stripes are best for a job on a table, which may be a part of its
 * target.  Several only pay where the new versions can be HOT, and where
 * neighbours in the key are neighbours on disk: random keys do as stripes do
 * by themselves.  Where a batch reads a large result of a subquery, it reads
 * that of its whole chunk: 500,000 rows were numbered anew in 7.9 s in 12
 * stripes, in 5.6 s in one.
 */
int
bulkpar_stripe_choose(Relation rel, const BulkparKey *key,
					  const BulkparJob *job)
{
	if (!bulkpar_command_updates(job->command) || !bulkpar_stripe_matters(rel) ||
		!bulkpar_stripe_possible(key) ||
		!bulkpar_stripe_can_be_hot(rel, job) ||
		job->subqueries.joined_rows > (double) MAX_JOINED_BATCHES * job->batch_size ||
		!bulkpar_stripe_follows_heap(rel, key))
		return 1;
	return DEFAULT_STRIPES;
}

/* Whether neighbours in the key are neighbours on disk, more or less. */
bool
bulkpar_stripe_follows_heap(Relation rel, const BulkparKey *key)
{
	return column_follows_heap(rel, &key->columns[0]);
}

/*
 * A number that spreads the values of a column over so many stripes.  Integers
 * come in sequence more often than not.  The sum of their digits gives each
 * stripe as many of the rows on a page as the others, also where the sequence
 * goes in steps; a hash would do so only on average.
 *
 * The collation of the hash is that of bytes: two rows do not have equal keys.
 */
static uint64
spread(TypeCacheEntry *type, int count, Datum value)
{
	if (count > 1 && type->type_id == INT8OID)
		return sum_digits((uint64) DatumGetInt64(value), count);
	if (count > 1 && type->type_id == INT4OID)
		return sum_digits((uint32) DatumGetInt32(value), count);
	if (count > 1 && type->type_id == INT2OID)
		return sum_digits((uint16) DatumGetInt16(value), count);
	if (!OidIsValid(type->hash_extended_proc))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify an extended hash function for type %s",
						format_type_be(type->type_id))));
	return DatumGetUInt64(FunctionCall2Coll(&type->hash_extended_proc_finfo,
											C_COLLATION_OID, value,
											Int64GetDatum(0)));
}

static uint64
sum_digits(uint64 number, int base)
{
	uint64		sum = 0;

	for (; number > 0; number /= base)
		sum += number % base;
	return sum;
}

/*
 * Whether the order of a column is more or less that of the heap.  Without
 * statistics a key that is no uuid is taken for one that was counted up.
 */
static bool
column_follows_heap(Relation rel, const BulkparKeyColumn *column)
{
	HeapTuple	tuple = SearchSysCache3(STATRELATTINH,
										ObjectIdGetDatum(RelationGetRelid(rel)),
										Int16GetDatum(column->attnum),
										BoolGetDatum(false));
	bool		follows = column->type != UUIDOID;
	AttStatsSlot slot;

	if (!HeapTupleIsValid(tuple))
		return follows;
	if (get_attstatsslot(&slot, tuple, STATISTIC_KIND_CORRELATION,
						 InvalidOid, ATTSTATSSLOT_NUMBERS))
	{
		follows = fabs(slot.numbers[0]) >= MIN_CORRELATION;
		free_attstatsslot(&slot);
	}
	ReleaseSysCache(tuple);
	return follows;
}

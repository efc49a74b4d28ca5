/*-------------------------------------------------------------------------
 *
 * memory.c
 *		Other tables that a worker remembers.
 *
 * One statement that looks its rows up in another table hashes that once.  The
 * batches of a job are many, and each must see the other table as it is by then,
 * so they look each row up by an index, which takes some six times as long.  Where
 * the other table has not changed a worker need not: it keeps a hash of it, with
 * the columns that are used, from one batch to the next.
 *
 * That a table has not changed is proven, not believed.  All its pages were in
 * the visibility map as such whose rows all can see.  Who changes a page takes it
 * out of the map before that can be seen, and whoever puts it back gives the page
 * of the map another LSN.  So as long as the map has the same LSNs, and all pages
 * of as many as there were, each snapshot sees the rows that were read.  What is
 * kept of subqueries never changes.
 *
 * A table is read when so many rows have been looked up in it that this would have
 * been worth it, and again when it has changed and as many have been looked up
 * since.  So what is read in vain takes no longer than the look-ups, however many
 * rows the table was believed to have.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/memory.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/visibilitymap.h"
#include "catalog/catalog.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/bufmgr.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "table/memory.h"
#include "table/vismap.h"

/*
 * To look a row up by an index takes as much longer than in memory as it takes to
 * read and hash so many.  Measured with 100,000 rows: 0.9 us and 0.2 us, and
 * 0.12 us for each row that is hashed.
 */
#define ROWS_PER_LOOKUP 6

/* How many rows are looked up otherwise before it is asked whether that is so. */
#define MISSES_PER_LOOK 1024

/* A row, which is followed by its columns. */
typedef struct Row
{
	uint32		hash;
	int			next;			/* with that hash or another; -1: none */
	uint32		nulls;			/* a bit for each column */
	ItemPointerData place;
} Row;

#define MAX_COLUMNS 32			/* that have a bit */

#define COLUMNS_OF(row) \
	((Datum *) ((char *) (row) + MAXALIGN(sizeof(Row))))

struct BulkparMemory
{
	Oid			relid;
	bool		kept;			/* it never changes */
	List	   *keys;			/* by which rows are found, ... */
	List	   *functions;		/* ... which hash them, ... */
	List	   *collations;		/* ... by these */
	List	   *columns;		/* of each row, the keys among them */
	double		missed;			/* rows looked up otherwise since the last try
								 * has paid for itself, ... */
	uint64		misses;			/* ... and in all */
	int			users;			/* statements that are running */

	/* what is remembered, if anything is */
	MemoryContext context;		/* NULL: nothing */
	bool		stale;			/* somebody has altered the table */
	BlockNumber npages;
	XLogRecPtr *map;			/* the LSNs of the pages of its map */
	int			nrows;
	int			size;
	Size		bytes;			/* of what values point to */
	char	   *rows;
	uint32		mask;			/* of a hash for its list, ... */
	int		   *lists;			/* ... each by its first row */
};

/* A table that is being read. */
typedef struct Reading
{
	BulkparMemory *memory;
	TupleDesc	columns;
	FmgrInfo   *functions;		/* of the keys */
	MemoryContext hashing;
} Reading;

/* All that this process has, never freed. */
static List *memories = NIL;

static bool is_due(const BulkparMemory *memory, Relation rel);
static bool can_be_remembered(const BulkparMemory *memory, Relation rel);
static void forget_altered(Datum arg, Oid relid);
static void use(BulkparMemory *memory, MemoryContext user);
static void end_use(void *arg);
static void discard(BulkparMemory *memory);
static void forgotten(void *arg);
static bool is_unchanged(const BulkparMemory *memory, Relation rel);
static Size row_size(const BulkparMemory *memory);
static double expected_rows(Relation rel);
static void read_table(BulkparMemory *memory, Relation rel, Snapshot snapshot);
static bool remember_rows(BulkparMemory *memory, Relation rel, Snapshot snapshot);
static bool remember_row(Reading *reading, TupleTableSlot *slot);
static bool hash_row(Reading *reading, TupleTableSlot *slot, uint32 *hash);
static void make_lists(BulkparMemory *memory);

/* A row of those remembered, by its number. */
static inline Row *
get_row(const BulkparMemory *memory, int number)
{
	return (Row *) (memory->rows + row_size(memory) * number);
}

/*
 * What there is to be remembered of a table, whose rows are found by the hashes
 * of some columns; the functions and collations are by OID.
 */
BulkparMemory *
bulkpar_memory_of(Oid relid, bool kept, List *keys, List *functions,
				  List *collations, List *columns)
{
	static bool registered = false;
	MemoryContext oldcontext;
	BulkparMemory *memory;
	ListCell   *lc;

	foreach(lc, memories)
	{
		memory = lfirst(lc);
		if (memory->relid == relid && memory->kept == kept &&
			equal(memory->keys, keys) &&
			equal(memory->functions, functions) &&
			equal(memory->collations, collations) &&
			equal(memory->columns, columns))
			return memory;
	}
	if (!registered)
		CacheRegisterRelcacheCallback(forget_altered, (Datum) 0);
	registered = true;
	oldcontext = MemoryContextSwitchTo(TopMemoryContext);
	memory = palloc0(sizeof(BulkparMemory));
	memory->relid = relid;
	memory->kept = kept;
	memory->keys = list_copy(keys);
	memory->functions = list_copy(functions);
	memory->collations = list_copy(collations);
	memory->columns = list_copy(columns);
	memories = lappend(memories, memory);
	MemoryContextSwitchTo(oldcontext);
	return memory;
}

/*
 * Whether the table is remembered as a snapshot, which is the active one or has
 * just been taken, sees it: until that context of its user is reset.  If enough
 * rows have been looked up otherwise it is read for that.
 */
bool
bulkpar_memory_is_right(BulkparMemory *memory, Relation rel,
						Snapshot snapshot, MemoryContext user)
{
	if (memory->context != NULL && is_unchanged(memory, rel))
	{
		use(memory, user);
		return true;
	}
	if (memory->users > 0 || !is_due(memory, rel))
		return false;
	discard(memory);
	memory->missed = 0;
	if (!can_be_remembered(memory, rel))
		return false;
	read_table(memory, rel, snapshot);
	if (memory->context == NULL)
	{
		memory->missed = -memory->nrows / ROWS_PER_LOOKUP;
		return false;
	}
	use(memory, user);
	return true;
}

/* Whether it would be remembered, if it stays as it is, once that pays. */
bool
bulkpar_memory_would_be_right(BulkparMemory *memory, Relation rel)
{
	BlockNumber npages = RelationGetNumberOfBlocks(rel);
	BlockNumber visible;

	if (!can_be_remembered(memory, rel))
		return false;
	visibilitymap_count(rel, &visible, NULL);
	return memory->kept || visible == npages;
}

/*
 * Note that a row is looked up in the table, since it is not remembered; true if
 * that should be asked again, as those that follow may pay for it.
 */
bool
bulkpar_memory_miss(BulkparMemory *memory, Relation rel)
{
	memory->missed++;
	return memory->misses++ % MISSES_PER_LOOK == MISSES_PER_LOOK - 1 &&
		is_due(memory, rel);
}

/* Functions by OID, ready to be called, in the current memory context. */
FmgrInfo *
bulkpar_memory_functions(const List *functions)
{
	FmgrInfo   *result = palloc(sizeof(FmgrInfo) * list_length(functions));
	ListCell   *lc;

	foreach(lc, functions)
		fmgr_info(lfirst_oid(lc), &result[foreach_current_index(lc)]);
	return result;
}

/*
 * The hash of several values, none of them null, one after the other; begins with
 * 0.  The function is called in the current memory context.
 */
uint32
bulkpar_memory_add_hash(uint32 hash, FmgrInfo *function, Oid collation,
						Datum value)
{
	Datum		value_hash = FunctionCall1Coll(function, collation, value);

	return murmurhash32(hash_combine(hash, DatumGetUInt32(value_hash)));
}

/* The first row with a hash, by its number; -1 if there is none. */
int
bulkpar_memory_first(const BulkparMemory *memory, uint32 hash)
{
	int			number = memory->lists[hash & memory->mask];

	while (number >= 0 && get_row(memory, number)->hash != hash)
		number = get_row(memory, number)->next;
	return number;
}

/* The next one with the same hash. */
int
bulkpar_memory_next(const BulkparMemory *memory, int row)
{
	uint32		hash = get_row(memory, row)->hash;
	int			number = row;

	do
		number = get_row(memory, number)->next;
	while (number >= 0 && get_row(memory, number)->hash != hash);
	return number;
}

/* Put a row into a slot for rows of the table, without what is not remembered. */
void
bulkpar_memory_store(const BulkparMemory *memory, int row,
					 TupleTableSlot *slot)
{
	Row		   *from = get_row(memory, row);
	const Datum *values = COLUMNS_OF(from);
	ListCell   *lc;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true,
		   slot->tts_tupleDescriptor->natts * sizeof(bool));
	foreach(lc, memory->columns)
	{
		int			i = foreach_current_index(lc);

		slot->tts_values[lfirst_int(lc) - 1] = values[i];
		slot->tts_isnull[lfirst_int(lc) - 1] = (from->nulls >> i) & 1;
	}
	ExecStoreVirtualTuple(slot);
	slot->tts_tid = from->place;
	slot->tts_tableOid = memory->relid;
}

/* Whether so many rows have been looked up that it pays to read the table. */
static bool
is_due(const BulkparMemory *memory, Relation rel)
{
	return memory->missed * ROWS_PER_LOOKUP >= expected_rows(rel);
}

/*
 * Whether it can be proven that a table has not changed.  Rows of catalogs are
 * changed in place, without a word to the visibility map.
 */
static bool
can_be_remembered(const BulkparMemory *memory, Relation rel)
{
	return rel->rd_rel->relam == HEAP_TABLE_AM_OID &&
		!IsCatalogRelation(rel) &&
		list_length(memory->columns) <= MAX_COLUMNS &&
		(memory->kept || RelationIsPermanent(rel)) &&
		expected_rows(rel) * row_size(memory) <= get_hash_memory_limit();
}

/* What is remembered of a table that was altered is not used again. */
static void
forget_altered(Datum arg, Oid relid)
{
	ListCell   *lc;

	foreach(lc, memories)
	{
		BulkparMemory *memory = lfirst(lc);

		if (relid == InvalidOid || memory->relid == relid)
			memory->stale = true;
	}
}

/* What is used stays until all who use it have ended, however that is. */
static void
use(BulkparMemory *memory, MemoryContext user)
{
	MemoryContextCallback *callback =
		MemoryContextAlloc(user, sizeof(MemoryContextCallback));

	callback->func = end_use;
	callback->arg = memory;
	MemoryContextRegisterResetCallback(user, callback);
	memory->users++;
}

static void
end_use(void *arg)
{
	((BulkparMemory *) arg)->users--;
}

static void
discard(BulkparMemory *memory)
{
	if (memory->context != NULL)
		MemoryContextDelete(memory->context);
}

static void
forgotten(void *arg)
{
	((BulkparMemory *) arg)->context = NULL;
}

/* Whether a table has the rows that were read. */
static bool
is_unchanged(const BulkparMemory *memory, Relation rel)
{
	Size		size;
	XLogRecPtr *map;
	bool		same;

	if (memory->stale)
		return false;
	if (memory->kept)
		return true;
	size = sizeof(XLogRecPtr) * bulkpar_vismap_pages(memory->npages);
	map = palloc(size);
	same = bulkpar_vismap_read(rel, memory->npages, map) &&
		memcmp(map, memory->map, size) == 0;
	pfree(map);
	return same;
}

static Size
row_size(const BulkparMemory *memory)
{
	return MAXALIGN(sizeof(Row)) +
		sizeof(Datum) * list_length(memory->columns);
}

/* As VACUUM has last counted them; few are on a page if it never has. */
static double
expected_rows(Relation rel)
{
	return Max(rel->rd_rel->reltuples,
			   (double) RelationGetNumberOfBlocks(rel));
}

/*
 * Read a table, if that is of use and all of it may be kept in memory: by a worker
 * as long as that lives, by a caller who tries a few batches until they are undone.
 */
static void
read_table(BulkparMemory *memory, Relation rel, Snapshot snapshot)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "bulkpar memory",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	MemoryContextCallback *callback;
	bool		complete;

	memory->stale = false;
	memory->nrows = 0;
	memory->npages = RelationGetNumberOfBlocks(rel);
	memory->map = palloc(sizeof(XLogRecPtr) *
						 bulkpar_vismap_pages(memory->npages));
	complete = (memory->kept ||
				bulkpar_vismap_read(rel, memory->npages, memory->map)) &&
		remember_rows(memory, rel, snapshot);
	MemoryContextSwitchTo(oldcontext);
	if (complete)
	{
		callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
		callback->func = forgotten;
		callback->arg = memory;
		MemoryContextRegisterResetCallback(context, callback);
		MemoryContextSetParent(context,
							   MyBackendType == B_BG_WORKER ?
							   TopMemoryContext : CurTransactionContext);
		memory->context = context;
	}
	else
		MemoryContextDelete(context);
}

/* Read the rows, as the snapshot sees them.  False if they are too many. */
static bool
remember_rows(BulkparMemory *memory, Relation rel, Snapshot snapshot)
{
	TableScanDesc scan = table_beginscan_strat(rel, snapshot, 0, NULL, true,
											   true);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	Reading		reading = {
		.memory = memory,
		.columns = RelationGetDescr(rel),
		.functions = bulkpar_memory_functions(memory->functions),
		.hashing = AllocSetContextCreate(CurrentMemoryContext,
										 "bulkpar hashing",
										 ALLOCSET_SMALL_SIZES)
	};
	bool		fits = true;

	memory->size = 0;
	memory->bytes = 0;
	while (fits && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		fits = remember_row(&reading, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	MemoryContextDelete(reading.hashing);
	if (fits)
		make_lists(memory);
	return fits;
}

/* Add a row, if it can be found.  False if there is no room for it. */
static bool
remember_row(Reading *reading, TupleTableSlot *slot)
{
	BulkparMemory *memory = reading->memory;
	uint32		hash;
	Row		   *row;
	ListCell   *lc;

	slot_getallattrs(slot);
	if (!hash_row(reading, slot, &hash))
		return true;
	if (memory->nrows == memory->size)
	{
		memory->size = Max(1024, memory->size * 2);
		memory->rows = memory->nrows == 0 ?
			MemoryContextAllocHuge(CurrentMemoryContext,
								   row_size(memory) * memory->size) :
			repalloc_huge(memory->rows, row_size(memory) * memory->size);
	}
	row = get_row(memory, memory->nrows++);
	row->hash = hash;
	row->nulls = 0;
	row->place = slot->tts_tid;
	foreach(lc, memory->columns)
	{
		int			i = lfirst_int(lc) - 1;
		Form_pg_attribute column = TupleDescAttr(reading->columns, i);
		Datum		value = slot->tts_values[i];

		if (slot->tts_isnull[i])
			row->nulls |= (uint32) 1 << foreach_current_index(lc);
		else if (!column->attbyval)
		{
			value = datumCopy(value, false, column->attlen);
			memory->bytes += GetMemoryChunkSpace(DatumGetPointer(value));
		}
		COLUMNS_OF(row)[foreach_current_index(lc)] = value;
	}
	return memory->nrows < INT_MAX / 4 && memory->bytes +
		(row_size(memory) + sizeof(int)) * memory->nrows <=
		get_hash_memory_limit();
}

/* The hash of the keys of a row.  False if one is null: nothing is equal to that. */
static bool
hash_row(Reading *reading, TupleTableSlot *slot, uint32 *hash)
{
	const BulkparMemory *memory = reading->memory;
	MemoryContext oldcontext = MemoryContextSwitchTo(reading->hashing);
	bool		found = true;
	ListCell   *lc;

	*hash = 0;
	foreach(lc, memory->keys)
	{
		int			i = foreach_current_index(lc);
		int			column = lfirst_int(lc) - 1;

		if (slot->tts_isnull[column])
		{
			found = false;
			break;
		}
		*hash = bulkpar_memory_add_hash(*hash, &reading->functions[i],
										list_nth_oid(memory->collations, i),
										slot->tts_values[column]);
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(reading->hashing);
	return found;
}

/* Put the rows into lists, by their hash. */
static void
make_lists(BulkparMemory *memory)
{
	uint32		nlists = pg_nextpower2_32(Max(memory->nrows, 16));

	memory->mask = nlists - 1;
	memory->lists = MemoryContextAllocHuge(CurrentMemoryContext,
										   sizeof(int) * (Size) nlists);
	for (uint32 i = 0; i < nlists; i++)
		memory->lists[i] = -1;
	for (int i = 0; i < memory->nrows; i++)
	{
		Row		   *row = get_row(memory, i);
		int		   *list = &memory->lists[row->hash & memory->mask];

		row->next = *list;
		*list = i;
	}
}

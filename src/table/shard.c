/*-------------------------------------------------------------------------
 *
 * shard.c
 *		A table that is a shard of Citus, and whether it is still here.
 *
 * Citus moves a shard to another node while it is written to: it copies the
 * rows, lets logical replication follow, and at the end keeps writers out by a
 * lock on the metadata of the shard, waits for what they have written, and says
 * that the shard is elsewhere.  Statements that come through Citus respect that
 * lock, and so must a batch, which does not.  It holds it in the mode of a writer
 * and looks, when it has it, whether the shard is still placed here: what it did
 * to what Citus has left behind would be lost.
 *
 * What Citus waits for is what has been written of the WAL.  A commit that is not
 * waited for may not be in that yet, so while a shard is published, which it is
 * when it moves, its batches commit synchronously.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/shard.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_namespace.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "table/shard.h"

static int	compare_shards(const void *a, const void *b);
static void refuse_moved(int64 shard);
static void refuse_copied(int64 shard);

/* Whether a table can be one: Citus has its catalogs in this database. */
bool
bulkpar_shard_is_possible(void)
{
	return OidIsValid(get_relname_relid("pg_dist_shard",
										PG_CATALOG_NAMESPACE));
}

/* The number that a shard of such a name would have; 0 for none. */
int64
bulkpar_shard_number(Oid relid)
{
	const char *name = get_rel_name(relid);
	const char *digits = name == NULL ? NULL : strrchr(name, '_');
	char	   *end;
	int64		number;

	if (digits == NULL || digits[1] < '1' || digits[1] > '9')
		return 0;
	errno = 0;
	number = strtoi64(digits + 1, &end, 10);
	return errno != 0 || *end != '\0' ? 0 : number;
}

/*
 * Keep these shards where they are to the end of the transaction, which may have
 * to wait for a move that is about to end.  An error if one is not here any more,
 * or not only here.  A snapshot that is to see their rows must be taken afterwards.
 */
void
bulkpar_shard_guard(const int64 *shards, int count)
{
	static BulkparQuery lock = {
		.sql =
		"SELECT pg_catalog.lock_shard_metadata(5, ARRAY[s.shardid]) "
		"FROM pg_catalog.pg_dist_shard s WHERE s.shardid = $shard"
	};
	static BulkparQuery look = {
		.read_only = true,
		.sql =
		"SELECT (SELECT count(*) FROM pg_catalog.pg_dist_placement c "
		"WHERE c.shardid = p.shardid AND c.shardstate = 1) AS copies "
		"FROM pg_catalog.pg_dist_placement p "
		"JOIN pg_catalog.pg_dist_local_group g ON g.groupid = p.groupid "
		"WHERE p.shardid = $shard AND p.shardstate = 1"
	};
	int64	   *sorted = palloc(sizeof(int64) * count);
	BulkparBookkeeping books;

	if (!bulkpar_shard_is_possible())
		refuse_moved(shards[0]);
	/* In the order in which Citus locks them. */
	memcpy(sorted, shards, sizeof(int64) * count);
	qsort(sorted, count, sizeof(int64), compare_shards);
	bulkpar_bookkeeping_enter(&books);
	for (int i = 0; i < count; i++)
	{
		bulkpar_argument_int64(&books, "shard", sorted[i]);
		(void) bulkpar_bookkeeping_run(&books, &lock);
	}
	bulkpar_bookkeeping_see_latest();
	for (int i = 0; i < count; i++)
	{
		bulkpar_argument_int64(&books, "shard", sorted[i]);
		if (bulkpar_bookkeeping_run(&books, &look) == 0)
			refuse_moved(sorted[i]);
		if (bulkpar_column_int64(&books, "copies") > 1)
			refuse_copied(sorted[i]);
	}
	bulkpar_bookkeeping_leave(&books);
	pfree(sorted);
}

static int
compare_shards(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return left < right ? -1 : left > right ? 1 : 0;
}

static void
refuse_moved(int64 shard)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("shard " INT64_FORMAT " is not on this node any more",
					shard),
			 errdetail("Citus has moved, split or dropped it."),
			 errhint("Cancel the job, and begin another with a condition for the rows that are left.")));
}

static void
refuse_copied(int64 shard)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("shard " INT64_FORMAT " is on other nodes as well now",
					shard),
			 errdetail("The copies would differ."),
			 errhint("Cancel the job, and change the rows that are left by plain statements, which Citus runs on all copies.")));
}

/*
 * The last thing before a batch on a shard commits: let that be on disk if
 * the shard is published.  Who publishes it after this look waits for us.
 */
void
bulkpar_shard_settle(Oid relid)
{
	CatCList   *publications;

	AcceptInvalidationMessages();
	publications = SearchSysCacheList1(PUBLICATIONRELMAP,
									   ObjectIdGetDatum(relid));
	if (publications->n_members > 0)
		ForceSyncCommit();
	ReleaseSysCacheList(publications);
}

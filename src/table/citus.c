/*-------------------------------------------------------------------------
 *
 * citus.c
 *		Tables that Citus manages.
 *
 * Citus plans statements on its tables for other tables, on other nodes, and
 * sends what is changed there with a commit of its own.  Neither goes together
 * with batches.  What it manages is in catalogs of its own; a shard is a table
 * like any other on the node that has it, and can be changed there if no other
 * node has a copy of it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/citus.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "table/citus.h"
#include "table/shard.h"

/* How Citus manages a table. */
typedef enum CitusKind
{
	KIND_NONE,					/* not at all */
	KIND_DISTRIBUTED,			/* its rows are in shards */
	KIND_SINGLE,				/* in one shard */
	KIND_REFERENCE,				/* each node has all of them */
	KIND_LOCAL					/* in one shard, on the coordinator of Citus */
} CitusKind;

typedef struct CitusTable
{
	CitusKind	kind;
	int64		shard;			/* that the table is; 0 if it is the whole */
	int64		copies;			/* most of a shard */
	char	   *column;			/* by which rows are distributed; or NULL */
	char	   *first;			/* shard, and */
	char	   *node;			/* where it is; NULL if that is not known */
} CitusTable;

static bool is_spread(const CitusTable *managed);
static bool add_nodes(BulkparJob *job, Oid relid);
static void check_node(const BulkparBookkeeping *books, Oid relid);
static bool has_shard(const BulkparJob *job, const BulkparNode *node,
					  const char *remote);
static void find_managed(Oid relid, CitusTable *managed);
static CitusKind kind_of(const BulkparBookkeeping *books);
static void refuse_copies(Oid relid, const CitusTable *managed);
static void refuse_table(Oid relid, const CitusTable *managed);
static void check_distribution(const BulkparJob *job, Oid relid,
							   const CitusTable *managed);

/*
 * Add the nodes that have the shards of a table, on which we have a lock, to those
 * of a job.  False if it has none, or if other nodes have them as well.
 */
bool
bulkpar_citus_add(BulkparJob *job, Oid relid)
{
	CitusTable	managed;

	if (!bulkpar_shard_is_possible())
		return false;
	find_managed(relid, &managed);
	if (!is_spread(&managed))
		return false;
	check_distribution(job, relid, &managed);
	return add_nodes(job, relid);
}

/*
 * An error if a node does not have a shard of the job any more.  The texts of the
 * job may be those of a table that is gone here.
 */
void
bulkpar_citus_recheck(const BulkparJob *job, const BulkparNode *node)
{
	for (int i = 0; i < node->nremote; i++)
	{
		if (!has_shard(job, node, node->remote[i]))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("shard %s of node \"%s\" is no part of the job any more",
							node->remote[i], node->server_name),
					 errdetail("Citus has moved, split or dropped it since the job was made, or the table was renamed."),
					 errhint("Undo it if it was renamed and resume the job, or cancel that and begin another with a condition for the rows that are left.")));
	}
}

/*
 * An error if the rows of a table of a job are not those of just this table on
 * just this node, or if the job would move them to another shard.  Returns the
 * number of the shard that it is, 0 for none.
 */
int64
bulkpar_citus_check(const BulkparJob *job, Oid relid)
{
	CitusTable	managed;

	if (!bulkpar_shard_is_possible())
		return 0;
	find_managed(relid, &managed);
	if (managed.kind == KIND_NONE)
		return 0;
	if (managed.kind == KIND_REFERENCE || managed.copies > 1)
		refuse_copies(relid, &managed);
	if (managed.shard == 0)
		refuse_table(relid, &managed);
	check_distribution(job, relid, &managed);
	bulkpar_shard_guard(&managed.shard, 1);
	return managed.shard;
}

/*
 * The same for a part of a job that is at work.  A table that Citus takes over
 * becomes a shard with all its rows, which may get copies that we know nothing of.
 */
void
bulkpar_citus_recheck_part(const BulkparJob *job, int part)
{
	Oid			relid = job->parts[part].relid;

	if (job->parts[part].shard != 0 || bulkpar_citus_check(job, relid) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" has become a shard of Citus since the job was made",
					get_rel_name(relid)),
			 errhint("Cancel the job, and begin another with a condition for the rows that are left.")));
}

/* An error if Citus manages a table into which a job inserts rows. */
void
bulkpar_citus_check_inserted(Oid relid)
{
	CitusTable	managed;

	if (!bulkpar_shard_is_possible())
		return;
	find_managed(relid, &managed);
	if (managed.kind != KIND_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("rows cannot be inserted into table \"%s\" of Citus in batches",
						get_rel_name(relid)),
				 errdetail("What is changed on another node does not commit together with the progress of the job, and a shard may move.")));
}

/* Whether each row of a table is in one shard, on one node. */
static bool
is_spread(const CitusTable *managed)
{
	return (managed->kind == KIND_DISTRIBUTED ||
			managed->kind == KIND_SINGLE) &&
		managed->shard == 0 && managed->copies <= 1;
}

/* The nodes that have the shards of a table, with what these are called in SQL. */
#define SHARDS_OF_NODES \
	"SELECT d.nodeid, d.nodename || ':' || d.nodeport AS node, " \
	"d.isactive AND d.metadatasynced AS ready, " \
	"CASE c.relnamespace WHEN 'public'::regnamespace THEN 'public.' " \
	"ELSE '' END || pg_catalog.shard_name(s.logicalrelid, s.shardid) AS name, " \
	"s.shardid " \
	"FROM pg_catalog.pg_dist_shard s " \
	"JOIN pg_catalog.pg_class c ON c.oid = s.logicalrelid " \
	"LEFT JOIN (pg_catalog.pg_dist_placement l " \
	"JOIN pg_catalog.pg_dist_node d ON d.groupid = l.groupid " \
	"AND d.noderole = 'primary') ON l.shardid = s.shardid " \
	"AND l.shardstate = 1 WHERE s.logicalrelid = $relation"

/* False if it has no shards at all. */
static bool
add_nodes(BulkparJob *job, Oid relid)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql = SHARDS_OF_NODES " ORDER BY d.nodeid, s.shardid"
	};
	MemoryContext context = CurrentMemoryContext;
	BulkparBookkeeping books;
	uint64		count;

	bulkpar_bookkeeping_enter(&books);
	bulkpar_argument_oid(&books, "relation", relid);
	count = bulkpar_bookkeeping_run(&books, &find);
	MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < count; i++)
	{
		BulkparNode *node;

		bulkpar_bookkeeping_look_at(&books, i);
		check_node(&books, relid);
		node = bulkpar_node_of(&job->nodes, &job->nnodes, InvalidOid,
							   bulkpar_column_int32(&books, "nodeid"));
		node->server_name = bulkpar_column_text(&books, "node");
		node->workers = job->workers_chosen ? 0 : job->workers;
		bulkpar_node_add_table(node, relid,
							   bulkpar_column_text(&books, "name"));
	}
	bulkpar_bookkeeping_leave(&books);
	MemoryContextSwitchTo(context);
	return count > 0;
}

/* A node must know its shards, or a batch there would not look for a move. */
static void
check_node(const BulkparBookkeeping *books, Oid relid)
{
	if (bulkpar_column_is_null(books, "node"))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("shard " INT64_FORMAT " of table \"%s\" is on no node",
						bulkpar_column_int64(books, "shardid"),
						get_rel_name(relid))));
	if (!bulkpar_column_bool(books, "ready"))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("node \"%s\" of Citus does not have the metadata of table \"%s\"",
						bulkpar_column_text(books, "node"),
						get_rel_name(relid)),
				 errhint("Use start_metadata_sync_to_node, or activate the node.")));
}

/* Whether a target of the job has that shard on a node. */
static bool
has_shard(const BulkparJob *job, const BulkparNode *node, const char *remote)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT FROM (" SHARDS_OF_NODES ") s "
		"WHERE s.nodeid = $citus_node AND s.name = $name"
	};
	int			ntargets;
	const Oid  *targets = bulkpar_job_targets(job, &ntargets);
	bool		found = false;

	for (int i = 0; i < ntargets && !found; i++)
	{
		BulkparBookkeeping books;

		bulkpar_bookkeeping_enter(&books);
		bulkpar_argument_oid(&books, "relation", targets[i]);
		bulkpar_argument_int32(&books, "citus_node", node->citus_node);
		bulkpar_argument_text(&books, "name", remote);
		found = bulkpar_bookkeeping_run(&books, &find) > 0;
		bulkpar_bookkeeping_leave(&books);
	}
	return found;
}

/* See whether and how Citus manages a table, in the current memory context. */
static void
find_managed(Oid relid, CitusTable *managed)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT m.shard, p.partmethod::text AS method, "
		"p.repmodel::text AS replication, "
		"p.colocationid <> 0 AS colocated, "
		"CASE WHEN p.partkey IS NOT NULL THEN pg_catalog.column_to_column_name("
		"p.logicalrelid, p.partkey) END AS column_name, c.copies, "
		"f.name AS first, f.node "
		"FROM (SELECT s.logicalrelid, s.shardid AS shard "
		"FROM pg_catalog.pg_dist_shard s WHERE s.shardid = $shard "
		"AND pg_catalog.relation_is_a_known_shard($relation) "
		"UNION ALL SELECT $relation, 0) m "
		"JOIN pg_catalog.pg_dist_partition p ON p.logicalrelid = m.logicalrelid, "
		"LATERAL (SELECT coalesce(max(n), 0) AS copies FROM (SELECT count(*) AS n "
		"FROM pg_catalog.pg_dist_shard s "
		"JOIN pg_catalog.pg_dist_placement l ON l.shardid = s.shardid "
		"WHERE s.logicalrelid = p.logicalrelid AND m.shard IN (0, s.shardid) "
		"AND l.shardstate = 1 GROUP BY s.shardid) r) c "
		"LEFT JOIN LATERAL (SELECT pg_catalog.shard_name(s.logicalrelid, "
		"s.shardid)::text AS name, d.nodename || ':' || d.nodeport AS node "
		"FROM pg_catalog.pg_dist_shard s "
		"LEFT JOIN pg_catalog.pg_dist_placement l ON l.shardid = s.shardid "
		"LEFT JOIN pg_catalog.pg_dist_node d ON d.groupid = l.groupid "
		"AND d.noderole = 'primary' "
		"WHERE s.logicalrelid = p.logicalrelid ORDER BY s.shardid LIMIT 1) f ON true "
		"ORDER BY m.shard DESC LIMIT 1"
	};
	BulkparBookkeeping books;

	memset(managed, 0, sizeof(CitusTable));
	bulkpar_bookkeeping_enter(&books);
	bulkpar_argument_oid(&books, "relation", relid);
	bulkpar_argument_int64(&books, "shard", bulkpar_shard_number(relid));
	if (bulkpar_bookkeeping_run(&books, &find) > 0)
	{
		managed->kind = kind_of(&books);
		managed->shard = bulkpar_column_int64(&books, "shard");
		managed->copies = bulkpar_column_int64(&books, "copies");
		managed->column = bulkpar_column_text(&books, "column_name");
		managed->first = bulkpar_column_text(&books, "first");
		managed->node = bulkpar_column_text(&books, "node");
	}
	bulkpar_bookkeeping_leave(&books);
}

/* As Citus itself tells them from each other. */
static CitusKind
kind_of(const BulkparBookkeeping *books)
{
	if (strcmp(bulkpar_column_text(books, "method"), "n") != 0)
		return KIND_DISTRIBUTED;
	if (strcmp(bulkpar_column_text(books, "replication"), "t") == 0)
		return KIND_REFERENCE;
	return bulkpar_column_bool(books, "colocated") ? KIND_SINGLE : KIND_LOCAL;
}

/* Batches commit on their own, so a crash would let copies differ for good. */
static void
refuse_copies(Oid relid, const CitusTable *managed)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 managed->kind == KIND_REFERENCE ?
			 errmsg("table \"%s\" is %s reference table of Citus",
					get_rel_name(relid),
					managed->shard == 0 ? "a" : "a copy of a") :
			 errmsg("table \"%s\" has more than one copy of its rows in Citus",
					get_rel_name(relid)),
			 errdetail("The copies would differ when a node fails."),
			 errhint("Change it by plain statements, which Citus runs on all copies.")));
}

/* The rows of a table are those of its shards. */
static void
refuse_table(Oid relid, const CitusTable *managed)
{
	if (managed->kind == KIND_DISTRIBUTED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" is distributed by Citus",
						get_rel_name(relid)),
				 errhint("Call the function for its shards, on each node that has some: SELECT * FROM citus_shards.")));
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 managed->kind == KIND_SINGLE ?
			 errmsg("table \"%s\" is distributed by Citus as a single shard",
					get_rel_name(relid)) :
			 errmsg("table \"%s\" is a local table that Citus manages",
					get_rel_name(relid)),
			 managed->first == NULL || managed->node == NULL ? 0 :
			 errhint("Call the function for its shard, %s, on node %s.",
					 managed->first, managed->node)));
}

/* A row whose distribution column changes belongs to another shard. */
static void
check_distribution(const BulkparJob *job, Oid relid, const CitusTable *managed)
{
	for (int i = 0; i < job->ncolumns && managed->column != NULL; i++)
	{
		if (strcmp(job->column_names[i], managed->column) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot update column \"%s\" in batches because Citus distributes table \"%s\" by it",
							managed->column, get_rel_name(relid))));
	}
}

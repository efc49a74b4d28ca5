/*-------------------------------------------------------------------------
 *
 * measure.c
 *		The rows of a table, its space, and who keeps it from being reused.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/measure.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/smgr.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "compat.h"
#include "table/measure.h"

PG_FUNCTION_INFO_V1(bulkpar_xmin_holders);

static int64 bytes_of_indexes(Relation rel);
static int64 bytes_of_files(Relation rel);

/*
 * Estimate the rows of a table, which must be locked, and see how many pages it
 * has and for how many rows the planner takes it.  The planner takes bloat for
 * rows, and guesses what was never analyzed; the counter of live rows knows
 * better, unless it has been reset.  Of more rows than the planner it is not to
 * be believed after ANALYZE, which may count rows that a session then reports
 * once more.
 */
double
bulkpar_measure_rows(Oid relid, BlockNumber *pages, double *planner_rows)
{
	Relation	rel = table_open(relid, NoLock);
	double		live = bulkpar_compat_live_tuples(relid);
	double		analyzed = rel->rd_rel->reltuples;
	double		allvisfrac;

	/* That takes an empty table for one of ten pages. */
	estimate_rel_size(rel, NULL, pages, planner_rows, &allvisfrac);
	*pages = RelationGetNumberOfBlocks(rel);
	table_close(rel, NoLock);
	if (live > 0 && (analyzed < 0 ||
					 (live < *planner_rows && live >= analyzed / 2)))
		return live;
	return *planner_rows;
}

/*
 * Measure a table and add it to the sum, unless somebody has it locked or it
 * does not exist.  Must be called in a transaction, to whose end the table
 * stays locked.
 */
void
bulkpar_measure_space(Oid relid, BulkparJobSpace *space)
{
	Relation	rel;
	Relation	toast;

	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return;
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		return;
	space->known = true;
	space->table_bytes += bytes_of_files(rel);
	space->index_bytes += bytes_of_indexes(rel);
	if (OidIsValid(rel->rd_rel->reltoastrelid))
	{
		toast = relation_open(rel->rd_rel->reltoastrelid, AccessShareLock);
		space->table_bytes += bytes_of_files(toast) + bytes_of_indexes(toast);
		relation_close(toast, AccessShareLock);
	}
	relation_close(rel, NoLock);
	space->dead_rows += bulkpar_compat_dead_tuples(relid);
}

static int64
bytes_of_indexes(Relation rel)
{
	int64		bytes = 0;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = relation_open(lfirst_oid(lc), AccessShareLock);

		bytes += bytes_of_files(index);
		relation_close(index, AccessShareLock);
	}
	return bytes;
}

/*
 * The bytes of a table or index without what belongs to it, as pg_table_size and
 * pg_indexes_size count them.  These ask for each file by its name, and for those
 * that cannot be there, too.  Of 367 partitions that took the worker that plans
 * their job six times as long as by the files that it has open anyway.
 */
static int64
bytes_of_files(Relation rel)
{
	int64		blocks = 0;

	if (!RELKIND_HAS_STORAGE(rel->rd_rel->relkind))
		return 0;
	for (ForkNumber fork = MAIN_FORKNUM; fork <= MAX_FORKNUM; fork++)
	{
		if ((fork == VISIBILITYMAP_FORKNUM &&
			 rel->rd_rel->relkind == RELKIND_INDEX) ||
			(fork == INIT_FORKNUM &&
			 rel->rd_rel->relpersistence != RELPERSISTENCE_UNLOGGED))
			continue;
		if (fork == MAIN_FORKNUM || smgrexists(RelationGetSmgr(rel), fork))
			blocks += smgrnblocks(RelationGetSmgr(rel), fork);
	}
	return blocks * BLCKSZ;
}

/*
 * Who holds back the removal of dead rows, as text; NULL if nobody does.  What
 * is said of the sessions of others is what the current user may see of them.
 * The session with that pid counts even if it has just begun; 0 for none.
 *
 * The name of a prepared transaction can be anything, in a message for
 * somebody else whose encoding may lack its characters; it may even be in the
 * encoding of another database.
 */
char *
bulkpar_measure_xmin_holders(int pid)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT string_agg(h.holder, ', ' ORDER BY h.since) AS holders FROM ("
		"SELECT format(CASE WHEN a.pid = $pid "
		"THEN 'session %1$s, which waits for the job (%2$s s)' WHEN r.sees "
		"THEN 'session %1$s (%2$s s)' "
		"ELSE 'a session of another role (%2$s s)' END, a.pid, "
		"extract(epoch FROM clock_timestamp() - a.xact_start)::int8), "
		"a.xact_start "
		"FROM pg_stat_activity a CROSS JOIN LATERAL (SELECT "
		"pg_has_role($role, 'pg_read_all_stats'::name, 'USAGE'::text) "
		"OR pg_has_role($role, a.usesysid, 'USAGE'::text) AS sees) r "
		"WHERE (a.backend_xid IS NOT NULL OR (a.backend_xmin IS NOT NULL "
		"AND a.datname = current_database())) "
		"AND a.backend_type IN ('client backend', 'background worker', "
		"'logical replication worker', 'pg_cron') "
		"AND a.pid <> pg_backend_pid() "
		"AND (a.state <> 'active' OR a.pid = $pid "
		"OR a.xact_start < clock_timestamp() - '1 second'::interval) "
		"UNION ALL "
		"SELECT format('prepared transaction \"%s\" (%s s)', "
		"left(regexp_replace(btrim(encode(quote_literal(p.gid)::bytea, "
		"'escape'), ''''), E'(\\\\\\\\[0-7]{3}|[^ -~])+', '?', 'g'), 40), "
		"extract(epoch FROM clock_timestamp() - p.prepared)::int8), "
		"p.prepared FROM pg_prepared_xacts p "
		"UNION ALL "
		"SELECT format('replication slot \"%s\" (%s transactions)', "
		"s.slot_name, age(s.xmin)), NULL "
		"FROM pg_replication_slots s WHERE s.xmin IS NOT NULL "
		"UNION ALL "
		"SELECT CASE WHEN pg_has_role($role, 'pg_read_all_stats'::name, "
		"'USAGE'::text) THEN format('standby \"%s\" (%s transactions)', "
		"w.application_name, age(w.backend_xmin)) "
		"ELSE format('a standby (%s transactions)', age(w.backend_xmin)) "
		"END, NULL FROM pg_stat_replication w "
		"WHERE w.backend_xmin IS NOT NULL) h(holder, since)"
	};
	BulkparBookkeeping books;
	Oid			role = GetUserId();
	char	   *holders;

	bulkpar_bookkeeping_enter(&books);
	bulkpar_argument_int32(&books, "pid", pid);
	bulkpar_argument_oid(&books, "role", role);
	(void) bulkpar_bookkeeping_run(&books, &find);
	holders = bulkpar_column_text(&books, "holders");
	bulkpar_bookkeeping_leave(&books);
	return holders;
}

/* bulkpar_xmin_holders() */
Datum
bulkpar_xmin_holders(PG_FUNCTION_ARGS)
{
	char	   *holders;

	PreventCommandIfParallelMode("bulkpar_xmin_holders()");
	holders = bulkpar_measure_xmin_holders(0);
	if (holders == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(holders));
}

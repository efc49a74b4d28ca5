/*-------------------------------------------------------------------------
 *
 * compat.h
 *		Differences between the server versions that bulkpar is built for.
 *
 * This is the only file that tests PG_VERSION_NUM.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/compat.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_COMPAT_H
#define BULKPAR_COMPAT_H

#include "access/stratnum.h"
#include "access/tupdesc.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_state.h"
#endif
#include "executor/executor.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
#include "parser/parse_relation.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/relcache.h"

/* The planner's hook has one more parameter since 19. */
#if PG_VERSION_NUM >= 190000
#define BULKPAR_PLANNER_EXTRA_PARAM , ExplainState *es
#define BULKPAR_PLANNER_EXTRA_ARG , es
#else
#define BULKPAR_PLANNER_EXTRA_PARAM
#define BULKPAR_PLANNER_EXTRA_ARG
#endif

/* Lets a background worker connect as a role that cannot log in; 0: cannot. */
#ifdef BGWORKER_BYPASS_ROLELOGINCHECK
#define BULKPAR_COMPAT_BYPASS_LOGIN BGWORKER_BYPASS_ROLELOGINCHECK
#else
#define BULKPAR_COMPAT_BYPASS_LOGIN 0
#endif

/* Whether an UpdateStmt or DeleteStmt has a RETURNING clause. */
#if PG_VERSION_NUM >= 180000
#define BULKPAR_COMPAT_HAS_RETURNING(stmt) ((stmt)->returningClause != NULL)
#else
#define BULKPAR_COMPAT_HAS_RETURNING(stmt) ((stmt)->returningList != NIL)
#endif

/* Require no privilege on a table of a query but to select from it. */
static inline void
bulkpar_compat_read_only(Query *query, RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	getRTEPermissionInfo(query->rteperminfos, rte)->requiredPerms = ACL_SELECT;
#else
	rte->requiredPerms = ACL_SELECT;
#endif
}

/* Whether a query reads columns of a table that it changes. */
static inline bool
bulkpar_compat_reads_columns(const Query *query, const RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	return (getRTEPermissionInfo(query->rteperminfos,
								 (RangeTblEntry *) rte)->requiredPerms &
			ACL_SELECT) != 0;
#else
	return (rte->requiredPerms & ACL_SELECT) != 0;
#endif
}

/* Note in a Var of a query that an outer join can make it null. */
static inline Var *
bulkpar_compat_mark_nullable(ParseState *pstate, Var *var)
{
#if PG_VERSION_NUM >= 160000
	markNullableIfNeeded(pstate, var);
#endif
	return var;
}

/* Say whether the operator of an ORDER BY is that of the descending order. */
static inline void
bulkpar_compat_sort_descends(SortGroupClause *clause, bool descends)
{
#if PG_VERSION_NUM >= 180000
	clause->reverse_sort = descends;
#endif
}

/* Let the planner take any other path before this one. */
static inline void
bulkpar_compat_make_expensive(Path *path)
{
	path->startup_cost += 1.0e12;
	path->total_cost += 1.0e12;
#if PG_VERSION_NUM >= 180000
	path->disabled_nodes += 1000;
#endif
}

/* The columns that an update must leave alone to be HOT. */
#if PG_VERSION_NUM >= 160000
#define BULKPAR_COMPAT_HOT_BLOCKING INDEX_ATTR_BITMAP_HOT_BLOCKING
#else
#define BULKPAR_COMPAT_HOT_BLOCKING INDEX_ATTR_BITMAP_ALL
#endif

/* Whether this session holds a lock in just this mode. */
static inline bool
bulkpar_compat_lock_held_by_me(const LOCKTAG *tag, LOCKMODE mode)
{
#if PG_VERSION_NUM >= 170000
	return LockHeldByMe(tag, mode, false);
#else
	return LockHeldByMe(tag, mode);
#endif
}

/* Whether a column is NOT NULL, in all rows that there are. */
static inline bool
bulkpar_compat_is_not_null(TupleDesc desc, AttrNumber attnum)
{
#if PG_VERSION_NUM >= 180000
	if (TupleDescCompactAttr(desc, attnum - 1)->attnullability ==
		ATTNULLABLE_INVALID)
		return false;
#endif
	return TupleDescAttr(desc, attnum - 1)->attnotnull;
}

/* The primary key's index, also a deferrable one. */
static inline Oid
bulkpar_compat_primary_key(Relation rel)
{
#if PG_VERSION_NUM >= 180000
	return RelationGetPrimaryKeyIndex(rel, true);
#else
	return RelationGetPrimaryKeyIndex(rel);
#endif
}

/* The live rows of a table as the statistics count them; 0 if unknown. */
static inline double
bulkpar_compat_live_tuples(Oid relid)
{
	PgStat_StatTabEntry *entry = pgstat_fetch_stat_tabentry(relid);

	if (entry == NULL)
		return 0;
#if PG_VERSION_NUM >= 160000
	return entry->live_tuples;
#else
	return entry->n_live_tuples;
#endif
}

/* The dead rows of a table as the statistics count them. */
static inline int64
bulkpar_compat_dead_tuples(Oid relid)
{
	PgStat_StatTabEntry *entry = pgstat_fetch_stat_tabentry(relid);

	if (entry == NULL)
		return 0;
#if PG_VERSION_NUM >= 160000
	return entry->dead_tuples;
#else
	return entry->n_dead_tuples;
#endif
}

/*
 * The HOT updates of a table that this process has not yet reported to the
 * statistics, which it does between transactions.
 */
static inline int64
bulkpar_compat_hot_updates(Oid relid)
{
	PgStat_TableStatus *entry = find_tabstat_entry(relid);

	if (entry == NULL)
		return 0;
#if PG_VERSION_NUM >= 160000
	return entry->counts.tuples_hot_updated;
#else
	return entry->t_counts.t_tuples_hot_updated;
#endif
}

/* All settings of the server; the array must not be changed. */
static inline struct config_generic **
bulkpar_compat_guc_variables(int *nvariables)
{
#if PG_VERSION_NUM >= 160000
	return get_guc_variables(nvariables);
#else
	*nvariables = GetNumConfigOptions();
	return get_guc_variables();
#endif
}

#endif							/* BULKPAR_COMPAT_H */

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
#include "catalog/pg_constraint.h"
#include "catalog/pg_proc.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_state.h"
#endif
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
#include "nodes/tidbitmap.h"
#include "parser/analyze.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "replication/slot.h"
#include "replication/walsender_private.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#if PG_VERSION_NUM < 170000
#include "storage/sinvaladt.h"
#endif
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

/* The planner's hook has one more parameter since 19. */
#if PG_VERSION_NUM >= 190000
#define BULKPAR_PLANNER_EXTRA_PARAM , ExplainState *es
#define BULKPAR_PLANNER_EXTRA_ARG , es
#else
#define BULKPAR_PLANNER_EXTRA_PARAM
#define BULKPAR_PLANNER_EXTRA_ARG
#endif

/* What the hook of the analysis is given must be left alone since 19. */
#if PG_VERSION_NUM >= 190000
typedef const JumbleState BulkparJumbleState;
#else
typedef JumbleState BulkparJumbleState;
#endif

/* Ignores a signal: its handler is of another type since 19. */
#ifdef PG_SIG_IGN
#define BULKPAR_COMPAT_IGNORE PG_SIG_IGN
#else
#define BULKPAR_COMPAT_IGNORE SIG_IGN
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

/* The condition by which a MERGE joins its source. */
#if PG_VERSION_NUM >= 170000
#define BULKPAR_COMPAT_MERGE_CONDITION(query) ((query)->mergeJoinCondition)
#else
#define BULKPAR_COMPAT_MERGE_CONDITION(query) ((query)->jointree->quals)
#endif

/* Whether it is about rows of the target for which the source has none. */
static inline bool
bulkpar_compat_merges_unmatched_target(const MergeAction *action)
{
#if PG_VERSION_NUM >= 170000
	return action->matchKind == MERGE_WHEN_NOT_MATCHED_BY_SOURCE;
#else
	return false;
#endif
}

/* Whether the current user may call a function. */
static inline bool
bulkpar_compat_may_execute(Oid function)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ProcedureRelationId, function, GetUserId(),
						   ACL_EXECUTE) == ACLCHECK_OK;
#else
	return pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

/* Let what is added to a query be looked up in its tables. */
static inline void
bulkpar_compat_take_tables(ParseState *pstate, const Query *query)
{
	pstate->p_rtable = query->rtable;
#if PG_VERSION_NUM >= 160000
	pstate->p_rteperminfos = query->rteperminfos;
#endif
}

/* The columns of a table of a query that it reads, as in pg_class's ACL checks. */
static inline Bitmapset *
bulkpar_compat_selected_columns(const Query *query, RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	return getRTEPermissionInfo(query->rteperminfos, rte)->selectedCols;
#else
	return rte->selectedCols;
#endif
}

/* All columns of a table that a query reads or writes, in the same way, as a copy. */
static inline Bitmapset *
bulkpar_compat_used_columns(const Query *query, RangeTblEntry *rte)
{
	Bitmapset  *columns;

#if PG_VERSION_NUM >= 160000
	RTEPermissionInfo *used;

	if (rte->perminfoindex == 0)
		return NULL;
	used = getRTEPermissionInfo(query->rteperminfos, rte);
#else
	RangeTblEntry *used = rte;
#endif
	columns = bms_union(used->selectedCols, used->insertedCols);
	return bms_add_members(columns, used->updatedCols);
}

/* Let a copy of a table of a query require in another what it does there. */
static inline void
bulkpar_compat_take_permissions(const Query *query, Query *other,
								RangeTblEntry *copy)
{
#if PG_VERSION_NUM >= 160000
	if (copy->perminfoindex == 0)
		return;
	other->rteperminfos =
		list_make1(copyObject(getRTEPermissionInfo(query->rteperminfos, copy)));
	copy->perminfoindex = 1;
#endif
}

/* Require no privilege on what was a table of a query. */
static inline void
bulkpar_compat_no_permissions(RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	rte->perminfoindex = 0;
#else
	rte->requiredPerms = 0;
	rte->selectedCols = NULL;
#endif
}

/* Let a table of a query be read with the rights of a role. */
static inline void
bulkpar_compat_read_as(Query *query, RangeTblEntry *rte, Oid role)
{
#if PG_VERSION_NUM >= 160000
	RTEPermissionInfo *permissions = addRTEPermissionInfo(&query->rteperminfos,
														  rte);

	permissions->requiredPerms = ACL_SELECT;
	permissions->checkAsUser = role;
#else
	rte->requiredPerms = ACL_SELECT;
	rte->checkAsUser = role;
#endif
}

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

/* The numbers of the columns that an UPDATE sets, for each of its tables. */
static inline List *
bulkpar_compat_columns_to_update(const ModifyTableState *update)
{
#if PG_VERSION_NUM >= 180000
	return update->mt_updateColnosLists;
#else
	return ((const ModifyTable *) update->ps.plan)->updateColnosLists;
#endif
}

/* The columns that an update must leave alone to be HOT. */
#if PG_VERSION_NUM >= 160000
#define BULKPAR_COMPAT_HOT_BLOCKING INDEX_ATTR_BITMAP_HOT_BLOCKING
#else
#define BULKPAR_COMPAT_HOT_BLOCKING INDEX_ATTR_BITMAP_ALL
#endif

/* Complete a row type whose columns have been filled in. */
static inline void
bulkpar_compat_finish_columns(TupleDesc columns)
{
#if PG_VERSION_NUM >= 190000
	TupleDescFinalize(columns);
#endif
}

/* Plan a query that has been rewritten. */
static inline PlannedStmt *
bulkpar_compat_plan_query(Query *query, const char *text, int options)
{
#if PG_VERSION_NUM >= 190000
	return pg_plan_query(query, text, options, NULL, NULL);
#else
	return pg_plan_query(query, text, options, NULL);
#endif
}

/* What a query groups by, of which an item of the GROUP BY has a Var since 18. */
static inline Node *
bulkpar_compat_grouped(const Query *query, Node *item)
{
#if PG_VERSION_NUM >= 180000
	if (IsA(item, Var) && query->hasGroupRTE)
	{
		Var		   *var = (Var *) item;
		RangeTblEntry *rte = rt_fetch(var->varno, query->rtable);

		if (rte->rtekind == RTE_GROUP)
			return list_nth(rte->groupexprs, var->varattno - 1);
	}
#endif
	return item;
}

/* The tables that a plan changes, as indexes of its range table. */
static inline List *
bulkpar_compat_result_relations(const PlannedStmt *stmt)
{
#if PG_VERSION_NUM >= 190000
	List	   *relations = NIL;
	int			rti = -1;

	while ((rti = bms_next_member(stmt->resultRelationRelids, rti)) >= 0)
		relations = lappend_int(relations, rti);
	return relations;
#else
	return stmt->resultRelations;
#endif
}

/* Run a query to its end. */
static inline void
bulkpar_compat_run_executor(QueryDesc *desc)
{
#if PG_VERSION_NUM >= 180000
	ExecutorRun(desc, ForwardScanDirection, 0);
#else
	ExecutorRun(desc, ForwardScanDirection, 0, true);
#endif
}

/* Goes through the blocks of a bitmap, in order; the end of that is to be told. */
#if PG_VERSION_NUM >= 180000
typedef TBMPrivateIterator BulkparBitmapIterator;
#else
typedef TBMIterator BulkparBitmapIterator;
#endif

static inline BulkparBitmapIterator *
bulkpar_compat_begin_bitmap(TIDBitmap *bitmap)
{
#if PG_VERSION_NUM >= 180000
	return tbm_begin_private_iterate(bitmap);
#else
	return tbm_begin_iterate(bitmap);
#endif
}

/* False if there are no more. */
static inline bool
bulkpar_compat_next_block(BulkparBitmapIterator *iterator, BlockNumber *block)
{
#if PG_VERSION_NUM >= 180000
	TBMIterateResult result;

	if (!tbm_private_iterate(iterator, &result))
		return false;
	*block = result.blockno;
#else
	TBMIterateResult *result = tbm_iterate(iterator);

	if (result == NULL)
		return false;
	*block = result->blockno;
#endif
	return true;
}

static inline void
bulkpar_compat_end_bitmap(BulkparBitmapIterator *iterator)
{
#if PG_VERSION_NUM >= 180000
	tbm_end_private_iterate(iterator);
#else
	tbm_end_iterate(iterator);
#endif
}

/* Fail if rows that the active snapshot sees may have been taken from a page. */
static inline void
bulkpar_compat_test_old_snapshot(Relation rel, Page page)
{
#if PG_VERSION_NUM < 170000
	TestForOldSnapshot(GetActiveSnapshot(), rel, page);
#endif
}

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

/* The number of a process's transaction among its own. */
#if PG_VERSION_NUM >= 170000
#define BULKPAR_COMPAT_LXID(proc) ((proc)->vxid.lxid)
#else
#define BULKPAR_COMPAT_LXID(proc) ((proc)->lxid)
#endif

/*
 * The pid of a transaction's process; 0 if it is prepared or gone.  A prepared one
 * keeps the number of the session that has prepared it, which goes on with others,
 * and after its end is that of another session.
 */
static inline int
bulkpar_compat_virtual_pid(VirtualTransactionId transaction)
{
#if PG_VERSION_NUM >= 170000
	PGPROC	   *proc = transaction.procNumber == INVALID_PROC_NUMBER ? NULL :
		ProcNumberGetProc(transaction.procNumber);
#else
	PGPROC	   *proc = transaction.backendId == InvalidBackendId ? NULL :
		BackendIdGetProc(transaction.backendId);
#endif

	return proc != NULL &&
		BULKPAR_COMPAT_LXID(proc) == transaction.localTransactionId ? proc->pid : 0;
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

/* Whether a role can become another one; a member may be kept from it since 16. */
static inline bool
bulkpar_compat_can_become(Oid member, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return member_can_set_role(member, role);
#else
	return is_member_of_role(member, role);
#endif
}

/* Whether a constraint is more than a remark. */
static inline bool
bulkpar_compat_is_enforced(Form_pg_constraint constraint)
{
#if PG_VERSION_NUM >= 180000
	return constraint->conenforced;
#else
	return true;
#endif
}

/* The same of a CHECK of a relation that is open. */
static inline bool
bulkpar_compat_check_is_enforced(const ConstrCheck *check)
{
#if PG_VERSION_NUM >= 180000
	return check->ccenforced;
#else
	return true;
#endif
}

/* The same in SQL. */
#if PG_VERSION_NUM >= 180000
#define BULKPAR_COMPAT_ENFORCED "conenforced"
#else
#define BULKPAR_COMPAT_ENFORCED "true"
#endif

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

/* The same of the rows that it has deleted, also in the transaction at hand. */
static inline int64
bulkpar_compat_deleted_rows(Oid relid)
{
	PgStat_TableStatus *entry = find_tabstat_entry(relid);

	if (entry == NULL)
		return 0;
#if PG_VERSION_NUM >= 160000
	return entry->counts.tuples_deleted;
#else
	{
		int64		rows = entry->t_counts.t_tuples_deleted;

		for (PgStat_TableXactStatus *trans = entry->trans; trans != NULL;
			 trans = trans->upper)
			rows += trans->tuples_deleted;
		return rows;
	}
#endif
}

/* What a process reports of itself, with a number from 1 on; see its caller. */
static inline const PgBackendStatus *
bulkpar_compat_backend_status(int number)
{
#if PG_VERSION_NUM >= 160000
	LocalPgBackendStatus *local = pgstat_get_local_beentry_by_index(number);
#else
	LocalPgBackendStatus *local = pgstat_fetch_stat_local_beentry(number);
#endif

	return local == NULL ? NULL : &local->backendStatus;
}

/* Whether WAL is sent as it is, not decoded. */
static inline bool
bulkpar_compat_sends_physically(const WalSnd *sender)
{
#if PG_VERSION_NUM >= 160000
	return sender->kind == REPLICATION_KIND_PHYSICAL;
#else
	PGPROC	   *proc = BackendPidGetProc(sender->pid);

	return proc != NULL && proc->databaseId == InvalidOid;
#endif
}

/* Who uses a slot; 0 for nobody. */
static inline int
bulkpar_compat_slot_user(const ReplicationSlot *slot)
{
#if PG_VERSION_NUM >= 190000
	return slot->active_proc == INVALID_PROC_NUMBER ? 0 :
		GetPGProcByNumber(slot->active_proc)->pid;
#else
	return slot->active_pid;
#endif
}

/* Whether a slot is of no use any more, and holds nothing back. */
static inline bool
bulkpar_compat_slot_is_lost(const ReplicationSlot *slot)
{
#if PG_VERSION_NUM >= 160000
	return slot->data.invalidated != RS_INVAL_NONE;
#else
	return slot->data.invalidated_at != InvalidXLogRecPtr;
#endif
}

/* The columns of the only table of a query as Vars. */
static inline List *
bulkpar_compat_columns(RangeTblEntry *rte, bool include_dropped)
{
	List	   *columns;

#if PG_VERSION_NUM >= 180000
	expandRTE(rte, 1, 0, VAR_RETURNING_DEFAULT, -1, include_dropped, NULL,
			  &columns);
#else
	expandRTE(rte, 1, 0, -1, include_dropped, NULL, &columns);
#endif
	return columns;
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

/*-------------------------------------------------------------------------
 *
 * paths.c
 *		The paths that a statement may take to its tables.
 *
 * A generic plan does not know the range of a batch, and the planner guesses its
 * size.  On a bad guess it could read the whole table, or another index that fits
 * the user's condition, for every batch.  So while one of our statements is
 * planned a hook leaves the target no paths but those along the key index.  All
 * the rest of the plan is the planner's own choice, with the batch's size as the
 * number of rows, and with pages that are in memory, see hooks.c.
 *
 * Under row level security conditions are tested after the policies, unless they
 * are leakproof.  The range of a batch may come before them, see leakproof.c, and
 * must, to be looked up in an index.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/paths.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/memutils.h"

#include "compat.h"
#include "table/drive.h"
#include "table/keyquery.h"
#include "table/leakproof.h"
#include "table/part.h"
#include "table/paths.h"
#include "table/recall.h"

/* From how many operators on a condition takes longer than to read the row. */
#define DEAR_CONDITION 50

static void note_reached(BulkparHooks *hooks, RelOptInfo *rel,
						 const RangeTblEntry *rte);
static bool walks_target(PlannerInfo *root);
static bool is_kept(const BulkparHooks *hooks, Oid relid);
static Path *find_alone(const RelOptInfo *rel);
static bool is_by_index(const Path *path);
static void use_blocks(PlannerInfo *root, RelOptInfo *rel, int batch_size);
static void use_bitmaps(PlannerInfo *root, RelOptInfo *rel);
static void use_key_index(BulkparHooks *hooks, PlannerInfo *root,
						  RelOptInfo *rel);
static bool promote(const BulkparHooks *hooks, RelOptInfo *rel);
static void prefer_list(BulkparHooks *hooks, PlannerInfo *root,
						RelOptInfo *rel, List *pathlist);
static void expect_rows(RelOptInfo *rel, double rows);
static bool is_by_list(const BulkparHooks *hooks, const Path *path,
					   Index list);
static Index find_list(PlannerInfo *root);

/*
 * Replace the paths of the target of a statement by those along the key index.  Of
 * a table with partitions or children only the one that is to be reached is left.
 * Where another extension has put another relation in the place of the target that
 * is an error: if it were left out like a part that is not wanted, the batch would
 * change nothing and say so to nobody.
 */
void
bulkpar_paths_restrict(BulkparHooks *hooks, PlannerInfo *root, RelOptInfo *rel,
					   const RangeTblEntry *rte)
{
	if (!bulkpar_drive_is_marked(rte))
	{
		/* What is joined to the key has its range, too. */
		if (walks_target(root) && !rte->inh && !IS_DUMMY_REL(rel) &&
			promote(hooks, rel))
			create_index_paths(root, rel);
		if (hooks->condition.use == BULKPAR_CONDITION_CHANGE ||
			hooks->condition.shape.span)
			bulkpar_recall_replace(root, rel, rte, is_kept(hooks, rte->relid));
		return;
	}
	if (!bulkpar_condition_is_about(&hooks->condition, rte->relid))
		bulkpar_part_require(hooks->condition.relid, rte->relid);
	if (hooks->reached.context != NULL)
		note_reached(hooks, rel, rte);
	if (!rte->inh && !IS_DUMMY_REL(rel))
	{
		hooks->rows += rel->rows;
		hooks->dear |= rel->baserestrictcost.per_tuple >=
			DEAR_CONDITION * cpu_operator_cost;
		hooks->by_index |= is_by_index(find_alone(rel));
		if (hooks->condition.shape.span)
			use_blocks(root, rel, hooks->batch_size);
		else if (hooks->bitmap)
			use_bitmaps(root, rel);
	}
	if (!bulkpar_condition_is_of_piece(&hooks->condition))
		return;
	if (hooks->batch_size > 0)
		rel->rows = Min(rel->rows, hooks->batch_size);
	/* What the planner has proven to be empty stays so. */
	if (rte->inh || IS_DUMMY_REL(rel))
		return;
	if (hooks->condition.parts != NIL)
	{
		/* All of each part is wanted, by whatever path is best. */
		if (!list_member_oid(hooks->condition.parts, rte->relid))
			mark_dummy_rel(rel);
	}
	else if (rte->relid == hooks->condition.part)
		use_key_index(hooks, root, rel);
	else
		mark_dummy_rel(rel);
}

/*
 * Note a table of the target, which itself comes last.  A parent that has rows of
 * its own comes twice, once as one of its children.
 */
static void
note_reached(BulkparHooks *hooks, RelOptInfo *rel, const RangeTblEntry *rte)
{
	BulkparReached *reached = &hooks->reached;
	MemoryContext oldcontext;

	reached->known |= rte->relid == hooks->condition.relid;
	if (IS_DUMMY_REL(rel) ||
		(rte->inh && rte->relkind != RELKIND_PARTITIONED_TABLE))
		return;
	oldcontext = MemoryContextSwitchTo(reached->context);
	reached->relids = list_append_unique_oid(reached->relids, rte->relid);
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Whether a query that is being planned is the one that walks the target: it may
 * be the statement, a CTE of it, or what it inserts.
 */
static bool
walks_target(PlannerInfo *root)
{
	for (int i = 1; i < root->simple_rel_array_size; i++)
	{
		RangeTblEntry *rte = root->simple_rte_array[i];

		if (rte != NULL && bulkpar_drive_is_marked(rte))
			return true;
	}
	return false;
}

/* Whether a table is the result of a subquery of the job. */
static bool
is_kept(const BulkparHooks *hooks, Oid relid)
{
	const BulkparJob *job = hooks->condition.once.job;

	for (int i = 0; i < job->subqueries.count; i++)
	{
		if (job->subqueries.items[i].relid == relid)
			return true;
	}
	return false;
}

/* The best path that was found of those that need no row of another table; or NULL. */
static Path *
find_alone(const RelOptInfo *rel)
{
	ListCell   *lc;

	foreach(lc, rel->pathlist)
	{
		if (PATH_REQ_OUTER((Path *) lfirst(lc)) == NULL)
			return lfirst(lc);
	}
	return NULL;
}

/* Whether a path, which may be NULL, looks rows up in an index. */
static bool
is_by_index(const Path *path)
{
	return path != NULL && (IsA(path, IndexPath) || IsA(path, BitmapHeapPath));
}

/*
 * Leave no paths but those that read only the blocks of the span.  They are made
 * anew: the planner may have dropped them for an index, on a bad guess.  No more
 * rows are expected than a batch has, for there are as many spans: a table that
 * each of them would read whole is rather remembered, see recall.c.
 */
static void
use_blocks(PlannerInfo *root, RelOptInfo *rel, int batch_size)
{
	List	   *pathlist = rel->pathlist;

	rel->pathlist = NIL;
	(void) create_tidscan_paths(root, rel);
	if (find_alone(rel) == NULL)
		rel->pathlist = pathlist;
	else
		rel->partial_pathlist = NIL;
	expect_rows(rel, Min(rel->rows, batch_size));
}

/*
 * If the best path looks rows up in indexes, leave none but that which reads a
 * bitmap of the same.
 */
static void
use_bitmaps(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *pathlist = rel->pathlist;
	Path	   *best = find_alone(rel);

	if (!is_by_index(best))
		return;
	if (IsA(best, BitmapHeapPath))
		rel->pathlist = list_make1(best);
	else
	{
		IndexOptInfo *info = ((IndexPath *) best)->indexinfo;

		info->amhasgettuple = false;
		rel->indexlist = list_make1(info);
		rel->pathlist = NIL;
		create_index_paths(root, rel);
		if (find_alone(rel) == NULL)
			rel->pathlist = pathlist;
	}
	rel->partial_pathlist = NIL;
}

/*
 * Leave no paths but those along the key index.  If there is none, what the
 * planner found stays.
 */
static void
use_key_index(BulkparHooks *hooks, PlannerInfo *root, RelOptInfo *rel)
{
	const BulkparCondition *condition = &hooks->condition;
	List	   *pathlist = rel->pathlist;
	List	   *indexlist = NIL;
	ListCell   *lc;

	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *info = lfirst_node(IndexOptInfo, lc);

		if (info->indexoid == condition->key->index)
		{
			info->amhasgetbitmap = false;
			/* Its condition holds for all rows, see keyindex.c. */
			info->predOK = true;
			indexlist = lappend(indexlist, info);
		}
	}
	if (indexlist == NIL)
		return;

	(void) promote(hooks, rel);
	rel->indexlist = indexlist;
	rel->pathlist = NIL;
	rel->partial_pathlist = NIL;
	if (condition->shape.placed)
		(void) create_tidscan_paths(root, rel);
	else
		create_index_paths(root, rel);
	if (condition->shape.listed &&
		(condition->key->ncolumns > 1 || condition->shape.placed))
		prefer_list(hooks, root, rel, pathlist);
	else if (rel->pathlist == NIL)
	{
		rel->pathlist = pathlist;
		hooks->without_key_index = true;
	}
}

/*
 * Let the conditions on a table that compare it by the operators of the key
 * come before its policies, if they may; true if there are any that would not.
 */
static bool
promote(const BulkparHooks *hooks, RelOptInfo *rel)
{
	const BulkparKey *key = hooks->condition.key;
	List	   *clauses = list_concat_copy(rel->baserestrictinfo, rel->joininfo);
	bool		promoted = false;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (restriction_is_securely_promotable(rinfo, rel) ||
			!bulkpar_keyquery_compares(key, (const Node *) rinfo->clause) ||
			!bulkpar_leakproof_is(key))
			continue;
		rinfo->leakproof = true;
		promoted = true;
	}
	list_free(clauses);
	return promoted;
}

/*
 * A list of keys of several columns is joined, so the paths along the key index
 * that are wanted need the list first.  One of places is read as it is, and the
 * planner must know that it has the rows of a batch.  All others are a last
 * resort, for what cannot be planned otherwise.
 */
static void
prefer_list(BulkparHooks *hooks, PlannerInfo *root, RelOptInfo *rel, List *pathlist)
{
	Index		list = find_list(root);
	bool		found = false;
	ListCell   *lc;

	rel->pathlist = list_concat(rel->pathlist, pathlist);
	foreach(lc, rel->pathlist)
		found |= is_by_list(hooks, lfirst(lc), list);
	if (!found)
		hooks->without_key_index = true;
	foreach(lc, found ? rel->pathlist : NIL)
	{
		if (!is_by_list(hooks, lfirst(lc), list))
			bulkpar_compat_make_expensive(lfirst(lc));
	}
	if (hooks->condition.shape.placed)
		expect_rows(rel, hooks->batch_size);
}

/* Let the planner expect so many rows of all paths to a relation. */
static void
expect_rows(RelOptInfo *rel, double rows)
{
	ListCell   *lc;

	rel->rows = rows;
	foreach(lc, rel->pathlist)
		((Path *) lfirst(lc))->rows = rows;
}

/* Whether a path looks up what the list has before it, or reads its places. */
static bool
is_by_list(const BulkparHooks *hooks, const Path *path, Index list)
{
	const BulkparCondition *condition = &hooks->condition;

	if (condition->shape.placed)
		return IsA(path, TidPath) && PATH_REQ_OUTER(path) == NULL;
	return bms_is_member(list, PATH_REQ_OUTER(path)) && IsA(path, IndexPath) &&
		((const IndexPath *) path)->indexinfo->indexoid == condition->key->index;
}

/* The number of the list in the query. */
static Index
find_list(PlannerInfo *root)
{
	for (int i = root->simple_rel_array_size - 1; i > 0; i--)
	{
		RangeTblEntry *rte = root->simple_rte_array[i];

		if (rte != NULL && rte->rtekind == RTE_FUNCTION &&
			strcmp(rte->eref->aliasname, BULKPAR_KEY_LIST) == 0)
			return i;
	}
	return 0;
}

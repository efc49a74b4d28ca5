/*-------------------------------------------------------------------------
 *
 * reread.c
 *		What each batch would read whole again.
 *
 * A batch finds in another table what belongs to its rows by an index of that,
 * or reads it whole.  One statement would do so once, but there are hundreds of
 * batches.  So what has no such index is read once, when the job begins: the
 * columns that are used are then kept with an index, as the results of
 * subqueries are, which one statement does not see change either.
 *
 * The price is that the job sees the other table as it was when it began.  So
 * what can be looked up by an index is not kept: see exists.c.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/reread.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table/exists.h"
#include "table/extract.h"
#include "table/joined.h"
#include "table/measure.h"
#include "table/reread.h"

/*
 * Another table is large if it takes longer to hash it than to find the rows of
 * a batch in it, and than a batch takes anyway.
 */
#define MIN_ROWS 10000
#define MIN_BATCHES 4

/*
 * It must be read so many times: to keep it with an index takes some ten times
 * as long as to hash it.
 */
#define MIN_TIMES 20

/* Wider values may not fit into an index. */
#define MAX_WIDTH 100

static bool is_large(const BulkparJob *job, double rows);
static double rows_of_table(const RangeTblEntry *rte);
static double count_query_rows(const Query *query, List **views);
static bool are_indexable(Oid relid, const Bitmapset *columns);
static bool is_indexable(Oid type, int width);

/*
 * Whether a job whose statement looks at so many rows of the target has so many
 * batches that it is worth it to read anything once.
 */
bool
bulkpar_reread_is_worth(const BulkparJob *job, double rows)
{
	return rows >= (double) MIN_TIMES * job->batch_size;
}

/* Whether an item of a FROM list is a table that may be read once. */
bool
bulkpar_reread_is_table(const RangeTblEntry *rte)
{
	return rte->rtekind == RTE_RELATION &&
		(rte->relkind == RELKIND_RELATION ||
		 rte->relkind == RELKIND_PARTITIONED_TABLE ||
		 rte->relkind == RELKIND_MATVIEW ||
		 rte->relkind == RELKIND_FOREIGN_TABLE);
}

/* Whether a subquery that does not depend on the row is a list for an IN. */
bool
bulkpar_reread_is_list(const SubLink *sublink)
{
	return sublink->subLinkType == ANY_SUBLINK;
}

/* Whether each batch would read such a table of a query whole. */
bool
bulkpar_reread_table(const BulkparJob *job, const Query *query, int rti)
{
	const RangeTblEntry *rte = rt_fetch(rti, query->rtable);

	return bulkpar_joined_columns(query, rti, false) != NULL &&
		is_large(job, rows_of_table(rte)) &&
		!bulkpar_joined_has_index(rte->relid, bulkpar_joined_columns(query, rti, true));
}

/* Whether what is used of it can be kept, with indexes. */
bool
bulkpar_reread_can_keep_table(const Query *query, int rti)
{
	return !bulkpar_extract_uses_row(query, rti) &&
		are_indexable(rt_fetch(rti, query->rtable)->relid,
					  bulkpar_joined_columns(query, rti, true));
}

/* The same of a list: it is in that query, but does not depend on its rows. */
bool
bulkpar_reread_list(const BulkparJob *job, const Query *query,
					const SubLink *sublink)
{
	const Query *list = (const Query *) sublink->subselect;
	List	   *views = NIL;

	return is_large(job, count_query_rows(list, &views)) &&
		!bulkpar_exists_can_look_up(query, sublink);
}

bool
bulkpar_reread_can_keep_list(const SubLink *sublink)
{
	const Query *list = (const Query *) sublink->subselect;
	Expr	   *value = linitial_node(TargetEntry, list->targetList)->expr;
	AttrNumber	attnum;
	const RangeTblEntry *rte = bulkpar_exists_column(list, &attnum);

	return is_indexable(exprType((Node *) value), rte == NULL ? 0 :
						get_attavgwidth(rte->relid, attnum));
}

/* The columns without an index by which a table of a query is joined. */
char *
bulkpar_reread_show(const Query *query, int rti)
{
	const RangeTblEntry *rte = rt_fetch(rti, query->rtable);
	Bitmapset  *columns = bulkpar_joined_columns(query, rti, false);
	StringInfoData buf;
	int			column = -1;

	initStringInfo(&buf);
	while ((column = bms_next_member(columns, column)) >= 0)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 get_attname(rte->relid, column, false));
	return buf.data;
}

static bool
is_large(const BulkparJob *job, double rows)
{
	return rows >= MIN_ROWS &&
		rows >= (double) MIN_BATCHES * job->batch_size;
}

/* The rows of a table with its partitions and children. */
static double
rows_of_table(const RangeTblEntry *rte)
{
	List	   *relids = rte->inh ?
		find_all_inheritors(rte->relid, AccessShareLock, NULL) :
		list_make1_oid(rte->relid);
	double		rows = 0;
	ListCell   *lc;

	foreach(lc, relids)
	{
		Relation	rel = table_open(lfirst_oid(lc), AccessShareLock);
		BlockNumber pages;
		double		planner_rows;

		if (RELKIND_HAS_STORAGE(rel->rd_rel->relkind))
			rows += bulkpar_measure_rows(lfirst_oid(lc), &pages, &planner_rows);
		else if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
			rows += Max(rel->rd_rel->reltuples, 0);
		table_close(rel, NoLock);
	}
	return rows;
}

/*
 * The rows of all tables that a query has in its FROM list, and in views, in each of
 * them once: the query of a view may name the view itself, too, and views that are
 * to be refused may name each other.
 */
static double
count_query_rows(const Query *query, List **views)
{
	double		rows = 0;
	ListCell   *lc;

	check_stack_depth();
	foreach(lc, query->rtable)
	{
		const RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_SUBQUERY)
			rows += count_query_rows(rte->subquery, views);
		else if (bulkpar_reread_is_table(rte))
			rows += rows_of_table(rte);
		else if (rte->rtekind == RTE_RELATION &&
				 rte->relkind == RELKIND_VIEW &&
				 !list_member_oid(*views, rte->relid))
		{
			Relation	rel = table_open(rte->relid, AccessShareLock);

			*views = lappend_oid(*views, rte->relid);
			rows += count_query_rows(get_view_query(rel), views);
			table_close(rel, NoLock);
		}
	}
	return rows;
}

/* Whether what is kept of a table can have an index on each of the columns. */
static bool
are_indexable(Oid relid, const Bitmapset *columns)
{
	int			column = -1;

	while ((column = bms_next_member(columns, column)) >= 0)
	{
		if (!is_indexable(get_atttype(relid, column),
						  get_attavgwidth(relid, column)))
			return false;
	}
	return true;
}

/* Whether values of a type can be in an index; 0 if it is unknown how wide. */
static bool
is_indexable(Oid type, int width)
{
	type = getBaseType(type);
	return (type < FirstNormalObjectId || type_is_enum(type)) &&
		OidIsValid(GetDefaultOpClass(type, BTREE_AM_OID)) &&
		(get_typlen(type) > 0 || width <= MAX_WIDTH);
}

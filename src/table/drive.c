/*-------------------------------------------------------------------------
 *
 * drive.c
 *		The table that drives a statement: whose keys cut it into batches.
 *
 * It is the table that an UPDATE or DELETE changes, also one in WITH whose rows
 * an INSERT takes, and else the first table of the FROM list, or one that the
 * caller names.  Each row of it must be worth the same whichever other rows are
 * in its batch: what may be in a statement is decided here, by the analyzed
 * query, in the session of the caller and again in each worker.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/drive.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "nodes/value.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "table/cascade.h"
#include "table/drive.h"
#include "table/inserted.h"
#include "table/merge.h"

/*
 * The mark of a driving table in a query.  Of all that an entry has this is kept
 * when the query is copied, when subqueries are pulled up into it, and in the
 * entries of partitions and children; and nobody looks at it but for a CTE.
 */
#define MARK "bulkpar driving table"

/* A search for the driving table, or the CTE that walks it, in a FROM list. */
typedef struct Search
{
	const Query *query;
	Oid			relid;			/* InvalidOid for the first table */
	const CommonTableExpr *cte; /* else this, of the query above */
	int			rti;			/* where it was found; 0 for nowhere */
	bool		nullable;		/* by an outer join */
} Search;

/* A search for a CTE of the statement in a query of it. */
typedef struct Depth
{
	const char *name;
	int			depth;			/* below a query of the statement */
} Depth;

static void find_in_insert(BulkparDrive *drive, Query *top, Oid relid,
						   bool sees_batches);
static Query *source_of_insert(const BulkparDrive *drive, const Query *top);
static CommonTableExpr *take_changing_cte(const BulkparDrive *drive,
										  Query *top);
static void take_ctes(const BulkparDrive *drive, Query *top);
static void check_rest(const BulkparDrive *drive, const CommonTableExpr *cte,
					   const List *others);
static void check_select(const BulkparDrive *drive, const Query *query);
static Node *first_sorted(const Query *query, List *clauses);
static int	location_of_call(Node *node, bool window);
static void check_lost_rows(const BulkparDrive *drive);
static void find_in_from(BulkparDrive *drive, Oid relid);
static bool search_from(Search *search, Node *node, bool nullable);
static bool is_wanted(const Search *search, const RangeTblEntry *rte);
static bool is_single(const Query *query);
static bool refers_to_cte(Node *node, void *context);

/*
 * Find what drives a statement that has just been analyzed: the table with the
 * OID, where the statement leaves a choice and the OID is valid, or the one that
 * is taken otherwise.  What cannot be cut into batches is an error.  The WITH of
 * an INSERT becomes that of the query that walks the table.  A statement that
 * sees batches may meet rows that earlier batches have changed.
 */
BulkparDrive
bulkpar_drive_find(ParseState *pstate, Query *top, Oid relid,
				   bool sees_batches)
{
	BulkparDrive drive = {.query = top, .pstate = pstate};

	if (top->hasModifyingCTE && top->commandType != CMD_INSERT)
		bulkpar_drive_refuse(&drive, "WITH that changes data",
							 exprLocation((Node *) top->cteList));
	switch (top->commandType)
	{
		case CMD_UPDATE:
		case CMD_DELETE:
			drive.command = top->commandType == CMD_UPDATE ?
				BULKPAR_COMMAND_UPDATE : BULKPAR_COMMAND_DELETE;
			drive.rti = top->resultRelation;
			drive.changed =
				list_make1_oid(rt_fetch(drive.rti, top->rtable)->relid);
			break;
		case CMD_INSERT:
			find_in_insert(&drive, top, relid, sees_batches);
			break;
		case CMD_MERGE:
			bulkpar_merge_find(&drive, top, relid, sees_batches);
			break;
		case CMD_SELECT:
			drive.command = BULKPAR_COMMAND_CALL;
			bulkpar_drive_find_in_select(&drive, relid);
			break;
		default:
			bulkpar_drive_refuse(&drive, "this command", -1);
	}
	if (drive.query != top)
	{
		drive.pstate = make_parsestate(NULL);
		drive.pstate->p_sourcetext = pstate->p_sourcetext;
		bulkpar_compat_take_tables(drive.pstate, drive.query);
	}
	return drive;
}

/* The same of a SELECT, which is the query of the drive already. */
void
bulkpar_drive_find_in_select(BulkparDrive *drive, Oid relid)
{
	check_select(drive, drive->query);
	find_in_from(drive, relid);
}

/* The names of the columns that a target list sets. */
List *
bulkpar_drive_assigned(Oid relid, const List *targets)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, targets)
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (!entry->resjunk)
			names = lappend(names, makeString(get_attname(relid, entry->resno,
														  false)));
	}
	return names;
}

/* Let bulkpar_drive_is_marked know the driving table when it is planned. */
void
bulkpar_drive_mark(const BulkparDrive *drive)
{
	rt_fetch(drive->rti, drive->query->rtable)->ctename = pstrdup(MARK);
}

/* Whether a table of a query is the driving one, or a part of it. */
bool
bulkpar_drive_is_marked(const RangeTblEntry *rte)
{
	return rte->rtekind == RTE_RELATION && rte->ctename != NULL &&
		strcmp(rte->ctename, MARK) == 0;
}

/*
 * INSERT ... SELECT, which walks a table of the SELECT, or WITH ... AS (UPDATE or
 * DELETE ... RETURNING ...) INSERT ... SELECT.
 */
static void
find_in_insert(BulkparDrive *drive, Query *top, Oid relid, bool sees_batches)
{
	Query	   *select = source_of_insert(drive, top);
	CommonTableExpr *changing;

	drive->inserted = rt_fetch(top->resultRelation, top->rtable)->relid;
	if (top->onConflict != NULL)
		drive->overwritten = bulkpar_drive_assigned(drive->inserted,
													top->onConflict->onConflictSet);
	check_select(drive, select);
	changing = take_changing_cte(drive, top);
	if (changing == NULL)
	{
		drive->command = BULKPAR_COMMAND_COPY;
		drive->query = select;
		drive->changed = list_make1_oid(drive->inserted);
		find_in_from(drive, relid);
	}
	else
	{
		drive->query = castNode(Query, changing->ctequery);
		drive->command = drive->query->commandType == CMD_DELETE ?
			BULKPAR_COMMAND_MOVE : BULKPAR_COMMAND_KEEP;
		drive->rest = select;
		if (drive->query->jointree->quals != NULL &&
			IsA(drive->query->jointree->quals, CurrentOfExpr))
			bulkpar_drive_refuse(drive, "WHERE CURRENT OF", changing->location);
		drive->rti = drive->query->resultRelation;
		drive->changed =
			list_make2_oid(rt_fetch(drive->rti, drive->query->rtable)->relid,
						   drive->inserted);
		drive->multiplies = !is_single(select) || select->hasTargetSRFs;
		check_lost_rows(drive);
		check_rest(drive, changing, top->cteList);
	}
	take_ctes(drive, top);
	if (changing != NULL)
		top->cteList = list_make1(changing);
	bulkpar_inserted_check(drive, top, sees_batches);
}

/* The SELECT of an INSERT. */
static Query *
source_of_insert(const BulkparDrive *drive, const Query *top)
{
	RangeTblEntry *rte = NULL;

	if (top->jointree->fromlist != NIL)
		rte = rt_fetch(linitial_node(RangeTblRef,
									 top->jointree->fromlist)->rtindex,
					   top->rtable);
	if (rte == NULL || rte->rtekind != RTE_SUBQUERY)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("an INSERT that is run in batches must take its rows from a SELECT")));
	if (top->returningList != NIL)
		bulkpar_drive_refuse(drive, "RETURNING",
							 exprLocation((Node *) top->returningList));
	return rte->subquery;
}

/*
 * Take the CTE that changes data out of those of an INSERT; NULL if none does.
 */
static CommonTableExpr *
take_changing_cte(const BulkparDrive *drive, Query *top)
{
	CommonTableExpr *changing = NULL;
	ListCell   *lc;

	foreach(lc, top->cteList)
	{
		CommonTableExpr *cte = lfirst_node(CommonTableExpr, lc);
		CmdType		command = castNode(Query, cte->ctequery)->commandType;

		if (command == CMD_SELECT)
			continue;
		if (command != CMD_UPDATE && command != CMD_DELETE)
			bulkpar_drive_refuse(drive, "WITH that inserts or merges", cte->location);
		if (changing != NULL)
			bulkpar_drive_refuse(drive, "more than one UPDATE or DELETE in WITH",
								 cte->location);
		changing = cte;
	}
	if (changing != NULL)
		top->cteList = list_delete_ptr(list_copy(top->cteList), changing);
	return changing;
}

/*
 * Make the CTEs that an INSERT has left those of the query that walks the table,
 * one level below, which then is a statement of its own.
 */
static void
take_ctes(const BulkparDrive *drive, Query *top)
{
	Query	   *query = drive->query;

	if (top->cteList == NIL)
		return;
	if (query->cteList != NIL)
		bulkpar_drive_refuse(drive, "WITH in two places",
							 linitial_node(CommonTableExpr, query->cteList)->location);
	IncrementVarSublevelsUp((Node *) query, -1, 1);
	query->cteList = top->cteList;
	query->hasRecursive = top->hasRecursive;
	top->cteList = NIL;
	top->hasRecursive = false;
}

/*
 * The rows that a CTE returns must be what the SELECT of an INSERT goes through,
 * once each: else it would not do for each batch a part of what it does for all.
 */
static void
check_rest(const BulkparDrive *drive, const CommonTableExpr *cte,
		   const List *others)
{
	Search		search = {.query = drive->rest, .cte = cte};
	ListCell   *lc;

	foreach(lc, drive->rest->jointree->fromlist)
		(void) search_from(&search, lfirst(lc), false);
	if (search.rti == 0 || search.nullable || cte->cterefcount != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the INSERT must select from \"%s\", once, and not on the nullable side of an outer join",
						cte->ctename),
				 errdetail("It is run for the rows of each batch."),
				 parser_errposition(drive->pstate, cte->location)));
	foreach(lc, others)
	{
		const CommonTableExpr *other = lfirst_node(CommonTableExpr, lc);
		Depth		depth = {.name = other->ctename};

		if (query_or_expression_tree_walker((Node *) drive->rest, refers_to_cte,
											&depth, QTW_EXAMINE_RTES_BEFORE))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("only the query in WITH that changes data may use \"%s\"",
							other->ctename),
					 errdetail("What the INSERT reads of it would be evaluated for each batch."),
					 parser_errposition(drive->pstate, other->location)));
	}
}

/* What a SELECT must not have, so that it can be run for each batch. */
static void
check_select(const BulkparDrive *drive, const Query *query)
{
	if (query->setOperations != NULL)
		bulkpar_drive_refuse(drive, "a set operation",
							 exprLocation((Node *) query->targetList));
	if (query->groupClause != NIL)
		bulkpar_drive_refuse(drive, "GROUP BY",
							 exprLocation(bulkpar_compat_grouped(query,
																 first_sorted(query, query->groupClause))));
	if (query->groupingSets != NIL)
		bulkpar_drive_refuse(drive, "GROUP BY", exprLocation((Node *) query->groupingSets));
	if (query->hasAggs || query->havingQual != NULL)
		bulkpar_drive_refuse(drive, "an aggregate or HAVING",
							 query->hasAggs ? location_of_call((Node *) query, false) :
							 exprLocation(query->havingQual));
	if (query->hasWindowFuncs)
		bulkpar_drive_refuse(drive, "a window function",
							 location_of_call((Node *) query, true));
	if (query->distinctClause != NIL)
		bulkpar_drive_refuse(drive, "DISTINCT",
							 exprLocation(first_sorted(query, query->distinctClause)));
	if (query->limitCount != NULL || query->limitOffset != NULL)
		bulkpar_drive_refuse(drive, "LIMIT or OFFSET",
							 exprLocation(query->limitCount != NULL ? query->limitCount :
										  query->limitOffset));
	if (query->sortClause != NIL)
		bulkpar_drive_refuse(drive, "ORDER BY",
							 exprLocation(first_sorted(query, query->sortClause)));
	if (query->rowMarks != NIL)
		bulkpar_drive_refuse(drive, "FOR UPDATE or FOR SHARE", -1);
}

/* What the first of such clauses is about. */
static Node *
first_sorted(const Query *query, List *clauses)
{
	return get_sortgroupclause_expr(linitial_node(SortGroupClause, clauses),
									query->targetList);
}

/* Where the first aggregate or window function of a query is. */
static int
location_of_call(Node *node, bool window)
{
	Query	   *query = castNode(Query, node);
	Node	   *parts[] = {(Node *) query->targetList, query->havingQual};

	for (int i = 0; i < (int) lengthof(parts); i++)
	{
		int			location = window ? locate_windowfunc(parts[i]) :
			locate_agg_of_level(parts[i], 0);

		if (location >= 0)
			return location;
	}
	return -1;
}

/* Refuse what a statement must not have, with its place if that is known. */
void
bulkpar_drive_refuse(const BulkparDrive *drive, const char *what,
					 int location)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s is not supported in a statement that is run in batches",
					what),
			 parser_errposition(drive->pstate, location)));
}

/*
 * What a foreign key deletes because of an earlier batch, no batch returns: of a
 * move it would be lost.
 */
static void
check_lost_rows(const BulkparDrive *drive)
{
	Oid			relid = rt_fetch(drive->rti, drive->query->rtable)->relid;

	if (drive->command == BULKPAR_COMMAND_MOVE &&
		bulkpar_cascade_leads(relid, relid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("rows of table \"%s\" cannot be moved in batches",
						get_rel_name(relid)),
				 errdetail("Where a batch deletes a row, a foreign key deletes or changes other rows of the table, before they are moved."),
				 errhint("Copy the rows first, and delete them then.")));
}

/* Find the driving table in the FROM list of the query that walks it. */
static void
find_in_from(BulkparDrive *drive, Oid relid)
{
	Search		search = {.query = drive->query, .relid = relid};
	const RangeTblEntry *rte;
	ListCell   *lc;

	foreach(lc, drive->query->jointree->fromlist)
		(void) search_from(&search, lfirst(lc), false);
	if (search.rti == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 OidIsValid(relid) ?
				 errmsg("table \"%s\" is not in the FROM list of the statement",
						get_rel_name(relid)) :
				 errmsg("the statement has no table in its FROM list whose rows could be cut into batches")));
	rte = rt_fetch(search.rti, drive->query->rtable);
	if (search.nullable)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" is on the nullable side of an outer join, and cannot drive the statement",
						rte->eref->aliasname),
				 errdetail("Each batch would return the rows that have no match in it."),
				 errhint("Name another table of the FROM list as driving_table.")));
	if (rte->tablesample != NULL)
		bulkpar_drive_refuse(drive, "TABLESAMPLE of the driving table", -1);
	drive->rti = search.rti;
	drive->multiplies = !is_single(drive->query) ||
		drive->query->hasTargetSRFs;
}

/* Search an item of a FROM list; true if it was found. */
static bool
search_from(Search *search, Node *node, bool nullable)
{
	if (search->rti != 0)
		return true;
	if (IsA(node, JoinExpr))
	{
		JoinExpr   *join = (JoinExpr *) node;

		return search_from(search, join->larg, nullable ||
						   join->jointype == JOIN_RIGHT ||
						   join->jointype == JOIN_FULL) ||
			search_from(search, join->rarg, nullable ||
						join->jointype == JOIN_LEFT ||
						join->jointype == JOIN_FULL);
	}
	if (IsA(node, RangeTblRef) &&
		is_wanted(search, rt_fetch(((RangeTblRef *) node)->rtindex,
								   search->query->rtable)))
	{
		search->rti = ((RangeTblRef *) node)->rtindex;
		search->nullable = nullable;
	}
	return search->rti != 0;
}

static bool
is_wanted(const Search *search, const RangeTblEntry *rte)
{
	if (search->cte != NULL)
		return rte->rtekind == RTE_CTE && rte->ctelevelsup == 1 &&
			strcmp(rte->ctename, search->cte->ctename) == 0;
	return rte->rtekind == RTE_RELATION &&
		(!OidIsValid(search->relid) || rte->relid == search->relid);
}

/* Whether there is but one item in the FROM list of a query. */
static bool
is_single(const Query *query)
{
	return list_length(query->jointree->fromlist) == 1 &&
		IsA(linitial(query->jointree->fromlist), RangeTblRef);
}

/* Whether a query refers to a CTE of the statement above it. */
static bool
refers_to_cte(Node *node, void *context)
{
	Depth	   *depth = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		bool		found;

		depth->depth++;
		found = query_tree_walker((Query *) node, refers_to_cte, context,
								  QTW_EXAMINE_RTES_BEFORE);
		depth->depth--;
		return found;
	}
	if (IsA(node, RangeTblEntry))
	{
		const RangeTblEntry *rte = (RangeTblEntry *) node;

		return rte->rtekind == RTE_CTE &&
			(int) rte->ctelevelsup == depth->depth + 1 &&
			strcmp(rte->ctename, depth->name) == 0;
	}
	return expression_tree_walker(node, refers_to_cte, context);
}

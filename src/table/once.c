/*-------------------------------------------------------------------------
 *
 * once.c
 *		What a statement has that is evaluated once.
 *
 * The batches of a job are many statements that must do what one would.  So
 * what one statement evaluates once is evaluated when the job begins, and its
 * result is kept: CTEs, items of the FROM list and subqueries that do not
 * depend on the row, if they see rows that the batches change, or must have seen
 * all of their rows anyway (reach.c).  Others may be as well, if each batch would
 * read a large table for them (reread.c).  What is left are subqueries that depend
 * on the row.  Those that would see what earlier batches have done are refused
 * unless the caller allows it.
 *
 * They are numbered in the order in which they are found in the analyzed query,
 * which is the same each time.  First those that are known are put in their
 * places; the next one is then extracted with these in it, so that all read the
 * same result of a CTE.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/once.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "nodes/bitmapset.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"

#include "table/extract.h"
#include "table/joined.h"
#include "table/member.h"
#include "table/once.h"
#include "table/ownread.h"
#include "table/reach.h"
#include "table/reread.h"
#include "table/substitute.h"
#include "table/tied.h"
#include "table/used.h"

/* A walk through the query of a statement. */
typedef struct Walk
{
	BulkparOnce *once;
	const BulkparDrive *drive;
	BulkparReachChanged changed;
	bool		rest;			/* it is through that of the drive */
	Query	   *top;
	Query	   *query;			/* that we are in, ... */
	int			level;			/* ... so many levels below it */
	int			number;			/* of those that were found */
	int			choices;		/* that might be evaluated once or not */
	int			chosen;			/* the number of the one at hand; 0: none */
} Walk;

static void walk_query(Walk *walk, Query *query);
static void walk_cte(Walk *walk, CommonTableExpr *cte);
static void walk_item(Walk *walk, Query *query, int rti);
static bool walk_expression(Node *node, void *context);
static void walk_sublink(Walk *walk, SubLink *sublink);
static void choose_table(Walk *walk, int rti);
static void choose_list(Walk *walk, const SubLink *sublink);
static void choose(Walk *walk, bool is_whole, bool can_keep);
static void note_merged(Walk *walk);
static void note_reread(Walk *walk, char *name);
static void walk_dependent(Walk *walk, Query *query, int location);
static void check_not_rest(const Walk *walk, int location);
static void check_cte(const Walk *walk, const CommonTableExpr *cte);
static void take_cte(Walk *walk, CommonTableExpr *cte);
static void take_item(Walk *walk, Query *query, int rti);
static char *describe_item(const Query *query, int rti, bool is_choice);
static void take_sublink(Walk *walk, SubLink *sublink);
static const BulkparSubquery *take_result(Walk *walk, const char *name,
										  Query *query, Bitmapset *joined);
static char *describe(const Walk *walk, const SubLink *sublink,
					  const Query *query);
static void check_types(const Query *query);

/*
 * Put the results that a job has in the places of its subqueries in a query
 * that has just been analyzed, for which these foreign keys act, and find those that
 * it does not have yet, also without a job that has any.  What cannot be batched is an
 * error.
 */
void
bulkpar_once_apply(BulkparOnce *once, const BulkparDrive *drive,
				   const List *keys)
{
	Walk		walk = {
		.once = once,
		.drive = drive,
		.changed.tables = drive->changed,
		.top = drive->query
	};
	Walk		rest = {
		.once = once,
		.drive = drive,
		.changed.tables = drive->changed,
		.rest = true,
		.top = drive->rest
	};

	once->found = once->reread = once->members = NIL;
	if (once->job == NULL)
		return;
	if (!once->job->sees_batches)
	{
		walk.changed.keys = rest.changed.keys = keys;
		bulkpar_ownread_check(drive, keys);
		/* What is evaluated once must be the same for all targets. */
		if (once->job->ntargets == 0)
			walk.changed.tied = bulkpar_tied_find(drive, keys);
	}
	walk_query(&walk, walk.top);
	if (rest.top != NULL)
		walk_query(&rest, rest.top);
	if (drive->merge != NULL)
		note_merged(&walk);
	if (walk.number < once->job->subqueries.count)
		bulkpar_substitute_raise_changed(once->job);
}

/* Look at all of a query that depends on the row, or of the statement itself. */
static void
walk_query(Walk *walk, Query *query)
{
	Query	   *outer = walk->query;
	ListCell   *lc;

	walk->query = query;
	foreach(lc, query->cteList)
		walk_cte(walk, lfirst_node(CommonTableExpr, lc));
	for (int rti = 1; rti <= list_length(query->rtable); rti++)
	{
		if (query != walk->drive->query || rti != walk->drive->rti)
			walk_item(walk, query, rti);
	}
	(void) query_tree_walker(query, walk_expression, walk,
							 QTW_IGNORE_RANGE_TABLE |
							 QTW_IGNORE_CTE_SUBQUERIES);
	walk->query = outer;
}

/* A CTE that would be materialized in each batch is evaluated once as well. */
static void
walk_cte(Walk *walk, CommonTableExpr *cte)
{
	Query	   *query = (Query *) cte->ctequery;
	BulkparReach reach;

	if (cte->cterefcount == 0)
		return;
	if (!bulkpar_reach_is_closed((Node *) query, walk->level + 1))
	{
		walk_dependent(walk, query, cte->location);
		return;
	}
	reach = bulkpar_reach_look((Node *) query, &walk->changed, true);
	if (cte->cterecursive || cte->ctematerialized == CTEMaterializeAlways ||
		(cte->cterefcount > 1 && cte->ctematerialized == CTEMaterializeDefault) ||
		bulkpar_reach_needs_once(&reach))
	{
		check_cte(walk, cte);
		check_not_rest(walk, cte->location);
		take_cte(walk, cte);
	}
}

/*
 * An item of a FROM list.  In a subquery that depends on the row, a table and
 * the like are part of that, but for a table that is read once.
 */
static void
walk_item(Walk *walk, Query *query, int rti)
{
	RangeTblEntry *rte = rt_fetch(rti, query->rtable);
	BulkparReach reach;
	bool		closed;
	bool		once = false;

	if (rte->rtekind == RTE_CTE || rte->rtekind == RTE_JOIN ||
		rte->rtekind == RTE_RESULT)
		return;
	closed = bulkpar_reach_is_closed_item(rte, walk->level);
	reach = bulkpar_reach_look_at_item(rte, &walk->changed);
	if (closed && (rte->rtekind == RTE_SUBQUERY || walk->level == 0))
		once = bulkpar_reach_needs_once(&reach);
	else if (rte->rtekind == RTE_SUBQUERY)
		walk_dependent(walk, rte->subquery, -1);
	else
		(void) range_table_walker(list_make1(rte), walk_expression, walk, 0);
	if (!walk->rest && bulkpar_reread_is_table(rte))
	{
		walk->choices++;
		if (!bulkpar_reach_needs_once(&reach))
			choose_table(walk, rti);
	}
	if (!once && walk->chosen == 0)
		return;
	check_not_rest(walk, -1);
	take_item(walk, query, rti);
}

static bool
walk_expression(Node *node, void *context)
{
	if (node == NULL || IsA(node, Query))
		return false;
	if (IsA(node, SubLink))
	{
		(void) walk_expression(((SubLink *) node)->testexpr, context);
		walk_sublink(context, (SubLink *) node);
		return false;
	}
	return expression_tree_walker(node, walk_expression, context);
}

static void
walk_sublink(Walk *walk, SubLink *sublink)
{
	Query	   *query = (Query *) sublink->subselect;
	BulkparReach reach;

	if (!bulkpar_reach_is_closed((Node *) query, walk->level + 1))
	{
		walk_dependent(walk, query, sublink->location);
		return;
	}
	reach = bulkpar_reach_look((Node *) query, &walk->changed, true);
	if (!walk->rest && walk->level == 0 && bulkpar_reread_is_list(sublink))
	{
		walk->choices++;
		if (!bulkpar_reach_needs_once(&reach))
			choose_list(walk, sublink);
	}
	if (!bulkpar_reach_needs_once(&reach) && walk->chosen == 0)
		return;
	check_not_rest(walk, sublink->location);
	take_sublink(walk, sublink);
}

/* Whether a table that could also be part of each batch is evaluated once. */
static void
choose_table(Walk *walk, int rti)
{
	const BulkparJob *job = walk->once->job;
	bool		is_whole = !job->subqueries.evaluated &&
		bulkpar_reread_table(job, walk->query, rti);

	choose(walk, is_whole,
		   is_whole && bulkpar_reread_can_keep_table(walk->query, rti));
	if (is_whole && walk->chosen == 0)
		note_reread(walk, describe_item(walk->query, rti, true));
}

/* The same of a list that does not depend on the row. */
static void
choose_list(Walk *walk, const SubLink *sublink)
{
	const BulkparJob *job = walk->once->job;
	const Query *list = (const Query *) sublink->subselect;
	bool		is_whole = !job->subqueries.evaluated &&
		bulkpar_reread_list(job, walk->query, sublink);

	choose(walk, is_whole, is_whole && bulkpar_reread_can_keep_list(sublink));
	if (is_whole && walk->chosen == 0)
		note_reread(walk,
					describe(walk, sublink,
							 bulkpar_extract_subquery(walk->top, list,
													  walk->level,
													  bulkpar_used_all(list))));
}

/*
 * Choose whether the one at hand is evaluated once.  That is decided when the
 * job begins: it holds for all of the job, whatever becomes of the other table
 * meanwhile.  Who says that subqueries may see what is new gets it so.
 */
static void
choose(Walk *walk, bool is_whole, bool can_keep)
{
	BulkparOnce *once = walk->once;
	const BulkparSubqueries *subqueries = &once->job->subqueries;
	bool		chosen = false;

	if (subqueries->evaluated)
	{
		for (int i = 0; i < subqueries->count; i++)
			chosen |= subqueries->items[i].choice == walk->choices;
	}
	else if (once->chosen)
		chosen = bms_is_member(walk->choices, once->choices);
	else if (once->context != NULL && is_whole && can_keep &&
			 !once->job->sees_batches)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(once->context);

		once->choices = bms_add_member(once->choices, walk->choices);
		MemoryContextSwitchTo(oldcontext);
		chosen = true;
	}
	walk->chosen = chosen ? walk->choices : 0;
}

/* Note the target of a MERGE, if each batch reads it whole: nothing else will do. */
static void
note_merged(Walk *walk)
{
	const Query *merge = walk->drive->merge;
	int			rti = merge->resultRelation;

	if (bulkpar_reread_table(walk->once->job, merge, rti))
		note_reread(walk,
					psprintf("INTO %s, which has no index on %s",
							 quote_identifier(rt_fetch(rti, merge->rtable)->eref->aliasname),
							 bulkpar_reread_show(merge, rti)));
}

/* Note what each batch reads whole. */
static void
note_reread(Walk *walk, char *name)
{
	MemoryContext oldcontext;

	if (walk->once->context == NULL)
		return;
	oldcontext = MemoryContextSwitchTo(walk->once->context);
	walk->once->reread = lappend(walk->once->reread, pstrdup(name));
	MemoryContextSwitchTo(oldcontext);
}

/* A subquery that is evaluated for each row, and what is in it. */
static void
walk_dependent(Walk *walk, Query *query, int location)
{
	const BulkparJob *job = walk->once->job;
	BulkparReach reach = bulkpar_reach_look((Node *) query,
											&walk->changed, false);

	/* Without a FROM list it is no more than an expression. */
	if (query->rtable == NIL)
		reach.function = InvalidOid;
	if (!job->sees_batches && (OidIsValid(reach.reads_changed) ||
							   OidIsValid(reach.function)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 reach.by_key ?
				 errmsg("a subquery that is evaluated for each row reads table \"%s\", rows of which foreign keys change",
						get_rel_name(reach.reads_changed)) :
				 OidIsValid(reach.reads_changed) ?
				 errmsg("a subquery that is evaluated for each row reads table \"%s\" itself",
						get_rel_name(reach.reads_changed)) :
				 errmsg("a subquery that is evaluated for each row calls the volatile function %s()",
						get_func_name(reach.function)),
				 errdetail("It would see what earlier batches have done, which it does not in one statement."),
				 errhint("Write it so that it does not refer to other parts of the statement; then it is evaluated once, when the job begins. Or say sees_batches => true, if that does no harm."),
				 parser_errposition(walk->drive->pstate, location)));
	walk->level++;
	walk_query(walk, query);
	walk->level--;
}

/* What an INSERT reads besides the rows of WITH, no result is put in its place. */
static void
check_not_rest(const Walk *walk, int location)
{
	if (walk->rest)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the INSERT reads what one statement evaluates once, but each batch would evaluate anew"),
				 errhint("Let the query in WITH read it, and return it."),
				 parser_errposition(walk->drive->pstate, location)));
}

/*
 * SEARCH and CYCLE add columns of records to a CTE, which no table can have.
 * Where these are not seen outside of a subquery they do no harm.
 */
static void
check_cte(const Walk *walk, const CommonTableExpr *cte)
{
	if (cte->search_clause != NULL || cte->cycle_clause != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("WITH with SEARCH or CYCLE is not supported in a statement that is run in batches"),
				 errhint("Put it into a subquery that does not return their columns."),
				 parser_errposition(walk->drive->pstate, cte->location)));
}

static void
take_cte(Walk *walk, CommonTableExpr *cte)
{
	bool		is_top = walk->level == 0;
	Query	   *subquery = (Query *) cte->ctequery;
	Query	   *query = is_top ?
		bulkpar_extract_cte(walk->top, cte,
							bulkpar_used_of_cte(walk->top, cte)) :
		bulkpar_extract_subquery(walk->top, subquery, walk->level,
								 bulkpar_used_all(subquery));
	const BulkparSubquery *result =
		take_result(walk, psprintf("WITH %s", quote_identifier(cte->ctename)),
					query,
					is_top ? bulkpar_joined_cte(walk->top, cte, query) :
					bulkpar_joined_all(query));

	if (result != NULL)
		bulkpar_substitute_cte(walk->once->job, result, query->targetList,
							   cte);
}

static void
take_item(Walk *walk, Query *query, int rti)
{
	RangeTblEntry *rte = rt_fetch(rti, query->rtable);
	Query	   *own = rte->rtekind == RTE_SUBQUERY ?
		bulkpar_extract_subquery(walk->top, rte->subquery, walk->level,
								 bulkpar_used_of_item(query, rti)) :
		bulkpar_extract_item(walk->top, query, rti);
	const BulkparSubquery *result =
		take_result(walk, describe_item(query, rti, walk->chosen > 0), own,
					bulkpar_joined_item(query, rti, own));

	if (result != NULL)
		bulkpar_substitute_item(walk->once->job, result, own->targetList,
								query, rti);
}

/* An item by its name, with the reason if it need not be evaluated once. */
static char *
describe_item(const Query *query, int rti, bool is_choice)
{
	char	   *name = rt_fetch(rti, query->rtable)->eref->aliasname;
	char	   *text = psprintf("%s %s", query->commandType == CMD_DELETE ?
								"USING" : "FROM", quote_identifier(name));

	return !is_choice ? text :
		psprintf("%s, which has no index on %s", text,
				 bulkpar_reread_show(query, rti));
}

static void
take_sublink(Walk *walk, SubLink *sublink)
{
	bool		is_scalar = bulkpar_extract_is_scalar(sublink);
	Query	   *subquery = (Query *) sublink->subselect;
	Query	   *query = is_scalar ?
		bulkpar_extract_scalar(walk->top, sublink, walk->level) :
		bulkpar_extract_subquery(walk->top, subquery, walk->level,
								 bulkpar_used_all(subquery));
	const BulkparSubquery *result =
		take_result(walk, describe(walk, sublink, query), query,
					is_scalar ? NULL : bulkpar_joined_all(query));

	if (result == NULL)
		return;
	bulkpar_substitute_sublink(walk->once->job, result, query->targetList,
							   sublink);
	if (walk->level == 0 && sublink->subLinkType == ANY_SUBLINK)
	{
		BulkparMember *member = palloc(sizeof(BulkparMember));

		member->sublink = sublink;
		member->result = result;
		walk->once->members = lappend(walk->once->members, member);
	}
}

/*
 * Number the subquery that was found, and return its result.  NULL if there is
 * none yet; then it is noted by the name.
 */
static const BulkparSubquery *
take_result(Walk *walk, const char *name, Query *query, Bitmapset *joined)
{
	BulkparOnce *once = walk->once;
	const BulkparSubqueries *subqueries = &once->job->subqueries;
	MemoryContext oldcontext;
	BulkparOnceItem *item;
	int			choice = walk->chosen;

	walk->chosen = 0;
	if (walk->number++ < subqueries->count)
	{
		if (subqueries->items[walk->number - 1].choice != choice)
			bulkpar_substitute_raise_changed(once->job);
		return &subqueries->items[walk->number - 1];
	}
	if (subqueries->evaluated)
		bulkpar_substitute_raise_changed(once->job);
	check_types(query);
	if (once->context == NULL)
		return NULL;
	oldcontext = MemoryContextSwitchTo(once->context);
	item = palloc0(sizeof(BulkparOnceItem));
	item->name = pstrdup(name);
	item->query = copyObject(query);
	item->joined = bms_copy(joined);
	item->choice = choice;
	once->found = lappend(once->found, item);
	MemoryContextSwitchTo(oldcontext);
	return NULL;
}

/*
 * The text of a sublink on one line, or if that is not to be understood by
 * itself of the statement that it was made.
 */
static char *
describe(const Walk *walk, const SubLink *sublink, const Query *query)
{
	char	   *text;
	char	   *from;
	char	   *to;

	if (walk->once->context == NULL)
		return NULL;
	if (bulkpar_reach_is_closed(sublink->subselect, INT_MAX))
		query = (const Query *) sublink->subselect;
	text = pg_get_querydef(copyObject((Query *) query), false);
	for (from = to = text; *from != '\0'; from++)
	{
		bool		is_space = isspace((unsigned char) *from);

		if (!is_space)
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	}
	*to = '\0';
	return text;
}

/* No table can have a column of a type like record. */
static void
check_types(const Query *query)
{
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		Oid			type = exprType((Node *) lfirst_node(TargetEntry, lc)->expr);

		if (get_typtype(getBaseType(type)) == TYPTYPE_PSEUDO)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the result of a subquery with a column of type %s cannot be kept",
							format_type_be(type)),
					 errdetail("A subquery that does not depend on the row is evaluated once, when the job begins."),
					 errhint("Let it return other columns.")));
	}
}

/*-------------------------------------------------------------------------
 *
 * restrict.c
 *		The hooks that restrict a statement to a batch.
 *
 * The range of a batch is not in the text of its statement: while that is
 * analyzed a hook adds it to the condition of the query.
 *
 * A generic plan does not know the range, and the planner guesses its size.
 * On a bad guess it could read the whole table, or another index that fits the
 * user's condition, for every batch.  So while one of our statements is
 * planned a hook leaves the target no paths but those along the key index.
 * All the rest of the plan is the planner's own choice, with the batch's size
 * as the number of rows.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/restrict.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "optimizer/paths.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/partcache.h"

#include "compat.h"
#include "restrict.h"
#include "unchanged.h"
#include "values.h"

/* How many rows are shown. */
#define SHOWN_ROWS 5

static List *statements = NIL;
static BulkparStatement *planning = NULL;
static post_parse_analyze_hook_type prev_post_parse_analyze_hook = NULL;
static planner_hook_type prev_planner_hook = NULL;
static set_rel_pathlist_hook_type prev_set_rel_pathlist_hook = NULL;

static void install_hooks(void);
static BulkparStatement *find_statement(const char *sql);
static void add_conditions(ParseState *pstate, Query *query,
						   JumbleState *jstate);
static Node *range_condition(ParseState *pstate,
							 const BulkparStatement *statement, Query *query);
static Node *part_condition(const BulkparStatement *statement);
static bool can_prune(const Node *condition);
static void append_joined(StringInfo sql, const BulkparStatement *statement,
						  Query *query, int target);
static Var *joined_column(Node *condition, const BulkparStatement *statement,
						  int target);
static void select_keys(ParseState *pstate, const BulkparStatement *statement,
						Query *query);
static char *qualifier(const RangeTblEntry *rte);
static PlannedStmt *plan_statement(Query *parse, const char *query_string,
								   int cursorOptions,
								   ParamListInfo boundParams
								   BULKPAR_PLANNER_EXTRA_PARAM);
static void restrict_paths(PlannerInfo *root, RelOptInfo *rel, Index rti,
						   RangeTblEntry *rte);
static bool is_of_target(PlannerInfo *root, Index rti);
static void use_key_index(PlannerInfo *root, RelOptInfo *rel);
static void prefer_list(PlannerInfo *root, RelOptInfo *rel, List *pathlist);
static Index find_list(PlannerInfo *root);

/*
 * Let the hooks look after a statement, from before it is prepared until
 * bulkpar_restrict_end.  They know it by where its text is, or the copy of its
 * plan: a statement of the same text that a trigger runs is another.
 */
void
bulkpar_restrict_start(BulkparStatement *statement)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(TopMemoryContext);

	install_hooks();
	statements = list_append_unique_ptr(statements, statement);
	MemoryContextSwitchTo(oldcontext);
}

/* No longer look after a statement, if they did. */
void
bulkpar_restrict_end(const BulkparStatement *statement)
{
	statements = list_delete_ptr(statements, (void *) statement);
}

static void
install_hooks(void)
{
	static bool installed = false;

	if (installed)
		return;
	installed = true;
	prev_post_parse_analyze_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = add_conditions;
	prev_planner_hook = planner_hook;
	planner_hook = plan_statement;
	prev_set_rel_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = restrict_paths;
}

static BulkparStatement *
find_statement(const char *sql)
{
	ListCell   *lc;

	foreach(lc, sql == NULL ? NIL : statements)
	{
		BulkparStatement *statement = lfirst(lc);

		if (sql == statement->sql || sql == statement->plan_sql)
			return statement;
	}
	return NULL;
}

/*
 * post_parse_analyze_hook: restrict our statement to its range, and if wanted
 * to the rows that it changes.  The target is the first table of a collecting
 * statement.
 */
static void
add_conditions(ParseState *pstate, Query *query, JumbleState *jstate)
{
	BulkparStatement *statement = find_statement(pstate->p_sourcetext);

	if (statement != NULL)
	{
		RangeTblEntry *rte = rt_fetch(Max(query->resultRelation, 1),
									  query->rtable);
		FromExpr   *from = query->jointree;

		if (rte->relid != statement->relid)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("the statement of the job is now about another table"),
					 errdetail("It began with the table of the OID %u.",
							   statement->relid)));
		/* The range comes first: nothing is evaluated for rows beyond it. */
		if (statement->skip_unchanged)
			from->quals = make_and_qual(from->quals,
										bulkpar_unchanged_condition(pstate,
																	query));
		if (statement->selects_keys)
			select_keys(pstate, statement, query);
		else if (statement->nargs > 0)
			from->quals = make_and_qual(range_condition(pstate, statement,
														query),
										from->quals);
		query->hasSubLinks |= pstate->p_hasSubLinks;
		if (!statement->selects_keys)
			from->quals = make_and_qual(from->quals,
										part_condition(statement));
	}
	if (prev_post_parse_analyze_hook)
		prev_post_parse_analyze_hook(pstate, query, jstate);
}

/* The condition of the range. */
static Node *
range_condition(ParseState *pstate, const BulkparStatement *statement,
				Query *query)
{
	int			rti = Max(query->resultRelation, 1);
	StringInfoData sql;
	RawStmt    *raw;
	ResTarget  *target;
	Node	   *condition;

	initStringInfo(&sql);
	bulkpar_key_append_shape(&sql, statement->key, &statement->shape,
							 qualifier(rt_fetch(rti, query->rtable)));
	append_joined(&sql, statement, query, rti);
	raw = linitial_node(RawStmt, raw_parser(sql.data, RAW_PARSE_PLPGSQL_EXPR));
	target = linitial_node(ResTarget,
						   castNode(SelectStmt, raw->stmt)->targetList);
	condition = transformWhereClause(pstate, target->val, EXPR_KIND_WHERE,
									 "WHERE");
	assign_expr_collations(pstate, condition);
	return condition;
}

/*
 * Where the condition says that a column of another table is equal to the key,
 * the same range holds for it.  The planner does not conclude that, and would
 * read the other table whole for each batch.
 */
static void
append_joined(StringInfo sql, const BulkparStatement *statement,
			  Query *query, int target)
{
	BulkparKey	key = *statement->key;
	BulkparShape shape = statement->shape;
	ListCell   *lc;

	if (key.ncolumns != 1)
		return;
	shape.striped = false;
	foreach(lc, make_ands_implicit((Expr *) query->jointree->quals))
	{
		Var		   *joined = joined_column(lfirst(lc), statement, target);
		RangeTblEntry *rte;

		if (joined == NULL)
			continue;
		rte = rt_fetch(joined->varno, query->rtable);
		if (rte->rtekind == RTE_JOIN)
			continue;
		key.columns[0].name = (char *)
			quote_identifier(get_rte_attribute_name(rte, joined->varattno));
		appendStringInfoString(sql, " AND ");
		bulkpar_key_append_shape(sql, &key, &shape, qualifier(rte));
	}
}

/* The column that a condition says is equal to the key; NULL if it does not. */
static Var *
joined_column(Node *condition, const BulkparStatement *statement,
			  int target)
{
	const BulkparKeyColumn *column = &statement->key->columns[0];
	AttrNumber	attnum = get_attnum(statement->relid,
									get_attname(statement->part, column->attnum,
												false));
	OpExpr	   *op = (OpExpr *) condition;
	Var		   *a;
	Var		   *b;

	if (!IsA(condition, OpExpr) || list_length(op->args) != 2 ||
		get_op_opfamily_strategy(op->opno, column->opfamily) !=
		BTEqualStrategyNumber ||
		op->inputcollid != column->collation ||
		!IsA(linitial(op->args), Var) || !IsA(lsecond(op->args), Var))
		return NULL;
	a = linitial_node(Var, op->args);
	b = lsecond_node(Var, op->args);
	if (b->varno == target && b->varattno == attnum)
	{
		Var		   *other = a;

		a = b;
		b = other;
	}
	/* The name of a column of a join may be hidden by that of the join. */
	if ((int) b->varnosyn != b->varno || b->varattnosyn != b->varattno)
		return NULL;
	if (a->varno != target || a->varattno != attnum || a->varlevelsup != 0 ||
		b->varno == target || b->varlevelsup != 0 || b->varattno <= 0 ||
		b->vartype != a->vartype)
		return NULL;
	return b;
}

/*
 * What holds for all rows of a partition, if the part is one: so that the
 * planner, who would otherwise look at all partitions, need not.
 */
static Node *
part_condition(const BulkparStatement *statement)
{
	List	   *conditions = NIL;
	Relation	target;
	Relation	part;
	ListCell   *lc;

	if (statement->part == statement->relid ||
		!get_rel_relispartition(statement->part))
		return NULL;
	foreach(lc, make_ands_implicit(get_partition_qual_relid(statement->part)))
	{
		if (can_prune(lfirst(lc)))
			conditions = lappend(conditions, lfirst(lc));
	}
	target = table_open(statement->relid, NoLock);
	part = table_open(statement->part, NoLock);
	conditions = map_partition_varattnos(conditions, 1, target, part);
	table_close(part, NoLock);
	table_close(target, NoLock);
	return conditions == NIL ? NULL : (Node *) make_ands_explicit(conditions);
}

/*
 * Whether the planner can compare a condition with others, so that it is worth
 * being evaluated for each row: not one on a hash, nor that of the default
 * partition, which is that no other one fits.
 */
static bool
can_prune(const Node *condition)
{
	return !(IsA(condition, FuncExpr) &&
			 ((const FuncExpr *) condition)->funcid ==
			 F_SATISFIES_HASH_PARTITION) &&
		!(IsA(condition, BoolExpr) &&
		  ((const BoolExpr *) condition)->boolop == NOT_EXPR);
}

/*
 * Make of an UPDATE or DELETE the SELECT of the keys of its rows, with values
 * or the table that each row is in.
 */
static void
select_keys(ParseState *pstate, const BulkparStatement *statement,
			Query *query)
{
	RangeTblEntry *rte = rt_fetch(query->resultRelation, query->rtable);
	List	   *targets = NIL;

	for (int i = 0; i < statement->key->ncolumns; i++)
	{
		char	   *name = get_attname(statement->part,
									   statement->key->columns[i].attnum, false);
		AttrNumber	attnum = get_attnum(rte->relid, name);

		bulkpar_values_add(&targets, (Node *)
						   bulkpar_values_old(pstate, query, attnum), name);
	}
	if (statement->shows_values)
	{
		bulkpar_values_show(pstate, query, &targets);
		query->limitCount = (Node *) makeConst(INT8OID, -1, InvalidOid,
											   sizeof(int64),
											   Int64GetDatum(SHOWN_ROWS),
											   false, FLOAT8PASSBYVAL);
		query->limitOption = LIMIT_OPTION_COUNT;
	}
	else
	{
		bulkpar_values_add(&targets, (Node *)
						   makeVar(query->resultRelation,
								   TableOidAttributeNumber, OIDOID, -1,
								   InvalidOid, 0), "tableoid");
		bulkpar_values_after(pstate, query, statement->new_columns, &targets);
	}
	bulkpar_compat_read_only(query, rte);
	query->commandType = CMD_SELECT;
	query->resultRelation = 0;
	query->targetList = targets;
}

/* What tells the columns of a table from those of others in its query. */
static char *
qualifier(const RangeTblEntry *rte)
{
	if (rte->alias != NULL || rte->rtekind != RTE_RELATION)
		return psprintf("%s.", quote_identifier(rte->eref->aliasname));
	return psprintf("%s.",
					quote_qualified_identifier(get_namespace_name(get_rel_namespace(rte->relid)),
											   get_rel_name(rte->relid)));
}

/* planner_hook: note whether the statement is one of ours. */
static PlannedStmt *
plan_statement(Query *parse, const char *query_string, int cursorOptions,
			   ParamListInfo boundParams BULKPAR_PLANNER_EXTRA_PARAM)
{
	BulkparStatement *outer = planning;
	PlannedStmt *result;

	planning = find_statement(query_string);
	PG_TRY();
	{
		planner_hook_type plan = prev_planner_hook ? prev_planner_hook :
			standard_planner;

		result = plan(parse, query_string, cursorOptions, boundParams
					  BULKPAR_PLANNER_EXTRA_ARG);
	}
	PG_FINALLY();
	{
		planning = outer;
	}
	PG_END_TRY();
	return result;
}

/*
 * set_rel_pathlist_hook: replace the paths of our statement's target by those
 * along the key index.  Of a table with partitions or children only the one
 * that is to be reached is left.
 */
static void
restrict_paths(PlannerInfo *root, RelOptInfo *rel, Index rti,
			   RangeTblEntry *rte)
{
	if (prev_set_rel_pathlist_hook)
		prev_set_rel_pathlist_hook(root, rel, rti, rte);

	if (planning == NULL || planning->selects_keys ||
		root->query_level != 1 || rte->rtekind != RTE_RELATION ||
		!is_of_target(root, rti))
		return;
	if (planning->batch_size > 0)
		rel->rows = Min(rel->rows, planning->batch_size);
	if (rte->inh)
		return;
	if (rte->relid == planning->part)
		use_key_index(root, rel);
	else
		mark_dummy_rel(rel);
}

/* Whether a table of the query is the target, or a part of it. */
static bool
is_of_target(PlannerInfo *root, Index rti)
{
	Index		target = Max(root->parse->resultRelation, 1);

	while (rti != target && root->append_rel_array != NULL &&
		   root->append_rel_array[rti] != NULL)
		rti = root->append_rel_array[rti]->parent_relid;
	return rti == target;
}

/*
 * Leave no paths but those along the key index.  If there is none (row level
 * security with operators that are not leakproof can hide the key's condition
 * from the index), what the planner found stays.
 */
static void
use_key_index(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *pathlist = rel->pathlist;
	List	   *indexlist = NIL;
	ListCell   *lc;

	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *info = lfirst_node(IndexOptInfo, lc);

		if (info->indexoid == planning->key->index)
		{
			info->amhasgetbitmap = false;
			indexlist = lappend(indexlist, info);
		}
	}
	if (indexlist == NIL)
		return;

	rel->indexlist = indexlist;
	rel->pathlist = NIL;
	rel->partial_pathlist = NIL;
	create_index_paths(root, rel);
	if (planning->shape.listed && planning->key->ncolumns > 1)
		prefer_list(root, rel, pathlist);
	else if (rel->pathlist == NIL)
	{
		rel->pathlist = pathlist;
		planning->without_key_index = true;
	}
}

/*
 * A list of keys of several columns is joined, so the paths along the key
 * index that are wanted need the list first.  All others are a last resort,
 * for what cannot be planned otherwise.
 */
static void
prefer_list(PlannerInfo *root, RelOptInfo *rel, List *pathlist)
{
	Index		list = find_list(root);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, rel->pathlist)
		found |= bms_is_member(list, PATH_REQ_OUTER((Path *) lfirst(lc)));
	rel->pathlist = list_concat(rel->pathlist, pathlist);
	if (!found)
		planning->without_key_index = true;
	foreach(lc, found ? rel->pathlist : NIL)
	{
		Path	   *path = lfirst(lc);

		if (!bms_is_member(list, PATH_REQ_OUTER(path)) ||
			!IsA(path, IndexPath) ||
			((IndexPath *) path)->indexinfo->indexoid != planning->key->index)
			bulkpar_compat_make_expensive(path);
	}
}

/* The number of the list in the query. */
static Index
find_list(PlannerInfo *root)
{
	for (int i = root->simple_rel_array_size - 1; i > 0; i--)
	{
		RangeTblEntry *rte = root->simple_rte_array[i];

		if (rte != NULL && rte->rtekind == RTE_FUNCTION &&
			strncmp(rte->eref->aliasname, BULKPAR_KEY_LIST,
					strlen(BULKPAR_KEY_LIST)) == 0)
			return i;
	}
	return 0;
}

/*-------------------------------------------------------------------------
 *
 * statement.c
 *		The SQL that a job runs on its target.
 *
 * Two statements do all the work, both over a range of keys: the UPDATE of a
 * batch, and the SELECT that steps along the index and collects the keys at
 * which the batches end.  They are prepared once per worker, with a generic
 * plan.  The range is not in their text: while one of them is analyzed a hook
 * adds it to the condition of the query.
 *
 * Such a plan does not know the range, and the planner guesses its size.  On
 * a bad guess it could read the whole table, or another index that fits the
 * user's condition, for every batch.  So while one of these statements is
 * planned a hook leaves the target no paths but those along the key index.
 * All the rest of the plan is the planner's own choice, with the batch's size
 * as the number of rows.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/statement.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/paths.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "parser/parser.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "statement.h"
#include "unchanged.h"

/* How many rows are shown. */
#define SHOWN_ROWS 5

/*
 * What the hooks do to a statement.  They know it by where its text is: a
 * statement of the same text that a trigger runs is another.
 */
typedef struct KeyStatement
{
	const BulkparStatement *statement;
	const char *plan_sql;		/* its plan's copy of the text; may be NULL */
	Oid			relid;			/* the target */
	Oid			part;			/* of the target, that is to be reached */
	const BulkparKey *key;		/* along which it must be reached */
} KeyStatement;

static List *key_statements = NIL;
static const KeyStatement *planning = NULL;
static bool without_key_index = false;	/* had the last plan to do */
static post_parse_analyze_hook_type prev_post_parse_analyze_hook = NULL;
static planner_hook_type prev_planner_hook = NULL;
static set_rel_pathlist_hook_type prev_set_rel_pathlist_hook = NULL;

static void append_select(StringInfo sql, Relation rel, Oid part,
						  const BulkparKey *key, bool backward);
static BulkparStatement *make_statement(char *sql, const BulkparKey *key,
										const BulkparShape *shape);
static void prepare(BulkparStatement *statement, Oid relid, Oid part,
					const BulkparKey *key);
static void check_plan(const BulkparStatement *statement);
static void check_temporary_functions(SPIPlanPtr plan);
static bool find_temporary(Node *node, void *context);
static bool is_temporary_function(Oid function, void *context);
static void raise_temporary(const char *kind, const char *name);
static char *quoted_name(Relation rel);
static void install_hooks(void);
static KeyStatement *find_key_statement(const char *sql);
static void add_conditions(ParseState *pstate, Query *query,
						   JumbleState *jstate);
static Node *range_condition(ParseState *pstate, const KeyStatement *entry,
							 Query *query);
static void append_joined(StringInfo sql, const KeyStatement *entry,
						  Query *query, int target);
static Var *joined_column(Node *condition, const KeyStatement *entry,
						  int target);
static void select_keys(ParseState *pstate, const KeyStatement *entry,
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

/*
 * The statement of a job as the caller gave it, or made of its parts, which
 * must have passed parse.c.
 */
char *
bulkpar_statement_text(Relation rel, const BulkparJob *job)
{
	StringInfoData sql;

	if (job->statement != NULL)
		return pstrdup(job->statement);

	initStringInfo(&sql);
	appendStringInfo(&sql, job->deletes ? "DELETE FROM %s%s" :
					 "UPDATE %s%s SET ", job->only ? "ONLY " : "",
					 quoted_name(rel));
	for (int i = 0; i < job->nexpressions; i++)
		appendStringInfo(&sql, "%s%s = (%s)", i > 0 ? ", " : "",
						 quote_identifier(job->column_names[i]),
						 job->expressions[i]);
	/* A comment may be at the end of it. */
	if (job->from_item != NULL)
		appendStringInfo(&sql, " %s %s\n", job->deletes ? "USING" : "FROM",
						 job->from_item);
	if (job->condition != NULL)
		appendStringInfo(&sql, " WHERE (%s)", job->condition);
	return sql.data;
}

/* The statement of a batch, over a range of keys. */
BulkparStatement *
bulkpar_statement_batch(Relation rel, const BulkparKey *key,
						const BulkparJob *job, const BulkparShape *shape)
{
	BulkparStatement *statement =
		make_statement(bulkpar_statement_text(rel, job), key, shape);

	statement->batch_size = job->batch_size;
	statement->skip_unchanged = job->skip_unchanged;
	return statement;
}

/*
 * The keys of all rows that the statement of a job would change, by whatever
 * plan is best.  There may be more than one of a row.
 */
BulkparStatement *
bulkpar_statement_matches(Relation rel, const BulkparKey *key,
						  const BulkparJob *job)
{
	BulkparShape none = {0};
	BulkparStatement *statement =
		make_statement(bulkpar_statement_text(rel, job), key, &none);

	statement->selects_keys = true;
	statement->nargs = 0;
	return statement;
}

/* The keys of a range in order, as many as the last parameter says. */
BulkparStatement *
bulkpar_statement_collect(Relation rel, Oid part, const BulkparKey *key,
						  const BulkparShape *shape)
{
	BulkparStatement *statement;
	StringInfoData sql;
	Oid			argtypes[BULKPAR_MAX_VALUES];

	initStringInfo(&sql);
	append_select(&sql, rel, part, key, false);
	appendStringInfo(&sql, " LIMIT $%d",
					 bulkpar_key_arguments(key, shape, argtypes) + 1);
	statement = make_statement(sql.data, key, shape);
	statement->argtypes[statement->nargs++] = INT8OID;
	return statement;
}

/* The SELECT of the largest key. */
BulkparStatement *
bulkpar_statement_end_key(Relation rel, Oid part, const BulkparKey *key)
{
	BulkparShape all = {0};
	StringInfoData sql;

	initStringInfo(&sql);
	append_select(&sql, rel, part, key, true);
	appendStringInfoString(&sql, " LIMIT 1");
	return make_statement(sql.data, key, &all);
}

/*
 * Go as far with a statement as EXPLAIN does: parse, analyze, plan, check the
 * privileges of the current user, start the executor; but do not run it.
 * Whatever is wrong with it is an error.  SPI must be connected.
 */
void
bulkpar_statement_check(BulkparStatement *statement, Oid relid, Oid part,
						const BulkparKey *key)
{
	PG_TRY();
	{
		prepare(statement, relid, part, key);
		check_plan(statement);
	}
	PG_CATCH();
	{
		bulkpar_statement_forget(statement);
		PG_RE_THROW();
	}
	PG_END_TRY();
	bulkpar_statement_forget(statement);
}

/*
 * Prepare a statement for as long as the process lives, to be planned along
 * the key index.  The statement and the key must be in a memory context that
 * lives as long.  SPI must be connected.
 */
void
bulkpar_statement_prepare(BulkparStatement *statement, Oid relid, Oid part,
						  const BulkparKey *key)
{
	prepare(statement, relid, part, key);
	SPI_keepplan(statement->plan);
	statement->kept = true;
}

/* The plan of a statement, as EXPLAIN shows it; a line ends with a newline. */
char *
bulkpar_statement_explain(BulkparStatement *statement, Oid relid, Oid part,
						  const BulkparKey *key)
{
	ExplainState *es = NewExplainState();
	CachedPlan *cplan;
	QueryDesc  *desc;

	prepare(statement, relid, part, key);
	PushActiveSnapshot(GetTransactionSnapshot());
	without_key_index = false;
	cplan = SPI_plan_get_cached_plan(statement->plan);
	if (cplan == NULL || list_length(cplan->stmt_list) != 1)
		elog(ERROR, "statement has no single plan");
	if (without_key_index)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a batch would not reach its rows through index \"%s\"",
						get_rel_name(key->index)),
				 errdetail("Row level security can hide the condition on the key from the index.")));
	desc = CreateQueryDesc(linitial_node(PlannedStmt, cplan->stmt_list),
						   statement->sql, GetActiveSnapshot(),
						   InvalidSnapshot, None_Receiver, NULL, NULL, 0);
	ExecutorStart(desc, EXEC_FLAG_EXPLAIN_ONLY);
	ExplainPrintPlan(es, desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	ReleaseCachedPlan(cplan, NULL);
	PopActiveSnapshot();
	bulkpar_statement_forget(statement);
	return es->str->data;
}

/* How many rows the planner expects a prepared SELECT to return. */
double
bulkpar_statement_rows(const BulkparStatement *statement)
{
	CachedPlan *cplan = SPI_plan_get_cached_plan(statement->plan);
	double		rows;

	if (cplan == NULL || list_length(cplan->stmt_list) != 1)
		elog(ERROR, "statement has no single plan");
	rows = linitial_node(PlannedStmt, cplan->stmt_list)->planTree->plan_rows;
	ReleaseCachedPlan(cplan, statement->kept ? CurrentResourceOwner : NULL);
	return rows;
}

/* Undo bulkpar_statement_prepare. */
void
bulkpar_statement_forget(BulkparStatement *statement)
{
	KeyStatement *entry = find_key_statement(statement->sql);

	if (entry != NULL)
	{
		key_statements = list_delete_ptr(key_statements, entry);
		pfree(entry);
	}
	if (statement->kept)
		SPI_freeplan(statement->plan);
	statement->plan = NULL;
	statement->kept = false;
}

/* Append the SELECT of the keys in their order, or backward. */
static void
append_select(StringInfo sql, Relation rel, Oid part, const BulkparKey *key,
			  bool backward)
{
	appendStringInfoString(sql, "SELECT ");
	bulkpar_key_append_columns(sql, key);
	appendStringInfo(sql, " FROM %s%s ORDER BY ",
					 part == RelationGetRelid(rel) ? "ONLY " : "",
					 quoted_name(rel));
	bulkpar_key_append_order(sql, key, backward);
}

/* A statement with the arguments of its shape. */
static BulkparStatement *
make_statement(char *sql, const BulkparKey *key, const BulkparShape *shape)
{
	BulkparStatement *statement = palloc0(sizeof(BulkparStatement));

	statement->shape = *shape;
	statement->sql = sql;
	statement->nargs = bulkpar_key_arguments(key, shape, statement->argtypes);
	return statement;
}

/* Tell the hooks of a statement, and prepare it. */
static void
prepare(BulkparStatement *statement, Oid relid, Oid part,
		const BulkparKey *key)
{
	MemoryContext oldcontext;
	KeyStatement *entry;
	CachedPlanSource *source;

	install_hooks();

	oldcontext = MemoryContextSwitchTo(TopMemoryContext);
	entry = palloc0(sizeof(KeyStatement));
	entry->statement = statement;
	entry->relid = relid;
	entry->part = part;
	entry->key = key;
	key_statements = lappend(key_statements, entry);
	MemoryContextSwitchTo(oldcontext);

	statement->plan = SPI_prepare_cursor(statement->sql, statement->nargs,
										 statement->argtypes,
										 statement->selects_keys ?
										 CURSOR_OPT_PARALLEL_OK :
										 CURSOR_OPT_GENERIC_PLAN);
	if (statement->plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s",
			 SPI_result_code_string(SPI_result));
	source = linitial(SPI_plan_get_plan_sources(statement->plan));
	entry->plan_sql = source->query_string;
}

/* Plan a prepared statement, and start the executor on it. */
static void
check_plan(const BulkparStatement *statement)
{
	CachedPlan *cplan;
	PlannedStmt *stmt;
	QueryDesc  *desc;
	ListCell   *lc;

	PushActiveSnapshot(GetTransactionSnapshot());
	cplan = SPI_plan_get_cached_plan(statement->plan);
	if (cplan == NULL || list_length(cplan->stmt_list) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the batches of this job are not a single statement")));

	stmt = linitial_node(PlannedStmt, cplan->stmt_list);
	foreach(lc, stmt->relationOids)
	{
		if (isAnyTempNamespace(get_rel_namespace(lfirst_oid(lc))))
			raise_temporary("table", get_rel_name(lfirst_oid(lc)));
	}
	check_temporary_functions(statement->plan);

	desc = CreateQueryDesc(stmt,
						   statement->sql, GetActiveSnapshot(),
						   InvalidSnapshot, None_Receiver, NULL, NULL, 0);
	ExecutorStart(desc, EXEC_FLAG_EXPLAIN_ONLY);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	ReleaseCachedPlan(cplan, NULL);
	PopActiveSnapshot();
}

/* The workers could not see a function of pg_temp either. */
static void
check_temporary_functions(SPIPlanPtr plan)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));
	ListCell   *lc;

	foreach(lc, source->query_list)
		(void) query_tree_walker(lfirst_node(Query, lc), find_temporary, NULL,
								 0);
}

static bool
find_temporary(Node *node, void *context)
{
	if (node == NULL)
		return false;
	(void) check_functions_in_node(node, is_temporary_function, context);
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_temporary, context, 0);
	return expression_tree_walker(node, find_temporary, context);
}

static bool
is_temporary_function(Oid function, void *context)
{
	if (isAnyTempNamespace(get_func_namespace(function)))
		raise_temporary("function", get_func_name(function));
	return false;
}

static void
raise_temporary(const char *kind, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("temporary %s \"%s\" cannot be used in a bulkpar job",
					kind, name),
			 errdetail("Background workers cannot see the temporary objects of another session.")));
}

static char *
quoted_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
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

static KeyStatement *
find_key_statement(const char *sql)
{
	ListCell   *lc;

	foreach(lc, key_statements)
	{
		KeyStatement *entry = lfirst(lc);

		if (sql == entry->statement->sql || sql == entry->plan_sql)
			return entry;
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
	KeyStatement *entry = find_key_statement(pstate->p_sourcetext);

	if (entry != NULL)
	{
		RangeTblEntry *rte = rt_fetch(Max(query->resultRelation, 1),
									  query->rtable);
		FromExpr   *from = query->jointree;

		if (rte->relid != entry->relid)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("the statement of the job is now about another table"),
					 errdetail("It began with the table of the OID %u.",
							   entry->relid)));
		if (entry->statement->selects_keys)
			select_keys(pstate, entry, query);
		else if (entry->statement->nargs > 0)
			from->quals = make_and_qual(range_condition(pstate, entry, query),
										from->quals);
		if (entry->statement->skip_unchanged)
			from->quals = make_and_qual(from->quals,
										bulkpar_unchanged_condition(pstate,
																	query));
	}
	if (prev_post_parse_analyze_hook)
		prev_post_parse_analyze_hook(pstate, query, jstate);
}

/*
 * The condition of the range.  It comes first, so that nothing is evaluated
 * for rows of other stripes.
 */
static Node *
range_condition(ParseState *pstate, const KeyStatement *entry, Query *query)
{
	int			rti = Max(query->resultRelation, 1);
	StringInfoData sql;
	RawStmt    *raw;
	ResTarget  *target;
	Node	   *condition;

	initStringInfo(&sql);
	bulkpar_key_append_shape(&sql, entry->key, &entry->statement->shape,
							 qualifier(rt_fetch(rti, query->rtable)));
	append_joined(&sql, entry, query, rti);
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
append_joined(StringInfo sql, const KeyStatement *entry, Query *query,
			  int target)
{
	BulkparKey	key = *entry->key;
	BulkparShape shape = entry->statement->shape;
	ListCell   *lc;

	if (key.ncolumns != 1)
		return;
	shape.striped = false;
	foreach(lc, make_ands_implicit((Expr *) query->jointree->quals))
	{
		Var		   *joined = joined_column(lfirst(lc), entry, target);
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
joined_column(Node *condition, const KeyStatement *entry, int target)
{
	const BulkparKeyColumn *column = &entry->key->columns[0];
	AttrNumber	attnum = get_attnum(entry->relid,
									get_attname(entry->part, column->attnum,
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
	if (a->varno != target || a->varattno != attnum || a->varlevelsup != 0 ||
		b->varno == target || b->varlevelsup != 0 || b->varattno <= 0 ||
		b->vartype != a->vartype)
		return NULL;
	return b;
}

/*
 * Make of an UPDATE or DELETE the SELECT of the keys of its rows, or of the
 * old and new values of a few.
 */
static void
select_keys(ParseState *pstate, const KeyStatement *entry, Query *query)
{
	RangeTblEntry *rte = rt_fetch(query->resultRelation, query->rtable);
	List	   *targets = NIL;

	for (int i = 0; i < entry->key->ncolumns; i++)
	{
		char	   *name = get_attname(entry->part,
									   entry->key->columns[i].attnum, false);
		AttrNumber	attnum = get_attnum(rte->relid, name);
		Oid			type;
		int32		typmod;
		Oid			collation;
		Var		   *var;

		get_atttypetypmodcoll(rte->relid, attnum, &type, &typmod, &collation);
		var = makeVar(query->resultRelation, attnum, type, typmod, collation, 0);
		markVarForSelectPriv(pstate, var);
		targets = lappend(targets,
						  makeTargetEntry((Expr *) var, i + 1, name, false));
	}
	if (entry->statement->shows_values)
	{
		targets = list_concat(targets,
							  bulkpar_unchanged_values(pstate, query,
													   list_length(targets)));
		query->limitCount = (Node *) makeConst(INT8OID, -1, InvalidOid,
											   sizeof(int64),
											   Int64GetDatum(SHOWN_ROWS),
											   false, FLOAT8PASSBYVAL);
		query->limitOption = LIMIT_OPTION_COUNT;
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
	const KeyStatement *outer = planning;
	PlannedStmt *result;

	planning = find_key_statement(query_string);
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

	if (planning == NULL || planning->statement->selects_keys ||
		root->query_level != 1 || rte->rtekind != RTE_RELATION ||
		!is_of_target(root, rti))
		return;
	if (planning->statement->batch_size > 0)
		rel->rows = Min(rel->rows, planning->statement->batch_size);
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
	if (rel->pathlist == NIL)
	{
		rel->pathlist = pathlist;
		without_key_index = true;
	}
}

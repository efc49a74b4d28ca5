/*-------------------------------------------------------------------------
 *
 * condition.c
 *		What is added to the query of a statement: the range of a batch.
 *
 * It is added by OID, see keyquery.c, when the statement has been analyzed.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/condition.c
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
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"

#include "compat.h"
#include "table/condition.h"
#include "table/keyquery.h"
#include "table/unchanged.h"
#include "table/values.h"

/* How many rows are shown. */
#define SHOWN_ROWS 5

static int	target_index(const Query *query);
static Node *range_condition(const BulkparStatement *statement,
							 const Query *query, List *columns);
static List *joined_ranges(const BulkparStatement *statement,
						   const Query *query);
static Var *joined_column(Node *condition, const BulkparStatement *statement,
						  int target);
static List *key_columns(ParseState *pstate, const BulkparStatement *statement,
						 const Query *query);
static List *key_targets(const BulkparStatement *statement, List *columns);
static AttrNumber key_attnum(const BulkparStatement *statement, int i);
static Node *part_condition(const BulkparStatement *statement);
static bool can_prune(const Node *condition);
static void select_versions(Query *query);
static void select_keys(ParseState *pstate, const BulkparStatement *statement,
						Query *query);

/*
 * Restrict the query of a statement to its range and part, and if wanted to
 * the rows that it changes; or make it select keys.
 */
void
bulkpar_condition_add(BulkparStatement *statement, ParseState *pstate,
					  Query *query)
{
	RangeTblEntry *rte = rt_fetch(target_index(query), query->rtable);
	FromExpr   *from = query->jointree;

	if (rte->relid != statement->relid)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the statement of the job is now about another table"),
				 errdetail("It began with the table of the OID %u.",
						   statement->relid)));
	statement->whole = from->quals == NULL && list_length(from->fromlist) == 1;
	if (statement->skip_unchanged)
		from->quals = make_and_qual(from->quals,
									bulkpar_unchanged_condition(pstate,
																query));
	if (statement->selects_keys)
		select_keys(pstate, statement, query);
	else
	{
		List	   *columns = key_columns(pstate, statement, query);

		/* The range comes first: nothing is evaluated for rows beyond it. */
		if (statement->nargs > 0)
			from->quals = make_and_qual(range_condition(statement, query,
														columns),
										from->quals);
		from->quals = make_and_qual(from->quals, part_condition(statement));
		if (statement->selects_versions)
			select_versions(query);
		else if (statement->collects)
		{
			query->targetList = key_targets(statement, columns);
			bulkpar_keyquery_sort(statement->key, statement->backward, query);
		}
	}
	query->hasSubLinks |= checkExprHasSubLink(from->quals);
}

/*
 * The number of the target in the query.  A collecting statement changes none,
 * and has but this table.
 */
static int
target_index(const Query *query)
{
	return Max(query->resultRelation, 1);
}

/* The condition of the range. */
static Node *
range_condition(const BulkparStatement *statement, const Query *query,
				List *columns)
{
	List	   *conditions = joined_ranges(statement, query);

	conditions = lcons(bulkpar_keyquery_condition(statement->key,
												  &statement->shape, columns),
					   conditions);
	return (Node *) make_ands_explicit(conditions);
}

/*
 * Where the condition says that a column of another table is equal to the key,
 * the same range holds for it.  The planner does not conclude that, and would
 * read the other table whole for each batch.
 */
static List *
joined_ranges(const BulkparStatement *statement, const Query *query)
{
	BulkparKeyShape shape = statement->shape;
	List	   *conditions = NIL;
	ListCell   *lc;

	if (statement->key->ncolumns != 1)
		return NIL;
	shape.striped = false;
	foreach(lc, make_ands_implicit((Expr *) query->jointree->quals))
	{
		Var		   *joined = joined_column(lfirst(lc), statement,
										   target_index(query));
		Node	   *range;

		if (joined == NULL ||
			rt_fetch(joined->varno, query->rtable)->rtekind == RTE_JOIN)
			continue;
		range = bulkpar_keyquery_condition(statement->key, &shape,
										   list_make1(joined));
		conditions = lappend(conditions, range);
	}
	return conditions;
}

/* The column that a condition says is equal to the key; NULL if it does not. */
static Var *
joined_column(Node *condition, const BulkparStatement *statement,
			  int target)
{
	const BulkparKeyColumn *column = &statement->key->columns[0];
	AttrNumber	attnum = key_attnum(statement, 0);
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
 * The columns of the key in the query.  They are given to operators without a
 * look at their types, so these must be what they were.
 */
static List *
key_columns(ParseState *pstate, const BulkparStatement *statement,
			const Query *query)
{
	List	   *columns = NIL;

	for (int i = 0; i < statement->key->ncolumns; i++)
	{
		Var		   *column = bulkpar_values_column(pstate, query,
												   target_index(query),
												   key_attnum(statement, i));

		if (getBaseType(column->vartype) != statement->key->columns[i].type)
			elog(ERROR, "key column %d of relation %u has changed its type",
				 column->varattno, statement->relid);
		columns = lappend(columns, column);
	}
	return columns;
}

/* Such columns as the targets of a SELECT. */
static List *
key_targets(const BulkparStatement *statement, List *columns)
{
	List	   *targets = NIL;
	ListCell   *lc;

	foreach(lc, columns)
	{
		Var		   *column = lfirst_node(Var, lc);

		bulkpar_values_add(&targets, (Node *) column,
						   get_attname(statement->relid, column->varattno,
									   false));
	}
	return targets;
}

/* The number of a key column in the target, which may not be that of the part. */
static AttrNumber
key_attnum(const BulkparStatement *statement, int i)
{
	char	   *name = get_attname(statement->part,
								   statement->key->columns[i].attnum, false);
	AttrNumber	attnum = get_attnum(statement->relid, name);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						name, get_rel_name(statement->relid))));
	return attnum;
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

/* Where the rows are, by the only table of the query. */
static void
select_versions(Query *query)
{
	List	   *targets = NIL;

	bulkpar_values_add(&targets, (Node *)
					   makeVar(target_index(query),
							   SelfItemPointerAttributeNumber, TIDOID, -1,
							   InvalidOid, 0), "ctid");
	query->targetList = targets;
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
	List	   *targets = key_targets(statement,
									  key_columns(pstate, statement, query));

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

/*-------------------------------------------------------------------------
 *
 * condition.c
 *		What is added to the query of a statement: the range of a batch.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/condition.c
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
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"

#include "compat.h"
#include "condition.h"
#include "unchanged.h"
#include "values.h"

/* How many rows are shown. */
#define SHOWN_ROWS 5

static Node *range_condition(ParseState *pstate,
							 const BulkparStatement *statement, Query *query);
static AttrNumber key_attnum(const BulkparStatement *statement, int i);
static Node *part_condition(const BulkparStatement *statement);
static bool can_prune(const Node *condition);
static void append_joined(StringInfo sql, const BulkparStatement *statement,
						  Query *query, int target);
static Var *joined_column(Node *condition, const BulkparStatement *statement,
						  int target);
static void select_keys(ParseState *pstate, const BulkparStatement *statement,
						Query *query);
static char *qualifier(const RangeTblEntry *rte);

/*
 * Restrict the query of a statement to its range and part, and if wanted to
 * the rows that it changes; or make it select keys.  The target is the first
 * table of a collecting statement.
 */
void
bulkpar_condition_add(const BulkparStatement *statement, ParseState *pstate,
					  Query *query)
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
	if (statement->skip_unchanged)
		from->quals = make_and_qual(from->quals,
									bulkpar_unchanged_condition(pstate,
																query));
	if (statement->selects_keys)
		select_keys(pstate, statement, query);
	else
	{
		/* The range comes first: nothing is evaluated for rows beyond it. */
		if (statement->nargs > 0)
			from->quals = make_and_qual(range_condition(pstate, statement,
														query),
										from->quals);
		from->quals = make_and_qual(from->quals, part_condition(statement));
	}
	query->hasSubLinks |= pstate->p_hasSubLinks;
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
	/* The name of a column of a join may be hidden by that of the join. */
	if ((int) b->varnosyn != b->varno || b->varattnosyn != b->varattno)
		return NULL;
	if (a->varno != target || a->varattno != attnum || a->varlevelsup != 0 ||
		b->varno == target || b->varlevelsup != 0 || b->varattno <= 0 ||
		b->vartype != a->vartype)
		return NULL;
	return b;
}

/* The number of a key column in the target, which may not be that of the part. */
static AttrNumber
key_attnum(const BulkparStatement *statement, int i)
{
	return get_attnum(statement->relid,
					  get_attname(statement->part,
								  statement->key->columns[i].attnum, false));
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
		AttrNumber	attnum = key_attnum(statement, i);

		bulkpar_values_add(&targets, (Node *)
						   bulkpar_values_old(pstate, query, attnum),
						   get_attname(statement->relid, attnum, false));
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
	return psprintf("%s.", bulkpar_statement_table(rte->relid));
}

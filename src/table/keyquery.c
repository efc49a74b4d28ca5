/*-------------------------------------------------------------------------
 *
 * keyquery.c
 *		Ranges and the order of a key in a query.
 *
 * They are not written as SQL: what that means depends on the search_path of
 * the user's session, and on who can put functions and operators into its
 * schemas, or only into that of an operator of the index, for a name can have a
 * better match for the types at hand.  All is made of the OIDs that the
 * index has, as the parser would make it, so that the planner finds the index.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/keyquery.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteManip.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "table/keyquery.h"
#include "table/place.h"
#include "table/stripe.h"

/* The parameters of a shape, in the order of bulkpar_keyvalue_cut. */
typedef struct Parameters
{
	int			used;
	Oid			types[BULKPAR_KEY_MAX_VALUES];
} Parameters;

static Expr *compare_rest(const BulkparKey *key, const BulkparKeyShape *shape,
						  StrategyNumber strategy, List *columns,
						  Parameters *parameters);
static Expr *compare_column(const BulkparKeyColumn *column,
							StrategyNumber strategy, Expr *left, Expr *right);
static Expr *is_in_array(const BulkparKeyColumn *column, Expr *left,
						 Expr *array);
static Expr *is_in_list(const BulkparKey *key, List *columns,
						Parameters *parameters);
static List *are_at_places(const BulkparKey *key, List *columns,
						   Parameters *parameters);
static List *are_in_span(Expr *place, Parameters *parameters);
static RangeTblEntry *make_list(int ncolumns, Parameters *parameters);
static Expr *is_in_stripe(List *columns, Parameters *parameters);
static Expr *next_parameter(Parameters *parameters);
static Expr *as_input(const BulkparKeyColumn *column, Expr *expr);
static bool is_operator(const BulkparKeyColumn *column, Oid operator);
static bool is_at_hand(const Node *value);

/*
 * The condition of a shape.  The columns are expressions for those of the key,
 * in their order, of the query that the condition is for, and for a placed shape
 * and a span that of the place.
 */
Node *
bulkpar_keyquery_condition(const BulkparKey *key, const BulkparKeyShape *shape,
						   List *columns)
{
	Parameters	parameters = {0};
	List	   *conditions = NIL;

	bulkpar_key_arguments(key, shape, parameters.types);
	if (shape->span)
		return (Node *) make_ands_explicit(are_in_span(llast(columns),
													   &parameters));
	if (shape->placed)
		return (Node *) make_ands_explicit(are_at_places(key, columns,
														 &parameters));
	if (shape->listed)
		return (Node *) (key->ncolumns > 1 ?
						 is_in_list(key, columns, &parameters) :
						 is_in_array(&key->columns[0], linitial(columns),
									 next_parameter(&parameters)));
	for (int i = 0; i < shape->nprefix; i++)
		conditions = lappend(conditions,
							 compare_column(&key->columns[i],
											BTEqualStrategyNumber,
											list_nth(columns, i),
											next_parameter(&parameters)));
	if (shape->after)
		conditions = lappend(conditions,
							 compare_rest(key, shape, BTGreaterStrategyNumber,
										  columns, &parameters));
	if (shape->bound != BULKPAR_KEY_END_NONE)
		conditions = lappend(conditions,
							 compare_rest(key, shape,
										  shape->bound == BULKPAR_KEY_END_UPTO ?
										  BTLessEqualStrategyNumber :
										  BTLessStrategyNumber,
										  columns, &parameters));
	if (shape->striped)
		conditions = lappend(conditions, is_in_stripe(columns, &parameters));
	return (Node *) make_ands_explicit(conditions);
}

/*
 * Whether a condition compares values of the type of a column of the key by its
 * operators, as those above do, and the values are columns, parameters or
 * constants.
 */
bool
bulkpar_keyquery_compares(const BulkparKey *key, const Node *clause)
{
	Oid			operator;
	List	   *args;

	if (IsA(clause, OpExpr))
	{
		operator = ((const OpExpr *) clause)->opno;
		args = ((const OpExpr *) clause)->args;
	}
	else if (IsA(clause, ScalarArrayOpExpr))
	{
		operator = ((const ScalarArrayOpExpr *) clause)->opno;
		args = ((const ScalarArrayOpExpr *) clause)->args;
	}
	else
		return false;

	if (list_length(args) != 2 || !is_at_hand(linitial(args)) ||
		!is_at_hand(lsecond(args)))
		return false;
	for (int i = 0; i < key->ncolumns; i++)
	{
		/* An operator on arrays or the like takes those of any type. */
		if (is_operator(&key->columns[i], operator) &&
			exprType(linitial(args)) == key->columns[i].input &&
			(IsA(clause, ScalarArrayOpExpr) ||
			 exprType(lsecond(args)) == key->columns[i].input))
			return true;
	}
	return false;
}

/*
 * Sort a SELECT, whose first targets are the columns of the key, as the index
 * does, or backward.
 */
void
bulkpar_keyquery_sort(const BulkparKey *key, bool backward, Query *query)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		const BulkparKeyColumn *column = &key->columns[i];
		TargetEntry *target = list_nth_node(TargetEntry, query->targetList, i);
		SortGroupClause *clause = makeNode(SortGroupClause);

		/* The clause has no collation of its own. */
		if (OidIsValid(column->collation) &&
			exprCollation((Node *) target->expr) != column->collation)
		{
			CollateExpr *collated = makeNode(CollateExpr);

			collated->arg = copyObject(target->expr);
			collated->collOid = column->collation;
			collated->location = -1;
			target = makeTargetEntry((Expr *) collated,
									 list_length(query->targetList) + 1, NULL,
									 true);
			query->targetList = lappend(query->targetList, target);
		}
		target->ressortgroupref = i + 1;
		clause->tleSortGroupRef = i + 1;
		clause->eqop = bulkpar_key_operator(column, BTEqualStrategyNumber);
		clause->sortop = bulkpar_key_operator(column, backward ?
											  BTGreaterStrategyNumber :
											  BTLessStrategyNumber);
		bulkpar_compat_sort_descends(clause, column->descends != backward);
		clause->nulls_first = column->nulls_first != backward;
		query->sortClause = lappend(query->sortClause, clause);
	}
}

/* The comparison of the column that follows the prefix. */
static Expr *
compare_rest(const BulkparKey *key, const BulkparKeyShape *shape,
			 StrategyNumber strategy, List *columns, Parameters *parameters)
{
	return compare_column(&key->columns[shape->nprefix], strategy,
						  list_nth(columns, shape->nprefix),
						  next_parameter(parameters));
}

/* The comparison of a column with what is of the type that operators take. */
static Expr *
compare_column(const BulkparKeyColumn *column, StrategyNumber strategy,
			   Expr *left, Expr *right)
{
	Expr	   *result = make_opclause(bulkpar_key_operator(column, strategy),
									   BOOLOID, false,
									   as_input(column, copyObject(left)),
									   right, InvalidOid, column->collation);

	set_opfuncid((OpExpr *) result);
	return result;
}

/* left = ANY (array) */
static Expr *
is_in_array(const BulkparKeyColumn *column, Expr *left, Expr *array)
{
	ScalarArrayOpExpr *result = makeNode(ScalarArrayOpExpr);

	result->opno = bulkpar_key_operator(column, BTEqualStrategyNumber);
	set_sa_opfuncid(result);
	result->useOr = true;
	result->inputcollid = column->collation;
	result->args = list_make2(as_input(column, copyObject(left)), array);
	result->location = -1;
	return (Expr *) result;
}

/*
 * EXISTS (SELECT FROM ROWS FROM (unnest(array), ...) AS list(c0, ...)
 *		   WHERE column = c0 AND ...)
 */
static Expr *
is_in_list(const BulkparKey *key, List *columns, Parameters *parameters)
{
	Query	   *query = makeNode(Query);
	RangeTblRef *list = makeNode(RangeTblRef);
	SubLink    *result = makeNode(SubLink);
	List	   *conditions = NIL;

	for (int i = 0; i < list_length(columns); i++)
	{
		Oid			type = key->columns[i].input;
		Expr	   *left = copyObject(list_nth(columns, i));
		Expr	   *right = (Expr *) makeVar(1, i + 1, type, -1,
											 get_typcollation(type), 0);

		IncrementVarSublevelsUp((Node *) left, 1, 0);
		conditions = lappend(conditions,
							 compare_column(&key->columns[i],
											BTEqualStrategyNumber, left, right));
	}
	list->rtindex = 1;
	query->commandType = CMD_SELECT;
	query->canSetTag = true;
	query->rtable = list_make1(make_list(list_length(columns), parameters));
	query->jointree = makeFromExpr(list_make1(list), (Node *)
								   make_ands_explicit(conditions));
	result->subLinkType = EXISTS_SUBLINK;
	result->subselect = (Node *) query;
	result->location = -1;
	return (Expr *) result;
}

/*
 * place = ANY (places) AND bulkpar_at_place(places, place, array, column, ...), of
 * which the last of the columns is the place: by the first one scan reads the
 * places of all rows, as they are on disk.
 */
static List *
are_at_places(const BulkparKey *key, List *columns, Parameters *parameters)
{
	ScalarArrayOpExpr *scan = makeNode(ScalarArrayOpExpr);
	Expr	   *place = llast(columns);
	Expr	   *places;
	List	   *args = NIL;

	for (int i = 0; i < key->ncolumns; i++)
	{
		args = lappend(args, next_parameter(parameters));
		args = lappend(args, as_input(&key->columns[i],
									  copyObject(list_nth(columns, i))));
	}
	places = next_parameter(parameters);
	args = list_concat(list_make2(places, copyObject(place)), args);
	scan->opno = TIDEqualOperator;
	set_sa_opfuncid(scan);
	scan->useOr = true;
	scan->args = list_make2(copyObject(place), copyObject(places));
	scan->location = -1;
	return list_make2(scan, makeFuncExpr(bulkpar_place_function(), BOOLOID,
										 args, InvalidOid, InvalidOid,
										 COERCE_EXPLICIT_CALL));
}

/* place >= start AND place < end */
static List *
are_in_span(Expr *place, Parameters *parameters)
{
	static const Oid operators[] = {TIDGreaterEqOperator, TIDLessOperator};
	List	   *conditions = NIL;

	for (int i = 0; i < (int) lengthof(operators); i++)
	{
		Expr	   *condition = make_opclause(operators[i], BOOLOID, false,
											  copyObject(place),
											  next_parameter(parameters),
											  InvalidOid, InvalidOid);

		set_opfuncid((OpExpr *) condition);
		conditions = lappend(conditions, condition);
	}
	return conditions;
}

/* ROWS FROM (unnest(array), ...) AS list(c0, ...) */
static RangeTblEntry *
make_list(int ncolumns, Parameters *parameters)
{
	RangeTblEntry *result = makeNode(RangeTblEntry);
	List	   *names = NIL;

	for (int i = 0; i < ncolumns; i++)
	{
		RangeTblFunction *function = makeNode(RangeTblFunction);
		Expr	   *array = next_parameter(parameters);
		Oid			type = get_element_type(exprType((Node *) array));
		FuncExpr   *unnest = makeFuncExpr(F_UNNEST_ANYARRAY, type,
										  list_make1(array),
										  get_typcollation(type),
										  exprCollation((Node *) array),
										  COERCE_EXPLICIT_CALL);

		unnest->funcretset = true;
		function->funcexpr = (Node *) unnest;
		function->funccolcount = 1;
		result->functions = lappend(result->functions, function);
		names = lappend(names, makeString(psprintf("c%d", i)));
	}
	result->rtekind = RTE_FUNCTION;
	result->alias = makeAlias(BULKPAR_KEY_LIST, names);
	result->eref = copyObject(result->alias);
	result->inFromCl = true;
	return result;
}

/* bulkpar_in_stripe(stripes, stripe, column, ...) */
static Expr *
is_in_stripe(List *columns, Parameters *parameters)
{
	List	   *args = list_make1(next_parameter(parameters));

	args = lappend(args, next_parameter(parameters));
	args = list_concat(args, copyObject(columns));
	return (Expr *) makeFuncExpr(bulkpar_stripe_function(), BOOLOID, args,
								 InvalidOid, InvalidOid,
								 COERCE_EXPLICIT_CALL);
}

static Expr *
next_parameter(Parameters *parameters)
{
	Param	   *result = makeNode(Param);
	Oid			type = parameters->types[parameters->used++];

	result->paramkind = PARAM_EXTERN;
	result->paramid = parameters->used;
	result->paramtype = type;
	result->paramtypmod = -1;
	result->paramcollid = get_typcollation(type);
	result->location = -1;
	return (Expr *) result;
}

/* A column as the operators take it: a varchar or a domain of it as text. */
static Expr *
as_input(const BulkparKeyColumn *column, Expr *expr)
{
	if (exprType((Node *) expr) == column->input)
		return expr;
	return (Expr *) makeRelabelType(expr, column->input, -1, column->collation,
									COERCE_IMPLICIT_CAST);
}

/* Whether an operator is one of a column, and not just of its family. */
static bool
is_operator(const BulkparKeyColumn *column, Oid operator)
{
	for (StrategyNumber strategy = 1; strategy <= BTMaxStrategyNumber;
		 strategy++)
	{
		if (bulkpar_key_operator(column, strategy) == operator)
			return true;
	}
	return false;
}

/* Whether a value needs no function. */
static bool
is_at_hand(const Node *value)
{
	while (IsA(value, RelabelType))
		value = (const Node *) ((const RelabelType *) value)->arg;
	return IsA(value, Var) || IsA(value, Param) || IsA(value, Const);
}

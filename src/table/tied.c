/*-------------------------------------------------------------------------
 *
 * tied.c
 *		Tables of a query of which foreign keys change no row that it sees.
 *
 * Where a batch deletes or updates rows, the actions of foreign keys change rows of
 * other tables, and a query that a later batch runs for its rows sees that: one
 * statement would not.  It does no harm where the query sees only rows that refer to
 * its own row, as in
 *
 *		DELETE FROM users WHERE NOT EXISTS
 *		(SELECT FROM orders WHERE orders.user_id = users.id)
 *
 * with a foreign key of user_id: its action changes none but those of a row that is
 * deleted.  Such a table is tied, and so is one whose rows refer to rows of a tied
 * one in the same query.  It must be so for each foreign key that acts on it.
 *
 * SET DEFAULT may let a row refer to another one, and SET NULL adds nulls, which
 * NOT IN is sensitive to.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/tied.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "rewrite/rowsecurity.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table/acting.h"
#include "table/part.h"
#include "table/reach.h"
#include "table/tied.h"

/* A column of a table, by the level of the query that has it. */
typedef struct Column
{
	int			level;			/* below the query of the drive */
	int			rti;
	AttrNumber	attnum;
} Column;

/* What a query says of two columns. */
typedef struct Equality
{
	Column		left;
	Column		right;
	Oid			operator;
	bool		listed;			/* by IN, or NOT IN */
} Equality;

typedef struct Search
{
	const BulkparDrive *drive;
	const List *keys;
	int			level;			/* of the query that we are in */
	Query	   *query;
	bool		is_exists;		/* it is asked for nothing but rows */
	List	   *equalities;		/* that hold in it */
	List	   *tied;			/* range table entries */
} Search;

static bool walk(Node *node, void *context);
static void tie_query(Search *search, Query *query, const SubLink *sublink);
static void note_join(Search *search, Node *node);
static void note_condition(Search *search, Node *node);
static bool has_outer_join(Node *node);
static void note_list(Search *search, const SubLink *sublink);
static void note(Search *search, Oid operator, const Node *left,
				 int left_level, const Node *right, bool listed);
static bool is_exact(Oid operator, Oid collation);
static bool is_integer(Oid type);
static const Node *strip(const Node *node);
static bool is_tied(const Search *search, int rti);
static bool do_policies_read(RangeTblEntry *rte, const List *keys);
static bool reads_any(const Search *search, int rti,
					  const BulkparForeignKey *key);
static bool follows(const Search *search, int rti,
					const BulkparForeignKey *key);
static bool refers_to(const Search *search, int rti,
					  const BulkparForeignKey *key, int level, int other);
static bool is_referenced(const BulkparForeignKey *key,
						  const RangeTblEntry *rte);
static bool are_equal(const Search *search, const Column *column,
					  const Column *reference, const BulkparForeignKey *key,
					  int number);
static bool is_column(const Column *column, const Column *other);

/* The range table entries of the tables that are tied. */
List *
bulkpar_tied_find(const BulkparDrive *drive, const List *keys)
{
	Search		search = {.drive = drive, .keys = keys, .level = -1};

	/* What an UPDATE returns may look up what refers to its new values. */
	if (keys != NIL && drive->command != BULKPAR_COMMAND_KEEP)
		tie_query(&search, drive->query, NULL);
	return search.tied;
}

static bool
walk(Node *node, void *context)
{
	Search	   *search = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		tie_query(search, (Query *) node, NULL);
		return false;
	}
	if (IsA(node, SubLink))
	{
		SubLink    *sublink = (SubLink *) node;

		(void) walk(sublink->testexpr, context);
		tie_query(search, (Query *) sublink->subselect, sublink);
		return false;
	}
	return expression_tree_walker(node, walk, context);
}

/* Find those of a query, which may be the one of a sublink, and below it. */
static void
tie_query(Search *search, Query *query, const SubLink *sublink)
{
	Query	   *outer = search->query;
	bool		is_exists = search->is_exists;
	List	   *equalities = search->equalities;
	bool		more = true;

	search->level++;
	search->query = query;
	search->is_exists = sublink != NULL &&
		sublink->subLinkType == EXISTS_SUBLINK;
	search->equalities = NIL;
	note_join(search, (Node *) query->jointree);
	if (sublink != NULL)
		note_list(search, sublink);
	while (more)
	{
		more = false;
		for (int rti = 1; rti <= list_length(query->rtable); rti++)
		{
			RangeTblEntry *rte = rt_fetch(rti, query->rtable);

			if (rte->rtekind != RTE_RELATION ||
				list_member_ptr(search->tied, rte) || !is_tied(search, rti))
				continue;
			search->tied = lappend(search->tied, rte);
			more = true;
		}
	}
	(void) query_tree_walker(query, walk, search, 0);
	search->level--;
	search->query = outer;
	search->is_exists = is_exists;
	search->equalities = equalities;
}

/* Note what the conditions of a FROM list or join require of all its rows. */
static void
note_join(Search *search, Node *node)
{
	ListCell   *lc;

	if (node == NULL)
		return;
	if (IsA(node, FromExpr))
	{
		foreach(lc, ((FromExpr *) node)->fromlist)
			note_join(search, lfirst(lc));
		note_condition(search, ((FromExpr *) node)->quals);
	}
	if (IsA(node, JoinExpr) && ((JoinExpr *) node)->jointype == JOIN_INNER)
	{
		note_join(search, ((JoinExpr *) node)->larg);
		note_join(search, ((JoinExpr *) node)->rarg);
		note_condition(search, ((JoinExpr *) node)->quals);
	}
}

static void
note_condition(Search *search, Node *node)
{
	ListCell   *lc;

	if (node == NULL)
		return;
	if (is_andclause(node))
	{
		foreach(lc, ((BoolExpr *) node)->args)
			note_condition(search, lfirst(lc));
	}
	if (IsA(node, OpExpr) && list_length(((OpExpr *) node)->args) == 2)
		note(search, ((OpExpr *) node)->opno, linitial(((OpExpr *) node)->args),
			 search->level, lsecond(((OpExpr *) node)->args), false);
}

static bool
has_outer_join(Node *node)
{
	ListCell   *lc;

	if (IsA(node, JoinExpr))
		return ((JoinExpr *) node)->jointype != JOIN_INNER ||
			has_outer_join(((JoinExpr *) node)->larg) ||
			has_outer_join(((JoinExpr *) node)->rarg);
	foreach(lc, IsA(node, FromExpr) ? ((FromExpr *) node)->fromlist : NIL)
	{
		if (has_outer_join(lfirst(lc)))
			return true;
	}
	return false;
}

/*
 * Note what IN compares with a column of its query, if all its rows are in the list
 * and no others.
 */
static void
note_list(Search *search, const SubLink *sublink)
{
	const OpExpr *test = (const OpExpr *) sublink->testexpr;
	const Param *param;
	ListCell   *lc;

	if (sublink->subLinkType != ANY_SUBLINK || test == NULL ||
		!IsA(test, OpExpr) || list_length(test->args) != 2 ||
		bulkpar_reach_is_whole(search->query) ||
		has_outer_join((Node *) search->query->jointree))
		return;
	param = (const Param *) strip(lsecond(test->args));
	if (!IsA(param, Param) || param->paramkind != PARAM_SUBLINK)
		return;
	foreach(lc, search->query->targetList)
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (entry->resno == param->paramid)
			note(search, test->opno, linitial(test->args), search->level - 1,
				 (const Node *) entry->expr, true);
	}
}

/* Note that two expressions are compared, if they are columns. */
static void
note(Search *search, Oid operator, const Node *left, int left_level,
	 const Node *right, bool listed)
{
	const Var  *a = (const Var *) strip(left);
	const Var  *b = (const Var *) strip(right);
	Equality   *equality;

	if (!IsA(a, Var) || !IsA(b, Var) || a->varcollid != b->varcollid ||
		!is_exact(operator, a->varcollid))
		return;
	equality = palloc(sizeof(Equality));
	equality->left.level = left_level - (int) a->varlevelsup;
	equality->left.rti = a->varno;
	equality->left.attnum = a->varattno;
	equality->right.level = search->level - (int) b->varlevelsup;
	equality->right.rti = b->varno;
	equality->right.attnum = b->varattno;
	equality->operator = operator;
	equality->listed = listed;
	search->equalities = lappend(search->equalities, equality);
}

/*
 * Whether an operator finds no more to be equal than what is the same: of a time
 * with a time zone and one without that is not so.  A unique index may have another
 * collation than its column.
 */
static bool
is_exact(Oid operator, Oid collation)
{
	Oid			left;
	Oid			right;

	if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
		return false;
	op_input_types(operator, &left, &right);
	return left == right || (is_integer(left) && is_integer(right));
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/* An expression without what makes another type of the same value. */
static const Node *
strip(const Node *node)
{
	while (IsA(node, RelabelType))
		node = (const Node *) ((const RelabelType *) node)->arg;
	return node;
}

/* Whether a table is tied by each foreign key that acts on it, and there are some. */
static bool
is_tied(const Search *search, int rti)
{
	RangeTblEntry *rte = rt_fetch(rti, search->query->rtable);
	bool		tied = false;
	ListCell   *lc;

	/* Of a sample it is not known which rows are in it. */
	if (rte->tablesample != NULL || do_policies_read(rte, search->keys))
		return false;
	/* The statement itself changes these, whatever they refer to. */
	foreach(lc, search->drive->changed)
	{
		if (bulkpar_part_overlaps(lfirst_oid(lc), rte->relid))
			return false;
	}
	foreach(lc, search->keys)
	{
		const BulkparForeignKey *key = lfirst(lc);

		if (!bulkpar_part_overlaps(key->relid, rte->relid))
			continue;
		tied = true;
		if (!key->deletes && !get_rel_relispartition(rte->relid) &&
			!reads_any(search, rti, key))
			continue;
		if (key->defaults || !follows(search, rti, key))
			return false;
	}
	return tied;
}

/*
 * Whether the policies by which rows of a table are seen read what foreign keys
 * change of it, or have subqueries, of which nothing is known.
 */
static bool
do_policies_read(RangeTblEntry *rte, const List *keys)
{
	Relation	rel = table_open(rte->relid, AccessShareLock);
	bool		reads = false;
	ListCell   *lc;

	foreach(lc, rel->rd_rel->relrowsecurity && rel->rd_rsdesc != NULL ?
			rel->rd_rsdesc->policies : NIL)
	{
		Expr	   *qual = ((const RowSecurityPolicy *) lfirst(lc))->qual;
		int			location;

		reads |= checkExprHasSubLink((Node *) qual) ||
			bulkpar_acting_find_read(bulkpar_acting_query_of_policy(rte, qual),
									 1, keys, &location) != 0;
	}
	table_close(rel, NoLock);
	return reads;
}

/* Whether a query reads columns of a table that a foreign key changes. */
static bool
reads_any(const Search *search, int rti, const BulkparForeignKey *key)
{
	Query		query = *search->query;
	int			location;

	if (search->is_exists && !bulkpar_reach_is_whole(search->query) &&
		!query.hasTargetSRFs)
		query.targetList = NIL;
	return bulkpar_acting_find_read_of(&query, rti, key, &location) != 0;
}

/* Whether the rows refer to the driving table's row, or to those of a tied table. */
static bool
follows(const Search *search, int rti, const BulkparForeignKey *key)
{
	if (refers_to(search, rti, key, 0, search->drive->rti))
		return true;
	for (int other = 1; other <= list_length(search->query->rtable); other++)
	{
		if (list_member_ptr(search->tied,
							rt_fetch(other, search->query->rtable)) &&
			refers_to(search, rti, key, search->level, other))
			return true;
	}
	return false;
}

/* Whether all columns of the foreign key are equal to what they refer to. */
static bool
refers_to(const Search *search, int rti, const BulkparForeignKey *key,
		  int level, int other)
{
	const Query *query = level == 0 ? search->drive->query : search->query;
	Oid			relid = rt_fetch(rti, search->query->rtable)->relid;
	Oid			referenced = rt_fetch(other, query->rtable)->relid;

	if (!is_referenced(key, rt_fetch(other, query->rtable)))
		return false;
	for (int i = 0; i < key->ncolumns; i++)
	{
		Column		column = {
			.level = search->level,
			.rti = rti,
			.attnum = bulkpar_part_column(key->relid, key->columns[i], relid)
		};
		Column		reference = {
			.level = level,
			.rti = other,
			.attnum = bulkpar_part_column(key->referenced, key->references[i], referenced)
		};

		if (column.attnum == 0 || reference.attnum == 0 ||
			!are_equal(search, &column, &reference, key, i))
			return false;
	}
	return true;
}

/*
 * Whether a table of a query is the one that a foreign key refers to, or a part of
 * it, so that what is referred to is but one row there.
 */
static bool
is_referenced(const BulkparForeignKey *key, const RangeTblEntry *rte)
{
	if (rte->inh && rte->relkind != RELKIND_PARTITIONED_TABLE &&
		has_subclass(rte->relid))
		return false;
	return key->referenced == rte->relid ||
		(key->is_part && bulkpar_part_belongs(rte->relid, key->referenced)) ||
		(get_rel_relispartition(rte->relid) &&
		 bulkpar_part_belongs(key->referenced, rte->relid));
}

/*
 * Whether two columns are compared as the foreign key does: another operator might
 * find more to be equal.
 */
static bool
are_equal(const Search *search, const Column *column, const Column *reference,
		  const BulkparForeignKey *key, int number)
{
	Oid			operator = key->operators[number];
	ListCell   *lc;

	foreach(lc, search->equalities)
	{
		const Equality *equality = lfirst(lc);

		if ((equality->listed && key->nulls) ||
			(equality->operator != operator &&
			 equality->operator != get_commutator(operator)))
			continue;
		if ((is_column(&equality->left, column) &&
			 is_column(&equality->right, reference)) ||
			(is_column(&equality->right, column) &&
			 is_column(&equality->left, reference)))
			return true;
	}
	return false;
}

static bool
is_column(const Column *column, const Column *other)
{
	return column->level == other->level && column->rti == other->rti &&
		column->attnum == other->attnum;
}

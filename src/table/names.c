/*-------------------------------------------------------------------------
 *
 * names.c
 *		What the names in a statement mean.
 *
 * One statement looks its names up once.  The batches of a job do so again and
 * again, and when a table or a column has got the name of another meanwhile they
 * would go on with that.  So the job keeps which tables and columns its names were,
 * and goes no further when they are others.  Of a view these are only its columns:
 * it may be made anew.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/names.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "table/names.h"

/* A walk through all queries of a statement. */
typedef struct Walk
{
	const Query *query;			/* that we are in */
	List	   *names;
} Walk;

static bool collect(Node *node, void *context);
static void add_table(Walk *walk, RangeTblEntry *rte);
static void add_name(Walk *walk, char *name);
static int	order_names(const ListCell *a, const ListCell *b);
static const char *first_other(const List *names, const List *others);
static List *names_of_job(const BulkparJob *job, Oid target);
static const char *describe_name(const char *name);

/*
 * The tables that a statement names and the columns that it uses of them, each as
 * a text of the OID, 0 for a view, and the number and name of the column; sorted.  The query
 * must have been analyzed just now.
 */
List *
bulkpar_names_list(Query *query)
{
	Walk		walk = {0};

	(void) collect((Node *) query, &walk);
	list_sort(walk.names, order_names);
	return walk.names;
}

/*
 * Let a job keep such names, in the current memory context: of all its targets, if
 * it has several.
 */
void
bulkpar_names_keep(BulkparJob *job, const List *names)
{
	Walk		all = {.names = names_of_job(job, InvalidOid)};
	ListCell   *lc;

	foreach(lc, names)
		add_name(&all, lfirst(lc));
	job->nnames = 0;
	job->names = palloc(sizeof(char *) * list_length(all.names));
	foreach(lc, all.names)
		job->names[job->nnames++] = lfirst(lc);
}

/*
 * An error if the names of the statement of a job on a target are not those that it
 * has begun with, as far as it knows these.
 */
void
bulkpar_names_check(const BulkparJob *job, Oid target, const List *names)
{
	List	   *before = names_of_job(job, InvalidOid);
	const char *lost;
	const char *new;

	/*
	 * Before it is stored they are yet to be found, one target after the
	 * other.
	 */
	if (job->job_id == 0 || job->names == NULL)
		return;
	lost = first_other(names_of_job(job, target), names);
	new = first_other(names, before);
	if (lost == NULL && new == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the names in the statement of the job now mean something else"),
			 lost != NULL ?
			 errdetail("It began with %s.", describe_name(lost)) :
			 errdetail("It began without %s.", describe_name(new)),
			 errhint("Give back the names that were changed and resume the job, or begin another.")));
}

static bool
collect(Node *node, void *context)
{
	Walk	   *walk = context;
	const Query *outer = walk->query;
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, collect, context);
	walk->query = (const Query *) node;
	foreach(lc, walk->query->rtable)
	{
		if (lfirst_node(RangeTblEntry, lc)->rtekind == RTE_RELATION)
			add_table(walk, lfirst_node(RangeTblEntry, lc));
	}
	(void) query_tree_walker((Query *) node, collect, context, 0);
	walk->query = outer;
	return false;
}

static void
add_table(Walk *walk, RangeTblEntry *rte)
{
	Bitmapset  *columns = bulkpar_compat_used_columns(walk->query, rte);
	Oid			relid = rte->relkind == RELKIND_VIEW ? InvalidOid : rte->relid;
	int			i = -1;

	if (OidIsValid(relid))
		add_name(walk, psprintf("%u", relid));
	while ((i = bms_next_member(columns, i)) >= 0)
	{
		AttrNumber	column = i + FirstLowInvalidHeapAttributeNumber;
		char	   *name = column <= 0 ? NULL :
			get_attname(rte->relid, column, true);

		if (name != NULL)
			add_name(walk, psprintf("%u %d %s", relid, column, name));
	}
	bms_free(columns);
}

/* Add a text that is not there yet. */
static void
add_name(Walk *walk, char *name)
{
	ListCell   *lc;

	foreach(lc, walk->names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return;
	}
	walk->names = lappend(walk->names, name);
}

static int
order_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* The first name that is not among others; NULL if all are. */
static const char *
first_other(const List *names, const List *others)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		ListCell   *lc2;
		bool		found = false;

		foreach(lc2, others)
			found |= strcmp(lfirst(lc), lfirst(lc2)) == 0;
		if (!found)
			return lfirst(lc);
	}
	return NULL;
}

/* Those that a job keeps, but for the other targets if one is given. */
static List *
names_of_job(const BulkparJob *job, Oid target)
{
	int			ntargets;
	const Oid  *targets = bulkpar_job_targets(job, &ntargets);
	List	   *names = NIL;

	for (int i = 0; i < job->nnames; i++)
	{
		Oid			relid = (Oid) strtoul(job->names[i], NULL, 10);
		bool		is_other = false;

		for (int k = 0; k < ntargets && OidIsValid(target); k++)
			is_other |= targets[k] == relid && relid != target;
		if (!is_other)
			names = lappend(names, job->names[i]);
	}
	return names;
}

/* Such a text for people. */
static const char *
describe_name(const char *name)
{
	Oid			relid = InvalidOid;
	int			column = 0;
	int			length = 0;
	const char *table;

	(void) sscanf(name, "%u %d %n", &relid, &column, &length);
	table = get_rel_name(relid);
	if (table != NULL)
		table = psprintf("table \"%s\"", table);
	else
		table = OidIsValid(relid) ? "a table that is gone" : "a view";
	return column == 0 ? table :
		psprintf("column %d of %s by the name of \"%s\"", column, table,
				 name + length);
}

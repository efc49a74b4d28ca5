/*-------------------------------------------------------------------------
 *
 * duplicates.c
 *		New values that a unique index would not take.
 *
 * The columns of the unique indexes, as the UPDATE would leave them, are read
 * once for all its rows into a tuplestore, and grouped for each index.  What
 * triggers and generated columns would make of them is not seen.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/duplicates.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/ruleutils.h"

#include "books/bookkeeping.h"
#include "call/duplicates.h"
#include "session/settings.h"

static Bitmapset *find_set_columns(Relation rel, const BulkparJob *job);
static Bitmapset *index_columns(Relation index);
static bool can_be_read(Relation rel, const Bitmapset *columns);
static void read_rows(const BulkparTarget *target, const BulkparJob *job,
					  Bitmapset *columns);
static List *group_rows(List *queries, MemoryContext context);
static char *group_query(Relation index, const BulkparKey *key);
static char *deparse(Node *expression, Oid table);

/*
 * For each unique index of the table that the new values of a job would
 * violate among themselves, a line that says so; in the current memory
 * context.  All rows of the job are read.  An error of its expressions is
 * thrown.  The target must be locked.
 */
List *
bulkpar_duplicates_find(const BulkparTarget *target, const BulkparJob *job,
						Relation rel)
{
	MemoryContext context = CurrentMemoryContext;
	Bitmapset  *set = find_set_columns(rel, job);
	Bitmapset  *columns = NULL;
	List	   *queries = NIL;
	List	   *lines;
	ListCell   *lc;

	if (!bulkpar_job_is_only(job, RelationGetRelid(rel)) &&
		rel->rd_rel->relkind == RELKIND_RELATION)
		return NIL;				/* its indexes do not cover its children */
	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Bitmapset  *needed = index_columns(index);

		if (index->rd_index->indisunique && bms_overlap(needed, set) &&
			can_be_read(rel, needed))
		{
			columns = bms_add_members(columns, needed);
			queries = lappend(queries, group_query(index, target->key));
		}
		index_close(index, AccessShareLock);
	}
	if (queries == NIL)
		return NIL;

	SPI_connect();
	read_rows(target, job, columns);
	lines = group_rows(queries, context);
	SPI_finish();
	return lines;
}

/* The columns that a job sets, counted as pull_varattnos does. */
static Bitmapset *
find_set_columns(Relation rel, const BulkparJob *job)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < job->ncolumns; i++)
		columns = bms_add_member(columns,
								 get_attnum(RelationGetRelid(rel),
											job->column_names[i]) -
								 FirstLowInvalidHeapAttributeNumber);
	return columns;
}

/* The columns that an index needs, also for expressions and its condition. */
static Bitmapset *
index_columns(Relation index)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		AttrNumber	attnum = index->rd_index->indkey.values[i];

		if (attnum != InvalidAttrNumber)
			columns = bms_add_member(columns, attnum -
									 FirstLowInvalidHeapAttributeNumber);
	}
	pull_varattnos((Node *) RelationGetIndexExpressions(index), 1, &columns);
	pull_varattnos((Node *) RelationGetIndexPredicate(index), 1, &columns);
	return columns;
}

/* Whether all columns are given by the UPDATE: no generated one, no whole row. */
static bool
can_be_read(Relation rel, const Bitmapset *columns)
{
	int			column = -1;

	while ((column = bms_next_member(columns, column)) >= 0)
	{
		AttrNumber	attnum = column + FirstLowInvalidHeapAttributeNumber;

		if (attnum <= 0 ||
			TupleDescAttr(RelationGetDescr(rel),
						  attnum - 1)->attgenerated != '\0')
			return false;
	}
	return true;
}

/* Make the key and the columns of all new rows the relation "new_rows". */
static void
read_rows(const BulkparTarget *target, const BulkparJob *job,
		  Bitmapset *columns)
{
	BulkparStatement *statement = bulkpar_statement_list(job, target->relid, target->part,
														 target->key);
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);
	EphemeralNamedRelation rows =
		palloc0(sizeof(EphemeralNamedRelationData));
	SPIExecuteOptions options = {
		.read_only = true,
		.dest = CreateDestReceiver(DestTuplestore)
	};
	CachedPlanSource *source;

	SetTuplestoreDestReceiverParams(options.dest, store, CurrentMemoryContext,
									false, NULL, NULL);
	statement->hooks.condition.new_columns = columns;
	bulkpar_statement_prepare(statement);
	if (SPI_execute_plan_extended(statement->plan, &options) < 0)
		elog(ERROR, "could not read the new values");

	source = linitial(SPI_plan_get_plan_sources(statement->plan));
	rows->md.name = "new_rows";
	rows->md.tupdesc = CreateTupleDescCopy(source->resultDesc);
	rows->md.enrtype = ENR_NAMED_TUPLESTORE;
	rows->md.enrtuples = tuplestore_tuple_count(store);
	rows->reldata = store;
	if (SPI_register_relation(rows) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register the new values");
	bulkpar_statement_forget(statement);
}

/*
 * Run the queries, of which each makes a line or none.  They are ours: under
 * the user's search_path "=" might be somebody else's operator.
 */
static List *
group_rows(List *queries, MemoryContext context)
{
	int			nestlevel = bulkpar_bookkeeping_safe_path();
	List	   *lines = NIL;
	ListCell   *lc;

	foreach(lc, queries)
	{
		if (SPI_execute(lfirst(lc), true, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not group the new values");
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			char	   *line = SPI_getvalue(SPI_tuptable->vals[i],
											SPI_tuptable->tupdesc, 1);
			MemoryContext oldcontext = MemoryContextSwitchTo(context);

			lines = lappend(lines, pstrdup(line));
			MemoryContextSwitchTo(oldcontext);
		}
	}
	AtEOXact_GUC(true, nestlevel);
	return lines;
}

/*
 * The query that has a row if there are equal values for an index.  A row may
 * have been read more than once, if it joins several others.  The names in it
 * are for the search_path that it is run under.
 */
static char *
group_query(Relation index, const BulkparKey *key)
{
	int			nestlevel = bulkpar_bookkeeping_safe_path();
	Oid			table = index->rd_index->indrelid;
	List	   *predicate = RelationGetIndexPredicate(index);
	List	   *expressions = RelationGetIndexExpressions(index);
	ListCell   *expression = list_head(expressions);
	StringInfoData sql;
	StringInfoData values;
	StringInfoData condition;

	initStringInfo(&values);
	initStringInfo(&condition);
	appendStringInfoString(&condition, predicate == NIL ? "true" :
						   deparse((Node *) make_ands_explicit(predicate),
								   table));
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		AttrNumber	attnum = index->rd_index->indkey.values[i];
		const char *value;
		Oid			collation = index->rd_indcollation[i];

		if (attnum != InvalidAttrNumber)
			value = quote_identifier(get_attname(table, attnum, false));
		else
		{
			value = deparse(lfirst(expression), table);
			expression = lnext(expressions, expression);
		}
		appendStringInfo(&values, "%s(%s)", i > 0 ? ", " : "", value);
		if (OidIsValid(collation))
			appendStringInfo(&values, " COLLATE %s",
							 generate_collation_name(collation));
		if (!index->rd_index->indnullsnotdistinct)
			appendStringInfo(&condition,
							 " AND pg_catalog.num_nulls(%s) "
							 "OPERATOR(pg_catalog.=) 0", value);
	}

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT pg_catalog.format('index %%s would be violated by %%s rows with the same new values', %s, count) "
					 "FROM (SELECT pg_catalog.count(*) FROM (SELECT DISTINCT ON (tableoid, ",
					 quote_literal_cstr(RelationGetRelationName(index)));
	bulkpar_key_append_columns(&sql, key);
	appendStringInfo(&sql, ") * FROM new_rows) AS %s WHERE %s GROUP BY %s "
					 "HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 "
					 "ORDER BY 1 DESC LIMIT 1) AS groups",
					 quote_identifier(get_rel_name(table)), condition.data,
					 values.data);
	AtEOXact_GUC(true, nestlevel);
	return sql.data;
}

/* An expression over the columns of a table in SQL. */
static char *
deparse(Node *expression, Oid table)
{
	return deparse_expression(expression,
							  deparse_context_for(get_rel_name(table), table),
							  false, false);
}

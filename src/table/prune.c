/*-------------------------------------------------------------------------
 *
 * prune.c
 *		The parts of a target that have rows for a statement.
 *
 * A partition or child that the planner leaves out, by its bounds or a CHECK, is
 * no part of a job: nothing looks at it, and nothing locks it.  That is decided
 * once, when the job is made, and is right for as long as the job lives:
 *
 * The planner leaves out what no row can match, whenever the statement is run:
 * it looks at constants and at immutable functions of these.  What is known only
 * when a statement starts or runs (now(), a parameter, the result of a subquery)
 * leaves parts out when the executor starts, and of that nothing is seen here.
 *
 * So when the job was made no row of such a part matched.  It may have one later
 * only if somebody changes or inserts it, or attaches its table anew, within
 * other bounds or without the CHECK, and changes a row then.  One statement would
 * not have seen that in its snapshot either.  A row that is moved there from a
 * part of the job does not match any more.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/prune.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/snapmgr.h"

#include "table/prune.h"
#include "table/statement.h"

/*
 * Find the tables of a target in which the statement of a job may find rows,
 * in the current memory context and in the order of their bounds; partitioned
 * ones are among them.  They are locked as for reading to the end of the
 * (sub)transaction.  False if the planner did not say: then all of them count.
 * What it expects of the rows is not to be asked again if it was planned.
 */
bool
bulkpar_prune_parts(const BulkparJob *job, Oid target, List **relids,
					BulkparExpected *expected)
{
	BulkparKey	none = {0};
	BulkparStatement *statement;
	bool		known;

	*relids = NIL;
	expected->known = false;
	if (job->condition == NULL && job->from_item == NULL &&
		job->statement == NULL)
		return false;
	statement = bulkpar_statement_list(job, target, target, &none);
	statement->hooks.reached.context = CurrentMemoryContext;
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	bulkpar_statement_prepare(statement);
	bulkpar_statement_expect(statement, expected);
	known = statement->hooks.reached.known;
	*relids = statement->hooks.reached.relids;
	bulkpar_statement_forget(statement);
	SPI_finish();
	PopActiveSnapshot();
	return known;
}

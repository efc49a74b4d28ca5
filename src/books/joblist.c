/*-------------------------------------------------------------------------
 *
 * joblist.c
 *		Which jobs there are.
 *
 * Unless a function says otherwise it must be called in a transaction, throws
 * an ERROR when its statement fails, and leaves commit and rollback to its
 * caller.  Results are allocated in the current memory context.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/joblist.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "books/joblist.h"
#include "books/node.h"
#include "books/subquery.h"

static int64 *read_ids(BulkparBookkeeping *books, uint64 rows, int *count);

/*
 * The unfinished job of a role with a name, or else, if that is wanted, the last
 * that has succeeded; 0 if there is none.
 */
int64
bulkpar_joblist_find(Oid owner, const char *name, bool succeeded)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT job_id FROM @bulkpar_job WHERE owner = $owner "
		"AND job_name = $job_name AND (status <> 'succeeded' OR $succeeded) "
		"ORDER BY status = 'succeeded', job_id DESC LIMIT 1"
	};
	BulkparBookkeeping books;
	int64		job_id = 0;

	bulkpar_bookkeeping_enter(&books);
	bulkpar_argument_oid(&books, "owner", owner);
	bulkpar_argument_text(&books, "job_name", name);
	bulkpar_argument_bool(&books, "succeeded", succeeded);
	if (bulkpar_bookkeeping_run(&books, &find) > 0)
		job_id = bulkpar_column_int64(&books, "job_id");
	bulkpar_bookkeeping_leave(&books);
	return job_id;
}

/*
 * Of each owner whose privileges the role has the job that a name means: the
 * unfinished one, or else the last.  That of the role itself comes first.
 */
BulkparJobOfName *
bulkpar_joblist_named(Oid role, const char *name, int *count)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT job_id, owner FROM (SELECT DISTINCT ON (owner) job_id, owner "
		"FROM @bulkpar_job WHERE job_name = $job_name "
		"AND pg_has_role($role, owner::oid, 'USAGE') "
		"ORDER BY owner, status = 'succeeded', job_id DESC) j "
		"ORDER BY owner <> $role, job_id DESC"
	};
	BulkparBookkeeping books;
	BulkparJobOfName *jobs;

	bulkpar_bookkeeping_enter(&books);
	bulkpar_argument_oid(&books, "role", role);
	bulkpar_argument_text(&books, "job_name", name);
	*count = (int) bulkpar_bookkeeping_run(&books, &find);
	jobs = MemoryContextAlloc(books.caller_context,
							  sizeof(BulkparJobOfName) * *count);
	for (int i = 0; i < *count; i++)
	{
		bulkpar_bookkeeping_look_at(&books, i);
		jobs[i].job_id = bulkpar_column_int64(&books, "job_id");
		jobs[i].owner = bulkpar_column_oid(&books, "owner");
	}
	bulkpar_bookkeeping_leave(&books);
	return jobs;
}

/* The owner of a job; InvalidOid if there is no such job. */
Oid
bulkpar_joblist_owner(int64 job_id)
{
	static BulkparQuery read = {
		.read_only = true,
		.sql = "SELECT owner FROM @bulkpar_job WHERE job_id = $job_id"
	};
	BulkparBookkeeping books;
	Oid			owner = InvalidOid;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	if (bulkpar_bookkeeping_run(&books, &read) == 1)
		owner = bulkpar_column_oid(&books, "owner");
	bulkpar_bookkeeping_leave(&books);
	return owner;
}

/* Delete a job and all about it.  False if there is no such job. */
bool
bulkpar_joblist_delete(int64 job_id)
{
	static BulkparQuery delete = {
		.sql = "DELETE FROM @bulkpar_job WHERE job_id = $job_id"
	};
	BulkparBookkeeping books;
	uint64		deleted;

	bulkpar_subquery_drop(job_id);
	bulkpar_bookkeeping_enter_job(&books, job_id);
	deleted = bulkpar_bookkeeping_run(&books, &delete);
	bulkpar_bookkeeping_leave(&books);
	return deleted == 1;
}

/*
 * The jobs that are running as far as the tables know, of owners whose privileges
 * the role has.
 */
int64 *
bulkpar_joblist_running(Oid role, int *count)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT job_id FROM @bulkpar_job WHERE status = 'running' "
		"AND pg_has_role($role, owner::oid, 'USAGE') ORDER BY job_id"
	};
	BulkparBookkeeping books;
	int64	   *job_ids;

	bulkpar_bookkeeping_enter(&books);
	bulkpar_argument_oid(&books, "role", role);
	job_ids = read_ids(&books, bulkpar_bookkeeping_run(&books, &find), count);
	bulkpar_bookkeeping_leave(&books);
	return job_ids;
}

/*
 * The jobs that ended longer ago than that, of owners whose privileges the role
 * has, and which are at work on no other server either.
 */
int64 *
bulkpar_joblist_older_than(Oid role, const Interval *age, int *count)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT j.job_id FROM @bulkpar_job j "
		"WHERE j.finished_at < clock_timestamp() - $age "
		"AND pg_has_role($role, j.owner::oid, 'USAGE') "
		"AND NOT EXISTS (SELECT FROM @bulkpar_node n "
		"WHERE n.job_id = j.job_id AND " BULKPAR_NODE_MAY_WORK ") "
		"ORDER BY j.job_id"
	};
	BulkparBookkeeping books;
	int64	   *job_ids;

	bulkpar_bookkeeping_enter(&books);
	bulkpar_argument_oid(&books, "role", role);
	bulkpar_argument_interval(&books, "age", age);
	job_ids = read_ids(&books, bulkpar_bookkeeping_run(&books, &find), count);
	bulkpar_bookkeeping_leave(&books);
	return job_ids;
}

static int64 *
read_ids(BulkparBookkeeping *books, uint64 rows, int *count)
{
	int64	   *job_ids = MemoryContextAlloc(books->caller_context,
											 sizeof(int64) * rows);

	*count = (int) rows;
	for (int i = 0; i < *count; i++)
	{
		bulkpar_bookkeeping_look_at(books, i);
		job_ids[i] = bulkpar_column_int64(books, "job_id");
	}
	return job_ids;
}

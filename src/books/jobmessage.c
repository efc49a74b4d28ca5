/*-------------------------------------------------------------------------
 *
 * jobmessage.c
 *		What user code has said in the workers of a job.
 *
 * Workers report it with their chunks; when a job ends it is summed up in
 * bulkpar_job, see jobstate.c.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/jobmessage.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "books/jobmessage.h"

/*
 * The messages of a job that has ended, in the current memory context, but for
 * those of its start.  Must be called in a transaction.
 */
BulkparJobMessage *
bulkpar_jobmessage_read(int64 job_id, int *count)
{
	static BulkparQuery read = {
		.read_only = true,
		.sql =
		"SELECT m.severity, m.message, m.count FROM @bulkpar_job j, "
		"jsonb_to_recordset(j.messages) "
		"m(severity text, message text, count bigint, at_start boolean) "
		"WHERE j.job_id = $job_id AND m.at_start IS NOT TRUE"
	};
	BulkparBookkeeping books;
	MemoryContext context = CurrentMemoryContext;
	BulkparJobMessage *messages;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	*count = (int) bulkpar_bookkeeping_run(&books, &read);
	messages = MemoryContextAllocZero(context, sizeof(BulkparJobMessage) *
									  Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		char	   *severity;

		bulkpar_bookkeeping_look_at(&books, i);
		severity = bulkpar_column_text(&books, "severity");
		messages[i].is_warning = severity != NULL &&
			strcmp(severity, "WARNING") == 0;
		messages[i].text = bulkpar_column_text(&books, "message");
		messages[i].count = bulkpar_column_int64(&books, "count");
	}
	bulkpar_bookkeeping_leave(&books);
	return messages;
}

/*
 * Add what there was to say when a run of a job began, in the transaction that
 * is at hand.
 */
void
bulkpar_jobmessage_add(int64 job_id, const char *message)
{
	static BulkparQuery add = {
		.sql =
		"UPDATE @bulkpar_job SET messages = coalesce(messages, '[]') "
		"|| jsonb_build_array(jsonb_build_object('severity', 'NOTICE', "
		"'message', $message, 'count', 1, 'at_start', true)) "
		"WHERE job_id = $job_id"
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_text(&books, "message", message);
	(void) bulkpar_bookkeeping_run(&books, &add);
	bulkpar_bookkeeping_leave(&books);
}

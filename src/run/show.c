/*-------------------------------------------------------------------------
 *
 * show.c
 *		What a worker is at, for people.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/show.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "pgstat.h"
#include "utils/builtins.h"

#include "books/storedkey.h"
#include "run/show.h"

static char *key_list(const BulkparStoredKey *key);

/* Show in pg_stat_activity what we are at. */
void
bulkpar_show_chunk(const BulkparChunkRun *run)
{
	char	   *activity = psprintf("bulkpar job " INT64_FORMAT ", chunk "
									INT64_FORMAT ": %s",
									run->job->job_id,
									run->claim.chunk.chunk_no,
									run->target->sql);

	pgstat_report_activity(STATE_RUNNING, activity);
	pfree(activity);
}

/* Error context: name the job, the chunk and the keys of the batch. */
void
bulkpar_show_error_context(void *arg)
{
	const BulkparChunkRun *run = arg;
	const BulkparLedgerChunk *chunk = &run->claim.chunk;
	const BulkparBatch *batch = run->batch;
	const char *rows;

	if (batch == NULL || batch->last_key == NULL)
		return;
	/* These are in the order in which they are on disk. */
	rows = batch->keys != NULL ? "listed rows" : "keys";
	if (batch->aside)
		errcontext("bulkpar job " INT64_FORMAT ", chunk " INT64_FORMAT
				   " of table \"%s\", key (%s)",
				   run->job->job_id, chunk->chunk_no,
				   run->target->shown, key_list(batch->last_key));
	else if (chunk->done == NULL)
		errcontext("bulkpar job " INT64_FORMAT ", chunk " INT64_FORMAT
				   " of table \"%s\", %s up to (%s)",
				   run->job->job_id, chunk->chunk_no,
				   run->target->shown, rows,
				   key_list(batch->last_key));
	else
		errcontext("bulkpar job " INT64_FORMAT ", chunk " INT64_FORMAT
				   " of table \"%s\", %s after (%s) up to (%s)",
				   run->job->job_id, chunk->chunk_no,
				   run->target->shown, rows, key_list(chunk->done),
				   key_list(batch->last_key));
}

/* The key for people: its columns with commas between. */
static char *
key_list(const BulkparStoredKey *key)
{
	StringInfoData buf;
	Datum	   *texts;
	int			ntexts;

	deconstruct_array(key->text, TEXTOID, -1, false, TYPALIGN_INT,
					  &texts, NULL, &ntexts);
	initStringInfo(&buf);
	for (int i = 0; i < ntexts; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 TextDatumGetCString(texts[i]));
	return buf.data;
}

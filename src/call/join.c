/*-------------------------------------------------------------------------
 *
 * join.c
 *		A call that finds an unfinished job of its name.
 *
 * What is done must be the same: the statement, its key and its settings.  How
 * it is done may differ.  A job that is resumed goes on with what the call says,
 * one that runs does not change; either way the call is told of the differences.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/join.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "call/join.h"
#include "session/settings.h"

static bool is_same_work(const BulkparJob *a, const BulkparJob *b);
static bool has_same_targets(const BulkparJob *a, const BulkparJob *b);
static Oid *sort_targets(const BulkparJob *job);
static const char *column_target(const BulkparJob *job, int i);
static bool is_same_text(const char *a, const char *b);
static char *differences(const BulkparJob *call, const BulkparJob *now,
						 const BulkparJob *instead);
static void append_numbers(StringInfo buf, const char *name, int64 now,
						   int64 instead);

/*
 * An error if a call must not go on with a job of its name, or take the result
 * of one that has succeeded for its own.
 */
void
bulkpar_join_check(const BulkparJob *call, const BulkparJob *job,
				   bool succeeded)
{
	const char *setting = bulkpar_settings_differ(&call->settings,
												  &job->settings);

	if (!is_same_work(call, job))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " of the name \"%s\" does other work",
						job->job_id, call->name),
				 errhint(succeeded ? "Use another name, or SELECT bulkpar_forget("
						 INT64_FORMAT ") first." :
						 "Use another name, or SELECT bulkpar_forget("
						 INT64_FORMAT ") if the job is not to be resumed.",
						 job->job_id)));
	if (setting != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " of the name \"%s\" has other settings",
						job->job_id, call->name),
				 errdetail("The setting \"%s\" is not what it was in the session that created the job.",
						   setting),
				 errhint(succeeded ? "Use another name, or SELECT bulkpar_forget("
						 INT64_FORMAT ") first." :
						 "SELECT bulkpar_resume(" INT64_FORMAT
						 ") goes on with the job and its own settings.",
						 job->job_id)));
}

/* The call resumes the job: tell it so, and fill in what that changes. */
void
bulkpar_join_resuming(const BulkparJob *call, const BulkparJob *job,
					  BulkparJobChange *change)
{
	char	   *changes = differences(call, call, job);

	memset(change, 0, sizeof(BulkparJobChange));
	change->batch_size = call->batch_size;
	/* If it asks for none, as many as the job has been left with. */
	change->workers = call->workers_chosen ? 0 : call->workers;
	change->stripes = call->stripes;
	change->errors = true;
	change->skip_errors = call->skip_errors;
	change->max_errors = call->max_errors;
	ereport(NOTICE,
			(errmsg("resuming bulkpar job " INT64_FORMAT " of the name \"%s\"",
					job->job_id, call->name),
			 changes == NULL ? 0 : errdetail("It goes on with %s.", changes)));
}

/* The job runs: tell the call so, and what it had otherwise. */
void
bulkpar_join_running(const BulkparJob *call, const BulkparJob *job)
{
	char	   *others = differences(call, job, call);

	ereport(NOTICE,
			(errmsg("bulkpar job " INT64_FORMAT " of the name \"%s\" is already running",
					job->job_id, call->name),
			 others == NULL ? 0 : errdetail("It runs with %s.", others)));
}

/* The job has succeeded: tell the call that it does nothing. */
void
bulkpar_join_succeeded(const BulkparJob *call, const BulkparJob *job)
{
	ereport(NOTICE,
			(errmsg("bulkpar job " INT64_FORMAT " of the name \"%s\" has already succeeded",
					job->job_id, call->name),
			 errdetail("It is not repeated.")));
}

/* Whether two jobs of one owner do the same to the same rows. */
static bool
is_same_work(const BulkparJob *a, const BulkparJob *b)
{
	if (!has_same_targets(a, b) || a->inserted != b->inserted ||
		a->only != b->only ||
		a->key_index != b->key_index || a->command != b->command ||
		a->skip_unchanged != b->skip_unchanged ||
		a->sees_batches != b->sees_batches ||
		a->ncolumns != b->ncolumns || a->nexpressions != b->nexpressions ||
		!is_same_text(a->statement, b->statement) ||
		!is_same_text(a->condition, b->condition) ||
		!is_same_text(a->from_item, b->from_item))
		return false;
	for (int i = 0; i < a->ncolumns; i++)
	{
		if (strcmp(a->column_names[i], b->column_names[i]) != 0)
			return false;
	}
	for (int i = 0; i < a->nexpressions; i++)
	{
		if (strcmp(a->expressions[i], b->expressions[i]) != 0 ||
			!is_same_text(column_target(a, i), column_target(b, i)))
			return false;
	}
	return true;
}

/* In any order: array_agg() of the same rows may have another. */
static bool
has_same_targets(const BulkparJob *a, const BulkparJob *b)
{
	Oid		   *first;
	Oid		   *second;

	if (a->ntargets != b->ntargets)
		return false;
	if (a->ntargets == 0)
		return a->target == b->target;
	first = sort_targets(a);
	second = sort_targets(b);
	return memcmp(first, second, sizeof(Oid) * a->ntargets) == 0;
}

static Oid *
sort_targets(const BulkparJob *job)
{
	Oid		   *oids = palloc(sizeof(Oid) * job->ntargets);

	memcpy(oids, job->targets, sizeof(Oid) * job->ntargets);
	qsort(oids, job->ntargets, sizeof(Oid), oid_cmp);
	return oids;
}

/* What a column is set by if not its name; NULL if it is. */
static const char *
column_target(const BulkparJob *job, int i)
{
	return job->column_targets != NULL ? job->column_targets[i] : NULL;
}

static bool
is_same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

/*
 * How the work is done now and how it would be instead, as far as the call says
 * something about it and it matters; NULL if it is the same.
 */
static char *
differences(const BulkparJob *call, const BulkparJob *now,
			const BulkparJob *instead)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (now->skip_errors != instead->skip_errors)
		appendStringInfo(&buf, "on_error \"%s\" instead of \"%s\"",
						 now->skip_errors ? "skip" : "stop",
						 instead->skip_errors ? "skip" : "stop");
	if (now->skip_errors)
		append_numbers(&buf, "max_errors", now->max_errors,
					   instead->max_errors);
	append_numbers(&buf, "batch_size", now->batch_size, instead->batch_size);
	if (!call->workers_chosen)
		append_numbers(&buf, "workers", now->workers, instead->workers);
	if (call->stripes != 0 && now->stripes != 0 && instead->stripes != 0)
		append_numbers(&buf, "stripes", now->stripes, instead->stripes);
	return buf.len == 0 ? NULL : buf.data;
}

/* Append a number if it differs. */
static void
append_numbers(StringInfo buf, const char *name, int64 now, int64 instead)
{
	if (now == instead)
		return;
	appendStringInfo(buf, "%s%s " INT64_FORMAT " instead of " INT64_FORMAT,
					 buf->len > 0 ? ", " : "", name, now, instead);
}

/*-------------------------------------------------------------------------
 *
 * lookup.c
 *		Looking for a job, without a lock that stays behind.
 *
 * The functions that control a job wait for other processes, so they must not
 * hold a lock on its row meanwhile: each look is a subtransaction that is rolled
 * back.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/lookup.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "books/joblist.h"
#include "books/joblock.h"
#include "call/lookup.h"
#include "session/subxact.h"

/* Arguments and results of what is done in a subtransaction. */
typedef struct Lookup
{
	int64		job_id;
	Oid			owner;
	const char *name;
	bool		succeeded;		/* whether one that has is looked for, too */
	BulkparJobOfName *named;
	int			count;			/* of them */
	int			pid;
	BulkparJob *job;
} Lookup;

static void look_for_owner(void *arg);
static int64 job_of_name(const char *name, bool is_forget);
static void look_for_name(void *arg);
static void look_for_named(void *arg);
static void look_for_job(void *arg);
static void look_for_coordinator(void *arg);

/*
 * Check that a job exists and that the current user may act as its owner.  An
 * error if not.
 */
void
bulkpar_lookup_check_owner(int64 job_id)
{
	Lookup		lookup = {.job_id = job_id};

	bulkpar_subxact_run(look_for_owner, &lookup);
	if (!OidIsValid(lookup.owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " does not exist",
						job_id)));
	if (!has_privs_of_role(GetUserId(), lookup.owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for bulkpar job " INT64_FORMAT,
						job_id),
				 errdetail("Only roles with the privileges of its owner may do this.")));
}

/*
 * The job that the first argument of a function means, by its id or its name.
 * An error if there is none, or if the current user may not act as its owner.
 */
int64
bulkpar_lookup_argument(FunctionCallInfo fcinfo)
{
	const char *function;
	Oid		   *types;
	int			ntypes;
	int64		job_id;

	(void) get_func_signature(fcinfo->flinfo->fn_oid, &types, &ntypes);
	function = get_func_name(fcinfo->flinfo->fn_oid);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null",
						types[0] == TEXTOID ? "job_name" : "job_id")));
	if (types[0] == TEXTOID)
		return job_of_name(text_to_cstring(PG_GETARG_TEXT_PP(0)),
						   strcmp(function, "bulkpar_forget") == 0);
	job_id = PG_GETARG_INT64(0);
	bulkpar_lookup_check_owner(job_id);
	return job_id;
}

/*
 * The job that a name means to the current user: one of its own, or else of the
 * only other role that has one, as far as it has the privileges of those.
 */
static int64
job_of_name(const char *name, bool is_forget)
{
	Lookup		lookup = {.owner = GetUserId(), .name = name};

	if (bulkpar_lookup_is_number(name))
	{
		int64		job_id = pg_strtoint64(name);

		bulkpar_lookup_check_owner(job_id);
		return job_id;
	}
	bulkpar_subxact_run(look_for_named, &lookup);
	if (lookup.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bulkpar job \"%s\" does not exist", name),
				 is_forget ?
				 errhint("Write bulkpar_forget(age => '%s') if that is an age.",
						 name) : 0));
	if (lookup.count > 1 && lookup.named[0].owner != GetUserId())
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
				 errmsg("more than one role has a bulkpar job \"%s\"", name),
				 errhint("Give the job's number.")));
	return lookup.named[0].job_id;
}

/* Whether a text means a job's id, so that no job can have it as its name. */
bool
bulkpar_lookup_is_number(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/*
 * The id of the unfinished job of a role with a name, or else, if that is
 * wanted, of the last that has succeeded; 0 if there is none.
 */
int64
bulkpar_lookup_name(Oid owner, const char *name, bool succeeded)
{
	Lookup		lookup = {
		.owner = owner,
		.name = name,
		.succeeded = succeeded
	};

	bulkpar_subxact_run(look_for_name, &lookup);
	return lookup.job_id;
}

/* Read a job that must exist, into the current memory context. */
BulkparJob *
bulkpar_lookup_job(int64 job_id)
{
	Lookup		lookup = {.job_id = job_id};

	bulkpar_subxact_run(look_for_job, &lookup);
	return lookup.job;
}

/*
 * The pid of a job's coordinator; 0 if it has none.  It is right only as long
 * as the process lives.
 */
int
bulkpar_lookup_coordinator(int64 job_id)
{
	Lookup		lookup = {.job_id = job_id};

	bulkpar_subxact_run(look_for_coordinator, &lookup);
	return lookup.pid;
}

static void
look_for_owner(void *arg)
{
	Lookup	   *lookup = arg;

	lookup->owner = bulkpar_joblist_owner(lookup->job_id);
}

static void
look_for_name(void *arg)
{
	Lookup	   *lookup = arg;

	lookup->job_id = bulkpar_joblist_find(lookup->owner, lookup->name,
										  lookup->succeeded);
}

static void
look_for_named(void *arg)
{
	Lookup	   *lookup = arg;

	lookup->named = bulkpar_joblist_named(lookup->owner, lookup->name,
										  &lookup->count);
}

static void
look_for_job(void *arg)
{
	Lookup	   *lookup = arg;

	lookup->job = bulkpar_job_load(lookup->job_id);
}

static void
look_for_coordinator(void *arg)
{
	Lookup	   *lookup = arg;

	lookup->pid = bulkpar_joblock_holder(lookup->job_id);
}

/*-------------------------------------------------------------------------
 *
 * jobjson.c
 *		What a job is to do as JSON, as bulkpar_job_insert stores it.
 *
 * Nothing here needs a transaction.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/jobjson.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/json.h"

#include "books/jobjson.h"

static void append_targets(StringInfo buf, const BulkparJob *job);
static void append_parts(StringInfo buf, const BulkparJob *job);
static void append_nodes(StringInfo buf, const BulkparJob *job);
static void append_settings(StringInfo buf, const BulkparSettings *settings);
static void append_name(StringInfo buf, const char *name);
static void append_bool(StringInfo buf, const char *name, bool value);
static void append_number(StringInfo buf, const char *name, int64 value);
static void append_oid(StringInfo buf, const char *name, Oid value);
static void append_text(StringInfo buf, const char *name, const char *value);
static void append_texts(StringInfo buf, const char *name, char **values,
						 int count);

/*
 * What is to be done as JSON, for bulkpar_job_insert: by the columns of
 * bulkpar_job, and the parts.  Needs no transaction.
 */
char *
bulkpar_jobjson_write(const BulkparJob *job)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	append_text(&buf, "job_name", job->name);
	append_oid(&buf, "owner", job->owner);
	append_oid(&buf, "session_role", job->session_role);
	append_oid(&buf, "target", job->target);
	append_targets(&buf, job);
	if (OidIsValid(job->key_index))
		append_oid(&buf, "key_index", job->key_index);
	if (OidIsValid(job->inserted))
		append_oid(&buf, "inserted", job->inserted);
	append_bool(&buf, "only_target", job->only);
	append_text(&buf, "command", bulkpar_command_name(job->command));
	append_texts(&buf, "column_names", job->column_names, job->ncolumns);
	if (job->column_targets != NULL)
		append_texts(&buf, "column_targets", job->column_targets,
					 job->ncolumns);
	append_text(&buf, "statement", job->statement);
	append_texts(&buf, "expressions", job->expressions, job->nexpressions);
	append_text(&buf, "condition", job->condition);
	append_text(&buf, "from_item", job->from_item);
	if (job->names != NULL)
		append_texts(&buf, "names", job->names, job->nnames);
	append_bool(&buf, "skip_unchanged", job->skip_unchanged);
	append_bool(&buf, "sees_batches", job->sees_batches);
	append_number(&buf, "batch_size", job->batch_size);
	append_number(&buf, "workers", job->workers);
	if (job->stripes != 0)
		append_number(&buf, "stripes", job->stripes);
	append_text(&buf, "on_error", job->skip_errors ? "skip" : "stop");
	append_number(&buf, "max_errors", job->max_errors);
	append_bool(&buf, "once", job->once);
	append_name(&buf, "settings");
	append_settings(&buf, &job->settings);
	append_parts(&buf, job);
	if (job->nnodes > 0)
		append_nodes(&buf, job);
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

/*
 * Settings as JSON, as a resumed job takes them instead of its own of the same
 * names, in the current memory context.
 */
char *
bulkpar_jobjson_write_settings(const BulkparSettings *settings)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_settings(&buf, settings);
	return buf.data;
}

/* As an array, of several. */
static void
append_targets(StringInfo buf, const BulkparJob *job)
{
	if (job->ntargets == 0)
		return;
	append_name(buf, "targets");
	for (int i = 0; i < job->ntargets; i++)
		appendStringInfo(buf, "%c\"%u\"", i > 0 ? ',' : '[',
						 job->targets[i]);
	appendStringInfoChar(buf, ']');
}

static void
append_parts(StringInfo buf, const BulkparJob *job)
{
	append_name(buf, "parts");
	appendStringInfoChar(buf, '[');
	for (int i = 0; i < job->nparts; i++)
	{
		appendStringInfoString(buf, i > 0 ? ", {" : "{");
		append_oid(buf, "target", job->parts[i].target);
		append_oid(buf, "relation", job->parts[i].relid);
		append_oid(buf, "key_index", job->parts[i].key_index);
		append_text(buf, "key_order", job->parts[i].key_order);
		if (job->parts[i].shard != 0)
			append_number(buf, "shard", job->parts[i].shard);
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
}

static void
append_nodes(StringInfo buf, const BulkparJob *job)
{
	append_name(buf, "nodes");
	appendStringInfoChar(buf, '[');
	for (int i = 0; i < job->nnodes; i++)
	{
		const BulkparNode *node = &job->nodes[i];

		appendStringInfoString(buf, i > 0 ? ", {" : "{");
		append_oid(buf, "server", node->server);
		if (node->citus_node != 0)
			append_number(buf, "citus_node", node->citus_node);
		append_text(buf, "server_name", node->server_name);
		append_name(buf, "relations");
		for (int k = 0; k < node->nremote; k++)
			appendStringInfo(buf, "%s\"%u\"", k > 0 ? ", " : "[",
							 node->relations[k]);
		appendStringInfoChar(buf, ']');
		append_texts(buf, "remote", node->remote, node->nremote);
		if (node->workers != 0)
			append_number(buf, "workers", node->workers);
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
}

static void
append_settings(StringInfo buf, const BulkparSettings *settings)
{
	appendStringInfoChar(buf, '[');
	for (int i = 0; i < settings->count; i++)
	{
		const BulkparSetting *setting = &settings->items[i];

		appendStringInfoString(buf, i > 0 ? ", {" : "{");
		append_text(buf, "name", setting->name);
		append_text(buf, "value", setting->value);
		append_bool(buf, "superuser", setting->superuser);
		append_oid(buf, "role", setting->role);
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
}

/* Begin a member of an object. */
static void
append_name(StringInfo buf, const char *name)
{
	if (buf->data[buf->len - 1] != '{')
		appendStringInfoString(buf, ", ");
	appendStringInfo(buf, "\"%s\": ", name);
}

static void
append_bool(StringInfo buf, const char *name, bool value)
{
	append_name(buf, name);
	appendStringInfoString(buf, value ? "true" : "false");
}

static void
append_number(StringInfo buf, const char *name, int64 value)
{
	append_name(buf, name);
	appendStringInfo(buf, INT64_FORMAT, value);
}

/* As a string, which all types with the name of an object take. */
static void
append_oid(StringInfo buf, const char *name, Oid value)
{
	append_name(buf, name);
	appendStringInfo(buf, "\"%u\"", value);
}

/* NULL is left out. */
static void
append_text(StringInfo buf, const char *name, const char *value)
{
	if (value == NULL)
		return;
	append_name(buf, name);
	escape_json(buf, value);
}

static void
append_texts(StringInfo buf, const char *name, char **values, int count)
{
	append_name(buf, name);
	appendStringInfoChar(buf, '[');
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoString(buf, ", ");
		escape_json(buf, values[i]);
	}
	appendStringInfoChar(buf, ']');
}

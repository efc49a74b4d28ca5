/*-------------------------------------------------------------------------
 *
 * parse.c
 *		The SQL that a caller hands over, before it is analyzed.
 *
 * An expression, a condition or a FROM item becomes part of a statement, so
 * each must be just that and nothing else.  A whole statement must be one that
 * can be cut into batches.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/parse.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "parser/parse_node.h"
#include "parser/parser.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "call/parse.h"
#include "compat.h"
#include "session/subxact.h"
#include "table/drive.h"

/* A text that is being parsed, and what it is, for messages. */
typedef struct Source
{
	ErrorContextCallback callback;
	const char *text;
	const char *what;
} Source;

/* A statement, and the table by which it is to be driven. */
typedef struct Driven
{
	BulkparJob *job;
	Oid			driving;		/* or InvalidOid */
} Driven;

static void find_driving(void *arg);
static void begin(Source *source, const char *text, const char *what);
static void source_error_context(void *arg);
static SelectStmt *parse_expression(const char *text);
static bool is_empty_but(const SelectStmt *select, bool targets, bool from);
static bool is_one_expression(const SelectStmt *select);
static void refuse_clause(const char *what);
static bool find_param(Node *node, void *context);

/*
 * Check that a text is one expression, and that it stays one between
 * parentheses, of which the second one is in a line of its own if there may be
 * a comment before it.
 */
void
bulkpar_parse_expression(const char *text, const char *what)
{
	Source		source;
	SelectStmt *select;

	begin(&source, text, what);
	select = parse_expression(text);
	if (!is_one_expression(select))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"%s\" is not a single expression", text)));
	(void) parse_expression(psprintf("(%s\n)", text));
	(void) find_param((Node *) select, NULL);
	error_context_stack = source.callback.previous;
}

/*
 * Check that a text is what an UPDATE can set: a column, or a field or an element
 * of one.  Returns the name of the column, and whether it is all of it.
 */
char *
bulkpar_parse_column(const char *text, bool *whole)
{
	Source		source;
	List	   *trees;
	UpdateStmt *update;
	ResTarget  *target;

	begin(&source, psprintf("UPDATE t SET %s\n= DEFAULT", text),
		  psprintf("column name \"%s\"", text));
	trees = raw_parser(source.text, RAW_PARSE_DEFAULT);
	update = castNode(UpdateStmt, linitial_node(RawStmt, trees)->stmt);
	target = linitial_node(ResTarget, update->targetList);

	/* It is one if our own value is assigned, and nothing else is there. */
	if (list_length(trees) != 1 || list_length(update->targetList) != 1 ||
		!IsA(target->val, SetToDefault) || update->fromClause != NIL ||
		update->whereClause != NULL || BULKPAR_COMPAT_HAS_RETURNING(update))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"%s\" is not a column or a part of one", text)));
	(void) find_param((Node *) update, NULL);
	error_context_stack = source.callback.previous;
	*whole = target->indirection == NIL;
	return target->name;
}

/* Check that a text is what can follow FROM, and nothing else. */
void
bulkpar_parse_from_item(const char *text, const char *what)
{
	Source		source;
	List	   *trees;
	SelectStmt *select;

	begin(&source, psprintf("SELECT FROM %s", text), what);
	trees = raw_parser(source.text, RAW_PARSE_DEFAULT);
	select = (SelectStmt *) linitial_node(RawStmt, trees)->stmt;
	if (list_length(trees) != 1 || !IsA(select, SelectStmt) ||
		select->fromClause == NIL || !is_empty_but(select, false, true))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"%s\" is not a list of FROM items", text)));
	(void) raw_parser(psprintf("SELECT FROM %s\nWHERE true", text),
					  RAW_PARSE_DEFAULT);
	(void) find_param((Node *) select, NULL);
	error_context_stack = source.callback.previous;
}

/*
 * Check that a text is one statement that batches may run.  Of others than UPDATE
 * and DELETE bulkpar_parse_driven finds out more.
 */
Node *
bulkpar_parse_statement(const char *text)
{
	Source		source;
	List	   *trees;
	Node	   *statement;
	Node	   *where = NULL;
	bool		returning = false;
	WithClause *with = NULL;
	ListCell   *lc;

	begin(&source, text, "statement of the job");
	trees = raw_parser(text, RAW_PARSE_DEFAULT);
	if (list_length(trees) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("a job runs exactly one statement, not %d",
						list_length(trees))));
	statement = linitial_node(RawStmt, trees)->stmt;
	if (IsA(statement, UpdateStmt))
	{
		UpdateStmt *update = (UpdateStmt *) statement;

		where = update->whereClause;
		returning = BULKPAR_COMPAT_HAS_RETURNING(update);
		with = update->withClause;
	}
	else if (IsA(statement, DeleteStmt))
	{
		DeleteStmt *delete = (DeleteStmt *) statement;

		where = delete->whereClause;
		returning = BULKPAR_COMPAT_HAS_RETURNING(delete);
		with = delete->withClause;
	}
	else if (IsA(statement, SelectStmt))
	{
		with = ((SelectStmt *) statement)->withClause;
		if (((SelectStmt *) statement)->intoClause != NULL)
			refuse_clause("SELECT INTO");
	}
	else if (!IsA(statement, InsertStmt) && !IsA(statement, MergeStmt))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("only UPDATE, DELETE, INSERT, MERGE and SELECT can be run in batches")));

	if (returning)
		refuse_clause("RETURNING");
	if (where != NULL && IsA(where, CurrentOfExpr))
		refuse_clause("WHERE CURRENT OF");
	foreach(lc, with != NULL ? with->ctes : NIL)
	{
		if (!IsA(lfirst_node(CommonTableExpr, lc)->ctequery, SelectStmt))
			refuse_clause("WITH that changes data");
	}
	(void) find_param(statement, NULL);
	error_context_stack = source.callback.previous;
	return statement;
}

/* The table that an UPDATE or DELETE changes; NULL for another statement. */
RangeVar *
bulkpar_parse_target(Node *statement)
{
	if (IsA(statement, UpdateStmt))
		return ((UpdateStmt *) statement)->relation;
	return IsA(statement, DeleteStmt) ?
		((DeleteStmt *) statement)->relation : NULL;
}

/* The columns that a statement sets. */
char	  **
bulkpar_parse_columns(Node *statement, int *count)
{
	List	   *targets = IsA(statement, UpdateStmt) ?
		((UpdateStmt *) statement)->targetList : NIL;
	char	  **names = palloc(sizeof(char *) * (list_length(targets) + 1));
	ListCell   *lc;

	*count = 0;
	foreach(lc, targets)
		names[(*count)++] = lfirst_node(ResTarget, lc)->name;
	return names;
}

/*
 * Analyze the statement of a job, which has passed bulkpar_parse_statement, and
 * note what it does, and to which table: the one that is given, if that is valid.
 * No lock stays behind.
 */
void
bulkpar_parse_driven(BulkparJob *job, Oid driving)
{
	Driven		driven = {.job = job, .driving = driving};
	Source		source;

	begin(&source, job->statement, "statement of the job");
	bulkpar_subxact_run(find_driving, &driven);
	error_context_stack = source.callback.previous;
}

static void
find_driving(void *arg)
{
	const Driven *driven = arg;
	BulkparJob *job = driven->job;
	ParseState *pstate = make_parsestate(NULL);
	RawStmt    *statement =
		linitial_node(RawStmt, raw_parser(job->statement, RAW_PARSE_DEFAULT));
	Query	   *query = parse_analyze_fixedparams(statement, job->statement,
												  NULL, 0, NULL);
	BulkparDrive drive;
	const RangeTblEntry *rte;
	ListCell   *lc;

	pstate->p_sourcetext = job->statement;
	drive = bulkpar_drive_find(pstate, query, driven->driving,
							   job->sees_batches);
	rte = rt_fetch(drive.rti, drive.query->rtable);
	if (OidIsValid(driven->driving) && rte->relid != driven->driving)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the statement can only be driven by table \"%s\"",
						get_rel_name(rte->relid))));
	job->command = drive.command;
	job->target = rte->relid;
	job->only = !rte->inh;
	job->inserted = drive.inserted;
	job->column_names = palloc(sizeof(char *) *
							   (list_length(drive.query->targetList) + 1));
	if (drive.query->commandType != CMD_UPDATE)
		return;
	foreach(lc, drive.query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (!entry->resjunk)
			job->column_names[job->ncolumns++] =
				get_attname(rte->relid, entry->resno, false);
	}
}

/* Let errors show the text, until the error context is reset. */
static void
begin(Source *source, const char *text, const char *what)
{
	source->text = text;
	source->what = what;
	source->callback.callback = source_error_context;
	source->callback.arg = source;
	source->callback.previous = error_context_stack;
	error_context_stack = &source->callback;
}

/* Error context: show the text, with the position in it if known. */
static void
source_error_context(void *arg)
{
	const Source *source = arg;
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(source->text);
	}
	errcontext("%s", source->what);
}

static SelectStmt *
parse_expression(const char *text)
{
	List	   *trees = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);

	return castNode(SelectStmt, linitial_node(RawStmt, trees)->stmt);
}

/* Whether a SELECT has no clauses but those. */
static bool
is_empty_but(const SelectStmt *select, bool targets, bool from)
{
	return (targets || select->targetList == NIL) &&
		(from || select->fromClause == NIL) &&
		select->distinctClause == NIL && select->intoClause == NULL &&
		select->whereClause == NULL && select->groupClause == NIL &&
		select->havingClause == NULL && select->windowClause == NIL &&
		select->sortClause == NIL && select->limitOffset == NULL &&
		select->limitCount == NULL && select->lockingClause == NIL &&
		select->withClause == NULL && select->op == SETOP_NONE;
}

/* Whether a SELECT is nothing but one unnamed target. */
static bool
is_one_expression(const SelectStmt *select)
{
	ResTarget  *target;

	if (list_length(select->targetList) != 1 ||
		!is_empty_but(select, true, false))
		return false;
	target = linitial_node(ResTarget, select->targetList);
	if (target->name != NULL)
		return false;
	return !(IsA(target->val, ColumnRef) &&
			 IsA(llast(((ColumnRef *) target->val)->fields), A_Star));
}

static void
refuse_clause(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s is not supported in a statement that is run in batches",
					what)));
}

/* Refuse parameters: there is nobody who would supply them. */
static bool
find_param(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, ParamRef))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_PARAMETER),
				 errmsg("parameters such as $1 are not allowed here")));
	return raw_expression_tree_walker(node, find_param, context);
}

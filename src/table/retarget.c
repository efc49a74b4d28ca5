/*-------------------------------------------------------------------------
 *
 * retarget.c
 *		A statement with another table in the place of the one it changes.
 *
 * The text stays as it was written, but for the name, and an alias where there
 * was none, so that the columns can be called as before.  What comes out is parsed
 * again: it must be the same statement on the other table.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/retarget.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "parser/scanner.h"
#include "utils/builtins.h"

#include "table/retarget.h"

static Node *parse_one(const char *text, RangeVar **target);
static int	end_of_name(const char *text, const RangeVar *target);

/*
 * An UPDATE or DELETE that has been parsed before, on the table of that name in
 * SQL, in the current memory context.  An error if it cannot be told where it
 * names its own.
 */
char *
bulkpar_retarget_statement(const char *text, const char *table)
{
	RangeVar   *target;
	RangeVar   *other;
	Node	   *before = parse_one(text, &target);
	Node	   *after;
	StringInfoData buf;

	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, text, target->location);
	appendStringInfo(&buf, " %s ", table);
	if (target->alias == NULL)
		appendStringInfo(&buf, "AS %s ", quote_identifier(target->relname));
	appendStringInfoString(&buf, text + end_of_name(text, target));

	after = parse_one(buf.data, &other);
	target->catalogname = other->catalogname;
	target->schemaname = other->schemaname;
	target->relname = other->relname;
	target->alias = other->alias;
	if (!equal(before, after))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("could not tell where the statement names its table"),
				 errhint("Write the name of the table without Unicode escapes.")));
	return buf.data;
}

/* The statement, and the table that it changes. */
static Node *
parse_one(const char *text, RangeVar **target)
{
	Node	   *statement =
		linitial_node(RawStmt, raw_parser(text, RAW_PARSE_DEFAULT))->stmt;

	*target = IsA(statement, UpdateStmt) ?
		((UpdateStmt *) statement)->relation :
		castNode(DeleteStmt, statement)->relation;
	return statement;
}

/* Where in the text what follows the name begins. */
static int
end_of_name(const char *text, const RangeVar *target)
{
	/* its identifiers, with the dots between them */
	int			ntokens = target->catalogname != NULL ? 5 :
		target->schemaname != NULL ? 3 : 1;
	core_yy_extra_type extra;
	core_yyscan_t scanner = scanner_init(text, &extra, &ScanKeywords,
										 ScanKeywordTokens);
	core_YYSTYPE value;
	YYLTYPE		location = 0;
	int			token;

	do
	{
		token = core_yylex(&value, &location, scanner);
	} while (token != 0 && location < target->location);
	while (token != 0 && ntokens-- > 0)
		token = core_yylex(&value, &location, scanner);
	/* It would have to come before the alias, and says what is so anyway. */
	if (token == '*')
		token = core_yylex(&value, &location, scanner);
	scanner_finish(scanner);
	return token == 0 ? (int) strlen(text) : location;
}

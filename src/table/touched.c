/*-------------------------------------------------------------------------
 *
 * touched.c
 *		Which columns triggers change of a row that is updated.
 *
 * As one that keeps the time of the last change.  What a function does nobody knows
 * before it runs, so its text and the arguments of the trigger are searched for the
 * names of columns: that finds too many rather than too few.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/touched.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/proclang.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "table/part.h"
#include "table/touched.h"

/* A word of a text, in letters of any case. */
typedef struct Word
{
	const char *text;
	int			length;			/* no longer than a name */
} Word;

/* The text of a function, word by word. */
typedef struct Words
{
	const char *next;
	Word		word;
	Word		before;			/* the one before it */
	bool		begins;			/* it may be the first of a statement, ... */
	bool		before_begins;	/* ... so may the one before it */
	bool		into;			/* it is behind INTO, if not of INSERT or
								 * MERGE, and before a semicolon */
	char		follows;		/* what comes behind it, but for quotes and
								 * spaces */
} Words;

static Bitmapset *find_of(Relation rel, Relation part, Bitmapset *columns);
static bool is_fired(const Trigger *trigger, Relation part, Relation rel,
					 const Bitmapset *columns);
static Bitmapset *find_set(const Trigger *trigger, Relation rel);
static Bitmapset *add_named(Relation rel, const char *text, Bitmapset *columns);
static Bitmapset *add_quoted(Relation rel, const char *text, Bitmapset *columns);
static Bitmapset *add_assigned(Relation rel, const char *text,
							   Bitmapset *columns);
static bool is_row_assigned(const Words *words);
static Bitmapset *add_word(Relation rel, const Word *name,
						   Bitmapset *columns);
static bool next_word(Words *words);
static bool is_word(const Word *word, const char *other);
static bool is_of_word(char c);

/*
 * The columns of a table, but for those of its primary key, that triggers may change
 * where an UPDATE sets these columns.
 */
Bitmapset *
bulkpar_touched_find(Relation rel, Bitmapset *columns)
{
	Bitmapset  *touched = NULL;
	ListCell   *lc;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return find_of(rel, rel, columns);
	/* Also triggers that but a partition has. */
	foreach(lc, find_all_inheritors(RelationGetRelid(rel), AccessShareLock, NULL))
	{
		Relation	part = table_open(lfirst_oid(lc), NoLock);

		touched = bms_join(touched, find_of(rel, part, columns));
		table_close(part, NoLock);
	}
	return touched;
}

/*
 * Those of a table that triggers of a part of it change.  Nobody is kept from
 * enabling or disabling a trigger meanwhile.
 */
static Bitmapset *
find_of(Relation rel, Relation part, Bitmapset *columns)
{
	const TriggerDesc *triggers = part->trigdesc;
	Bitmapset  *touched = NULL;
	Bitmapset  *primary;
	int			attnum = -1;

	if (triggers == NULL || !triggers->trig_update_before_row)
		return NULL;
	triggers = CopyTriggerDesc(part->trigdesc);
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		if (is_fired(&triggers->triggers[i], part, rel, columns))
			touched = bms_join(touched, find_set(&triggers->triggers[i], rel));
	}
	primary = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	while ((attnum = bms_next_member(primary, attnum)) >= 0)
	{
		if (attnum + FirstLowInvalidHeapAttributeNumber > 0)
			touched = bms_del_member(touched, attnum + FirstLowInvalidHeapAttributeNumber);
	}
	return touched;
}

/* Whether it is a trigger BEFORE an UPDATE of these columns of the table. */
static bool
is_fired(const Trigger *trigger, Relation part, Relation rel,
		 const Bitmapset *columns)
{
	if (!TRIGGER_FOR_ROW(trigger->tgtype) ||
		!TRIGGER_FOR_BEFORE(trigger->tgtype) ||
		!TRIGGER_FOR_UPDATE(trigger->tgtype) ||
		trigger->tgenabled == TRIGGER_DISABLED)
		return false;
	for (int i = 0; i < trigger->tgnattr; i++)
	{
		if (bms_is_member(bulkpar_part_column(RelationGetRelid(part),
											  trigger->tgattr[i],
											  RelationGetRelid(rel)),
						  columns))
			return true;
	}
	return trigger->tgnattr == 0;
}

/* The columns of a table of which the text of a trigger says that it may set them. */
static Bitmapset *
find_set(const Trigger *trigger, Relation rel)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID,
										ObjectIdGetDatum(trigger->tgfoid));
	Bitmapset  *columns = NULL;
	Datum		value;
	bool		isnull;
	char	   *source;
	char	   *language;

	for (int i = 0; i < trigger->tgnargs; i++)
		columns = add_named(rel, trigger->tgargs[i], columns);
	if (!HeapTupleIsValid(tuple))
		return columns;
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	source = isnull ? "" : TextDatumGetCString(value);
	language = get_language_name(((Form_pg_proc) GETSTRUCT(tuple))->prolang, true);
	ReleaseSysCache(tuple);
	columns = add_quoted(rel, source, columns);
	return language != NULL && strcmp(language, "plpgsql") == 0 ?
		add_assigned(rel, source, columns) : add_named(rel, source, columns);
}

/* Add the columns that a text names. */
static Bitmapset *
add_named(Relation rel, const char *text, Bitmapset *columns)
{
	Words		words = {.next = text};

	while (next_word(&words))
		columns = add_word(rel, &words.word, columns);
	return columns;
}

/* Add those that it names which are not one word, and so can be but quoted. */
static Bitmapset *
add_quoted(Relation rel, const char *text, Bitmapset *columns)
{
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), i);
		const char *c = NameStr(attr->attname);

		CHECK_FOR_INTERRUPTS();
		while (is_of_word(*c))
			c++;
		if (*c != '\0' && !attr->attisdropped &&
			strstr(text, NameStr(attr->attname)) != NULL)
			columns = bms_add_member(columns, i + 1);
	}
	return columns;
}

/* Add those of NEW to which PL/pgSQL may assign a value. */
static Bitmapset *
add_assigned(Relation rel, const char *text, Bitmapset *columns)
{
	Words		words = {.next = text};

	while (next_word(&words))
	{
		if (is_row_assigned(&words))
			columns = add_word(rel, NULL, columns);
		if (is_word(&words.before, "new") &&
			(words.into || words.follows == ':' ||
			 (words.before_begins && strchr("=[.", words.follows) != NULL)))
			columns = add_word(rel, &words.word, columns);
	}
	return columns;
}

/* Whether all of NEW may be assigned, or something else be returned. */
static bool
is_row_assigned(const Words *words)
{
	if (is_word(&words->word, "new") && words->follows != '.' &&
		(words->into || words->follows == ':' ||
		 (words->begins && words->follows == '=')))
		return true;
	return is_word(&words->before, "return") &&
		!is_word(&words->word, "new") && !is_word(&words->word, "old") &&
		!is_word(&words->word, "null") && !is_word(&words->word, "coalesce");
}

/* Add the column of that name, or all of them without one. */
static Bitmapset *
add_word(Relation rel, const Word *name, Bitmapset *columns)
{
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), i);

		if (!attr->attisdropped &&
			(name == NULL || is_word(name, NameStr(attr->attname))))
			columns = bms_add_member(columns, i + 1);
	}
	return columns;
}

static bool
next_word(Words *words)
{
	const char *start = words->next;
	const char *end;

	CHECK_FOR_INTERRUPTS();
	words->before_begins = words->begins;
	words->begins = is_word(&words->word, "begin") ||
		is_word(&words->word, "then") || is_word(&words->word, "else") ||
		is_word(&words->word, "loop");
	words->into |= is_word(&words->word, "into") &&
		!is_word(&words->before, "insert") && !is_word(&words->before, "merge");
	for (; *start != '\0' && !is_of_word(*start); start++)
	{
		words->begins |= strchr(";\n/>", *start) != NULL;
		words->into &= *start != ';';
	}
	for (end = start; is_of_word(*end); end++)
		;
	words->before = words->word;
	words->word.text = start;
	words->word.length = Min(end - start, NAMEDATALEN - 1);
	for (words->next = end; *end == '"' || scanner_isspace(*end); end++)
		;
	words->follows = *end;
	return words->next > start;
}

static bool
is_word(const Word *word, const char *other)
{
	return word->length == (int) strlen(other) &&
		pg_strncasecmp(word->text, other, word->length) == 0;
}

static bool
is_of_word(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' ||
		IS_HIGHBIT_SET(c);
}

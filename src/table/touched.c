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
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "table/touched.h"

/* The text of a function, word by word. */
typedef struct Words
{
	const char *next;
	char		word[NAMEDATALEN];	/* in lower case, no longer than a name */
	char		before[NAMEDATALEN];	/* the one before it */
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
static bool may_set(const Trigger *trigger, const char *name);
static bool is_named(const char *text, const char *name);
static bool is_assigned(const char *text, const char *name);
static bool next_word(Words *words);
static bool is_any_of(const char *word, const char *const *words);
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

/* Those of a table that triggers of a part of it change. */
static Bitmapset *
find_of(Relation rel, Relation part, Bitmapset *columns)
{
	const TriggerDesc *triggers = part->trigdesc;
	Bitmapset  *touched = NULL;
	Bitmapset  *primary;

	if (triggers == NULL || !triggers->trig_update_before_row)
		return NULL;
	primary = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (!is_fired(trigger, part, rel, columns))
			continue;
		for (int j = 1; j <= RelationGetNumberOfAttributes(rel); j++)
		{
			Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), j - 1);

			if (!attr->attisdropped &&
				!bms_is_member(j - FirstLowInvalidHeapAttributeNumber, primary) &&
				may_set(trigger, NameStr(attr->attname)))
				touched = bms_add_member(touched, j);
		}
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
		char	   *name = get_attname(RelationGetRelid(part), trigger->tgattr[i], false);

		if (bms_is_member(get_attnum(RelationGetRelid(rel), name), columns))
			return true;
	}
	return trigger->tgnattr == 0;
}

/* Whether the text of a trigger says that it may change a column of that name. */
static bool
may_set(const Trigger *trigger, const char *name)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID,
										ObjectIdGetDatum(trigger->tgfoid));
	char	   *column = downcase_identifier(name, strlen(name), false, true);
	bool		may = false;
	Datum		value;
	bool		isnull;
	char	   *source;
	char	   *language;

	for (int i = 0; i < trigger->tgnargs; i++)
		may |= is_named(trigger->tgargs[i], column);
	if (!HeapTupleIsValid(tuple))
		return may;
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	source = isnull ? "" : TextDatumGetCString(value);
	language = get_language_name(((Form_pg_proc) GETSTRUCT(tuple))->prolang, true);
	/* A name of several words can be but quoted. */
	for (const char *c = column; *c != '\0'; c++)
		may |= !is_of_word(*c) && strstr(source, name) != NULL;
	may |= language != NULL && strcmp(language, "plpgsql") == 0 ?
		is_assigned(source, column) : is_named(source, column);
	ReleaseSysCache(tuple);
	return may;
}

static bool
is_named(const char *text, const char *name)
{
	Words		words = {.next = text};

	while (next_word(&words))
	{
		if (strcmp(words.word, name) == 0)
			return true;
	}
	return false;
}

/*
 * Whether PL/pgSQL may assign a value to a column of NEW, or all of it, or returns
 * something else.
 */
static bool
is_assigned(const char *text, const char *name)
{
	Words		words = {.next = text};

	while (next_word(&words))
	{
		bool		assigned = words.into || words.follows == ':';

		if (strcmp(words.word, "new") == 0 && words.follows != '.' &&
			(assigned || (words.begins && words.follows == '=')))
			return true;
		if (strcmp(words.before, "new") == 0 && strcmp(words.word, name) == 0 &&
			(assigned || (words.before_begins &&
						  strchr("=[.", words.follows) != NULL)))
			return true;
		if (strcmp(words.before, "return") == 0 &&
			!is_any_of(words.word, (const char *const[]) {"new", "old", "null", "coalesce", NULL}))
			return true;
	}
	return false;
}

static bool
next_word(Words *words)
{
	const char *start = words->next;
	const char *end;
	int			length;

	words->before_begins = words->begins;
	words->begins = is_any_of(words->word, (const char *const[]) {"begin", "then", "else", "loop", NULL});
	for (; *start != '\0' && !is_of_word(*start); start++)
	{
		words->begins |= strchr(";\n/>", *start) != NULL;
		words->into &= *start != ';';
	}
	for (end = start; is_of_word(*end); end++)
		;
	length = Min(end - start, NAMEDATALEN - 1);
	words->into |= strcmp(words->word, "into") == 0 &&
		strcmp(words->before, "insert") != 0 &&
		strcmp(words->before, "merge") != 0;
	strcpy(words->before, words->word);
	strlcpy(words->word, downcase_identifier(start, length, false, true),
			NAMEDATALEN);
	for (words->next = end; *end == '"' || scanner_isspace(*end); end++)
		;
	words->follows = *end;
	return words->next > start;
}

static bool
is_any_of(const char *word, const char *const *words)
{
	while (*words != NULL && strcmp(word, *words) != 0)
		words++;
	return *words != NULL;
}

static bool
is_of_word(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' ||
		IS_HIGHBIT_SET(c);
}

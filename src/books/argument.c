/*-------------------------------------------------------------------------
 *
 * argument.c
 *		The arguments of the SQL on the tables of bulkpar.
 *
 * Between enter and leave, each function gives a value to an argument, which
 * the statements that run after that find by its name.  There is one function
 * for each type of SQL.  A name is a string constant; it can get another value,
 * but not another type.  A pointer must be valid until leave; what is NULL is
 * null.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/argument.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "books/argument.h"

static void put(BulkparBookkeeping *books, const char *name, Oid type,
				Datum value, bool isnull);

void
bulkpar_argument_bool(BulkparBookkeeping *books, const char *name, bool value)
{
	put(books, name, BOOLOID, BoolGetDatum(value), false);
}

void
bulkpar_argument_int32(BulkparBookkeeping *books, const char *name,
					   int32 value)
{
	put(books, name, INT4OID, Int32GetDatum(value), false);
}

void
bulkpar_argument_int64(BulkparBookkeeping *books, const char *name,
					   int64 value)
{
	put(books, name, INT8OID, Int64GetDatum(value), false);
}

/* A number that may not be known, and is null then. */
void
bulkpar_argument_int64_if(BulkparBookkeeping *books, bool known,
						  const char *name, int64 value)
{
	put(books, name, INT8OID, Int64GetDatum(value), !known);
}

void
bulkpar_argument_oid(BulkparBookkeeping *books, const char *name, Oid value)
{
	put(books, name, OIDOID, ObjectIdGetDatum(value), false);
}

void
bulkpar_argument_interval(BulkparBookkeeping *books, const char *name,
						  const Interval *value)
{
	put(books, name, INTERVALOID, IntervalPGetDatum(value), value == NULL);
}

void
bulkpar_argument_text(BulkparBookkeeping *books, const char *name,
					  const char *value)
{
	put(books, name, TEXTOID,
		value == NULL ? (Datum) 0 : CStringGetTextDatum(value),
		value == NULL);
}

void
bulkpar_argument_texts(BulkparBookkeeping *books, const char *name,
					   ArrayType *value)
{
	Assert(value == NULL || ARR_ELEMTYPE(value) == TEXTOID);
	put(books, name, TEXTARRAYOID, PointerGetDatum(value), value == NULL);
}

/* As many values of a type, of which those are null, or none if nulls is NULL. */
void
bulkpar_argument_array(BulkparBookkeeping *books, const char *name,
					   Oid element, Datum *values, bool *nulls, int count)
{
	int			lower = 1;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	ArrayType  *array;

	get_typlenbyvalalign(element, &typlen, &typbyval, &typalign);
	array = construct_md_array(values, nulls, 1, &count, &lower, element,
							   typlen, typbyval, typalign);
	put(books, name, get_array_type(element), PointerGetDatum(array), false);
}

/* As many numbers. */
void
bulkpar_argument_int64s(BulkparBookkeeping *books, const char *name,
						const int64 *values, int count)
{
	Datum	   *elements = palloc(sizeof(Datum) * count);

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(values[i]);
	bulkpar_argument_array(books, name, INT8OID, elements, NULL, count);
}

void
bulkpar_argument_bytes(BulkparBookkeeping *books, const char *name,
					   bytea *value)
{
	put(books, name, BYTEAOID, PointerGetDatum(value), value == NULL);
}

/* The two arguments that a key is. */
void
bulkpar_argument_key(BulkparBookkeeping *books, const char *bytes_name,
					 const char *text_name, const BulkparStoredKey *key)
{
	bulkpar_argument_bytes(books, bytes_name, key == NULL ? NULL : key->bytes);
	bulkpar_argument_texts(books, text_name, key == NULL ? NULL : key->text);
}

/* The arguments of BULKPAR_ERROR_VALUES; all are null for NULL. */
void
bulkpar_argument_error(BulkparBookkeeping *books, const ErrorData *error)
{
	bulkpar_argument_text(books, "sqlstate", error == NULL ? NULL :
						  unpack_sql_state(error->sqlerrcode));
#define PUT(name) \
	bulkpar_argument_text(books, #name, error == NULL ? NULL : error->name);
	BULKPAR_ERROR_TEXTS(PUT);
#undef PUT
}

static void
put(BulkparBookkeeping *books, const char *name, Oid type, Datum value,
	bool isnull)
{
	BulkparArgument *argument = books->arguments;
	BulkparArgument *end = argument + books->narguments;

	while (argument < end && strcmp(argument->name, name) != 0)
		argument++;
	if (argument < end && argument->type != type)
		elog(ERROR, "argument \"%s\" has had another type", name);
	if (argument == end)
	{
		if (books->narguments == BULKPAR_MAX_ARGUMENTS)
			elog(ERROR, "too many arguments");
		books->narguments++;
	}
	argument->name = name;
	argument->type = type;
	argument->value = value;
	argument->isnull = isnull;
	argument->used = false;
}

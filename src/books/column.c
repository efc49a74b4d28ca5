/*-------------------------------------------------------------------------
 *
 * column.c
 *		The columns of what SQL on the tables of bulkpar returns.
 *
 * Between a statement that has returned a row and leave, each function reads a
 * column of that row, or of the one that was looked at since.  There is one
 * function for each type of SQL; a column that has another, or is not there, is
 * an error.  Null is 0, false or NULL.  What is a pointer is a copy in the
 * memory context that was current at enter.
 *
 * A column is looked for with each value: none of this is done per batch.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/column.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "books/column.h"
#include "session/error.h"

static Datum column(const BulkparBookkeeping *books, const char *name,
					Oid type, bool *isnull);
static int	find_column(const BulkparBookkeeping *books, const char *name);

/* Here the type does not matter. */
bool
bulkpar_column_is_null(const BulkparBookkeeping *books, const char *name)
{
	bool		isnull;

	int			number = find_column(books, name);

	(void) SPI_getbinval(books->result->vals[books->row],
						 books->result->tupdesc, number, &isnull);
	return isnull;
}

bool
bulkpar_column_bool(const BulkparBookkeeping *books, const char *name)
{
	bool		isnull;
	Datum		value = column(books, name, BOOLOID, &isnull);

	return isnull ? false : DatumGetBool(value);
}

int32
bulkpar_column_int32(const BulkparBookkeeping *books, const char *name)
{
	bool		isnull;
	Datum		value = column(books, name, INT4OID, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

int64
bulkpar_column_int64(const BulkparBookkeeping *books, const char *name)
{
	bool		isnull;
	Datum		value = column(books, name, INT8OID, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* An oid, or one of its aliases that our tables have. */
Oid
bulkpar_column_oid(const BulkparBookkeeping *books, const char *name)
{
	int			number = find_column(books, name);
	Oid			type = SPI_gettypeid(books->result->tupdesc, number);
	bool		isnull;
	Datum		value = column(books, name,
							   type == REGCLASSOID || type == REGROLEOID ?
							   type : OIDOID, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(value);
}

/* The OIDs of a regclass[]; none for null. */
Oid *
bulkpar_column_oids(const BulkparBookkeeping *books, const char *name,
					int *count)
{
	bool		isnull;
	Datum		value = column(books, name, REGCLASSARRAYOID, &isnull);
	Datum	   *elements;
	Oid		   *oids;

	*count = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(value), REGCLASSOID, sizeof(Oid), true,
					  TYPALIGN_INT, &elements, NULL, count);
	oids = MemoryContextAlloc(books->caller_context, sizeof(Oid) * *count);
	for (int i = 0; i < *count; i++)
		oids[i] = DatumGetObjectId(elements[i]);
	return oids;
}

char *
bulkpar_column_text(const BulkparBookkeeping *books, const char *name)
{
	bool		isnull;
	Datum		value = column(books, name, TEXTOID, &isnull);

	return isnull ? NULL : MemoryContextStrdup(books->caller_context,
											   TextDatumGetCString(value));
}

/* The strings of a text[] that is not null. */
char	  **
bulkpar_column_texts(const BulkparBookkeeping *books, const char *name,
					 int *count)
{
	bool		isnull;
	Datum		value = column(books, name, TEXTARRAYOID, &isnull);
	MemoryContext oldcontext;
	Datum	   *elements;
	char	  **texts;

	if (isnull)
		elog(ERROR, "column \"%s\" is null", name);
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, NULL, count);
	oldcontext = MemoryContextSwitchTo(books->caller_context);
	texts = palloc(sizeof(char *) * *count);
	for (int i = 0; i < *count; i++)
		texts[i] = TextDatumGetCString(elements[i]);
	MemoryContextSwitchTo(oldcontext);
	return texts;
}

bytea *
bulkpar_column_bytes(const BulkparBookkeeping *books, const char *name)
{
	bool		isnull;
	Datum		value = column(books, name, BYTEAOID, &isnull);
	MemoryContext oldcontext;
	bytea	   *copy;

	if (isnull)
		return NULL;
	oldcontext = MemoryContextSwitchTo(books->caller_context);
	copy = DatumGetByteaPCopy(value);
	MemoryContextSwitchTo(oldcontext);
	return copy;
}

/* The key that two columns are. */
BulkparStoredKey *
bulkpar_column_key(const BulkparBookkeeping *books, const char *bytes_name,
				   const char *text_name)
{
	bool		isnull;
	Datum		bytes = column(books, bytes_name, BYTEAOID, &isnull);
	Datum		text;
	BulkparStoredKey key;
	BulkparStoredKey *copy;
	MemoryContext oldcontext;

	if (isnull)
		return NULL;
	text = column(books, text_name, TEXTARRAYOID, &isnull);
	if (isnull)
		elog(ERROR, "column \"%s\" is null", text_name);
	key.bytes = DatumGetByteaP(bytes);
	key.text = DatumGetArrayTypeP(text);
	oldcontext = MemoryContextSwitchTo(books->caller_context);
	copy = bulkpar_storedkey_copy(&key);
	MemoryContextSwitchTo(oldcontext);
	return copy;
}

/* The error that the columns of BULKPAR_ERROR_COLUMNS are; NULL for none. */
ErrorData *
bulkpar_column_error(const BulkparBookkeeping *books)
{
	char	   *sqlstate = bulkpar_column_text(books, "sqlstate");
	ErrorData  *error;

	if (sqlstate == NULL)
		return NULL;
	error = MemoryContextAllocZero(books->caller_context, sizeof(ErrorData));
	error->elevel = ERROR;
	error->sqlerrcode = MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2],
									  sqlstate[3], sqlstate[4]);
#define READ(name) \
	error->name = bulkpar_column_text(books, #name);
	BULKPAR_ERROR_TEXTS(READ);
#undef READ
	return error;
}

static Datum
column(const BulkparBookkeeping *books, const char *name, Oid type,
	   bool *isnull)
{
	int			number = find_column(books, name);

	if (SPI_gettypeid(books->result->tupdesc, number) != type)
		elog(ERROR, "column \"%s\" is not of the type with OID %u",
			 name, type);
	return SPI_getbinval(books->result->vals[books->row],
						 books->result->tupdesc, number, isnull);
}

/* The number of a column of the row. */
static int
find_column(const BulkparBookkeeping *books, const char *name)
{
	int			number;

	if (books->result == NULL || books->row >= books->result->numvals)
		elog(ERROR, "there is no row with column \"%s\"", name);
	number = SPI_fnumber(books->result->tupdesc, name);
	if (number <= 0)
		elog(ERROR, "there is no column \"%s\"", name);
	return number;
}

/*-------------------------------------------------------------------------
 *
 * keyvalue.c
 *		The values of a key: ranges, lists and text of them.
 *
 * A key is an array with a Datum for each column.  In a list the keys follow
 * one another in one array.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/keyvalue.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "table/keyvalue.h"

static int	cut_range(const BulkparKey *key, const Datum *lo, const Datum *hi,
					  BulkparKeyPiece *pieces);
static void add_piece(int nprefix, const Datum *prefix,
					  const Datum *after, BulkparKeyEnd bound,
					  const Datum *limit, BulkparKeyPiece *piece);
static int	compare_values(const BulkparKeyColumn *column, Datum a, Datum b);
static Datum value_to_text(const BulkparKeyColumn *column, Datum value);
static void append_value(StringInfo buf, const BulkparKeyColumn *column,
						 Datum value);
static Datum read_value(const BulkparKeyColumn *column, const char **next,
						const char *end);
static void raise_other_key(void);
static int	set_text_modes(void);

/*
 * Cut the keys of a stripe in the range (lo, hi], of which lo may be NULL,
 * into pieces, in the order of the index; returns their number.
 */
int
bulkpar_keyvalue_cut(const BulkparKey *key, const Datum *lo, const Datum *hi,
					 const BulkparStripe *stripe, BulkparKeyPiece *pieces)
{
	int			npieces = cut_range(key, lo, hi, pieces);

	Assert(npieces <= BULKPAR_KEY_MAX_PIECES);
	Assert(stripe->number >= 0 && stripe->number < stripe->count);
	for (int i = 0; stripe->count > 1 && i < npieces; i++)
	{
		BulkparKeyPiece *piece = &pieces[i];

		piece->shape.striped = true;
		piece->values[piece->nvalues++] = Int32GetDatum(stripe->count);
		piece->values[piece->nvalues++] = Int32GetDatum(stripe->number);
	}
	return npieces;
}

/* The order of two keys in the index. */
int
bulkpar_keyvalue_compare(const BulkparKey *key, const Datum *a, const Datum *b)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		const BulkparKeyColumn *column = &key->columns[i];
		int			order = compare_values(column, a[i], b[i]);

		if (order != 0)
			return column->descends ? -order : order;
	}
	return 0;
}

/* Copy a key, detoasted, into the current memory context. */
Datum *
bulkpar_keyvalue_copy(const BulkparKey *key, const Datum *values)
{
	Datum	   *copy = palloc(sizeof(Datum) * key->ncolumns);

	bulkpar_keyvalue_copy_to(key, copy, values);
	return copy;
}

/* The same, but for the array of the columns, which is there. */
void
bulkpar_keyvalue_copy_to(const BulkparKey *key, Datum *copy,
						 const Datum *values)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		const BulkparKeyColumn *column = &key->columns[i];

		if (column->typlen == -1)
			copy[i] = PointerGetDatum(PG_DETOAST_DATUM_COPY(values[i]));
		else
			copy[i] = datumCopy(values[i], column->typbyval, column->typlen);
	}
}

/*
 * Whether there can be lists of the keys: all types have arrays, whose
 * elements unnest returns as such.
 */
bool
bulkpar_keyvalue_can_be_listed(const BulkparKey *key)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		Oid			type = key->columns[i].input;

		if (!OidIsValid(get_array_type(type)) ||
			(key->ncolumns > 1 && type_is_rowtype(type)))
			return false;
	}
	return true;
}

/* The arguments of a listed shape: an array for each column. */
void
bulkpar_keyvalue_list_arguments(const BulkparKey *key, const Datum *keys,
								int count, Datum *arguments)
{
	Datum	   *values = palloc(sizeof(Datum) * count);

	for (int i = 0; i < key->ncolumns; i++)
	{
		const BulkparKeyColumn *column = &key->columns[i];

		for (int k = 0; k < count; k++)
			values[k] = keys[k * key->ncolumns + i];
		arguments[i] = PointerGetDatum(construct_array(values, count,
													   column->input,
													   column->typlen,
													   column->typbyval,
													   column->typalign));
	}
}

/*
 * The key as a text[], to be shown.  The values go through the output functions
 * of their types, as the current user.
 */
ArrayType *
bulkpar_keyvalue_to_text(const BulkparKey *key, const Datum *values)
{
	Datum		texts[INDEX_MAX_KEYS];
	int			nestlevel = set_text_modes();

	for (int i = 0; i < key->ncolumns; i++)
		texts[i] = value_to_text(&key->columns[i], values[i]);
	AtEOXact_GUC(true, nestlevel);
	return construct_array(texts, key->ncolumns, TEXTOID, -1, false,
						   TYPALIGN_INT);
}

/* A key in the form that is kept, in the current memory context. */
BulkparStoredKey *
bulkpar_keyvalue_store(const BulkparKey *key, const Datum *values)
{
	BulkparStoredKey *stored = palloc(sizeof(BulkparStoredKey));

	stored->bytes = bulkpar_keyvalue_store_list(key, values, 1);
	stored->text = bulkpar_keyvalue_to_text(key, values);
	return stored;
}

/*
 * The inverse, in the current memory context.  No function of a type is called;
 * bulkpar_key_follow has seen to it that the types are the same.
 */
Datum *
bulkpar_keyvalue_restore(const BulkparKey *key, const BulkparStoredKey *stored)
{
	int			count;
	Datum	   *values = bulkpar_keyvalue_restore_list(key, stored->bytes,
													   &count);

	if (count != 1)
		raise_other_key();
	return values;
}

/*
 * A list of keys as bytes, one value after the other, each after its length;
 * in the current memory context.
 */
bytea *
bulkpar_keyvalue_store_list(const BulkparKey *key, const Datum *keys, int count)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoSpaces(&buf, VARHDRSZ);
	for (int i = 0; i < count * key->ncolumns; i++)
		append_value(&buf, &key->columns[i % key->ncolumns], keys[i]);
	SET_VARSIZE(buf.data, buf.len);
	return (bytea *) buf.data;
}

/* The inverse, in the current memory context. */
Datum *
bulkpar_keyvalue_restore_list(const BulkparKey *key, bytea *bytes, int *count)
{
	const char *next = VARDATA_ANY(bytes);
	const char *end = next + VARSIZE_ANY_EXHDR(bytes);
	int			size = 16;
	int			nvalues = 0;
	Datum	   *values = palloc(sizeof(Datum) * size);

	while (next < end)
	{
		if (nvalues == size)
		{
			size *= 2;
			values = repalloc(values, sizeof(Datum) * size);
		}
		values[nvalues] = read_value(&key->columns[nvalues % key->ncolumns],
									 &next, end);
		nvalues++;
	}
	if (nvalues % key->ncolumns != 0)
		raise_other_key();
	*count = nvalues / key->ncolumns;
	return values;
}

/*
 * The range (1, 'b') to (4, 'y') is cut into 1 and after 'b', after 1 and before
 * 4, 4 and up to 'y'.  A comparison of rows, (a, b) <= (4, 'y'), would say the
 * same at once.  But of its columns only the first ends a scan of the index: it
 * would read all that is left of 4, in each batch.
 */
static int
cut_range(const BulkparKey *key, const Datum *lo, const Datum *hi,
		  BulkparKeyPiece *pieces)
{
	int			last = key->ncolumns - 1;
	int			common = 0;
	int			npieces = 0;

	while (lo != NULL && common < last &&
		   compare_values(&key->columns[common], lo[common], hi[common]) == 0)
		common++;
	for (int i = last; lo != NULL && i > common; i--)
		add_piece(i, lo, lo, BULKPAR_KEY_END_NONE, NULL,
				  &pieces[npieces++]);
	add_piece(common, hi, lo, common == last ? BULKPAR_KEY_END_UPTO :
			  BULKPAR_KEY_END_BEFORE, hi, &pieces[npieces++]);
	for (int i = common + 1; i <= last; i++)
		add_piece(i, hi, NULL, i == last ? BULKPAR_KEY_END_UPTO :
				  BULKPAR_KEY_END_BEFORE, hi, &pieces[npieces++]);
	return npieces;
}

/*
 * Fill in a piece: the first nprefix columns as in prefix, the next after
 * that of after, if not NULL, and within the bound of limit, if there is one.
 */
static void
add_piece(int nprefix, const Datum *prefix,
		  const Datum *after, BulkparKeyEnd bound, const Datum *limit,
		  BulkparKeyPiece *piece)
{
	piece->shape.nprefix = nprefix;
	piece->shape.after = after != NULL;
	piece->shape.bound = bound;
	piece->shape.striped = false;
	piece->shape.listed = false;
	piece->nvalues = 0;
	for (int i = 0; i < nprefix; i++)
		piece->values[piece->nvalues++] = prefix[i];
	if (after != NULL)
		piece->values[piece->nvalues++] = after[nprefix];
	if (limit != NULL)
		piece->values[piece->nvalues++] = limit[nprefix];
}

/* The order of one column's values, as the index has it if it ascends. */
static int
compare_values(const BulkparKeyColumn *column, Datum a, Datum b)
{
	return DatumGetInt32(FunctionCall2Coll((FmgrInfo *) &column->compare,
										   column->collation, a, b));
}

static Datum
value_to_text(const BulkparKeyColumn *column, Datum value)
{
	Oid			function;
	bool		varlena;

	getTypeOutputInfo(column->type, &function, &varlena);
	return CStringGetTextDatum(OidOutputFunctionCall(function, value));
}

/* Append the length of a value and the value as it is on disk, detoasted. */
static void
append_value(StringInfo buf, const BulkparKeyColumn *column, Datum value)
{
	char		byval[sizeof(Datum)];
	const char *data = byval;
	int32		length = column->typlen;

	if (column->typbyval)
		store_att_byval(byval, value, column->typlen);
	else if (column->typlen == -1)
	{
		data = (const char *) PG_DETOAST_DATUM(value);
		length = VARSIZE(data);
	}
	else
	{
		data = DatumGetPointer(value);
		if (column->typlen == -2)
			length = strlen(data) + 1;
	}
	appendBinaryStringInfo(buf, (const char *) &length, sizeof(length));
	appendBinaryStringInfo(buf, data, length);
}

/*
 * Read what append_value has written, and go past it.  Bytes that it cannot
 * have written are an error: not for what is in a value, but nobody must be led
 * beyond its end, or to another table's TOAST.
 */
static Datum
read_value(const BulkparKeyColumn *column, const char **next, const char *end)
{
	int32		length;
	char	   *data;

	if (end - *next < (ptrdiff_t) sizeof(length))
		raise_other_key();
	memcpy(&length, *next, sizeof(length));
	*next += sizeof(length);
	if (length < 0 || length > end - *next ||
		(column->typlen > 0 && length != column->typlen))
		raise_other_key();
	data = palloc(length);
	memcpy(data, *next, length);
	*next += length;
	if (column->typlen == -1 &&
		(length < VARHDRSZ || !VARATT_IS_4B_U(data) ||
		 (int32) VARSIZE(data) != length))
		raise_other_key();
	if (column->typlen == -2 &&
		(length < 1 || memchr(data, '\0', length) != data + length - 1))
		raise_other_key();
	if (column->type == NAMEOID && memchr(data, '\0', length) == NULL)
		raise_other_key();
	return fetch_att(data, column->typbyval, column->typlen);
}

static void
raise_other_key(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the key index has changed while the job ran")));
}

/*
 * Settings under which the output of a type says which value it is, those that
 * postgres_fdw and pg_dump use.  The caller undoes them with
 * AtEOXact_GUC(true, result).
 */
static int
set_text_modes(void)
{
	static const char *const modes[][2] = {
		{"datestyle", "ISO"},
		{"intervalstyle", "postgres"},
		{"extra_float_digits", "3"},
		{"lc_monetary", "C"},
		{"search_path", "pg_catalog"},
	};
	int			nestlevel = NewGUCNestLevel();

	for (int i = 0; i < (int) lengthof(modes); i++)
		(void) set_config_option(modes[i][0], modes[i][1],
								 PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return nestlevel;
}

/*-------------------------------------------------------------------------
 *
 * keyvalue.c
 *		The values of a key: ranges, lists and text of them.
 *
 * A key is an array with a Datum for each column.  In a list of rows the keys
 * follow one another in one array, each with a number for where its row was
 * found.
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

#include "session/process.h"
#include "table/keyvalue.h"

static int	cut_range(const BulkparKey *key, const Datum *lo, const Datum *hi,
					  BulkparKeyPiece *pieces);
static void add_piece(int nprefix, const Datum *prefix,
					  const Datum *after, BulkparKeyEnd bound,
					  const Datum *limit, BulkparKeyPiece *piece);
static int	compare_values(const BulkparKeyColumn *column, Datum a, Datum b);
static const BulkparKeyColumn *column_of_row(const BulkparKey *key, int i);
static bytea *store_values(const BulkparKey *key, const Datum *values,
						   int count, int width);
static Datum *restore_values(const BulkparKey *key, bytea *bytes, int width,
							 int *count);
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

/*
 * Throw an error if a value of a key is null: a transaction that has taken its
 * snapshot before the column was set to NOT NULL may still see such a row.
 */
void
bulkpar_keyvalue_require(const BulkparKey *key, const bool *nulls)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("key column \"%s\" of table \"%s\" is null in a row that this transaction sees",
							get_attname(key->relid, key->columns[i].attnum, false),
							get_rel_name(key->relid)),
					 errdetail("It was set to NOT NULL after the transaction had taken its snapshot."),
					 errhint("Begin a new transaction.")));
	}
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

/* Free what was copied into an array of the columns. */
void
bulkpar_keyvalue_free_values(const BulkparKey *key, const Datum *values)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		if (!key->columns[i].typbyval)
			pfree(DatumGetPointer(values[i]));
	}
}

/*
 * Whether there can be lists of the keys: all types have arrays, and where
 * there are several they can be joined.
 */
bool
bulkpar_keyvalue_can_be_listed(const BulkparKey *key)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		if (!OidIsValid(get_array_type(key->columns[i].input)))
			return false;
	}
	return key->ncolumns == 1 || bulkpar_keyvalue_can_be_joined(key);
}

/* Whether unnest returns the elements of such arrays as they are. */
bool
bulkpar_keyvalue_can_be_joined(const BulkparKey *key)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		if (type_is_rowtype(key->columns[i].input))
			return false;
	}
	return true;
}

/* How many values a row of a list has. */
int
bulkpar_keyvalue_row_width(const BulkparKey *key)
{
	return key->ncolumns + 1;
}

/* The last of them: a number in the order of the places. */
Datum
bulkpar_keyvalue_of_place(ItemPointer tid)
{
	return Int64GetDatum((int64) ItemPointerGetBlockNumber(tid) << 16 |
						 ItemPointerGetOffsetNumber(tid));
}

/*
 * The arguments of a listed shape, placed or not: an array for each column, and
 * one of the places.
 */
void
bulkpar_keyvalue_list_arguments(const BulkparKey *key, const Datum *rows,
								int count, Datum *arguments)
{
	int			width = bulkpar_keyvalue_row_width(key);
	Datum	   *values = palloc(sizeof(Datum) * count);
	ItemPointer places = palloc(sizeof(ItemPointerData) * count);

	for (int i = 0; i < key->ncolumns; i++)
	{
		const BulkparKeyColumn *column = &key->columns[i];

		for (int k = 0; k < count; k++)
			values[k] = rows[k * width + i];
		arguments[i] = PointerGetDatum(construct_array(values, count,
													   column->input,
													   column->typlen,
													   column->typbyval,
													   column->typalign));
	}
	for (int k = 0; k < count; k++)
	{
		int64		place = DatumGetInt64(rows[k * width + key->ncolumns]);

		ItemPointerSet(&places[k], place >> 16, place & 0xffff);
		values[k] = PointerGetDatum(&places[k]);
	}
	arguments[key->ncolumns] =
		PointerGetDatum(construct_array(values, count, TIDOID,
										sizeof(ItemPointerData), false,
										TYPALIGN_SHORT));
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

	stored->bytes = store_values(key, values, 1, key->ncolumns);
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
	Datum	   *values = restore_values(key, stored->bytes, key->ncolumns,
										&count);

	if (count != 1)
		raise_other_key();
	return values;
}

/* The rows of a list as bytes, in the current memory context. */
bytea *
bulkpar_keyvalue_store_list(const BulkparKey *key, const Datum *rows, int count)
{
	return store_values(key, rows, count, bulkpar_keyvalue_row_width(key));
}

/* The inverse, in the current memory context. */
Datum *
bulkpar_keyvalue_restore_list(const BulkparKey *key, bytea *bytes, int *count)
{
	return restore_values(key, bytes, bulkpar_keyvalue_row_width(key), count);
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
	piece->shape.listed = piece->shape.placed = piece->shape.span = false;
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

/* A column of the key, or what the place after them is kept as. */
static const BulkparKeyColumn *
column_of_row(const BulkparKey *key, int i)
{
	static const BulkparKeyColumn place = {
		.type = INT8OID,
		.typlen = sizeof(int64),
		.typbyval = FLOAT8PASSBYVAL
	};

	return i < key->ncolumns ? &key->columns[i] : &place;
}

/* Rows of so many values as bytes, each value after its length. */
static bytea *
store_values(const BulkparKey *key, const Datum *values, int count, int width)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoSpaces(&buf, VARHDRSZ);
	for (int i = 0; i < count * width; i++)
		append_value(&buf, column_of_row(key, i % width), values[i]);
	SET_VARSIZE(buf.data, buf.len);
	return (bytea *) buf.data;
}

/* The inverse, in the current memory context. */
static Datum *
restore_values(const BulkparKey *key, bytea *bytes, int width, int *count)
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
		values[nvalues] = read_value(column_of_row(key, nvalues % width),
									 &next, end);
		nvalues++;
	}
	if (nvalues % width != 0)
		raise_other_key();
	*count = nvalues / width;
	return values;
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
		bulkpar_process_set_locally(modes[i][0], modes[i][1]);
	return nestlevel;
}

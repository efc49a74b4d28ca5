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
 *	  src/keyvalue.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "key.h"

static int	cut_range(const BulkparKey *key, const Datum *lo, const Datum *hi,
					  BulkparPiece *pieces);
static void add_piece(const BulkparKey *key, int nprefix, const Datum *prefix,
					  const Datum *after, BulkparBound bound,
					  const Datum *limit, BulkparPiece *piece);
static int	compare_values(const BulkparKeyColumn *column, Datum a, Datum b);
static Datum value_to_text(const BulkparKeyColumn *column, Datum value);
static Datum value_from_text(const BulkparKeyColumn *column, Datum string);
static int	set_text_modes(void);

/*
 * Cut the keys of a stripe in the range (lo, hi], of which lo may be NULL,
 * into pieces, in the order of the index; returns their number.
 */
int
bulkpar_key_cut(const BulkparKey *key, const Datum *lo, const Datum *hi,
				const BulkparStripe *stripe, BulkparPiece *pieces)
{
	int			npieces = cut_range(key, lo, hi, pieces);

	for (int i = 0; stripe->count > 1 && i < npieces; i++)
	{
		BulkparPiece *piece = &pieces[i];

		piece->shape.striped = true;
		piece->values[piece->nvalues++] = Int32GetDatum(stripe->count);
		piece->values[piece->nvalues++] = Int32GetDatum(stripe->number);
	}
	return npieces;
}

/* The order of two keys in the index. */
int
bulkpar_key_compare(const BulkparKey *key, const Datum *a, const Datum *b)
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
bulkpar_key_copy(const BulkparKey *key, const Datum *values)
{
	Datum	   *copy = palloc(sizeof(Datum) * key->ncolumns);

	bulkpar_key_copy_to(key, copy, values);
	return copy;
}

/* The same, but for the array of the columns, which is there. */
void
bulkpar_key_copy_to(const BulkparKey *key, Datum *copy, const Datum *values)
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
bulkpar_key_can_be_listed(const BulkparKey *key)
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
bulkpar_key_list_arguments(const BulkparKey *key, const Datum *keys, int count,
						   Datum *arguments)
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
 * The key as a text[], the form that is kept in the tables.  The values go
 * through the output functions of their types, as the current user.
 */
ArrayType *
bulkpar_key_to_text(const BulkparKey *key, const Datum *values)
{
	return bulkpar_key_list_to_text(key, values, 1);
}

/* The inverse; the result is allocated in the current memory context. */
Datum *
bulkpar_key_from_text(const BulkparKey *key, ArrayType *array)
{
	int			count;
	Datum	   *values = bulkpar_key_list_from_text(key, array, &count);

	if (count != 1)
		elog(ERROR, "expected one key, found %d", count);
	return values;
}

/* A list of keys as a text[], one key after the other. */
ArrayType *
bulkpar_key_list_to_text(const BulkparKey *key, const Datum *keys, int count)
{
	int			nvalues = count * key->ncolumns;
	Datum	   *texts = palloc(sizeof(Datum) * nvalues);
	int			nestlevel = set_text_modes();

	for (int i = 0; i < nvalues; i++)
		texts[i] = value_to_text(&key->columns[i % key->ncolumns], keys[i]);
	AtEOXact_GUC(true, nestlevel);
	return construct_array(texts, nvalues, TEXTOID, -1, false, TYPALIGN_INT);
}

/* The inverse; the result is allocated in the current memory context. */
Datum *
bulkpar_key_list_from_text(const BulkparKey *key, ArrayType *array, int *count)
{
	Datum	   *values;
	int			nvalues;
	int			nestlevel;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &values, NULL, &nvalues);
	if (nvalues % key->ncolumns != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the key index has changed while the job ran")));
	nestlevel = set_text_modes();
	for (int i = 0; i < nvalues; i++)
		values[i] = value_from_text(&key->columns[i % key->ncolumns],
									values[i]);
	AtEOXact_GUC(true, nestlevel);
	*count = nvalues / key->ncolumns;
	return values;
}

/*
 * Where no row comparison means the order of the index, the range (1, 'b') to
 * (4, 'y') is cut into 1 and after 'b', after 1 and before 4, 4 and up to 'y'.
 */
static int
cut_range(const BulkparKey *key, const Datum *lo, const Datum *hi,
		  BulkparPiece *pieces)
{
	int			last = key->ncolumns - 1;
	int			common = 0;
	int			npieces = 0;

	if (key->row_comparison)
	{
		add_piece(key, 0, lo, lo, BULKPAR_BOUND_UPTO, hi, &pieces[npieces++]);
		return npieces;
	}

	while (lo != NULL && common < last &&
		   compare_values(&key->columns[common], lo[common], hi[common]) == 0)
		common++;
	for (int i = last; lo != NULL && i > common; i--)
		add_piece(key, i, lo, lo, BULKPAR_BOUND_NONE, NULL,
				  &pieces[npieces++]);
	add_piece(key, common, hi, lo, common == last ? BULKPAR_BOUND_UPTO :
			  BULKPAR_BOUND_BEFORE, hi, &pieces[npieces++]);
	for (int i = common + 1; i <= last; i++)
		add_piece(key, i, hi, NULL, i == last ? BULKPAR_BOUND_UPTO :
				  BULKPAR_BOUND_BEFORE, hi, &pieces[npieces++]);
	return npieces;
}

/*
 * Fill in a piece: the first nprefix columns as in prefix, the next after
 * that of after, if not NULL, and within the bound of limit, if there is one.
 */
static void
add_piece(const BulkparKey *key, int nprefix, const Datum *prefix,
		  const Datum *after, BulkparBound bound, const Datum *limit,
		  BulkparPiece *piece)
{
	int			ncolumns = key->row_comparison ? key->ncolumns : 1;

	piece->shape.nprefix = nprefix;
	piece->shape.after = after != NULL;
	piece->shape.bound = bound;
	piece->shape.striped = false;
	piece->shape.listed = false;
	piece->nvalues = 0;
	for (int i = 0; i < nprefix; i++)
		piece->values[piece->nvalues++] = prefix[i];
	for (int i = nprefix; after != NULL && i < nprefix + ncolumns; i++)
		piece->values[piece->nvalues++] = after[i];
	for (int i = nprefix; limit != NULL && i < nprefix + ncolumns; i++)
		piece->values[piece->nvalues++] = limit[i];
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

static Datum
value_from_text(const BulkparKeyColumn *column, Datum string)
{
	Oid			function;
	Oid			ioparam;

	getTypeInputInfo(column->type, &function, &ioparam);
	return OidInputFunctionCall(function, TextDatumGetCString(string), ioparam,
								-1);
}

/*
 * Settings under which the output of a type is read back as the same value
 * by any session, those that postgres_fdw and pg_dump use.  The caller undoes
 * them with AtEOXact_GUC(true, result).
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

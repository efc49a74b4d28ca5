/*-------------------------------------------------------------------------
 *
 * place.c
 *		Places of rows.
 *
 * A span of a table goes from a block up to another.  They are kept where the end
 * of a range of keys would be, and cannot be taken for a key: no value has a length
 * of -1.
 *
 * A batch of listed rows reads the places of the list, in the order of the
 * table, and takes the rows that have the keys of the list there.  To join the
 * list by a hash took as long as all else that a batch does: one DELETE of a
 * third of 1,000,000 rows spent a quarter of the time of its workers with it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/place.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

#include "books/books.h"
#include "table/place.h"

#define SPAN_MARK (-1)

/* The end of a span as it is kept. */
typedef struct KeptEnd
{
	int32		mark;			/* in the place of the length of a value */
	int32		padding;
	BulkparSpanEnd end;
} KeptEnd;

/* The elements of an array. */
typedef struct Elements
{
	int			count;
	int16		typlen;
	bool		typbyval;
	Datum	   *values;
	bool	   *nulls;
} Elements;

typedef struct PlaceList
{
	int			next;			/* where the next row will be */
	Elements	places;
	Elements	columns[FLEXIBLE_ARRAY_MEMBER];
} PlaceList;

static PlaceList *get_list(FunctionCallInfo fcinfo);
static bool is_stable(FunctionCallInfo fcinfo);
static PlaceList *read_arrays(FunctionCallInfo fcinfo);
static void read_array(FunctionCallInfo fcinfo, int number, Oid type,
					   Elements *elements);
static int	look_for(PlaceList *list, ItemPointer place);

PG_FUNCTION_INFO_V1(bulkpar_at_place);

/*
 * bulkpar_at_place(places, place, VARIADIC list), which has an array and a value
 * for each column: whether the place is in the first array, and the values are
 * those that the others have for it.  They are the same if all their bytes are.
 * So no function of their types is called, and a value that is equal but not the
 * same is taken for that of another row, which can only be too careful.
 */
Datum
bulkpar_at_place(PG_FUNCTION_ARGS)
{
	PlaceList  *list = get_list(fcinfo);
	int			row = look_for(list, (ItemPointer) PG_GETARG_POINTER(1));

	for (int i = 3; row >= 0 && i < PG_NARGS(); i += 2)
	{
		const Elements *column = &list->columns[(i - 3) / 2];

		if (row >= column->count || column->nulls[row] ||
			!datum_image_eq(column->values[row], PG_GETARG_DATUM(i),
							column->typbyval, column->typlen))
			row = -1;
	}
	PG_RETURN_BOOL(row >= 0);
}

/* That function, as a condition calls it. */
Oid
bulkpar_place_function(void)
{
	Oid			argtypes[] = {TIDARRAYOID, TIDOID, ANYOID};

	return bulkpar_books_function("bulkpar_at_place",
								  lengthof(argtypes), argtypes);
}

/* The end of a span as it is kept, in the current memory context. */
BulkparStoredKey *
bulkpar_place_store_end(const BulkparSpanEnd *end)
{
	BulkparStoredKey *stored = palloc(sizeof(BulkparStoredKey));
	Size		size = VARHDRSZ + sizeof(KeptEnd);
	KeptEnd		kept = {.mark = SPAN_MARK, .end = *end};
	Datum		text = CStringGetTextDatum(psprintf("(%u,0)", end->blocks.after));

	stored->bytes = palloc(size);
	SET_VARSIZE(stored->bytes, size);
	memcpy(VARDATA(stored->bytes), &kept, sizeof(kept));
	stored->text = construct_array(&text, 1, TEXTOID, -1, false, TYPALIGN_INT);
	return stored;
}

/* Whether that is what is kept, and neither a key nor NULL, and which end. */
bool
bulkpar_place_is_end(const BulkparStoredKey *stored, BulkparSpanEnd *end)
{
	KeptEnd		kept;

	if (stored == NULL || VARSIZE_ANY_EXHDR(stored->bytes) != sizeof(kept))
		return false;
	memcpy(&kept, VARDATA_ANY(stored->bytes), sizeof(kept));
	*end = kept.end;
	return kept.mark == SPAN_MARK;
}

/* The arrays, read but once where they stay what they are. */
static PlaceList *
get_list(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	MemoryContext oldcontext;

	if (flinfo->fn_extra != NULL)
		return flinfo->fn_extra;
	if (!is_stable(fcinfo))
		return read_arrays(fcinfo);
	oldcontext = MemoryContextSwitchTo(flinfo->fn_mcxt);
	flinfo->fn_extra = read_arrays(fcinfo);
	MemoryContextSwitchTo(oldcontext);
	return flinfo->fn_extra;
}

static bool
is_stable(FunctionCallInfo fcinfo)
{
	bool		stable = get_fn_expr_arg_stable(fcinfo->flinfo, 0);

	for (int i = 2; i < PG_NARGS(); i += 2)
		stable = stable && get_fn_expr_arg_stable(fcinfo->flinfo, i);
	return stable;
}

static PlaceList *
read_arrays(FunctionCallInfo fcinfo)
{
	PlaceList  *list = palloc(offsetof(PlaceList, columns) +
							  sizeof(Elements) * PG_NARGS());

	list->next = 0;
	read_array(fcinfo, 0, TIDOID, &list->places);
	for (int i = 2; i + 1 < PG_NARGS(); i += 2)
		read_array(fcinfo, i, get_fn_expr_argtype(fcinfo->flinfo, i + 1),
				   &list->columns[(i - 2) / 2]);
	return list;
}

/* The elements of an argument, which are copied.  They must be of that type. */
static void
read_array(FunctionCallInfo fcinfo, int number, Oid type, Elements *elements)
{
	Oid			array_type = get_fn_expr_argtype(fcinfo->flinfo, number);
	char		align;

	if (!OidIsValid(type) || get_element_type(array_type) != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("argument %d must be an array of the type of the value that follows",
						number + 1)));
	get_typlenbyvalalign(type, &elements->typlen, &elements->typbyval, &align);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P_COPY(number), type,
					  elements->typlen, elements->typbyval, align,
					  &elements->values, &elements->nulls, &elements->count);
}

/*
 * Where in the list a place is; -1 if it is not.  Rows come in the order of the
 * list, so that each look begins where the last one has ended.
 */
static int
look_for(PlaceList *list, ItemPointer place)
{
	const Elements *places = &list->places;

	for (int i = 0; i < places->count; i++)
	{
		int			row = list->next;

		list->next = row + 1 < places->count ? row + 1 : 0;
		if (!places->nulls[row] &&
			ItemPointerEquals((ItemPointer) DatumGetPointer(places->values[row]),
							  place))
			return row;
	}
	return -1;
}

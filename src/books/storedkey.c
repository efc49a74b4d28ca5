/*-------------------------------------------------------------------------
 *
 * storedkey.c
 *		A key as our tables keep it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/storedkey.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "books/storedkey.h"

/* Whether two keys that are kept are the same; both may be NULL. */
bool
bulkpar_storedkey_same(const BulkparStoredKey *a, const BulkparStoredKey *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return VARSIZE_ANY_EXHDR(a->bytes) == VARSIZE_ANY_EXHDR(b->bytes) &&
		memcmp(VARDATA_ANY(a->bytes), VARDATA_ANY(b->bytes),
			   VARSIZE_ANY_EXHDR(a->bytes)) == 0;
}

/* Copy a key that is kept into the current memory context, detoasted. */
BulkparStoredKey *
bulkpar_storedkey_copy(const BulkparStoredKey *stored)
{
	BulkparStoredKey *copy = palloc(sizeof(BulkparStoredKey));

	copy->bytes = DatumGetByteaPCopy(PointerGetDatum(stored->bytes));
	copy->text = DatumGetArrayTypePCopy(PointerGetDatum(stored->text));
	return copy;
}

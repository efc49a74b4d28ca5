/*-------------------------------------------------------------------------
 *
 * storedkey.h
 *		A key as our tables keep it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/storedkey.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_STOREDKEY_H
#define BULKPAR_STOREDKEY_H

#include "utils/array.h"

/*
 * A key as our tables keep it: as it is on disk, which no setting and no name
 * can change, and as text to show it.
 */
typedef struct BulkparStoredKey
{
	bytea	   *bytes;
	ArrayType  *text;
} BulkparStoredKey;

extern bool bulkpar_storedkey_same(const BulkparStoredKey *a,
								   const BulkparStoredKey *b);
extern BulkparStoredKey *bulkpar_storedkey_copy(const BulkparStoredKey *stored);

#endif							/* BULKPAR_STOREDKEY_H */

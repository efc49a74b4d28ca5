/*-------------------------------------------------------------------------
 *
 * keyvalue.h
 *		The values of a key.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/keyvalue.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_KEYVALUE_H
#define BULKPAR_KEYVALUE_H

#include "books/ledger.h"
#include "books/storedkey.h"
#include "table/key.h"

extern int	bulkpar_keyvalue_cut(const BulkparKey *key, const Datum *lo,
								 const Datum *hi, const BulkparStripe *stripe,
								 BulkparKeyPiece *pieces);
extern int	bulkpar_keyvalue_compare(const BulkparKey *key, const Datum *a,
									 const Datum *b);
extern bool bulkpar_keyvalue_can_be_listed(const BulkparKey *key);
extern bool bulkpar_keyvalue_can_be_joined(const BulkparKey *key);
extern int	bulkpar_keyvalue_row_width(const BulkparKey *key);
extern Datum bulkpar_keyvalue_of_place(ItemPointer tid);
extern ArrayType *bulkpar_keyvalue_to_text(const BulkparKey *key,
										   const Datum *values);
extern BulkparStoredKey *bulkpar_keyvalue_store(const BulkparKey *key,
												const Datum *values);
extern Datum *bulkpar_keyvalue_restore(const BulkparKey *key,
									   const BulkparStoredKey *stored);
extern bytea *bulkpar_keyvalue_store_list(const BulkparKey *key,
										  const Datum *rows, int count);
extern Datum *bulkpar_keyvalue_restore_list(const BulkparKey *key, bytea *bytes,
											int *count);
extern void bulkpar_keyvalue_list_arguments(const BulkparKey *key,
											const Datum *rows, int count,
											Datum *arguments);
extern void bulkpar_keyvalue_require(const BulkparKey *key, const bool *nulls);
extern Datum *bulkpar_keyvalue_copy(const BulkparKey *key, const Datum *values);
extern void bulkpar_keyvalue_copy_to(const BulkparKey *key, Datum *copy,
									 const Datum *values);
extern void bulkpar_keyvalue_free_values(const BulkparKey *key,
										 const Datum *values);

#endif							/* BULKPAR_KEYVALUE_H */

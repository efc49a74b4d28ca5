/*-------------------------------------------------------------------------
 *
 * condition.h
 *		What is added to the query of a statement, such as a batch's range.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/condition.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CONDITION_H
#define BULKPAR_CONDITION_H

#include "nodes/bitmapset.h"
#include "parser/parse_node.h"

#include "table/key.h"
#include "table/once.h"

/* What a statement is for. */
typedef enum BulkparConditionUse
{
	/* of the rows of a piece of the keys */
	BULKPAR_CONDITION_CHANGE,	/* the statement of a job, for a batch */
	BULKPAR_CONDITION_KEYS,		/* the keys in their order, ... */
	BULKPAR_CONDITION_KEYS_BACKWARD,	/* ... or backward */
	BULKPAR_CONDITION_VERSIONS, /* where the rows are, in no order */

	/*
	 * of all rows that the statement would change or read, or of those of a
	 * span, as a SELECT
	 */
	BULKPAR_CONDITION_LIST,		/* keys and places, with the new_columns */
	BULKPAR_CONDITION_VALUES	/* keys, old and new values of a few */
} BulkparConditionUse;

/* What is to be added to the query of a statement. */
typedef struct BulkparCondition
{
	BulkparConditionUse use;
	Oid			relid;			/* the target, which drives the statement */
	Oid			part;			/* of the target, that is to be reached */
	List	   *parts;			/* or all rows of each of several; without a
								 * key then */
	bool		silent;			/* it does not return of which part each is */
	const BulkparKey *key;		/* along which it must be reached */
	BulkparKeyShape shape;		/* the parameters say which keys */
	BulkparOnce once;			/* what is evaluated once */
	bool		skip_unchanged;
	MemoryContext names_context;	/* NULL if the names are not wanted */
	Bitmapset  *new_columns;	/* to select as they will be, by their numbers
								 * less FirstLowInvalidHeapAttributeNumber */

	/* once it was added */
	bool		whole;			/* the statement is one UPDATE or DELETE that
								 * has none of its own */
	bool		multiplies;		/* a row of the target may count as several */
	Oid			inserted;		/* the table into which it inserts; or none */
	List	   *names;			/* what they mean, see names.c */
} BulkparCondition;

extern bool bulkpar_condition_is_of_piece(const BulkparCondition *condition);
extern bool bulkpar_condition_is_about(const BulkparCondition *condition,
									   Oid relid);
extern void bulkpar_condition_add(BulkparCondition *condition,
								  ParseState *pstate, Query *query);

#endif							/* BULKPAR_CONDITION_H */

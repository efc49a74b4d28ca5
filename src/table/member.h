/*-------------------------------------------------------------------------
 *
 * member.h
 *		Looking up keys in the result of a subquery.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/member.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_MEMBER_H
#define BULKPAR_MEMBER_H


#include "nodes/primnodes.h"

#include "books/subquery.h"
#include "table/key.h"

/* An IN whose subquery was replaced by its result. */
typedef struct BulkparMember
{
	SubLink    *sublink;
	const BulkparSubquery *result;
} BulkparMember;

extern void bulkpar_member_look_up(const List *members, List *columns);
extern Node *bulkpar_member_value(Node *test);
extern void bulkpar_member_make_exists(SubLink *sublink);

#endif							/* BULKPAR_MEMBER_H */

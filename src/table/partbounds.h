/*-------------------------------------------------------------------------
 *
 * partbounds.h
 *		What the bounds of partitions say of their rows.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/partbounds.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_PARTBOUNDS_H
#define BULKPAR_PARTBOUNDS_H

#include "nodes/pg_list.h"

extern Node *bulkpar_partbounds_condition(Oid target, const List *parts);

#endif							/* BULKPAR_PARTBOUNDS_H */

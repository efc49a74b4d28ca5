/*-------------------------------------------------------------------------
 *
 * rules.h
 *		Rules on the tables that a job changes.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/rules.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_RULES_H
#define BULKPAR_RULES_H

#include "nodes/nodes.h"
#include "utils/rel.h"

extern void bulkpar_rules_refuse(Relation rel, CmdType command);

#endif							/* BULKPAR_RULES_H */

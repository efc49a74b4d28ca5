/*-------------------------------------------------------------------------
 *
 * cascade.h
 *		Where the actions of foreign keys lead.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/cascade.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CASCADE_H
#define BULKPAR_CASCADE_H

#include "postgres.h"

extern bool bulkpar_cascade_leads(Oid from, Oid to);

#endif							/* BULKPAR_CASCADE_H */

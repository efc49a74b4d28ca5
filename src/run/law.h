/*-------------------------------------------------------------------------
 *
 * law.h
 *		How much of its time a job works.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/law.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LAW_H
#define BULKPAR_LAW_H

extern double bulkpar_law_share(double load, double nice);

#endif							/* BULKPAR_LAW_H */

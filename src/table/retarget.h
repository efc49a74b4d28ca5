/*-------------------------------------------------------------------------
 *
 * retarget.h
 *		A statement with another table in the place of the one it changes.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/retarget.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_RETARGET_H
#define BULKPAR_RETARGET_H

extern char *bulkpar_retarget_statement(const char *text,
										const char *table);

#endif							/* BULKPAR_RETARGET_H */

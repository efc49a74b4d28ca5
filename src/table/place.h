/*-------------------------------------------------------------------------
 *
 * place.h
 *		Whether a row is still where a list says that it was found.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/place.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_PLACE_H
#define BULKPAR_PLACE_H

extern Oid	bulkpar_place_function(void);

#endif							/* BULKPAR_PLACE_H */

/*-------------------------------------------------------------------------
 *
 * extension.h
 *		What the catalog says of an extension.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/extension.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_EXTENSION_H
#define BULKPAR_EXTENSION_H

extern Oid	bulkpar_extension_schema(Oid extension);
extern char *bulkpar_extension_version(Oid extension);

#endif							/* BULKPAR_EXTENSION_H */

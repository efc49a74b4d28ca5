/*-------------------------------------------------------------------------
 *
 * clip.h
 *		Texts of a fixed size in shared memory.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/clip.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CLIP_H
#define BULKPAR_CLIP_H

extern void bulkpar_clip(char *to, Size size, const char *from);

#endif							/* BULKPAR_CLIP_H */

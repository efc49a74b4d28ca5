/*-------------------------------------------------------------------------
 *
 * reasons.c
 *		What slows a job down: values that are near their limits.
 *
 * Nothing here allocates or throws: it is filled ten times a second.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/reasons.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "run/law.h"
#include "run/reasons.h"
#include "session/clip.h"

/* Forget all of them. */
void
bulkpar_reasons_reset(BulkparReasons *reasons)
{
	reasons->load = 0;
	reasons->count = 0;
	reasons->notice[0] = '\0';
}

/*
 * Add a value that is load times its limit: 1 and more lets no batch start.  One
 * that slows nothing down is not a reason.  The texts are cut where they are too
 * long.
 */
void
bulkpar_reasons_add(BulkparReasons *reasons, double load, const char *name,
					const char *text)
{
	BulkparReason *reason = &reasons->items[reasons->count];

	if (bulkpar_law_share(load, 0) >= 1)
		return;
	reasons->load = Max(reasons->load, load);
	if (reasons->count == BULKPAR_MAX_REASONS)
		return;
	reason->load = load;
	bulkpar_clip(reason->name, sizeof(reason->name), name);
	bulkpar_clip(reason->text, sizeof(reason->text), text);
	reasons->count++;
}

/*-------------------------------------------------------------------------
 *
 * governor.h
 *		How much a job works, by what the server around it says.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/governor.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_GOVERNOR_H
#define BULKPAR_GOVERNOR_H

#include "books/job.h"
#include "run/outset.h"
#include "run/pace.h"
#include "session/identity.h"

typedef struct BulkparGovernor BulkparGovernor;

extern BulkparGovernor *bulkpar_governor_create(const BulkparIdentity *identity,
												const BulkparJob *job,
												BulkparPace *pace);
extern void bulkpar_governor_follow(BulkparGovernor *governor,
									const BulkparJob *job);
extern bool bulkpar_governor_is_closed(const BulkparGovernor *governor);
extern void bulkpar_governor_begin(const BulkparGovernor *governor,
								   BulkparOutset *outset);
extern void bulkpar_governor_alter(BulkparGovernor *governor, int workers);
extern const char *bulkpar_governor_look(BulkparGovernor *governor);
extern void bulkpar_governor_tend(BulkparGovernor *governor);
extern int	bulkpar_governor_interval(const BulkparGovernor *governor);
extern bool bulkpar_governor_lacks_slot(const BulkparGovernor *governor);
extern bool bulkpar_governor_stop(BulkparGovernor *governor);
extern void bulkpar_governor_outlast(BulkparGovernor *governor);
extern void bulkpar_governor_note(BulkparGovernor *governor, bool ended);
extern const char *bulkpar_governor_notice(BulkparGovernor *governor);

#endif							/* BULKPAR_GOVERNOR_H */

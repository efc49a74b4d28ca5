/*-------------------------------------------------------------------------
 *
 * crew.h
 *		The workers of a job, as its coordinator sees them.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/crew.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CREW_H
#define BULKPAR_CREW_H

#include "books/job.h"
#include "run/pace.h"
#include "run/quota.h"
#include "session/identity.h"

typedef struct BulkparCrew BulkparCrew;

extern BulkparCrew *bulkpar_crew_create(const BulkparIdentity *identity,
										int snapshot_holder,
										const BulkparExpected *expected,
										BulkparPace *pace);
extern void bulkpar_crew_follow(BulkparCrew *crew, const BulkparJob *job,
								bool planned);
extern void bulkpar_crew_launch_early(BulkparCrew *crew);
extern int	bulkpar_crew_launch(BulkparCrew *crew, int count);
extern int	bulkpar_crew_resize(BulkparCrew *crew, int count);
extern int	bulkpar_crew_let_one_go(BulkparCrew *crew, int *left);
extern BulkparShortage bulkpar_crew_shortage(const BulkparCrew *crew);
extern bool bulkpar_crew_look_after(BulkparCrew *crew, bool woken);
extern bool bulkpar_crew_is_done(const BulkparCrew *crew);
extern void bulkpar_crew_stop(BulkparCrew *crew);
extern bool bulkpar_crew_await_end(BulkparCrew *crew);
extern void bulkpar_crew_outlast(BulkparCrew *crew);

#endif							/* BULKPAR_CREW_H */

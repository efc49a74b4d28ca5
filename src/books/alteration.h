/*-------------------------------------------------------------------------
 *
 * alteration.h
 *		What is changed of a job after it was started.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/alteration.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ALTERATION_H
#define BULKPAR_ALTERATION_H

/* Whether there is any alteration of $job_id, in SQL: few jobs have one. */
#define BULKPAR_ALTERATION_EXISTS \
	"EXISTS (SELECT FROM @bulkpar_alteration a WHERE a.job_id = $job_id)"

/*
 * A number of the row of $job_id in bulkpar_job that is at hand, as alterations
 * of it say, in SQL.
 */
#define BULKPAR_ALTERATION_LAST(alterations, column) \
	"coalesce((SELECT a." column " FROM " alterations " a " \
	"WHERE a.job_id = $job_id AND a." column " IS NOT NULL " \
	"ORDER BY a.altered_at DESC LIMIT 1), " column ")"

/*
 * What FROM takes to read the settings of $job_id as alterations say, as
 * s.value, in their order.
 */
#define BULKPAR_ALTERATION_SETTINGS(alterations) \
	"(SELECT DISTINCT ON (t.value ->> 'name') t.value, t.altered_at, t.number " \
	"FROM (SELECT o.value, '-infinity'::timestamptz AS altered_at, o.number " \
	"FROM @bulkpar_job j, jsonb_array_elements(j.settings) " \
	"WITH ORDINALITY o(value, number) WHERE j.job_id = $job_id " \
	"UNION ALL SELECT n.value, a.altered_at, n.number " \
	"FROM " alterations " a, jsonb_array_elements(a.settings) " \
	"WITH ORDINALITY n(value, number) WHERE a.job_id = $job_id) t " \
	"ORDER BY t.value ->> 'name', t.altered_at DESC, t.number DESC) s " \
	"WHERE s.value ->> 'value' IS NOT NULL " \
	"ORDER BY s.altered_at, s.number"

/* What is to be otherwise. */
typedef struct BulkparAlteration
{
	int			workers;		/* 0 for as many as before */
	int			batch_size;		/* 0 for as before */
	const char *settings;		/* as JSON, or NULL for as before */
} BulkparAlteration;

extern bool bulkpar_alteration_insert(int64 job_id,
									  const BulkparAlteration *alteration);
extern bool bulkpar_alteration_follow(int64 job_id, bool *workers);
extern void bulkpar_alteration_settle(int64 job_id);
extern void bulkpar_alteration_settle_followed(int64 job_id);

#endif							/* BULKPAR_ALTERATION_H */

/*
 * queue/job_follow.c - what a job that ends lets go on: the next one of its flow.
 *
 * Jobs of an ordering key run one at a time, and those of a subject as many as the topic says. A claim passes
 * over the others for good; so whoever ends one looks for the next one, and tells the front at its commit.
 * What commits too late to be seen here is noted on the lease by the claim that passes over it (lease.h).
 */
#include "postgres.h"

#include "queue/job_private.h"

/* Of a subject there may be running ones in between, and such as have an ordering key. */
#define STEPS_MAX 1000

static bool
is_follower(const PawsJobRow *row, const PawsJobRow *next, int slot)
{
	return next->topic_no == row->topic_no && next->available && !paws_lease_exists(slot, next->id) &&
		   (row->ordered || !next->ordered);
}

static void
walk(PawsScan *scan, const PawsJobRow *row, int slot, int16 *level, PawsJobPlace *at)
{
	int steps = 0;

	while (steps++ < STEPS_MAX && paws_scan_next(scan))
	{
		PawsJobRow next;

		paws_job_read_row(scan->slot, &next);
		if (row->ordered || is_follower(row, &next, slot))
		{
			/* if the next one of an ordering key is put off, it comes by itself later on */
			if (!next.available)
				return;
			*level = next.level;
			*at = (PawsJobPlace){next.rank, next.id};
			return;
		}
	}
}

void
paws_job_follower(const PawsJobRow *row, const PawsTopic *topic, int slot, int16 *level, PawsJobPlace *at)
{
	PawsKey keys[4];
	PawsScan scan;
	Snapshot snapshot;

	*level = 0;
	if (!row->ordered && (row->subject_no == 0 || topic->in_flight_per_flow == 0 ||
						  !paws_lease_kept(slot, topic->place, paws_job_flow(row))))
		return;
	snapshot = paws_table_snap(true);
	if (row->ordered)
	{
		keys[0] = (PawsKey){1, BTEqualStrategyNumber, Int16GetDatum(row->topic_no)};
		keys[1] = (PawsKey){2, BTEqualStrategyNumber, UUIDPGetDatum(&row->ordering_key)};
		keys[2] = (PawsKey){3, BTGreaterStrategyNumber, Int64GetDatum(row->id)};
		paws_scan_begin(&scan, &paws_job_table, PAWS_JOB_ORDERING_IDX, snapshot, keys, 3);
	}
	else
	{
		keys[0] = (PawsKey){1, BTEqualStrategyNumber, Int64GetDatum(row->subject_no)};
		keys[1] = (PawsKey){2, BTEqualStrategyNumber, Int16GetDatum(row->topic_no)};
		keys[2] = (PawsKey){3, BTEqualStrategyNumber, BoolGetDatum(true)};
		keys[3] = (PawsKey){4, BTGreaterStrategyNumber, Int64GetDatum(row->id)};
		paws_scan_begin(&scan, &paws_job_table, PAWS_JOB_SUBJECT_IDX, snapshot, keys, 4);
	}
	walk(&scan, row, slot, level, at);
	paws_scan_end(&scan);
	paws_table_unsnap(snapshot);
}

/*
 * queue/job_status.c - where a job stands, and what is known of a topic.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "queue/job_private.h"
#include "utils/timestamp.h"

static PawsStatement find_job = {
	.sql = "SELECT topic_no, level, class, attempts, reason, submitted_at, available, run_at "
		   "FROM paws_queue.job WHERE id OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {INT8OID},
	.latest = true,
};

static PawsStatement find_dead = {
	.sql = "SELECT topic_no, base_level, class, attempts, reason, submitted_at, dead_at "
		   "FROM paws_queue.dead_letter WHERE id OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {INT8OID},
	.latest = true,
};

static bool
is_dead(int64 id, PawsJobStatus *status)
{
	Datum args[1] = {Int64GetDatum(id)};

	if (paws_spi_run(&find_dead, args, NULL, 1) == 0)
		return false;
	*status = (PawsJobStatus){
		.topic_no = paws_spi_int16(0, 1),
		.state = PAWS_JOB_DEAD,
		.level = paws_spi_int16(0, 2),
		.klass = (PawsClass) paws_spi_int16(0, 3),
		.attempts = paws_spi_int16(0, 4),
		.reason = (PawsJobReason) paws_spi_int16(0, 5),
		.submitted_at = paws_spi_int64(0, 6),
		.ended_at = paws_spi_int64(0, 7),
	};
	return true;
}

/* On a standby there are no leases: what runs elsewhere is available there. */
static bool
is_waiting(int slot, int64 id, PawsJobStatus *status)
{
	Datum args[1] = {Int64GetDatum(id)};
	int64 left;
	int16 place;

	if (paws_spi_run(&find_job, args, NULL, 1) == 0)
		return false;
	*status = (PawsJobStatus){
		.topic_no = paws_spi_int16(0, 1),
		.level = paws_spi_int16(0, 2),
		.klass = (PawsClass) paws_spi_int16(0, 3),
		.attempts = paws_spi_int16(0, 4),
		.reason = (PawsJobReason) paws_spi_int16(0, 5),
		.submitted_at = paws_spi_int64(0, 6),
		.state = paws_spi_bool(0, 7) ? PAWS_JOB_AVAILABLE : PAWS_JOB_SCHEDULED,
		.not_before = paws_spi_bool(0, 7) ? 0 : paws_spi_int64(0, 8),
	};
	if (status->state == PAWS_JOB_AVAILABLE && paws_lease_find(slot, id, &left, &place))
	{
		status->state = PAWS_JOB_RUNNING;
		status->leased_until = GetCurrentTimestamp() + left;
	}
	return true;
}

/* What moves between two looks, to the dead letters or back, is found by another. */
#define LOOKS 2

PawsJobState
paws_job_stands(int slot, int64 id)
{
	PawsJobStatus status;

	for (int i = 0; i < LOOKS; i++)
		if (is_waiting(slot, id, &status) || is_dead(id, &status))
			return status.state;
	return 0;
}

bool
paws_job_status(int slot, int64 id, PawsJobStatus *status)
{
	for (int i = 0; i < LOOKS; i++)
		if (is_waiting(slot, id, status) || is_dead(id, status))
			return true;
	return paws_job_recall(id, status);
}

static int64
count_of(pg_atomic_uint64 *count)
{
	return Max((int64) pg_atomic_read_u64(count), 0);
}

void
paws_job_stats(int slot, const PawsTopic *topic, PawsTopicStats *stats)
{
	PawsJobCounts *counts;

	memset(stats, 0, sizeof(*stats));
	if (topic->place > paws_max_topics || (topic->no != 0 && !paws_front_owned(slot, topic)))
		return;
	counts = paws_front_counts(slot, topic->place);
	stats->counted = paws_job_counted(slot);
	for (int level = 1; level < PAWS_JOB_LEVELS; level++)
		stats->waiting[level] = count_of(&counts->waiting[level]);
	stats->delayed = count_of(&counts->delayed);
	stats->running = paws_lease_count(slot, topic->place);
	stats->dead = count_of(&counts->dead);
	stats->submitted = count_of(&counts->submitted);
	stats->completed = count_of(&counts->completed);
	stats->ended = count_of(&counts->ended);
	stats->failed = count_of(&counts->failed);
	stats->dead_ever = count_of(&counts->dead_ever);
	stats->expired_leases = count_of(&counts->expired_leases);
	stats->unreadable = count_of(&counts->unreadable);
	stats->refused_by_full_table = count_of(&counts->refused);
}

void
paws_job_totals(int slot, PawsTopicStats *totals)
{
	const PawsTopic *topics;
	int count = paws_topics(&topics);

	memset(totals, 0, sizeof(*totals));
	totals->counted = paws_job_counted(slot);
	for (int i = 0; i < count; i++)
	{
		PawsTopicStats stats;

		paws_job_stats(slot, &topics[i], &stats);
		for (int level = 1; level < PAWS_JOB_LEVELS; level++)
			totals->waiting[level] += stats.waiting[level];
		totals->delayed += stats.delayed;
		totals->running += stats.running;
		totals->dead += stats.dead;
		totals->submitted += stats.submitted;
		totals->completed += stats.completed;
		totals->ended += stats.ended;
		totals->failed += stats.failed;
		totals->dead_ever += stats.dead_ever;
		totals->expired_leases += stats.expired_leases;
		totals->unreadable += stats.unreadable;
		totals->refused_by_full_table += stats.refused_by_full_table;
	}
}

int64
paws_job_leases(int slot)
{
	int64 leases = 0;

	for (int place = 1; place <= paws_max_topics; place++)
		leases += paws_lease_count(slot, place);
	return leases;
}

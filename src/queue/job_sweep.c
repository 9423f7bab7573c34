/*
 * queue/job_sweep.c - what is counted after a start, and what is removed when it was kept for long enough.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/commit.h"
#include "base/database.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "queue/job_private.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

static PawsStatement count_jobs = {
	.sql = "SELECT topic_no, level, available, pg_catalog.count(*) FROM paws_queue.job "
		   "WHERE id OPERATOR(pg_catalog.<=) $1 GROUP BY topic_no, level, available",
	.nargs = 1,
	.types = {INT8OID},
	.read_only = true,
};

static PawsStatement count_dead = {
	.sql = "SELECT topic_no, pg_catalog.count(*) FROM paws_queue.dead_letter GROUP BY topic_no",
	.read_only = true,
};

static PawsStatement sweep_keys = {
	.sql = "DELETE FROM paws_queue.job_key WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
		   "SELECT ctid FROM paws_queue.job_key WHERE until IS NOT NULL AND until OPERATOR(pg_catalog.<=) $1 "
		   "ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED))",
	.nargs = 2,
	.types = {TIMESTAMPTZOID, INT8OID},
};

static PawsStatement find_heads = {
	.sql = "SELECT l.level, h.rank, h.id FROM ROWS FROM (pg_catalog.generate_series(1, $2)) AS l (level) "
		   "CROSS JOIN LATERAL (SELECT rank, id FROM paws_queue.job WHERE available "
		   "AND topic_no OPERATOR(pg_catalog.=) $1 AND level OPERATOR(pg_catalog.=) l.level::pg_catalog.int2 "
		   "ORDER BY rank, id LIMIT 1) h",
	.nargs = 2,
	.types = {INT2OID, INT4OID},
};

/* ---- counting ---- */

/* What is counted of a topic: what is scheduled (0), what waits at each level, and dead letters. */
#define DEAD    PAWS_JOB_LEVELS
#define NUMBERS (PAWS_JOB_LEVELS + 1)

static pg_atomic_uint64 *
counter_of(const PawsTopic *topics, int slot, int number)
{
	PawsJobCounts *counts = paws_front_counts(slot, topics[number / NUMBERS].place);
	int which = number % NUMBERS;

	if (which == DEAD)
		return &counts->dead;
	return which == 0 ? &counts->delayed : &counts->waiting[which];
}

/* What is counted at the moment of a snapshot: nothing changed while it was taken. */
static Snapshot
snap_and_read(int slot, const PawsTopic *topics, int ntopics, int64 *known)
{
	Snapshot snapshot = NULL;
	bool changed = true;

	for (int i = 0; i < 100 && changed; i++)
	{
		if (snapshot != NULL)
			UnregisterSnapshot(snapshot);
		for (int k = 0; k < ntopics * NUMBERS; k++)
			known[k] = (int64) pg_atomic_read_u64(counter_of(topics, slot, k));
		pg_memory_barrier();
		snapshot = RegisterSnapshot(GetLatestSnapshot());
		pg_memory_barrier();
		changed = false;
		for (int k = 0; k < ntopics * NUMBERS; k++)
			changed |= known[k] != (int64) pg_atomic_read_u64(counter_of(topics, slot, k));
	}
	return snapshot;
}

static int
index_of(const PawsTopic *topics, int ntopics, int16 no)
{
	for (int i = 0; i < ntopics; i++)
		if (topics[i].no == no)
			return i;
	return -1;
}

static void
count_rows(const PawsTopic *topics, int ntopics, int64 *found)
{
	Datum args[1] = {Int64GetDatum(PG_INT64_MAX)};
	int rows = (int) paws_spi_run(&count_jobs, args, NULL, 0);

	for (int row = 0; row < rows; row++)
	{
		int i = index_of(topics, ntopics, paws_spi_int16(row, 1));
		int level = paws_spi_bool(row, 3) ? paws_spi_int16(row, 2) : 0;

		if (i >= 0)
			found[i * NUMBERS + level] += paws_spi_int64(row, 4);
	}
	rows = (int) paws_spi_run(&count_dead, NULL, NULL, 0);
	for (int row = 0; row < rows; row++)
	{
		int i = index_of(topics, ntopics, paws_spi_int16(row, 1));

		if (i >= 0)
			found[i * NUMBERS + DEAD] = paws_spi_int64(row, 2);
	}
}

void
paws_job_recount(int slot)
{
	const PawsTopic *all;
	int ntopics = paws_topics(&all);
	PawsTopic *topics = palloc(Max(ntopics, 1) * sizeof(PawsTopic));
	int64 *known = palloc0(Max(ntopics, 1) * NUMBERS * sizeof(int64));
	int64 *found = palloc0(Max(ntopics, 1) * NUMBERS * sizeof(int64));
	Snapshot snapshot;

	memcpy(topics, all, ntopics * sizeof(PawsTopic));
	for (int i = 0; i < ntopics; i++)
		paws_job_topic_ready(slot, &topics[i]);
	snapshot = snap_and_read(slot, topics, ntopics, known);
	PushActiveSnapshot(snapshot);
	count_rows(topics, ntopics, found);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	for (int k = 0; k < ntopics * NUMBERS; k++)
		pg_atomic_fetch_add_u64(counter_of(topics, slot, k), found[k] - known[k]);
	paws_job_set_counted(slot);
}

/* ---- what nobody told of ---- */

#define RECHECK_US (60 * USECS_PER_SEC)

/* Rows that were restored or written by hand are told by nobody: once in a while the first ones of each level
 * are looked at that no claim would look at. */
static void
recheck_topic(int slot, const PawsTopic *topic)
{
	Datum args[2] = {Int16GetDatum(topic->no), Int32GetDatum(PAWS_LEVEL_ORDINARY_MAX)};
	int rows;

	if (!paws_front_owned(slot, topic))
		return;
	rows = (int) paws_spi_run(&find_heads, args, NULL, 0);
	for (int i = 0; i < rows; i++)
	{
		int level = paws_spi_int32(i, 1);
		PawsJobPlace at = {paws_spi_int64(i, 2), paws_spi_int64(i, 3)};

		if (paws_lease_exists(slot, at.id) || paws_front_waits(slot, topic->place, level))
			continue;
		paws_front_lower(slot, topic->place, level, at);
		paws_job_wake(slot, topic->place, 1);
	}
}

static void
recheck(int slot)
{
	static int64 checked_at = 0;
	const PawsTopic *all;
	int ntopics = paws_topics(&all);
	PawsTopic *topics;

	if (checked_at != 0 && paws_lease_clock() - checked_at < RECHECK_US)
		return;
	checked_at = paws_lease_clock();
	topics = palloc(Max(ntopics, 1) * sizeof(PawsTopic));
	memcpy(topics, all, ntopics * sizeof(PawsTopic));
	for (int i = 0; i < ntopics; i++)
		recheck_topic(slot, &topics[i]);
}

/* ---- removing ---- */

int
paws_job_sweep(int slot, int limit)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum args[2] = {TimestampTzGetDatum(now), Int64GetDatum(limit)};
	const PawsTopic *all;
	int ntopics = paws_topics(&all);
	PawsTopic *topics = palloc(Max(ntopics, 1) * sizeof(PawsTopic));
	int removed = 0;

	memcpy(topics, all, ntopics * sizeof(PawsTopic));
	recheck(slot);
	for (int i = 0; i < ntopics; i++)
		removed += (int) paws_job_drop_dead(slot, &topics[i], now - topics[i].dead_letters_kept, limit);
	return removed + (int) paws_spi_run(&sweep_keys, args, NULL, 0);
}

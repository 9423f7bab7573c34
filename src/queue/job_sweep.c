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
};

static PawsStatement sweep_keys = {
	.sql = "DELETE FROM paws_queue.job_key WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
		   "SELECT ctid FROM paws_queue.job_key WHERE until IS NOT NULL AND until OPERATOR(pg_catalog.<=) $1 "
		   "ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED))",
	.nargs = 2,
	.types = {TIMESTAMPTZOID, INT8OID},
};

static PawsStatement sweep_dead = {
	.sql = "DELETE FROM paws_queue.dead_letter WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
		   "SELECT ctid FROM paws_queue.dead_letter WHERE topic_no OPERATOR(pg_catalog.=) $1 "
		   "AND dead_at OPERATOR(pg_catalog.<=) $2 ORDER BY dead_at LIMIT $3 FOR UPDATE SKIP LOCKED)) "
		   "RETURNING id, tier, key",
	.nargs = 3,
	.types = {INT2OID, TIMESTAMPTZOID, INT8OID},
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

static int64
counted_by(const PawsTopic *topic, int slot, int level)
{
	PawsJobCounts *counts = paws_front_counts(slot, topic->place);

	return (int64) pg_atomic_read_u64(level == 0 ? &counts->delayed : &counts->waiting[level]);
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
		for (int k = 0; k < ntopics * PAWS_JOB_LEVELS; k++)
			known[k] = counted_by(&topics[k / PAWS_JOB_LEVELS], slot, k % PAWS_JOB_LEVELS);
		pg_memory_barrier();
		snapshot = RegisterSnapshot(GetLatestSnapshot());
		pg_memory_barrier();
		changed = false;
		for (int k = 0; k < ntopics * PAWS_JOB_LEVELS; k++)
			changed |= known[k] != counted_by(&topics[k / PAWS_JOB_LEVELS], slot, k % PAWS_JOB_LEVELS);
	}
	return snapshot;
}

static void
correct(int slot, const PawsTopic *topics, int ntopics, const int64 *known, const int64 *found)
{
	for (int k = 0; k < ntopics * PAWS_JOB_LEVELS; k++)
	{
		PawsJobCounts *counts = paws_front_counts(slot, topics[k / PAWS_JOB_LEVELS].place);
		int level = k % PAWS_JOB_LEVELS;

		pg_atomic_fetch_add_u64(level == 0 ? &counts->delayed : &counts->waiting[level], found[k] - known[k]);
	}
}

static int
number_of(const PawsTopic *topics, int ntopics, int16 no)
{
	for (int i = 0; i < ntopics; i++)
		if (topics[i].no == no)
			return i;
	return -1;
}

static void
read_counts(const PawsTopic *topics, int ntopics, int64 *found)
{
	Datum args[1] = {Int64GetDatum(PG_INT64_MAX)};
	int rows = (int) paws_spi_run(&count_jobs, args, NULL, 0);

	for (int row = 0; row < rows; row++)
	{
		int i = number_of(topics, ntopics, paws_spi_int16(row, 1));
		int level = paws_spi_bool(row, 3) ? paws_spi_int16(row, 2) : 0;

		if (i >= 0)
			found[i * PAWS_JOB_LEVELS + level] += paws_spi_int64(row, 4);
	}
}

static void
read_dead(int slot, const PawsTopic *topics, int ntopics)
{
	int rows = (int) paws_spi_run(&count_dead, NULL, NULL, 0);

	for (int row = 0; row < rows; row++)
	{
		int i = number_of(topics, ntopics, paws_spi_int16(row, 1));

		if (i >= 0)
			pg_atomic_write_u64(&paws_front_counts(slot, topics[i].place)->dead, paws_spi_int64(row, 2));
	}
}

void
paws_job_recount(int slot)
{
	const PawsTopic *all;
	int ntopics = paws_topics(&all);
	PawsTopic *topics = palloc(Max(ntopics, 1) * sizeof(PawsTopic));
	int64 *known = palloc0(Max(ntopics, 1) * PAWS_JOB_LEVELS * sizeof(int64));
	int64 *found = palloc0(Max(ntopics, 1) * PAWS_JOB_LEVELS * sizeof(int64));
	Snapshot snapshot;

	memcpy(topics, all, ntopics * sizeof(PawsTopic));
	for (int i = 0; i < ntopics; i++)
		paws_job_topic_ready(slot, &topics[i]);
	read_dead(slot, topics, ntopics);
	snapshot = snap_and_read(slot, topics, ntopics, known);
	PushActiveSnapshot(snapshot);
	read_counts(topics, ntopics, found);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	correct(slot, topics, ntopics, known, found);
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

/* The key of a dead letter that is dropped may be used anew from now on. */
static void
drop_dead(int slot, const PawsTopic *topic, TimestampTz before, int limit, int *removed)
{
	Datum args[3] = {Int16GetDatum(topic->no), TimestampTzGetDatum(before), Int64GetDatum(limit)};
	int rows = (int) paws_spi_run(&sweep_dead, args, NULL, 0);
	PawsJobRow *dead = palloc0(Max(rows, 1) * sizeof(PawsJobRow));

	for (int i = 0; i < rows; i++)
	{
		bool isnull;
		Datum key = paws_spi_column(i, 3, &isnull);

		dead[i].id = paws_spi_int64(i, 1);
		dead[i].tier = paws_spi_int16(i, 2);
		dead[i].topic_no = topic->no;
		dead[i].keyed = !isnull;
		if (!isnull)
			memcpy(&dead[i].key, DatumGetUUIDP(key), UUID_LEN);
	}
	for (int i = 0; i < rows; i++)
		if (dead[i].keyed)
			paws_job_key_end(topic, &dead[i], PAWS_JOB_DEAD, NULL);
	paws_job_count_dropped(slot, topic, rows);
	*removed += rows;
}

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
		drop_dead(slot, &topics[i], now - topics[i].dead_letters_kept, limit, &removed);
	return removed + (int) paws_spi_run(&sweep_keys, args, NULL, 0);
}

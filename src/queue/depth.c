/*
 * queue/depth.c - the counters. All fields are atomics; the ring of samples is written by the scheduler
 * alone.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/commit.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "port/atomics.h"
#include "queue/depth.h"
#include "queue/flow.h"
#include "queue/mark.h"
#include "utils/timestamp.h"

#define LEVELS  (PAWS_LEVEL_ORDINARY_MAX + 1)
#define SAMPLES 11

/* Operations of a level among which the oldest is looked for. */
#define LOOK_AHEAD 200

/* Looks of the scheduler, about a second apart. */
#define LOOKS_TO_FORGIVE 3

typedef struct Level
{
	pg_atomic_uint64 in; /* totals since the start; depth = before + in - out */
	pg_atomic_uint64 out;
	pg_atomic_uint64 before;
	pg_atomic_uint64 oldest;
	uint64 in_sample[SAMPLES];
	uint64 out_sample[SAMPLES];
	int64 missing;   /* the least that left without having been counted, over the last looks */
	int missing_for; /* looks in a row */
} Level;

typedef struct Depths
{
	pg_atomic_uint32 counted;
	pg_atomic_uint64 first_id; /* lowest id given out since the start; PG_UINT64_MAX if none */
	int next_sample;
	TimestampTz sampled_at[SAMPLES];
	Level level[LEVELS];
} Depths;

static Depths *depths = NULL;

static PawsStatement count_before = {
	.sql =
		"SELECT level, pg_catalog.count(*) FROM paws_queue.operation WHERE id OPERATOR(pg_catalog.<) $1 GROUP BY level",
	.nargs = 1,
	.types = {INT8OID},
};

static PawsStatement find_ranks = {
	.sql = "SELECT l.level, f.rank, b.rank FROM ROWS FROM (" PAWS_SETS_1 ") AS l (level) "
		   "CROSS JOIN LATERAL (SELECT o.rank FROM paws_queue.operation o "
		   "WHERE o.level OPERATOR(pg_catalog.=) l.level ORDER BY o.rank LIMIT 1) f "
		   "CROSS JOIN LATERAL (SELECT o.rank FROM paws_queue.operation o "
		   "WHERE o.level OPERATOR(pg_catalog.=) l.level ORDER BY o.rank DESC LIMIT 1) b",
	.nargs = 1,
	.types = {INT2ARRAYOID},
};

/* The oldest among those that are served next, for the order is not that of arrival; and the last one's rank.
 */
static PawsStatement find_oldest = {
	.sql = "SELECT pg_catalog.min(o.enqueued_at), (SELECT l.rank FROM paws_queue.operation l "
		   "WHERE l.level OPERATOR(pg_catalog.=) $1 ORDER BY l.rank DESC LIMIT 1) "
		   "FROM (SELECT enqueued_at FROM paws_queue.operation "
		   "WHERE level OPERATOR(pg_catalog.=) $1 AND ROW (rank, id) OPERATOR(pg_catalog.>=) ROW ($2, $3) "
		   "ORDER BY rank, id LIMIT " CppAsString2(LOOK_AHEAD) ") o",
	.nargs = 3,
	.types = {INT2OID, INT8OID, INT8OID},
};

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(Depths));
}

static void
reset(int slot)
{
	Depths *d = &depths[slot];

	memset(d, 0, sizeof(*d));
	pg_atomic_init_u32(&d->counted, 0);
	pg_atomic_init_u64(&d->first_id, PG_UINT64_MAX);
	for (int i = 0; i < LEVELS; i++)
	{
		pg_atomic_init_u64(&d->level[i].in, 0);
		pg_atomic_init_u64(&d->level[i].out, 0);
		pg_atomic_init_u64(&d->level[i].before, 0);
		pg_atomic_init_u64(&d->level[i].oldest, 0);
	}
}

static void
attach(void *memory, bool found)
{
	depths = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
		reset(slot);
}

void
paws_depth_init(void)
{
	static const PawsSharedPart part = {"paws_sync depths", size, attach, reset};

	paws_shmem_offer(&part);
}

/* One for each level that a transaction changed. */
typedef struct Change
{
	int slot;
	Oid identity;
	int count[LEVELS];
	int passed[LEVELS];
} Change;

static void
apply_change(void *arg)
{
	Change *change = arg;
	Depths *d = &depths[change->slot];

	if (paws_database_identity(change->slot) != change->identity)
		return;
	for (int level = 1; level < LEVELS; level++)
	{
		int in = Max(change->count[level], 0) + change->passed[level];
		int out = Max(-change->count[level], 0) + change->passed[level];

		if (in > 0)
			pg_atomic_fetch_add_u64(&d->level[level].in, in);
		if (out > 0)
			pg_atomic_fetch_add_u64(&d->level[level].out, out);
	}
}

static Change *
change_of(int slot)
{
	Change *change = paws_at_commit_find(apply_change);

	if (change == NULL)
	{
		change = paws_at_commit(apply_change, sizeof(Change));
		change->slot = slot;
		change->identity = paws_database_identity(slot);
	}
	return change;
}

void
paws_depth_at_commit(int slot, int level, int count)
{
	change_of(slot)->count[level] += count;
}

void
paws_depth_passed_at_commit(int slot, int level, int count)
{
	change_of(slot)->passed[level] += count;
}

void
paws_depth_note_id(int slot, int64 id)
{
	pg_atomic_uint64 *first = &depths[slot].first_id;
	uint64 known = pg_atomic_read_u64(first);

	while ((uint64) id < known && !pg_atomic_compare_exchange_u64(first, &known, (uint64) id))
		;
}

bool
paws_depth_counted(int slot)
{
	return pg_atomic_read_u32(&depths[slot].counted) != 0;
}

/*
 * A row put since the start has noted its id before it became visible. So if the lowest noted id is the same
 * before and after the count, every such row that the count could see is at or above it, and what was counted
 * below it was there at the start.
 */
typedef struct Counted
{
	int slot;
} Counted;

/* With the commit that also counted the attempts of what was in flight; before it no worker claims anything.
 */
static void
publish_count(void *arg)
{
	pg_atomic_write_u32(&depths[((Counted *) arg)->slot].counted, 1);
}

/* Each level goes on at the rank of what waits first. */
static void
restart_ranks(int slot)
{
	Datum levels[LEVELS];
	Datum args[1];
	int rows;

	for (int level = 1; level < LEVELS; level++)
		levels[level - 1] = Int16GetDatum(level);
	args[0] = paws_spi_array(levels, NULL, LEVELS - 1, INT2OID);
	rows = (int) paws_spi_run(&find_ranks, args, NULL, 0);
	for (int i = 0; i < rows; i++)
		paws_flow_restart(slot, PAWS_FLOW_OPERATIONS, paws_spi_int16(i, 1), paws_spi_int64(i, 2),
						  paws_spi_int64(i, 3));
}

void
paws_depth_recount(int slot)
{
	Depths *d = &depths[slot];
	uint64 bound = pg_atomic_read_u64(&d->first_id);
	Datum args[1];
	int rows;

	for (;;)
	{
		args[0] = Int64GetDatum(bound > PG_INT64_MAX ? PG_INT64_MAX : (int64) bound);
		rows = (int) paws_spi_run(&count_before, args, NULL, 0);
		if (pg_atomic_read_u64(&d->first_id) == bound)
			break;
		bound = pg_atomic_read_u64(&d->first_id);
	}
	for (int i = 0; i < rows; i++)
	{
		int level = paws_spi_int16(i, 1);

		/* what a damaged row says is no place in our memory */
		if (level >= 1 && level < LEVELS)
			pg_atomic_write_u64(&d->level[level].before, paws_spi_int64(i, 2));
	}
	restart_ranks(slot);
	((Counted *) paws_at_commit(publish_count, sizeof(Counted)))->slot = slot;
}

/* Below 0 for a moment when a worker is quicker than the callback of the commit that it works on. */
static int64
balance(Level *level)
{
	int64 out = (int64) pg_atomic_read_u64(&level->out);

	return (int64) (pg_atomic_read_u64(&level->before) + pg_atomic_read_u64(&level->in)) - out;
}

static int64
waiting(Level *level)
{
	return Max(balance(level), 0);
}

/*
 * Rows that came by another way than push (a restore into a database that is being served) were not counted,
 * but leave by the usual one; the debt would hide as many later ones. It is forgiven once it has stayed.
 */
static void
forgive(Level *level)
{
	int64 missing = -balance(level);

	if (missing <= 0)
	{
		level->missing_for = 0;
		return;
	}
	level->missing = level->missing_for == 0 ? missing : Min(level->missing, missing);
	if (++level->missing_for < LOOKS_TO_FORGIVE)
		return;
	pg_atomic_fetch_add_u64(&level->before, level->missing);
	level->missing_for = 0;
}

bool
paws_depth_any(int slot)
{
	for (int level = 1; level < LEVELS; level++)
		if (waiting(&depths[slot].level[level]) > 0)
			return true;
	return false;
}

int64
paws_depth_from(int slot, int level)
{
	int64 total = 0;

	for (; level < LEVELS; level++)
		total += waiting(&depths[slot].level[level]);
	return total;
}

static void
look_at_level(int slot, int number, PawsPlace from)
{
	Level *level = &depths[slot].level[number];
	Datum args[3] = {Int16GetDatum(number), Int64GetDatum(from.rank), Int64GetDatum(from.id)};
	int64 when = paws_clock();

	if (waiting(level) == 0)
	{
		pg_atomic_write_u64(&level->oldest, 0);
		return;
	}
	paws_spi_run(&find_oldest, args, NULL, 1);
	pg_atomic_write_u64(&level->oldest, (uint64) paws_spi_int64(0, 1));
	if (!paws_spi_isnull(0, 2))
		paws_flow_trim(slot, PAWS_FLOW_OPERATIONS, number, paws_spi_int64(0, 2), when);
}

void
paws_depth_observe(int slot)
{
	Depths *d = &depths[slot];
	int next = d->next_sample;
	PawsPlace from[PAWS_MARKS];

	paws_mark_read(slot, from);
	for (int number = 1; number < LEVELS; number++)
	{
		Level *level = &d->level[number];

		forgive(level);
		level->in_sample[next] = pg_atomic_read_u64(&level->in);
		level->out_sample[next] = pg_atomic_read_u64(&level->out);
		look_at_level(slot, number, from[number]);
	}
	d->sampled_at[next] = GetCurrentTimestamp();
	d->next_sample = (next + 1) % SAMPLES;
}

/* Between the newest sample and the oldest that is kept. */
static double
rate_of(const Depths *d, const uint64 *samples)
{
	int newest = (d->next_sample + SAMPLES - 1) % SAMPLES;
	int oldest = d->sampled_at[d->next_sample] ? d->next_sample : 0;
	TimestampTz elapsed = d->sampled_at[newest] - d->sampled_at[oldest];

	return elapsed > 0 ? (double) (samples[newest] - samples[oldest]) * 1e6 / (double) elapsed : 0;
}

void
paws_depth_read(int slot, int level, PawsDepth *depth)
{
	Depths *d = &depths[slot];

	depth->depth = waiting(&d->level[level]);
	depth->oldest = depth->depth > 0 ? (TimestampTz) pg_atomic_read_u64(&d->level[level].oldest) : 0;
	depth->in_rate = rate_of(d, d->level[level].in_sample);
	depth->out_rate = rate_of(d, d->level[level].out_sample);
}

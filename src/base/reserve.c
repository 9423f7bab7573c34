/*
 * base/reserve.c - the counters of both sides, the meters of the byte budget, and a worker's own share.
 *
 * The budget has two meters, each a theoretical arrival time (GCRA): one at the whole rate, and one at the
 * ordinary share, which binds only while the reserve is held. Neither may run ahead of the clock by more than
 * a batch, so what was lent is used up when that batch is over.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/reserve.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "port/atomics.h"
#include "utils/timestamp.h"

#define NS_PER_SECOND 1e9

/* Written by crisis alone, in a cache line of its own. */
typedef struct CrisisSide
{
	pg_atomic_uint64 at; /* paws_clock_ns of the last report; 0: none */
	pg_atomic_uint64 used[PAWS_RESOURCES];
	char padding[PG_CACHE_LINE_SIZE];
} CrisisSide;

typedef struct Shared
{
	CrisisSide crisis;
	pg_atomic_uint64 used[PAWS_RESOURCES];
	pg_atomic_uint64 lent[PAWS_RESOURCES];
	pg_atomic_uint64 held_back[PAWS_RESOURCES];
	pg_atomic_uint64 since;
	/* under PAWS_LOCK_RESERVE */
	int64 budget; /* bytes per second that the meters are of */
	int64 whole_at;
	int64 share_at;
} Shared;

static Shared *shared = NULL;

/* Of this worker: when its batch began, and until when its time is used up by its share. */
static int64 batch_at = 0;
static int64 rested_at = 0;

static Size
size(void)
{
	return sizeof(Shared);
}

void
paws_reserve_reset(void)
{
	for (int i = 0; i < PAWS_RESOURCES; i++)
	{
		pg_atomic_write_u64(&shared->crisis.used[i], 0);
		pg_atomic_write_u64(&shared->used[i], 0);
		pg_atomic_write_u64(&shared->lent[i], 0);
		pg_atomic_write_u64(&shared->held_back[i], 0);
	}
	pg_atomic_write_u64(&shared->since, (uint64) GetCurrentTimestamp());
}

static void
attach(void *memory, bool found)
{
	shared = memory;
	if (found)
		return;
	memset(shared, 0, sizeof(Shared));
	pg_atomic_init_u64(&shared->crisis.at, 0);
	pg_atomic_init_u64(&shared->since, 0);
	for (int i = 0; i < PAWS_RESOURCES; i++)
	{
		pg_atomic_init_u64(&shared->crisis.used[i], 0);
		pg_atomic_init_u64(&shared->used[i], 0);
		pg_atomic_init_u64(&shared->lent[i], 0);
		pg_atomic_init_u64(&shared->held_back[i], 0);
	}
	paws_reserve_reset();
}

void
paws_reserve_init(void)
{
	static const PawsSharedPart part = {"paws_sync reserve", size, attach, NULL};

	paws_shmem_offer(&part);
}

int64
paws_reserve_crisis_begin(void)
{
	int64 now = paws_clock_ns();

	pg_atomic_write_u64(&shared->crisis.at, (uint64) now);
	return now;
}

void
paws_reserve_crisis_end(int64 begun_at, int64 bytes)
{
	int64 now = paws_reserve_crisis_begin();

	pg_atomic_fetch_add_u64(&shared->crisis.used[PAWS_RESOURCE_WORKER_TIME], (now - begun_at) / 1000);
	pg_atomic_fetch_add_u64(&shared->crisis.used[PAWS_RESOURCE_BYTES], bytes);
}

static bool
is_held(int64 now)
{
	int64 at = (int64) pg_atomic_read_u64(&shared->crisis.at);

	return at != 0 && now - at < PAWS_BATCH_NS;
}

bool
paws_reserve_is_held(void)
{
	return is_held(paws_clock_ns());
}

static double
ordinary_share(void)
{
	return (100 - paws_crisis_reserve) / 100.0;
}

/* Nanoseconds that bytes take at the whole rate. */
static int64
duration(int64 bytes)
{
	return (int64) ((double) bytes * NS_PER_SECOND / (double) shared->budget);
}

/* The caller holds the lock and has found that there is something left. */
static void
charge(int64 bytes, int64 now, bool held)
{
	int64 cost = duration(bytes);
	int64 beyond;

	shared->whole_at = Max(shared->whole_at, now) + cost;
	shared->share_at = Max(shared->share_at, now) + (int64) ((double) cost / ordinary_share());
	beyond = shared->share_at - (now + PAWS_BATCH_NS);
	if (held || beyond <= 0)
		return;
	shared->share_at -= beyond;
	pg_atomic_fetch_add_u64(&shared->lent[PAWS_RESOURCE_BYTES],
							Min(bytes, (int64) ((double) beyond * ordinary_share() * (double) shared->budget /
												NS_PER_SECOND)));
}

bool
paws_reserve_take(int64 bytes, int64 *wait)
{
	int64 budget = (int64) paws_byte_budget * 1024;
	int64 now;
	bool held;

	*wait = 0;
	if (budget == 0 || bytes == 0)
		return true;
	LWLockAcquire(paws_lock(PAWS_LOCK_RESERVE), LW_EXCLUSIVE);
	now = paws_clock_ns();
	held = is_held(now);
	/* under another budget the times mean nothing */
	if (shared->budget != budget)
		shared->whole_at = shared->share_at = now;
	shared->budget = budget;
	*wait = (held ? Max(shared->whole_at, shared->share_at) : shared->whole_at) - (now + PAWS_BATCH_NS) + 1;
	if (*wait <= 0)
		charge(bytes, now, held);
	LWLockRelease(paws_lock(PAWS_LOCK_RESERVE));
	if (*wait > 0)
		pg_atomic_fetch_add_u64(&shared->held_back[PAWS_RESOURCE_BYTES], bytes);
	return *wait <= 0;
}

void
paws_reserve_correct(int64 bytes)
{
	if (paws_byte_budget == 0 || bytes == 0)
		return;
	LWLockAcquire(paws_lock(PAWS_LOCK_RESERVE), LW_EXCLUSIVE);
	if (shared->budget > 0)
	{
		shared->whole_at += duration(bytes);
		shared->share_at += (int64) ((double) duration(bytes) / ordinary_share());
	}
	LWLockRelease(paws_lock(PAWS_LOCK_RESERVE));
}

void
paws_reserve_count(int64 bytes)
{
	pg_atomic_fetch_add_u64(&shared->used[PAWS_RESOURCE_BYTES], bytes);
}

void
paws_reserve_batch_begin(void)
{
	batch_at = paws_clock_ns();
}

/* What is below a millisecond is kept for the next batch. */
long
paws_reserve_batch_end(void)
{
	int64 now = paws_clock_ns();
	int64 busy = now - batch_at;
	int64 owed;

	pg_atomic_fetch_add_u64(&shared->used[PAWS_RESOURCE_WORKER_TIME], busy / 1000);
	rested_at = Max(rested_at, batch_at) + (int64) ((double) busy / ordinary_share());
	owed = rested_at - now;
	if (owed <= 0)
		return 0;
	if (!is_held(now))
	{
		rested_at = now;
		pg_atomic_fetch_add_u64(&shared->lent[PAWS_RESOURCE_WORKER_TIME],
								(int64) ((double) owed * ordinary_share()) / 1000);
		return 0;
	}
	owed /= 1000000;
	pg_atomic_fetch_add_u64(&shared->held_back[PAWS_RESOURCE_WORKER_TIME], owed * 1000);
	return (long) owed;
}

void
paws_reserve_read(PawsResource resource, PawsReserveState *state)
{
	state->held = is_held(paws_clock_ns());
	state->used_by_crisis = (int64) pg_atomic_read_u64(&shared->crisis.used[resource]);
	state->used_by_ordinary = (int64) pg_atomic_read_u64(&shared->used[resource]);
	state->lent = (int64) pg_atomic_read_u64(&shared->lent[resource]);
	state->held_back = (int64) pg_atomic_read_u64(&shared->held_back[resource]);
	state->since = (TimestampTz) pg_atomic_read_u64(&shared->since);
}

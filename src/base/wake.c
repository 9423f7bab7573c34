/*
 * base/wake.c - flags, sleepers and latches in shared memory.
 *
 * No locks. A sleeper first declares itself, then looks at the flag (or count) once more, then sleeps; a
 * waker first raises the flag (or count), then looks for sleepers. With a full barrier between the two steps
 * on both sides, one of them sees the other. A latch set for nothing costs one turn.
 */
#include "postgres.h"

#include "base/commit.h"
#include "base/compat.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/wake.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"

#define BUCKETS 1024 /* a power of two */

typedef struct Lane
{
	pg_atomic_uint32 flag;
	pg_atomic_uint32 sleepers;
} Lane;

typedef struct Bucket
{
	pg_atomic_uint64 count;
	pg_atomic_uint32 watchers;
} Bucket;

/* What one backend, found by its process number, sleeps for. */
typedef struct Sleeper
{
	pg_atomic_uint32 lane; /* slot * PAWS_WAKE_LANES + lane + 1, or 0 */
	pg_atomic_uint64 key;  /* hash of what it watches, or 0 */
	pg_atomic_uint32 near; /* a commit that raises it is being flushed */
	char hint[PAWS_WAKE_HINT_BYTES];
} Sleeper;

static Lane *lanes = NULL;       /* [max_databases * PAWS_WAKE_LANES] */
static Bucket *buckets = NULL;   /* [BUCKETS] */
static Sleeper *sleepers = NULL; /* [MaxBackends] */
static uint64 watched = 0;

static Size
size(void)
{
	Size total = mul_size(paws_max_databases * PAWS_WAKE_LANES, sizeof(Lane));

	total = add_size(MAXALIGN(total), mul_size(BUCKETS, sizeof(Bucket)));
	return add_size(MAXALIGN(total), mul_size(MaxBackends, sizeof(Sleeper)));
}

static void
attach(void *memory, bool found)
{
	int nlanes = paws_max_databases * PAWS_WAKE_LANES;

	lanes = memory;
	buckets = (Bucket *) ((char *) memory + MAXALIGN(nlanes * sizeof(Lane)));
	sleepers = (Sleeper *) ((char *) buckets + MAXALIGN(BUCKETS * sizeof(Bucket)));
	if (found)
		return;
	for (int i = 0; i < nlanes; i++)
	{
		pg_atomic_init_u32(&lanes[i].flag, 0);
		pg_atomic_init_u32(&lanes[i].sleepers, 0);
	}
	for (int i = 0; i < BUCKETS; i++)
	{
		pg_atomic_init_u64(&buckets[i].count, 1);
		pg_atomic_init_u32(&buckets[i].watchers, 0);
	}
	for (int i = 0; i < MaxBackends; i++)
	{
		pg_atomic_init_u32(&sleepers[i].lane, 0);
		pg_atomic_init_u64(&sleepers[i].key, 0);
		pg_atomic_init_u32(&sleepers[i].near, 0);
	}
}

void
paws_wake_init(void)
{
	static const PawsSharedPart part = {"paws_sync wake", size, attach, NULL};

	paws_shmem_offer(&part);
}

static int
lane_number(int slot, PawsWakeLane lane)
{
	return slot * PAWS_WAKE_LANES + (int) lane;
}

/* Sets the latch of one sleeper of the lane; the one found is no sleeper any more, so the next wake finds
 * another. */
static void
wake_one(int number)
{
	if (pg_atomic_read_u32(&lanes[number].sleepers) == 0)
		return;
	for (int i = 0; i < MaxBackends; i++)
	{
		uint32 expected = number + 1;

		if (pg_atomic_read_u32(&sleepers[i].lane) == expected &&
			pg_atomic_compare_exchange_u32(&sleepers[i].lane, &expected, 0))
		{
			pg_atomic_fetch_sub_u32(&lanes[number].sleepers, 1);
			SetLatch(&ProcGlobal->allProcs[i].procLatch);
			return;
		}
	}
}

void
paws_wake_now(int slot, PawsWakeLane lane)
{
	int number = lane_number(slot, lane);

	pg_atomic_exchange_u32(&lanes[number].flag, 1);
	wake_one(number);
}

typedef struct LaneWake
{
	int slot;
	PawsWakeLane lane;
} LaneWake;

static void
wake_lane(void *arg)
{
	LaneWake *wake = arg;

	paws_wake_now(wake->slot, wake->lane);
}

void
paws_wake_at_commit(int slot, PawsWakeLane lane)
{
	LaneWake *wake = paws_at_commit_find(wake_lane);

	if (wake && wake->slot == slot && wake->lane == lane)
		return;
	wake = paws_at_commit(wake_lane, sizeof(LaneWake));
	wake->slot = slot;
	wake->lane = lane;
}

bool
paws_wake_take(int slot, PawsWakeLane lane)
{
	return pg_atomic_exchange_u32(&lanes[lane_number(slot, lane)].flag, 0) != 0;
}

/* A process that ends must not be found by a waker: the wake would be lost. */
static void
forget_me(int code, Datum arg)
{
	uint32 lane = pg_atomic_exchange_u32(&sleepers[PAWS_MY_PROC_NUMBER].lane, 0);

	if (lane != 0)
		pg_atomic_fetch_sub_u32(&lanes[lane - 1].sleepers, 1);
	/* a wake may have chosen this process already: hand it on */
	for (int number = 0; number < paws_max_databases * PAWS_WAKE_LANES; number++)
		if (pg_atomic_read_u32(&lanes[number].flag) != 0)
			wake_one(number);
	paws_wake_key_unwatch();
}

static void
forget_me_at_exit(void)
{
	static bool registered = false;

	if (!registered)
		before_shmem_exit(forget_me, (Datum) 0);
	registered = true;
}

bool
paws_wake_sleep(int slot, PawsWakeLane lane)
{
	int number = lane_number(slot, lane);

	forget_me_at_exit();
	pg_atomic_fetch_add_u32(&lanes[number].sleepers, 1);
	pg_atomic_exchange_u32(&sleepers[PAWS_MY_PROC_NUMBER].lane, number + 1);
	if (pg_atomic_read_u32(&lanes[number].flag) == 0)
		return true;
	paws_wake_awake(slot, lane);
	return false;
}

void
paws_wake_awake(int slot, PawsWakeLane lane)
{
	if (pg_atomic_exchange_u32(&sleepers[PAWS_MY_PROC_NUMBER].lane, 0) != 0)
		pg_atomic_fetch_sub_u32(&lanes[lane_number(slot, lane)].sleepers, 1);
}

/* Never 0; two keys with one hash wake each other, which costs a look. */
static uint64
key_hash(int slot, int64 key)
{
	return hash_bytes_extended((const unsigned char *) &key, sizeof(key), slot + 1) | 1;
}

static Bucket *
bucket_of(uint64 hash)
{
	return &buckets[(hash >> 1) & (BUCKETS - 1)];
}

typedef struct KeyWake
{
	uint64 hash;
} KeyWake;

static void
wake_key(void *arg)
{
	uint64 hash = ((KeyWake *) arg)->hash;
	Bucket *bucket = bucket_of(hash);

	pg_atomic_fetch_add_u64(&bucket->count, 1);
	if (pg_atomic_read_u32(&bucket->watchers) == 0)
		return;
	for (int i = 0; i < MaxBackends; i++)
		if (pg_atomic_read_u64(&sleepers[i].key) == hash)
			SetLatch(&ProcGlobal->allProcs[i].procLatch);
}

void
paws_wake_key_at_commit(int slot, int64 key)
{
	KeyWake *wake = paws_at_commit(wake_key, sizeof(KeyWake));

	wake->hash = key_hash(slot, key);
}

void
paws_wake_key_at_abort(int slot, int64 key)
{
	KeyWake *wake = paws_at_abort(wake_key, sizeof(KeyWake));

	wake->hash = key_hash(slot, key);
}

typedef struct KeyNear
{
	uint64 hash;
	char hint[PAWS_WAKE_HINT_BYTES];
} KeyNear;

static void
announce_key(void *arg)
{
	KeyNear *wake = arg;
	uint64 hash = wake->hash;

	if (pg_atomic_read_u32(&bucket_of(hash)->watchers) == 0)
		return;
	for (int i = 0; i < MaxBackends; i++)
		if (pg_atomic_read_u64(&sleepers[i].key) == hash)
		{
			memcpy(sleepers[i].hint, wake->hint, sizeof(wake->hint));
			pg_write_barrier();
			pg_atomic_write_u32(&sleepers[i].near, 1);
			SetLatch(&ProcGlobal->allProcs[i].procLatch);
		}
}

void *
paws_wake_key_before_commit(int slot, int64 key)
{
	KeyNear *wake = paws_before_commit(announce_key, sizeof(KeyNear));

	wake->hash = key_hash(slot, key);
	return wake->hint;
}

bool
paws_wake_key_is_near(void *hint)
{
	Sleeper *self = &sleepers[PAWS_MY_PROC_NUMBER];

	if (pg_atomic_read_u32(&self->near) == 0 || pg_atomic_exchange_u32(&self->near, 0) == 0)
		return false;
	memcpy(hint, self->hint, sizeof(self->hint));
	return true;
}

uint64
paws_wake_key_count(int slot, int64 key)
{
	uint64 count = pg_atomic_read_u64(&bucket_of(key_hash(slot, key))->count);

	pg_read_barrier();
	return count;
}

void
paws_wake_key_watch(int slot, int64 key)
{
	forget_me_at_exit();
	watched = key_hash(slot, key);
	pg_atomic_fetch_add_u32(&bucket_of(watched)->watchers, 1);
	pg_atomic_write_u32(&sleepers[PAWS_MY_PROC_NUMBER].near, 0);
	pg_atomic_write_u64(&sleepers[PAWS_MY_PROC_NUMBER].key, watched);
	pg_memory_barrier();
}

void
paws_wake_key_unwatch(void)
{
	if (watched == 0)
		return;
	pg_atomic_write_u64(&sleepers[PAWS_MY_PROC_NUMBER].key, 0);
	pg_atomic_fetch_sub_u32(&bucket_of(watched)->watchers, 1);
	watched = 0;
}

/*
 * queue/admission.c - the table of rates: sets of a few entries each, found by hash, under one lock.
 *
 * An entry whose times are past is as good as none, so nothing has to be swept: it is simply taken over.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/shmem.h"
#include "common/hashfn.h"
#include "port/atomics.h"
#include "port/pg_bitutils.h"
#include "portability/instr_time.h"
#include "queue/admission.h"

#define WAYS 16

typedef struct Rate
{
	int64 subject_no; /* 0: never used */
	int32 slot;
	int64 operations_at; /* theoretical arrival times, us */
	int64 bytes_at;
} Rate;

typedef struct Counts
{
	pg_atomic_uint64 refused;
	pg_atomic_uint64 untracked;
} Counts;

static Counts *counts = NULL; /* [max_databases] */
static Rate *rates = NULL;    /* [sets() * WAYS], under PAWS_LOCK_ADMISSION */

static uint32
sets(void)
{
	return pg_nextpower2_32(Max(paws_max_subjects_limited / WAYS, 1));
}

static Size
size(void)
{
	return add_size(MAXALIGN(mul_size(paws_max_databases, sizeof(Counts))),
					mul_size(sets() * WAYS, sizeof(Rate)));
}

static void
attach(void *memory, bool found)
{
	counts = memory;
	rates = (Rate *) ((char *) memory + MAXALIGN(paws_max_databases * sizeof(Counts)));
	if (found)
		return;
	memset(memory, 0, size());
	for (int i = 0; i < paws_max_databases; i++)
	{
		pg_atomic_init_u64(&counts[i].refused, 0);
		pg_atomic_init_u64(&counts[i].untracked, 0);
	}
}

static void
reset(int slot)
{
	LWLockAcquire(paws_lock(PAWS_LOCK_ADMISSION), LW_EXCLUSIVE);
	for (uint32 i = 0; i < sets() * WAYS; i++)
		if (rates[i].slot == slot)
			rates[i].subject_no = 0;
	LWLockRelease(paws_lock(PAWS_LOCK_ADMISSION));
}

void
paws_admission_init(void)
{
	static const PawsSharedPart part = {"paws_sync admission", size, attach, reset};

	paws_shmem_offer(&part);
}

/* The subject's entry, or one to take over, or NULL when all of its set are in use. */
static Rate *
find_rate(int slot, int64 subject_no, int64 now)
{
	uint32 hash =
		hash_bytes_uint32((uint32) subject_no ^ (uint32) (subject_no >> 32) ^ ((uint32) slot << 24));
	Rate *set = &rates[(hash & (sets() - 1)) * WAYS];
	Rate *idle = NULL;

	for (int i = 0; i < WAYS; i++)
	{
		if (set[i].subject_no == subject_no && set[i].slot == slot)
			return &set[i];
		if (idle == NULL && (set[i].subject_no == 0 || Max(set[i].operations_at, set[i].bytes_at) <= now))
			idle = &set[i];
	}
	if (idle)
		*idle = (Rate){.subject_no = subject_no, .slot = slot, .operations_at = now, .bytes_at = now};
	return idle;
}

/* Microseconds that `amount` takes at a rate per second; a rate of 0 never allows anything. */
static int64
duration(int64 amount, int64 per_second)
{
	return per_second > 0 ? (int64) ((double) amount * 1e6 / (double) per_second)
						  : PG_INT32_MAX * (int64) 1000;
}

/* How long to wait until `cost` fits under `tolerance`; at most 0 if it does now. */
static int64
wait_for(int64 arrival, int64 now, int64 cost, int64 tolerance)
{
	return Max(arrival, now) + cost - tolerance - now;
}

static void
ask_one(Rate *rate, const PawsTierPolicy *limits, int64 bytes, int64 now, bool *admitted, int64 *retry_after)
{
	int64 operation_cost = duration(1, limits->ops_per_second);
	int64 operation_tolerance = duration(limits->ops_burst, limits->ops_per_second);
	int64 bytes_cost = duration(bytes, limits->bytes_per_second);
	int64 bytes_tolerance = duration(limits->bytes_burst, limits->bytes_per_second);
	int64 wait;

	/* what was used up under other limits counts for no more than these allow: a raised tier holds at once */
	rate->operations_at = Min(rate->operations_at, now + operation_tolerance);
	rate->bytes_at = Min(rate->bytes_at, now + bytes_tolerance);
	wait = Max(wait_for(rate->operations_at, now, operation_cost, operation_tolerance),
			   wait_for(rate->bytes_at, now, bytes_cost, bytes_tolerance));
	*admitted = wait <= 0 && limits->ops_per_second > 0 && limits->bytes_per_second > 0;
	*retry_after = *admitted ? 0 : Max(wait, 1000);
	if (*admitted)
	{
		rate->operations_at = Max(rate->operations_at, now) + operation_cost;
		rate->bytes_at = Max(rate->bytes_at, now) + bytes_cost;
	}
}

void
paws_admission_ask(int slot, int64 subject_no, const PawsTierPolicy *limits, const int64 *sizes, int count,
				   bool *admitted, int64 *retry_after)
{
	instr_time clock;
	int64 now;
	Rate *rate;
	int refused = 0;

	INSTR_TIME_SET_CURRENT(clock);
	now = (int64) INSTR_TIME_GET_MICROSEC(clock);
	LWLockAcquire(paws_lock(PAWS_LOCK_ADMISSION), LW_EXCLUSIVE);
	rate = find_rate(slot, subject_no, now);
	for (int i = 0; i < count; i++)
	{
		admitted[i] = refused == 0;
		retry_after[i] = refused == 0 ? 0 : retry_after[i - 1];
		if (rate && refused == 0)
			ask_one(rate, limits, sizes[i], now, &admitted[i], &retry_after[i]);
		refused += !admitted[i];
	}
	LWLockRelease(paws_lock(PAWS_LOCK_ADMISSION));
	if (refused > 0)
		pg_atomic_fetch_add_u64(&counts[slot].refused, refused);
	if (rate == NULL)
		pg_atomic_fetch_add_u64(&counts[slot].untracked, count);
}

void
paws_admission_counts(int slot, uint64 *refused, uint64 *untracked)
{
	*refused = pg_atomic_read_u64(&counts[slot].refused);
	*untracked = pg_atomic_read_u64(&counts[slot].untracked);
}

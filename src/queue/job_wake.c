/*
 * queue/job_wake.c - sessions that wait for jobs, the timer that is to look in time, and commits that wait to
 * be flushed.
 *
 * Waiters lose nothing: one declares itself, looks, then sleeps; whoever makes a job available tells the
 * front first and then looks for waiters, with a full barrier between the two on both sides.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "base/compat.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/wake.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "queue/job_private.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

/* By so much clocks drift, or are slewed, between two looks. */
#define CLOCK_TOLERANCE_US 50000

/* Topics that one process waits for: a bit for each, shared by those whose places are 64 apart. */
typedef struct Waiter
{
	pg_atomic_uint64 mask; /* 0: does not wait, or was woken */
	pg_atomic_uint32 slot;
} Waiter;

typedef struct Database
{
	pg_atomic_uint32 waiters;
	pg_atomic_uint32 flush_wanted;
	pg_atomic_uint32 counted;
	pg_atomic_uint64 claims;    /* since the start, of all sessions */
	pg_atomic_uint64 flush_to;  /* LSN */
	pg_atomic_uint64 first_due; /* of rows, by the machine's clock; 0: not known */
	pg_atomic_uint64 alarm;     /* when the timer will look by itself */
	pg_atomic_uint64 offset;    /* of the machine's clock when something was scheduled: the largest */
} Database;

static Database *databases = NULL; /* [max_databases] */
static Waiter *waiters = NULL;     /* [MaxBackends] */

/* What this process waits for. */
static int my_slot = -1;
static uint64 my_mask = 0;

static Size
size(void)
{
	return add_size(MAXALIGN(mul_size(paws_max_databases, sizeof(Database))),
					mul_size(MaxBackends, sizeof(Waiter)));
}

static void
reset(int slot)
{
	pg_atomic_write_u32(&databases[slot].counted, 0);
	pg_atomic_write_u64(&databases[slot].first_due, 0);
	pg_atomic_write_u64(&databases[slot].alarm, (uint64) PG_INT64_MAX);
	pg_atomic_write_u64(&databases[slot].offset, (uint64) PG_INT64_MIN);
}

static void
attach(void *memory, bool found)
{
	databases = memory;
	waiters = (Waiter *) ((char *) memory + MAXALIGN(paws_max_databases * sizeof(Database)));
	if (found)
		return;
	memset(memory, 0, size());
	for (int slot = 0; slot < paws_max_databases; slot++)
	{
		pg_atomic_init_u64(&databases[slot].claims, 0);
		pg_atomic_init_u64(&databases[slot].flush_to, 0);
		reset(slot);
	}
}

void
paws_wake_jobs_init(void)
{
	static const PawsSharedPart part = {"paws_sync job waiters", size, attach, reset};

	paws_shmem_offer(&part);
}

/* ---- waiters ---- */

static uint64
bit_of(int place)
{
	return UINT64CONST(1) << (place % 64);
}

static void
leave(int code, Datum arg)
{
	paws_job_wait_end();
}

void
paws_job_wait_begin(int slot, const int16 *topics, int ntopics)
{
	static bool registered = false;

	if (!registered)
		before_shmem_exit(leave, (Datum) 0);
	registered = true;
	paws_job_wait_end();
	my_mask = 0;
	for (int i = 0; i < ntopics; i++)
	{
		const PawsTopic *topic = paws_topic_no(topics[i]);

		if (topic != NULL)
			my_mask |= bit_of(topic->place);
	}
	my_slot = slot;
	pg_atomic_write_u32(&waiters[PAWS_MY_PROC_NUMBER].slot, (uint32) slot);
	pg_atomic_fetch_add_u32(&databases[slot].waiters, 1);
	paws_job_wait_again();
}

void
paws_job_wait_again(void)
{
	if (my_slot >= 0)
		pg_atomic_exchange_u64(&waiters[PAWS_MY_PROC_NUMBER].mask, my_mask);
}

/* Whoever was woken since it looked last, and leaves, leaves the job to another. */
void
paws_job_wait_end(void)
{
	int slot = my_slot;

	if (slot < 0)
		return;
	my_slot = -1;
	pg_atomic_fetch_sub_u32(&databases[slot].waiters, 1);
	if (pg_atomic_exchange_u64(&waiters[PAWS_MY_PROC_NUMBER].mask, 0) != 0)
		return;
	for (int bit = 0; bit < 64; bit++)
		if ((my_mask & bit_of(bit)) != 0)
			paws_job_wake(slot, bit, 1);
}

/* The one that is woken is no waiter any more, so the next job wakes another. */
void
paws_job_wake(int slot, int place, int count)
{
	pg_memory_barrier();
	if (pg_atomic_read_u32(&databases[slot].waiters) == 0)
		return;
	for (int i = 0; i < MaxBackends && count > 0; i++)
	{
		uint64 mask = pg_atomic_read_u64(&waiters[i].mask);

		if ((mask & bit_of(place)) == 0 || pg_atomic_read_u32(&waiters[i].slot) != (uint32) slot)
			continue;
		if (!pg_atomic_compare_exchange_u64(&waiters[i].mask, &mask, 0))
			continue;
		SetLatch(&ProcGlobal->allProcs[i].procLatch);
		count--;
	}
}

uint64
paws_job_count_claim(int slot)
{
	return pg_atomic_add_fetch_u64(&databases[slot].claims, 1);
}

/* ---- the timer ---- */

void
paws_job_alarm(int slot, int64 at)
{
	pg_atomic_uint64 *alarm = &databases[slot].alarm;
	uint64 known = pg_atomic_read_u64(alarm);

	while ((int64) known > at)
	{
		if (pg_atomic_compare_exchange_u64(alarm, &known, (uint64) at))
		{
			paws_wake_now(slot, PAWS_WAKE_TIMER);
			return;
		}
	}
}

/* From the clock of leases to that of the machine. */
static int64
clock_offset(void)
{
	return GetCurrentTimestamp() - paws_lease_clock();
}

static void
note_clock(int slot)
{
	pg_atomic_uint64 *offset = &databases[slot].offset;
	int64 now = clock_offset();
	uint64 known = pg_atomic_read_u64(offset);

	while ((int64) known < now && !pg_atomic_compare_exchange_u64(offset, &known, (uint64) now))
		;
}

bool
paws_job_clock_is_back(int slot)
{
	int64 known = (int64) pg_atomic_read_u64(&databases[slot].offset);

	return known != PG_INT64_MIN && clock_offset() < known - CLOCK_TOLERANCE_US;
}

void
paws_job_accept_clock(int slot)
{
	pg_atomic_write_u64(&databases[slot].offset, (uint64) clock_offset());
}

void
paws_job_delayed(int slot, int64 delay)
{
	pg_atomic_uint64 *due = &databases[slot].first_due;
	int64 at = GetCurrentTimestamp() + Max(delay, 0);
	uint64 known = pg_atomic_read_u64(due);

	note_clock(slot);

	while ((int64) known > at && !pg_atomic_compare_exchange_u64(due, &known, (uint64) at))
		;
	paws_job_alarm(slot, paws_lease_clock() + Max(delay, 0));
}

int64
paws_job_first_due(int slot)
{
	return (int64) pg_atomic_read_u64(&databases[slot].first_due);
}

/* What was told of since it was read wins. */
void
paws_job_set_first_due(int slot, int64 seen, int64 at)
{
	uint64 expected = (uint64) seen;

	(void) pg_atomic_compare_exchange_u64(&databases[slot].first_due, &expected, (uint64) at);
}

static long
ms_until(int64 at, int64 now)
{
	return at <= now ? 0 : (long) Min((at - now + 999) / 1000, 3600000);
}

/* The alarm is set before anything is looked at, so what comes between wakes the timer. */
long
paws_job_next_due(int slot)
{
	int64 now = paws_lease_clock();
	int64 at = PG_INT64_MAX;
	int64 first;
	int64 over;

	pg_atomic_exchange_u64(&databases[slot].alarm, (uint64) PG_INT64_MAX);
	over = paws_lease_next_over(slot);
	if (over >= 0)
		at = now + over;
	first = paws_job_first_due(slot);
	if (first != PG_INT64_MAX)
		at = Min(at, now + Max(first - GetCurrentTimestamp(), 0));
	if (at == PG_INT64_MAX)
		return -1;
	paws_job_alarm_quietly(slot, at);
	return ms_until(at, now);
}

void
paws_job_alarm_quietly(int slot, int64 at)
{
	uint64 known = pg_atomic_read_u64(&databases[slot].alarm);

	while ((int64) known > at && !pg_atomic_compare_exchange_u64(&databases[slot].alarm, &known, (uint64) at))
		;
}

bool
paws_job_counted(int slot)
{
	return pg_atomic_read_u32(&databases[slot].counted) != 0;
}

void
paws_job_set_counted(int slot)
{
	pg_atomic_write_u32(&databases[slot].counted, 1);
}

/* ---- commits that wait to be flushed ---- */

void
paws_job_flush_later(int slot, uint64 lsn)
{
	pg_atomic_uint64 *to = &databases[slot].flush_to;
	uint64 known = pg_atomic_read_u64(to);

	while (known < lsn && !pg_atomic_compare_exchange_u64(to, &known, lsn))
		;
	if (pg_atomic_read_u32(&databases[slot].flush_wanted) == 0 &&
		pg_atomic_exchange_u32(&databases[slot].flush_wanted, 1) == 0)
		paws_wake_now(slot, PAWS_WAKE_TIMER);
}

bool
paws_job_flush_wanted(int slot)
{
	return pg_atomic_read_u32(&databases[slot].flush_wanted) != 0;
}

void
paws_job_flush(int slot)
{
	uint64 to;

	if (pg_atomic_exchange_u32(&databases[slot].flush_wanted, 0) == 0)
		return;
	to = pg_atomic_read_u64(&databases[slot].flush_to);
	if (to != 0)
		XLogFlush((XLogRecPtr) to);
}

/*
 * workers/timer.c - one for each database: what the queue of jobs does by the clock.
 *
 * Jobs whose time has come are made available, leases that are over count an attempt, jobs that are too late
 * are removed; and commits that did not wait for the disk are flushed. It is a worker of its own since
 * nothing that the scheduler waits for may delay a lease or a flush. While nothing is due it sleeps, and
 * opens no transaction.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/spi.h"
#include "base/wake.h"
#include "base/worker.h"
#include "control/topic_rates.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "queue/job.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
#include "workers/workers.h"

#define WITHOUT_EXTENSION_MS 5000
#define IDLE_MS              5000 /* a backstop: who makes something due wakes the timer */
#define MOVING_MS            1000
#define RETRY_MS             100
#define SLICE                500

/* Commits that come within so many ms after the first are flushed with it. */
#define FLUSH_AFTER_MS 5

/* A flush must not wait for a lock that an operator's command holds. */
#define LOCK_TIMEOUT_MS 10

/* By so much a clock that is set back is a clock that was set back, in microseconds. */
#define CLOCK_TOLERANCE INT64CONST(50000)

static int asleep_slot = -1;
static int64 flush_at = 0; /* by the monotonic clock, in microseconds; 0: nothing waits for it */

static int64
monotonic_now(void)
{
	instr_time clock;

	INSTR_TIME_SET_CURRENT(clock);
	return (int64) INSTR_TIME_GET_MICROSEC(clock);
}

/* Flushes what has waited for long enough. Returns the ms until that, or -1 if nothing waits. */
static long
flush(int slot)
{
	int64 now = monotonic_now();

	if (!paws_job_flush_wanted(slot))
	{
		flush_at = 0;
		return -1;
	}
	if (flush_at == 0)
		flush_at = now + FLUSH_AFTER_MS * 1000;
	if (flush_at > now)
		return (long) ((flush_at - now + 999) / 1000);
	flush_at = 0;
	paws_job_flush(slot);
	return paws_job_flush_wanted(slot) ? FLUSH_AFTER_MS : -1;
}

/* True if the clock was set back since the last call, and in the first one. */
static bool
clock_was_set_back(void)
{
	static int64 offset = PG_INT64_MAX;
	int64 now = GetCurrentTimestamp() - monotonic_now();
	bool back = now < offset - CLOCK_TOLERANCE;

	offset = now;
	return back;
}

/* One slice of everything. True if there is more. */
static bool
take_slice(int slot, bool *clock_moved)
{
	bool more = false;

	if (!paws_job_counted(slot))
		paws_job_recount(slot);
	if (*clock_moved)
	{
		*clock_moved = paws_job_clock_moved(slot, SLICE) >= SLICE;
		more = *clock_moved;
	}
	more |= paws_job_promote(slot, SLICE) >= SLICE;
	more |= paws_job_expire_leases(slot, SLICE) >= SLICE;
	more |= paws_job_expire(slot, SLICE) >= SLICE;
	return more;
}

/* A failure, such as a lock held by an operator's command, costs a moment. Returns the ms until the next try,
 * 0 if there is more to do. */
static long
try_slice(int slot, bool *clock_moved)
{
	volatile long wait = RETRY_MS;
	int lock_timeout = LockTimeout;

	LockTimeout = LOCK_TIMEOUT_MS;
	PG_TRY();
	{
		bool moved = *clock_moved;
		bool more;

		paws_spi_begin();
		more = take_slice(slot, &moved);
		paws_spi_end();
		paws_worker_commit();
		*clock_moved = moved;
		wait = more ? 0 : -1;
	}
	PG_CATCH();
	{
		paws_worker_abort();
	}
	PG_END_TRY();
	LockTimeout = lock_timeout;
	return wait;
}

static long
sooner(long a, long b)
{
	if (a < 0 || b < 0)
		return Max(a, b);
	return Min(a, b);
}

/* Whether a transaction is wanted, in the ms until then; -1: none. */
static long
next_work(int slot, bool clock_moved)
{
	return !paws_job_counted(slot) || clock_moved ? 0 : paws_job_next_due(slot);
}

/* The extension is there, and shared memory is asked what is due. */
static long
serve(int slot)
{
	static bool clock_moved = false;
	PawsWorkerSlot *self = paws_worker_self();
	long flushed = flush(slot);
	long wait;

	clock_moved |= clock_was_set_back();
	wait = next_work(slot, clock_moved);
	if (wait == 0)
	{
		if (!paws_worker_begin("paws_sync: jobs by the clock"))
			return WITHOUT_EXTENSION_MS;
		wait = try_slice(slot, &clock_moved);
		pg_atomic_fetch_add_u64(&self->batches, 1);
		pg_atomic_write_u64(&self->active_at, (uint64) GetCurrentTimestamp());
		if (wait < 0)
			wait = Max(next_work(slot, clock_moved), wait);
		flushed = flush(slot);
	}
	if (paws_topic_rates_sample(slot))
		wait = sooner(wait, MOVING_MS);
	return sooner(sooner(wait, flushed), IDLE_MS);
}

/* Looked for until it was found, and when shared memory says that it is a new one. Its slot, or -1. */
static int
find_extension(void)
{
	int slot = paws_worker_database_slot();

	if (slot >= 0 && paws_job_counted(slot))
		return slot;
	if (paws_worker_begin("paws_sync: jobs by the clock"))
		paws_worker_commit();
	return paws_worker_database_slot();
}

static long
turn(void)
{
	int slot;

	if (asleep_slot >= 0)
		paws_wake_awake(asleep_slot, PAWS_WAKE_TIMER);
	asleep_slot = -1;
	slot = find_extension();
	if (slot < 0)
		return WITHOUT_EXTENSION_MS;
	(void) paws_wake_take(slot, PAWS_WAKE_TIMER);
	return serve(slot);
}

static void
before_sleep(void)
{
	int slot = paws_worker_database_slot();

	if (slot < 0)
		return;
	if (paws_wake_sleep(slot, PAWS_WAKE_TIMER))
		asleep_slot = slot;
	else
		SetLatch(MyLatch);
}

void
paws_timer_main(Datum main_arg)
{
	static const PawsWorkerMain timer = {PAWS_WORKER_TIMER, PAWS_TIMER_ENTRY, turn, before_sleep};

	paws_worker_run(&timer, main_arg);
}

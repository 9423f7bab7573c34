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
#define RETRY_US             INT64CONST(100000)
#define RETRY_DOUBLES        6
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

static long
sooner(long a, long b)
{
	if (a < 0 || b < 0)
		return Max(a, b);
	return Min(a, b);
}

/* What is done in a transaction of its own, so that what fails costs no other. */
typedef struct Part
{
	bool (*work)(int slot, int limit); /* true if there is more */
	int64 resume_at;                   /* after a failure; by the monotonic clock */
	int failures;                      /* in a row */
} Part;

/* True if there is more. A failure, such as a lock held by an operator's command, is tried again, later each
 * time. */
static bool
try_part(Part *part, int slot)
{
	volatile bool more = false;
	int lock_timeout = LockTimeout;

	LockTimeout = LOCK_TIMEOUT_MS;
	PG_TRY();
	{
		bool after;

		paws_spi_begin();
		after = part->work(slot, SLICE);
		paws_spi_end();
		paws_worker_commit();
		part->failures = 0;
		more = after;
	}
	PG_CATCH();
	{
		paws_worker_abort();
		part->resume_at = monotonic_now() + (RETRY_US << Min(part->failures++, RETRY_DOUBLES));
	}
	PG_END_TRY();
	LockTimeout = lock_timeout;
	return more;
}

/* Runs a part unless it has to rest. Sets *wait, the ms until the next turn (-1: none is wanted), to no more
 * than this part wants. False if the extension is gone. */
static bool
take_part(Part *part, int slot, long *wait)
{
	int64 rest = part->failures > 0 ? part->resume_at - monotonic_now() : 0;

	if (rest <= 0)
	{
		if (!paws_worker_begin("paws_sync: jobs by the clock"))
			return false;
		if (try_part(part, slot))
			*wait = 0;
		rest = part->failures > 0 ? part->resume_at - monotonic_now() : 0;
	}
	if (rest > 0)
		*wait = sooner(*wait, (long) (rest / 1000) + 1);
	return true;
}

static Part clock_moved = {.work = paws_job_clock_moved};
static Part promoting = {.work = paws_job_promote};
static Part expiring_leases = {.work = paws_job_expire_leases};
static Part expiring = {.work = paws_job_expire};

/* Slices of all that is due. Returns the ms until the next ones, -1 if nothing is due. */
static long
work(int slot, bool *clock_was_moved)
{
	Part *const parts[] = {&promoting, &expiring_leases, &expiring};
	long wait = -1;

	if (*clock_was_moved)
	{
		if (!take_part(&clock_moved, slot, &wait))
			return WITHOUT_EXTENSION_MS;
		*clock_was_moved = wait == 0 || clock_moved.failures > 0;
	}
	for (int i = 0; i < (int) lengthof(parts); i++)
		if (!take_part(parts[i], slot, &wait))
			return WITHOUT_EXTENSION_MS;
	return wait;
}

/* True while a part rests after a failure: what shared memory says is due is then its, and no reason to
 * hurry. */
static bool
some_part_rests(void)
{
	return promoting.failures > 0 || expiring_leases.failures > 0 || expiring.failures > 0 ||
		   clock_moved.failures > 0;
}

/* The extension is there, and shared memory is asked what is due. */
static long
serve(int slot)
{
	static bool clock_was_moved = false;
	PawsWorkerSlot *self = paws_worker_self();
	long flushed = flush(slot);
	long wait;

	clock_was_moved |= clock_was_set_back();
	wait = clock_was_moved ? 0 : paws_job_next_due(slot);
	if (wait == 0)
	{
		wait = work(slot, &clock_was_moved);
		pg_atomic_fetch_add_u64(&self->batches, 1);
		pg_atomic_write_u64(&self->active_at, (uint64) GetCurrentTimestamp());
		if (wait < 0)
			wait = paws_job_next_due(slot);
		if (wait == 0 && some_part_rests())
			wait = RETRY_US / 1000;
		flushed = flush(slot);
	}
	if (paws_topic_rates_sample(slot))
		wait = sooner(wait, MOVING_MS);
	return sooner(sooner(wait, flushed), IDLE_MS);
}

/* Looked for until it was found and counted, and when shared memory says that it is a new one. Its slot, or
 * -1. */
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

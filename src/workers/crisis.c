/*
 * workers/crisis.c - two for each database: they apply what waits in the crisis lane's queue, and look after
 * signals (signals.c).
 *
 * What waits is told to devices already, so nobody waits for these; they only bring it into the documents. A
 * subject whose counter is held is left and looked at again soon. Each subject is a transaction of its own,
 * so that one that fails costs itself alone. They read nothing of the ordinary lane.
 */
#include "postgres.h"

#include "base/fault.h"
#include "base/reserve.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/wake.h"
#include "base/worker.h"
#include "crisis/budget.h"
#include "crisis/queue.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "workers/signals.h"
#include "workers/workers.h"

#define WITHOUT_EXTENSION_MS 5000
#define SUBJECTS_MAX         64
#define FAILED_MS            100

static int asleep_slot = -1;
static int held_walks = 0;

/* A walk over the subjects that wait takes several turns if they are many; the next one goes on from here. */
static int64 walked_to = 0;
static bool walk_held = false;  /* a counter was held */
static bool walk_again = false; /* a subject has more */

/* What a look at the queue found. */
typedef struct Waiting
{
	int count;
	int64 subjects[SUBJECTS_MAX];
} Waiting;

/* The other worker gets its share: the death of one then costs nothing. Not of what is held, or the two would
 * keep one another awake. What is told of during a walk is for the next one. */
static bool
look(Waiting *waiting)
{
	int slot;

	if (!paws_worker_begin("paws_sync: look for crisis operations"))
		return false;
	slot = paws_worker_database_slot();
	if (walked_to == 0)
		(void) paws_wake_take(slot, PAWS_WAKE_CRISIS);
	paws_spi_begin();
	waiting->count = paws_crisis_queue_subjects(walked_to, waiting->subjects, SUBJECTS_MAX);
	paws_spi_end();
	paws_worker_commit();
	if (waiting->count > 1 && held_walks == 0)
		paws_wake_now(slot, PAWS_WAKE_CRISIS);
	return true;
}

typedef enum Drained
{
	DRAINED,
	DRAINED_PART,
	DRAINED_HELD,
	DRAINED_FAILED
} Drained;

static Drained
drain(int64 subject_no, int limit)
{
	volatile Drained result = DRAINED_FAILED;
	int64 begun_at = paws_reserve_crisis_begin();

	if (!paws_worker_begin("paws_sync: apply crisis operations"))
		return DRAINED_FAILED;
	PG_TRY();
	{
		bool more;
		bool mine;

		paws_spi_begin();
		mine = paws_crisis_queue_drain(paws_worker_database_slot(), subject_no, limit, false, &more);
		paws_spi_end();
		PAWS_FAULT();
		paws_worker_commit();
		PAWS_FAULT();
		result = !mine ? DRAINED_HELD : more ? DRAINED_PART : DRAINED;
	}
	PG_CATCH();
	{
		paws_worker_abort();
	}
	PG_END_TRY();
	/* the push reported the bytes */
	paws_reserve_crisis_end(begun_at, 0);
	return result;
}

static void
count_attempt(int64 subject_no)
{
	if (!paws_worker_begin("paws_sync: count an attempt"))
		return;
	paws_spi_begin();
	paws_crisis_queue_failed(subject_no);
	paws_spi_end();
	paws_worker_commit();
}

/* If all together fail, the first is tried alone, so that it is the one that fails which bears the attempt.
 */
static Drained
drain_subject(int64 subject_no)
{
	Drained drained = drain(subject_no, PAWS_CRISIS_DRAIN_MAX);

	if (drained != DRAINED_FAILED)
		return drained;
	drained = drain(subject_no, 1);
	if (drained == DRAINED_FAILED)
		count_attempt(subject_no);
	return drained == DRAINED_HELD ? DRAINED_HELD : DRAINED_PART;
}

static void
work(const Waiting *waiting)
{
	PawsWorkerSlot *self = paws_worker_self();

	for (int i = 0; i < waiting->count; i++)
	{
		Drained drained = drain_subject(waiting->subjects[i]);

		walk_again = walk_again || drained == DRAINED_PART;
		walk_held = walk_held || drained == DRAINED_HELD;
		pg_atomic_fetch_add_u64(&self->operations, drained != DRAINED_HELD);
	}
	pg_atomic_fetch_add_u64(&self->batches, 1);
	pg_atomic_write_u64(&self->active_at, (uint64) GetCurrentTimestamp());
}

/* How long to wait for the next walk, this one being over. */
static long
end_walk(void)
{
	bool again = walk_again;
	bool held = walk_held;

	walked_to = 0;
	walk_again = walk_held = false;
	held_walks = held ? held_walks + 1 : 0;
	if (again)
		return 0;
	if (held)
		return PAWS_CRISIS_RETRY_MS << Min(held_walks, PAWS_CRISIS_RETRY_SHIFTS);
	return Min(paws_poll_interval, PAWS_CRISIS_POLL_MS);
}

static long
try_turn(void)
{
	Waiting waiting;

	if (asleep_slot >= 0)
		paws_wake_awake(asleep_slot, PAWS_WAKE_CRISIS);
	asleep_slot = -1;
	if (!look(&waiting))
		return WITHOUT_EXTENSION_MS;
	if (waiting.count > 0)
	{
		pg_atomic_write_u32(&paws_worker_self()->busy, 1);
		work(&waiting);
		pg_atomic_write_u32(&paws_worker_self()->busy, 0);
	}
	if (waiting.count < SUBJECTS_MAX)
		return end_walk();
	walked_to = waiting.subjects[SUBJECTS_MAX - 1];
	return 0;
}

/* A failure costs the turn, not the worker. */
static long
turn(void)
{
	volatile long wait = FAILED_MS;

	PG_TRY();
	{
		wait = try_turn();
	}
	PG_CATCH();
	{
		paws_worker_abort();
		pg_atomic_write_u32(&paws_worker_self()->busy, 0);
	}
	PG_END_TRY();
	if (paws_worker_database_slot() >= 0 && wait != WITHOUT_EXTENSION_MS)
		wait = Min(wait, paws_signals_turn(paws_worker_database_slot()));
	return wait;
}

static void
before_sleep(void)
{
	int slot = paws_worker_database_slot();

	if (slot < 0)
		return;
	if (paws_wake_sleep(slot, PAWS_WAKE_CRISIS))
		asleep_slot = slot;
	else
		SetLatch(MyLatch);
}

void
paws_crisis_main(Datum main_arg)
{
	static const PawsWorkerMain crisis = {PAWS_WORKER_CRISIS, PAWS_CRISIS_ENTRY, turn, before_sleep};

	paws_worker_run(&crisis, main_arg);
}

/*
 * workers/scheduler.c - one for each database: counts what a start left, keeps the pool at size, looks at
 * depths, keeps house.
 */
#include "postgres.h"

#include "base/bulk.h"
#include "base/clock.h"
#include "base/database.h"
#include "base/log_safe.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/wake.h"
#include "base/worker.h"
#include "care/care.h"
#include "control/horizon.h"
#include "crisis/crisis.h"
#include "miscadmin.h"
#include "queue/depth.h"
#include "queue/queue.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "workers/carry.h"
#include "workers/job_house.h"
#include "workers/keeper.h"
#include "workers/sealer.h"
#include "workers/workers.h"

#define TURN_MS              1000
#define WITHOUT_EXTENSION_MS 5000
#define RECOUNT_MS           20
#define FIRST_SUBJECTS       10 /* of a walk; then as many as write a slice's worth */

/* The walks over subjects, one for each lane. */
typedef struct House
{
	bool walking;
	bool care_done;
	bool crisis_done;
	int64 care_walk;
	int64 crisis_walk;
	int64 walked_at; /* when the last began, by paws_clock; 0: none yet */
	int subjects;    /* of care's next slice */
	bool worked;     /* this turn */
} House;

/* As committed: a turn that fails does not skip a slice. */
static House house = {0};

static int asleep_slot = -1;

/*
 * After a start, or after the extension was created anew: what was being applied when the server went down
 * counts an attempt, then what waits is counted. No pool worker runs yet; if one does (of the extension
 * before), it has to leave first. False: not yet.
 */
static bool
recover(int slot)
{
	if (paws_worker_count(PAWS_WORKER_POOL, MyDatabaseId) > 0)
	{
		paws_worker_stop(PAWS_WORKER_POOL, MyDatabaseId, 0);
		return false;
	}
	paws_queue_recover(-1);
	paws_depth_recount(slot);
	return true;
}

/* A few subjects at a time, so that no transaction is long, nor writes much. */
static void
keep_house(House *h)
{
	int64 now = paws_clock();

	h->worked = false;
	if (paws_bulk_wait() > 0)
		return;
	if (!h->walking)
	{
		if (h->walked_at > 0 && now < h->walked_at + (int64) paws_housekeeping_interval * USECS_PER_SEC)
			return;
		*h = (House){.walking = true, .walked_at = now, .subjects = FIRST_SUBJECTS};
	}
	h->worked = true;
	if (!h->care_done)
		h->care_done = paws_care_expire(&h->care_walk, h->subjects);
	if (!h->crisis_done)
		h->crisis_done = paws_crisis_expire(&h->crisis_walk);
	h->walking = !h->care_done || !h->crisis_done;
}

static void
keep_pool(void)
{
	static bool complained = false;
	static int64 started_at = 0;
	int64 now = paws_clock();
	int running = paws_worker_count(PAWS_WORKER_POOL, MyDatabaseId);

	if (running > paws_pool_size)
		paws_worker_stop(PAWS_WORKER_POOL, MyDatabaseId, paws_pool_size);
	/* a worker that ends as soon as it starts wakes us by it */
	if (running >= paws_pool_size || (started_at > 0 && now - started_at < TURN_MS * INT64CONST(500)))
		return;
	started_at = now;
	for (; running < paws_pool_size; running++)
	{
		if (paws_worker_start(PAWS_WORKER_POOL, PAWS_POOL_ENTRY, MyDatabaseId))
			complained = false;
		else
		{
			if (!complained)
				ereport_domain(WARNING, PAWS_LOG_SAFE,
							   (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
								errmsg("could not start a pool worker"),
								errhint("Raise \"max_worker_processes\" or lower \"paws_sync.pool_size\".")));
			complained = true;
			return;
		}
	}
}

/* About once a second, however often there is a turn: rates and patience are counted in looks. */
static void
observe(int slot)
{
	static int64 observed_at = 0;
	int64 now = paws_clock();

	if (observed_at > 0 && now - observed_at < TURN_MS * INT64CONST(900))
		return;
	paws_depth_observe(slot);
	observed_at = now;
}

/* What one turn does in the database. False: what a start left is not counted yet. */
static bool
look_after(int slot, House *next)
{
	bool ready;

	paws_spi_begin();
	ready = paws_depth_counted(slot) || recover(slot);
	if (ready)
	{
		observe(slot);
		keep_house(next);
	}
	paws_spi_end();
	return ready;
}

/*
 * A failure, such as a lock held by an operator's command, costs the turn; the pool is kept at size all the
 * same, once what a start left is counted. Returns the ms until the next turn.
 */
static long
try_to_look_after(int slot)
{
	volatile long wait = TURN_MS;
	House next = house;
	uint64 before = paws_bulk_begin();

	PG_TRY();
	{
		bool ready = look_after(slot, &next);

		paws_worker_commit();
		house = next;
		if (house.worked)
			house.subjects = paws_bulk_pieces(house.subjects, paws_bulk_end(before), PAWS_CARE_WALK_MAX);
		if (ready)
			paws_care_serve(slot);
		wait = ready && !next.walking ? TURN_MS : Max(RECOUNT_MS, paws_bulk_wait());
	}
	PG_CATCH();
	{
		paws_worker_abort();
	}
	PG_END_TRY();
	return wait;
}

static long
turn(void)
{
	PawsWorkerSlot *self = paws_worker_self();
	long wait;
	long kept;
	long sealed;
	long kept_jobs;
	long carried;
	int slot;

	if (asleep_slot >= 0)
		paws_wake_awake(asleep_slot, PAWS_WAKE_SCHEDULER);
	asleep_slot = -1;
	if (!paws_worker_begin("paws_sync: schedule"))
	{
		paws_worker_stop(PAWS_WORKER_POOL, MyDatabaseId, 0);
		return WITHOUT_EXTENSION_MS;
	}
	slot = paws_worker_database_slot();
	(void) paws_wake_take(slot, PAWS_WAKE_SCHEDULER);
	wait = try_to_look_after(slot);
	/* the pool does not wait for what may take long after a start */
	if (paws_depth_counted(slot))
		keep_pool();
	carried = paws_carry_turn(slot);
	if (carried != PAWS_CARRY_IDLE)
		wait = Min(wait, carried);
	paws_horizon_note();
	kept = paws_depth_counted(slot) ? paws_keeper_turn(slot) : PAWS_KEEPER_IDLE;
	if (kept != PAWS_KEEPER_IDLE)
		wait = Min(wait, kept);
	sealed = paws_sealer_turn(slot);
	if (sealed != PAWS_SEALER_IDLE)
		wait = Min(wait, sealed);
	kept_jobs = paws_job_house_turn();
	if (kept_jobs != PAWS_JOB_HOUSE_IDLE)
		wait = Min(wait, kept_jobs);
	pg_atomic_fetch_add_u64(&self->batches, 1);
	pg_atomic_write_u64(&self->active_at, (uint64) GetCurrentTimestamp());
	return wait;
}

/* What is asked for is begun at once. */
static void
before_sleep(void)
{
	int slot = paws_worker_database_slot();

	if (slot < 0)
		return;
	if (paws_wake_sleep(slot, PAWS_WAKE_SCHEDULER))
		asleep_slot = slot;
	else
		SetLatch(MyLatch);
}

void
paws_scheduler_main(Datum main_arg)
{
	static const PawsWorkerMain scheduler = {PAWS_WORKER_SCHEDULER, PAWS_SCHEDULER_ENTRY, turn, before_sleep};

	paws_worker_run(&scheduler, main_arg);
}

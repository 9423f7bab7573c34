/*
 * workers/pool.c - claims a batch, applies it, finishes it; one by one when a batch fails.
 *
 * In steady flow one transaction applies a batch and chooses the next; only the first batch after a pause
 * takes two.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/reserve.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/wake.h"
#include "base/worker.h"
#include "care/care.h"
#include "control/latency.h"
#include "miscadmin.h"
#include "queue/avoid.h"
#include "queue/depth.h"
#include "queue/queue.h"
#include "queue/rule.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/vault.h"
#include "workers/workers.h"

/* After a failure that is not the operation's own fault, or when another worker is ahead of us on a subject.
 */
#define BREATHER_MS         100
#define FAILED_TURN_MS      1000
#define CONTENDED_MS        1
#define GATHER_MS           2
#define CONTENDED_SHIFT_MAX 6
#define BACKOFF_MS          100
#define BACKOFF_SHIFT_MAX   9

StaticAssertDecl(BACKOFF_MS << BACKOFF_SHIFT_MAX == PAWS_BACKOFF_MAX_MS,
				 "the longest that an operation is put off");

/* What this worker holds: recorded in its inflight row and in shared memory. */
static PawsClaim *claim = NULL;
static uint64 choices = 0;
static double us_per_operation = 100;
static int fruitless = 0; /* batches in a row that came to nothing */
static int asleep_slot = -1;
static bool gathering = false; /* resting, deaf to wakes */

/* As many as should fit the time of a batch, by what the last ones took. */
static int
batch_limit(void)
{
	int fits = (int) ((double) paws_batch_time * 1000.0 / us_per_operation);

	return Max(1, Min(fits, Min(paws_batch_size, PAWS_BATCH_MAX)));
}

static int64
waiting(int slot)
{
	int64 total = 0;

	for (int level = 1; level <= PAWS_LEVEL_ORDINARY_MAX; level++)
	{
		PawsDepth depth;

		paws_depth_read(slot, level, &depth);
		total += depth.depth;
	}
	return total;
}

/*
 * What fits one batch is left to a worker with a lower number that is at work: two would each take half of
 * it, and most of a small batch is what it costs by itself. Only while that one gets on: if it has finished
 * nothing since the last look, this one goes to work as well.
 */
static bool
leave_to_others(int slot)
{
	static uint64 seen = 0;
	uint64 before = seen;
	uint64 finished = 0;
	bool busy = false;

	for (int i = 0; i < paws_worker_index(); i++)
	{
		PawsWorkerSlot other;

		if (!paws_worker_read(i, &other) || other.kind != PAWS_WORKER_POOL || other.database != MyDatabaseId)
			continue;
		busy = busy || pg_atomic_read_u32(&other.busy) != 0;
		finished += pg_atomic_read_u64(&other.batches);
	}
	seen = finished;
	return busy && finished != before && waiting(slot) < batch_limit();
}

/* Every so often a claim goes to the most overdue work, whatever its level: that bounds every wait. */
static void
choose(int slot)
{
	bool guaranteed = paws_rule_guaranteed(++choices, paws_guaranteed_share);

	(void) paws_wake_take(slot, PAWS_WAKE_POOL);
	paws_queue_choose(slot, paws_worker_index(), batch_limit(), guaranteed, claim);
	/* there may be more than one worker's share */
	if (claim->full)
		paws_wake_now(slot, PAWS_WAKE_POOL);
}

static void
drop_claim(void)
{
	paws_queue_release(paws_worker_index());
	claim->count = 0;
}

/* What a batch did, for what is told after its commit. */
typedef struct Applied
{
	int slot;
	int count;
	int done;
	PawsOperation *operations;
	PawsApplied *applied;
	bool avoids;            /* some of their subjects were held, and are left now */
	TimestampTz applied_at; /* before the next was chosen */
} Applied;

static void
finish(Applied *batch)
{
	PawsOperation *done = palloc(Max(batch->count, 1) * sizeof(PawsOperation));
	int n = 0;

	for (int i = 0; i < batch->count; i++)
		if (batch->applied[i] != PAWS_APPLIED_LATER)
			done[n++] = batch->operations[i];
	if (n > 0)
		paws_queue_finish(batch->slot, done, n);
}

/* What is not done and not blocked is of a subject that another session holds. */
static void
avoid_held(Applied *batch)
{
	int64 last = 0;

	batch->avoids = false;
	for (int i = 0; i < batch->count; i++)
	{
		const PawsOperation *operation = &batch->operations[i];

		if (batch->applied[i] != PAWS_APPLIED_LATER || operation->blocked || operation->subject_no == last ||
			paws_avoided(operation->subject_no))
			continue;
		last = operation->subject_no;
		batch->avoids = paws_avoid(last) || batch->avoids;
	}
}

/* What was read lives in SPI's memory, which its end frees. */
static void
outlive_spi(Applied *batch)
{
	PawsOperation *operations = paws_spi_alloc(Max(batch->count, 1) * sizeof(PawsOperation));
	PawsApplied *applied = paws_spi_alloc(Max(batch->count, 1) * sizeof(PawsApplied));

	memcpy(operations, batch->operations, batch->count * sizeof(PawsOperation));
	memcpy(applied, batch->applied, batch->count * sizeof(PawsApplied));
	batch->operations = operations;
	batch->applied = applied;
}

/*
 * One transaction. What was chosen but could not be fetched was finished by a process that ended meanwhile,
 * or changed by another; and what follows in the same document must not overtake it. So then nothing is
 * applied.
 */
static void
apply(Applied *batch, PawsReason refused, bool choose_next)
{
	paws_spi_begin();
	batch->count = paws_queue_fetch(claim, &batch->operations);
	batch->applied = palloc0(Max(batch->count, 1) * sizeof(PawsApplied));
	batch->done = 0;
	/* attempts that crashed count as well; what had one comes alone */
	if (batch->count == 1 && batch->operations[0].attempts >= paws_max_attempts)
		refused = PAWS_REASON_FAILED;
	if (batch->count == claim->count)
	{
		batch->done = paws_care_apply(batch->slot, batch->operations, batch->count, refused, batch->applied);
		finish(batch);
		avoid_held(batch);
	}
	paws_queue_unblock(batch->slot, batch->operations, batch->count);
	batch->applied_at = GetCurrentTimestamp();
	if (choose_next && leave_to_others(batch->slot))
		paws_queue_choose_none(batch->slot, paws_worker_index(), claim);
	else if (choose_next)
		choose(batch->slot);
	outlive_spi(batch);
	paws_spi_end();
}

static void
tell(const Applied *batch, const PawsOperation *operations, const PawsApplied *applied,
	 TimestampTz started_at)
{
	PawsWorkerSlot *self = paws_worker_self();
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < batch->count; i++)
		if (applied[i] != PAWS_APPLIED_LATER)
			paws_latency_record(batch->slot, operations[i].klass, operations[i].tier,
								now - operations[i].enqueued_at, operations[i].target_ms);
	pg_atomic_fetch_add_u64(&self->batches, 1);
	pg_atomic_fetch_add_u64(&self->operations, batch->done);
	pg_atomic_write_u64(&self->active_at, (uint64) now);
	if (batch->done > 0)
		us_per_operation =
			0.8 * us_per_operation + 0.2 * Max((double) (batch->applied_at - started_at) / batch->done, 1.0);
}

/* Begins a transaction whose results outlive it in the turn's memory. False: the extension is gone. */
static bool
begin(MemoryContext *turn, const char *activity)
{
	*turn = CurrentMemoryContext;
	return paws_worker_begin(activity);
}

/* Failures of the server's state rather than of an operation: locks, cancels, resources. */
static bool
transient(int sqlstate)
{
	int category = ERRCODE_TO_CATEGORY(sqlstate);

	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_QUERY_CANCELED ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_T_R_SERIALIZATION_FAILURE) ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE);
}

/* Applies what is claimed. True on success; else the error's code, the transaction being over. */
static bool
try_apply(Applied *batch, PawsReason refused, bool choose_next, int *sqlstate)
{
	MemoryContext turn;
	TimestampTz started_at = GetCurrentTimestamp();
	volatile bool good = true;
	PawsOperation *operations = NULL;
	PawsApplied *applied = NULL;

	if (!begin(&turn, "paws_sync: apply"))
	{
		*sqlstate = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
		return false;
	}
	batch->slot = paws_worker_database_slot();
	PG_TRY();
	{
		apply(batch, refused, choose_next);
		operations = MemoryContextAlloc(turn, Max(batch->count, 1) * sizeof(PawsOperation));
		applied = MemoryContextAlloc(turn, Max(batch->count, 1) * sizeof(PawsApplied));
		memcpy(operations, batch->operations, batch->count * sizeof(PawsOperation));
		memcpy(applied, batch->applied, batch->count * sizeof(PawsApplied));
		paws_worker_commit();
	}
	PG_CATCH();
	{
		good = false;
		*sqlstate = geterrcode();
		paws_worker_abort();
	}
	PG_END_TRY();
	if (good && choose_next)
		paws_queue_settle(paws_worker_index());
	if (good)
		tell(batch, operations, applied, started_at);
	return good;
}

/* Counts an attempt, or, when there have been enough, answers the operation with a rejection. */
static void
give_up_or_postpone(PawsOperation *operation)
{
	MemoryContext turn;
	Applied batch = {0};
	int sqlstate;

	if (operation->attempts + 1 >= paws_max_attempts &&
		try_apply(&batch, PAWS_REASON_FAILED, false, &sqlstate))
		return;
	if (!begin(&turn, "paws_sync: postpone"))
		return;
	paws_spi_begin();
	paws_queue_postpone(operation, (int64) BACKOFF_MS << Min(operation->attempts, BACKOFF_SHIFT_MAX));
	paws_spi_end();
	paws_worker_commit();
}

/* The one operation that is claimed, in the turn's memory; false if it is gone. */
static bool
look_at(PawsOperation *operation)
{
	MemoryContext turn;
	PawsOperation *found;
	bool there;

	if (!begin(&turn, "paws_sync: look"))
		return false;
	paws_spi_begin();
	there = paws_queue_fetch(claim, &found) == 1;
	if (there)
		*operation = *found;
	paws_spi_end();
	paws_worker_commit();
	operation->envelope = NULL;
	return there;
}

/*
 * After a batch failed: each operation by itself, so that one bad row costs itself alone. What this worker
 * holds in memory stays as it is meanwhile; claim is narrowed to one operation at a time.
 */
static void
apply_one_by_one(void)
{
	PawsClaim *all = palloc(sizeof(PawsClaim));

	memcpy(all, claim, sizeof(PawsClaim));
	for (int i = 0; i < all->count; i++)
	{
		Applied batch = {0};
		PawsOperation operation;
		int sqlstate = 0;

		CHECK_FOR_INTERRUPTS();
		claim->count = 1;
		claim->ids[0] = all->ids[i];
		claim->levels[0] = all->levels[i];
		claim->places[0] = all->places[i];
		claim->subjects[0] = all->subjects[i];
		if (!try_apply(&batch, PAWS_REASON_NONE, false, &sqlstate) && !transient(sqlstate) &&
			look_at(&operation))
			give_up_or_postpone(&operation);
	}
	pfree(all);
}

/* What waited at the start is counted, and the root key is the one that what waits was sealed under. */
static bool
may_choose(void)
{
	return paws_depth_counted(paws_worker_database_slot()) &&
		   paws_vault_match_root(PAWS_ROOT_CARE) != PAWS_ROOT_DIFFERS;
}

/* The first batch after a pause. True if there is something to do. */
static bool
first_choice(void)
{
	static bool fresh = true;
	bool ready;

	if (!paws_worker_begin("paws_sync: choose"))
		return false;
	paws_spi_begin();
	ready = may_choose();
	if (ready && fresh)
		paws_queue_forget(paws_worker_index());
	if (ready)
		choose(paws_worker_database_slot());
	else
		(void) paws_wake_take(paws_worker_database_slot(), PAWS_WAKE_POOL);
	paws_spi_end();
	paws_worker_commit();
	fresh = fresh && !ready;
	return ready && claim->count > 0;
}

/*
 * After the last batch a short rest, deaf to wakes, so that under load many small transactions become fewer:
 * a worker that is idle answers at once, one that has just worked gathers. When others hold what we would
 * work on, we leave it to them and sleep a little, longer each time, open to any wake.
 */
static long
after_success(const Applied *batch)
{
	if (claim->count == 0)
	{
		fruitless = 0;
		gathering = true;
		return GATHER_MS;
	}
	if (batch->done > 0 || batch->avoids)
	{
		fruitless = 0;
		return 0;
	}
	drop_claim();
	return CONTENDED_MS << Min(fruitless++, CONTENDED_SHIFT_MAX);
}

static long
work(void)
{
	Applied batch = {0};
	PawsClaim *before = palloc(sizeof(PawsClaim));
	int sqlstate = 0;

	memcpy(before, claim, sizeof(PawsClaim));
	if (try_apply(&batch, PAWS_REASON_NONE, true, &sqlstate))
		return after_success(&batch);
	/* what was chosen for the next batch went with the transaction */
	memcpy(claim, before, sizeof(PawsClaim));
	if (transient(sqlstate))
	{
		drop_claim();
		return BREATHER_MS;
	}
	apply_one_by_one();
	drop_claim();
	return 0;
}

static long
try_turn(void)
{
	PawsWorkerSlot *self = paws_worker_self();
	long wait;

	if (asleep_slot >= 0)
		paws_wake_awake(asleep_slot, PAWS_WAKE_POOL);
	asleep_slot = -1;
	if (claim == NULL)
	{
		claim = MemoryContextAllocZero(TopMemoryContext, sizeof(PawsClaim));
		drop_claim();
	}
	if (claim->count == 0 && paws_worker_database_slot() >= 0 && leave_to_others(paws_worker_database_slot()))
	{
		gathering = true;
		return GATHER_MS;
	}
	if (!paws_vault_ready(PAWS_ROOT_CARE))
		return paws_poll_interval;
	if (claim->count == 0 && !first_choice())
	{
		wait = paws_avoid_wait();
		return wait > 0 ? wait : paws_poll_interval;
	}
	pg_atomic_write_u32(&self->busy, 1);
	paws_reserve_batch_begin();
	wait = work();
	pg_atomic_write_u32(&self->busy, 0);
	return Max(wait, paws_reserve_batch_end());
}

/* What fails outside of a batch (choosing, looking) costs the turn, not the worker. */
static long
turn(void)
{
	volatile long wait = FAILED_TURN_MS;
	PawsRecord record;

	memset(&record, 0, sizeof(record));
	if (claim)
		record = claim->record;
	PG_TRY();
	{
		wait = try_turn();
	}
	PG_CATCH();
	{
		paws_worker_abort();
		pg_atomic_write_u32(&paws_worker_self()->busy, 0);
		drop_claim();
		claim->record = record; /* what was recorded since went with the transaction */
	}
	PG_END_TRY();
	return wait;
}

/* Declares itself asleep; if work was announced meanwhile, the latch is set so that the sleep is none. */
static void
before_sleep(void)
{
	int slot = paws_worker_database_slot();
	bool resting = gathering;

	gathering = false;
	if (slot < 0 || claim->count > 0 || resting)
		return;
	if (paws_wake_sleep(slot, PAWS_WAKE_POOL))
		asleep_slot = slot;
	else
		SetLatch(MyLatch);
}

void
paws_pool_main(Datum main_arg)
{
	static const PawsWorkerMain pool = {PAWS_WORKER_POOL, PAWS_POOL_ENTRY, turn, before_sleep};

	paws_worker_run(&pool, main_arg);
}

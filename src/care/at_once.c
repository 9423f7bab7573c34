/*
 * care/at_once.c - applying what is pushed in the pusher's own transaction, where nothing is to be before it.
 *
 * What goes through the queue is written twice, and by two processes. So where the queue has nothing to
 * decide, a push applies its operations itself. Nobody waits for that: if the subject's counter is not to be
 * had, the operations are queued.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/database.h"
#include "base/reserve.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "care/care.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "queue/depth.h"
#include "queue/pause.h"
#include "registry/registry.h"
#include "storage/ipc.h"

/* For so long after an error everything is queued: whoever repeats the push finds the pool, which tries its
 * operations one by one. */
#define AFTER_ERROR_US INT64CONST(10000000)

/*
 * Batches of each worker that may wait before a push. So few that they are over in a fraction of a second; so
 * many that a few pushes that met on a subject do not send all others through the queue, which takes more of
 * the machine than to apply them.
 */
#define BATCHES_BEFORE 10

/* Of one database. */
typedef struct AtOnce
{
	pg_atomic_uint32 served;    /* its scheduler runs, and what a start left is counted */
	pg_atomic_uint64 failed_at; /* by paws_clock; 0: never */
} AtOnce;

static AtOnce *databases = NULL;

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(AtOnce));
}

static void
reset(int slot)
{
	pg_atomic_write_u32(&databases[slot].served, 0);
	pg_atomic_write_u64(&databases[slot].failed_at, 0);
}

static void
attach(void *memory, bool found)
{
	databases = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
	{
		pg_atomic_init_u32(&databases[slot].served, 0);
		pg_atomic_init_u64(&databases[slot].failed_at, 0);
	}
}

void
paws_care_init(void)
{
	static const PawsSharedPart part = {"paws_sync at once", size, attach, reset};

	paws_shmem_offer(&part);
}

static void
serve_no_more(int code, Datum slot)
{
	pg_atomic_write_u32(&databases[DatumGetInt32(slot)].served, 0);
}

void
paws_care_serve(int slot)
{
	static int served = -1;

	if (served != slot)
		before_shmem_exit(serve_no_more, Int32GetDatum(slot));
	served = slot;
	pg_atomic_write_u32(&databases[slot].served, 1);
}

static bool
failed_lately(int slot)
{
	int64 failed_at = (int64) pg_atomic_read_u64(&databases[slot].failed_at);

	return failed_at != 0 && paws_clock() < failed_at + AFTER_ERROR_US;
}

/* The transaction that this process applied something in last, and for whom. */
static LocalTransactionId applied_in = InvalidLocalTransactionId;
static int64 applied_for = 0;

/*
 * The counter is locked until the commit, so that must come with the statement, and soon; and a statement
 * that pushes for many locks no more than one. With one snapshot for the transaction a counter that was moved
 * on since would be an error.
 */
static bool
is_short(int64 subject_no, int count)
{
	return XactIsoLevel == XACT_READ_COMMITTED && !IsInTransactionBlock(true) && count <= PAWS_BATCH_MAX &&
		   (applied_in != PAWS_LOCAL_XID(MyProc) || applied_for == subject_no);
}

/* Everything that waits at their levels or above would be overtaken; so that must be little. And nobody
 * overtakes a pause. */
static bool
has_nothing_before(int slot, const PawsOperation *operations, int count)
{
	const bool *paused = paws_paused_levels();
	int lowest = PAWS_LEVEL_ORDINARY_MAX;

	for (int i = 0; i < count; i++)
	{
		if (paused[operations[i].level])
			return false;
		lowest = Min(lowest, operations[i].level);
	}
	return paws_depth_from(slot, lowest) <= (int64) BATCHES_BEFORE * paws_batch_size * paws_pool_size;
}

/* Nobody has locked the tables, as for a new index. And a trigger may fail, which is to cost its operation
 * alone. */
static bool
is_writable(const PawsOperation *operations, int count)
{
	bool branches = false;

	for (int i = 0; i < count; i++)
	{
		const PawsCollection *collection = paws_registry_collection_no(operations[i].collection);

		branches = branches || collection == NULL || collection->on_conflict == PAWS_CONFLICT_BRANCH;
	}
	return paws_store_try_lock(&paws_care_store, branches);
}

static bool
may_apply(int slot, const PawsOperation *operations, int count)
{
	return paws_apply_at_once && pg_atomic_read_u32(&databases[slot].served) != 0 && !failed_lately(slot) &&
		   !paws_reserve_is_held() && is_short(operations[0].subject_no, count) &&
		   has_nothing_before(slot, operations, count) && is_writable(operations, count);
}

static void
count_levels(int slot, const PawsOperation *operations, const PawsApplied *applied, int count)
{
	for (int i = 0; i < count; i++)
		if (applied[i] != PAWS_APPLIED_LATER)
			paws_depth_passed_at_commit(slot, operations[i].level, 1);
}

/* All or nothing: what is queued may have to wait for another session that pushes the same, and nobody is to
 * wait for that session's end with the subject's counter locked. */
static bool
any_blocked(const PawsOperation *operations, int count)
{
	for (int i = 0; i < count; i++)
		if (operations[i].blocked)
			return true;
	return false;
}

/* That a caller gave up, or a lock was not to be had, says nothing of the operations. */
static bool
tells_of_trouble(int sqlstate)
{
	return sqlstate != ERRCODE_QUERY_CANCELED && sqlstate != ERRCODE_LOCK_NOT_AVAILABLE &&
		   ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_OPERATOR_INTERVENTION &&
		   ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_INSUFFICIENT_RESOURCES;
}

int
paws_care_apply_at_once(int slot, PawsOperation *operations, int count, PawsApplied *applied)
{
	volatile int done = 0;

	for (int i = 0; i < count; i++)
		applied[i] = PAWS_APPLIED_LATER;
	if (count == 0 || !may_apply(slot, operations, count))
		return 0;
	PreventCommandIfReadOnly("push");
	PG_TRY();
	{
		paws_queue_find_blocked(operations, count);
		if (!any_blocked(operations, count))
			done = paws_care_apply(slot, operations, count, PAWS_REASON_NONE, applied);
	}
	PG_CATCH();
	{
		if (tells_of_trouble(geterrcode()))
			pg_atomic_write_u64(&databases[slot].failed_at, (uint64) paws_clock());
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (done == 0)
		return 0;
	applied_in = PAWS_LOCAL_XID(MyProc);
	applied_for = operations[0].subject_no;
	count_levels(slot, operations, applied, count);
	return done;
}

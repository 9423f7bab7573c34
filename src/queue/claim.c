/*
 * queue/claim.c - which operations a worker takes next, and who holds what.
 *
 * Two workers may pick the same rows, since picking locks nothing in the table; so what was picked is checked
 * against what the others hold, and published, under PAWS_LOCK_CLAIMS. No SQL runs under that lock.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/shmem.h"
#include "base/spi.h"
#include "base/worker.h"
#include "catalog/pg_type.h"
#include "queue/queue.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

/* What a worker holds; under PAWS_LOCK_CLAIMS. */
typedef struct Held
{
	int slot;
	int count;
	int64 ids[PAWS_BATCH_MAX];
} Held;

static Held *held = NULL; /* [paws_worker_slots()] */

/* What may be chosen, in order. */
typedef struct Candidates
{
	int count;
	int64 *ids;
	int16 *levels;
	int16 *attempts;
} Candidates;

#define READY "(not_before IS NULL OR not_before OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp())"

static PawsStatement pick_urgent = {
	.sql = "SELECT level, id, attempts FROM paws_queue.operation WHERE " READY
		   " ORDER BY level DESC, id LIMIT $1",
	.nargs = 1,
	.types = {INT8OID},
};

static PawsStatement pick_level = {
	.sql =
		"SELECT level, id, attempts FROM paws_queue.operation WHERE level OPERATOR(pg_catalog.=) $2 AND " READY
		" ORDER BY id LIMIT $1",
	.nargs = 2,
	.types = {INT8OID, INT2OID},
};

/* The level whose oldest operation has missed its target by most. */
static PawsStatement find_overdue = {
	.sql =
		"SELECT h.level FROM pg_catalog.generate_series(1, 8) AS l (level) CROSS JOIN LATERAL "
		"(SELECT o.level, o.due_at FROM paws_queue.operation o WHERE o.level OPERATOR(pg_catalog.=) l.level::pg_catalog.int2 "
		"AND " READY
		" ORDER BY o.id LIMIT 1) h WHERE h.due_at OPERATOR(pg_catalog.<) pg_catalog.clock_timestamp() "
		"ORDER BY h.due_at LIMIT 1",
};

static PawsStatement record = {
	.sql =
		"INSERT INTO paws_queue.inflight (worker, ids, recorded_at) VALUES ($1, $2, pg_catalog.clock_timestamp()) "
		"ON CONFLICT (worker) DO UPDATE SET ids = EXCLUDED.ids, recorded_at = EXCLUDED.recorded_at",
	.nargs = 2,
	.types = {INT2OID, INT8ARRAYOID},
};

static Size
size(void)
{
	return mul_size(paws_worker_slots(), sizeof(Held));
}

static void
attach(void *memory, bool found)
{
	held = memory;
	if (!found)
		memset(held, 0, size());
}

void
paws_queue_init(void)
{
	static const PawsSharedPart part = {"paws_sync claims", size, attach, NULL};

	paws_shmem_offer(&part);
}

static int
compare_ids(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/* How many operations of a database the other workers hold. */
static int
held_by_others(int slot, int worker)
{
	int total = 0;

	LWLockAcquire(paws_lock(PAWS_LOCK_CLAIMS), LW_SHARED);
	for (int i = 0; i < paws_worker_slots(); i++)
		if (i != worker && held[i].slot == slot)
			total += held[i].count;
	LWLockRelease(paws_lock(PAWS_LOCK_CLAIMS));
	return total;
}

/* The ids that others hold, ascending; palloc'd with room for what may come meanwhile. */
static int64 *
ids_of_others(int slot, int worker, int *count)
{
	int room = PAWS_BATCH_MAX;
	int64 *ids = palloc(room * sizeof(int64));
	int n = 0;

	for (int i = 0; i < paws_worker_slots(); i++)
	{
		if (i == worker || held[i].slot != slot || held[i].count == 0)
			continue;
		while (n + held[i].count > room)
			ids = repalloc(ids, (room *= 2) * sizeof(int64));
		memcpy(ids + n, held[i].ids, held[i].count * sizeof(int64));
		n += held[i].count;
	}
	qsort(ids, n, sizeof(int64), compare_ids);
	*count = n;
	return ids;
}

/* Takes the first candidates that nobody holds. The caller holds PAWS_LOCK_CLAIMS. */
static void
take(int slot, int worker, const Candidates *candidates, PawsClaim *claim, int limit)
{
	int nothers;
	int64 *others = ids_of_others(slot, worker, &nothers);

	claim->count = 0;
	for (int i = 0; i < candidates->count && claim->count < limit; i++)
	{
		if (bsearch(&candidates->ids[i], others, nothers, sizeof(int64), compare_ids))
			continue;
		/* what failed before is tried alone, so that it harms nobody else */
		if (candidates->attempts[i] > 0 && claim->count > 0)
			break;
		claim->ids[claim->count] = candidates->ids[i];
		claim->levels[claim->count++] = candidates->levels[i];
		if (candidates->attempts[i] > 0)
			break;
	}
}

static void
publish(int slot, int worker, const PawsClaim *claim)
{
	held[worker].slot = slot;
	held[worker].count = claim->count;
	memcpy(held[worker].ids, claim->ids, claim->count * sizeof(int64));
}

/* As many as wanted and, since others may hold the first of them, as many more as others hold. */
static void
pick(int limit, bool overdue, Candidates *candidates)
{
	Datum args[2] = {Int64GetDatum(limit)};
	bool by_level = overdue && paws_spi_run(&find_overdue, NULL, NULL, 1) > 0;

	if (by_level)
		args[1] = Int16GetDatum(paws_spi_int16(0, 1));
	candidates->count = (int) paws_spi_run(by_level ? &pick_level : &pick_urgent, args, NULL, 0);
	candidates->ids = palloc(Max(candidates->count, 1) * sizeof(int64));
	candidates->levels = palloc(Max(candidates->count, 1) * sizeof(int16));
	candidates->attempts = palloc(Max(candidates->count, 1) * sizeof(int16));
	for (int i = 0; i < candidates->count; i++)
	{
		candidates->levels[i] = paws_spi_int16(i, 1);
		candidates->ids[i] = paws_spi_int64(i, 2);
		candidates->attempts[i] = paws_spi_int16(i, 3);
	}
}

static void
record_claim(int worker, const PawsClaim *claim)
{
	Datum *ids = palloc(Max(claim->count, 1) * sizeof(Datum));
	Datum args[2];

	for (int i = 0; i < claim->count; i++)
		ids[i] = Int64GetDatum(claim->ids[i]);
	args[0] = Int16GetDatum(worker);
	args[1] = paws_spi_array(ids, NULL, claim->count, INT8OID);
	paws_spi_run(&record, args, NULL, 0);
}

void
paws_queue_choose(int slot, int worker, int limit, bool overdue, PawsClaim *claim)
{
	Candidates candidates;

	pick(limit + held_by_others(slot, worker), overdue, &candidates);
	LWLockAcquire(paws_lock(PAWS_LOCK_CLAIMS), LW_EXCLUSIVE);
	take(slot, worker, &candidates, claim, limit);
	publish(slot, worker, claim);
	LWLockRelease(paws_lock(PAWS_LOCK_CLAIMS));
	if (claim->count > 0)
		record_claim(worker, claim);
}

static void
release_at_exit(int code, Datum worker)
{
	paws_queue_release(DatumGetInt32(worker));
}

void
paws_queue_release(int worker)
{
	static bool registered = false;

	if (!registered)
	{
		before_shmem_exit(release_at_exit, Int32GetDatum(worker));
		registered = true;
	}
	LWLockAcquire(paws_lock(PAWS_LOCK_CLAIMS), LW_EXCLUSIVE);
	held[worker].count = 0;
	LWLockRelease(paws_lock(PAWS_LOCK_CLAIMS));
}

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

/* Drops what others hold from the candidates. The caller holds PAWS_LOCK_CLAIMS. */
static void
drop_held(int slot, int worker, PawsClaim *candidates, int *attempts, int count, PawsClaim *claim, int limit)
{
	int64 *others = palloc(sizeof(int64) * PAWS_BATCH_MAX * 2);
	int nothers = 0;
	int room = PAWS_BATCH_MAX * 2;

	for (int i = 0; i < paws_worker_slots(); i++)
	{
		if (i == worker || held[i].slot != slot || held[i].count == 0)
			continue;
		while (nothers + held[i].count > room)
			others = repalloc(others, sizeof(int64) * (room *= 2));
		memcpy(others + nothers, held[i].ids, held[i].count * sizeof(int64));
		nothers += held[i].count;
	}
	qsort(others, nothers, sizeof(int64), compare_ids);
	claim->count = 0;
	for (int i = 0; i < count && claim->count < limit; i++)
	{
		if (bsearch(&candidates->ids[i], others, nothers, sizeof(int64), compare_ids))
			continue;
		/* what failed before is tried alone, so that it harms nobody else */
		if (attempts[i] > 0 && claim->count > 0)
			break;
		claim->ids[claim->count] = candidates->ids[i];
		claim->levels[claim->count++] = candidates->levels[i];
		if (attempts[i] > 0)
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

/* Candidates in order: as many as wanted, and as others may hold of them. */
static int
pick(int limit, bool overdue, PawsClaim *candidates, int *attempts)
{
	Datum args[2] = {Int64GetDatum(limit)};
	bool by_level = overdue && paws_spi_run(&find_overdue, NULL, NULL, 1) > 0;
	int found;

	if (by_level)
	{
		args[1] = Int16GetDatum(paws_spi_int16(0, 1));
		found = (int) paws_spi_run(&pick_level, args, NULL, 0);
	}
	else
		found = (int) paws_spi_run(&pick_urgent, args, NULL, 0);
	for (int i = 0; i < found; i++)
	{
		candidates->levels[i] = paws_spi_int16(i, 1);
		candidates->ids[i] = paws_spi_int64(i, 2);
		attempts[i] = paws_spi_int16(i, 3);
	}
	return found;
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
	PawsClaim *candidates = palloc(sizeof(PawsClaim));
	int *attempts = palloc(PAWS_BATCH_MAX * sizeof(int));
	int wanted = Min(limit + held_by_others(slot, worker), PAWS_BATCH_MAX);
	int found = pick(wanted, overdue, candidates, attempts);

	LWLockAcquire(paws_lock(PAWS_LOCK_CLAIMS), LW_EXCLUSIVE);
	drop_held(slot, worker, candidates, attempts, found, claim, limit);
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

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
#include "queue/flow.h"
#include "queue/mark.h"
#include "queue/pause.h"
#include "queue/queue.h"
#include "queue/rule.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

/* What a worker holds; under PAWS_LOCK_CLAIMS. */
typedef struct Held
{
	int slot;
	int count;
	int finishing; /* of these, at the front: what is applied but not committed yet */
	int64 ids[2 * PAWS_BATCH_MAX];
} Held;

static Held *held = NULL; /* [paws_worker_slots()] */

/* What may be chosen, in order. */
typedef struct Candidates
{
	int count;
	int room;
	int64 *ids;
	int64 *ranks;
	int16 *levels;
	int16 *attempts;
	int32 *bytes; /* of the envelope as it is stored */
} Candidates;

/*
 * A batch is held in memory several times over, so it has a size too. What is larger by itself comes alone.
 */
#define BATCH_BYTES (16 * 1024 * 1024)

/* A clock that was set back makes nothing wait longer than the longest that it can have been put off. */
#define READY                                                                                                \
	"(o.not_before IS NULL OR o.not_before OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp() "            \
	"OR o.not_before OPERATOR(pg_catalog.>) (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) "           \
	"'" CppAsString2(PAWS_BACKOFF_MAX_MS) " ms'::pg_catalog.interval))"

#define PLACE "ROW (o.rank, o.id)"

/* The first of each level, and the first that may be served now: mostly the same. */
static PawsStatement find_heads = {
	.sql =
		"SELECT l.level, h.rank, h.id, COALESCE(r.rank, h.rank), COALESCE(r.due_at, h.due_at), "
		"COALESCE(r.enqueued_at, h.enqueued_at), h.ready OR r.rank IS NOT NULL "
		"FROM ROWS FROM (" PAWS_SETS_3 ") AS l (level, rank, id) CROSS JOIN LATERAL "
		"(SELECT o.rank, o.id, o.due_at, o.enqueued_at, " READY " AS ready FROM paws_queue.operation o "
		"WHERE o.level OPERATOR(pg_catalog.=) l.level AND " PLACE
		" OPERATOR(pg_catalog.>=) ROW (l.rank, l.id) "
		"ORDER BY o.rank, o.id LIMIT 1) h LEFT JOIN LATERAL "
		"(SELECT o.rank, o.due_at, o.enqueued_at FROM paws_queue.operation o WHERE NOT h.ready "
		"AND o.level OPERATOR(pg_catalog.=) l.level AND " PLACE
		" OPERATOR(pg_catalog.>) ROW (h.rank, h.id) AND " READY " ORDER BY o.rank, o.id LIMIT 1) r ON true",
	.nargs = 3,
	.types = {INT2ARRAYOID, INT8ARRAYOID, INT8ARRAYOID},
};

static PawsStatement pick_level = {
	.sql = "SELECT o.id, o.rank, o.attempts, COALESCE(pg_catalog.pg_column_size(o.envelope), 0) "
		   "FROM paws_queue.operation o WHERE o.level OPERATOR(pg_catalog.=) $1 "
		   "AND " PLACE " OPERATOR(pg_catalog.>=) ROW ($2, $3) AND " READY " ORDER BY o.rank, o.id LIMIT $4",
	.nargs = 4,
	.types = {INT2OID, INT8OID, INT8OID, INT8OID},
};

/* What was recorded for the batch before is done with; without ids nothing is recorded. */
static PawsStatement record = {
	.sql =
		"WITH done AS (DELETE FROM paws_queue.inflight WHERE worker OPERATOR(pg_catalog.=) $1 "
		"AND batch OPERATOR(pg_catalog.=) $2) INSERT INTO paws_queue.inflight (worker, batch, ids, recorded_at) "
		"SELECT $1, $3, $4, pg_catalog.clock_timestamp() WHERE pg_catalog.cardinality($4) OPERATOR(pg_catalog.>) 0",
	.nargs = 4,
	.types = {INT2OID, INT8OID, INT8OID, INT8ARRAYOID},
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
	int64 bytes = 0;

	claim->count = 0;
	claim->full = false;
	for (int i = 0; i < candidates->count && !claim->full; i++)
	{
		if (bsearch(&candidates->ids[i], others, nothers, sizeof(int64), compare_ids))
			continue;
		/* what failed before is tried alone, so that it harms nobody else */
		if (candidates->attempts[i] > 0 && claim->count > 0)
			break;
		bytes += candidates->bytes[i];
		claim->full = claim->count + 1 >= limit || bytes >= BATCH_BYTES;
		if (bytes > BATCH_BYTES && claim->count > 0)
			break;
		claim->ids[claim->count] = candidates->ids[i];
		claim->ranks[claim->count] = candidates->ranks[i];
		claim->levels[claim->count++] = candidates->levels[i];
		if (candidates->attempts[i] > 0)
			break;
	}
}

/* What is being finished stays held until its commit, beside what was chosen now. */
static void
publish(int slot, int worker, const PawsClaim *finishing, const PawsClaim *chosen)
{
	Held *mine = &held[worker];

	mine->slot = slot;
	mine->finishing = finishing->count;
	mine->count = finishing->count + chosen->count;
	memcpy(mine->ids, finishing->ids, finishing->count * sizeof(int64));
	memcpy(mine->ids + finishing->count, chosen->ids, chosen->count * sizeof(int64));
}

void
paws_queue_settle(int worker)
{
	Held *mine = &held[worker];

	LWLockAcquire(paws_lock(PAWS_LOCK_CLAIMS), LW_EXCLUSIVE);
	mine->count -= mine->finishing;
	memmove(mine->ids, mine->ids + mine->finishing, mine->count * sizeof(int64));
	mine->finishing = 0;
	LWLockRelease(paws_lock(PAWS_LOCK_CLAIMS));
}

/* What the rule is to know of a level, from row `row` of what find_heads found. */
static PawsRuleLevel
describe(int slot, int level, int row)
{
	PawsRuleLevel found = {.waiting = paws_spi_bool(row, 7), .due_at = paws_spi_int64(row, 5)};

	found.target = found.due_at - paws_spi_int64(row, 6);
	if (found.waiting)
		found.age = paws_flow_seen(slot, PAWS_FLOW_OPERATIONS, level, paws_spi_int64(row, 4));
	return found;
}

static void
look_for_heads(int slot, PawsPlace heads[PAWS_MARKS], PawsRuleLevel rule[PAWS_RULE_LEVELS])
{
	PawsSearch search;
	Datum levels[PAWS_MARKS];
	Datum ranks[PAWS_MARKS];
	Datum ids[PAWS_MARKS];
	Datum args[3];
	int rows;

	paws_mark_begin(slot, &search);
	memset(rule, 0, PAWS_RULE_LEVELS * sizeof(PawsRuleLevel));
	for (int level = 0; level < PAWS_MARKS; level++)
		heads[level] = PAWS_PLACE_NONE;
	for (int level = 1; level < PAWS_MARKS; level++)
	{
		levels[level - 1] = Int16GetDatum(level);
		ranks[level - 1] = Int64GetDatum(search.from[level].rank);
		ids[level - 1] = Int64GetDatum(search.from[level].id);
	}
	args[0] = paws_spi_array(levels, NULL, PAWS_MARKS - 1, INT2OID);
	args[1] = paws_spi_array(ranks, NULL, PAWS_MARKS - 1, INT8OID);
	args[2] = paws_spi_array(ids, NULL, PAWS_MARKS - 1, INT8OID);
	rows = (int) paws_spi_run(&find_heads, args, NULL, 0);
	for (int row = 0; row < rows; row++)
	{
		int level = paws_spi_int16(row, 1);

		heads[level] = (PawsPlace){paws_spi_int64(row, 2), paws_spi_int64(row, 3)};
		rule[level] = describe(slot, level, row);
	}
	for (int level = 1; level < PAWS_MARKS; level++)
		if (!rule[level].waiting)
			paws_flow_seen(slot, PAWS_FLOW_OPERATIONS, level, PAWS_FLOW_NONE);
	paws_mark_raise_at_commit(slot, &search, heads);
}

static int
pick_from_level(int level, PawsPlace from, Candidates *candidates)
{
	int wanted = candidates->room - candidates->count;
	Datum args[4] = {Int16GetDatum(level), Int64GetDatum(from.rank), Int64GetDatum(from.id),
					 Int64GetDatum(wanted)};
	int found = (int) paws_spi_run(&pick_level, args, NULL, 0);

	for (int row = 0; row < found; row++)
	{
		candidates->ids[candidates->count] = paws_spi_int64(row, 1);
		candidates->ranks[candidates->count] = paws_spi_int64(row, 2);
		candidates->attempts[candidates->count] = paws_spi_int16(row, 3);
		candidates->bytes[candidates->count] = paws_spi_int32(row, 4);
		candidates->levels[candidates->count++] = level;
	}
	return found;
}

static void
make_room(Candidates *candidates, int room)
{
	candidates->count = 0;
	candidates->room = room;
	candidates->ids = palloc(room * sizeof(int64));
	candidates->ranks = palloc(room * sizeof(int64));
	candidates->levels = palloc(room * sizeof(int16));
	candidates->attempts = palloc(room * sizeof(int16));
	candidates->bytes = palloc(room * sizeof(int32));
}

/*
 * As many as wanted and, since others may hold the first of them, as many more as others hold. What a
 * guaranteed claim leaves room for is filled like any other.
 */
static void
pick(int slot, int wanted, bool guaranteed, Candidates *candidates)
{
	const bool *paused = paws_paused_levels();
	PawsPlace heads[PAWS_MARKS];
	PawsRuleLevel rule[PAWS_RULE_LEVELS];
	TimestampTz now = GetCurrentTimestamp();

	look_for_heads(slot, heads, rule);
	make_room(candidates, wanted);
	for (int level = 1; level < PAWS_RULE_LEVELS; level++)
		rule[level].paused = paused[level];
	while (candidates->count < wanted)
	{
		int level = paws_rule_next(rule, now, guaranteed);

		if (level == 0 && !guaranteed)
			break;
		if (level == 0 || pick_from_level(level, heads[level], candidates) > 0)
			guaranteed = false;
		rule[level].waiting = false;
	}
}

/* Newcomers are not ranked before what is being served. */
static void
note_served(int slot, const PawsClaim *claim)
{
	int64 served[PAWS_MARKS] = {0};

	for (int i = 0; i < claim->count; i++)
		served[claim->levels[i]] = Max(served[claim->levels[i]], claim->ranks[i]);
	for (int level = 1; level < PAWS_MARKS; level++)
		if (served[level] > 0)
			paws_flow_served(slot, PAWS_FLOW_OPERATIONS, level, served[level]);
}

/* Batches are numbered upwards from the time of the first, so that no number comes twice, whoever has the
 * slot. */
static void
record_claim(int worker, PawsClaim *claim)
{
	Datum *ids = palloc(Max(claim->count, 1) * sizeof(Datum));
	int64 batch = Max(claim->batch + 1, GetCurrentTimestamp());
	Datum args[4] = {Int16GetDatum(worker), Int64GetDatum(claim->batch), Int64GetDatum(batch)};

	if (claim->count == 0 && claim->batch == 0)
		return;
	for (int i = 0; i < claim->count; i++)
		ids[i] = Int64GetDatum(claim->ids[i]);
	args[3] = paws_spi_array(ids, NULL, claim->count, INT8OID);
	paws_spi_run(&record, args, NULL, 0);
	claim->batch = claim->count > 0 ? batch : 0;
}

void
paws_queue_choose(int slot, int worker, int limit, bool guaranteed, PawsClaim *claim)
{
	Candidates candidates;
	PawsClaim *finishing = palloc(sizeof(PawsClaim));

	memcpy(finishing, claim, sizeof(PawsClaim));
	pick(slot, limit + held_by_others(slot, worker), guaranteed, &candidates);
	LWLockAcquire(paws_lock(PAWS_LOCK_CLAIMS), LW_EXCLUSIVE);
	take(slot, worker, &candidates, claim, limit);
	publish(slot, worker, finishing, claim);
	LWLockRelease(paws_lock(PAWS_LOCK_CLAIMS));
	note_served(slot, claim);
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
	held[worker].count = held[worker].finishing = 0;
	LWLockRelease(paws_lock(PAWS_LOCK_CLAIMS));
}

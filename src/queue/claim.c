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
#include "queue/mark.h"
#include "queue/queue.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

/* What a worker holds; under PAWS_LOCK_CLAIMS. */
typedef struct Held
{
	int slot;
	int count;
	int finishing;                      /* of these, at the front: what is applied but not committed yet */
	int64 subjects[2 * PAWS_BATCH_MAX]; /* of each; one that is held is another worker's business no more */
} Held;

static Held *held = NULL; /* [paws_worker_slots()] */

/* What may be chosen, in order. */
typedef struct Candidates
{
	int count;
	int room;
	int64 *ids;
	int64 *subjects;
	int16 *levels;
	int16 *attempts;
	int32 *bytes; /* of the envelope as it is stored */
	ItemPointerData *places;
} Candidates;

/*
 * A batch is held in memory several times over, so it has a size too. What is larger by itself comes alone.
 */
#define BATCH_BYTES (16 * 1024 * 1024)

/* The first waiting operation of each level; id PAWS_MARK_NONE for an empty one. */
typedef struct Heads
{
	int64 id[PAWS_MARKS];
	int overdue; /* the level whose first operation has missed its target by most; 0 if none has */
} Heads;

#define READY "(not_before IS NULL OR not_before OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp())"

static PawsStatement find_heads = {
	.sql =
		"SELECT l.level, h.id, h.due_at FROM ROWS FROM (" PAWS_SETS_2
		") AS l (level, mark) CROSS JOIN LATERAL "
		"(SELECT o.id, CASE WHEN " READY " THEN o.due_at END AS due_at FROM paws_queue.operation o "
		"WHERE o.level OPERATOR(pg_catalog.=) l.level AND o.id OPERATOR(pg_catalog.>=) l.mark ORDER BY o.id LIMIT 1) h "
		"ORDER BY h.due_at NULLS LAST",
	.nargs = 2,
	.types = {INT2ARRAYOID, INT8ARRAYOID},
};

static PawsStatement pick_level = {
	.sql =
		"SELECT id, attempts, COALESCE(pg_catalog.pg_column_size(envelope), 0), ctid, subject_no FROM paws_queue.operation "
		"WHERE level OPERATOR(pg_catalog.=) $1 "
		"AND id OPERATOR(pg_catalog.>=) $2 AND " READY " ORDER BY id LIMIT $3",
	.nargs = 3,
	.types = {INT2OID, INT8OID, INT8OID},
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
compare_subjects(const void *a, const void *b)
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

/* The subjects of what others hold, ascending; palloc'd with room for what may come meanwhile. */
static int64 *
subjects_of_others(int slot, int worker, int *count)
{
	int room = PAWS_BATCH_MAX;
	int64 *subjects = palloc(room * sizeof(int64));
	int n = 0;

	for (int i = 0; i < paws_worker_slots(); i++)
	{
		if (i == worker || held[i].slot != slot || held[i].count == 0)
			continue;
		while (n + held[i].count > room)
			subjects = repalloc(subjects, (room *= 2) * sizeof(int64));
		memcpy(subjects + n, held[i].subjects, held[i].count * sizeof(int64));
		n += held[i].count;
	}
	qsort(subjects, n, sizeof(int64), compare_subjects);
	*count = n;
	return subjects;
}

/*
 * Takes the first candidates of subjects that nobody holds: who applies something of a subject has its
 * counter until the commit, and another one could only leave it. The caller holds PAWS_LOCK_CLAIMS.
 */
static void
take(int slot, int worker, const Candidates *candidates, PawsClaim *claim, int limit)
{
	int nothers;
	int64 *others = subjects_of_others(slot, worker, &nothers);
	int64 bytes = 0;

	claim->count = 0;
	claim->full = false;
	for (int i = 0; i < candidates->count && !claim->full; i++)
	{
		if (bsearch(&candidates->subjects[i], others, nothers, sizeof(int64), compare_subjects))
			continue;
		/* what failed before is tried alone, so that it harms nobody else */
		if (candidates->attempts[i] > 0 && claim->count > 0)
			break;
		bytes += candidates->bytes[i];
		claim->full = claim->count + 1 >= limit || bytes >= BATCH_BYTES;
		if (bytes > BATCH_BYTES && claim->count > 0)
			break;
		claim->ids[claim->count] = candidates->ids[i];
		claim->subjects[claim->count] = candidates->subjects[i];
		claim->places[claim->count] = candidates->places[i];
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
	memcpy(mine->subjects, finishing->subjects, finishing->count * sizeof(int64));
	memcpy(mine->subjects + finishing->count, chosen->subjects, chosen->count * sizeof(int64));
}

void
paws_queue_settle(int worker)
{
	Held *mine = &held[worker];

	LWLockAcquire(paws_lock(PAWS_LOCK_CLAIMS), LW_EXCLUSIVE);
	mine->count -= mine->finishing;
	memmove(mine->subjects, mine->subjects + mine->finishing, mine->count * sizeof(int64));
	mine->finishing = 0;
	LWLockRelease(paws_lock(PAWS_LOCK_CLAIMS));
}

static void
look_for_heads(int slot, Heads *heads)
{
	PawsSearch search;
	Datum levels[PAWS_MARKS];
	Datum marks[PAWS_MARKS];
	Datum args[2];
	int rows;

	paws_mark_begin(slot, &search);
	heads->overdue = 0;
	heads->id[0] = PAWS_MARK_NONE;
	for (int level = 1; level < PAWS_MARKS; level++)
	{
		levels[level - 1] = Int16GetDatum(level);
		marks[level - 1] = Int64GetDatum(search.from[level]);
		heads->id[level] = PAWS_MARK_NONE;
	}
	args[0] = paws_spi_array(levels, NULL, PAWS_MARKS - 1, INT2OID);
	args[1] = paws_spi_array(marks, NULL, PAWS_MARKS - 1, INT8OID);
	rows = (int) paws_spi_run(&find_heads, args, NULL, 0);
	for (int row = 0; row < rows; row++)
	{
		int level = paws_spi_int16(row, 1);
		bool isnull;
		Datum due_at = paws_spi_column(row, 3, &isnull);

		heads->id[level] = paws_spi_int64(row, 2);
		if (row == 0 && !isnull && DatumGetTimestampTz(due_at) < GetCurrentTimestamp())
			heads->overdue = level;
	}
	paws_mark_raise_at_commit(slot, &search, heads->id);
}

static void
pick_from_level(int level, int64 from, Candidates *candidates)
{
	int wanted = candidates->room - candidates->count;
	Datum args[3] = {Int16GetDatum(level), Int64GetDatum(from), Int64GetDatum(wanted)};
	int found = (int) paws_spi_run(&pick_level, args, NULL, 0);

	for (int row = 0; row < found; row++)
	{
		bool isnull;

		candidates->ids[candidates->count] = paws_spi_int64(row, 1);
		candidates->attempts[candidates->count] = paws_spi_int16(row, 2);
		candidates->bytes[candidates->count] = paws_spi_int32(row, 3);
		candidates->subjects[candidates->count] = paws_spi_int64(row, 5);
		candidates->places[candidates->count] =
			*(ItemPointer) DatumGetPointer(paws_spi_column(row, 4, &isnull));
		candidates->levels[candidates->count++] = level;
	}
}

/* As many as wanted and, since others may hold the first of them, as many more as others hold. */
static void
pick(int slot, int wanted, bool overdue, Candidates *candidates)
{
	Heads heads;

	look_for_heads(slot, &heads);
	candidates->count = 0;
	candidates->room = wanted;
	candidates->ids = palloc(wanted * sizeof(int64));
	candidates->subjects = palloc(wanted * sizeof(int64));
	candidates->levels = palloc(wanted * sizeof(int16));
	candidates->attempts = palloc(wanted * sizeof(int16));
	candidates->bytes = palloc(wanted * sizeof(int32));
	candidates->places = palloc(wanted * sizeof(ItemPointerData));
	if (overdue && heads.overdue > 0)
		pick_from_level(heads.overdue, heads.id[heads.overdue], candidates);
	else
		for (int level = PAWS_MARKS - 1; level > 0 && candidates->count < wanted; level--)
			if (heads.id[level] != PAWS_MARK_NONE)
				pick_from_level(level, heads.id[level], candidates);
}

void
paws_queue_choose(int slot, int worker, int limit, bool overdue, PawsClaim *claim)
{
	Candidates candidates;
	PawsClaim *finishing = palloc(sizeof(PawsClaim));

	memcpy(finishing, claim, sizeof(PawsClaim));
	pick(slot, limit + held_by_others(slot, worker), overdue, &candidates);
	LWLockAcquire(paws_lock(PAWS_LOCK_CLAIMS), LW_EXCLUSIVE);
	take(slot, worker, &candidates, claim, limit);
	publish(slot, worker, finishing, claim);
	LWLockRelease(paws_lock(PAWS_LOCK_CLAIMS));
	paws_queue_record(worker, claim);
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

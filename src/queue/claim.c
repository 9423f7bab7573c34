/*
 * queue/claim.c - which operations a worker takes next, and who holds what.
 *
 * Two workers may pick the same rows, since picking locks nothing in the table; so what was picked is checked
 * against what the others hold, and published, under PAWS_LOCK_CLAIMS. No SQL runs under that lock.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/shmem.h"
#include "base/worker.h"
#include "queue/mark.h"
#include "queue/pick.h"
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
take(int slot, int worker, const PawsCandidates *candidates, PawsClaim *claim, int limit)
{
	int nothers;
	int64 *others = subjects_of_others(slot, worker, &nothers);
	int64 bytes = 0;

	claim->count = 0;
	claim->full = false;
	for (int i = 0; i < candidates->count && !claim->full; i++)
	{
		const PawsCandidate *candidate = &candidates->rows[i];

		if (bsearch(&candidate->subject_no, others, nothers, sizeof(int64), compare_subjects))
			continue;
		/* what failed before is tried alone, so that it harms nobody else */
		if (candidate->attempts > 0 && claim->count > 0)
			break;
		bytes += candidate->bytes;
		claim->full = claim->count + 1 >= limit || bytes >= BATCH_BYTES;
		if (bytes > BATCH_BYTES && claim->count > 0)
			break;
		claim->ids[claim->count] = candidate->id;
		claim->subjects[claim->count] = candidate->subject_no;
		claim->places[claim->count] = candidate->place;
		claim->levels[claim->count++] = candidate->level;
		if (candidate->attempts > 0)
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
look_for_heads(int slot, PawsPick *pick, PawsSearch *search, Heads *heads)
{
	TimestampTz most = pick->now;

	heads->overdue = 0;
	heads->id[0] = PAWS_MARK_NONE;
	for (int level = 1; level < PAWS_MARKS; level++)
	{
		PawsHeadOf head;

		heads->id[level] = PAWS_MARK_NONE;
		if (search->from[level] == PAWS_MARK_NONE || !paws_pick_head(pick, level, search->from[level], &head))
			continue;
		heads->id[level] = head.id;
		if (head.ready && head.due_at < most)
		{
			heads->overdue = level;
			most = head.due_at;
		}
	}
	paws_mark_raise_at_commit(slot, search, heads->id);
}

/* As many as wanted and, since others may hold the first of them, as many more as others hold. */
static void
pick(int slot, int wanted, bool overdue, PawsCandidates *candidates)
{
	PawsSearch search;
	PawsPick pick;
	Heads heads;

	candidates->count = 0;
	candidates->room = wanted;
	candidates->rows = palloc(wanted * sizeof(PawsCandidate));
	paws_mark_begin(slot, &search);
	paws_pick_begin(&pick);
	look_for_heads(slot, &pick, &search, &heads);
	if (overdue && heads.overdue > 0)
		paws_pick_level(&pick, heads.overdue, heads.id[heads.overdue], candidates);
	else
		for (int level = PAWS_MARKS - 1; level > 0 && candidates->count < wanted; level--)
			if (heads.id[level] != PAWS_MARK_NONE)
				paws_pick_level(&pick, level, heads.id[level], candidates);
	paws_pick_end(&pick);
}

void
paws_queue_choose(int slot, int worker, int limit, bool overdue, PawsClaim *claim)
{
	PawsCandidates candidates;
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

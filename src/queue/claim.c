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
#include "queue/avoid.h"
#include "queue/flow.h"
#include "queue/mark.h"
#include "queue/narrow.h"
#include "queue/pause.h"
#include "queue/pick.h"
#include "queue/queue.h"
#include "queue/rule.h"
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

/* How many batches are looked at to choose one. */
#define BATCHES_SEEN 2

/* The part of a batch that raised subjects may take, so that one with very much holds nobody up. */
#define RAISED_PART 2

/* Raised subjects that one choice looks at. */
#define RAISED_LOOKS 64

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
 * Leaves out the subjects that others hold, workers or (queue/avoid.h) other sessions: who applies something
 * of a subject has its counter until the commit, and another one could only leave it. The caller holds
 * PAWS_LOCK_CLAIMS.
 */
static void
leave_held(int slot, int worker, PawsCandidates *candidates)
{
	int nothers;
	int64 *others = subjects_of_others(slot, worker, &nothers);
	int raised = 0;
	int left = 0;

	for (int i = 0; i < candidates->count; i++)
	{
		if (paws_avoided(candidates->rows[i].subject_no) ||
			bsearch(&candidates->rows[i].subject_no, others, nothers, sizeof(int64), compare_subjects))
			continue;
		raised += i < candidates->raised;
		candidates->rows[left++] = candidates->rows[i];
	}
	candidates->raised = raised;
	candidates->count = left;
}

/* A batch of few subjects, beside what is raised. */
static void
narrow(PawsCandidates *candidates, int limit)
{
	int from = candidates->raised;
	int count = candidates->count - from;
	PawsNarrow *rows = palloc(Max(count, 1) * sizeof(PawsNarrow));
	PawsNarrowShare *shares = palloc(Max(count, 1) * sizeof(PawsNarrowShare));
	int left = from;

	for (int i = 0; i < count; i++)
		rows[i] =
			(PawsNarrow){candidates->rows[from + i].subject_no, candidates->rows[from + i].level, false};
	paws_narrow(rows, count, Max(limit - from, 1), shares);
	for (int i = 0; i < count; i++)
		if (rows[i].kept)
			candidates->rows[left++] = candidates->rows[from + i];
	candidates->count = left;
}

/* Takes the first of the candidates. */
static void
take(const PawsCandidates *candidates, PawsClaim *claim, int limit)
{
	int64 bytes = 0;

	claim->count = 0;
	claim->full = false;
	for (int i = 0; i < candidates->count && !claim->full; i++)
	{
		const PawsCandidate *candidate = &candidates->rows[i];

		/* what failed before is tried alone, so that it harms nobody else */
		if (candidate->attempts > 0 && claim->count > 0)
			break;
		bytes += candidate->bytes;
		claim->full = claim->count + 1 >= limit || bytes >= BATCH_BYTES;
		if (bytes > BATCH_BYTES && claim->count > 0)
			break;
		claim->ids[claim->count] = candidate->id;
		claim->ranks[claim->count] = candidate->rank;
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

/* What the rule is to know of a level. */
static PawsRuleLevel
describe(int slot, int level, const PawsHeadOf *head)
{
	PawsRuleLevel found = {.waiting = head->ready, .due_at = head->due_at};

	found.target = head->due_at - head->enqueued_at;
	if (found.waiting)
		found.age = paws_flow_seen(slot, PAWS_FLOW_OPERATIONS, level, head->rank);
	return found;
}

/* A level whose mark says that nothing waits is not looked at; who puts something there lowers it first, and
 * wakes a worker then. */
static void
look_for_heads(int slot, PawsPick *pick, const PawsSearch *search, PawsPlace heads[PAWS_MARKS],
			   PawsRuleLevel rule[PAWS_RULE_LEVELS])
{
	memset(rule, 0, PAWS_RULE_LEVELS * sizeof(PawsRuleLevel));
	heads[0] = PAWS_PLACE_NONE;
	for (int level = 1; level < PAWS_MARKS; level++)
	{
		PawsHeadOf head;

		heads[level] = PAWS_PLACE_NONE;
		if (paws_place_before(search->from[level], PAWS_PLACE_NONE) &&
			paws_pick_head(pick, level, search->from[level], &head))
		{
			heads[level] = head.first;
			rule[level] = describe(slot, level, &head);
		}
		if (!rule[level].waiting)
			paws_flow_seen(slot, PAWS_FLOW_OPERATIONS, level, PAWS_FLOW_NONE);
	}
	paws_mark_raise_at_commit(slot, search, heads);
}

/* What a guaranteed claim leaves room for is filled like any other. Returns the level that it is for, 0 for
 * none. */
static int
pick_levels(PawsPick *pick, bool guaranteed, const PawsPlace heads[PAWS_MARKS],
			PawsRuleLevel rule[PAWS_RULE_LEVELS], PawsCandidates *candidates)
{
	int late = 0;

	while (candidates->count < candidates->room)
	{
		int level = paws_rule_next(rule, pick->now, guaranteed);

		if (level == 0 && !guaranteed)
			break;
		if (guaranteed)
			late = level;
		if (level == 0 || paws_pick_level(pick, level, heads[level], candidates) > 0)
			guaranteed = false;
		rule[level].waiting = false;
	}
	return late;
}

static int
compare_ids(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/* What is raised comes first, and not again at its level. */
static void
leave_out_twice(PawsCandidates *candidates)
{
	int64 *ids = palloc(Max(candidates->raised, 1) * sizeof(int64));
	int left = candidates->raised;

	if (left == 0)
		return;
	for (int i = 0; i < candidates->raised; i++)
		ids[i] = candidates->rows[i].id;
	qsort(ids, candidates->raised, sizeof(int64), compare_ids);
	for (int i = candidates->raised; i < candidates->count; i++)
		if (!bsearch(&candidates->rows[i].id, ids, candidates->raised, sizeof(int64), compare_ids))
			candidates->rows[left++] = candidates->rows[i];
	candidates->count = left;
}

/* Returns the level that a guaranteed claim is for, 0 for none. `raised`: most that comes first for its
 * subject's sake. */
static int
pick(int slot, int wanted, int raised, bool guaranteed, PawsCandidates *candidates)
{
	const bool *paused = paws_paused_levels();
	PawsRaisedLook looks[RAISED_LOOKS];
	int nlooks = raised > 0 ? paws_raise_looks(slot, PAWS_RAISED_OPERATIONS, looks, RAISED_LOOKS) : 0;
	PawsSearch search;
	PawsPick pick;
	PawsPlace heads[PAWS_MARKS];
	PawsRuleLevel rule[PAWS_RULE_LEVELS];
	int late;

	candidates->count = 0;
	candidates->room = wanted + raised;
	candidates->rows = palloc(candidates->room * sizeof(PawsCandidate));
	paws_mark_begin(slot, &search);
	paws_pick_begin(&pick);
	candidates->raised = paws_pick_raised(slot, &pick, looks, nlooks, paused, raised, candidates);
	candidates->room = wanted + candidates->raised;
	look_for_heads(slot, &pick, &search, heads, rule);
	for (int level = 1; level < PAWS_RULE_LEVELS; level++)
		rule[level].paused = paused[level];
	late = pick_levels(&pick, guaranteed, heads, rule, candidates);
	paws_pick_end(&pick);
	leave_out_twice(candidates);
	return late;
}

static bool
takes_from(const PawsClaim *claim, int level)
{
	for (int i = 0; i < claim->count; i++)
		if (claim->levels[i] == level)
			return true;
	return false;
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

void
paws_queue_choose(int slot, int worker, int limit, bool guaranteed, PawsClaim *claim)
{
	PawsCandidates candidates;
	PawsClaim *finishing = palloc(sizeof(PawsClaim));
	int late;

	memcpy(finishing, claim, sizeof(PawsClaim));
	/* so many that a batch may be narrowed, and, since others may hold the first of them, as many more */
	guaranteed = guaranteed || claim->owed;
	late = pick(slot, BATCHES_SEEN * limit + held_by_others(slot, worker),
				guaranteed ? 0 : (limit + 1) / RAISED_PART, guaranteed, &candidates);
	LWLockAcquire(paws_lock(PAWS_LOCK_CLAIMS), LW_EXCLUSIVE);
	leave_held(slot, worker, &candidates);
	narrow(&candidates, limit);
	take(&candidates, claim, limit);
	publish(slot, worker, finishing, claim);
	LWLockRelease(paws_lock(PAWS_LOCK_CLAIMS));
	claim->owed = late > 0 && !takes_from(claim, late);
	note_served(slot, claim);
	paws_queue_record(worker, claim);
}

void
paws_queue_choose_none(int slot, int worker, PawsClaim *claim)
{
	PawsClaim *finishing = palloc(sizeof(PawsClaim));

	memcpy(finishing, claim, sizeof(PawsClaim));
	claim->count = 0;
	claim->full = false;
	LWLockAcquire(paws_lock(PAWS_LOCK_CLAIMS), LW_EXCLUSIVE);
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

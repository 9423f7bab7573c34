/*
 * crisis/crisis.c - applying crisis operations inline.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/commit.h"
#include "base/guarded.h"
#include "base/reserve.h"
#include "base/settings.h"
#include "base/wake.h"
#include "crisis/audit.h"
#include "crisis/canary.h"
#include "crisis/crisis.h"
#include "crisis/queue.h"
#include "utils/timestamp.h"

/* Few: a crisis push may have to wait for a lock of this. */
#define SLICE 20

/* One call acknowledges in both lanes, and no tier is known here: so that time is as coarse as it may be in
 * any. */
PawsStore paws_crisis_store = {.schema = "paws_crisis",
							   .lane = PAWS_LANE_CRISIS,
							   .keys = PAWS_KEYS_CRISIS,
							   .done = PAWS_CLOCK_CRISIS,
							   .acknowledged = PAWS_CLOCK_SLOW};

/* An answer that was given where it failed is none. */
static void
forget_answers(PawsChange *changes, int count)
{
	for (int i = 0; i < count; i++)
	{
		changes[i].skipped = changes[i].repeated = false;
		changes[i].outcome = 0;
		changes[i].reason = PAWS_REASON_NONE;
		changes[i].revision = changes[i].position = 0;
	}
}

/* For paws_run_guarded. */
typedef struct Waiting
{
	int slot;
	PawsChange *changes;
	int count;
} Waiting;

/*
 * What waits comes first, and then the changes. Whoever holds the counter is waited for by the first of
 * these. What is too much for this commit, or waits for keys, is left to the workers, and all that follows
 * waits with it.
 */
static void
apply_waiting(void *arg)
{
	Waiting *waiting = arg;
	int64 subject_no = waiting->changes[0].subject_no;
	bool more;

	if (!paws_crisis_queue_drain(waiting->slot, subject_no, PAWS_CRISIS_DRAIN_MAX, true, &more))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("crisis operations wait that go first"),
						errhint("They are more than a push applies, or need keys: see status().")));
	paws_store_apply(&paws_crisis_store, waiting->changes, waiting->count, true);
}

/* What waits and fails must not fail this push, and what is locked, or was changed after the one snapshot
 * that its transaction has, must not hold it up. */
static bool
forgive(int sqlstate)
{
	return sqlstate != ERRCODE_T_R_SERIALIZATION_FAILURE || IsolationUsesXactSnapshot();
}

/* In steady flow nothing waits and nobody holds the counter: no savepoint, no lock waited for. */
static bool
apply_at_once(PawsChange *changes, int count)
{
	if (IsolationUsesXactSnapshot() || paws_crisis_queue_waits(changes[0].subject_no))
		return false;
	paws_store_apply(&paws_crisis_store, changes, count, false);
	return !changes[0].skipped;
}

StaticAssertDecl(sizeof(PawsVaultHint) <= PAWS_WAKE_HINT_BYTES, "a hint does not fit");

/* Who waits gets ready while the commit is flushed; for the last change of a push, which is mostly the only
 * one. */
static void
announce(int slot, const PawsChange *last)
{
	void *hint = paws_wake_key_before_commit(slot, last->subject_no);

	if (last->envelope)
		(void) paws_vault_hint(last->envelope, hint);
}

void
paws_crisis_apply(int slot, PawsChange *changes, int count)
{
	Waiting waiting = {slot, changes, count};
	bool applied;
	int64 begun_at;
	int64 bytes = 0;

	if (count == 0)
		return;
	begun_at = paws_reserve_crisis_begin();
	applied = !paws_canary_by_queue && apply_at_once(changes, count);
	if (!applied && !paws_canary_by_queue)
	{
		forget_answers(changes, count);
		applied = paws_run_guarded(apply_waiting, &waiting, forgive);
	}
	if (!applied)
	{
		forget_answers(changes, count);
		paws_store_require_subject(&paws_crisis_store, changes[0].subject_no);
		paws_crisis_queue_put(slot, changes, count);
	}
	paws_crisis_audit_changes(slot, applied ? PAWS_AUDIT_APPLIED : PAWS_AUDIT_QUEUED, changes, count);
	for (int i = 0; i < count; i++)
		bytes += changes[i].envelope ? VARSIZE_ANY_EXHDR(changes[i].envelope) : 0;
	paws_reserve_crisis_end(begun_at, bytes);
	paws_commit_of_crisis();
	/* one push is of one subject */
	announce(slot, &changes[count - 1]);
	paws_wake_key_at_commit(slot, changes[0].subject_no);
}

bool
paws_crisis_expire(int64 *walk)
{
	PawsExpiry expiries[SLICE];
	int count = paws_store_walk(&paws_crisis_store, *walk, expiries, SLICE);

	if (count == 0)
		return true;
	for (int i = 0; i < count; i++)
		expiries[i].cutoff = DT_NOBEGIN;
	/* a slice with more to drop is looked at again */
	if (!paws_store_expire(&paws_crisis_store, expiries, count))
		return false;
	*walk = expiries[count - 1].subject_no;
	return count < SLICE;
}

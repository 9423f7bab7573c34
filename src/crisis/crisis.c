/*
 * crisis/crisis.c - applying crisis operations inline.
 */
#include "postgres.h"

#include "base/reserve.h"
#include "base/wake.h"
#include "crisis/crisis.h"
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

void
paws_crisis_apply(int slot, PawsChange *changes, int count)
{
	int64 begun_at;
	int64 bytes = 0;

	if (count == 0)
		return;
	begun_at = paws_reserve_crisis_begin();
	paws_store_apply(&paws_crisis_store, changes, count, true);
	for (int i = 0; i < count; i++)
		bytes += changes[i].envelope ? VARSIZE_ANY_EXHDR(changes[i].envelope) : 0;
	paws_reserve_crisis_end(begun_at, bytes);
	/* one push is of one subject */
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

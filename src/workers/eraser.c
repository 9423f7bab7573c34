/*
 * workers/eraser.c - rows of forgotten subjects, and the dates of their erasure.
 *
 * Rows go soon. But who was at work when the subject was forgotten may write for it yet; so those that are
 * cleared settle together, and when all of before are done their last rows go.
 */
#include "postgres.h"

#include "base/fault.h"
#include "base/log_safe.h"
#include "base/settings.h"
#include "base/settle.h"
#include "care/care.h"
#include "crisis/crisis.h"
#include "crisis/queue.h"
#include "crisis/signal.h"
#include "queue/job.h"
#include "queue/queue.h"
#include "store/reseal.h"
#include "utils/timestamp.h"
#include "vault/erasure.h"
#include "vault/origin.h"
#include "workers/eraser.h"
#include "workers/keeper.h"
#include "workers/rotation.h"

#define SUBJECT_SLICE 10
#define ROW_SLICE     200 /* of each table */

/*
 * True when no row is left of the subject. The queue first, for what is applied meanwhile is seen in the
 * store; and before the counter, without which a worker cannot apply.
 */
static bool
remove_rows(int slot, const PawsErasure *erasure, int64 *removed)
{
	bool queue = paws_crisis_queue_drop_subject(erasure->subject_no, ROW_SLICE, removed);
	bool signals = paws_signals_drop_subject(erasure->subject_no, ROW_SLICE, removed);
	bool crisis = paws_store_forget(&paws_crisis_store, erasure->subject_no, ROW_SLICE, removed);

	paws_store_forget_devices(&paws_crisis_store, erasure->devices);
	paws_store_forget_devices(&paws_care_store, erasure->devices);
	return paws_queue_drop_subject(slot, erasure->subject_no, ROW_SLICE, removed) &&
		   paws_job_drop_subject(slot, erasure->subject_no, ROW_SLICE, removed) &&
		   paws_store_forget(&paws_care_store, erasure->subject_no, ROW_SLICE, removed) && crisis && queue &&
		   signals;
}

/* Ms until the next slice; PAWS_KEEPER_IDLE if no erasure is in this state. */
static long
remove_for(int slot, PawsErasureState state, void (*done)(const PawsErasure *erasure))
{
	PawsErasure erasures[SUBJECT_SLICE];
	int count = paws_erasures_in_state(state, erasures, SUBJECT_SLICE);
	int64 progress = 0;

	for (int i = 0; i < count && progress < ROW_SLICE; i++)
	{
		if (remove_rows(slot, &erasures[i], &progress))
		{
			done(&erasures[i]);
			progress++;
		}
		PAWS_FAULT();
	}
	if (count == 0)
		return PAWS_KEEPER_IDLE;
	return progress > 0 ? 0 : PAWS_SETTLE_MS;
}

/* Those that settle do so together; the next ones begin when they are through. */
static long
settle(int slot)
{
	static PawsSettling settling;
	PawsErasure first;

	if (paws_erasures_in_state(PAWS_ERASURE_SETTLING, &first, 1) == 0)
		return paws_erasures_settle() > 0 ? 0 : PAWS_KEEPER_IDLE;
	if (!paws_settled(&settling, first.settling))
		return PAWS_SETTLE_MS;
	return remove_for(slot, PAWS_ERASURE_SETTLING, paws_erasure_swept);
}

/* Said once in a while: nothing that this database does would help. */
static void
complain_of_foreign_epochs(void)
{
	static bool complained = false;
	TimestampTz since = GetCurrentTimestamp() - (int64) paws_erasure_interval * USECS_PER_SEC;
	PawsErasure oldest;
	bool waits = paws_erasures_in_state(PAWS_ERASURE_SWEPT, &oldest, 1) > 0 && oldest.logical_at < since &&
				 paws_origin_state() == PAWS_ORIGIN_FOREIGN;

	if (waits && !complained)
		ereport_domain(
			WARNING, PAWS_LOG_SAFE,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("erasures wait for another database"),
			 errdetail(
				 "Keys of this database were wrapped under epochs that belong to another one, and are in "
				 "the keyring."),
			 errhint("Rotate the epochs of that database; or, if it is gone, call paws_sync.adopt_keys().")));
	complained = waits;
}

static long
note_destroyed(void)
{
	if (paws_erasures_destroyed((int64) paws_keyring_backup_retention * USECS_PER_SEC) == 0)
	{
		complain_of_foreign_epochs();
		return PAWS_KEEPER_IDLE;
	}
	PAWS_FAULT();
	return 0;
}

static long
certify(void)
{
	PawsErasure erasures[SUBJECT_SLICE];
	int count = paws_erasures_in_state(PAWS_ERASURE_DESTROYED, erasures, SUBJECT_SLICE);

	for (int i = 0; i < count; i++)
		paws_erasure_certify(&erasures[i]);
	if (count == 0)
		return PAWS_KEEPER_IDLE;
	PAWS_FAULT();
	return 0;
}

static long
sooner(long a, long b)
{
	if (a == PAWS_KEEPER_IDLE || b == PAWS_KEEPER_IDLE)
		return Max(a, b);
	return Min(a, b);
}

long
paws_eraser_turn(int slot)
{
	long wait = remove_for(slot, PAWS_ERASURE_DELETED, paws_erasure_cleared);

	wait = sooner(wait, settle(slot));
	wait = sooner(wait, note_destroyed());
	return sooner(wait, certify());
}

/*
 * workers/eraser.c - rows of forgotten subjects, and the dates of their erasure.
 */
#include "postgres.h"

#include "base/fault.h"
#include "base/settings.h"
#include "care/care.h"
#include "crisis/crisis.h"
#include "queue/queue.h"
#include "store/reseal.h"
#include "utils/timestamp.h"
#include "vault/erasure.h"
#include "vault/key_job.h"
#include "workers/eraser.h"
#include "workers/keeper.h"

#define SWEEP_SLICE 200 /* rows of each table */
#define SETTLE_MS   200

/*
 * Who was at work when the subject was forgotten may have written for it since; so the last sweep comes after
 * all of them.
 */
static long
sweep(int slot)
{
	PawsErasure erasure;
	bool settled;
	bool more;

	if (!paws_erasure_in_state(PAWS_ERASURE_DELETED, &erasure))
		return PAWS_KEEPER_IDLE;
	settled = paws_key_settled(erasure.horizon);
	more = paws_queue_drop_subject(slot, erasure.subject_no, SWEEP_SLICE) ||
		   paws_store_forget(&paws_care_store, erasure.subject_no, SWEEP_SLICE) ||
		   paws_store_forget(&paws_crisis_store, erasure.subject_no, SWEEP_SLICE);
	PAWS_FAULT();
	if (!more && settled)
		paws_erasure_swept(&erasure);
	return more || settled ? 0 : SETTLE_MS;
}

/* Erasures are collected for a while, since new epochs mean that every key is wrapped anew. */
static void
ask_for_epochs(void)
{
	PawsErasure erasure;

	if (paws_erasure_in_state(PAWS_ERASURE_SWEPT, &erasure) &&
		erasure.logical_at + (int64) paws_erasure_interval * USECS_PER_SEC <= GetCurrentTimestamp() &&
		!paws_key_job_pending(PAWS_KEY_JOB_EPOCHS))
		(void) paws_key_job_request(PAWS_KEY_JOB_EPOCHS);
}

static long
certify(void)
{
	PawsErasure erasure;

	if (!paws_erasure_in_state(PAWS_ERASURE_DESTROYED, &erasure) ||
		erasure.irrecoverable_at > GetCurrentTimestamp())
		return PAWS_KEEPER_IDLE;
	paws_erasure_certify(&erasure);
	PAWS_FAULT();
	return 0;
}

long
paws_eraser_turn(int slot)
{
	long swept;
	long certified;

	if (!paws_vault_ready(PAWS_ROOT_CARE) || !paws_vault_ready(PAWS_ROOT_CRISIS))
		return PAWS_KEEPER_IDLE;
	swept = sweep(slot);
	ask_for_epochs();
	certified = certify();
	return certified == 0 ? 0 : swept;
}

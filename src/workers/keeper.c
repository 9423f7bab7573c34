/*
 * workers/keeper.c - which slice comes next, and when.
 */
#include "postgres.h"

#include "base/bulk.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/settings.h"
#include "base/settle.h"
#include "base/spi.h"
#include "base/worker.h"
#include "utils/timestamp.h"
#include "vault/erasure.h"
#include "vault/key_job.h"
#include "vault/keyring.h"
#include "vault/rewrap.h"
#include "workers/eraser.h"
#include "workers/keeper.h"
#include "workers/rotation.h"

#define RETRY_MS        1000
#define RETRY_SHIFT_MAX 5

/* After a rotation that left something over, the next one that nobody asked for comes no sooner. */
#define LEFT_OVER_PAUSE (INT64CONST(3600) * USECS_PER_SEC)

/* Work that goes on by itself, whatever becomes of the rest. */
typedef struct Part
{
	const char *activity;
	long (*work)(int slot);
	int64 resume_at; /* by paws_clock */
	int failures;    /* in a row */
} Part;

static bool
has_keys(void)
{
	return paws_vault_usable(PAWS_ROOT_CARE) && paws_vault_usable(PAWS_ROOT_CRISIS);
}

/* Those that may still see what was before the phase began are done. */
static bool
phase_is_settled(const PawsKeyJob *job)
{
	static PawsSettling settling;

	if (job->phase == PAWS_KEY_PHASE_SETTLING_WRITERS)
		return paws_settled(&settling, job->entered);
	if (job->phase == PAWS_KEY_PHASE_SETTLING_READERS)
		return paws_settled(&settling, job->entered) && paws_standbys_settled(&settling, job->entered);
	return true;
}

static long
take_step(PawsKeyJob *job)
{
	if (!phase_is_settled(job))
		return PAWS_SETTLE_MS;
	switch (job->kind)
	{
		case PAWS_KEY_JOB_EPOCHS:
			return paws_rotate_epochs(job);
		case PAWS_KEY_JOB_DATA_KEYS:
			return paws_rotate_data_keys(job);
		case PAWS_KEY_JOB_ROOTS:
			return paws_rotate_roots(job);
	}
	return PAWS_KEEPER_IDLE;
}

/* True if this database's newest epoch of a root was made before. */
static bool
epoch_is_older(PawsRoot root, TimestampTz before)
{
	uint32 newest = paws_keyring_current_epoch(root);
	PawsKeyringEntry entry;

	for (int i = 0; newest != 0 && paws_keyring_entry(i, &entry); i++)
		if (entry.kind == PAWS_KEYRING_EPOCH && entry.root == root && entry.number == newest)
			return entry.made_at < before;
	return false;
}

static bool
wants_epochs(TimestampTz now)
{
	TimestampTz lifetime = (int64) paws_epoch_lifetime * USECS_PER_SEC;
	TimestampTz interval = (int64) paws_erasure_interval * USECS_PER_SEC;

	return (lifetime > 0 && (epoch_is_older(PAWS_ROOT_CARE, now - lifetime) ||
							 epoch_is_older(PAWS_ROOT_CRISIS, now - lifetime))) ||
		   paws_erasures_wait_for_epochs(now - interval);
}

/*
 * New epochs when they are old, and when subjects were forgotten: then after a while, for every key is
 * wrapped anew. With an older copy of the keyring it takes somebody to decide that.
 */
static void
ask_for_epochs(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (paws_vault_keyring_is_older(PAWS_KEYS_CARE) || paws_vault_keyring_is_older(PAWS_KEYS_CRISIS))
		return;
	if (wants_epochs(now) && !paws_key_job_pending(PAWS_KEY_JOB_EPOCHS) &&
		paws_key_job_left_over_at(PAWS_KEY_JOB_EPOCHS) < now - LEFT_OVER_PAUSE)
		(void) paws_key_job_request(PAWS_KEY_JOB_EPOCHS);
}

static long
rotate(int slot)
{
	PawsKeyJob job;
	PawsKeyJob before;
	long wait;

	if (!has_keys())
		return PAWS_KEEPER_IDLE;
	ask_for_epochs();
	if (!paws_key_job_load(&job))
		return PAWS_KEEPER_IDLE;
	before = job;
	wait = take_step(&job);
	if (memcmp(&job, &before, sizeof(job)) != 0)
	{
		paws_key_job_save(&job);
		PAWS_FAULT();
	}
	return wait;
}

static long
erase(int slot)
{
	return has_keys() ? paws_eraser_turn(slot) : PAWS_KEEPER_IDLE;
}

static long
try_part(Part *part, int slot)
{
	volatile long wait = RETRY_MS;

	PG_TRY();
	{
		long wanted;

		paws_spi_begin();
		wanted = part->work(slot);
		paws_spi_end();
		paws_worker_commit();
		part->failures = 0;
		wait = wanted;
	}
	PG_CATCH();
	{
		paws_worker_abort();
		wait = (long) RETRY_MS << Min(part->failures++, RETRY_SHIFT_MAX);
	}
	PG_END_TRY();
	if (wait == 0)
		PAWS_FAULT();
	return wait;
}

static long
take_turn(Part *part, int slot)
{
	long wait = Max((long) ((part->resume_at - paws_clock() + 999) / 1000), paws_bulk_wait());
	uint64 before;

	if (wait > 0)
		return wait;
	if (!paws_worker_begin(part->activity))
		return PAWS_KEEPER_IDLE;
	before = paws_bulk_begin();
	wait = try_part(part, slot);
	(void) paws_bulk_end(before);
	if (wait == PAWS_KEEPER_IDLE)
		return wait;
	wait = Max(Max(wait, paws_bulk_wait()), 1);
	part->resume_at = paws_clock() + wait * 1000;
	return wait;
}

long
paws_keeper_turn(int slot)
{
	static Part erasing = {.activity = "paws_sync: erase", .work = erase};
	static Part rotating = {.activity = "paws_sync: rotate keys", .work = rotate};
	long erasure = take_turn(&erasing, slot);
	long rotation = take_turn(&rotating, slot);

	if (erasure == PAWS_KEEPER_IDLE || rotation == PAWS_KEEPER_IDLE)
		return Max(erasure, rotation);
	return Min(erasure, rotation);
}

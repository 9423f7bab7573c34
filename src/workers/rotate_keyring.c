/*
 * workers/rotate_keyring.c - new epochs, and the keyring under the current roots.
 *
 * New epochs are there before anything else: whoever makes a key later uses them. The keys are wrapped anew;
 * those that were made under the old ones meanwhile, once their makers are done, in a second walk. Then, when
 * nobody is left who reads rows of before, the old epochs are destroyed.
 */
#include "postgres.h"

#include "base/fault.h"
#include "base/log_safe.h"
#include "vault/keyring.h"
#include "vault/origin.h"
#include "vault/rewrap.h"
#include "workers/rotation.h"

#define REWRAP_SLICE 200 /* keys */

/* What is newest now is noted first, so that a step that is repeated makes no second epoch. */
static void
begin(PawsKeyJob *job)
{
	job->care_epoch = paws_keyring_current_epoch(PAWS_ROOT_CARE);
	job->crisis_epoch = paws_keyring_current_epoch(PAWS_ROOT_CRISIS);
	job->total = paws_vault_count_keys(PAWS_KEYS_CARE) + paws_vault_count_keys(PAWS_KEYS_CRISIS);
	job->done = job->left = 0;
	paws_origin_note_stored();
	paws_key_job_enter(job, PAWS_KEY_PHASE_MAKING_EPOCHS);
}

static uint32
succeed(PawsKeyHome home, uint32 before)
{
	return paws_keyring_succeed_epoch(paws_vault_home_root(home), before, paws_vault_highest_epoch(home));
}

static void
make_epochs(PawsKeyJob *job)
{
	PAWS_FAULT();
	job->care_epoch = succeed(PAWS_KEYS_CARE, job->care_epoch);
	PAWS_FAULT();
	job->crisis_epoch = succeed(PAWS_KEYS_CRISIS, job->crisis_epoch);
	PAWS_FAULT();
	paws_key_job_enter(job, PAWS_KEY_PHASE_REWRAPPING);
}

/* False if the keyring is not what the job worked with: an older one was put in its place, or the database
 * was copied in the middle of a job. */
static bool
epochs_are_newest(const PawsKeyJob *job)
{
	return paws_keyring_current_epoch(PAWS_ROOT_CARE) == job->care_epoch &&
		   paws_keyring_current_epoch(PAWS_ROOT_CRISIS) == job->crisis_epoch;
}

/* One slice of a walk over care's keys and then those of the crisis lane; true at its end. */
static bool
rewrap(PawsKeyJob *job)
{
	PawsRewrap slice = {
		.home = job->home,
		.epoch = job->home == PAWS_KEYS_CRISIS ? job->crisis_epoch : job->care_epoch,
		.walk = job->walk_key,
	};

	paws_vault_rewrap(&slice, REWRAP_SLICE);
	PAWS_FAULT();
	job->done += slice.done;
	job->left += slice.broken;
	job->walk_key = slice.walk;
	if (!slice.end)
		return false;
	memset(&job->walk_key, 0, sizeof(job->walk_key));
	if (job->home == PAWS_KEYS_CRISIS)
		return true;
	job->home = PAWS_KEYS_CRISIS;
	return false;
}

/* At the end of the second walk only what does not open may be left; what was locked is walked to again. */
static long
rewrap_rest(PawsKeyJob *job)
{
	int64 stale;

	if (!rewrap(job))
		return 0;
	stale = paws_vault_count_stale(PAWS_KEYS_CARE, job->care_epoch) +
			paws_vault_count_stale(PAWS_KEYS_CRISIS, job->crisis_epoch);
	if (stale > job->left)
	{
		paws_key_job_enter(job, PAWS_KEY_PHASE_REWRAPPING_REST);
		job->left = 0;
		return PAWS_SETTLE_MS;
	}
	job->left = stale;
	paws_key_job_enter(job, PAWS_KEY_PHASE_SETTLING_READERS);
	return 0;
}

/*
 * Nothing is destroyed that a stored key still needs: such a key did not open though its epoch is there, and
 * somebody has to look at it first.
 */
static void
destroy(PawsKeyJob *job)
{
	paws_origin_note_stored();
	if (paws_vault_needs_old_epochs(PAWS_KEYS_CARE, job->care_epoch) ||
		paws_vault_needs_old_epochs(PAWS_KEYS_CRISIS, job->crisis_epoch))
		ereport_domain(
			WARNING, PAWS_LOG_SAFE,
			(errcode(ERRCODE_DATA_CORRUPTED), errmsg("old key epochs are kept"),
			 errdetail("Stored data keys under them do not open, so they could not be wrapped anew."),
			 errhint("Find them by paws_sync.key_status(), put their rows back from a backup or delete them, "
					 "and rotate the epochs again.")));
	else
	{
		PAWS_FAULT();
		(void) paws_keyring_destroy_epochs(PAWS_ROOT_CARE, job->care_epoch);
		PAWS_FAULT();
		(void) paws_keyring_destroy_epochs(PAWS_ROOT_CRISIS, job->crisis_epoch);
		PAWS_FAULT();
	}
	paws_key_job_enter(job, PAWS_KEY_PHASE_FINISHED);
}

static long
take_step(PawsKeyJob *job)
{
	switch (job->phase)
	{
		case PAWS_KEY_PHASE_REQUESTED:
			begin(job);
			break;
		case PAWS_KEY_PHASE_MAKING_EPOCHS:
			make_epochs(job);
			break;
		case PAWS_KEY_PHASE_REWRAPPING:
			if (rewrap(job))
				paws_key_job_enter(job, PAWS_KEY_PHASE_SETTLING_WRITERS);
			break;
		case PAWS_KEY_PHASE_SETTLING_WRITERS:
			paws_key_job_enter(job, PAWS_KEY_PHASE_REWRAPPING_REST);
			job->left = 0;
			break;
		case PAWS_KEY_PHASE_REWRAPPING_REST:
			return rewrap_rest(job);
		case PAWS_KEY_PHASE_SETTLING_READERS:
			paws_key_job_enter(job, PAWS_KEY_PHASE_DESTROYING);
			break;
		case PAWS_KEY_PHASE_DESTROYING:
			destroy(job);
			break;
		case PAWS_KEY_PHASE_MAKING_KEYS:
		case PAWS_KEY_PHASE_SETTLING_QUEUE:
		case PAWS_KEY_PHASE_RESEALING:
		case PAWS_KEY_PHASE_DELETING_KEYS:
		case PAWS_KEY_PHASE_FINISHED:
			elog(ERROR, "a rotation of epochs has no such phase");
	}
	return 0;
}

long
paws_rotate_epochs(PawsKeyJob *job)
{
	if (job->phase != PAWS_KEY_PHASE_REQUESTED && job->phase != PAWS_KEY_PHASE_MAKING_EPOCHS &&
		!epochs_are_newest(job))
		begin(job);
	return take_step(job);
}

long
paws_rotate_roots(PawsKeyJob *job)
{
	for (PawsRoot root = PAWS_ROOT_CARE; root <= PAWS_ROOT_BILLING; root++)
	{
		if (paws_root_current(root) == 0)
			continue;
		PAWS_FAULT();
		job->done += paws_keyring_rewrap(root);
		PAWS_FAULT();
		job->left += paws_keyring_count_stale(root);
	}
	paws_key_job_enter(job, PAWS_KEY_PHASE_FINISHED);
	return 0;
}

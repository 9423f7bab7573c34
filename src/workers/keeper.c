/*
 * workers/keeper.c - the slices of rotations.
 */
#include "postgres.h"

#include "base/fault.h"
#include "base/log_safe.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/worker.h"
#include "care/care.h"
#include "crisis/crisis.h"
#include "executor/instrument.h"
#include "queue/queue.h"
#include "registry/registry.h"
#include "store/reseal.h"
#include "vault/erasure.h"
#include "vault/key_job.h"
#include "vault/keyring.h"
#include "vault/rewrap.h"
#include "vault/supersede.h"
#include "workers/eraser.h"
#include "workers/keeper.h"

#define REWRAP_SLICE   200 /* keys */
#define SUBJECT_SLICE  20
#define DOCUMENT_SLICE 20
#define RESEAL_BYTES   (1024 * 1024) /* of one slice */
#define SUPERSEDED_MAX 16
#define SETTLE_MS      200
#define RETRY_MS       1000

static PawsStore *
store_of(PawsKeyHome home)
{
	return home == PAWS_KEYS_CRISIS ? &paws_crisis_store : &paws_care_store;
}

/* --- epochs ----------------------------------------------------------------------------------------- */

/* A crash in here leaves epochs that nothing is wrapped under; the next ones are newer. */
static void
begin_epochs(PawsKeyJob *job)
{
	job->care_epoch = paws_keyring_make_epoch(PAWS_ROOT_CARE);
	PAWS_FAULT();
	job->crisis_epoch = paws_keyring_make_epoch(PAWS_ROOT_CRISIS);
	PAWS_FAULT();
	job->total = paws_vault_count_keys(PAWS_KEYS_CARE) + paws_vault_count_keys(PAWS_KEYS_CRISIS);
	paws_key_job_enter(job, PAWS_KEY_PHASE_REWRAPPING);
}

/* One slice of a walk over care's keys and then those of the crisis lane; true at its end. */
static bool
rewrap_slice(PawsKeyJob *job, bool wait)
{
	PawsRewrap rewrap = {
		.home = job->home,
		.epoch = job->home == PAWS_KEYS_CRISIS ? job->crisis_epoch : job->care_epoch,
		.wait = wait,
		.walk = job->walk_key,
	};

	paws_vault_rewrap(&rewrap, REWRAP_SLICE);
	PAWS_FAULT();
	job->done += rewrap.done;
	if (wait)
		job->left += rewrap.broken;
	job->walk_key = rewrap.walk;
	if (!rewrap.end)
		return false;
	memset(&job->walk_key, 0, sizeof(job->walk_key));
	if (job->home == PAWS_KEYS_CRISIS)
		return true;
	job->home = PAWS_KEYS_CRISIS;
	return false;
}

/*
 * Nothing is destroyed that a stored key still needs: such a key did not open though its epoch is there, and
 * somebody has to look at it first.
 */
static void
destroy_epochs(PawsKeyJob *job)
{
	if (paws_vault_needs_old_epochs(PAWS_KEYS_CARE, job->care_epoch) ||
		paws_vault_needs_old_epochs(PAWS_KEYS_CRISIS, job->crisis_epoch))
	{
		ereport_domain(WARNING, PAWS_LOG_SAFE,
					   (errcode(ERRCODE_DATA_CORRUPTED), errmsg("old key epochs are kept"),
						errdetail(
							"Stored data keys under them do not open, so they could not be wrapped anew."),
						errhint("See paws_sync.key_status(), and compare the keys with a backup.")));
		paws_key_job_enter(job, PAWS_KEY_PHASE_FINISHED);
		return;
	}
	PAWS_FAULT();
	(void) paws_keyring_destroy_epochs(PAWS_ROOT_CARE, job->care_epoch);
	PAWS_FAULT();
	(void) paws_keyring_destroy_epochs(PAWS_ROOT_CRISIS, job->crisis_epoch);
	PAWS_FAULT();
	paws_erasures_destroyed(job->care_epoch, job->crisis_epoch,
							(int64) paws_keyring_backup_retention * USECS_PER_SEC);
	paws_key_job_enter(job, PAWS_KEY_PHASE_FINISHED);
}

/* --- data keys -------------------------------------------------------------------------------------- */

/* The next subjects of the walk; false at its end. */
static int
next_subjects(PawsKeyJob *job, PawsSubject *subjects, int max)
{
	int found = paws_registry_walk(job->walk_subject, subjects, max);

	if (found > 0)
		job->walk_subject = subjects[found - 1].subject_no;
	return found;
}

static void
begin_data_keys(PawsKeyJob *job)
{
	job->total = paws_registry_count_subjects();
	paws_key_job_enter(job, PAWS_KEY_PHASE_MAKING_KEYS);
}

/* True at the end. */
static bool
make_keys_slice(PawsKeyJob *job)
{
	PawsSubject subjects[SUBJECT_SLICE];
	int found = next_subjects(job, subjects, SUBJECT_SLICE);

	for (int i = 0; i < found; i++)
	{
		paws_vault_supersede(PAWS_KEYS_CARE, subjects[i].subject_no);
		paws_vault_supersede(PAWS_KEYS_CRISIS, subjects[i].subject_no);
	}
	PAWS_FAULT();
	return found < SUBJECT_SLICE;
}

/* One lane of one subject, in as many slices as it takes; true when it is done. A subject that somebody has
 * locked is come back to. */
static bool
reseal_lane(PawsKeyJob *job, const PawsSubject *subject, int64 *bytes)
{
	PawsReseal reseal = {.subject_no = subject->subject_no,
						 .subject = subject->subject.id,
						 .walk = job->walk_key};

	if (!paws_vault_newest_key(job->home, subject->subject_no, &reseal.key))
		return true;
	paws_store_reseal(store_of(job->home), &reseal, DOCUMENT_SLICE);
	PAWS_FAULT();
	*bytes += reseal.bytes;
	job->walk_key = reseal.walk;
	if (reseal.end)
		job->left += reseal.broken;
	return reseal.end && !reseal.locked;
}

/* True at the end. */
static bool
reseal_slice(PawsKeyJob *job)
{
	int64 bytes = 0;

	for (int lanes = 0; lanes < 2 * SUBJECT_SLICE && bytes < RESEAL_BYTES; lanes++)
	{
		PawsSubject subject;

		if (paws_registry_walk(job->walk_subject, &subject, 1) == 0)
			return true;
		if (!reseal_lane(job, &subject, &bytes))
			return false;
		memset(&job->walk_key, 0, sizeof(job->walk_key));
		if (job->home == PAWS_KEYS_CRISIS)
		{
			job->walk_subject = subject.subject_no;
			job->done++;
		}
		job->home = job->home == PAWS_KEYS_CRISIS ? PAWS_KEYS_CARE : PAWS_KEYS_CRISIS;
	}
	return false;
}

/* A key that something is still sealed under stays: an operation that waits for long, or what did not open.
 */
static void
delete_superseded(PawsKeyJob *job, PawsKeyHome home, int64 subject_no)
{
	pg_uuid_t ids[SUPERSEDED_MAX];
	int found = paws_vault_superseded(home, subject_no, ids, SUPERSEDED_MAX);

	for (int i = 0; i < found; i++)
	{
		if (paws_store_uses_key(store_of(home), subject_no, &ids[i]) ||
			(home == PAWS_KEYS_CARE && paws_queue_uses_key(subject_no, &ids[i])))
			job->left++;
		else
			paws_vault_delete_key(home, &ids[i]);
	}
}

/* True at the end. */
static bool
delete_keys_slice(PawsKeyJob *job)
{
	PawsSubject subjects[SUBJECT_SLICE];
	int found = next_subjects(job, subjects, SUBJECT_SLICE);

	for (int i = 0; i < found; i++)
	{
		delete_superseded(job, PAWS_KEYS_CARE, subjects[i].subject_no);
		delete_superseded(job, PAWS_KEYS_CRISIS, subjects[i].subject_no);
	}
	PAWS_FAULT();
	return found < SUBJECT_SLICE;
}

/* --- roots ------------------------------------------------------------------------------------------ */

static void
rewrap_keyring(PawsKeyJob *job)
{
	for (PawsRoot root = PAWS_ROOT_CARE; root <= PAWS_ROOT_BILLING; root++)
	{
		if (paws_root_current(root) == 0)
			continue;
		job->total += paws_keyring_count_stale(root);
		PAWS_FAULT();
		job->done += paws_keyring_rewrap(root);
		PAWS_FAULT();
	}
	paws_key_job_enter(job, PAWS_KEY_PHASE_FINISHED);
}

/* --- jobs ------------------------------------------------------------------------------------------- */

static void
begin_job(PawsKeyJob *job)
{
	switch (job->kind)
	{
		case PAWS_KEY_JOB_EPOCHS:
			begin_epochs(job);
			break;
		case PAWS_KEY_JOB_DATA_KEYS:
			begin_data_keys(job);
			break;
		case PAWS_KEY_JOB_ROOTS:
			rewrap_keyring(job);
			break;
	}
}

static PawsKeyPhase
after_settling(const PawsKeyJob *job)
{
	bool epochs = job->kind == PAWS_KEY_JOB_EPOCHS;

	if (job->phase == PAWS_KEY_PHASE_SETTLING_WRITERS)
		return epochs ? PAWS_KEY_PHASE_REWRAPPING_REST : PAWS_KEY_PHASE_RESEALING;
	return epochs ? PAWS_KEY_PHASE_DESTROYING : PAWS_KEY_PHASE_DELETING_KEYS;
}

/* Does a slice of the job's phase, and enters the next phase at its end. */
static void
work_on(PawsKeyJob *job)
{
	switch (job->phase)
	{
		case PAWS_KEY_PHASE_REQUESTED:
			begin_job(job);
			break;
		case PAWS_KEY_PHASE_REWRAPPING:
			if (rewrap_slice(job, false))
				paws_key_job_enter(job, PAWS_KEY_PHASE_SETTLING_WRITERS);
			break;
		case PAWS_KEY_PHASE_MAKING_KEYS:
			if (make_keys_slice(job))
				paws_key_job_enter(job, PAWS_KEY_PHASE_SETTLING_WRITERS);
			break;
		case PAWS_KEY_PHASE_SETTLING_WRITERS:
		case PAWS_KEY_PHASE_SETTLING_READERS:
			if (paws_key_settled(job->horizon))
				paws_key_job_enter(job, after_settling(job));
			break;
		case PAWS_KEY_PHASE_REWRAPPING_REST:
			if (rewrap_slice(job, true))
				paws_key_job_enter(job, PAWS_KEY_PHASE_SETTLING_READERS);
			break;
		case PAWS_KEY_PHASE_RESEALING:
			if (reseal_slice(job))
				paws_key_job_enter(job, PAWS_KEY_PHASE_SETTLING_READERS);
			break;
		case PAWS_KEY_PHASE_DESTROYING:
			destroy_epochs(job);
			break;
		case PAWS_KEY_PHASE_DELETING_KEYS:
			if (delete_keys_slice(job))
				paws_key_job_enter(job, PAWS_KEY_PHASE_FINISHED);
			break;
		case PAWS_KEY_PHASE_FINISHED:
			break;
	}
}

/* Ms until the next slice; PAWS_KEEPER_IDLE if there was no job. */
static long
turn_job(void)
{
	PawsKeyJob job;
	PawsKeyPhase before;

	if (!paws_vault_ready(PAWS_ROOT_CARE) || !paws_vault_ready(PAWS_ROOT_CRISIS) || !paws_key_job_load(&job))
		return PAWS_KEEPER_IDLE;
	before = job.phase;
	work_on(&job);
	paws_key_job_save(&job);
	PAWS_FAULT();
	return job.phase == before &&
				   (before == PAWS_KEY_PHASE_SETTLING_WRITERS || before == PAWS_KEY_PHASE_SETTLING_READERS)
			   ? SETTLE_MS
			   : 0;
}

static long
earlier(long a, long b)
{
	if (a == PAWS_KEEPER_IDLE || b == PAWS_KEEPER_IDLE)
		return Max(a, b);
	return Min(a, b);
}

static long
try_turn(int slot)
{
	volatile long wait = RETRY_MS;

	PG_TRY();
	{
		long job;
		long erasure;

		paws_spi_begin();
		erasure = paws_eraser_turn(slot);
		job = turn_job();
		paws_spi_end();
		paws_worker_commit();
		wait = earlier(job, erasure);
	}
	PG_CATCH();
	{
		paws_worker_abort();
	}
	PG_END_TRY();
	PAWS_FAULT();
	return wait;
}

long
paws_keeper_turn(int slot)
{
	uint64 before = pgWalUsage.wal_bytes;
	long wait;
	long pause;

	if (!paws_worker_begin("paws_sync: keep keys"))
		return PAWS_KEEPER_IDLE;
	wait = try_turn(slot);
	if (wait == PAWS_KEEPER_IDLE)
		return wait;
	pause = (long) ((pgWalUsage.wal_bytes - before) * 1000 / ((uint64) paws_bulk_wal_rate * 1024));
	return Max(Max(wait, pause), 1);
}

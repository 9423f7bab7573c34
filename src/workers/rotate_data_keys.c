/*
 * workers/rotate_data_keys.c - new data keys for all subjects, and all that is stored under them.
 *
 * First every subject gets a newer key. When nobody is left who may seal under an older one, and nothing
 * waits in the queue that was, documents and branches are sealed anew, subject by subject. Then, when nobody
 * is left who reads what was before, the older keys are deleted.
 */
#include "postgres.h"

#include "base/bulk.h"
#include "base/fault.h"
#include "care/care.h"
#include "crisis/crisis.h"
#include "crisis/item.h"
#include "portability/instr_time.h"
#include "crisis/queue.h"
#include "queue/job.h"
#include "queue/queue.h"
#include "registry/registry.h"
#include "store/reseal.h"
#include "vault/supersede.h"
#include "workers/rotation.h"

#define NO_SUBJECT 0 /* whose key jobs without a subject are sealed under */

#define SUBJECT_SLICE  20
#define DOCUMENT_SLICE 20
#define RESEAL_BYTES   PAWS_BULK_SLICE_BYTES /* of one slice */
#define SUPERSEDED_MAX 16
#define QUEUE_MS       1000

/* A slice holds the counters of its subjects, and a crisis push may have to wait for one. */
#define SLICE_MS 10.0

static PawsStore *
store_of(PawsKeyHome home)
{
	return home == PAWS_KEYS_CRISIS ? &paws_crisis_store : &paws_care_store;
}

/* The next subjects of the walk. */
static int
next_subjects(PawsKeyJob *job, PawsSubject *subjects, int max)
{
	int found = paws_registry_walk(job->walk_subject, subjects, max);

	if (found > 0)
		job->walk_subject = subjects[found - 1].subject_no;
	return found;
}

/* True at the end; from then on all processes seal under the new keys. */
static bool
make_keys(PawsKeyJob *job)
{
	PawsSubject subjects[SUBJECT_SLICE];
	int found = next_subjects(job, subjects, SUBJECT_SLICE);

	for (int i = 0; i < found; i++)
	{
		paws_vault_supersede(PAWS_KEYS_CARE, subjects[i].subject_no);
		paws_vault_supersede(PAWS_KEYS_CRISIS, subjects[i].subject_no);
	}
	PAWS_FAULT();
	if (found == SUBJECT_SLICE)
		return false;
	paws_vault_supersede(PAWS_KEYS_CARE, NO_SUBJECT);
	paws_vault_keys_changed();
	return true;
}

/*
 * A slice of the jobs of a subject, or of none; true at the end. How far it is is not recorded: after a
 * restart it walks over what is sealed anew already, which costs no more than a look.
 */
static bool
reseal_jobs(PawsKeyJob *job, int64 subject_no, const uint8 *subject, int64 *bytes)
{
	static int64 walked_subject = -1;
	static int64 walk = 0;
	int64 broken = 0;
	pg_uuid_t key;
	bool end;

	if (!paws_vault_newest_key(PAWS_KEYS_CARE, subject_no, &key) ||
		!paws_vault_key_opens(PAWS_KEYS_CARE, subject_no, key.data))
		return true;
	if (walked_subject != subject_no)
		walk = 0;
	walked_subject = subject_no;
	end = paws_job_reseal(subject_no, subject, &key, &walk, DOCUMENT_SLICE, bytes, &broken);
	job->left += broken;
	if (end)
		walked_subject = -1;
	return end;
}

typedef enum Lane
{
	LANE_DONE,
	LANE_MORE,
	LANE_LOCKED /* somebody has the subject */
} Lane;

static Lane
reseal_lane(PawsKeyJob *job, const PawsSubject *subject, int64 *bytes)
{
	PawsReseal reseal = {.subject_no = subject->subject_no,
						 .subject = subject->subject.id,
						 .walk = job->walk_key,
						 .walk_position = job->walk_position};

	if (!paws_vault_newest_key(job->home, subject->subject_no, &reseal.key))
		return LANE_DONE;
	if (!paws_vault_key_opens(job->home, subject->subject_no, reseal.key.data))
	{
		job->left++;
		return LANE_DONE;
	}
	if (job->home == PAWS_KEYS_CARE && !reseal_jobs(job, subject->subject_no, subject->subject.id, bytes))
		return LANE_MORE;
	paws_store_reseal(store_of(job->home), &reseal, DOCUMENT_SLICE, RESEAL_BYTES - *bytes);
	if (reseal.bytes > 0)
		PAWS_FAULT();
	*bytes += reseal.bytes;
	job->walk_key = reseal.walk;
	job->walk_position = reseal.walk_position;
	job->left += reseal.broken;
	return reseal.locked ? LANE_LOCKED : reseal.end ? LANE_DONE : LANE_MORE;
}

/* To the subject's other lane, or to the next subject. */
static void
leave_lane(PawsKeyJob *job, const PawsSubject *subject)
{
	memset(&job->walk_key, 0, sizeof(job->walk_key));
	job->walk_position = PAWS_WALK_START;
	if (job->home == PAWS_KEYS_CRISIS)
	{
		job->walk_subject = subject->subject_no;
		job->done++;
	}
	job->home = job->home == PAWS_KEYS_CRISIS ? PAWS_KEYS_CARE : PAWS_KEYS_CRISIS;
}

static bool
is_long(const instr_time *began)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, *began);
	return INSTR_TIME_GET_MILLISEC(now) >= SLICE_MS;
}

/* Some subjects, or a part of one. */
static long
reseal(PawsKeyJob *job)
{
	int64 bytes = 0;
	instr_time began;

	INSTR_TIME_SET_CURRENT(began);
	do
	{
		PawsSubject subject;
		Lane lane;

		if (paws_registry_walk(job->walk_subject, &subject, 1) == 0)
		{
			if (!reseal_jobs(job, NO_SUBJECT, NULL, &bytes))
				return 0;
			paws_key_job_enter(job, PAWS_KEY_PHASE_SETTLING_READERS);
			return 0;
		}
		lane = reseal_lane(job, &subject, &bytes);
		if (lane != LANE_DONE)
			return lane == LANE_LOCKED ? PAWS_SETTLE_MS : 0;
		leave_lane(job, &subject);
	} while (bytes < RESEAL_BYTES && !is_long(&began));
	return 0;
}

/*
 * The queue first: what is applied between the two looks is seen by the second. A key that something is still
 * sealed under stays; it did not open.
 */
static bool
is_used(PawsKeyHome home, int64 subject_no, const pg_uuid_t *key)
{
	return (home == PAWS_KEYS_CARE
				? paws_queue_uses_key(subject_no, key) || paws_job_uses_key(subject_no, key)
				: paws_crisis_queue_uses_key(subject_no, key) || paws_items_use_key(subject_no, key)) ||
		   paws_store_uses_key(store_of(home), subject_no, key);
}

static void
delete_superseded(PawsKeyJob *job, PawsKeyHome home, int64 subject_no)
{
	pg_uuid_t ids[SUPERSEDED_MAX];
	int found = paws_vault_superseded(home, subject_no, ids, SUPERSEDED_MAX);

	for (int i = 0; i < found; i++)
	{
		if (is_used(home, subject_no, &ids[i]))
			job->left++;
		else
			paws_vault_delete_key(home, &ids[i]);
	}
}

/* True at the end. */
static bool
delete_keys(PawsKeyJob *job)
{
	PawsSubject subjects[SUBJECT_SLICE];
	int found = next_subjects(job, subjects, SUBJECT_SLICE);

	for (int i = 0; i < found; i++)
	{
		delete_superseded(job, PAWS_KEYS_CARE, subjects[i].subject_no);
		delete_superseded(job, PAWS_KEYS_CRISIS, subjects[i].subject_no);
	}
	PAWS_FAULT();
	if (found == SUBJECT_SLICE)
		return false;
	delete_superseded(job, PAWS_KEYS_CARE, NO_SUBJECT);
	paws_vault_keys_changed();
	return true;
}

long
paws_rotate_data_keys(PawsKeyJob *job)
{
	switch (job->phase)
	{
		case PAWS_KEY_PHASE_REQUESTED:
			job->total = paws_registry_count_subjects();
			paws_key_job_enter(job, PAWS_KEY_PHASE_MAKING_KEYS);
			break;
		case PAWS_KEY_PHASE_MAKING_KEYS:
			if (make_keys(job))
				paws_key_job_enter(job, PAWS_KEY_PHASE_SETTLING_WRITERS);
			break;
		case PAWS_KEY_PHASE_SETTLING_WRITERS:
			job->bound = paws_queue_last_id();
			paws_key_job_enter(job, PAWS_KEY_PHASE_SETTLING_QUEUE);
			break;
		case PAWS_KEY_PHASE_SETTLING_QUEUE:
			if (paws_queue_waits_since(job->bound))
				return QUEUE_MS;
			paws_key_job_enter(job, PAWS_KEY_PHASE_RESEALING);
			break;
		case PAWS_KEY_PHASE_RESEALING:
			return reseal(job);
		case PAWS_KEY_PHASE_SETTLING_READERS:
			paws_key_job_enter(job, PAWS_KEY_PHASE_DELETING_KEYS);
			break;
		case PAWS_KEY_PHASE_DELETING_KEYS:
			if (delete_keys(job))
				paws_key_job_enter(job, PAWS_KEY_PHASE_FINISHED);
			break;
		case PAWS_KEY_PHASE_REWRAPPING:
		case PAWS_KEY_PHASE_REWRAPPING_REST:
		case PAWS_KEY_PHASE_DESTROYING:
		case PAWS_KEY_PHASE_MAKING_EPOCHS:
		case PAWS_KEY_PHASE_FINISHED:
			elog(ERROR, "a rotation of data keys has no such phase");
	}
	return 0;
}

/*
 * queue/job_claim.c - claiming: which level, which topic, which rows; and what is in them.
 *
 * Under a topic's lock a claim takes a snapshot, walks the index from the front of a level, and puts a lease
 * on what nobody has. Envelopes are opened after the lock is given back.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "base/database.h"
#include "base/settings.h"
#include "miscadmin.h"
#include "queue/flow.h"
#include "queue/job_claim.h"
#include "queue/pause.h"
#include "queue/policy.h"
#include "queue/rule.h"
#include "registry/registry.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* ---- what is claimed ---- */

static void
open_relations(PawsJobClaim *claim)
{
	claim->table = paws_table_open(&paws_job_table, AccessShareLock);
	claim->index = index_open(paws_job_table.index_oids[PAWS_JOB_AVAILABLE_IDX], AccessShareLock);
	claim->slot = table_slot_create(claim->table, NULL);
}

static void
close_relations(PawsJobClaim *claim)
{
	for (int i = 0; i < claim->nsnapshots; i++)
		UnregisterSnapshot(claim->snapshots[i]);
	claim->nsnapshots = 0;
	ExecDropSingleTupleTableSlot(claim->slot);
	if (claim->ordering != NULL)
		index_close(claim->ordering, NoLock);
	if (claim->pkey != NULL)
		index_close(claim->pkey, NoLock);
	if (claim->subjects != NULL)
		index_close(claim->subjects, NoLock);
	index_close(claim->index, NoLock);
	table_close(claim->table, NoLock);
}

/* Before a lock is taken: nothing but the lock's own work is waited for under it. */
static void
open_more(PawsJobClaim *claim, int place)
{
	if (claim->pkey == NULL && paws_front_any_ready(claim->database_slot, place))
		claim->pkey = index_open(paws_job_table.index_oids[PAWS_JOB_PKEY], AccessShareLock);
	if (claim->ordering == NULL && claim->wants_ordering)
		claim->ordering = index_open(paws_job_table.index_oids[PAWS_JOB_ORDERING_IDX], AccessShareLock);
}

/* ---- opening ---- */

static void
fill_answer(PawsJobClaim *claim, const PawsJobTaken *taken, PawsClaimedJob *job)
{
	const PawsJobRow *row = &taken->row;

	job->id = row->id;
	job->fence = taken->fence;
	job->topic_no = row->topic_no;
	job->level = row->level;
	job->klass = (PawsClass) row->klass;
	job->attempt = row->attempts + 1;
	job->has_subject = row->subject_no != 0;
	job->submitted_at = row->submitted_at;
	job->leased_until = claim->now + taken->duration;
}

/* False if it does not open, whatever is wrong with it. */
static bool
open_job(PawsJobClaim *claim, PawsJobTaken *taken, PawsClaimedJob *job)
{
	const PawsJobRow *row = &taken->row;
	PawsJobSeal seal = {.topic_no = row->topic_no,
						.job = row->id,
						.subject_no = row->subject_no,
						.part = PAWS_JOB_PAYLOAD};

	fill_answer(claim, taken, job);
	if (job->has_subject)
	{
		if (!paws_registry_subject_token(row->subject_no, &job->subject))
			return false;
		seal.subject = job->subject.id;
	}
	job->payload = paws_job_unseal(&seal, (bytea *) PG_DETOAST_DATUM_PACKED(PointerGetDatum(row->envelope)));
	return job->payload != NULL;
}

static int
open_all(PawsJobClaim *claim, PawsClaimedJob *jobs)
{
	int opened = 0;

	for (int i = 0; i < claim->ntaken; i++)
	{
		if (open_job(claim, &claim->taken[i], &jobs[opened]))
			opened++;
		else
			paws_lease_spoil(claim->database_slot, claim->taken[i].row.id);
	}
	return opened;
}

/* Tells of the next job of the same subject, if one more may run; false if there is none. */
static bool
tell_follower(PawsJobClaim *claim, const PawsJobRow *row)
{
	int slot = claim->database_slot;
	PawsTopic topic;
	int16 level;
	PawsJobPlace at;

	if (row->ordered || row->subject_no == 0)
		return false;
	topic = *paws_job_topic(row->topic_no);
	if (topic.in_flight_per_flow == 0 ||
		!paws_lease_flow_has_room(slot, topic.place, paws_job_flow(row), topic.in_flight_per_flow))
		return false;
	paws_job_follower(row, &topic, slot, &level, &at);
	if (level == 0)
		return false;
	paws_front_tell(slot, topic.place, level, at);
	if (claim->ntaken == claim->max)
		paws_job_wake(slot, topic.place, 1);
	return true;
}

/*
 * A claim passes over what a subject has beyond its bound, for good. Whoever ends one of its jobs tells of
 * one that follows; so whoever takes one tells of the next, lest fewer and fewer run at once. False if
 * nothing was told.
 */
static bool
tell_followers(PawsJobClaim *claim, int from)
{
	bool told = false;

	for (int i = from; i < claim->ntaken; i++)
		told |= tell_follower(claim, &claim->taken[i].row);
	return told;
}

/* ---- which level ---- */

/* The topics that may be served, copied: a process's list of topics may change under its hands. */
static void
choose_topics(PawsJobClaim *claim, const int16 *topics, int ntopics)
{
	claim->topics = palloc(Max(ntopics, 1) * sizeof(PawsTopic));
	claim->ntopics = 0;
	for (int i = 0; i < ntopics; i++)
	{
		const PawsTopic *topic = paws_topic_no(topics[i]);

		if (topic == NULL || topic->paused)
			continue;
		claim->topics[claim->ntopics] = *topic;
		paws_job_topic_ready(claim->database_slot, &claim->topics[claim->ntopics++]);
	}
}

static bool
waits(const PawsJobClaim *claim, int level)
{
	for (int i = 0; i < claim->ntopics; i++)
		if (paws_front_waits(claim->database_slot, claim->topics[i].place, level))
			return true;
	return false;
}

/* Of a level that is guaranteed something: when the first one in line misses its target. */
static void
look_at_head(PawsJobClaim *claim, int level, PawsRuleLevel *head)
{
	*head = (PawsRuleLevel){.waiting = true, .due_at = PG_INT64_MAX};
	for (int i = 0; i < claim->ntopics; i++)
	{
		PawsJobRow row;
		int64 target;
		int64 due;
		int64 age;

		if (!paws_job_peek(claim, &claim->topics[i], level, &row, &age))
			continue;
		target = (int64) paws_policy((PawsClass) row.klass, (PawsTier) row.tier)->target_ms * 1000;
		due = Max(row.submitted_at, row.run_at) + target;
		if (due < head->due_at)
			*head = (PawsRuleLevel){.waiting = true, .due_at = due, .target = target, .age = age};
	}
}

static void
look_at_levels(PawsJobClaim *claim, PawsRuleLevel levels[PAWS_RULE_LEVELS], bool guaranteed)
{
	const bool *paused = paws_paused_levels();

	memset(levels, 0, PAWS_RULE_LEVELS * sizeof(PawsRuleLevel));
	for (int level = 1; level < PAWS_RULE_LEVELS; level++)
	{
		levels[level].waiting = waits(claim, level) && !paused[level];
		if (guaranteed && levels[level].waiting)
			look_at_head(claim, level, &levels[level]);
		levels[level].paused = paused[level];
	}
}

/* Of several topics each begins in turn. */
static void
take_level(PawsJobClaim *claim, int level)
{
	static uint32 turn = 0;

	for (int i = 0; i < claim->ntopics && claim->ntaken < claim->max && !claim->full; i++)
		paws_job_take(claim, &claim->topics[(turn + i) % claim->ntopics], level);
	turn++;
}

static void
take(PawsJobClaim *claim)
{
	bool guaranteed = paws_rule_guaranteed(paws_job_count_claim(claim->database_slot), paws_guaranteed_share);
	PawsRuleLevel levels[PAWS_RULE_LEVELS];
	int level;

	if (!guaranteed)
		paws_job_take_raised(claim, paws_paused_levels());
	look_at_levels(claim, levels, guaranteed);
	while (claim->ntaken < claim->max && !claim->full)
	{
		level = paws_rule_next(levels, claim->now, guaranteed);
		if (level == 0 && guaranteed)
		{
			guaranteed = false;
			continue;
		}
		if (level == 0)
			break;
		take_level(claim, level);
		levels[level].waiting = false;
	}
}

/* What a claim keeps in the process, and the versions that it had before the last claim read it. */
static const PawsCached kept[] = {PAWS_CACHED_TOPICS, PAWS_CACHED_PAUSES, PAWS_CACHED_POLICY};
static uint64 read_versions[lengthof(kept)];
static Oid read_identity = InvalidOid;

/* Reads all of it that changed, so that the next claim need not. */
static void
read_kept(int slot)
{
	uint64 versions[lengthof(kept)];
	Oid identity = paws_database_identity(slot);
	const PawsTopic *topics;

	for (int i = 0; i < (int) lengthof(kept); i++)
		versions[i] = paws_database_version(slot, kept[i]);
	(void) paws_topics(&topics);
	(void) paws_paused_levels();
	(void) paws_tier_policy(PAWS_TIER_PREMIUM);
	memcpy(read_versions, versions, sizeof(versions));
	read_identity = identity;
}

static bool
has_read_kept(int slot)
{
	for (int i = 0; i < (int) lengthof(kept); i++)
		if (paws_database_version(slot, kept[i]) != read_versions[i])
			return false;
	return paws_database_identity(slot) == read_identity;
}

bool
paws_job_unlocked(int slot)
{
	return OidIsValid(paws_job_table.identity) && has_read_kept(slot) &&
		   ConditionalLockRelationOid(paws_job_table.oid, AccessShareLock);
}

int
paws_job_claim(int slot, const int16 *topics, int ntopics, int max, int64 lease, PawsClaimedJob *jobs)
{
	PawsJobClaim claim = {.database_slot = slot, .max = max, .lease = lease, .now = GetCurrentTimestamp()};
	int opened;
	int from;

	PreventCommandDuringRecovery("claim()");
	PreventCommandIfParallelMode("claim()");
	paws_lease_ready(slot);
	paws_lease_reap(slot);
	read_kept(slot);
	choose_topics(&claim, topics, ntopics);
	if (claim.ntopics == 0)
		return 0;
	CommandCounterIncrement();
	claim.taken = palloc(max * sizeof(PawsJobTaken));
	claim.opener = open_more;
	open_relations(&claim);
	do
	{
		from = claim.ntaken;
		take(&claim);
	} while (tell_followers(&claim, from) && claim.ntaken < max && !claim.full);
	opened = open_all(&claim, jobs);
	close_relations(&claim);
	return opened;
}

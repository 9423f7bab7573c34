/*
 * queue/job_take.c - the walk of a claim along one level of a topic, under the topic's lock.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "queue/flow.h"
#include "queue/job_claim.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

/* Rows that one walk looks at, at least; then the lock is given back for a moment. */
#define WALK_MIN 256

/* How often a claim looks again, with a newer snapshot. */
#define AGAINS_MAX 3

/* Columns of job_available_idx. */
enum IndexColumn
{
	BY_TOPIC_NO = 1,
	BY_LEVEL,
	BY_RANK,
	BY_ID
};

typedef struct WalkKeys
{
	ScanKeyData keys[3];
	ScanKeyData members[2]; /* of (rank, id) >= (…, …) */
} WalkKeys;

static void
set_keys(WalkKeys *walk, const PawsTopic *topic, int level, PawsJobPlace from)
{
	ScanKeyInit(&walk->keys[0], BY_TOPIC_NO, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(topic->no));
	ScanKeyInit(&walk->keys[1], BY_LEVEL, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(level));
	ScanKeyEntryInitialize(&walk->members[0], SK_ROW_MEMBER, BY_RANK, BTGreaterEqualStrategyNumber,
						   InvalidOid, InvalidOid, F_BTINT8CMP, Int64GetDatum(from.rank));
	ScanKeyEntryInitialize(&walk->members[1], SK_ROW_MEMBER | SK_ROW_END, BY_ID, BTGreaterEqualStrategyNumber,
						   InvalidOid, InvalidOid, F_BTINT8CMP, Int64GetDatum(from.id));
	MemSet(&walk->keys[2], 0, sizeof(ScanKeyData));
	walk->keys[2].sk_flags = SK_ROW_HEADER;
	walk->keys[2].sk_attno = BY_RANK;
	walk->keys[2].sk_strategy = BTGreaterEqualStrategyNumber;
	walk->keys[2].sk_argument = PointerGetDatum(walk->members);
}

/* Room for one more, before anything is taken that an error would lose. */
void
paws_job_reserve_snapshot(PawsJobClaim *claim)
{
	int room = Max(8, 2 * claim->snapshots_room);

	if (claim->nsnapshots < claim->snapshots_room)
		return;
	claim->snapshots = claim->snapshots == NULL ? palloc(room * sizeof(Snapshot))
												: repalloc(claim->snapshots, room * sizeof(Snapshot));
	claim->snapshots_room = room;
}

/* Of now, whatever the transaction's isolation; kept until all that was read by it is opened. */
Snapshot
paws_job_take_snapshot(PawsJobClaim *claim)
{
	claim->snapshots[claim->nsnapshots] = RegisterSnapshot(GetLatestSnapshot());
	return claim->snapshots[claim->nsnapshots++];
}

/*
 * Passed over if an earlier job of its ordering key is not finished. Then whoever ends that one tells of this
 * one; but if it was ended since the snapshot, by somebody who did not see this one yet, nobody does: so it
 * is told of here.
 */
static PawsJobVerdict
is_its_turn(PawsJobClaim *claim, const PawsTopic *topic, const PawsJobRow *row, Snapshot snapshot)
{
	int64 first;
	PawsKeyWalk walk;

	if (!row->ordered)
		return PAWS_JOB_TAKEN;
	walk = paws_job_first_of_key(claim, row, snapshot, &first);
	if (walk == PAWS_KEY_MORE)
	{
		claim->more = true;
		return PAWS_JOB_STOP;
	}
	if (first == row->id)
		return PAWS_JOB_TAKEN;
	if (walk == PAWS_KEY_ENDED)
	{
		paws_front_tell(claim->database_slot, topic->place, row->level, (PawsJobPlace){row->rank, row->id});
		claim->again = true;
	}
	return PAWS_JOB_PASSED;
}

static void
keep(PawsJobClaim *claim, const PawsJobRow *row, const PawsLease *lease, int64 duration)
{
	PawsJobTaken *taken = &claim->taken[claim->ntaken++];
	Size size = VARSIZE_ANY(row->envelope);

	taken->row = *row;
	taken->row.envelope = palloc(size);
	memcpy(taken->row.envelope, row->envelope, size);
	taken->fence = lease->fence;
	taken->duration = duration;
}

PawsJobVerdict
paws_job_consider(PawsJobClaim *claim, const PawsTopic *topic, int level, TupleTableSlot *slot,
				  Snapshot snapshot)
{
	PawsJobRow row;
	PawsLease lease;
	PawsJobVerdict verdict;
	int64 duration = claim->lease > 0 ? claim->lease : topic->lease;

	paws_job_read_row(slot, &row);
	if (!row.available || row.topic_no != topic->no || row.level != level)
		return PAWS_JOB_PASSED;
	if (row.expires_at != 0 && row.expires_at <= claim->now)
	{
		paws_job_delayed(claim->database_slot, 0); /* the timer's */
		return PAWS_JOB_PASSED;
	}
	claim->wants_ordering = claim->wants_ordering || row.ordered;
	if (row.ordered && claim->ordering == NULL)
		return PAWS_JOB_STOP;
	lease = paws_job_lease_of(&row, topic);
	switch (paws_lease_take(claim->database_slot, &lease, duration, paws_job_flow_cap(&row, topic)))
	{
		case PAWS_LEASED:
			break;
		case PAWS_LEASED_ALREADY:
		case PAWS_LEASED_FLOW:
			return PAWS_JOB_PASSED;
		case PAWS_LEASED_FULL:
			claim->full = true;
			pg_atomic_fetch_add_u64(&paws_front_counts(claim->database_slot, topic->place)->refused, 1);
			return PAWS_JOB_STOP;
	}
	verdict = paws_job_still_there(slot) ? is_its_turn(claim, topic, &row, snapshot) : PAWS_JOB_PASSED;
	if (verdict != PAWS_JOB_TAKEN)
	{
		paws_lease_untake(claim->database_slot, row.id);
		return verdict;
	}
	keep(claim, &row, &lease, duration);
	return PAWS_JOB_TAKEN;
}

/* A row by its number, as the snapshot sees it. */
static PawsJobVerdict
consider_ready(PawsJobClaim *claim, const PawsTopic *topic, int level, PawsJobPlace at, Snapshot snapshot)
{
	ScanKeyData key;
	IndexScanDesc scan = index_beginscan(claim->table, claim->pkey, snapshot, 1, 0);
	PawsJobVerdict verdict = PAWS_JOB_PASSED;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(at.id));
	index_rescan(scan, &key, 1, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, claim->slot))
		verdict = paws_job_consider(claim, topic, level, claim->slot, snapshot);
	ExecClearTuple(claim->slot);
	index_endscan(scan);
	return verdict;
}

/* What was ready when the lock was taken. */
typedef struct ReadyJobs
{
	int count;
	int next; /* those before are done with */
	PawsJobPlace at[PAWS_READY_MAX];
} ReadyJobs;

/* What was not looked at is ready still. */
static void
give_back(PawsJobClaim *claim, const PawsTopic *topic, int level, const ReadyJobs *ready)
{
	for (int i = ready->next; i < ready->count; i++)
		paws_front_tell(claim->database_slot, topic->place, level, ready->at[i]);
}

static void
look_at_ready(PawsJobClaim *claim, const PawsTopic *topic, int level, Snapshot snapshot, ReadyJobs *ready)
{
	while (ready->next < ready->count && claim->ntaken < claim->max)
	{
		if (consider_ready(claim, topic, level, ready->at[ready->next], snapshot) == PAWS_JOB_STOP)
			return;
		ready->next++;
	}
}

/* Before the snapshot: what is told of later may be so new that the snapshot does not see it. */
static void
fetch_ready(PawsJobClaim *claim, const PawsTopic *topic, int level, ReadyJobs *ready)
{
	ready->next = ready->count = 0;
	if (claim->pkey != NULL)
		ready->count =
			paws_front_take_ready(claim->database_slot, topic->place, level, ready->at, PAWS_READY_MAX);
}

/* False if what is left of them has to wait. An error loses none. */
static bool
take_ready(PawsJobClaim *claim, const PawsTopic *topic, int level, Snapshot snapshot, ReadyJobs *ready)
{
	if (ready->count == 0)
		return true;
	PG_TRY();
	{
		look_at_ready(claim, topic, level, snapshot, ready);
	}
	PG_CATCH();
	{
		give_back(claim, topic, level, ready);
		PG_RE_THROW();
	}
	PG_END_TRY();
	give_back(claim, topic, level, ready);
	return ready->next == ready->count;
}

/* How a walk ended. */
typedef struct Walked
{
	PawsJobPlace reached; /* nothing that may be taken lies before */
	bool end;
	bool more; /* it ended for its length alone */
} Walked;

static void
note_reached(TupleTableSlot *slot, Walked *walked)
{
	bool isnull;

	walked->reached.rank = DatumGetInt64(slot_getattr(slot, PAWS_JOB_RANK, &isnull));
	walked->reached.id = DatumGetInt64(slot_getattr(slot, PAWS_JOB_ID, &isnull)) + 1;
}

static void
walk(PawsJobClaim *claim, const PawsTopic *topic, int level, Snapshot snapshot, Walked *walked)
{
	int length = Max(WALK_MIN, 4 * claim->max);
	IndexScanDesc scan = index_beginscan(claim->table, claim->index, snapshot, 3, 0);
	WalkKeys keys;

	set_keys(&keys, topic, level, walked->reached);
	index_rescan(scan, keys.keys, 3, NULL, 0);
	while (claim->ntaken < claim->max && !walked->more)
	{
		PawsJobVerdict verdict;

		if (!index_getnext_slot(scan, ForwardScanDirection, claim->slot))
		{
			walked->end = true;
			break;
		}
		verdict = paws_job_consider(claim, topic, level, claim->slot, snapshot);
		if (verdict == PAWS_JOB_STOP)
			break;
		note_reached(claim->slot, walked);
		if (verdict == PAWS_JOB_TAKEN)
			paws_flow_served(claim->database_slot, topic->place, level, walked->reached.rank);
		walked->more = --length <= 0;
	}
	ExecClearTuple(claim->slot);
	index_endscan(scan);
}

/* True if the walk may go on. */
static bool
take_once(PawsJobClaim *claim, const PawsTopic *topic, int level)
{
	int slot = claim->database_slot;
	bool had_ordering = claim->ordering != NULL;
	int had = claim->ntaken;
	Walked walked = {0};
	ReadyJobs ready;
	Snapshot snapshot;

	claim->again = claim->more = false;
	claim->opener(claim, topic->place);
	paws_job_reserve_snapshot(claim);
	LWLockAcquire(paws_front_lock(slot, topic->place), LW_EXCLUSIVE);
	paws_front_begin(slot, topic->place, level, &walked.reached);
	fetch_ready(claim, topic, level, &ready);
	snapshot = paws_job_take_snapshot(claim);
	if (take_ready(claim, topic, level, snapshot, &ready) && claim->ntaken < claim->max)
		walk(claim, topic, level, snapshot, &walked);
	paws_front_end(slot, topic->place, level, walked.reached, walked.end);
	LWLockRelease(paws_front_lock(slot, topic->place));
	if (claim->full || claim->ntaken == claim->max)
		return false;
	if (claim->again || claim->more)
		return true;
	return (claim->wants_ordering && !had_ordering && claim->ordering == NULL) ||
		   (walked.more && claim->ntaken == had);
}

void
paws_job_take(PawsJobClaim *claim, const PawsTopic *topic, int level)
{
	int agains = 0;

	/* what is just being ended may take its time: then another claim finds what follows */
	while (take_once(claim, topic, level) && (!claim->again || agains++ < AGAINS_MAX))
		CHECK_FOR_INTERRUPTS();
}

/* Rows that a peek looks at. */
#define PEEK_MAX 32

/* What is ready comes first. */
static bool
peek_ready(PawsJobClaim *claim, const PawsTopic *topic, int level, Snapshot snapshot, PawsJobRow *row)
{
	PawsJobPlace at;
	ScanKeyData key;
	IndexScanDesc scan;
	bool found;

	if (claim->pkey == NULL || !paws_front_first_ready(claim->database_slot, topic->place, level, &at))
		return false;
	scan = index_beginscan(claim->table, claim->pkey, snapshot, 1, 0);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(at.id));
	index_rescan(scan, &key, 1, NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, claim->slot);
	if (found)
		paws_job_read_row(claim->slot, row);
	index_endscan(scan);
	return found;
}

static bool
peek_walk(PawsJobClaim *claim, const PawsTopic *topic, int level, Snapshot snapshot, PawsJobRow *row)
{
	bool found = false;
	PawsJobPlace from;
	IndexScanDesc scan = index_beginscan(claim->table, claim->index, snapshot, 3, 0);
	WalkKeys keys;

	paws_front_begin(claim->database_slot, topic->place, level, &from);
	set_keys(&keys, topic, level, from);
	index_rescan(scan, keys.keys, 3, NULL, 0);
	for (int i = 0; i < PEEK_MAX && !found; i++)
	{
		if (!index_getnext_slot(scan, ForwardScanDirection, claim->slot))
			break;
		paws_job_read_row(claim->slot, row);
		found = !paws_lease_exists(claim->database_slot, row->id);
	}
	index_endscan(scan);
	return found;
}

bool
paws_job_peek(PawsJobClaim *claim, const PawsTopic *topic, int level, PawsJobRow *row, int64 *age)
{
	int slot = claim->database_slot;
	Snapshot snapshot;
	bool found;

	claim->opener(claim, topic->place);
	paws_job_reserve_snapshot(claim);
	LWLockAcquire(paws_front_lock(slot, topic->place), LW_EXCLUSIVE);
	snapshot = paws_job_take_snapshot(claim);
	found = peek_ready(claim, topic, level, snapshot, row) || peek_walk(claim, topic, level, snapshot, row);
	ExecClearTuple(claim->slot);
	*age = paws_flow_seen(slot, topic->place, level, found ? row->rank : PAWS_FLOW_NONE);
	LWLockRelease(paws_front_lock(slot, topic->place));
	return found;
}

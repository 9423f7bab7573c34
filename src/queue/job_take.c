/*
 * queue/job_take.c - the walk of a claim along one level of a topic, under the topic's lock.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "queue/flow.h"
#include "queue/job_claim.h"
#include "storage/procarray.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

/* Rows that one walk looks at, at least; then the lock is given back for a moment. */
#define WALK_MIN 256

/* Columns of job_available_idx. */
enum IndexColumn
{
	BY_TOPIC_NO = 1,
	BY_LEVEL,
	BY_RANK,
	BY_ID
};

/* What a walk does with a row. */
typedef enum Verdict
{
	VERDICT_TAKEN,
	VERDICT_PASSED,
	VERDICT_STOP /* not without something that must be opened first, or for want of room */
} Verdict;

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

/* Of now, whatever the transaction's isolation; kept until all that was read by it is opened. */
static Snapshot
take_snapshot(PawsJobClaim *claim)
{
	if (claim->nsnapshots == claim->snapshots_room)
	{
		int room = Max(8, 2 * claim->snapshots_room);

		claim->snapshots = claim->snapshots == NULL ? palloc(room * sizeof(Snapshot))
													: repalloc(claim->snapshots, room * sizeof(Snapshot));
		claim->snapshots_room = room;
	}
	claim->snapshots[claim->nsnapshots] = RegisterSnapshot(GetLatestSnapshot());
	return claim->snapshots[claim->nsnapshots++];
}

/*
 * False if somebody deleted or changed the row since the snapshot, or is at it: a lease that was ended is
 * gone only after that is in the row. Whoever it is tells of the job again if it is still there. Nor is a row
 * taken that this very transaction put or changed: it may be rolled back, and is told of when it is not.
 */
static bool
is_still_there(TupleTableSlot *slot)
{
	HeapTupleHeader header = ((HeapTupleTableSlot *) slot)->tuple->t_data;
	uint16 infomask = header->t_infomask;
	TransactionId xmax;

	if (TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(header)))
		return false;
	if ((infomask & HEAP_XMAX_INVALID) || HEAP_XMAX_IS_LOCKED_ONLY(infomask))
		return true;
	xmax = HeapTupleHeaderGetUpdateXid(header);
	return !TransactionIdIsCurrentTransactionId(xmax) && !TransactionIdIsInProgress(xmax) &&
		   !TransactionIdDidCommit(xmax);
}

/* The first job of an ordering key that is not finished. */
static int64
first_of_key(PawsJobClaim *claim, const PawsJobRow *row, Snapshot snapshot)
{
	ScanKeyData keys[3];
	int64 low = Min(paws_order_low(claim->database_slot, paws_job_flow(row)), row->id);
	TupleTableSlot *slot = table_slot_create(claim->table, NULL);
	IndexScanDesc scan = index_beginscan(claim->table, claim->ordering, snapshot, 3, 0);
	int64 first = row->id;
	bool isnull;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(row->topic_no));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&row->ordering_key));
	ScanKeyInit(&keys[2], 3, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(low));
	index_rescan(scan, keys, 3, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
		first = DatumGetInt64(slot_getattr(slot, PAWS_JOB_ID, &isnull));
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	if (first == row->id)
		paws_order_raise(claim->database_slot, paws_job_flow(row), first);
	return first;
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

static Verdict
consider(PawsJobClaim *claim, const PawsTopic *topic, int level, TupleTableSlot *slot, Snapshot snapshot)
{
	PawsJobRow row;
	PawsLease lease;
	int64 duration = claim->lease > 0 ? claim->lease : topic->lease;

	paws_job_read_row(slot, &row);
	if (!row.available || row.topic_no != topic->no || row.level != level)
		return VERDICT_PASSED;
	if (row.expires_at != 0 && row.expires_at <= claim->now)
	{
		paws_job_delayed(claim->database_slot, 0); /* the timer's */
		return VERDICT_PASSED;
	}
	claim->wants_ordering = claim->wants_ordering || row.ordered;
	if (row.ordered && claim->ordering == NULL)
		return VERDICT_STOP;
	lease = paws_job_lease_of(&row, topic);
	switch (paws_lease_take(claim->database_slot, &lease, duration, paws_job_flow_cap(&row, topic)))
	{
		case PAWS_LEASED:
			break;
		case PAWS_LEASED_ALREADY:
		case PAWS_LEASED_FLOW:
			return VERDICT_PASSED;
		case PAWS_LEASED_FULL:
			claim->full = true;
			pg_atomic_fetch_add_u64(&paws_front_counts(claim->database_slot, topic->place)->refused, 1);
			return VERDICT_STOP;
	}
	if (!is_still_there(slot) || (row.ordered && first_of_key(claim, &row, snapshot) != row.id))
	{
		paws_lease_untake(claim->database_slot, row.id);
		return VERDICT_PASSED;
	}
	keep(claim, &row, &lease, duration);
	return VERDICT_TAKEN;
}

/* A row by its number, as the snapshot sees it. */
static Verdict
consider_ready(PawsJobClaim *claim, const PawsTopic *topic, int level, PawsJobPlace at, Snapshot snapshot)
{
	ScanKeyData key;
	IndexScanDesc scan = index_beginscan(claim->table, claim->pkey, snapshot, 1, 0);
	Verdict verdict = VERDICT_PASSED;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(at.id));
	index_rescan(scan, &key, 1, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, claim->slot))
		verdict = consider(claim, topic, level, claim->slot, snapshot);
	ExecClearTuple(claim->slot);
	index_endscan(scan);
	return verdict;
}

/*
 * What is in the list may have been told of after the snapshot was taken, and as that has it the job is not
 * there yet, or not the first of its key. Once off the list nobody else would look, so it is looked at again
 * by a snapshot that is younger than what was told.
 */
static Verdict
consider_told(PawsJobClaim *claim, const PawsTopic *topic, int level, PawsJobPlace at, Snapshot snapshot)
{
	Verdict verdict = consider_ready(claim, topic, level, at, snapshot);

	if (verdict == VERDICT_PASSED)
		verdict = consider_ready(claim, topic, level, at, take_snapshot(claim));
	return verdict;
}

/* False if what is left of the list has to wait. An error loses nothing of it. */
static bool
take_ready(PawsJobClaim *claim, const PawsTopic *topic, int level, Snapshot snapshot)
{
	volatile bool go_on = true;
	PawsJobPlace at;

	while (go_on && claim->pkey != NULL && claim->ntaken < claim->max &&
		   paws_front_take_ready(claim->database_slot, topic->place, level, &at, 1) > 0)
	{
		PG_TRY();
		{
			go_on = consider_told(claim, topic, level, at, snapshot) != VERDICT_STOP;
			if (!go_on)
				paws_front_tell(claim->database_slot, topic->place, level, at);
		}
		PG_CATCH();
		{
			paws_front_tell(claim->database_slot, topic->place, level, at);
			PG_RE_THROW();
		}
		PG_END_TRY();
	}
	return go_on;
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
		Verdict verdict;

		if (!index_getnext_slot(scan, ForwardScanDirection, claim->slot))
		{
			walked->end = true;
			break;
		}
		verdict = consider(claim, topic, level, claim->slot, snapshot);
		if (verdict == VERDICT_STOP)
			break;
		note_reached(claim->slot, walked);
		if (verdict == VERDICT_TAKEN)
			paws_flow_served(claim->database_slot, topic->place, level, walked->reached.rank);
		walked->more = --length <= 0;
	}
	ExecClearTuple(claim->slot);
	index_endscan(scan);
}

/*
 * Who ends a job tells of one that comes after it, and several at once tell of the same one. So whoever takes
 * one that was told of tells of the next, if more of the flow may run. True if it told of any.
 */
static bool
tell_of_next(PawsJobClaim *claim, const PawsTopic *topic, int from, int to)
{
	int slot = claim->database_slot;
	bool told = false;

	for (int i = from; i < to; i++)
	{
		const PawsJobRow *row = &claim->taken[i].row;
		int cap = paws_job_flow_cap(row, topic);
		int16 level;
		PawsJobPlace at;

		if (cap < 2 || row->subject_no == 0 ||
			!paws_lease_flow_has_room(slot, topic->place, paws_job_flow(row), cap))
			continue;
		paws_job_follower(row, topic, slot, &level, &at);
		if (level == 0)
			continue;
		paws_front_tell(slot, topic->place, level, at);
		told = true;
	}
	if (told && claim->ntaken == claim->max)
		paws_job_wake(slot, topic->place, 1);
	return told;
}

/* True if the walk may go on. */
static bool
take_once(PawsJobClaim *claim, const PawsTopic *topic, int level)
{
	int slot = claim->database_slot;
	bool had_ordering = claim->ordering != NULL;
	bool go_on;
	bool told;
	int had = claim->ntaken;
	int had_walked;
	Walked walked = {0};
	Snapshot snapshot;

	claim->opener(claim, topic->place);
	LWLockAcquire(paws_front_lock(slot, topic->place), LW_EXCLUSIVE);
	paws_front_begin(slot, topic->place, level, &walked.reached);
	snapshot = take_snapshot(claim);
	go_on = take_ready(claim, topic, level, snapshot);
	had_walked = claim->ntaken;
	if (go_on && claim->ntaken < claim->max)
		walk(claim, topic, level, snapshot, &walked);
	paws_front_end(slot, topic->place, level, walked.reached, walked.end);
	LWLockRelease(paws_front_lock(slot, topic->place));
	told = tell_of_next(claim, topic, had, had_walked);
	if (claim->full || claim->ntaken == claim->max)
		return false;
	return told || (claim->wants_ordering && !had_ordering && claim->ordering == NULL) ||
		   (walked.more && claim->ntaken == had);
}

void
paws_job_take(PawsJobClaim *claim, const PawsTopic *topic, int level)
{
	while (take_once(claim, topic, level))
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
	LWLockAcquire(paws_front_lock(slot, topic->place), LW_EXCLUSIVE);
	snapshot = take_snapshot(claim);
	found = peek_ready(claim, topic, level, snapshot, row) || peek_walk(claim, topic, level, snapshot, row);
	ExecClearTuple(claim->slot);
	*age = paws_flow_seen(slot, topic->place, level, found ? row->rank : PAWS_FLOW_NONE);
	LWLockRelease(paws_front_lock(slot, topic->place));
	return found;
}

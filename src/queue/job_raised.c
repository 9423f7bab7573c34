/*
 * queue/job_raised.c - jobs of raised subjects, by the index that begins with the subject.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/skey.h"
#include "access/tableam.h"
#include "queue/job_claim.h"
#include "queue/raise.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Raised subjects that one claim looks at, and jobs of each in a topic. */
#define LOOKS    64
#define ROWS_MAX 256

/* The part of a claim that raised subjects may have. */
#define PART 2

/* Columns of job_subject_idx. */
enum IndexColumn
{
	BY_SUBJECT_NO = 1,
	BY_TOPIC_NO,
	BY_AVAILABLE
};

/* One claim's look at raised subjects. */
typedef struct Raised
{
	PawsJobClaim *claim;
	const bool *paused;
	int enough; /* how many the claim may have by then */
} Raised;

/* Entries of finished jobs that are passed over under the topic's lock at once: an old snapshot may keep any
 * number of them. What lies behind them is left to its level. */
#define WALK_MAX 500

/* The next row that the snapshot sees; false at the end, or when *steps are used up. */
static bool
next_row(IndexScanDesc scan, TupleTableSlot *slot, int *steps)
{
	while (*steps > 0 && index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		if (index_fetch_heap(scan, slot))
			return true;
		(*steps)--;
	}
	return false;
}

/* False if there is none, not even one that waits for its time. */
static bool
has_any(PawsJobClaim *claim, int64 subject_no, Snapshot snapshot)
{
	IndexScanDesc scan = index_beginscan(claim->table, claim->subjects, snapshot, 1, 0);
	ScanKeyData key;
	int steps = WALK_MAX;
	bool found;

	ScanKeyInit(&key, BY_SUBJECT_NO, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(subject_no));
	index_rescan(scan, &key, 1, NULL, 0);
	found = next_row(scan, claim->slot, &steps) || steps == 0;
	ExecClearTuple(claim->slot);
	index_endscan(scan);
	return found;
}

static void
walk(Raised *raised, const PawsTopic *topic, int64 subject_no, Snapshot snapshot)
{
	PawsJobClaim *claim = raised->claim;
	IndexScanDesc scan = index_beginscan(claim->table, claim->subjects, snapshot, 3, 0);
	ScanKeyData keys[3];
	int steps = WALK_MAX;

	ScanKeyInit(&keys[0], BY_SUBJECT_NO, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(subject_no));
	ScanKeyInit(&keys[1], BY_TOPIC_NO, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(topic->no));
	ScanKeyInit(&keys[2], BY_AVAILABLE, BTEqualStrategyNumber, F_BOOLEQ, BoolGetDatum(true));
	index_rescan(scan, keys, 3, NULL, 0);
	for (int i = 0; i < ROWS_MAX && claim->ntaken < raised->enough; i++)
	{
		bool isnull;
		int level;

		if (!next_row(scan, claim->slot, &steps))
			break;
		level = DatumGetInt16(slot_getattr(claim->slot, PAWS_JOB_LEVEL, &isnull));
		if (!raised->paused[level] &&
			paws_job_consider(claim, topic, level, claim->slot, snapshot) == PAWS_JOB_STOP)
			break;
	}
	ExecClearTuple(claim->slot);
	index_endscan(scan);
}

static void
take_subject(Raised *raised, const PawsRaisedLook *look)
{
	PawsJobClaim *claim = raised->claim;
	Snapshot snapshot;

	for (int i = 0; i < claim->ntopics && claim->ntaken < raised->enough && !claim->full; i++)
	{
		const PawsTopic *topic = &claim->topics[i];
		LWLock *lock = paws_front_lock(claim->database_slot, topic->place);

		paws_job_reserve_snapshot(claim);
		LWLockAcquire(lock, LW_EXCLUSIVE);
		snapshot = paws_job_take_snapshot(claim);
		if (i == 0 && !has_any(claim, look->subject_no, snapshot))
		{
			LWLockRelease(lock);
			paws_raise_idle(claim->database_slot, PAWS_RAISED_JOBS, look);
			return;
		}
		walk(raised, topic, look->subject_no, snapshot);
		LWLockRelease(lock);
	}
}

void
paws_job_take_raised(PawsJobClaim *claim, const bool *paused)
{
	PawsRaisedLook looks[LOOKS];
	Raised raised = {.claim = claim, .paused = paused};
	int count;

	if (paused[PAWS_RAISED_LEVEL])
		return;
	count = paws_raise_looks(claim->database_slot, PAWS_RAISED_JOBS, looks, LOOKS);
	if (count == 0)
		return;
	raised.enough = claim->ntaken + (claim->max - claim->ntaken + 1) / PART;
	if (claim->subjects == NULL)
		claim->subjects = index_open(paws_job_table.index_oids[PAWS_JOB_SUBJECT_IDX], AccessShareLock);
	if (claim->ordering == NULL)
		claim->ordering = index_open(paws_job_table.index_oids[PAWS_JOB_ORDERING_IDX], AccessShareLock);
	for (int i = 0; i < count && claim->ntaken < raised.enough && !claim->full; i++)
		take_subject(&raised, &looks[i]);
}

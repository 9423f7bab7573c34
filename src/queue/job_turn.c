/*
 * queue/job_turn.c - whether a row that a claim came to is still to be had, and whether it is its turn among
 * the jobs of its ordering key.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "queue/job_claim.h"
#include "storage/procarray.h"
#include "utils/fmgroids.h"

/* Index entries of finished jobs that are passed over under the topic's lock at once. */
#define KEY_WALK_MAX 500

bool
paws_job_still_there(TupleTableSlot *slot)
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

/* The id in the entry of job_ordering_idx that the scan is at. */
static int64
id_of_entry(IndexScanDesc scan)
{
	bool isnull;

	return DatumGetInt64(index_getattr(scan->xs_itup, 3, scan->xs_itupdesc, &isnull));
}

/*
 * Walks to the next job of a key that the snapshot sees. False if entries of finished ones were too many for
 * once; *id is the last of them then, else the job found, or untouched if there is none.
 */
static bool
walk_key(IndexScanDesc scan, TupleTableSlot *slot, int64 *id)
{
	int steps = 0;

	while (index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		int64 seen = id_of_entry(scan);

		if (index_fetch_heap(scan, slot))
		{
			*id = seen;
			return true;
		}
		if (++steps >= KEY_WALK_MAX)
		{
			*id = seen;
			return false;
		}
	}
	return true;
}

/* Nothing of a key that is not finished lies below, as far as is known. What everybody knows may be forgotten
 * while this claim walks. */
static int64
low_of_key(const PawsJobClaim *claim, const PawsJobRow *row)
{
	uint64 flow = paws_job_flow(row);
	int64 low = paws_order_low(claim->database_slot, flow);

	if (low == 0 && claim->walked_flow == flow)
		low = claim->walked_to;
	return Min(low, row->id);
}

PawsKeyWalk
paws_job_first_of_key(PawsJobClaim *claim, const PawsJobRow *row, Snapshot snapshot, int64 *first)
{
	ScanKeyData keys[3];
	uint64 flow = paws_job_flow(row);
	TupleTableSlot *slot = table_slot_create(claim->table, NULL);
	IndexScanDesc scan = index_beginscan(claim->table, claim->ordering, snapshot, 3, 0);
	PawsKeyWalk walk = PAWS_KEY_FOUND;

	scan->xs_want_itup = true;
	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(row->topic_no));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&row->ordering_key));
	ScanKeyInit(&keys[2], 3, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(low_of_key(claim, row)));
	index_rescan(scan, keys, 3, NULL, 0);
	*first = row->id;
	if (!walk_key(scan, slot, first))
	{
		claim->walked_flow = flow;
		claim->walked_to = *first;
		walk = PAWS_KEY_MORE;
	}
	else if (!TupIsNull(slot) && !paws_job_still_there(slot))
		walk = PAWS_KEY_ENDED;
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	if (walk == PAWS_KEY_MORE || *first == row->id)
		paws_order_raise(claim->database_slot, flow, *first);
	return walk;
}

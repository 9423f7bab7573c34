/*
 * queue/fetch.c - reading what was chosen, and removing what is finished, by its place in the table.
 *
 * Nothing is locked in between: the deletion says whether somebody else had it. Two workers never hold the
 * same operation but while one of them is just ending.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "base/stored.h"
#include "base/table.h"
#include "queue/depth.h"
#include "queue/operation.h"
#include "queue/policy.h"
#include "queue/queue.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PawsTable paws_queue_operations = {.schema = "paws_queue",
								   .name = "operation",
								   .indexes = {"operation_order_idx", "operation_once_idx"},
								   .columns = OPERATION_COLUMNS};

static Datum
column(TupleTableSlot *slot, int number)
{
	bool isnull;

	return slot_getattr(slot, number, &isnull);
}

static void
read_operation(TupleTableSlot *slot, PawsOperation *o)
{
	bool isnull;
	Datum envelope = slot_getattr(slot, OPERATION_ENVELOPE, &isnull);

	memset(o, 0, sizeof(*o));
	o->place = slot->tts_tid;
	o->id = DatumGetInt64(column(slot, OPERATION_ID));
	o->rank = DatumGetInt64(column(slot, OPERATION_RANK));
	o->level = paws_stored_code(DatumGetInt16(column(slot, OPERATION_LEVEL)), PAWS_LEVEL_ORDINARY_MAX);
	o->klass = (PawsClass) paws_stored_code(DatumGetInt16(column(slot, OPERATION_CLASS)), PAWS_CLASS_LAST);
	o->tier = (PawsTier) paws_stored_code(DatumGetInt16(column(slot, OPERATION_TIER)), PAWS_TIER_LAST);
	o->subject_no = DatumGetInt64(column(slot, OPERATION_SUBJECT_NO));
	o->device_no = DatumGetInt64(column(slot, OPERATION_DEVICE_NO));
	o->collection = DatumGetInt16(column(slot, OPERATION_COLLECTION));
	o->op_id = *DatumGetUUIDP(column(slot, OPERATION_OP_ID));
	o->doc_id = *DatumGetUUIDP(column(slot, OPERATION_DOC_ID));
	o->base_revision = DatumGetInt64(column(slot, OPERATION_BASE_REVISION));
	o->deleted = DatumGetBool(column(slot, OPERATION_DELETED));
	o->attempts = DatumGetInt16(column(slot, OPERATION_ATTEMPTS));
	o->enqueued_at = DatumGetTimestampTz(column(slot, OPERATION_ENQUEUED_AT));
	o->envelope = isnull ? NULL : DatumGetByteaPCopy(envelope);
	o->target_ms = paws_policy(o->klass, o->tier)->target_ms;
}

/* What lies at a place may be another row by now, or none. */
static int
read_chosen(const PawsClaim *claim, Snapshot snapshot, PawsOperation *operations)
{
	Relation table = paws_table_open(&paws_queue_operations, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	BlockNumber blocks = RelationGetNumberOfBlocks(table);
	int count = 0;

	for (int i = 0; i < claim->count; i++)
	{
		ItemPointerData place = claim->places[i];

		if (ItemPointerGetBlockNumber(&place) < blocks &&
			table_tuple_fetch_row_version(table, &place, snapshot, slot) &&
			DatumGetInt64(column(slot, OPERATION_ID)) == claim->ids[i])
			read_operation(slot, &operations[count++]);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
	return count;
}

static int
compare_ids(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x > y) - (x < y);
}

static int
compare_documents(const void *a, const void *b)
{
	const PawsOperation *x = *(PawsOperation *const *) a;
	const PawsOperation *y = *(PawsOperation *const *) b;

	if (x->subject_no != y->subject_no)
		return (x->subject_no > y->subject_no) - (x->subject_no < y->subject_no);
	return memcmp(&x->doc_id, &y->doc_id, UUID_LEN);
}

/* The first operation that waits on the document of `operation` and is not among ids, which ascend. */
static int64
first_of_others(PawsScan *scan, const PawsOperation *operation, const int64 *ids, int count)
{
	Datum values[2] = {Int64GetDatum(operation->subject_no), UUIDPGetDatum(&operation->doc_id)};
	int64 first = PG_INT64_MAX;

	paws_scan_again(scan, values);
	while (paws_scan_next(scan))
	{
		int64 id = paws_scan_int64(scan, OPERATION_ID);

		if (id < first && !bsearch(&id, ids, count, sizeof(int64), compare_ids))
			first = id;
	}
	return first;
}

/* One look for each document. */
static void
find_blocked(const PawsClaim *claim, Snapshot snapshot, PawsOperation *operations, int count)
{
	PawsOperation **ordered = palloc(count * sizeof(PawsOperation *));
	int64 *ids = palloc(claim->count * sizeof(int64));
	PawsKey keys[2] = {{1, BTEqualStrategyNumber, Int64GetDatum(0)},
					   {2, BTEqualStrategyNumber, UUIDPGetDatum(&operations[0].doc_id)}};
	int64 first = 0;
	PawsScan scan;

	memcpy(ids, claim->ids, claim->count * sizeof(int64));
	qsort(ids, claim->count, sizeof(int64), compare_ids);
	for (int i = 0; i < count; i++)
		ordered[i] = &operations[i];
	qsort(ordered, count, sizeof(PawsOperation *), compare_documents);
	paws_scan_begin(&scan, &paws_queue_operations, OPERATION_BY_DOCUMENT, snapshot, keys, 2);
	for (int i = 0; i < count; i++)
	{
		if (i == 0 || compare_documents(&ordered[i - 1], &ordered[i]) != 0)
			first = first_of_others(&scan, ordered[i], ids, claim->count);
		ordered[i]->blocked = first < ordered[i]->id;
	}
	paws_scan_end(&scan);
}

void
paws_queue_find_blocked(PawsOperation *operations, int count)
{
	Snapshot snapshot = paws_table_snap(false);
	PawsKey keys[2] = {{1, BTEqualStrategyNumber, Int64GetDatum(operations[0].subject_no)},
					   {2, BTEqualStrategyNumber, UUIDPGetDatum(&operations[0].doc_id)}};
	PawsScan scan;

	paws_scan_begin(&scan, &paws_queue_operations, OPERATION_BY_DOCUMENT, snapshot, keys, 2);
	for (int i = 0; i < count; i++)
	{
		Datum values[2] = {Int64GetDatum(operations[i].subject_no), UUIDPGetDatum(&operations[i].doc_id)};

		if (i > 0)
			paws_scan_again(&scan, values);
		operations[i].blocked = paws_scan_next(&scan);
	}
	paws_scan_end(&scan);
	paws_table_unsnap(snapshot);
}

/* Most urgent first, then by arrival. */
static int
compare_operations(const void *a, const void *b)
{
	const PawsOperation *x = a;
	const PawsOperation *y = b;

	if (x->level != y->level)
		return y->level - x->level;
	return (x->id > y->id) - (x->id < y->id);
}

/* Within a document the order of arrival wins over the level: its operations trade places so that their ids
 * ascend. */
static void
keep_document_order(PawsOperation *operations, int count)
{
	for (int i = 1; i < count; i++)
		for (int j = 0; j < i; j++)
			if (operations[j].id > operations[i].id && operations[j].subject_no == operations[i].subject_no &&
				memcmp(&operations[j].doc_id, &operations[i].doc_id, UUID_LEN) == 0)
			{
				PawsOperation swap = operations[i];

				operations[i] = operations[j];
				operations[j] = swap;
			}
}

static bool
mixed_levels(const PawsOperation *operations, int count)
{
	return count > 1 && operations[0].level != operations[count - 1].level;
}

int
paws_queue_fetch(const PawsClaim *claim, PawsOperation **operations)
{
	Snapshot snapshot = paws_table_snap(false);
	PawsOperation *found = palloc(Max(claim->count, 1) * sizeof(PawsOperation));
	int count = read_chosen(claim, snapshot, found);

	*operations = found;
	if (count > 0)
		find_blocked(claim, snapshot, found, count);
	paws_table_unsnap(snapshot);
	qsort(found, count, sizeof(PawsOperation), compare_operations);
	if (mixed_levels(found, count))
		keep_document_order(found, count);
	return count;
}

/* Another process changes it, or has removed it: what was done for it must not be done twice. */
static void
refuse_changed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("an operation was changed while it was applied"), errdetail("It is looked at anew.")));
}

void
paws_queue_finish(int slot, const PawsOperation *operations, int count)
{
	PawsWriter writer;
	Snapshot snapshot = paws_table_snap(false);

	paws_writer_begin(&writer, &paws_queue_operations, false);
	for (int i = 0; i < count; i++)
	{
		ItemPointerData place = operations[i].place;

		if (paws_writer_delete(&writer, &place, snapshot, false) != PAWS_WRITTEN)
			refuse_changed();
		paws_depth_at_commit(slot, operations[i].level, -1);
	}
	paws_writer_end(&writer);
	paws_table_unsnap(snapshot);
}

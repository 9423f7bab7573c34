/*
 * queue/put.c - adding operations.
 */
#include "postgres.h"

#include "base/spi.h"
#include "base/table.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "queue/depth.h"
#include "queue/flow.h"
#include "queue/mark.h"
#include "queue/queue.h"
#include "queue/raise.h"
#include "utils/timestamp.h"

/* Columns of the table of operations, from 0. */
enum
{
	COLUMN_ID,
	COLUMN_SUBJECT_NO,
	COLUMN_DEVICE_NO,
	COLUMN_BASE_REVISION,
	COLUMN_RANK,
	COLUMN_ENQUEUED_AT,
	COLUMN_DUE_AT,
	COLUMN_NOT_BEFORE,
	COLUMN_OP_ID,
	COLUMN_DOC_ID,
	COLUMN_LEVEL,
	COLUMN_BASE_LEVEL,
	COLUMN_CLASS,
	COLUMN_TIER,
	COLUMN_COLLECTION,
	COLUMN_ATTEMPTS,
	COLUMN_DELETED,
	COLUMN_ENVELOPE,
	COLUMNS
};

static PawsTable waiting = {.schema = "paws_queue",
							.name = "operation",
							.indexes = {"operation_once_idx"},
							.columns = COLUMNS};
static PawsTable next_id = {.schema = "paws_queue", .name = "operation_id"};

static PawsStatement find_waiting = {
	.sql = "SELECT c.n FROM ROWS FROM (" PAWS_SETS_2 ") WITH ORDINALITY AS c (doc_id, op_id, n) "
		   "JOIN paws_queue.operation o ON o.subject_no OPERATOR(pg_catalog.=) $3 "
		   "AND o.doc_id OPERATOR(pg_catalog.=) c.doc_id AND o.device_no OPERATOR(pg_catalog.=) $4 "
		   "AND o.op_id OPERATOR(pg_catalog.=) c.op_id",
	.nargs = 4,
	.types = {UUIDARRAYOID, UUIDARRAYOID, INT8OID, INT8OID},
};

static void
to_row(PawsOperation *o, int64 id, Datum *values, bool *nulls)
{
	memset(nulls, 0, COLUMNS * sizeof(bool));
	values[COLUMN_ID] = Int64GetDatum(id);
	values[COLUMN_SUBJECT_NO] = Int64GetDatum(o->subject_no);
	values[COLUMN_DEVICE_NO] = Int64GetDatum(o->device_no);
	values[COLUMN_BASE_REVISION] = Int64GetDatum(o->base_revision);
	values[COLUMN_RANK] = Int64GetDatum(o->rank);
	values[COLUMN_ENQUEUED_AT] = TimestampTzGetDatum(o->enqueued_at);
	values[COLUMN_DUE_AT] = TimestampTzGetDatum(o->enqueued_at + (int64) o->target_ms * 1000);
	nulls[COLUMN_NOT_BEFORE] = true;
	values[COLUMN_OP_ID] = UUIDPGetDatum(&o->op_id);
	values[COLUMN_DOC_ID] = UUIDPGetDatum(&o->doc_id);
	values[COLUMN_LEVEL] = Int16GetDatum(o->level);
	values[COLUMN_BASE_LEVEL] = Int16GetDatum(o->level);
	values[COLUMN_CLASS] = Int16GetDatum(o->klass);
	values[COLUMN_TIER] = Int16GetDatum(o->tier);
	values[COLUMN_COLLECTION] = Int16GetDatum(o->collection);
	values[COLUMN_ATTEMPTS] = Int16GetDatum(0);
	values[COLUMN_DELETED] = BoolGetDatum(o->deleted);
	values[COLUMN_ENVELOPE] = PointerGetDatum(o->envelope);
	nulls[COLUMN_ENVELOPE] = o->envelope == NULL;
}

/* Adds those whose key is not there, and tells which. */
static void
insert_rows(PawsOperation *operations, const int64 *ids, int count, bool *put)
{
	Datum *values = palloc0((Size) count * COLUMNS * sizeof(Datum));
	bool *nulls = palloc((Size) count * COLUMNS * sizeof(bool));
	PawsWriter writer;

	for (int i = 0; i < count; i++)
		to_row(&operations[i], ids[i], values + (Size) i * COLUMNS, nulls + (Size) i * COLUMNS);
	paws_writer_begin(&writer, &waiting, true);
	if (count == 1)
		put[0] = paws_writer_insert_new(&writer, &waiting, 0, values, nulls);
	else
		paws_writer_insert_many_once(&writer, &waiting, 0, values, nulls, COLUMNS, count, put);
	paws_writer_end(&writer);
}

/* Those of one subject at each level take turns with those of others there. */
static void
give_ranks(int slot, PawsOperation *operations, int count)
{
	int counts[PAWS_LEVEL_ORDINARY_MAX + 1] = {0};
	int64 next[PAWS_LEVEL_ORDINARY_MAX + 1];

	for (int i = 0; i < count; i++)
		counts[operations[i].level]++;
	for (int level = 1; level <= PAWS_LEVEL_ORDINARY_MAX; level++)
		if (counts[level] > 0)
			next[level] =
				paws_flow_rank(slot, PAWS_FLOW_OPERATIONS, level, operations[0].subject_no, counts[level]);
	for (int i = 0; i < count; i++)
		operations[i].rank = next[operations[i].level]++;
}

/* What waited already takes no turn. */
static void
return_ranks(int slot, const PawsOperation *operations, int count)
{
	int counts[PAWS_LEVEL_ORDINARY_MAX + 1] = {0};

	for (int i = 0; i < count; i++)
		counts[operations[i].level] += operations[i].id == 0;
	for (int level = 1; level <= PAWS_LEVEL_ORDINARY_MAX; level++)
		if (counts[level] > 0)
			paws_flow_unused(slot, PAWS_FLOW_OPERATIONS, level, operations[0].subject_no, counts[level]);
}

/* How many of the first operations are of one subject. */
static int
run_length(const PawsOperation *operations, int count)
{
	int n = 1;

	while (n < count && operations[n].subject_no == operations[0].subject_no)
		n++;
	return n;
}

void
paws_queue_put(int slot, PawsOperation *operations, int count)
{
	int64 *ids = palloc(Max(count, 1) * sizeof(int64));
	bool *put = palloc(Max(count, 1) * sizeof(bool));
	int nput = 0;

	if (count == 0)
		return;
	PreventCommandIfReadOnly("push");
	for (int i = 0; i < count; i += run_length(operations + i, count - i))
		give_ranks(slot, operations + i, run_length(operations + i, count - i));
	paws_table_next_values(&next_id, ids, count);
	insert_rows(operations, ids, count, put);
	for (int i = 0; i < count; i++)
	{
		if (!put[i])
			continue;
		nput++;
		operations[i].id = ids[i];
		paws_depth_note_id(slot, ids[i]);
		paws_raise_touch_at_commit(slot, operations[i].subject_no);
		paws_depth_at_commit(slot, operations[i].level, 1);
		paws_mark_lower_at_commit(slot, operations[i].level,
								  (PawsPlace){operations[i].rank, operations[i].id});
	}
	for (int i = 0; nput < count && i < count; i += run_length(operations + i, count - i))
		return_ranks(slot, operations + i, run_length(operations + i, count - i));
	if (nput > 0)
		paws_wake_at_commit(slot, PAWS_WAKE_POOL);
}

void
paws_queue_find(int64 subject_no, int64 device_no, const pg_uuid_t *doc_ids, const pg_uuid_t *op_ids,
				int count, bool *found)
{
	Datum *docs = palloc(Max(count, 1) * sizeof(Datum));
	Datum *ops = palloc(Max(count, 1) * sizeof(Datum));
	Datum args[4];
	int rows;

	memset(found, 0, count * sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		docs[i] = UUIDPGetDatum(&doc_ids[i]);
		ops[i] = UUIDPGetDatum(&op_ids[i]);
	}
	args[0] = paws_spi_array(docs, NULL, count, UUIDOID);
	args[1] = paws_spi_array(ops, NULL, count, UUIDOID);
	args[2] = Int64GetDatum(subject_no);
	args[3] = Int64GetDatum(device_no);
	rows = (int) paws_spi_run(&find_waiting, args, NULL, 0);
	for (int i = 0; i < rows; i++)
		found[paws_spi_int64(i, 1) - 1] = true;
}

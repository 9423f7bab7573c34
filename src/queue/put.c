/*
 * queue/put.c - adding operations.
 */
#include "postgres.h"

#include "base/spi.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "queue/depth.h"
#include "queue/flow.h"
#include "queue/mark.h"
#include "queue/queue.h"
#include "utils/timestamp.h"

#define COLUMNS                                                                                              \
	"level, rank, class, tier, subject_no, device_no, collection, op_id, doc_id, base_revision, deleted, "   \
	"enqueued_at, due_at, envelope"
#define NCOLUMNS 14

static const Oid types[NCOLUMNS] = {INT2OID, INT8OID,        INT2OID,        INT2OID, INT8OID,
									INT8OID, INT2OID,        UUIDOID,        UUIDOID, INT8OID,
									BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID, BYTEAOID};

static PawsStatement put_one = {
	.sql = "INSERT INTO paws_queue.operation (" COLUMNS ", base_level) "
		   "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $1) "
		   "ON CONFLICT (subject_no, doc_id, device_no, op_id) DO NOTHING RETURNING id, op_id",
	.nargs = NCOLUMNS,
	.types = {INT2OID, INT8OID, INT2OID, INT2OID, INT8OID, INT8OID, INT2OID, UUIDOID, UUIDOID, INT8OID,
			  BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID, BYTEAOID},
};

static PawsStatement put_many = {
	.sql = "INSERT INTO paws_queue.operation (" COLUMNS ", base_level) "
		   "SELECT c.*, c.level FROM ROWS FROM (" PAWS_SETS_14 ") AS c (" COLUMNS ") "
		   "ON CONFLICT (subject_no, doc_id, device_no, op_id) DO NOTHING RETURNING id, op_id",
	.nargs = NCOLUMNS,
	.types = {INT2ARRAYOID, INT8ARRAYOID, INT2ARRAYOID, INT2ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
			  INT2ARRAYOID, UUIDARRAYOID, UUIDARRAYOID, INT8ARRAYOID, BOOLARRAYOID, TIMESTAMPTZARRAYOID,
			  TIMESTAMPTZARRAYOID, BYTEAARRAYOID},
};

static PawsStatement find_waiting = {
	.sql = "SELECT c.n FROM ROWS FROM (" PAWS_SETS_2 ") WITH ORDINALITY AS c (doc_id, op_id, n) "
		   "JOIN paws_queue.operation o ON o.subject_no OPERATOR(pg_catalog.=) $3 "
		   "AND o.doc_id OPERATOR(pg_catalog.=) c.doc_id AND o.device_no OPERATOR(pg_catalog.=) $4 "
		   "AND o.op_id OPERATOR(pg_catalog.=) c.op_id",
	.nargs = 4,
	.types = {UUIDARRAYOID, UUIDARRAYOID, INT8OID, INT8OID},
};

static void
to_datums(PawsOperation *o, Datum *values)
{
	values[0] = Int16GetDatum(o->level);
	values[1] = Int64GetDatum(o->rank);
	values[2] = Int16GetDatum(o->klass);
	values[3] = Int16GetDatum(o->tier);
	values[4] = Int64GetDatum(o->subject_no);
	values[5] = Int64GetDatum(o->device_no);
	values[6] = Int16GetDatum(o->collection);
	values[7] = UUIDPGetDatum(&o->op_id);
	values[8] = UUIDPGetDatum(&o->doc_id);
	values[9] = Int64GetDatum(o->base_revision);
	values[10] = BoolGetDatum(o->deleted);
	values[11] = TimestampTzGetDatum(o->enqueued_at);
	values[12] = TimestampTzGetDatum(o->enqueued_at + (int64) o->target_ms * 1000);
	values[13] = PointerGetDatum(o->envelope);
}

static uint64
insert_many(PawsOperation *operations, int count)
{
	Datum args[NCOLUMNS];
	Datum *columns[NCOLUMNS];
	bool *no_envelope = palloc(count * sizeof(bool));

	for (int c = 0; c < NCOLUMNS; c++)
		columns[c] = palloc(count * sizeof(Datum));
	for (int i = 0; i < count; i++)
	{
		Datum values[NCOLUMNS];

		to_datums(&operations[i], values);
		for (int c = 0; c < NCOLUMNS; c++)
			columns[c][i] = values[c];
		no_envelope[i] = operations[i].envelope == NULL;
	}
	for (int c = 0; c < NCOLUMNS; c++)
		args[c] = paws_spi_array(columns[c], c == NCOLUMNS - 1 ? no_envelope : NULL, count, types[c]);
	return paws_spi_run(&put_many, args, NULL, 0);
}

static uint64
insert_one(PawsOperation *operation)
{
	Datum values[NCOLUMNS];
	char nulls[NCOLUMNS];

	to_datums(operation, values);
	memset(nulls, ' ', sizeof(nulls));
	if (operation->envelope == NULL)
		nulls[NCOLUMNS - 1] = 'n';
	return paws_spi_run(&put_one, values, nulls, 0);
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

/* Rows come back in the order of the operations, those that waited already left out. */
void
paws_queue_put(int slot, PawsOperation *operations, int count)
{
	uint64 rows;
	uint64 row = 0;

	if (count == 0)
		return;
	for (int i = 0; i < count; i += run_length(operations + i, count - i))
		give_ranks(slot, operations + i, run_length(operations + i, count - i));
	rows = count == 1 ? insert_one(&operations[0]) : insert_many(operations, count);
	for (int i = 0; i < count && row < rows; i++)
	{
		bool isnull;

		if (memcmp(DatumGetUUIDP(paws_spi_column(row, 2, &isnull)), &operations[i].op_id, UUID_LEN) != 0)
			continue;
		operations[i].id = paws_spi_int64(row++, 1);
		paws_depth_note_id(slot, operations[i].id);
		paws_depth_at_commit(slot, operations[i].level, 1);
		paws_mark_lower_at_commit(slot, operations[i].level,
								  (PawsPlace){operations[i].rank, operations[i].id});
	}
	for (int i = 0; row < (uint64) count && i < count; i += run_length(operations + i, count - i))
		return_ranks(slot, operations + i, run_length(operations + i, count - i));
	if (row > 0)
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

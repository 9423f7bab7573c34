/*
 * store/write.c - writes what a batch decided, table by table.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "store/store.h"
#include "store/store_private.h"
#include "utils/timestamp.h"

/* Columns of a set on their way into arrays. */
typedef struct Columns
{
	int count;
	Datum *values[PAWS_SPI_ARGS_MAX];
	bool *nulls[PAWS_SPI_ARGS_MAX];
} Columns;

static void
make_columns(Columns *columns, int ncolumns, int rows)
{
	columns->count = 0;
	for (int i = 0; i < ncolumns; i++)
	{
		columns->values[i] = palloc(Max(rows, 1) * sizeof(Datum));
		columns->nulls[i] = palloc0(Max(rows, 1) * sizeof(bool));
	}
}

/* Element types of the arrays, in order; a set without rows is not run. */
static void
run_set(PawsStore *store, PawsStoreStatement which, Columns *columns, const Oid *types, int ncolumns)
{
	Datum args[PAWS_SPI_ARGS_MAX];

	if (columns->count == 0)
		return;
	for (int i = 0; i < ncolumns; i++)
		args[i] = paws_spi_array(columns->values[i], columns->nulls[i], columns->count, types[i]);
	paws_store_run(store, which, args, NULL);
}

static void
put_bytea(Columns *columns, int column, int row, bytea *value)
{
	columns->values[column][row] = PointerGetDatum(value);
	columns->nulls[column][row] = value == NULL;
}

static bytea *
seal_of(const PawsStore *store, const PawsChange *change)
{
	bytea *seal;

	if (change->envelope == NULL)
		return NULL;
	seal = palloc(VARHDRSZ + PAWS_SEAL_BYTES);
	SET_VARSIZE(seal, VARHDRSZ + PAWS_SEAL_BYTES);
	if (!paws_vault_revision_seal(store->keys, change->envelope, change->subject_no, change->doc_id.data,
								  change->revision, (uint8_t *) VARDATA(seal)))
		return NULL;
	return seal;
}

static void
head_values(const PawsStore *store, PawsChange *change, Datum *values, bool *nulls)
{
	bytea *seal = seal_of(store, change);

	values[DOCUMENT_SUBJECT_NO - 1] = Int64GetDatum(change->subject_no);
	values[DOCUMENT_REVISION - 1] = Int64GetDatum(change->revision);
	values[DOCUMENT_POSITION - 1] = Int64GetDatum(change->position);
	values[DOCUMENT_BASE_REVISION - 1] = Int64GetDatum(change->base_revision);
	values[DOCUMENT_CHANGED_AT - 1] = TimestampTzGetDatum(change->finished_at);
	values[DOCUMENT_DOC_ID - 1] = UUIDPGetDatum(&change->doc_id);
	values[DOCUMENT_OP_ID - 1] = UUIDPGetDatum(&change->op_id);
	values[DOCUMENT_COLLECTION - 1] = Int16GetDatum(change->collection);
	values[DOCUMENT_DELETED - 1] = BoolGetDatum(change->deleted);
	values[DOCUMENT_SEAL - 1] = PointerGetDatum(seal);
	values[DOCUMENT_ENVELOPE - 1] = PointerGetDatum(change->envelope);
	memset(nulls, 0, DOCUMENT_COLUMNS * sizeof(bool));
	nulls[DOCUMENT_SEAL - 1] = seal == NULL;
	nulls[DOCUMENT_ENVELOPE - 1] = change->envelope == NULL;
}

/*
 * Only the last change of a document in the batch becomes its head; the ones before it are entries of the
 * feed alone. A tombstone that was read may expire meanwhile; then the document is made anew.
 */
static void
write_heads(PawsStore *store, PawsBatch *batch)
{
	Datum *values = palloc(Max(batch->nheads, 1) * DOCUMENT_COLUMNS * sizeof(Datum));
	bool *nulls = palloc(Max(batch->nheads, 1) * DOCUMENT_COLUMNS * sizeof(bool));
	PawsWriter writer;
	int made = 0;

	paws_writer_begin(&writer, paws_store_table(store, PAWS_TABLE_DOCUMENT), false);
	for (int i = 0; i < batch->nheads; i++)
	{
		PawsHead *head = &batch->heads[i];
		Datum *row = values + made * DOCUMENT_COLUMNS;
		bool *row_nulls = nulls + made * DOCUMENT_COLUMNS;

		if (head->change == NULL)
			continue;
		head_values(store, head->change, row, row_nulls);
		if (!head->stored ||
			paws_writer_update(&writer, &head->place, batch->snapshot, row, row_nulls, true) != PAWS_WRITTEN)
			made++;
	}
	paws_writer_insert_many(&writer, values, nulls, DOCUMENT_COLUMNS, made);
	paws_writer_end(&writer);
}

static bool
is_kept(const PawsChange *change)
{
	return !change->skipped && !change->repeated && change->outcome == PAWS_OUTCOME_CONFLICT;
}

static void
write_branches(PawsStore *store, PawsBatch *batch)
{
	static const Oid types[] = {INT8OID, UUIDOID, UUIDOID,  INT2OID,       INT8OID,
								BOOLOID, INT8OID, BYTEAOID, TIMESTAMPTZOID};
	Columns c;
	int kept = 0;

	for (int i = 0; i < batch->count; i++)
		kept += is_kept(&batch->changes[i]);
	make_columns(&c, lengthof(types), kept);
	for (int i = 0; i < batch->count; i++)
	{
		PawsChange *change = &batch->changes[i];
		int row = c.count;

		if (!is_kept(change))
			continue;
		c.count++;
		c.values[0][row] = Int64GetDatum(change->subject_no);
		c.values[1][row] = UUIDPGetDatum(&change->doc_id);
		c.values[2][row] = UUIDPGetDatum(&change->op_id);
		c.values[3][row] = Int16GetDatum(change->collection);
		c.values[4][row] = Int64GetDatum(change->base_revision);
		c.values[5][row] = BoolGetDatum(change->deleted);
		c.values[6][row] = Int64GetDatum(change->position);
		put_bytea(&c, 7, row, change->envelope);
		c.values[8][row] = TimestampTzGetDatum(change->finished_at);
	}
	run_set(store, PAWS_STORE_INSERT_BRANCHES, &c, types, lengthof(types));
}

static void
entry_values(const PawsChange *change, Datum *values)
{
	values[FEED_SUBJECT_NO - 1] = Int64GetDatum(change->subject_no);
	values[FEED_POSITION - 1] = Int64GetDatum(change->position);
	values[FEED_DEVICE_NO - 1] = Int64GetDatum(change->device_no);
	values[FEED_REVISION - 1] = Int64GetDatum(change->revision);
	values[FEED_FINISHED_AT - 1] = TimestampTzGetDatum(change->finished_at);
	values[FEED_OP_ID - 1] = UUIDPGetDatum(&change->op_id);
	values[FEED_DOC_ID - 1] = UUIDPGetDatum(&change->doc_id);
	values[FEED_COLLECTION - 1] = Int16GetDatum(change->collection);
	values[FEED_OUTCOME - 1] = Int16GetDatum(change->outcome);
	values[FEED_REASON - 1] = Int16GetDatum(change->reason);
	values[FEED_DELETED - 1] = BoolGetDatum(change->deleted);
}

static void
write_feed(PawsStore *store, PawsBatch *batch)
{
	Datum *values = palloc(batch->count * FEED_COLUMNS * sizeof(Datum));
	bool *nulls = palloc0(batch->count * FEED_COLUMNS * sizeof(bool));
	PawsWriter writer;
	int count = 0;

	for (int i = 0; i < batch->count; i++)
		if (!batch->changes[i].skipped && !batch->changes[i].repeated)
			entry_values(&batch->changes[i], values + count++ * FEED_COLUMNS);
	if (count == 0)
		return;
	paws_writer_begin(&writer, paws_store_table(store, PAWS_TABLE_FEED), false);
	paws_writer_insert_many(&writer, values, nulls, FEED_COLUMNS, count);
	paws_writer_end(&writer);
}

/* After something was there, so many batches are looked up first; twice as many after the next time. */
#define CAREFUL_MIN 16
#define CAREFUL_MAX 1024

static int careful = 0;
static int careful_next = CAREFUL_MIN;

static bool
makes_all(PawsStore *store, const PawsBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
		if (!batch->changes[i].makes || batch->changes[i].skipped)
			return false;
	return !paws_table_has_triggers(paws_store_table(store, PAWS_TABLE_DOCUMENT)) &&
		   !paws_table_has_triggers(paws_store_table(store, PAWS_TABLE_FEED));
}

static void
decide_new(PawsStore *store, PawsBatch *batch, TimestampTz now)
{
	for (int i = 0; i < batch->count; i++)
	{
		PawsChange *change = &batch->changes[i];

		change->outcome = PAWS_OUTCOME_APPLIED;
		change->reason = change->mark;
		change->revision = 1;
		change->position = ++paws_store_counter(batch, change->subject_no)->position;
		change->finished_at = paws_manifest_time(store->done, change->tier, now);
	}
}

StaticAssertDecl((int) FEED_COLUMNS <= (int) DOCUMENT_COLUMNS, "one set of columns serves both");

static bool
insert_new(PawsStore *store, PawsBatch *batch, PawsWriter *documents, ItemPointerData *places)
{
	int count = batch->count;
	Datum *values = palloc(count * DOCUMENT_COLUMNS * sizeof(Datum));
	bool *nulls = palloc(count * DOCUMENT_COLUMNS * sizeof(bool));
	PawsTable *feed = paws_store_table(store, PAWS_TABLE_FEED);
	PawsWriter entries;
	bool good;

	for (int i = 0; i < count; i++)
		head_values(store, &batch->changes[i], values + i * DOCUMENT_COLUMNS, nulls + i * DOCUMENT_COLUMNS);
	if (!paws_writer_insert_all_new(documents, paws_store_table(store, PAWS_TABLE_DOCUMENT), 0, values, nulls,
									DOCUMENT_COLUMNS, count, places))
		return false;
	memset(nulls, 0, count * FEED_COLUMNS * sizeof(bool));
	for (int i = 0; i < count; i++)
		entry_values(&batch->changes[i], values + i * FEED_COLUMNS);
	paws_writer_begin(&entries, feed, true);
	good = paws_writer_insert_all_new(&entries, feed, 0, values, nulls, FEED_COLUMNS, count, places + count);
	paws_writer_end(&entries);
	if (!good)
		paws_writer_take_out(documents, places, count);
	return good;
}

bool
paws_store_write_new(PawsStore *store, PawsBatch *batch, TimestampTz now)
{
	PawsCounter *before = palloc(Max(batch->ncounters, 1) * sizeof(PawsCounter));
	ItemPointerData *places = palloc(2 * batch->count * sizeof(ItemPointerData));
	PawsWriter documents;
	bool good;

	if (careful > 0)
	{
		careful--;
		return false;
	}
	if (!makes_all(store, batch))
		return false;
	memcpy(before, batch->counters, batch->ncounters * sizeof(PawsCounter));
	decide_new(store, batch, now);
	paws_writer_begin(&documents, paws_store_table(store, PAWS_TABLE_DOCUMENT), true);
	good = insert_new(store, batch, &documents, places);
	paws_writer_end(&documents);
	if (good)
	{
		careful_next = Max(careful_next - 1, CAREFUL_MIN);
		return true;
	}
	memcpy(batch->counters, before, batch->ncounters * sizeof(PawsCounter));
	careful = careful_next;
	careful_next = Min(2 * careful_next, CAREFUL_MAX);
	return false;
}

void
paws_store_write(PawsStore *store, PawsBatch *batch)
{
	if (batch->nheads > 0)
		write_heads(store, batch);
	write_branches(store, batch);
	write_feed(store, batch);
	paws_store_unreserve(store, batch->counters, batch->ncounters);
}

/*
 * store/write.c - writes what a batch decided, one statement for each table.
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
put_head(const PawsStore *store, Columns *c, PawsChange *change)
{
	int row = c->count++;

	c->values[0][row] = Int64GetDatum(change->subject_no);
	c->values[1][row] = UUIDPGetDatum(&change->doc_id);
	c->values[2][row] = Int16GetDatum(change->collection);
	c->values[3][row] = Int64GetDatum(change->revision);
	c->values[4][row] = BoolGetDatum(change->deleted);
	c->values[5][row] = Int64GetDatum(change->position);
	c->values[6][row] = UUIDPGetDatum(&change->op_id);
	c->values[7][row] = Int64GetDatum(change->base_revision);
	put_bytea(c, 8, row, change->envelope);
	put_bytea(c, 9, row, seal_of(store, change));
	c->values[10][row] = TimestampTzGetDatum(change->finished_at);
}

/* Only the last change of a document in the batch becomes its head; the ones before it are entries of the
 * feed alone. */
static void
write_heads(PawsStore *store, PawsBatch *batch)
{
	static const Oid types[] = {INT8OID, UUIDOID, INT2OID,  INT8OID,  BOOLOID,       INT8OID,
								UUIDOID, INT8OID, BYTEAOID, BYTEAOID, TIMESTAMPTZOID};
	Columns made;
	Columns changed;

	make_columns(&made, lengthof(types), batch->nheads);
	make_columns(&changed, lengthof(types), batch->nheads);
	for (int i = 0; i < batch->nheads; i++)
		if (batch->heads[i].change)
			put_head(store, batch->heads[i].stored ? &changed : &made, batch->heads[i].change);
	run_set(store, PAWS_STORE_INSERT_HEADS, &made, types, lengthof(types));
	run_set(store, PAWS_STORE_UPDATE_HEADS, &changed, types, lengthof(types));
}

static void
write_branches(PawsStore *store, PawsBatch *batch)
{
	static const Oid types[] = {INT8OID, UUIDOID, UUIDOID,  INT2OID,       INT8OID,
								BOOLOID, INT8OID, BYTEAOID, TIMESTAMPTZOID};
	Columns c;

	make_columns(&c, lengthof(types), batch->count);
	for (int i = 0; i < batch->count; i++)
	{
		PawsChange *change = &batch->changes[i];
		int row = c.count;

		if (change->skipped || change->repeated || change->outcome != PAWS_OUTCOME_CONFLICT)
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
write_feed(PawsStore *store, PawsBatch *batch)
{
	static const Oid types[] = {INT8OID, INT8OID, INT8OID, UUIDOID, UUIDOID,       INT2OID,
								INT8OID, INT2OID, INT2OID, BOOLOID, TIMESTAMPTZOID};
	Columns c;

	make_columns(&c, lengthof(types), batch->count);
	for (int i = 0; i < batch->count; i++)
	{
		PawsChange *change = &batch->changes[i];
		int row = c.count;

		if (change->skipped || change->repeated)
			continue;
		c.count++;
		c.values[0][row] = Int64GetDatum(change->subject_no);
		c.values[1][row] = Int64GetDatum(change->position);
		c.values[2][row] = Int64GetDatum(change->device_no);
		c.values[3][row] = UUIDPGetDatum(&change->op_id);
		c.values[4][row] = UUIDPGetDatum(&change->doc_id);
		c.values[5][row] = Int16GetDatum(change->collection);
		c.values[6][row] = Int64GetDatum(change->revision);
		c.values[7][row] = Int16GetDatum(change->outcome);
		c.values[8][row] = Int16GetDatum(change->reason);
		c.values[9][row] = BoolGetDatum(change->deleted);
		c.values[10][row] = TimestampTzGetDatum(change->finished_at);
	}
	run_set(store, PAWS_STORE_INSERT_FEED, &c, types, lengthof(types));
}

static void
advance_counters(PawsStore *store, PawsBatch *batch)
{
	Columns c;
	Datum args[2];

	make_columns(&c, 2, batch->ncounters);
	for (int i = 0; i < batch->ncounters; i++)
	{
		PawsCounter *counter = &batch->counters[i];

		if (counter->position == counter->before)
			continue;
		c.values[0][c.count] = Int64GetDatum(counter->subject_no);
		c.values[1][c.count++] = Int64GetDatum(counter->position);
	}
	if (c.count == 0)
		return;
	args[0] = paws_spi_array(c.values[0], NULL, c.count, INT8OID);
	args[1] = paws_spi_array(c.values[1], NULL, c.count, INT8OID);
	paws_store_run(store, PAWS_STORE_ADVANCE, args, NULL);
}

void
paws_store_write(PawsStore *store, PawsBatch *batch)
{
	write_heads(store, batch);
	write_branches(store, batch);
	write_feed(store, batch);
	advance_counters(store, batch);
}

/*
 * queue/inflight.c - what a worker is about to apply, in a row of its own.
 *
 * The row is replaced with each batch, and found by its place: while an old snapshot is open all its former
 * versions stay, and an index would lead past every one of them. So the table has none.
 */
#include "postgres.h"

#include "base/spi.h"
#include "base/table.h"
#include "catalog/pg_type.h"
#include "queue/queue.h"
#include "utils/timestamp.h"

enum
{
	INFLIGHT_RECORDED_AT = 1,
	INFLIGHT_WORKER,
	INFLIGHT_IDS,
	INFLIGHT_COLUMNS = INFLIGHT_IDS
};

static PawsTable inflight = {.schema = "paws_queue", .name = "inflight", .columns = INFLIGHT_COLUMNS};

static PawsStatement clear_inflight = {
	.sql =
		"DELETE FROM paws_queue.inflight WHERE $1 OPERATOR(pg_catalog.<) 0 OR worker OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {INT2OID},
};

static void
to_row(int worker, const PawsClaim *claim, Datum *values)
{
	Datum *ids = palloc(Max(claim->count, 1) * sizeof(Datum));

	for (int i = 0; i < claim->count; i++)
		ids[i] = Int64GetDatum(claim->ids[i]);
	values[INFLIGHT_RECORDED_AT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[INFLIGHT_WORKER - 1] = Int16GetDatum(worker);
	values[INFLIGHT_IDS - 1] = paws_spi_array(ids, NULL, claim->count, INT8OID);
}

/* False if the row is not at its place any more: the table was rewritten. */
static bool
replace(PawsWriter *writer, int worker, PawsRecord *record, const Datum *values, const bool *nulls)
{
	Snapshot snapshot = paws_table_snap(false);
	bool isnull;
	bool mine = paws_writer_fetch(writer, &record->place, snapshot) &&
				DatumGetInt16(slot_getattr(writer->slot, INFLIGHT_WORKER, &isnull)) == worker &&
				paws_writer_update(writer, &record->place, snapshot, values, nulls, true) == PAWS_WRITTEN;

	paws_table_unsnap(snapshot);
	return mine;
}

void
paws_queue_record(int worker, PawsClaim *claim)
{
	PawsRecord *record = &claim->record;
	Datum values[INFLIGHT_COLUMNS];
	bool nulls[INFLIGHT_COLUMNS] = {false};
	PawsWriter writer;
	bool known = ItemPointerIsValid(&record->place);

	if (claim->count == 0 && record->count == 0)
		return;
	to_row(worker, claim, values);
	paws_writer_begin(&writer, &inflight, false);
	if (!known || !replace(&writer, worker, record, values, nulls))
	{
		paws_queue_forget(worker);
		paws_writer_insert(&writer, values, nulls);
	}
	record->place = writer.slot->tts_tid;
	record->count = claim->count;
	paws_writer_end(&writer);
}

void
paws_queue_forget(int worker)
{
	Datum args[1] = {Int16GetDatum(worker)};

	paws_spi_run(&clear_inflight, args, NULL, 0);
}

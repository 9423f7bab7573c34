/*
 * store/counter.c - the counters: what locks a subject, and gives out the positions of its feed.
 *
 * A counter is moved on at once by as many positions as a batch may need: that is its lock as well, and
 * writes once what locking first would write twice.
 */
#include "postgres.h"

#include "base/spi.h"
#include "base/table.h"
#include "catalog/pg_type.h"
#include "store/place.h"
#include "store/store.h"
#include "store/store_private.h"

typedef struct Reserving
{
	PawsStore *store;
	PawsWriter writer;
	PawsScan scan;
	bool scanning; /* the scan is begun: some counter was not where it was remembered */
	Snapshot snapshot;
} Reserving;

int
paws_store_compare_subjects(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x > y) - (x < y);
}

static void
begin_walk(Reserving *reserving)
{
	reserving->snapshot = paws_table_snap(false);
	reserving->scanning = false;
}

static void
end_walk(Reserving *reserving)
{
	if (reserving->scanning)
		paws_scan_end(&reserving->scan);
	paws_table_unsnap(reserving->snapshot);
}

static TupleTableSlot *
find_by_index(Reserving *reserving, int64 subject_no)
{
	PawsKey key = {1, BTEqualStrategyNumber, Int64GetDatum(subject_no)};

	if (reserving->scanning)
		paws_scan_again(&reserving->scan, &key.value);
	else
		paws_scan_begin(&reserving->scan, paws_store_table(reserving->store, PAWS_TABLE_COUNTER), 0,
						reserving->snapshot, &key, 1);
	reserving->scanning = true;
	return paws_scan_next(&reserving->scan) ? reserving->scan.slot : NULL;
}

static PawsWritten
move_on(Reserving *reserving, TupleTableSlot *row, PawsCounter *counter, int64 by, bool wait)
{
	ItemPointerData place = row->tts_tid;
	Datum values[COUNTER_COLUMNS];
	bool nulls[COUNTER_COLUMNS] = {false};
	PawsWritten written;

	slot_getallattrs(row);
	memcpy(values, row->tts_values, sizeof(values));
	counter->position = DatumGetInt64(values[COUNTER_POSITION - 1]);
	counter->reserved = counter->position + by;
	values[COUNTER_POSITION - 1] = Int64GetDatum(counter->reserved);
	written = paws_writer_update(&reserving->writer, &place, reserving->snapshot, values, nulls, wait);
	if (written == PAWS_WRITTEN)
		paws_place_remember(RelationGetRelid(reserving->writer.table), counter->subject_no,
							&reserving->writer.slot->tts_tid);
	return written;
}

/* The row of a counter that the snapshot sees; NULL if there is none. Good until the next one. */
static TupleTableSlot *
find(Reserving *reserving, int64 subject_no)
{
	PawsWriter *writer = &reserving->writer;
	ItemPointerData place;
	bool isnull;

	if (paws_place_recall(RelationGetRelid(writer->table), subject_no, &place) &&
		paws_writer_fetch(writer, &place, reserving->snapshot) &&
		DatumGetInt64(slot_getattr(writer->slot, COUNTER_SUBJECT_NO, &isnull)) == subject_no)
		return writer->slot;
	return find_by_index(reserving, subject_no);
}

/* False if somebody else has the counter, or there is none. */
static bool
reserve(Reserving *reserving, PawsCounter *counter, int64 by, bool wait)
{
	for (;;)
	{
		TupleTableSlot *row = find(reserving, counter->subject_no);
		PawsWritten written;

		if (row == NULL)
			return false;
		written = move_on(reserving, row, counter, by, wait);
		if (written != PAWS_WRITTEN_GONE)
			return written == PAWS_WRITTEN;
		/* changed since the snapshot */
		end_walk(reserving);
		begin_walk(reserving);
	}
}

/* Ascending: the order in which every process locks them. */
int
paws_store_reserve(PawsStore *store, const PawsChange *changes, int count, bool wait, PawsCounter *counters)
{
	Reserving reserving = {.store = store};
	int64 *subjects = palloc(count * sizeof(int64));
	int reserved = 0;

	for (int i = 0; i < count; i++)
		subjects[i] = changes[i].subject_no;
	qsort(subjects, count, sizeof(int64), paws_store_compare_subjects);
	paws_writer_begin(&reserving.writer, paws_store_table(store, PAWS_TABLE_COUNTER), false);
	begin_walk(&reserving);
	for (int first = 0, next = 0; first < count; first = next)
	{
		PawsCounter *counter = &counters[reserved];

		while (next < count && subjects[next] == subjects[first])
			next++;
		counter->subject_no = subjects[first];
		if (reserve(&reserving, counter, next - first, wait))
			reserved++;
	}
	end_walk(&reserving);
	paws_writer_end(&reserving.writer);
	return reserved;
}

void
paws_store_unreserve(PawsStore *store, const PawsCounter *counters, int count)
{
	Datum *subjects = palloc(Max(count, 1) * sizeof(Datum));
	Datum *positions = palloc(Max(count, 1) * sizeof(Datum));
	Datum args[2];
	int n = 0;

	for (int i = 0; i < count; i++)
	{
		if (counters[i].position == counters[i].reserved)
			continue;
		subjects[n] = Int64GetDatum(counters[i].subject_no);
		positions[n++] = Int64GetDatum(counters[i].position);
	}
	if (n == 0)
		return;
	args[0] = paws_spi_array(subjects, NULL, n, INT8OID);
	args[1] = paws_spi_array(positions, NULL, n, INT8OID);
	paws_store_run(store, PAWS_STORE_ADVANCE, args, NULL);
}

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
#include "store/store.h"
#include "store/store_private.h"

typedef struct Reserving
{
	PawsStore *store;
	PawsWriter writer;
	PawsScan scan;
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
	PawsKey key = {1, BTEqualStrategyNumber, Int64GetDatum(0)};

	reserving->snapshot = paws_table_snap(false);
	paws_scan_begin(&reserving->scan, paws_store_table(reserving->store, PAWS_TABLE_COUNTER), 0,
					reserving->snapshot, &key, 1);
}

static void
end_walk(Reserving *reserving)
{
	paws_scan_end(&reserving->scan);
	paws_table_unsnap(reserving->snapshot);
}

static PawsWritten
move_on(Reserving *reserving, PawsCounter *counter, int64 by, bool wait)
{
	PawsScan *scan = &reserving->scan;
	Datum values[COUNTER_COLUMNS];
	bool nulls[COUNTER_COLUMNS] = {false};

	counter->position = paws_scan_int64(scan, COUNTER_POSITION);
	counter->reserved = counter->position + by;
	values[COUNTER_SUBJECT_NO - 1] = Int64GetDatum(counter->subject_no);
	values[COUNTER_POSITION - 1] = Int64GetDatum(counter->reserved);
	values[COUNTER_EXPIRED - 1] = Int64GetDatum(paws_scan_int64(scan, COUNTER_EXPIRED));
	return paws_writer_update(&reserving->writer, paws_scan_place(scan), reserving->snapshot, values, nulls,
							  wait);
}

/* False if somebody else has the counter, or there is none. */
static bool
reserve(Reserving *reserving, PawsCounter *counter, int64 by, bool wait)
{
	Datum key = Int64GetDatum(counter->subject_no);

	for (;;)
	{
		PawsWritten written;

		paws_scan_again(&reserving->scan, &key);
		if (!paws_scan_next(&reserving->scan))
			return false;
		written = move_on(reserving, counter, by, wait);
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

/*
 * control/admission.c - what admission and the reserve did, as views show it.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/reserve.h"
#include "base/settings.h"
#include "base/worker.h"
#include "control/rows.h"
#include "queue/admission.h"

PG_FUNCTION_INFO_V1(paws_stat_admission);
PG_FUNCTION_INFO_V1(paws_stat_reserve);

static void
put_counts(PawsRows *rows, int slot, PawsClass klass, PawsTier tier)
{
	PawsAdmissionCounts counts;

	paws_admission_read(slot, klass, tier, &counts);
	paws_row_label(rows, paws_class_name(klass));
	paws_row_label(rows, paws_tier_name(tier));
	paws_row_datum(rows, Int64GetDatum(counts.admitted));
	paws_row_datum(rows, Int64GetDatum(counts.limited));
	paws_row_datum(rows, Int64GetDatum(counts.untracked));
	paws_row_datum(rows, Int64GetDatum(counts.bytes_in));
	paws_row_datum(rows, Int64GetDatum(counts.bytes_out));
	paws_row_datum(rows, Int64GetDatum(counts.pages_cut));
	paws_row_timestamp(rows, paws_admission_since(slot));
	paws_row_end(rows);
}

Datum
paws_stat_admission(PG_FUNCTION_ARGS)
{
	int slot = paws_database_slot();
	PawsRows rows;

	paws_rows_begin(&rows, fcinfo);
	for (int klass = PAWS_CLASS_FIRST; klass <= PAWS_CLASS_LAST; klass++)
		if (paws_class_lane(klass) == PAWS_LANE_ORDINARY)
			for (int tier = PAWS_TIER_FIRST; tier <= PAWS_TIER_LAST; tier++)
				put_counts(&rows, slot, klass, tier);
	return (Datum) 0;
}

/* Of all databases: the machine is one. */
static int64
pool_capacity(void)
{
	int64 workers = 0;

	for (int i = 0; i < paws_worker_slots(); i++)
	{
		PawsWorkerSlot slot;

		if (paws_worker_read(i, &slot) && slot.kind == PAWS_WORKER_POOL)
			workers++;
	}
	return workers * 1000000;
}

/* A capacity of 0 bytes stands for none that is set. */
static void
put_reserve(PawsRows *rows, PawsResource resource, const char *name, const char *unit, int64 capacity)
{
	bool bounded = capacity > 0 || resource != PAWS_RESOURCE_BYTES;
	PawsReserveState state;

	paws_reserve_read(resource, &state);
	paws_row_text(rows, name);
	paws_row_text(rows, unit);
	if (bounded)
	{
		paws_row_datum(rows, Int64GetDatum(capacity));
		paws_row_datum(rows, Int64GetDatum(capacity / 100 * paws_crisis_reserve));
	}
	else
	{
		paws_row_null(rows);
		paws_row_null(rows);
	}
	paws_row_datum(rows, BoolGetDatum(state.held));
	paws_row_datum(rows, Int64GetDatum(state.lent));
	paws_row_datum(rows, Int64GetDatum(state.used_by_crisis));
	paws_row_datum(rows, Int64GetDatum(state.used_by_ordinary));
	paws_row_datum(rows, Int64GetDatum(state.held_back));
	paws_row_timestamp(rows, state.since);
	paws_row_end(rows);
}

Datum
paws_stat_reserve(PG_FUNCTION_ARGS)
{
	PawsRows rows;

	(void) paws_database_slot();
	paws_rows_begin(&rows, fcinfo);
	put_reserve(&rows, PAWS_RESOURCE_WORKER_TIME, "worker_time", "us", pool_capacity());
	put_reserve(&rows, PAWS_RESOURCE_BYTES, "bytes", "bytes", (int64) paws_byte_budget * 1024);
	return (Datum) 0;
}

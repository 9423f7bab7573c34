/*
 * control/latency.c - a histogram for each class and tier of the ordinary lane of each database, and the view
 * over these and over those of the crisis lane, which are its own (crisis/outcome.h).
 */
#include "postgres.h"

#include "base/commit.h"
#include "base/database.h"
#include "base/histogram.h"
#include "base/reserve.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/spi.h"
#include "control/latency.h"
#include "control/rows.h"
#include "crisis/budget.h"
#include "crisis/outcome.h"
#include "queue/admission.h"
#include "queue/policy.h"
#include "utils/timestamp.h"

typedef struct Latencies
{
	pg_atomic_uint64 since;
	PawsHistogram histogram[PAWS_CLASS_LAST + 1][PAWS_TIER_LAST + 1];
} Latencies;

static Latencies *latencies = NULL;

PG_FUNCTION_INFO_V1(paws_stat_latency);
PG_FUNCTION_INFO_V1(paws_stat_reset);

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(Latencies));
}

void
paws_latency_reset(int slot)
{
	for (int klass = 0; klass <= PAWS_CLASS_LAST; klass++)
		for (int tier = 0; tier <= PAWS_TIER_LAST; tier++)
			paws_histogram_reset(&latencies[slot].histogram[klass][tier]);
	pg_atomic_write_u64(&latencies[slot].since, (uint64) GetCurrentTimestamp());
}

static void
attach(void *memory, bool found)
{
	latencies = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
		paws_latency_reset(slot);
}

void
paws_latency_init(void)
{
	static const PawsSharedPart part = {"paws_sync latencies", size, attach, paws_latency_reset};

	paws_shmem_offer(&part);
}

void
paws_latency_record(int slot, PawsClass klass, int tier, int64 microseconds, int32 target_ms)
{
	paws_histogram_record(&latencies[slot].histogram[klass][tier], Max(microseconds, 0),
						  (uint64) target_ms * 1000);
}

typedef struct Measured
{
	int slot;
	PawsClass klass;
	int tier;
	int32 target_ms;
	TimestampTz since;
} Measured;

static void
record(void *arg)
{
	Measured *measured = arg;

	paws_latency_record(measured->slot, measured->klass, measured->tier,
						GetCurrentTimestamp() - measured->since, measured->target_ms);
}

void
paws_latency_at_commit(int slot, PawsClass klass, int tier, TimestampTz since, int32 target_ms)
{
	Measured *measured = paws_at_commit(record, sizeof(Measured));

	*measured = (Measured){slot, klass, tier, target_ms, since};
}

static void
put_ms(PawsRows *rows, uint64 microseconds)
{
	paws_row_datum(rows, Float8GetDatum((double) microseconds / 1000.0));
}

/* tier: NULL in the crisis lane, which looks up none. */
static void
put_row(PawsRows *rows, PawsClass klass, const char *tier, PawsHistogram *histogram, int32 target_ms,
		TimestampTz since)
{
	static const double fractions[] = {0.5, 0.95, 0.99, 0.999};
	uint64 count = pg_atomic_read_u64(&histogram->count);

	paws_row_label(rows, paws_class_name(klass));
	paws_row_label(rows, tier);
	paws_row_datum(rows, Int64GetDatum((int64) count));
	for (int i = 0; i < (int) lengthof(fractions); i++)
		if (count > 0)
			put_ms(rows, paws_histogram_percentile(histogram, fractions[i]));
		else
			paws_row_null(rows);
	if (count > 0)
		put_ms(rows, pg_atomic_read_u64(&histogram->max));
	else
		paws_row_null(rows);
	put_ms(rows, (uint64) target_ms * 1000);
	if (count > 0)
		paws_row_datum(rows,
					   Float8GetDatum((double) pg_atomic_read_u64(&histogram->within) / (double) count));
	else
		paws_row_null(rows);
	paws_row_timestamp(rows, since);
	paws_row_end(rows);
}

static void
put_crisis(PawsRows *rows, int slot, PawsClass klass)
{
	PawsOutcomes outcomes;

	paws_outcome_read(slot, &outcomes);
	put_row(rows, klass, NULL, paws_outcome_histogram(slot, klass), PAWS_CRISIS_BUDGET_MS, outcomes.since);
}

static void
put_ordinary(PawsRows *rows, int slot, PawsClass klass)
{
	TimestampTz since = (TimestampTz) pg_atomic_read_u64(&latencies[slot].since);

	for (int tier = PAWS_TIER_FIRST; tier <= PAWS_TIER_LAST; tier++)
		put_row(rows, klass, paws_tier_name(tier), &latencies[slot].histogram[klass][tier],
				paws_policy(klass, tier)->target_ms, since);
}

Datum
paws_stat_latency(PG_FUNCTION_ARGS)
{
	int slot = paws_database_slot();
	PawsRows rows;

	paws_rows_begin(&rows, fcinfo);
	paws_spi_begin();
	/* read before rows are made: the policy may be loaded, in SPI's memory */
	(void) paws_policy(PAWS_CLASS_SAFETY, PAWS_TIER_TRIAL);
	for (int klass = PAWS_CLASS_FIRST; klass <= PAWS_CLASS_LAST; klass++)
	{
		if (paws_class_lane(klass) == PAWS_LANE_CRISIS)
			put_crisis(&rows, slot, klass);
		else
			put_ordinary(&rows, slot, klass);
	}
	paws_spi_end();
	return (Datum) 0;
}

Datum
paws_stat_reset(PG_FUNCTION_ARGS)
{
	int slot = paws_database_slot();

	paws_latency_reset(slot);
	paws_outcome_reset(slot);
	paws_admission_reset(slot);
	paws_reserve_reset();
	PG_RETURN_VOID();
}
